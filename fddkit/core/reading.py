"""All reading goes through here: regular files of bounded size, JSON of bounded depth."""

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from .errors import Damaged, FddkitError

LARGEST = 8 * 2**30  # bytes of a file: far more than any set, trajectory or report needs
LARGEST_JSON = 32 * 2**20  # Python needs up to thirty times as much memory
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # a name that stays in its folder
DEEPEST = 60  # levels of JSON; ours have about ten


def read_bytes(path: str | os.PathLike, largest: int = LARGEST, first: int | None = None) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : path-like
        The file, or a link to one; not a device or pipe.
    largest : int
        Size limit in bytes; a larger file is refused before it is read.
    first : int, optional
        Read at most this many bytes.

    Returns
    -------
    bytes

    Raises
    ------
    FddkitError
        If it is missing, unreadable, too large or not a regular file.
    """
    try:
        # non-blocking: opening a pipe would wait for a writer
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in it
        raise FddkitError(
            f"{str(path)!r} is not a valid file name ({error}); give another"
        ) from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        raise FddkitError(f"cannot read {path}: it is {what}; give a file")
    with open(handle, "rb") as file:
        if first is None and status.st_size > largest:
            raise FddkitError(
                f"{path} has {status.st_size:,} bytes, and no such file has more than "
                f"{largest:,}; give another file"
            )
        try:
            return file.read(status.st_size if first is None else first)
        except OSError as error:
            raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
        except MemoryError as error:
            raise FddkitError(
                f"cannot read {path}: not enough memory for its {status.st_size:,} bytes; "
                "free some, or give another file"
            ) from error


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Any
        Its content, see `parse_json`.

    Raises
    ------
    FddkitError
        If the file is missing, unreadable or not such JSON, see `parse_json`.
    """
    return parse_json(read_bytes(path, LARGEST_JSON), path)


def parse_json(data: bytes | str, path: str | os.PathLike) -> Any:
    """Return the value of a JSON text, if it is safe for every reader.

    Parameters
    ----------
    data : bytes or str
        The JSON; bytes are UTF-8.
    path : path-like
        Where it came from, for the error.

    Returns
    -------
    Any
        At most `DEEPEST` levels; every number finite, every text printable as Unicode.

    Raises
    ------
    FddkitError
        If it is anything else.
    """
    try:
        if len(data) > LARGEST_JSON:
            raise ValueError(f"it has {len(data):,} bytes")
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        value = json.loads(text, parse_constant=_no_number)
        _walk(value)
    except (ValueError, RecursionError, MemoryError) as error:
        reasons = {RecursionError: "it is nested too deeply", MemoryError: "it is too large"}
        reason = reasons.get(type(error), error)
        raise Damaged(f"{path} is not valid JSON ({clip(reason)})", "write it again") from error
    return value


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def _walk(value: Any) -> None:
    """Raise an error, without recursion, for a value too deep or too large to be used safely."""
    level = [value]
    for _ in range(DEEPEST):
        if not level:
            return
        deeper: list[Any] = []
        for item in level:
            if isinstance(item, str):
                item.encode()  # half a surrogate pair cannot be printed
            elif isinstance(item, int | float):
                if not abs(item) <= sys.float_info.max:  # later arithmetic is in floats
                    raise ValueError("a number is too large")
            elif isinstance(item, dict):
                deeper += [*item, *item.values()]
            elif isinstance(item, list):
                deeper += item
        level = deeper
    raise RecursionError


def clip(value: object, length: int = 100) -> str:
    r"""Return a text from a file as messages show it: short, and printable characters only.

    Parameters
    ----------
    value : object
        Anything; its ``str`` is shown.
    length : int
        The largest number of characters.

    Returns
    -------
    str

    Examples
    --------
    >>> clip("a very long\x1btext", 10)
    'a very ...'
    """
    text = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * length])
    return text if len(text) <= length else text[: length - 3] + "..."


# --- the shape of a JSON value ------------------------------------------------------------------


def conform(value: Any, shape: Any, where: str = "it") -> None:
    """Raise an error unless a JSON value has the shape that its reader relies on.

    Parameters
    ----------
    value : Any
        What `parse_json` returned.
    shape : Any
        A type or None, where ``float`` means any number and ``int`` a whole one. A tuple: one of
        several shapes. ``[shape]``: a list of values of that shape. A dict: each key exists (one
        that ends in ``?`` may be missing) with a value of that shape; other keys are allowed.
        ``{str: shape}``: every value has that shape.
    where : str
        What the value is called in the error.

    Raises
    ------
    ValueError
        Says which part is wrong.

    Examples
    --------
    >>> shape = {"mean": [float], "lr?": (float, None)}
    >>> conform({"mean": [0.5, 1]}, shape)
    >>> conform({"mean": [0.5, "1"]}, shape)
    Traceback (most recent call last):
        ...
    ValueError: it.mean[1] is text, not a number
    """
    if isinstance(shape, tuple):
        for option in shape:
            with suppress(ValueError):
                return conform(value, option, where)
        names = " or ".join(_NAMES.get(_base(option), "something else") for option in shape)
        raise ValueError(f"{where} is {_kind(value)}, not {names}")
    if not _is(value, _base(shape)):
        raise ValueError(f"{where} is {_kind(value)}, not {_NAMES[_base(shape)]}")
    if isinstance(shape, list):
        for i, item in enumerate(value):
            conform(item, shape[0], f"{where}[{i}]")
    elif isinstance(shape, Mapping):
        for key, inner in shape.items():
            _entries(value, key, inner, where)
    return None


def _entries(value: dict, key: Any, shape: Any, where: str) -> None:
    """Check a dictionary's value for one key, or all its values if the key is ``str``."""
    if key is str:
        for name, item in value.items():
            conform(item, shape, f"{where}.{clip(name, 40)}")
    elif key.removesuffix("?") in value:
        name = key.removesuffix("?")
        conform(value[name], shape, f"{where}.{name}")
    elif not key.endswith("?"):
        raise ValueError(f"{where} has no {key}")


def _base(shape: Any) -> Any:
    """Return the type that a value of a shape has."""
    return list if isinstance(shape, list) else dict if isinstance(shape, Mapping) else shape


_NAMES = {
    None: "nothing",
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    dict: "a dictionary",
    list: "a list",
}


def _is(value: Any, kind: Any) -> bool:
    if kind is None:
        return value is None
    if kind in (int, float):  # True is an int in Python, but not a number in JSON
        number = isinstance(value, int if kind is int else int | float)
        return number and not isinstance(value, bool)
    return isinstance(value, kind)


def _kind(value: Any) -> str:
    return _NAMES.get(None if value is None else type(value), type(value).__name__)


def is_file(path: str | os.PathLike) -> bool:
    """Return whether a regular file exists; False for a name that is invalid or too long."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
