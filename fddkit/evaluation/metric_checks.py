"""Trying out a metric that is being registered, before networks are trained for it."""

from collections.abc import Callable

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip
from .metric import Metric
from .metrics import tpr

#: What a metric is tried on: two repeats, three groups, three classes.
_COUNTS = np.arange(1, 55).reshape(2, 3, 3, 3)
_TEXT, _FLAGS = ("title", "meaning", "unit"), ("higher", "between_groups", "whole", "headline")


def try_out(name: str, metric: Metric) -> None:
    """Raise an error unless a metric is complete and returns one number for each repeat.

    Parameters
    ----------
    name : str
        The name under which it is being registered.
    metric : Metric
        A metric that is ``whole`` is not computed: there is no report yet.

    Raises
    ------
    FddkitError
        That says what is wrong with it.
    """
    for kind, words, fields in ((str, "text", _TEXT), (bool, "True or False", _FLAGS)):
        for field in fields:
            if not isinstance(value := getattr(metric, field), kind):
                raise FddkitError(
                    f"{field}={clip(value, 40)} of the metric {name!r} must be {words}"
                )
    if not metric.title:
        raise FddkitError(f"the metric {name!r} has no title; give one")
    _check_bounds(name, metric.bounds)
    for field in ("function", "of_rates"):
        function = getattr(metric, field)
        if not callable(function) and (field == "function" or function is not None):
            raise FddkitError(f"{field} of the metric {name!r} must be a function")
    if not metric.whole:
        _try(f"the metric {name!r}", metric.function, _COUNTS, (2,), "per repeat")
    if metric.of_rates is not None:
        what, rates = f"of_rates of the metric {name!r}", tpr(_COUNTS)
        _try(what, metric.of_rates, rates, (2,), "for all groups and classes together")
        _try(what, metric.of_rates, np.stack([rates] * 4), (4, 2), "for every leading axis")


def _check_bounds(name: str, bounds: object) -> None:
    try:
        low, high = bounds
        right = bool(low < high) and np.ndim(low + high) == 0
    except (TypeError, ValueError):
        right = False
    if not right or isinstance(low, str):
        raise FddkitError(
            f"bounds={clip(bounds, 40)} of the metric {name!r} must be its smallest and its "
            "largest possible value, such as (0, 100)"
        )


def _try(
    what: str, function: Callable, given: np.ndarray, shape: tuple[int, ...], wanted: str
) -> None:
    """Raise an error unless a function returns numbers of this shape."""
    given = given.copy()
    given.setflags(write=False)
    try:
        found = np.asarray(function(given))
    except (Exception, SystemExit) as error:  # what a user's function may raise is not known
        raise FddkitError(
            f"{what} fails on counts of 2 repeats, 3 groups and 3 classes: "
            f"{clip(f'{type(error).__name__}: {error}', 200)}"
        ) from error
    if found.shape != shape or found.dtype.kind not in "biuf":
        raise FddkitError(
            f"{what} gives {found.dtype} of shape {list(found.shape)} for 2 repeats, not "
            f"{list(shape)}; return one number {wanted}"
        )
