"""File locks that the system releases when a process ends, however it ends."""

import os
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout, lock_descriptor

from .errors import FddkitError

_QUIET = 2.0  # seconds to wait before saying so


@contextmanager
def locked(path: str | os.PathLike, wait: bool = True) -> Iterator[None]:
    """Hold the lock on a file, to the exclusion of other processes that ask for it.

    Parameters
    ----------
    path : path-like
        The file to work on; it need not exist. The lock is a hidden file next to it, which is
        removed when the block ends.
    wait : bool
        If another process holds the lock, wait for it, with a warning if that takes long. False:
        raise an error instead.

    Yields
    ------
    None
        Temporary files left by processes that were killed have been removed.

    Raises
    ------
    FddkitError
        If another process holds the lock and ``wait`` is false, or the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "set.safetensors")
    ...     with locked(path):
    ...         is_locked(path)
    ...     is_locked(path)
    True
    False
    """
    path, marker = Path(path), _marker(path)
    lock = FileLock(marker)
    try:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            if marker.is_file() and marker.stat().st_size and not is_held(marker):
                raise FddkitError(
                    f"{marker} is not a lock of fddkit, and is kept; "
                    f"choose a name other than {path}"
                )
            _acquire(lock, path, wait)
        except FddkitError:  # also a ValueError
            raise
        except (OSError, ValueError) as error:
            raise cannot_write(path, error) from error
        tidy(path)
        yield
    finally:
        _free(lock)


def _free(lock: FileLock) -> None:
    """Remove and release a lock if it is held, even if interrupted in between."""
    try:
        if lock.is_locked:
            with suppress(OSError):  # a process waiting for it sees that the name is gone
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
    """Return whether a process holds the lock on a file.

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
        raise FddkitError(f"{str(path)!r} is the name of a folder; give the name of a file")
    return path.with_name(f".{path.name}.lock")


def is_held(marker: str | os.PathLike) -> bool:
    """Return whether a process holds a lock on this file itself.

    Parameters
    ----------
    marker : path-like
        A lock file or a temporary file.

    Returns
    -------
    bool
        False if it does not exist.
    """
    try:
        handle = os.open(marker, os.O_RDWR | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    except OSError:
        return True  # no locks on this file system: it may be in use
    finally:
        os.close(handle)


def hold(handle: int) -> bool:
    """Lock a file that has just been created, for as long as its descriptor is open.

    Parameters
    ----------
    handle : int
        A descriptor.

    Returns
    -------
    bool
        False if a process that tidies up has removed the file in the meantime.
    """
    with suppress(OSError):  # without locks, no process tidies up either
        while not lock_descriptor(handle, blocking=False):
            time.sleep(0.001)
    return os.fstat(handle).st_nlink > 0


def tidy(path: Path) -> list[Path]:
    """Remove temporary files for a path that no process is writing to any more.

    Parameters
    ----------
    path : Path
        The file that they were to become.

    Returns
    -------
    list of Path
        The files removed.
    """
    removed = []
    for old in path.parent.glob(f".{_literal(path.name)}.{'[a-z0-9_]' * 8}.tmp"):
        if _removed(old):
            removed.append(old)
    return removed


def _removed(old: Path) -> bool:
    """Remove a temporary file while holding its lock, so that no process is writing to it."""
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
    """Return the error for a place that cannot be written to.

    Parameters
    ----------
    path : path-like
        The file or folder.
    error : Exception
        What the system reported.

    Returns
    -------
    FddkitError
    """
    return FddkitError(
        f"cannot write {path}: {getattr(error, 'strerror', None) or error}; "
        "free some space or choose a folder that you may write to"
    )
