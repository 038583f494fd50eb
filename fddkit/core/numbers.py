"""Checks of whole numbers."""

from typing import Any

from .errors import FddkitError


def is_whole(value: Any, least: int = 1) -> bool:
    """Return whether a value is an integer (not a bool) of at least ``least``."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def whole(name: str, value: Any, least: int = 1) -> None:
    """Raise an error unless a value is an integer of at least ``least``.

    Parameters
    ----------
    name : str
        The name of the argument.
    value : Any
        Its value.
    least : int
        The smallest value allowed.

    Raises
    ------
    FddkitError
        Naming all three.

    Examples
    --------
    >>> whole("ipc", 10)
    >>> whole("ipc", 0)
    Traceback (most recent call last):
        ...
    fddkit.core.errors.FddkitError: ipc=0 is not a positive integer; give at least 1
    """
    if not is_whole(value, least):
        what = "a positive integer" if least == 1 else f"an integer of at least {least}"
        raise FddkitError(f"{name}={value!r} is not {what}; give at least {least}")
