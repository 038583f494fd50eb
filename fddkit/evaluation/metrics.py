"""The arithmetic of fairness: from counts [repeat, group, true, predicted] to every number.

Only the counts of an evaluation are kept, so anyone can recompute any metric, interval or noise
floor from a report. This module needs only numpy. `docs/methods.md`, "Metrics", has the formulae.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from .student import t_quantile

_UNKNOWN = float("nan")


def count(
    target: np.ndarray, group: np.ndarray, predicted: np.ndarray, n_classes: int, n_groups: int
) -> np.ndarray:
    """Return the confusion matrix of every group.

    Parameters
    ----------
    target, group, predicted : array of int [N]
        True class, group and predicted class of each test image.
    n_classes, n_groups : int
        The numbers C and A.

    Returns
    -------
    int64 [A, C, C]
        Images by group, true and predicted class; the sum is N.

    Examples
    --------
    >>> import numpy as np
    >>> target, group = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> count(target, group, predicted=np.array([0, 1, 1, 1]), n_classes=2, n_groups=2)
    array([[[1, 0],
            [0, 1]],
           [[0, 1],
            [0, 1]]])
    """
    cell = (group.astype(np.int64) * n_classes + target) * n_classes + predicted
    counts = np.bincount(cell, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(np.int64)


def tpr(counts: np.ndarray) -> np.ndarray:
    """Return the true-positive rate TPR(y, a) = P(predicted y | true y, group a).

    The official FairDD code counts a cell without test images as rate 0 (`docs/methods.md`,
    "Metrics"); here the rate is unknown, so it cannot be mistaken for unfairness.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R, A, C]
        Shares in [0, 1]; NaN where a cell (group, class) has no test image.

    Examples
    --------
    Group 1 has no test image of class 1:

    >>> import numpy as np
    >>> counts = np.array([[[[9, 1], [4, 6]], [[3, 1], [0, 0]]]])
    >>> tpr(counts)
    array([[[0.9 , 0.6 ],
            [0.75,  nan]]])
    """
    size = counts.sum(-1)
    return np.diagonal(counts, axis1=-2, axis2=-1) / np.where(size > 0, size, _UNKNOWN)


def deo(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the difference of equalised odds: gaps in true-positive rate between groups.

    DEO_M = max_y (max_a TPR(y,a) - min_a TPR(y,a)), and DEO_A is the mean of the same gap over y
    (FairDD; EOD_M and EOD_A in COBRA). Empty cells are left out, and so are classes in which fewer
    than two groups have test images.

    Parameters
    ----------
    rates : float [..., A, C]
        True-positive rates in [0, 1], NaN where unknown.

    Returns
    -------
    deo_m, deo_a : float64 [...]
        Percent; NaN where no class can be compared.
    per_class : float64 [..., C]
        The gap of each class in percent; NaN where it cannot be compared.

    References
    ----------
    `docs/methods.md`, "Metrics": FairDD prints DEO_A with the formula of DEO_M; its code
    averages over classes, as is done here.

    Examples
    --------
    Two groups, two classes, with gaps of 25 and 50 percent:

    >>> import numpy as np
    >>> deo_m, deo_a, per_class = deo(np.array([[1.0, 0.5], [0.75, 1.0]]))
    >>> print(deo_m, deo_a, per_class)
    50.0 37.5 [25. 50.]
    """
    known = ~np.isnan(rates)
    highest = np.where(known, rates, -np.inf).max(-2)
    lowest = np.where(known, rates, np.inf).min(-2)
    comparable = known.sum(-2) >= 2
    gap = np.where(comparable, 100 * (highest - lowest), _UNKNOWN)
    classes = comparable.sum(-1)
    some = classes > 0
    worst = np.where(some, np.where(comparable, gap, -np.inf).max(-1), _UNKNOWN)
    mean = np.where(comparable, gap, 0).sum(-1) / np.where(some, classes, _UNKNOWN)
    return worst, mean, gap


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of test images that are classified correctly.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R]
        Percent.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[[[9, 1], [4, 6]], [[3, 1], [0, 0]]]]))
    array([75.])
    """
    correct = np.trace(counts, axis1=-2, axis2=-1).sum(-1)
    return 100 * correct / counts.sum((-3, -2, -1))


def noise_floor(counts: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the DEO that an exactly fair model of the same accuracy would show on this test set.

    Each class gets one true-positive rate, pooled over groups and repeats; the number of correct
    answers in a cell of n test images is then binomial. A maximum of noisy gaps is positive, so a
    DEO must be compared with this value, not with 0. On a counterfactual (paired) test the cells
    share their images, which makes the gaps of a fair model smaller; there this floor is an upper
    bound.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class; all repeats on one test set.
    draws : int
        Simulated tests; at 2000 the standard error is about 0.03 percentage points.
    seed : int
        Seed of the simulation.

    Returns
    -------
    deo_m, deo_a : float
        Expected values in percent; NaN where no class can be compared.

    Examples
    --------
    A perfect model has no noise; one that is right in half of 50 images per cell has much:

    >>> import numpy as np
    >>> perfect = np.array([[[[50, 0], [0, 50]], [[50, 0], [0, 50]]]])
    >>> noise_floor(perfect)
    (0.0, 0.0)
    >>> deo_m, deo_a = noise_floor(np.full((1, 2, 2, 2), 25))
    >>> 10 < deo_m < 12, 7 < deo_a < 9
    (True, True)
    """
    size = counts[0].sum(-1)
    total = counts.sum((0, 1, 3))
    correct = np.diagonal(counts.sum((0, 1)))
    rate = correct / np.maximum(total, 1)
    hits = np.random.default_rng(seed).binomial(size, rate, (draws, *size.shape))
    worst, mean, _ = deo(hits / np.where(size > 0, size, _UNKNOWN))
    return float(worst.mean()), float(mean.mean())


@dataclass(frozen=True, eq=False)
class Summary:
    """A number, or an array of numbers, over the repeats of an evaluation; in percent.

    With one repeat the spread is unknown: ``std`` and ``ci95`` are NaN (null in JSON).

    Parameters
    ----------
    values : float64 [R, ...]
        One entry per repeat.
    noise_floor : float
        The value that an exactly fair model would show; NaN if the notion does not apply.
    bounds : (float, float)
        The smallest and the largest possible value; the interval is clipped to them.

    Examples
    --------
    >>> import numpy as np
    >>> Summary(np.array([70.0, 72.0, 74.0]))
    72.0 ± 2.0 (95% interval [67.0, 77.0])
    """

    values: np.ndarray
    noise_floor: float = _UNKNOWN
    bounds: tuple[float, float] = (0.0, 100.0)

    @property
    def mean(self) -> Any:
        """Mean over repeats, float or array [...]."""
        return _scalar(self.values.mean(0))

    @property
    def std(self) -> Any:
        """Standard deviation over repeats (ddof 1), float or array [...]."""
        several = len(self.values) > 1
        spread = self.values.std(0, ddof=1) if several else self.values[0] * _UNKNOWN
        return _scalar(spread)

    @property
    def ci95(self) -> tuple[Any, Any]:
        """Ends of the 95% t-interval of the mean over repeats, within the bounds.

        It shows how much the mean would vary with other seeds of the *networks*; the test images
        and the training set are held fixed.
        """
        n = len(self.values)
        half = t_quantile(n - 1) * self.std / math.sqrt(n) if n > 1 else self.std
        low, high = np.clip([self.mean - half, self.mean + half], *self.bounds)
        return _scalar(low), _scalar(high)

    def to_dict(self) -> dict:
        """Return {"mean", "std", "ci95": [low, high], "noise_floor"}, with None if unknown."""
        keys = ("mean", "std", "ci95", "noise_floor")
        return {key: _jsonable(getattr(self, key)) for key in keys}

    def cells(self) -> tuple[str, str, str, str]:
        """Return mean, std, interval and floor of one number for a table; "-" if unknown."""
        low, high = self.ci95
        interval = "-" if math.isnan(low) else f"[{low:.1f}, {high:.1f}]"
        numbers = ("-" if math.isnan(x) else f"{x:.1f}" for x in (self.mean, self.std))
        floor = "" if math.isnan(self.noise_floor) else f"{self.noise_floor:.1f}"
        return *numbers, interval, floor

    def __repr__(self) -> str:
        """Mean, spread and floor with one decimal."""
        if np.ndim(self.mean):
            return f"Summary of {len(self.values)} repeats of shape {self.values.shape[1:]}"
        mean, std, interval, floor = self.cells()
        floor = f", noise floor {floor}" if floor else ""
        return f"{mean} ± {std} (95% interval {interval}{floor})"


def _scalar(value: np.ndarray) -> Any:
    """Return a 0-d array as a float, anything else unchanged."""
    return float(value) if np.ndim(value) == 0 else value


def _jsonable(value: Any) -> Any:
    """Return floats, tuples and arrays as JSON values, with None for NaN."""
    if isinstance(value, tuple | list | np.ndarray):
        return [_jsonable(item) for item in value]
    return None if math.isnan(value) else float(value)
