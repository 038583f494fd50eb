"""Intervals that speak of other sets and of other test images: a crossed two-way variance.

Distilled sets (or the networks of one set) and test images are crossed: every network is tested
on the same images. Let m_s be the metric of set s, s^2 the variance of the m_s over S sets, and
C [S, S] the covariance of the m_s when other test images are drawn. The mean of C off its
diagonal, c, is the noise of the images that all sets share; mean diag C - c is a set's own share
of it, which s^2 contains already. Each part of the variance of the mean has its own quantile, and
half the width of the interval is

    sqrt(max(t_{S-1}^2 s^2 / S, z^2 (mean diag C - c) / S) + z^2 max(c, 0)),

exact where one part dominates (the method of variance estimates recovery, Zou and Donner, 2008).
`reports/measured/calibration.py` measures the coverage.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from .t_distribution import ENDLESS, t_quantile

_NORMAL = 1.959963984540054
_UNKNOWN = float("nan")


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number of each unit of repetition, and how other test images would change it.

    Attributes
    ----------
    values : float64 [S]
        Of each unit: a set (mean over its networks), or a network of a single set.
    noise : float64 [B, S], optional
        The same numbers in B draws of other test images of the same kind, minus their mean. None:
        not known, so intervals are over units only.
    doubt : float
        Standard deviation of what may be left of the bias.
    keys : tuple of int, optional
        The seed of each unit, by which two estimates are paired.
    images : str
        Identifies the test images; only estimates on the same ones share their noise.
    other : callable, optional
        ``other() -> noise`` for an estimate from which this is subtracted: the same test images,
        without what would cancel only because few images show no disagreement.
    """

    values: np.ndarray
    noise: np.ndarray | None = None
    doubt: float = 0.0
    keys: tuple[int, ...] | None = None
    images: str = ""
    other: Callable[[], np.ndarray | None] | None = None

    @property
    def mean(self) -> float:
        """Mean over the units."""
        return float(self.values.mean())

    def within(self, bounds: tuple[float, float]) -> float:
        """Return the mean, moved into the bounds that it may have left by a correction."""
        return float(np.clip(self.mean, *bounds))

    def parts(self) -> "Parts":
        """Return the parts of the variance of the mean."""
        n, covariance = len(self.values), self._covariance()
        shared = max(0.0, float(covariance.sum() - covariance.trace()) / max(n * (n - 1), 1))
        own = max(0.0, float(covariance.trace()) / n - shared) / n
        spread = float(self.values.var(ddof=1)) / n if n > 1 else _UNKNOWN
        return Parts(spread, own, shared + self.doubt**2, n - 1.0)

    def interval(self, bounds: tuple[float, float] = (-math.inf, math.inf)) -> tuple[float, float]:
        """Return the ends of the 95% interval of the mean; NaN if it cannot be known.

        Parameters
        ----------
        bounds : (float, float)
            The smallest and the largest possible value, at which the interval ends.
        """
        half = self.parts().half()
        low, high = np.clip([self.mean - half, self.mean + half], *bounds)
        return float(low), float(high)

    def _covariance(self) -> np.ndarray:
        n = len(self.values)
        if self.noise is None:
            return np.zeros((n, n))
        return np.atleast_2d(np.cov(self.noise, rowvar=False))


@dataclass(frozen=True)
class Parts:
    """The parts of the variance of a mean.

    Attributes
    ----------
    spread : float
        Of the units, s^2 / S; NaN with one unit.
    own : float
        What other test images would change in each unit by itself, contained in the spread.
    shared : float
        What they would change in all units alike.
    df : float
        Degrees of freedom of the spread; 0 with one unit.
    """

    spread: float
    own: float
    shared: float
    df: float

    @property
    def known(self) -> bool:
        """Whether there is anything to know an interval from."""
        return self.df > 0 and max(self.spread, self.own) + self.shared > 0

    def half(self, level: float = 0.95) -> float:
        """Return half the width of the interval at a level; NaN if it cannot be known."""
        if not self.known:
            return _UNKNOWN
        z = _NORMAL if level == 0.95 else t_quantile(ENDLESS, level)
        of_units = max(t_quantile(self.df, level) ** 2 * self.spread, z**2 * self.own)
        return math.sqrt(of_units + z**2 * self.shared)

    def p(self, distance: float) -> float:
        """Return the p-value that goes with the intervals: 1 - the level of the one that ends at 0.

        Parameters
        ----------
        distance : float
            Of the mean from 0.
        """
        if not self.known:
            return _UNKNOWN
        low, high = 0.0, 1.0 - 1e-9
        if distance >= self.half(high):
            return 1 - high
        for _ in range(30):
            level = (low + high) / 2
            low, high = (level, high) if self.half(level) < distance else (low, level)
        return 1 - low


@dataclass(frozen=True)
class Difference:
    """The difference of two means.

    Attributes
    ----------
    value : float
        Of a minus b.
    low, high : float
        Ends of its 95% interval; NaN if there is none.
    p : float
        Two-sided p-value of "they are equal"; NaN if it cannot be known.
    parts : Parts
        Of its variance.
    paired : bool
        Whether the units were paired by their seeds.
    """

    value: float
    low: float
    high: float
    p: float
    parts: Parts
    paired: bool


def difference(a: Estimate, b: Estimate, paired: bool = False) -> Difference:
    """Return the difference of two means, with what they share of the test images cancelled.

    Parameters
    ----------
    a, b : Estimate
        If they were tested on the same images, with the same number of draws.
    paired : bool
        Pair the units by their seeds, if both have the same ones (Student's t of the
        differences); otherwise Welch's test over units.

    Returns
    -------
    Difference
    """
    # what is left of two biases is alike, because the methods are: their correlation is about 0.8
    doubt = math.sqrt(a.doubt**2 + b.doubt**2 - 1.6 * a.doubt * b.doubt)
    value = a.mean - b.mean
    together = a.noise is not None and b.noise is not None and a.images == b.images
    subtracted = b.other() if together and b.other is not None else b.noise
    if paired and a.keys is not None and b.keys is not None and set(a.keys) == set(b.keys):
        order = [b.keys.index(key) for key in a.keys]
        noise = a.noise - subtracted[:, order] if together else None
        parts = Estimate(a.values - b.values[order], noise, doubt).parts()
        if not together:
            shared = parts.shared + a.parts().shared + b.parts().shared
            parts = replace(parts, shared=shared)
        return _difference(value, parts, True)
    x, y = a.parts(), b.parts()
    spread, own = x.spread + y.spread, x.own + y.own
    df = 0.0
    if x.df and y.df:
        df = spread**2 / (x.spread**2 / x.df + y.spread**2 / y.df) if spread > 0 else x.df + y.df
    shared = x.shared + y.shared
    if together:
        total = float((a.noise.mean(1) - subtracted.mean(1)).var(ddof=1))
        shared = max(0.0, total - own) + doubt**2
    return _difference(value, Parts(spread, own, shared, df), False)


def _difference(value: float, parts: Parts, paired: bool) -> Difference:
    half = parts.half()
    return Difference(value, value - half, value + half, parts.p(abs(value)), parts, paired)


def t_interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of Student's 95% interval of the mean, without bounds.

    Parameters
    ----------
    values : float64 [S, ...]
        One entry per unit.

    Returns
    -------
    low, high : float64 [...]
        NaN where there is one unit, or all are equal: equal values show no spread, which is not
        the same as having none.
    """
    n, mean = len(values), values.mean(0)
    if n == 1:
        return mean * _UNKNOWN, mean * _UNKNOWN
    spread = values.std(0, ddof=1)
    half = t_quantile(n - 1) * np.where(spread > 0, spread, _UNKNOWN) / math.sqrt(n)
    return mean - half, mean + half
