"""What a metric is: a function of what networks predicted, with all that is known of it."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

import numpy as np

if TYPE_CHECKING:
    from .report import FairnessReport


@dataclass(frozen=True)
class Metric:
    """A number that is computed from what networks predicted for the test images.

    Attributes
    ----------
    title : str
        Its name in figures and tables, e.g. ``"DEO_M"``.
    function : callable
        ``function(counts) -> float64 [R]``, from int [R, A, C, C], the test images by repeat,
        group, true and predicted class; NaN where it cannot be known. The counts cannot be
        written to: work on a copy.
    meaning : str
        What it measures, with its source.
    unit : str
        Unit, e.g. ``"%"``.
    higher : bool
        Whether higher is better.
    bounds : (float, float)
        The smallest and the largest possible value.
    between_groups : bool
        Whether it is a gap between groups. Then an exactly fair model would show only what chance
        makes of a test of this size, with which every value is compared.
    of_rates : callable, optional
        ``of_rates(rates) -> float64 [...]``, from float64 [..., A, C], true-positive rates: the
        same number where it depends on nothing else. With it, a gap can be shown without the
        noise of the test images (`fddkit.evaluation.corrections`).
    whole : bool
        Whether ``function`` takes the whole `FairnessReport` instead of its counts.
    headline : bool
        Whether narrow tables and figures show it.

    See Also
    --------
    fddkit.evaluation.metrics : Functions that compute common quantities from the counts.

    Examples
    --------
    The difference in accuracy between the best and the worst group:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def accuracy_gap(counts):
    ...     by_group = np.trace(counts, axis1=2, axis2=3) / counts.sum((2, 3))
    ...     return 100 * (by_group.max(1) - by_group.min(1))
    >>> meaning = "between the best and the worst group"
    >>> metric = fdd.Metric("accuracy gap", accuracy_gap, meaning, between_groups=True)
    >>> _ = fdd.register("accuracy-gap", metric)
    >>> counts = np.array([[[[9, 1], [2, 8]], [[6, 4], [3, 7]]]])  # one repeat, two groups
    >>> round(fdd.FairnessReport(counts, ["convnet"]).metric("accuracy-gap").mean, 6)
    20.0
    >>> metric.label
    'accuracy gap (%)'
    """

    title: str
    function: Callable[[Any], np.ndarray]
    meaning: str = ""
    unit: str = "%"
    higher: bool = False
    bounds: tuple[float, float] = (0.0, 100.0)
    between_groups: bool = False
    of_rates: Callable[[np.ndarray], np.ndarray] | None = None
    whole: bool = False
    headline: bool = True

    @property
    def label(self) -> str:
        """Title and unit, as an axis label."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    def values(self, report: "FairnessReport") -> np.ndarray:
        """Return the metric of each repeat, float64 [R]; NaN where it cannot be known."""
        counts = report.counts
        return (
            self._guarded(self.function, report, counts.shape[:1])
            if self.whole
            else self.of(counts)
        )

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Return the metric of counts [R, A, C, C], float64 [R]; NaN where it cannot be known."""
        return self._guarded(self.function, counts, counts.shape[:1])

    def from_rates(self, rates: np.ndarray) -> np.ndarray:
        """Return the metric of rates [..., A, C], float64 [...]; NaN where it cannot be known."""
        return self._guarded(self.of_rates, rates, rates.shape[:-2])

    def _guarded(self, function: Callable, given: Any, shape: tuple[int, ...]) -> np.ndarray:
        """Apply a function: that of a user must not cost the networks that were trained."""
        if isinstance(given, np.ndarray):
            given = given.view()  # others will need what it is given
            given.setflags(write=False)
        try:
            found = np.asarray(function(given), dtype=float)
            if found.shape != shape:
                raise ValueError(f"it has shape {list(found.shape)}, not {list(shape)}")
        except (Exception, SystemExit) as error:  # what a user's function may raise is not known
            self._warn(f": {error}")
            return np.full(shape, np.nan)
        if np.isinf(found).any():
            self._warn(" where it is infinite; let its function return NaN there")
        return np.where(np.isfinite(found), found, np.nan)

    def _warn(self, why: str) -> None:
        """Say once that the metric is unknown; it is computed many times for one report."""
        if id(self) not in _WARNED:
            _WARNED[id(self)] = self
            warnings.warn(f"the metric {self.title!r} is unknown{why}", stacklevel=4)


#: The metrics that a warning was about.
_WARNED: WeakValueDictionary[int, Metric] = WeakValueDictionary()
