"""The one gate for reading: plain files of a bounded size, JSON of a bounded shape."""

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

LARGEST = 8 * 2**30  # bytes of a file: more than any set, trajectory or report comes near
LARGEST_JSON = 32 * 2**20  # in Python it takes up to thirty times as much
FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")  # one that stays in its folder
DEEPEST = 60  # levels of JSON; ours has about ten


def read_bytes(path: str | os.PathLike, largest: int = LARGEST, first: int | None = None) -> bytes:
    """Return what a plain file holds.

    Parameters
    ----------
    path : path-like
        The file; a link to one will do, a device or pipe will not.
    largest : int
        Bytes; a larger file is refused before it is read.
    first : int, optional
        Read no more than so many bytes of it.

    Returns
    -------
    bytes

    Raises
    ------
    FddkitError
        If it is missing, unreadable, too large or no plain file.
    """
    try:
        # without waiting: opening a pipe would, for somebody to write to it
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    except OSError as error:
        raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in it
        raise FddkitError(f"{str(path)!r} is no file name ({error}); give another") from error
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        os.close(handle)
        what = "a folder" if stat.S_ISDIR(found.st_mode) else "no plain file"
        raise FddkitError(f"cannot read {path}: it is {what}; give a file")
    with open(handle, "rb") as file:
        if first is None and found.st_size > largest:
            raise FddkitError(
                f"{path} has {found.st_size:,} bytes, and no such file has more than "
                f"{largest:,}; give another file"
            )
        try:
            return file.read(found.st_size if first is None else first)
        except OSError as error:
            raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
        except MemoryError as error:
            raise FddkitError(
                f"cannot read {path}: there is no memory for its {found.st_size:,} bytes; "
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
        What it holds, see `parse_json`.

    Raises
    ------
    FddkitError
        If the file is missing, unreadable or not such JSON.
    """
    return parse_json(read_bytes(path, LARGEST_JSON), path)


def parse_json(data: bytes | str, path: str | os.PathLike) -> Any:
    """Return what JSON says, if any reader may take it up.

    Parameters
    ----------
    data : bytes or str
        The JSON; bytes are UTF-8.
    path : path-like
        Where it is from, for the error.

    Returns
    -------
    Any
        At most `DEEPEST` levels; every number finite, every text printable as Unicode.

    Raises
    ------
    FddkitError
        If it is something else.
    """
    try:
        if len(data) > LARGEST_JSON:
            raise ValueError(f"it has {len(data):,} bytes")
        text = data.decode("utf-8") if isinstance(data, bytes) else data
        found = json.loads(text, parse_constant=_no_number)
        _walk(found)
    except (ValueError, RecursionError, MemoryError) as error:
        reasons = {RecursionError: "it is nested too deeply", MemoryError: "it is too large"}
        reason = reasons.get(type(error), error)
        raise Damaged(f"{path} is not valid JSON ({clip(reason)})", "write it anew") from error
    return found


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")


def _walk(value: Any) -> None:
    """Refuse, without recursion, what is too deep or would trouble whoever uses it."""
    level = [value]
    for _ in range(DEEPEST):
        if not level:
            return
        deeper: list[Any] = []
        for one in level:
            if isinstance(one, str):
                one.encode()  # half of a pair of surrogates cannot be printed
            elif isinstance(one, int | float):
                if not abs(one) <= sys.float_info.max:  # what is computed with it is a float
                    raise ValueError("a number is too large")
            elif isinstance(one, dict):
                deeper += [*one, *one.values()]
            elif isinstance(one, list):
                deeper += one
        level = deeper
    raise RecursionError


def clip(value: object, length: int = 100) -> str:
    """Return a text from a file as a message shows it: short, of printable characters.

    Parameters
    ----------
    value : object
        Anything; its ``str`` is shown.
    length : int
        At most so many characters.

    Returns
    -------
    str
    """
    text = "".join(c if c.isprintable() else " " for c in str(value)[: 4 * length])
    return text if len(text) <= length else text[: length - 3] + "..."


# --- the shape of what JSON says ---------------------------------------------------------------


def conform(value: Any, shape: Any, where: str = "it") -> None:
    """Refuse a value of JSON that has not the shape that its reader relies on.

    Parameters
    ----------
    value : Any
        What `parse_json` returned.
    shape : Any
        A type or None, ``float`` standing for any number, ``int`` for a whole one. A tuple: one
        of several shapes. ``[shape]``: a list of such. A dict: each key is there (one that ends
        in ``?`` may be missing) with a value of that shape; others may be there too.
        ``{str: shape}``: every value has that shape.
    where : str
        What the value is called in the error.

    Raises
    ------
    ValueError
        Says which part is wrong.
    """
    if isinstance(shape, tuple):
        for one in shape:
            with suppress(ValueError):
                return conform(value, one, where)
        names = " or ".join(_NAMES.get(_base(one), "something else") for one in shape)
        raise ValueError(f"{where} is {_kind(value)}, not {names}")
    if not _is(value, _base(shape)):
        raise ValueError(f"{where} is {_kind(value)}, not {_NAMES[_base(shape)]}")
    if isinstance(shape, list):
        for i, one in enumerate(value):
            conform(one, shape[0], f"{where}[{i}]")
    elif isinstance(shape, Mapping):
        for key, inner in shape.items():
            _entries(value, key, inner, where)
    return None


def _entries(value: dict, key: Any, shape: Any, where: str) -> None:
    """Look at what a dictionary has under a key, or under every key where that is ``str``."""
    if key is str:
        for name, one in value.items():
            conform(one, shape, f"{where}.{clip(name, 40)}")
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
    if kind in (int, float):  # True is an int of Python, and no number of JSON
        number = isinstance(value, int if kind is int else int | float)
        return number and not isinstance(value, bool)
    return isinstance(value, kind)


def _kind(value: Any) -> str:
    return _NAMES.get(None if value is None else type(value), type(value).__name__)


def is_file(path: str | os.PathLike) -> bool:
    """Return whether a plain file is there; a name that cannot be one, or is too long, is not."""
    try:
        return Path(path).is_file()
    except (OSError, ValueError):
        return False
