"""What is said of a number that was read from a file, which may be older, or hold no number."""

from typing import Any

from .multiple_tests import LEVEL
from .summary import units


def over(value: Any) -> str:
    """Return what the interval of a number is over.

    Parameters
    ----------
    value : Any
        A number as `fddkit.evaluation.summary.Summary.to_dict` gives it.

    Returns
    -------
    str
        E.g. ``"3 sets"``; empty where unknown.

    Examples
    --------
    >>> over({"mean": 12.0, "unit": "sets", "n": 3})
    '3 sets'
    """
    n, unit = (value.get(key) if isinstance(value, dict) else None for key in ("n", "unit"))
    return units(n, unit) if isinstance(n, int) and isinstance(unit, str) else ""


def only_chance(value: Any) -> bool:
    """Return whether a gap between groups is not more than chance shows.

    Parameters
    ----------
    value : Any
        A number as `fddkit.evaluation.summary.Summary.to_dict` gives it.

    Returns
    -------
    bool
        True where a fair model would show no less in at least one test of twenty (p >= 0.05).
        False also where p is not known: older runs kept only the mean of a fair model, computed
        too high for counterfactual tests, and no test can be made of that.
    """
    p = value.get("p") if isinstance(value, dict) else None
    return isinstance(p, int | float) and p >= LEVEL
