"""Statements about numbers: whether one differs from zero, and which of several is larger."""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from .comparisons import LEVEL, holm
from .intervals import Estimate, difference
from .summary import Summary

#: Level of an effect's test. Three values that rounding makes nearly equal look certain; at this
#: nominal level about 5% of effects that are none are called real (calibration.py).
_FEW = 0.03


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
        One line from the largest to the smallest: ``>`` between neighbours that differ by Welch's
        test over their units (5%, corrected for the number of neighbours), ``~`` between others.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.summary import Summary
    >>> values = {"dm": [60.0, 61.0, 62.0], "dc": [60.0, 62.0, 64.0], "idc": [80.0, 81.0, 82.0]}
    >>> fdd.ranking({name: Summary(np.array(v)) for name, v in values.items()}, "accuracy")
    'accuracy: idc 81.0 [78.5, 83.5] > dc 62.0 [57.0, 67.0] ~ dm 61.0 [58.5, 63.5]'
    """
    order = sorted(named, key=lambda name: -named[name].mean)
    estimates = {name: Estimate(named[name].values) for name in order}
    p = [difference(estimates[a], estimates[b]).p for a, b in pairwise(order)]
    parts = [f"{what}: {order[0]} {_number(named[order[0]])}"]
    for smaller, adjusted in zip(order[1:], holm(np.array(p)), strict=True):
        parts.append(f"{'>' if adjusted < LEVEL else '~'} {smaller} {_number(named[smaller])}")
    return " ".join(parts)


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
        a t test at 5% rejects too often.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.summary import Summary
    >>> effect = Summary(np.array([-9.0, -10.0, -11.0]), bounds=(-100.0, 100.0))
    >>> fdd.from_zero(effect, "the effect of cobra")
    'the effect of cobra is -10.0 [-13.3, -6.7] points (3 networks).'
    """
    estimate = effect.measured() or Estimate(effect.values)
    parts, interval = estimate.parts(), ""
    if parts.known:
        half = parts.half(1 - _FEW)
        low, high = np.clip([effect.mean - half, effect.mean + half], *effect.bounds)
        interval = f" [{low:.1f}, {high:.1f}]"
    word = "is" if parts.p(abs(estimate.mean)) < _FEW else "cannot be told from 0:"
    return f"{what} {word} {effect.mean:.1f}{interval} points ({effect.over})."


def _number(summary: Summary) -> str:
    low, high = summary.ci95
    interval = "" if low != low else f" [{low:.1f}, {high:.1f}]"
    return f"{summary.mean:.1f}{interval}"
