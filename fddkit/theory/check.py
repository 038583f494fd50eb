"""The outcome of checking a statement on data."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Check:
    """Whether a statement held on the data it was checked on.

    Attributes
    ----------
    statement : str
        The claim in one sentence, with its source.
    gap : float
        The largest violation; for an inequality, by how much the larger side fell short (negative
        or zero: it did not). Relative to the size of what is compared.
    tolerance : float
        The violation that rounding and an unfinished optimisation may cause.
    values : mapping of str to Tensor
        The arrays that were compared.
    """

    statement: str
    gap: float
    tolerance: float
    values: Mapping[str, Tensor] = field(default_factory=dict, repr=False)

    @property
    def holds(self) -> bool:
        """Whether the gap is within the tolerance; a gap of NaN is not."""
        return self.gap <= self.tolerance

    def __str__(self) -> str:
        """Return one line: the outcome, the statement and the numbers behind it."""
        outcome = "holds" if self.holds else "FAILS"
        return f"{outcome}: {self.statement} [gap {self.gap:.2g}, tolerance {self.tolerance:.0e}]"
