"""Who works on a file now: locks that the system frees when a process ends, however it ends."""

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from .errors import FddkitError

_QUIET = 2.0  # seconds of waiting that nobody need be told of


@contextmanager
def locked(path: str | os.PathLike, wait: bool = True) -> Iterator[None]:
    """Work on a file alone, among the processes that ask for it so.

    Parameters
    ----------
    path : path-like
        What is worked on; it need not exist. The lock is a hidden file beside it, which is removed
        when the block ends.
    wait : bool
        Wait until another process has ended its work, and say so in a warning where that takes
        long; else refuse.

    Yields
    ------
    None
        Temporary files that a process left here when it was killed have been removed.

    Raises
    ------
    FddkitError
        If another process holds the file and ``wait`` is false, or the folder takes no files.
    """
    path, marker = Path(path), _marker(path)
    lock = FileLock(marker)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if marker.is_file() and marker.stat().st_size and not is_held(marker):
                raise FddkitError(
                    f"{marker} is no lock of fddkit, and is kept; choose another name than {path}"
                )
            _acquire(lock, path, wait)
        except FddkitError:  # is a ValueError, too
            raise
        except (OSError, ValueError) as error:
            raise cannot_write(path, error) from error
        tidy(path)
        yield
    finally:
        _free(lock)


def _free(lock: FileLock) -> None:
    """Remove and release a lock, if it is held, also where an interrupt comes between."""
    try:
        if lock.is_locked:
            with suppress(OSError):  # whoever waits for it sees that the name is gone
                os.unlink(lock.lock_file)
    finally:
        lock.release()


def _acquire(lock: FileLock, path: Path, wait: bool) -> None:
    with suppress(Timeout):
        return lock.acquire(timeout=_QUIET if wait else 0)
    if not wait:
        raise FddkitError(
            f"another process is working on {path}; wait for it, or choose another name"
        )
    warnings.warn(f"another process is working on {path}; waiting for it", stacklevel=4)
    return lock.acquire(poll_interval=0.2)


def is_locked(path: str | os.PathLike) -> bool:
    """Return whether a process works on a file now.

    Parameters
    ----------
    path : path-like
        See `locked`.

    Returns
    -------
    bool
    """
    return is_held(_marker(path))


def _marker(path: str | os.PathLike) -> Path:
    """Return the lock file of a path."""
    path = Path(path)
    if not path.name:
        raise FddkitError(f"{str(path)!r} is the name of a folder; give that of a file")
    return path.with_name(f".{path.name}.lock")


def is_held(marker: str | os.PathLike) -> bool:
    """Return whether a process holds the lock of this very file.

    Parameters
    ----------
    marker : path-like
        A lock file or a temporary one.

    Returns
    -------
    bool
        False where it does not exist.
    """
    try:
        handle = os.open(marker, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    except OSError:
        return True  # locks cannot be had here: it may be in use
    finally:
        os.close(handle)


def hold(handle: int) -> bool:
    """Hold a file that has just been made, for as long as its descriptor is open.

    Parameters
    ----------
    handle : int
        A descriptor.

    Returns
    -------
    bool
        False if the file has been removed meanwhile by a process that tidies up.
    """
    with suppress(OSError):  # where there are no locks, nobody tidies up either
        while not lock_descriptor(handle, blocking=False):
            time.sleep(0.001)
    return os.fstat(handle).st_nlink > 0


def tidy(path: Path) -> list[Path]:
    """Remove the temporary files of a path that no process writes to any more.

    Parameters
    ----------
    path : Path
        What they were to become.

    Returns
    -------
    list of Path
        What was removed.
    """
    removed = []
    for old in path.parent.glob(f".{_literal(path.name)}.{'[a-z0-9_]' * 8}.tmp"):
        if _removed(old):
            removed.append(old)
    return removed


def _removed(old: Path) -> bool:
    """Remove a temporary file while its lock is had, so that no process writes to it meanwhile."""
    with suppress(OSError):
        handle = os.open(old, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
        try:
            if lock_descriptor(handle, blocking=False):
                old.unlink()
                return True
        finally:
            os.close(handle)
    return False


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


def cannot_write(path: str | os.PathLike, error: Exception) -> FddkitError:
    """Return the sentence for a place that takes no files.

    Parameters
    ----------
    path : path-like
        The file or folder.
    error : Exception
        What the system said.

    Returns
    -------
    FddkitError
    """
    return FddkitError(
        f"cannot write {path}: {getattr(error, 'strerror', None) or error}; "
        "free some space or choose a folder that you may write to"
    )
