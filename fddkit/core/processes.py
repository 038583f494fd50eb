"""Processes that end with the one that started them, however that one ends.

A kernel runs this file by its path, before anything else: only the standard library is imported.
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
    """End this process, and what it started, soon after its parent has ended.

    A process whose parent ends is given to another one, on every system that forks. So nothing
    need be told or closed, and it does not matter by what the parent was ended, or when: a parent
    that has ended before this call is noticed, too.

    Parameters
    ----------
    parent : int
        Number of the process that started this one, as that one knows it.
    folder : path-like, optional
        Removed first.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_PERIOD)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
        if os.getpgrp() == os.getpid():  # the others of the group were started by this one
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, name="end-with-parent", daemon=True).start()


@contextmanager
def workers() -> Iterator[None]:
    """Let the workers of joblib that are started in the block end with this process.

    Yields
    ------
    None
    """
    import joblib

    with joblib.parallel_config("loky", initializer=end_with, initargs=(os.getpid(),)):
        yield
