"""One thing at a time, on whatever thread it arrives.

JupyterLab delivers widget messages on threads other than that of the cells (subshells), jobs
report on the event loop, and a cell may call the same objects. Without turns, two of these would
read the controls, and the one that draws last could show an outdated state.
"""

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P, R = ParamSpec("P"), TypeVar("R")
_TURN = threading.RLock()


def in_turn(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function wait until no other such function is running, except its own callers."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with _TURN:
            return function(*args, **kwargs)

    return wrapped
