"""The metrics of an evaluation, each an entry that carries all its facts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ..core.entries import Table
from ..core.errors import FddkitError
from .metrics import accuracy, deo, noise_floor, tpr

#: Names of what a report's file holds besides its metrics.
RESERVED = {"format", "format_version", "empty_cells", "networks", "sets", "config", "versions"}
RESERVED |= {"counts", "counterfactual", "sha256"}


@dataclass(frozen=True)
class Metric:
    """A number that is computed from the counts of an evaluation.

    Attributes
    ----------
    title : str
        Its name in figures and tables, e.g. ``"DEO_M"``.
    function : callable
        ``function(counts) -> float64 [R]``, from int [R, A, C, C], the test images by repeat,
        group, true and predicted class.
    meaning : str
        What it measures, with its source.
    unit : str
        Unit, e.g. ``"%"``.
    higher : bool
        Whether higher is better.
    bounds : (float, float)
        The smallest and the largest possible value.
    null : callable, optional
        ``null(counts) -> float``: the value that an exactly fair model of the same accuracy would
        show. None if the notion does not apply.

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
    >>> metric = fdd.Metric("accuracy gap", accuracy_gap, "between the best and the worst group")
    >>> _ = fdd.register("accuracy-gap", metric)
    >>> counts = np.array([[[[9, 1], [2, 8]], [[6, 4], [3, 7]]]])  # one repeat, two groups
    >>> fdd.FairnessReport(counts, ["convnet"]).metric("accuracy-gap")
    20.0 ± - (95% interval -)
    >>> metric.label
    'accuracy gap (%)'
    """

    title: str
    function: Callable[[np.ndarray], np.ndarray]
    meaning: str = ""
    unit: str = "%"
    higher: bool = False
    bounds: tuple[float, float] = (0.0, 100.0)
    null: Callable[[np.ndarray], float] | None = None

    @property
    def label(self) -> str:
        """Title and unit, as an axis label."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def _deo(counts: np.ndarray, which: int) -> np.ndarray:
    return deo(tpr(counts))[which]


def _floor(counts: np.ndarray, which: int) -> float:
    return _floors(counts.shape, counts.astype(np.int64).tobytes())[which]


@lru_cache(maxsize=256)
def _floors(shape: tuple[int, ...], counts: bytes) -> tuple[float, float]:
    """Return both noise floors, computed in one simulation."""
    return noise_floor(np.frombuffer(counts, np.int64).reshape(shape))


def _is_metric(entry: object) -> bool:
    return isinstance(entry, Metric)


def _adopt(name: str, metric: Metric) -> Metric:
    """Check that a registered metric returns one number for each repeat."""
    if name in RESERVED:
        raise FddkitError(f"{name!r} is a part of every report; give the metric another name")
    counts = np.arange(1, 55).reshape(2, 3, 3, 3)
    found = np.asarray(metric.function(counts))
    if found.shape != (2,):
        raise FddkitError(
            f"the metric {name!r} gives shape {list(found.shape)} for 2 repeats; "
            "return one number per repeat"
        )
    return metric


#: Name -> metric, in the order in which they are listed.
METRICS: Table[Metric] = Table(
    "metric",
    _is_metric,
    {
        "accuracy": Metric(
            "accuracy", accuracy, "share of test images that are classified correctly", higher=True
        ),
        "deo_m": Metric(
            "DEO_M",
            partial(_deo, which=0),
            "largest gap of true-positive rates between groups, over classes (FairDD)",
            null=partial(_floor, which=0),
        ),
        "deo_a": Metric(
            "DEO_A",
            partial(_deo, which=1),
            "gap of true-positive rates between groups, mean over classes (FairDD)",
            null=partial(_floor, which=1),
        ),
    },
    _adopt,
)
