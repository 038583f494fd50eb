"""Temporary folders that are removed even where their owner was killed."""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import FddkitError

_PREFIX = "fddkit-kernel-"
_LONGEST = 60  # bytes of the folder that holds ours: the path of a socket has at most 103


@contextmanager
def private_folder() -> Iterator[Path]:
    """Make a folder that only this user can read, for as long as the block lasts.

    Yields
    ------
    Path
        Short enough for sockets. Where the process is killed, the next call by anybody of the
        same user removes it: the lock that tells whether a folder is in use ends with its owner.

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
    """Remove the private folders of this user whose owners have ended."""
    for folder in _base().glob(f"{_PREFIX}*"):
        try:
            lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue  # somebody else's, or removed meanwhile
        try:
            if os.fstat(lock).st_uid == os.getuid():
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except BlockingIOError:
            pass  # in use
        finally:
            os.close(lock)


def _make() -> tuple[Path, int]:
    """Make a folder and lock it; another process may take it for an orphan until it is locked."""
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
    """Return the folder for temporary files, or /tmp where that is too long for sockets."""
    try:
        base = tempfile.gettempdir()
    except OSError as error:
        raise FddkitError(
            f"there is no folder for temporary files ({error.strerror}); free some space, or let "
            "TMPDIR name one that you may write to"
        ) from error
    return Path(base if len(os.fsencode(base)) <= _LONGEST else "/tmp")
