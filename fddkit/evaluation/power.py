"""How many sets it takes to tell a difference, from the spread of pilot runs."""

import math
from dataclasses import dataclass

import numpy as np

from ..core.errors import FddkitError
from .comparisons import compare
from .measures import METRICS
from .report import FairnessReport
from .t_distribution import t_quantile

_MOST = 1000  # sets
_DRAWS = 20_000
_ENDLESS = 1e6  # degrees of freedom


@dataclass(frozen=True)
class Power:
    """What is needed to tell a difference.

    Attributes
    ----------
    sets : int or None
        Sets of each method; None if no number of sets suffices on these test images.
    images : float
        How many times as many test images are needed at least; 1 if these suffice.
    difference : float
        The difference in question, in points.
    power : float
        The probability of telling it.
    pilot : str
        What the spread was estimated from.
    metric : str
        What is compared.
    """

    sets: int | None
    images: float
    difference: float
    power: float
    pilot: str
    metric: str

    def __str__(self) -> str:
        """Return one sentence."""
        title = METRICS[self.metric].title
        what = f"a difference of {self.difference:g} points in {title}"
        if self.sets is None and self.images <= 1:
            return f"It takes more than {_MOST:,} sets of each to tell {what} ({self.pilot})."
        if self.sets is None:
            return (
                f"No number of sets tells {what} on these test images; it takes "
                f"{self.images:.1f} times as many images (spread from {self.pilot})."
            )
        return (
            f"To tell {what} with probability {100 * self.power:.0f}%, distil {self.sets} sets "
            f"of each (spread from {self.pilot})."
        )


def power(
    a: FairnessReport,
    b: FairnessReport,
    metric: str = "deo_a",
    difference: float = 5.0,
    power: float = 0.8,
    level: float = 0.05,
) -> Power:
    """Return how many sets are needed to tell a difference, from pilot runs.

    The spread of the pilots is taken as known, although few sets estimate it poorly: with three
    sets it may be off by a factor of two, and the number of sets by four.

    Parameters
    ----------
    a, b : FairnessReport
        Pilot runs of both methods, pooled over at least two sets each.
    metric : str
        What to compare.
    difference : float
        The true difference that should be found, in points.
    power : float
        The probability of finding it, in (0, 1).
    level : float
        Of the two-sided test.

    Returns
    -------
    Power

    Raises
    ------
    FddkitError
        If the pilots show no spread, or a number is out of range.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def pilot(*correct):
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> print(fdd.power(pilot(50, 56, 53), pilot(59, 54, 61), "accuracy", difference=3))
    To tell a difference of 3 points in accuracy with probability 80%, distil 6 sets of each (spread
    from 3 networks of one set each).
    """
    if not (difference > 0 and 0 < power < 1 and 0 < level < 1):
        raise FddkitError(
            f"difference={difference}, power={power} and level={level} do not make a test; give a "
            "positive difference, and probabilities between 0 and 1"
        )
    [pilot] = compare(a, b, [metric])
    found, parts = pilot.difference, pilot.difference.parts
    if not parts.known or not parts.spread > 0:
        raise FddkitError(
            f"these runs show no spread of {METRICS[metric].title}; give at least two sets of each"
        )
    pilots = min(x.shown.metric(metric).n for x in (a, b))
    normal = np.random.default_rng(0).standard_normal(_DRAWS)

    def reached(n: int) -> float:
        df = n - 1 if found.paired else 2 * (n - 1)
        own = math.sqrt(parts.spread * pilots / n)
        chi = np.sqrt(np.random.default_rng(n).chisquare(df, _DRAWS) / df)
        z = t_quantile(_ENDLESS, 1 - level)
        half = np.sqrt((t_quantile(df, 1 - level) * own * chi) ** 2 + z**2 * parts.shared)
        seen = difference + math.sqrt(own**2 + parts.shared) * normal
        return float((np.abs(seen) > half).mean())

    # with endless sets only the noise of the shared test images is left
    limit = t_quantile(_ENDLESS, 1 - level) + t_quantile(_ENDLESS, max(2 * power - 1, 1e-6))
    images = parts.shared * (limit / difference) ** 2
    low, high = 1, 2
    while high <= _MOST and reached(high) < power:
        low, high = high, 2 * high
    if high > _MOST:
        return Power(None, max(images, 1.0), difference, power, pilot.units, metric)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return Power(high, 1.0, difference, power, pilot.units, metric)
