"""What can go wrong in a command, reported as one sentence and an exit status."""

import errno
import os
import re
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any, TextIO

from ..core.errors import FddkitError
from ..core.reading import clip
from ..core.versions import PACKAGE

DEBUG = "FDDKIT_DEBUG"
FAILED, MISTAKE, FAULT = 1, 2, 70  # the last as in sysexits.h
_SIGNAL = 128  # plus its number, as a shell has it

_MEMORY = re.compile(r"out of memory|(can't|cannot) allocate memory|not enough memory", re.I)
_FILES = re.compile(r"too many open files", re.I)
_LESS = "use fewer jobs, a smaller batch, fewer images or a smaller preset"
_LONGEST = 2000  # characters in a sentence, including paths
_AGAIN = "the same command goes on from there"


class _Signal(KeyboardInterrupt):
    """A request from outside to end, handled like Ctrl+C."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def guard(work: Callable[[], int]) -> int:
    """Do the work of a command, and report what goes wrong.

    Parameters
    ----------
    work : callable
        Returns an exit status.

    Returns
    -------
    int
        That status, or one for what went wrong: 1 if the machine lacks something, 2 for a mistake
        of the user, 70 for a fault of fddkit, 128 plus the number of a signal that ended it.
    """
    _open_missing()
    out, err = _Stream(sys.stdout), _Stream(sys.stderr)
    with redirect_stdout(out), redirect_stderr(err), _signals(), _plain_warnings():
        try:
            status = work()
        except SystemExit as end:  # after --help and --version
            status = end.code or 0
        except BaseException as error:
            if os.environ.get(DEBUG):
                traceback.print_exc()
            status, sentence = _told(error)
            if isinstance(error, KeyboardInterrupt) and err.isatty():
                print(file=err)  # after ^C and a bar that was being drawn
            _say(sentence)
        out.flush()
        lost = out.error
        if lost is None or status:
            return status
        if lost.errno == errno.EPIPE:  # whoever reads it has closed it
            return _SIGNAL + signal.SIGPIPE
        _say(f"some output could not be written ({lost.strerror}); send it elsewhere")
        return FAILED


def _told(error: BaseException) -> tuple[int, str]:
    """Return the exit status and the sentence for an exception."""
    if isinstance(error, FddkitError):
        return MISTAKE, str(error)
    if isinstance(error, KeyboardInterrupt):
        number = error.number if isinstance(error, _Signal) else signal.SIGINT
        by = f"ended by {signal.Signals(number).name}" if number != signal.SIGINT else "interrupted"
        return _SIGNAL + number, f"{by}; {_AGAIN}"
    text = " ".join(str(error).split())
    if isinstance(error, BrokenExecutor):
        return FAILED, f"one of its processes was killed, perhaps for lack of memory; {_LESS}"
    if isinstance(error, MemoryError) or _MEMORY.search(text):
        return FAILED, f"there is not enough memory; {_LESS}"
    if _FILES.search(text):
        return FAILED, "too many open files; allow more with `ulimit -n`, or use fewer jobs"
    if isinstance(error, ModuleNotFoundError) and not f"{error.name}.".startswith("fddkit."):
        return MISTAKE, f"{error.name} is not installed; run `pip install 'fddkit[notebooks]'`"
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        name = error.object[max(0, error.start - 40) : error.end + 40]
        return MISTAKE, f"a file or folder has a name that is not UTF-8 ({name!r}); rename it"
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename is not None else ""
        return MISTAKE, f"{place}{error.strerror or text}; choose another file or folder"
    return FAULT, (
        f"a fault of fddkit itself at {_place(error)}, please report it ({type(error).__name__}: "
        f"{text[:300]}); {DEBUG}=1 shows where it comes from"
    )


def _place(error: BaseException) -> str:
    """Return the last line of fddkit's own code in an exception's traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if PACKAGE in Path(frame.filename).parents]
    last = (ours or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _say(sentence: str) -> None:
    # text quoted from a file may contain control characters for the terminal
    print(f"fddkit: {clip(sentence, _LONGEST)}", file=sys.stderr)


class _Stream:
    """A standard stream whose errors never end the work: lost output is only recorded."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.error: OSError | None = None
        if hasattr(stream, "reconfigure"):  # names of files may be in another encoding
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write as much as possible."""
        with self._noting():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream."""
        with self._noting():
            self._stream.flush()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # /dev/null takes the rest, including what is buffered until the interpreter ends
            with suppress(OSError), open(os.devnull, "w") as null:
                os.dup2(null.fileno(), self._stream.fileno())


def _open_missing() -> None:
    """Open closed standard streams, so that no other file takes their place."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115 (as long as the process lasts)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@contextmanager
def _signals() -> Iterator[None]:
    """Turn signals that ask the process to end into interrupts; ignored ones stay ignored."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = [signal.SIGTERM, signal.SIGHUP]
    mine = [number for number in asked if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        for one in mine:  # a second signal must not disturb the last checkpoint
            signal.signal(one, lambda *_: None)
        raise _Signal(number)

    for number in mine:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in mine:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def _plain_warnings() -> Iterator[None]:
    """Show warnings as sentences, without the line of code that raised them."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"fddkit: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual
