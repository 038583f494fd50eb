"""Whether a number that was given can be what it is for."""

from typing import Any

from .errors import FddkitError


def is_whole(value: Any, least: int = 1) -> bool:
    """Return whether a value is an integer (True is none) of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def whole(name: str, value: Any, least: int = 1) -> None:
    """Refuse what is no integer of at least ``least``.

    Parameters
    ----------
    name : str
        What it was given for.
    value : Any
        What was given.
    least : int
        The smallest that will do.

    Raises
    ------
    FddkitError
        Naming all three.
    """
    if not is_whole(value, least):
        what = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise FddkitError(f"{name}={value!r} is not {what}; give at least {least}")
