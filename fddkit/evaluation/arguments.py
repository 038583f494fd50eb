"""Checks of what comparisons are asked: of which reports, by which metrics, within which margin."""

import math
from collections.abc import Iterable, Mapping, Sequence
from numbers import Real
from typing import Any

from ..core.errors import FddkitError
from ..core.reading import clip
from .measures import METRICS
from .report import FairnessReport
from .soundness import axes_differ
from .summary import Summary


def reports(named: Any) -> Mapping[str, FairnessReport]:
    """Return a mapping of names to reports unchanged, or raise an error for anything else."""
    _check_named(named, FairnessReport, '{"vanilla": report}')
    return named


def conditions(lines: Any) -> Mapping[str, Mapping[object, FairnessReport]]:
    """Return reports by rule and condition unchanged, or raise an error.

    Every rule has a report under at least one condition, and the first rule under all of them.
    """
    if not isinstance(lines, Mapping) or not lines:
        raise FddkitError("give for each rule its reports, such as {'vanilla': {0.9: report}}")
    first, reference = next(iter(lines.items()))
    for rule, line in lines.items():
        found = line.values() if isinstance(line, Mapping) else ()
        if not found or not all(isinstance(one, FairnessReport) for one in found):
            raise FddkitError(
                f"{clip(rule, 40)!r} has no reports; give one under each condition, such as "
                "{0.9: report}"
            )
        if missing := [condition for condition in line if condition not in reference]:
            raise FddkitError(
                f"{clip(rule, 40)!r} has a report at {clip(missing[0], 40)}, and "
                f"{clip(first, 40)!r}, with which it is compared, has none; give both or neither"
            )
    return lines


def numbers(named: Any) -> Mapping[str, Summary]:
    """Return a mapping of names to single numbers unchanged, or raise an error."""
    _check_named(named, Summary, '{"vanilla": report.accuracy}')
    for name, one in named.items():
        number(one, f"what {clip(name, 40)!r} names")
    if not named:
        raise FddkitError("there is nothing to rank; give at least one name and its number")
    return named


def number(value: Any, what: str) -> Summary:
    """Return a summary unchanged, or raise an error unless it is of one number."""
    if not isinstance(value, Summary) or value.values.ndim != 1:
        raise FddkitError(f"{what} must be a Summary of one number, such as report.accuracy")
    return value


def _check_named(named: Any, kind: type, example: str) -> None:
    if not isinstance(named, Mapping):
        raise FddkitError(f"give a dictionary of names, such as {example}, not {clip(named, 60)}")
    for name, one in named.items():
        if not isinstance(name, str) or not isinstance(one, kind):
            raise FddkitError(
                f"{clip(repr(name), 40)}: {clip(type(one).__name__, 40)} does not belong to "
                f"names of a {kind.__name__}; give a dictionary such as {example}"
            )


def two_names(names: Any) -> tuple[str, str]:
    """Return the names of two reports unchanged, or raise an error."""
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if not listed or len(names) != 2 or not all(isinstance(name, str) for name in names):
        raise FddkitError(f"names={clip(names, 60)} must be two names, such as ('dm', 'dc')")
    return tuple(names)


def metrics(names: Any) -> list[str]:
    """Return names of metrics as a list; one name stands for itself.

    Raises
    ------
    FddkitError
        If there are none, or one is unknown.
    """
    listed = [names] if isinstance(names, str) else names
    listed = list(listed) if isinstance(listed, Iterable) else []
    if not listed or not all(isinstance(name, str) for name in listed):
        raise FddkitError(f"metrics={clip(names, 60)} must name metrics, such as ['deo_a']")
    for name in listed:
        METRICS[name]  # raises an error for an unknown one
    return listed


def finite(name: str, value: Any, least: float, most: float) -> float:
    """Return a number from ``least`` to ``most`` unchanged, or raise an error."""
    right = isinstance(value, Real) and not isinstance(value, bool)
    if not right or not least <= value <= most or not math.isfinite(value):
        raise FddkitError(f"{name}={clip(value, 40)} is not a number from {least:g} to {most:g}")
    return value


def margin(value: Any) -> float:
    """Return the margin of a comparison, points from 0 upwards, or raise an error."""
    return finite("margin", value, 0, 1e6)


def pair(a: str, b: str, named: Mapping[str, FairnessReport]) -> None:
    """Raise an error unless two names have reports of the same classes and groups."""
    for name in (a, b):
        if name not in named:
            raise FddkitError(f"there is no report of {clip(name, 40)!r} to compare; give one")
    if why := axes_differ(named[a], named[b]):
        raise FddkitError(
            f"{clip(a, 40)!r} and {clip(b, 40)!r} are of different tests: {why}; give reports on "
            "the same classes and groups"
        )
