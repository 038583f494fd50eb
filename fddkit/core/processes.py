"""Processes that end with the one that started them, however that one ends.

A kernel runs this file by its path before anything else, so it imports only the standard library.
"""

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

_PERIOD = 0.5  # seconds between two looks at the parent


def end_with(parent: int, folder: str | os.PathLike | None = None) -> None:
    """End this process, and those it started, soon after its parent has ended.

    On every system that forks, a process whose parent ends is given another parent. So nothing
    needs to be signalled or closed, and it does not matter how or when the parent ended: one that
    ended before this call is noticed too.

    Parameters
    ----------
    parent : int
        ID of the process that started this one, as that process sees it.
    folder : path-like, optional
        A folder to remove first.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PERIOD)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if os.getpgrp() == os.getpid():  # this process started the others in the group
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


@contextmanager
def workers() -> Iterator[None]:
    """Make joblib workers that are started in the block end with this process.

    Yields
    ------
    None
    """
    import joblib

    with joblib.parallel_config("loky", initializer=end_with, initargs=(os.getpid(),)):
        yield
