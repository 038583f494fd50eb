"""The metrics of an evaluation, each an entry that carries all its facts."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.entries import Table
from ..core.errors import FddkitError
from . import metrics
from .amplification import amplification, flips

if TYPE_CHECKING:
    from .report import FairnessReport

#: Names of what a report's file holds besides its metrics.
RESERVED = {"format", "format_version", "empty_cells", "networks", "sets", "config", "versions"}
RESERVED |= {"counts", "outcomes", "counterfactual", "sha256"}


@dataclass(frozen=True)
class Metric:
    """A number that is computed from what networks predicted for the test images.

    Attributes
    ----------
    title : str
        Its name in figures and tables, e.g. ``"DEO_M"``.
    function : callable
        ``function(counts) -> float64 [R]``, from int [R, A, C, C], the test images by repeat,
        group, true and predicted class; NaN where it cannot be known.
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
        return self._guarded(report, len(report.counts)) if self.whole else self.of(report.counts)

    def of(self, counts: np.ndarray) -> np.ndarray:
        """Return the metric of counts [R, A, C, C], float64 [R]; NaN where it cannot be known."""
        return self._guarded(counts, len(counts))

    def _guarded(self, given: Any, repeats: int) -> np.ndarray:
        """Apply the function: that of a user must not cost the networks that were trained."""
        try:
            found = np.asarray(self.function(given), dtype=float)
            if found.shape != (repeats,):
                raise ValueError(f"it has shape {list(found.shape)} for {repeats} repeats")
        except Exception as error:  # what a user's function may raise is not known
            warnings.warn(f"the metric {self.title!r} is unknown: {error}", stacklevel=4)
            found = np.full(repeats, np.nan)
        return np.where(np.isfinite(found), found, np.nan)


def equal_opportunity(positive: int, name: str = "") -> Metric:
    """Return the metric of equal opportunity for one class: its gap of true-positive rates.

    Parameters
    ----------
    positive : int
        The number of the class.
    name : str
        What to call it; by default its number.

    Returns
    -------
    Metric
        To be registered under a name of your choice.

    References
    ----------
    Hardt, Price and Srebro (2016).

    Examples
    --------
    >>> import numpy as np
    >>> counts = np.array([[[[9, 1], [2, 8]], [[6, 4], [3, 7]]]])
    >>> equal_opportunity(0).function(counts).round(1)
    array([30.])
    """

    def of_rates(rates: np.ndarray) -> np.ndarray:
        return metrics.gaps(rates)[..., positive]

    def gap(counts: np.ndarray) -> np.ndarray:
        return of_rates(metrics.tpr(counts))

    meaning = f"gap of the true-positive rate of class {name or positive} between groups"
    title = f"EO of {name or positive}"
    return Metric(title, gap, meaning, between_groups=True, of_rates=of_rates, headline=False)


def _accuracy_of(
    by: Callable[[np.ndarray], np.ndarray],
    pick: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
) -> np.ndarray:
    return pick(by(counts))


def _gap_of_rates(over: Callable[[np.ndarray], np.ndarray], rates: np.ndarray) -> np.ndarray:
    return over(metrics.gaps(rates))


def _gap(
    rate: tuple[str, ...], over: Callable[[np.ndarray], np.ndarray], counts: np.ndarray
) -> np.ndarray:
    found = metrics.rates(counts)
    per_class = np.stack([over(metrics.gaps(found[name])) for name in rate], -1)
    return metrics.worst(per_class)


def _positive_gap(counts: np.ndarray) -> np.ndarray:
    if counts.shape[-1] != 2:
        return np.full(len(counts), np.nan)
    return metrics.gaps(metrics.tpr(counts))[..., 1]


def _is_metric(entry: object) -> bool:
    return isinstance(entry, Metric)


def _adopt(name: str, metric: Metric) -> Metric:
    """Check that a registered metric returns one number for each repeat."""
    if name in RESERVED:
        raise FddkitError(f"{name!r} is a part of every report; give the metric another name")
    if metric.whole:
        return metric
    counts = np.arange(1, 55).reshape(2, 3, 3, 3)
    found = np.asarray(metric.function(counts))
    if found.shape != (2,):
        raise FddkitError(
            f"the metric {name!r} gives shape {list(found.shape)} for 2 repeats; "
            "return one number per repeat"
        )
    return metric


def headline() -> dict[str, Metric]:
    """Return the metrics that narrow tables and figures show, by name."""
    return {name: metric for name, metric in METRICS.items() if metric.headline}


_beside = partial(Metric, headline=False)
_difference = partial(Metric, headline=False, between_groups=True)
_by_group, _by_class = metrics.group_accuracy, metrics.class_accuracy

#: Name -> metric, in the order in which they are listed.
METRICS: Table[Metric] = Table(
    "metric",
    _is_metric,
    {
        "accuracy": Metric(
            "accuracy",
            metrics.accuracy,
            "share of test images that are classified correctly",
            higher=True,
        ),
        "balanced_accuracy": _beside(
            "balanced accuracy",
            partial(_accuracy_of, _by_class, metrics.mean),
            "share of a class that is recognised, mean over classes",
            higher=True,
        ),
        "worst_group": Metric(
            "worst group",
            partial(_accuracy_of, _by_group, metrics.least),
            "accuracy in the group where it is lowest",
            higher=True,
        ),
        "best_group": Metric(
            "best group",
            partial(_accuracy_of, _by_group, metrics.worst),
            "accuracy in the group where it is highest: if it falls together with the gap, "
            "groups were made equal by levelling down",
            higher=True,
        ),
        "worst_class": _beside(
            "worst class",
            partial(_accuracy_of, _by_class, metrics.least),
            "share recognised of the class where it is lowest",
            higher=True,
        ),
        "deo_m": Metric(
            "DEO_M",
            partial(_gap, ("tpr",), metrics.worst),
            "largest gap of true-positive rates between groups, over classes (FairDD)",
            between_groups=True,
            of_rates=partial(_gap_of_rates, metrics.worst),
        ),
        "deo_a": Metric(
            "DEO_A",
            partial(_gap, ("tpr",), metrics.mean),
            "gap of true-positive rates between groups, mean over classes (FairDD)",
            between_groups=True,
            of_rates=partial(_gap_of_rates, metrics.mean),
        ),
        "equalised_odds": _difference(
            "equalised odds",
            partial(_gap, ("tpr", "fpr"), metrics.worst),
            "largest gap between groups of a true- or false-positive rate, over classes, one "
            "against the rest (Hardt et al. 2016; DEO_M leaves out the false-positive rate)",
        ),
        "equal_opportunity": _difference(
            "equal opportunity",
            _positive_gap,
            "gap of the true-positive rate of class 1 between groups (Hardt et al. 2016); only "
            "for two classes, see `equal_opportunity` for others",
        ),
        "demographic_parity": _difference(
            "demographic parity",
            partial(_gap, ("selection",), metrics.worst),
            "largest gap between groups in how often a class is predicted, over classes",
        ),
        "sufficiency": _difference(
            "sufficiency",
            partial(_gap, ("precision",), metrics.worst),
            "largest gap of precision between groups, over classes (max_Sufficiency in COBRA's "
            "released code)",
        ),
        "flips": _beside(
            "flips",
            flips,
            "share of originals whose predicted class changes with the group alone; on a "
            "counterfactual test",
            whole=True,
        ),
        "amplification": _beside(
            "bias amplification",
            amplification,
            "how much more often classes are predicted for the groups that they go with in the "
            "reference set than they occur there in the test (Wang and Russakovsky 2021)",
            bounds=(-100.0, 100.0),
            whole=True,
        ),
    },
    _adopt,
)
