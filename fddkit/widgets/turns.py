"""One thing at a time, whatever thread it comes on.

JupyterLab delivers messages of widgets on threads beside that of the cells (subshells), jobs report
on the event loop, and a cell may call the same objects: without turns, two of them would read
the controls, and the one that draws last would show what is no longer so.
"""

import functools
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P, R = ParamSpec("P"), TypeVar("R")
_TURN = threading.RLock()


def in_turn(function: Callable[P, R]) -> Callable[P, R]:
    """Let a function wait until no other such function runs, but those that it was called by."""

    @functools.wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> R:
        with _TURN:
            return function(*args, **kwargs)

    return wrapped
