"""Comparisons of what was trained on different sets: difference, interval, p-value, equivalence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .guard import doubt
from .intervals import Difference, Estimate, Parts, difference
from .measures import METRICS
from .report import FairnessReport

LEVEL = 0.05  # of every family of comparisons
MARGIN = 2.0  # points within which two numbers are called the same
#: Sets from which seeds are paired. With fewer, what pairing cancels costs more than it gains:
#: half of the degrees of freedom (the 97.5% quantile of t is 4.3 with two, 2.8 with four).
PAIRED_FROM = 6

Pair = tuple[str, str]
_NOTHING = Parts(math.nan, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Comparison:
    """The difference of a metric between two reports, and what may be said of it.

    Attributes
    ----------
    a, b : str
        Names of the two.
    metric : str
        One of `fddkit.evaluation.measures.METRICS`; gaps are compared without the noise of the
        test images (`fddkit.evaluation.corrections`), because noise differs with accuracy.
    difference : Difference
        Of a minus b, with its 95% interval and p-value.
    p : float
        The p-value after Holm's correction for the family; NaN if nothing can be tested.
    family : int
        How many comparisons were tested together.
    units : str
        What is repeated, e.g. ``"8 sets each, paired by seed"``.
    margin : float
        Two numbers are the same if the interval lies within this many points of 0.
    doubt : str
        Why the comparison says nothing of fairness; empty if it does.
    """

    a: str
    b: str
    metric: str
    difference: Difference
    p: float
    family: int
    units: str
    margin: float = MARGIN
    doubt: str = ""

    @property
    def kind(self) -> str:
        """``"higher"``, ``"lower"`` (a than b), ``"same"``, ``"unclear"`` or ``"void"``."""
        low, high = self.difference.low, self.difference.high
        if self.doubt:
            return "void"
        if -self.margin < low and high < self.margin:
            return "same"
        if self.p < LEVEL:
            return "higher" if self.difference.value > 0 else "lower"
        return "unclear"

    def to_dict(self) -> dict:
        """Return the comparison for JSON or a row of a table."""
        found = {
            **{"a": self.a, "b": self.b, "metric": self.metric, "verdict": self.kind},
            **{"difference": self.difference.value, "low": self.difference.low},
            **{"high": self.difference.high, "p": self.difference.p, "p_holm": self.p},
            **{"family": self.family, "units": self.units, "margin": self.margin},
            "doubt": self.doubt,
        }
        return {k: None if v != v else v for k, v in found.items()}

    @classmethod
    def from_dict(cls, data: Mapping) -> "Comparison":
        """Return the comparison from which `to_dict` made this, without the parts of its variance.

        Parameters
        ----------
        data : mapping
            Other keys are ignored.
        """
        value, low, high, p, adjusted = (
            math.nan if data[key] is None else float(data[key])
            for key in ("difference", "low", "high", "p", "p_holm")
        )
        found = Difference(value, low, high, p, _NOTHING, False)
        rest = (data[key] for key in ("family", "units", "margin", "doubt"))
        return cls(data["a"], data["b"], data["metric"], found, adjusted, *rest)


def compare(
    a: FairnessReport,
    b: FairnessReport,
    metrics: Sequence[str] = ("deo_a", "accuracy"),
    names: tuple[str, str] = ("a", "b"),
    margin: float = MARGIN,
) -> list[Comparison]:
    """Compare two reports: difference with interval, p-value, and whether they are the same.

    Units are sets (or networks, of a report on one set). On the same test images, what an image
    does to both cancels. From `PAIRED_FROM` sets on they are paired by their seeds, if both
    reports have the same ones, so what a seed does to both cancels as well; otherwise Welch's test
    compares the means. The counterfactual test is used if all reports have one.

    Parameters
    ----------
    a, b : FairnessReport
        Of `FairnessReport.pool`, or of one set each.
    metrics : sequence of str
        What to compare; p-values are corrected for all of them (Holm).
    names : (str, str)
        What to call the two.
    margin : float
        Points within which two numbers are called the same.

    Returns
    -------
    list of Comparison
        One per metric.

    See Also
    --------
    family : Several pairs, corrected together.
    fddkit.power : How many sets it takes to tell a difference.

    Examples
    --------
    Two classes, two groups; ``n`` of 100 images of group 1 are correct, for each network:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def report(*correct):
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> [one] = fdd.compare(report(50, 52, 51), report(89, 90, 91), ["accuracy"])
    >>> one.kind, one.difference.value, one.units
    ('lower', -19.5, '3 networks of one set each')
    """
    both = dict(zip(names, (a, b), strict=True))
    if len(both) < 2:
        both = {f"{names[0]} (1)": a, f"{names[1]} (2)": b}
    return family(both, [tuple(both)], metrics, margin)


def family(
    named: Mapping[str, FairnessReport],
    pairs: Sequence[Pair],
    metrics: Sequence[str] = ("deo_a", "accuracy"),
    margin: float = MARGIN,
) -> list[Comparison]:
    """Compare several pairs of reports; p-values are corrected for all of them together.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Name -> report.
    pairs : sequence of (str, str)
        Which to compare.
    metrics, margin
        As for `compare`.

    Returns
    -------
    list of Comparison
        Pair by pair, and metric by metric.
    """
    used = {name: named[name] for pair in pairs for name in pair}
    if all(report.counterfactual for report in used.values()):
        used = {name: report.counterfactual for name, report in used.items()}
    # otherwise all on the other test: comparisons on different ones may contradict each other
    found = [
        _compared(a, used[a], b, used[b], metric, margin) for a, b in pairs for metric in metrics
    ]
    adjusted = holm(np.array([one.p for one in found]))
    tested = sum(one.p == one.p for one in found)
    return [replace(one, p=p, family=tested) for one, p in zip(found, adjusted, strict=True)]


def holm(p: np.ndarray) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure.

    If none of the differences is real, the probability of calling any of them real is at most the
    level, whatever their dependence.

    Parameters
    ----------
    p : float64 [n]
        NaN where nothing was tested.

    Returns
    -------
    list of float
        In the same order.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979).

    Examples
    --------
    >>> import numpy as np
    >>> holm(np.array([0.01, 0.04, 0.03, np.nan]))
    [0.03, 0.06, 0.06, nan]
    """
    adjusted, largest = [math.nan] * len(p), 0.0
    known = [i for i in np.argsort(p) if p[i] == p[i]]
    for rank, i in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * float(p[i])))
        adjusted[i] = largest
    return adjusted


def _compared(
    a: str, one: FairnessReport, b: str, other: FairnessReport, metric: str, margin: float
) -> Comparison:
    x, y = _estimate(one, metric), _estimate(other, metric)
    if x is None or y is None:
        unknown = Difference(*[math.nan] * 4, _NOTHING, False)
        return Comparison(a, b, metric, unknown, math.nan, 0, "", margin)
    both_sets = one.sets is not None and other.sets is not None
    enough = min(len(x.values), len(y.values)) >= PAIRED_FROM
    found = difference(x, y, paired=both_sets and enough)
    why = ""
    if METRICS[metric].between_groups:
        # a model that has learnt nothing treats all alike, which is no merit
        fairer = ((a, one), (b, other)) if found.value <= 0 else ((b, other), (a, one))
        for name, report in fairer[:1] if found.value else fairer:
            why = why or doubt(report, name)
    units = _units(one, other, found.paired)
    return Comparison(a, b, metric, found, found.p, 0, units, margin, why)


def _estimate(report: FairnessReport, metric: str) -> Estimate | None:
    return report.metric(metric).true


def _units(a: FairnessReport, b: FairnessReport, paired: bool) -> str:
    """Return what is repeated, in words."""
    one, other = (_unit(report) for report in (a, b))
    if one != other:
        return f"{one} against {other}"
    return f"{one} each{', paired by seed' if paired else ''}"


def _unit(report: FairnessReport) -> str:
    n = report.accuracy.n
    if report.sets is None:
        return f"{n} network{'s' * (n > 1)} of one set"
    return f"{n} set{'s' * (n > 1)}"
