"""The metrics of an evaluation: each an entry that carries all its facts."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial

import numpy as np

from ..core.entries import Table
from ..core.errors import FddkitError
from .metrics import accuracy, deo, noise_floor, tpr

#: What a report's file says beside its metrics.
RESERVED = {"format", "format_version", "empty_cells", "networks", "sets", "config", "versions"}
RESERVED |= {"counts", "counterfactual", "sha256"}


@dataclass(frozen=True)
class Metric:
    """A number that follows from what was counted.

    Attributes
    ----------
    title : str
        What figures and tables call it, e.g. ``"DEO_M"``.
    function : callable
        ``function(counts) -> float64 [R]``, from int [R, A, C, C], the test images by repeat,
        group, true and predicted class.
    meaning : str
        What it is, with its source.
    unit : str
        After a number, e.g. ``"%"``.
    higher : bool
        Whether more is better.
    bounds : (float, float)
        Between which it lies.
    null : callable, optional
        ``null(counts) -> float``: what an exactly fair model of the same accuracy would show.
        None: there is no such notion.
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
        """Title and unit, for an axis."""
        return f"{self.title} ({self.unit})" if self.unit else self.title


def _deo(counts: np.ndarray, which: int) -> np.ndarray:
    return deo(tpr(counts))[which]


def _floor(counts: np.ndarray, which: int) -> float:
    return _floors(counts.shape, counts.astype(np.int64).tobytes())[which]


@lru_cache(maxsize=256)
def _floors(shape: tuple[int, ...], counts: bytes) -> tuple[float, float]:
    """Return both noise floors, which come from one simulation."""
    return noise_floor(np.frombuffer(counts, np.int64).reshape(shape))


def _is_metric(entry: object) -> bool:
    return isinstance(entry, Metric)


def _adopt(name: str, metric: Metric) -> Metric:
    """See that a metric that is registered gives a number for each repeat."""
    if name in RESERVED:
        raise FddkitError(f"{name!r} is a part of every report; give the metric another name")
    counts = np.arange(1, 55).reshape(2, 3, 3, 3)
    found = np.asarray(metric.function(counts))
    if found.shape != (2,):
        raise FddkitError(
            f"the metric {name!r} gives shape {list(found.shape)} for 2 repeats; "
            "let it return one number a repeat"
        )
    return metric


#: Name -> metric, in the order in which they are listed.
METRICS: Table[Metric] = Table(
    "metric",
    _is_metric,
    {
        "accuracy": Metric(
            "accuracy", accuracy, "share of test images that are classified right", higher=True
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
