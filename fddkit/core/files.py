"""All writing goes through here: files appear whole or not at all, and replace only our own."""

import hashlib
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from .errors import Damaged, FddkitError
from .locks import cannot_write, hold, tidy

#: Called with the path of an existing file about to be replaced; raises FddkitError to keep it
Look = Callable[[Path], object]
T = TypeVar("T")


@contextmanager
def atomic(path: str | os.PathLike, look: Look | None = None) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block succeeds.

    Parameters
    ----------
    path : path-like
        Where the file is to appear; missing parent folders are created.
    look : callable, optional
        Called before the block with the path of an existing file, and again if one has appeared in
        the meantime. Without it, an existing file is replaced.

    Yields
    ------
    Path
        A file next to ``path`` to write to. It is flushed to disk and renamed into place on
        success, and removed on any failure, so a reader never sees half a file. Whatever a killed
        process leaves behind is removed by the next call.

    Raises
    ------
    FddkitError
        If the folder cannot be created or written to, the disk is full, ``path`` exists and is not
        a regular file, or ``look`` raises it.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic(Path(folder, "new", "notes.txt")) as temporary:
    ...         _ = temporary.write_text("all of it")
    ...     [path.name for path in Path(folder, "new").iterdir()]
    ['notes.txt']
    """
    path = Path(path)
    temporary = handle = None
    try:
        consider(path, look)
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _temporary(path)
        yield temporary
        os.fsync(handle)
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes files private to the user
        _publish(temporary, path, look)
        temporary = None
    except OSError as error:
        raise cannot_write(path, error) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        if handle is not None:
            os.close(handle)


def consider(path: str | os.PathLike, look: Look | None = None) -> bool:
    """Return whether a file exists at a path, and raise an error if it may not be replaced.

    Whatever a killed process left next to it is removed.

    Parameters
    ----------
    path : path-like
        The file to be written, perhaps after hours of work.
    look : callable, optional
        See `atomic`.

    Returns
    -------
    bool

    Raises
    ------
    FddkitError
        If it may not be replaced.
    """
    path = Path(path)
    try:
        tidy(path)
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return False
    except ValueError as error:  # a NUL in it
        raise FddkitError(
            f"{str(path)!r} is not a valid file name ({error}); choose another"
        ) from error
    if stat.S_ISLNK(mode):
        mode = path.stat().st_mode if path.exists() else stat.S_IFREG
    if not stat.S_ISREG(mode):
        what = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
        raise FddkitError(f"cannot write {path}: it is {what}; choose another name")
    if look is not None:
        look(path)
    return True


def _temporary(path: Path) -> tuple[int, Path]:
    """Make a temporary file next to a path, locked while its descriptor is open."""
    while True:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        if hold(handle):
            return handle, Path(name)
        os.close(handle)


def _publish(temporary: Path, path: Path, look: Look | None) -> None:
    """Give a finished file its name, unless it is now taken by a file that must be kept."""
    while look is not None and not consider(path, look):
        try:
            os.link(temporary, path)  # unlike a rename, fails if the file exists
            temporary.unlink()
            return
        except FileExistsError:
            continue
        except OSError:  # a file system without links
            break
    os.replace(temporary, path)


def changed(path: str | os.PathLike) -> str:
    """Return what differs once a file has been changed: its size and date, or that it is missing.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    str
    """
    try:
        status = os.stat(path)
        return f"{status.st_size} {status.st_mtime_ns}"
    except (OSError, ValueError):  # a NUL in its name
        return "missing"


def remove(path: Path) -> None:
    """Remove a file of ours, if it exists."""
    with suppress(FileNotFoundError):
        path.unlink()


def set_aside(path: Path, reason: object) -> Path:
    """Rename a file that cannot be used, and say so in a warning.

    Parameters
    ----------
    path : Path
        The file.
    reason : object
        What is wrong with it: an error, or a text that names the file.

    Returns
    -------
    Path
        Its new name: ``NAME.damaged`` or, if that is taken, ``NAME.damaged-2`` and so on.
    """
    number, new = 1, path.with_name(f"{path.name}.damaged")
    while new.exists():
        number += 1
        new = path.with_name(f"{path.name}.damaged-{number}")
    try:
        os.rename(path, new)
    except OSError as error:
        raise cannot_write(path, error) from error
    what = getattr(reason, "what", reason)  # without the advice
    warnings.warn(f"{what}; it is kept as {new.name} and made again", stacklevel=3)
    return new


def keep_whole(path: Path, load: Callable[[Path], T]) -> T | None:
    """Return the content of a file in a folder of ours, or set it aside if it is damaged.

    Parameters
    ----------
    path : Path
        The file.
    load : callable
        Reads it, and raises FddkitError if it cannot.

    Returns
    -------
    object
        None if there is no file (any more), so that it is made (again).
    """
    tidy(path)  # a process may be killed after naming a file, before removing the temporary name
    if not os.path.lexists(path):
        return None
    try:
        return load(path)
    except Damaged as error:
        set_aside(path, error)
        return None


def fingerprint(path: Path) -> str:
    """Return the sha256 of the content of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: str | os.PathLike, value: Any, look: Look | None = None) -> None:
    """Write ``value`` as indented JSON, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    value : Any
        Anything JSON can hold except NaN and infinity, which other readers refuse.
    look : callable, optional
        See `atomic`.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic(path, look) as temporary:
        temporary.write_text(text, encoding="utf-8")


def digest(*parts: bytes | str | memoryview) -> str:
    """Return the sha256 of the parts, each framed by its length.

    Parameters
    ----------
    *parts : bytes, str or memoryview
        What to fingerprint, in order.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    state = hashlib.sha256()
    for part in parts:
        data = memoryview(part.encode() if isinstance(part, str) else part).cast("B")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()
