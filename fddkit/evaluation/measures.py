"""The metrics of an evaluation, each an entry that carries all its facts."""

from collections.abc import Callable
from functools import partial

import numpy as np

from ..core.entries import Table
from ..core.errors import FddkitError
from . import metrics
from .amplification import amplification, flips
from .metric import Metric
from .metric_checks import try_out

#: Names of what a report's file holds besides its metrics.
RESERVED = {"format", "format_version", "empty_cells", "networks", "sets", "config", "versions"}
RESERVED |= {"counts", "outcomes", "counterfactual", "sha256"}


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

    meaning = f"gap of the true-positive rate of class {name or positive} between groups"
    return _gap_of_rates(f"EO of {name or positive}", of_rates, meaning, headline=False)


def _gap_of_rates(
    title: str, of_rates: Callable[[np.ndarray], np.ndarray], meaning: str, headline: bool = True
) -> Metric:
    """Return the metric that is a function of the true-positive rates."""

    def gap(counts: np.ndarray) -> np.ndarray:
        return of_rates(metrics.tpr(counts))

    return Metric(title, gap, meaning, between_groups=True, of_rates=of_rates, headline=headline)


def _accuracy_of(
    by: Callable[[np.ndarray], np.ndarray],
    pick: Callable[[np.ndarray], np.ndarray],
    counts: np.ndarray,
) -> np.ndarray:
    return pick(by(counts))


def _deo_m(rates: np.ndarray) -> np.ndarray:
    return metrics.deo(rates)[0]


def _deo_a(rates: np.ndarray) -> np.ndarray:
    return metrics.deo(rates)[1]


def _largest_gap(names: tuple[str, ...], counts: np.ndarray) -> np.ndarray:
    found = metrics.rates(counts)
    return metrics.worst(np.concatenate([metrics.gaps(found[name]) for name in names], -1))


def _positive_gap(counts: np.ndarray) -> np.ndarray:
    if counts.shape[-1] != 2:
        return np.full(len(counts), np.nan)
    return metrics.gaps(metrics.tpr(counts))[..., 1]


def _is_metric(entry: object) -> bool:
    return isinstance(entry, Metric)


def _adopt(name: str, metric: Metric) -> Metric:
    """Check a metric that is being registered."""
    if name in RESERVED:
        raise FddkitError(f"{name!r} is a part of every report; give the metric another name")
    try_out(name, metric)
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
        "deo_m": _gap_of_rates(
            "DEO_M",
            _deo_m,
            "largest gap of true-positive rates between groups, over classes (FairDD)",
        ),
        "deo_a": _gap_of_rates(
            "DEO_A",
            _deo_a,
            "gap of true-positive rates between groups, mean over classes (FairDD)",
        ),
        "equalised_odds": _difference(
            "equalised odds",
            partial(_largest_gap, ("tpr", "fpr")),
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
            partial(_largest_gap, ("selection",)),
            "largest gap between groups in how often a class is predicted, over classes",
        ),
        "sufficiency": _difference(
            "sufficiency",
            partial(_largest_gap, ("precision",)),
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
