"""What can befall a command, told in one sentence and an exit status."""

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
_LESS = "take fewer jobs, a smaller batch, fewer images or a smaller preset"
_LONGEST = 2000  # characters of a sentence, with the paths in it
_AGAIN = "the same command goes on from there"


class _Signal(KeyboardInterrupt):
    """A request to end from outside, which is obeyed as Ctrl+C is."""

    def __init__(self, number: int):
        super().__init__(number)
        self.number = number


def guard(work: Callable[[], int]) -> int:
    """Do the work of a command, and tell what befalls it.

    Parameters
    ----------
    work : callable
        Returns an exit status.

    Returns
    -------
    int
        That status, or the one that fits what has happened: 1 the machine lacks something, 2 a
        mistake, 70 a fault of fddkit, and 128 plus the number of the signal that ended it.
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
                print(file=err)  # behind ^C and a bar that was being drawn
            _say(sentence)
        out.flush()
        lost = out.error
        if lost is None or status:
            return status
        if lost.errno == errno.EPIPE:  # its reader has seen enough
            return _SIGNAL + signal.SIGPIPE
        _say(f"what was to be shown here is lost ({lost.strerror}); choose another place for it")
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
        return FAILED, "too many open files; allow more with `ulimit -n`, or take fewer jobs"
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
    """Return the line of fddkit at which an exception was raised, or passed last."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if PACKAGE in Path(frame.filename).parents]
    last = (own or frames)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


def _say(sentence: str) -> None:
    # what it quotes from a file may hold what a terminal obeys
    print(f"fddkit: {clip(sentence, _LONGEST)}", file=sys.stderr)


class _Stream:
    """A standard stream that never ends the work: what it cannot take is lost, and that noted."""

    def __init__(self, stream: TextIO):
        self._stream = stream
        self.error: OSError | None = None
        if hasattr(stream, "reconfigure"):  # names of files may be in another encoding
            stream.reconfigure(errors="backslashreplace")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write what can be written."""
        with self._noting():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Hand on what was written."""
        with self._noting():
            self._stream.flush()

    @contextmanager
    def _noting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self.error = self.error or error
            # its place takes the rest, also what is buffered until the interpreter's end
            with suppress(OSError), open(os.devnull, "w") as null:
                os.dup2(null.fileno(), self._stream.fileno())


def _open_missing() -> None:
    """Open the standard streams that are closed, so that no other file is taken for one."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            stream = open(os.devnull, mode)  # noqa: SIM115 (for as long as the process lasts)
            os.set_inheritable(stream.fileno(), True)
            setattr(sys, name, stream)


@contextmanager
def _signals() -> Iterator[None]:
    """Let the signals that ask a process to end interrupt it; those that are ignored still are."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = [signal.SIGTERM, signal.SIGHUP]
    mine = [number for number in asked if signal.getsignal(number) is signal.SIG_DFL]

    def end(number: int, _: object) -> None:
        for one in mine:  # once is enough: a second one must not disturb the last checkpoint
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
    """Show a warning as a sentence, without the line of code that it came from."""
    usual = warnings.formatwarning
    warnings.formatwarning = lambda message, *_, **__: f"fddkit: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = usual
