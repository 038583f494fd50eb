"""Statements about numbers: whether one differs from zero, and which of several is larger."""

import math
from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from ..core.errors import FddkitError
from . import arguments
from .comparisons import ALONE
from .intervals import Estimate, difference
from .multiple_tests import LEVEL, holm
from .summary import Summary

#: Level of an effect's test. Three values that rounding makes nearly equal look certain; at this
#: nominal level about 5% of effects that are none are called real (calibration.py).
_FEW = 0.03
_ROUNDING = 1e-9
_NETWORKS = "networks"  # the unit of a report on one set


def ranking(named: Mapping[str, Summary], what: str) -> str:
    """Rank numbers by size, and mark neighbours that cannot be told apart.

    Parameters
    ----------
    named : mapping of str to Summary
        Names and numbers.
    what : str
        What the numbers are, in words.

    Returns
    -------
    str
        One line from the largest to the smallest, gaps without the noise of the test images: ``>``
        between neighbours that differ by Welch's test over their units (5%, corrected for the
        number of neighbours), ``~`` between others, and between gaps that are mostly noise. If the
        units are networks, it is said of these sets alone.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.summary import Summary
    >>> values = {"dm": [60.0, 61.0, 62.0], "dc": [60.0, 62.0, 64.0], "idc": [80.0, 81.0, 82.0]}
    >>> fdd.ranking({name: Summary(np.array(v), unit="sets") for name, v in values.items()}, "TA")
    'TA: idc 81.0 [78.5, 83.5] > dc 62.0 [57.0, 67.0] ~ dm 61.0 [58.5, 63.5]'
    """
    estimates = {
        name: one.true or Estimate(one.values) for name, one in arguments.numbers(named).items()
    }
    order = sorted(named, key=lambda name: (math.isnan(x := estimates[name].mean), -x))
    p = [
        math.nan
        if named[a].mostly_noise and named[b].mostly_noise
        else difference(estimates[a], estimates[b]).p
        for a, b in pairwise(order)
    ]
    alone = f", {ALONE}" if any(one.unit == _NETWORKS for one in named.values()) else ""
    shown = [f"{name} {_number(estimates[name], named[name].bounds)}" for name in order]
    marks = [">" if adjusted < LEVEL else "~" for adjusted in holm(np.array(p))]
    line = " ".join(f"{mark} {one}" for mark, one in zip(marks, shown[1:], strict=True))
    return f"{what}{alone}: {shown[0]} {line}".rstrip()


def from_zero(effect: Summary, what: str) -> str:
    """Say whether an effect differs from zero.

    Parameters
    ----------
    effect : Summary
        A difference over the repeats, with bounds that allow negative values.
    what : str
        What the difference is, in words.

    Returns
    -------
    str
        One sentence, by Student's t test at 3% and with the 97% interval: of few and coarse values
        a t test at 5% rejects too often. It knows only these numbers: in cells of few images, what
        noise adds to a gap differs with the accuracy, and that is an effect too.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.summary import Summary
    >>> effect = Summary(np.array([-9.0, -10.0, -11.0]), bounds=(-100.0, 100.0))
    >>> fdd.from_zero(effect, "the effect of cobra")
    'the effect of cobra is -10.0 [-13.3, -6.7] points (3 networks, of these sets alone).'
    """
    arguments.number(effect, "an effect")
    low, high = effect.bounds
    if not low - _ROUNDING <= effect.mean <= high + _ROUNDING and not math.isnan(effect.mean):
        raise FddkitError(
            f"the mean {effect.mean:.1f} is not within the bounds {effect.bounds}; give an effect "
            "bounds that allow negative values, such as (-100, 100)"
        )
    estimate = effect.measured() or Estimate(effect.values)
    parts, interval = estimate.parts(), ""
    if parts.known:
        half = parts.half(1 - _FEW)
        low, high = np.clip([effect.mean - half, effect.mean + half], *effect.bounds)
        interval = f" [{low:.1f}, {high:.1f}]"
    word = "is" if parts.p(abs(estimate.mean)) < _FEW else "cannot be told from 0:"
    alone = f", {ALONE}" if effect.unit == _NETWORKS else ""
    return f"{what} {word} {effect.mean:.1f}{interval} points ({effect.over}{alone})."


def _number(estimate: Estimate, bounds: tuple[float, float]) -> str:
    if math.isnan(estimate.mean):
        return "unknown"
    low, high = estimate.interval(bounds)
    interval = "" if low != low else f" [{low:.1f}, {high:.1f}]"
    return f"{estimate.within(bounds):.1f}{interval}"
