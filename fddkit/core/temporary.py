"""Temporary folders that are removed even if their owner is killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FddkitError

_PREFIX = "fddkit-kernel-"
_LONGEST = 60  # bytes of the parent folder's path: the path of a socket has at most 103


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can read, for as long as the block lasts.

    Yields
    ------
    Path
        Short enough for sockets. If the process is killed, the same user's next call removes it:
        the lock that marks a folder as in use ends with its owner.

    Raises
    ------
    FddkitError
        If there is no folder for temporary files.
    """
    remove_orphans()
    folder, lock = _make()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def remove_orphans() -> None:
    """Remove this user's private folders whose owners have ended."""
    for folder in _base().glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # another user's, or already removed
        try:
            if os.fstat(lock).st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(lock)


def _make() -> tuple[Path, int]:
    """Make and lock a folder; until it is locked, another process may take it for an orphan."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_base()))
        try:
            lock = os.open(folder, os.O_RDONLY)
        except FileNotFoundError:
            continue
        fcntl.flock(lock, fcntl.LOCK_EX)
        if folder.exists():
            return folder, lock
        os.close(lock)


def _base() -> Path:
    """Return the folder for temporary files, or /tmp if its path is too long for sockets."""
    try:
        base = tempfile.gettempdir()
    except OSError as error:
        raise FddkitError(
            f"there is no folder for temporary files ({error.strerror}); free some space, or set "
            "TMPDIR to one that you may write to"
        ) from error
    return Path(base if len(os.fsencode(base)) <= _LONGEST else "/tmp")
