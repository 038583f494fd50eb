"""Choosing a preset and overriding some of its values, for distilling and evaluating alike."""

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TypeVar

from .errors import unknown

T = TypeVar("T")


def choose(presets: Mapping[str, T], preset: str, overrides: Mapping[str, object], kind: str) -> T:
    """Return a preset with some of its values replaced.

    Parameters
    ----------
    presets : mapping of str to dataclass
        The available presets.
    preset : str
        Which of them.
    overrides : mapping of str to object
        Fields and their values; ``None`` keeps the preset's value.
    kind : str
        What a field is called in an error.

    Returns
    -------
    dataclass
        An instance of the presets' class, which checks its values.

    Raises
    ------
    FddkitError
        For an unknown preset or field, or a value out of range.
    """
    if preset not in presets:
        raise unknown("preset", preset, presets)
    known = [field.name for field in fields(presets[preset])]
    for name in overrides:
        if name not in known:
            raise unknown(kind, name, known)
    return replace(presets[preset], **{k: v for k, v in overrides.items() if v is not None})
