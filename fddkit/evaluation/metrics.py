"""The arithmetic of fairness: from counts [repeat, group, true, predicted] to every number.

Nothing else is kept of an evaluation, so any metric, interval or noise floor can be computed
again, by anyone, from a report's counts. Needs numpy alone.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

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
        C and A.

    Returns
    -------
    int64 [A, C, C]
        Images by group, true and predicted class; its sum is N.
    """
    cell = (group.astype(np.int64) * n_classes + target) * n_classes + predicted
    counts = np.bincount(cell, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(np.int64)


def tpr(counts: np.ndarray) -> np.ndarray:
    """Return the true-positive rate TPR(y, a) = P(predicted y | true y, group a).

    The official FairDD code counts a cell without test images as rate 0 (`docs/methods.md`,
    "Metrics"); here it is unknown, so that it cannot pass for unfairness.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R, A, C]
        Shares in [0, 1]; NaN where a cell (group, class) has no test image.
    """
    size = counts.sum(-1)
    return np.diagonal(counts, axis1=-2, axis2=-1) / np.where(size > 0, size, _UNKNOWN)


def deo(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the difference of equalised odds: gaps of true-positive rates between groups.

    DEO_M = max_y (max_a TPR(y,a) - min_a TPR(y,a)) and DEO_A is the mean over y of the same gap
    (FairDD; EOD_M and EOD_A in COBRA). Empty cells are left out, and so is a class in which fewer
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
    """Return the share of test images that are classified right.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R]
        Percent.
    """
    correct = np.trace(counts, axis1=-2, axis2=-1).sum(-1)
    return 100 * correct / counts.sum((-3, -2, -1))


def noise_floor(counts: np.ndarray, draws: int = 2000, seed: int = 0) -> tuple[float, float]:
    """Return the DEO that an exactly fair model of the same accuracy would show on this test set.

    Each class gets one true-positive rate, pooled over groups and repeats; the right answers in
    a cell of n test images are then binomial. A maximum of noisy gaps is positive, so this is
    what to hold a DEO against, not 0. On a counterfactual (paired) test the cells share their
    images, which makes the gaps of a fair model smaller: there this floor is an upper bound.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class; all repeats on one test set.
    draws : int
        Simulated tests; the standard error is about 0.03 percent points at 2000.
    seed : int
        Of the simulation.

    Returns
    -------
    deo_m, deo_a : float
        Expected values in percent; NaN where no class can be compared.
    """
    size = counts[0].sum(-1)
    total = counts.sum((0, 1, 3))
    correct = np.diagonal(counts.sum((0, 1)))
    rate = correct / np.maximum(total, 1)
    hits = np.random.default_rng(seed).binomial(size, rate, (draws, *size.shape))
    worst, mean, _ = deo(hits / np.where(size > 0, size, _UNKNOWN))
    return float(worst.mean()), float(mean.mean())


def t_quantile(df: int, level: float = 0.95) -> float:
    """Return the t for which Student's t with ``df`` degrees lies in [-t, t] with P = ``level``.

    For whole degrees of freedom the distribution is a finite sum in theta = atan(t / sqrt(df))
    (Abramowitz and Stegun 26.7.3 and 26.7.4), which is inverted by bisection.

    Parameters
    ----------
    df : int
        Degrees of freedom, at least 1.
    level : float
        Probability inside the interval, in (0, 1).

    Returns
    -------
    float
    """
    odd = df % 2

    def inside(theta: float) -> float:
        cos, term = math.cos(theta), 1.0
        total = 0.0 if df == 1 else 1.0
        for k in range(2 + odd, df, 2):  # coefficients 1/2, 3/8.. (even) or 2/3, 8/15.. (odd)
            term *= (k - 1) / k * cos**2
            total += term
        if odd:
            return 2 / math.pi * (theta + math.sin(theta) * cos * total)
        return math.sin(theta) * total

    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < level else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)


@dataclass(frozen=True, eq=False)
class Summary:
    """One number, or one array of numbers, over the repeats of an evaluation; in percent.

    With one repeat the spread is unknown: ``std`` and ``ci95`` are NaN (null in JSON).

    Parameters
    ----------
    values : float64 [R, ...]
        One entry a repeat.
    noise_floor : float
        What an exactly fair model would show; NaN where the notion does not apply.
    bounds : (float, float)
        Between which the number lies, and its interval with it.
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

        It tells how far other seeds of the *networks* would move the mean; the test images and
        the training set are held fixed.
        """
        n = len(self.values)
        half = t_quantile(n - 1) * self.std / math.sqrt(n) if n > 1 else self.std
        low, high = np.clip([self.mean - half, self.mean + half], *self.bounds)
        return _scalar(low), _scalar(high)

    def to_dict(self) -> dict:
        """Return {"mean", "std", "ci95": [low, high], "noise_floor"}, None where unknown."""
        keys = ("mean", "std", "ci95", "noise_floor")
        return {key: _jsonable(getattr(self, key)) for key in keys}

    def cells(self) -> tuple[str, str, str, str]:
        """Return mean, std, interval and floor of one number for a table; "-" where unknown."""
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
    """Return a 0-d array as a float, anything else as it is."""
    return float(value) if np.ndim(value) == 0 else value


def _jsonable(value: Any) -> Any:
    """Return floats, tuples and arrays as JSON values, with None for NaN."""
    if isinstance(value, tuple | list | np.ndarray):
        return [_jsonable(item) for item in value]
    return None if math.isnan(value) else float(value)
