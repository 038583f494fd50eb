"""Comparisons of what was trained on different sets: difference, interval, p-value, equivalence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import FddkitError
from . import arguments
from .guard import doubt
from .intervals import Difference, Parts, difference
from .measures import METRICS
from .multiple_tests import LEVEL, holm
from .report import FairnessReport

ALONE = "of these sets alone"  # what is said of networks of one set is said of it only
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
    p_same : float
        The p-value of "they differ by the margin or more" after Holm's correction; NaN if nothing
        can be tested.
    alone : bool
        Whether it speaks of the two sets alone, not of others made in the same way, because its
        units are networks of one set.
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
    p_same: float = math.nan
    alone: bool = False

    @property
    def kind(self) -> str:
        """``"higher"``, ``"lower"`` (a than b), ``"same"``, ``"unclear"`` or ``"void"``."""
        if self.doubt:
            return "void"
        if self.p_same < LEVEL:
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
            **{"p_same": self.p_same, "doubt": self.doubt, "alone": self.alone},
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
        # older files lack the last two
        within = max(abs(low), abs(high)) < data["margin"]
        same = data.get("p_same", 0.0 if within else 1.0)
        same = math.nan if same is None else float(same)
        told = adjusted, *rest, same, bool(data.get("alone"))
        return cls(data["a"], data["b"], data["metric"], found, *told)


def compare(
    a: FairnessReport,
    b: FairnessReport,
    metrics: Sequence[str] = ("deo_a", "accuracy"),
    names: tuple[str, str] = ("a", "b"),
    margin: float = MARGIN,
) -> list[Comparison]:
    """Compare two reports: difference with interval, p-value, and whether they are the same.

    Units are sets. Of a report on one set they are its networks, and what follows is true of these
    sets alone (``alone``): others made in the same way may differ. On the same test images, what
    an image does to both cancels. From `PAIRED_FROM` sets on they are paired by their seeds, if
    both reports have the same ones, so what a seed does to both cancels as well; otherwise Welch's
    test compares the means. The counterfactual test is used if all reports have one.

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
    names = arguments.two_names(names)
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

    The probability of calling any two different that are not is at most 5%, and so is that of
    calling any two the same that differ by the margin.

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
    arguments.reports(named)
    metrics, margin = arguments.metrics(metrics), arguments.margin(margin)
    for a, b in pairs:
        arguments.pair(a, b, named)
    used = on_one_test({name: named[name] for pair in pairs for name in pair})
    found = [
        _compared(a, used[a], b, used[b], metric, margin) for a, b in pairs for metric in metrics
    ]
    if not found:
        return []
    apart, same = (holm(np.array(p)) for p in zip(*((x.p, x.p_same) for x in found), strict=True))
    tested = sum(one.p == one.p for one in found)
    said = [
        replace(one, p=p, p_same=q, family=tested)
        for one, p, q in zip(found, apart, same, strict=True)
    ]
    return [replace(one, doubt=_doubt(one, used[one.a], used[one.b])) for one in said]


def on_one_test(named: Mapping[str, FairnessReport]) -> dict[str, FairnessReport]:
    """Return reports on one and the same test: the counterfactual one, if all have it.

    Numbers of different tests beside each other would contradict each other.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Name -> report.

    Returns
    -------
    dict of str to FairnessReport

    Raises
    ------
    FddkitError
        If they are no reports, or of different classes or groups.
    """
    arguments.reports(named)
    if all(report.counterfactual for report in named.values()):
        named = {name: report.counterfactual for name, report in named.items()}
    shapes = {name: report.counts.shape[1:3] for name, report in named.items()}
    if len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {c} x {a}" for name, (a, c) in shapes.items())
        raise FddkitError(
            f"these reports are of different tests (classes x groups: {told}); compare reports on "
            "one data set"
        )
    return dict(named)


def _compared(
    a: str, one: FairnessReport, b: str, other: FairnessReport, metric: str, margin: float
) -> Comparison:
    x, y = one.metric(metric).true, other.metric(metric).true
    if x is None or y is None:
        unknown = Difference(*[math.nan] * 4, _NOTHING, False)
        return Comparison(a, b, metric, unknown, math.nan, 0, "", margin)
    both_sets = one.sets is not None and other.sets is not None
    enough = min(len(x.values), len(y.values)) >= PAIRED_FROM
    found = difference(x, y, paired=both_sets and enough)
    # two one-sided tests: the interval that ends at the margin
    left = margin - abs(found.value)
    same = found.parts.p(left) if left > 0 or not found.parts.known else 1.0
    units = _units(one, other, found.paired)
    alone = any(report.of_one_set for report in (one, other))
    return Comparison(a, b, metric, found, found.p, 0, units, margin, "", same, alone)


def _doubt(one: Comparison, a: FairnessReport, b: FairnessReport) -> str:
    """Return why a comparison says nothing of fairness."""
    if not METRICS[one.metric].between_groups:
        return ""
    if one.kind in ("higher", "lower"):
        # a model that has learnt nothing treats all alike, which is no merit
        why = doubt(a, one.a) if one.kind == "lower" else doubt(b, one.b)
        noise = not why and all(report.mostly_noise(one.metric) for report in (a, b))
        return "both gaps are mostly what so few test images show by chance" if noise else why
    return doubt(a, one.a) or doubt(b, one.b)


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
