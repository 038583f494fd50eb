"""The options of `fddkit.load`: their names and types, checked and ready for JSON."""

from collections.abc import Callable, Mapping, Sequence
from inspect import Parameter, signature
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..core.errors import FddkitError, unknown
from ..painting import bias

if TYPE_CHECKING:
    from .catalogue import DatasetInfo


def _open(function: Callable[..., Tensor], prefix: str) -> dict[str, Any]:
    """Return the options that the papers leave open in a function of `bias`, with defaults."""
    defaults = {name: p.default for name, p in signature(function).parameters.items()}
    return {prefix + name: x for name, x in defaults.items() if x not in (Parameter.empty, None)}


GAP_OPTIONS = _open(bias.gap, "gap_")
OFFSET_OPTIONS = _open(bias.semantic_offset, "offset_")
_KINDS = {bool: bool, int: Integral, float: Real, tuple: (tuple, list), str: str}


def check_number(name: str, value: object, kind: type) -> None:
    """Raise unless the value is a finite number of that kind (``Real`` or ``Integral``)."""
    right = isinstance(value, kind) and not isinstance(value, bool)
    if not right or (kind is Real and not isfinite(value)):
        what = "whole number" if kind is Integral else "number"
        raise FddkitError(f"{name}={value!r} is not a {what}; give one")


def resolve(
    options: Mapping[str, Any], entry: "DatasetInfo", gap: int | None, offset: float
) -> dict[str, Any]:
    """Return every applicable option, given or default, ready for JSON."""
    known = dict(entry.options)
    if gap is not None:
        known |= GAP_OPTIONS
    if offset:
        known |= OFFSET_OPTIONS
    for name, value in options.items():
        if name not in known:
            if not known:
                raise FddkitError(f"{name!r} is not an option of {entry.name}, which has none")
            raise unknown(f"option of {entry.name} as it is loaded here", name, known)
        kind = type(known[name])
        if not isinstance(value, _KINDS[kind]) or isinstance(value, bool) is not (kind is bool):
            raise FddkitError(
                f"{name}={value!r} has the wrong type; give a value like {known[name]}"
            )
        known[name] = numbers(name, value, int) if kind is tuple else kind(value)
        if known[name] not in entry.choices.get(name, [known[name]]):
            allowed = ", ".join(map(str, entry.choices[name]))
            raise FddkitError(f"{name}={value!r} is not possible; give one of {allowed}")
    return {name: list(x) if isinstance(x, tuple) else x for name, x in known.items()}


#: Named proportions of the minorities: their sizes in ascending order of group number.
PROPORTIONS = {"unbalanced": lambda groups: [float(i) for i in range(1, groups)]}


def minorities(proportions: str | Sequence[float] | None, groups: int) -> list[float] | None:
    """Return the relative sizes of the minorities, which are given or named, for JSON."""
    if isinstance(proportions, str):
        if proportions not in PROPORTIONS:
            raise unknown("name of proportions", proportions, PROPORTIONS)
        return PROPORTIONS[proportions](groups)
    return None if proportions is None else numbers("proportions", proportions, float)


def numbers(name: str, values: Any, kind: type) -> list:
    """Return the values as a list of numbers of that kind, ready for JSON."""
    try:
        return [kind(value) for value in values]
    except (TypeError, ValueError) as error:
        raise FddkitError(f"{name}={values!r} is not a list of numbers; give one") from error
