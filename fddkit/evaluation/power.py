"""How many sets it takes to tell a difference, from the spread of pilot runs."""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip
from . import arguments
from .comparisons import PAIRED_FROM, compare, on_one_test
from .measures import METRICS
from .report import FairnessReport
from .t_distribution import ENDLESS, t_quantile

_MOST = 1000  # sets
_DRAWS = 20_000
_LEAST = 1e-6  # of a difference or a probability: nothing smaller can be computed


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
    alone : bool
        Whether the spread is that of networks of one set: sets differ more, and it takes more.
    """

    sets: int | None
    images: float
    difference: float
    power: float
    pilot: str
    metric: str
    alone: bool = False

    def __str__(self) -> str:
        """Return one sentence."""
        title = METRICS[self.metric].title
        what = f"a difference of {self.difference:g} points in {title}"
        least, spread = ("at least ", ", and sets differ more") if self.alone else ("", "")
        if self.sets is None and self.images <= 1:
            return (
                f"It takes more than {_MOST:,} sets of each to tell {what} ({self.pilot}{spread})."
            )
        if self.sets is None:
            return (
                f"No number of sets tells {what} on these test images; it takes "
                f"{self.images:.1f} times as many images (spread from {self.pilot}{spread})."
            )
        return (
            f"To tell {what} with probability {100 * self.power:.0f}% in one comparison, distil "
            f"{least}{self.sets} sets of each (spread from {self.pilot}{spread})."
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

    One comparison by itself, as `fddkit.compare` makes it; a family of several, corrected together,
    takes more. The spread of the pilots is taken as known, although few sets estimate it poorly:
    with three sets it may be off by a factor of two, and the number of sets by four.

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
    To tell a difference of 3 points in accuracy with probability 80% in one comparison, distil at
    least 6 sets of each (spread from 3 networks of one set each, and sets differ more).
    """
    numbers = difference, power, level
    right = all(isinstance(x, Real) for x in numbers) and (
        _LEAST <= difference <= 1 / _LEAST
        and all(_LEAST <= x <= 1 - _LEAST for x in (power, level))
    )
    if not right:
        raise FddkitError(
            f"difference={clip(difference)}, power={clip(power)} and level={clip(level)} do not "
            "make a test; give a positive difference, and probabilities between 0 and 1"
        )
    [metric] = arguments.metrics([metric])
    [pilot] = compare(a, b, [metric])
    found, parts = pilot.difference, pilot.difference.parts
    if not parts.known or not parts.spread > 0:
        raise FddkitError(
            f"these runs show no spread of {METRICS[metric].title}; give at least two sets of each"
        )
    told = pilot.units, metric, pilot.alone
    each = [x.metric(metric).true for x in on_one_test({"a": a, "b": b}).values()]
    one, other = (len(x.values) * x.parts().spread for x in each)  # variances of a set
    variance = len(each[0].values) * parts.spread if found.paired else one + other
    # as `compare` would test: Welch's degrees of freedom, or, from enough seeds on, pairs
    welch = (one + other) ** 2 / (one**2 + other**2)
    seeded = all(x.keys is not None for x in each)
    normal = np.random.default_rng(0).standard_normal(_DRAWS)

    def reached(n: int) -> float:
        df = (n - 1) * (1 if found.paired or (seeded and n >= PAIRED_FROM) else welch)
        own = math.sqrt(variance / n)
        chi = np.sqrt(np.random.default_rng(n).chisquare(df, _DRAWS) / df)
        z = t_quantile(ENDLESS, 1 - level)
        half = np.sqrt((t_quantile(df, 1 - level) * own * chi) ** 2 + z**2 * parts.shared)
        seen = difference + math.sqrt(own**2 + parts.shared) * normal
        return float((np.abs(seen) > half).mean())

    # with endless sets only the noise of the shared test images is left
    limit = t_quantile(ENDLESS, 1 - level) + t_quantile(ENDLESS, max(2 * power - 1, 1e-6))
    images = parts.shared * (limit / difference) ** 2
    low, high = 1, 2
    while high <= _MOST and reached(high) < power:
        low, high = high, 2 * high
    if high > _MOST:
        return Power(None, max(images, 1.0), difference, power, *told)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) >= power else (middle, high)
    return Power(high, 1.0, difference, power, *told)
