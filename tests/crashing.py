"""Ends a piece of work at every change that it makes to the disk, and lets it go on from there.

Python tells an audit hook of a change of the disk before it takes place, whoever asks for it. What
a process leaves behind when it dies depends on the changes before its death alone, and on how much
of a file it had written. So there is nothing to be left to chance: a process that dies before the
first change, before the second... and after half of each content meets every state that there is.
Each is a process of its own, which is killed, and the same work is then done by another one.

It takes one process without threads, from which the others are forked: `worker` starts it.
"""

import io
import itertools
import json
import multiprocessing
import os
import re
import shutil
import signal
import stat
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import chdir, contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import fddkit
from fddkit.core.processes import end_with

#: Event -> where among its arguments are a path and the descriptor of the folder that it is in.
EVENTS = {
    "open": [(0, None)],
    "os.chmod": [(0, 2)],
    "os.chown": [(0, 3)],
    "os.link": [(0, 2), (1, 3)],
    "os.mkdir": [(0, 2)],
    "os.remove": [(0, 1)],
    "os.rename": [(0, 2), (1, 3)],
    "os.rmdir": [(0, 1)],
    "os.symlink": [(1, 2)],
    "os.truncate": [(0, None)],
}


class Kind(NamedTuple):
    """A way to end a run: where, by which signal, and whether the same process then goes on."""

    where: str
    number: signal.Signals
    same: bool = False


KINDS = {
    "kill": Kind("change", signal.SIGKILL),  # before it
    "tear": Kind("content", signal.SIGKILL),  # when half of it is written
    "kill in a step": Kind("step", signal.SIGKILL),
    "interrupt": Kind("change", signal.SIGINT),
    "interrupt and go on": Kind("change", signal.SIGINT, same=True),
    "interrupt in a step": Kind("step", signal.SIGINT),
    "interrupt in a call": Kind("call", signal.SIGINT),
    "terminate": Kind("change", signal.SIGTERM),
}
#: Functions of the package that take a step: on the images, of the encoder, of a network.
STEPS = ("advance", "descend")

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FILLS = os.O_CREAT | os.O_TRUNC | os.O_APPEND
_LIMIT = 600  # seconds that one process may take
_PACKAGE = str(Path(fddkit.__file__).parent) + os.sep
_RANDOM = re.compile(r"(?<=\.)[a-z0-9_]{8}(?=\.tmp$)|(?<=fddkit-kernel-)\w{8}")
_LEFT = re.compile(r"(\.tmp|\.part|\.damaged[-0-9]*|^\..+\.lock)$")

Tree = dict[str, tuple[int, bytes]]  # relative path -> type and mode, content


@dataclass(frozen=True)
class Work:
    """What is to survive.

    Attributes
    ----------
    do : callable
        Does it in a folder, which is the working directory, too; may return an exit status.
    begin : callable, optional
        Lays out what is in the folder before.
    may_lack : tuple of str
        Patterns of what may be missing in the end.
    again : tuple of int
        Exit statuses that doing it again may have.
    masks : mapping of str to callable
        Pattern -> what is compared of the content of such files.
    others : bool
        Whether other processes write to the folder, too: the audit hook does not see those.
    """

    do: Callable[[Path], Any]
    begin: Callable[[Path], Any] | None = None
    may_lack: tuple[str, ...] = ()
    again: tuple[int, ...] = (0,)
    masks: Mapping[str, Callable[[bytes], bytes]] = field(default_factory=dict)
    others: bool = False


class Ending(NamedTuple):
    """Where a run is to end, and how, see `KINDS`."""

    kind: str
    at: int


@dataclass
class Outcome:
    """What came of it.

    Attributes
    ----------
    changes, steps, calls : int
        Of an undisturbed run: changes of the disk, and calls of `STEPS` and of any function.
    ended : dict of str to int
        Kind -> how many runs were ended so.
    states : int
        How many different states of the disk they left, from each of which the work went on.
    files : list of str
        What there is in the end.
    faults : list of str
        What was not as it should be.
    """

    changes: int = 0
    steps: int = 0
    calls: int = 0
    ended: dict[str, int] = field(default_factory=dict)
    states: int = 0
    files: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def worker() -> Iterator[ProcessPoolExecutor]:
    """Start the process that the others are forked from.

    Yields
    ------
    ProcessPoolExecutor
        Of that one process; submit functions of a module that ends in a call of `survive`.
    """
    # OpenMP's threads would not be there after a fork, nor would CUDA
    alone = {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    before = {name: os.environ.get(name) for name in alone}
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(1, spawn, end_with, (os.getpid(),))
    os.environ |= alone
    try:
        pool.submit(os.getpid).result()
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def survive(work: Work, kinds: Sequence[str], most: int | None = None, only: str = "") -> Outcome:
    """End work in every way, and see that doing it again makes what undisturbed work makes.

    Parameters
    ----------
    work : Work
        What is to survive.
    kinds : sequence of str
        Ways to end it, of `KINDS`.
    most : int, optional
        Ends of each kind, evenly spread; by default all.
    only : str
        A regular expression of the changes or calls to end it at.

    Returns
    -------
    Outcome
    """
    base = Path(tempfile.mkdtemp(prefix="crash-")).resolve()  # short: sockets may be made in it
    try:
        return _Survival(work, base).outcome(kinds, most, only)
    finally:
        shutil.rmtree(base)


def survive_for_ever(work: Work, kinds: Sequence[str]) -> Outcome:
    """End work, end what goes on from there, and so on, until no new state of the disk is met.

    So the work survives, by induction, however often it is ended.

    Parameters
    ----------
    work : Work
        What is to survive.
    kinds : sequence of str
        Ways to end it, of `KINDS`.

    Returns
    -------
    Outcome
    """
    base = Path(tempfile.mkdtemp(prefix="crash-")).resolve()
    try:
        return _Survival(work, base).for_ever(kinds)
    finally:
        shutil.rmtree(base)


class _Survival:
    """One piece of work, and what is known of it so far."""

    def __init__(self, work: Work, base: Path):
        self.work, self.folder, self.notes = work, base / "work", base / "notes"
        self.found = Outcome()
        self.known: dict[frozenset, list[str]] = {}  # state -> what was wrong in the end

    def outcome(self, kinds: Sequence[str], most: int | None, only: str) -> Outcome:
        found, faults = self.found, self.found.faults
        points = self.undisturbed()
        if faults:
            return found
        for kind in kinds:
            chosen = points[KINDS[kind].where]
            if KINDS[kind].where == "change" and KINDS[kind].number != signal.SIGKILL:
                chosen = chosen[:-1]  # at the end there is nothing left to be asked
            chosen = [at for at in chosen if re.search(only, self.place(Ending(kind, at)))]
            if most is not None and len(chosen) > most:
                chosen = [chosen[i * (len(chosen) - 1) // (most - 1)] for i in range(most)]
            found.ended[kind] = len(chosen)
            for at in chosen:
                ending = Ending(kind, at)
                for wrong in self.ended(ending):
                    faults.append(f"{kind}, {self.place(ending)}: {wrong}")
        found.states = len(self.known)
        return found

    def for_ever(self, kinds: Sequence[str]) -> Outcome:
        self.undisturbed()
        self.fresh()
        found, waiting = self.found, [self.state()]
        seen = set(waiting)
        while waiting and not found.faults:
            begin = waiting.pop()
            for kind in kinds:
                for at in itertools.count():
                    self.lay(begin)
                    status = self.run(Ending(kind, at))
                    if status != -signal.SIGKILL:
                        break  # it has fewer changes
                    found.ended[kind] = found.ended.get(kind, 0) + 1
                    state = self.state()
                    if state not in seen:
                        seen.add(state)
                        waiting.append(state)
                found.faults += self.differences(tree(self.folder))
                if status:
                    found.faults.append(f"it ended with {status}: {self.said()}")
        found.states = len(seen)
        return found

    def state(self) -> frozenset:
        """Return all that is in the folder, by names that are the same each time."""
        return frozenset((_RANDOM.sub("x" * 8, name), x) for name, x in tree(self.folder).items())

    def lay(self, state: frozenset) -> None:
        """Make the folder what it was in a state."""
        shutil.rmtree(self.folder)
        self.folder.mkdir()
        for name, (mode, content) in sorted(state):
            path = self.folder / name
            path.mkdir() if stat.S_ISDIR(mode) else path.write_bytes(content)
            path.chmod(stat.S_IMODE(mode))

    def undisturbed(self) -> dict[str, Sequence[int]]:
        """Do the work twice undisturbed, and return where it can be ended."""
        self.warm()
        self.fresh()
        status = self.run(None)
        self.wanted = tree(self.folder)
        self.fresh()
        again = self.run(None, watched=True)
        faults = self.found.faults
        if status or again:
            faults.append(f"undisturbed, it ended with {status} and {again}: {self.said()}")
            return {}
        names, torn, called, unseen = json.loads(self.said())
        self.names, self.called = [*names, "the end"], called
        steps = [i for i, name in enumerate(called) if name.rpartition(".")[2] in STEPS]
        faults += [f"{name} changed unseen" for name in unseen if not self.work.others]
        faults += [f"undisturbed runs differ: {x}" for x in self.differences(tree(self.folder))]
        faults += [f"{name} is left" for name in self.wanted if _LEFT.search(Path(name).name)]
        self.found.changes, self.found.steps = len(names), len(steps)
        self.found.calls = len(called)
        self.found.files = list(self.wanted)
        every = range(len(names) + 1)
        return {"change": every, "content": torn, "step": steps, "call": range(len(called))}

    def place(self, ending: Ending) -> str:
        """Return where a run was ended, in words."""
        where = KINDS[ending.kind].where
        names = self.names if where in ("change", "content") else self.called
        return f"{where} {ending.at} ({names[ending.at]})"

    def ended(self, ending: Ending) -> list[str]:
        """End the work, do it again, and return what is wrong."""
        self.fresh()
        status = self.run(ending)
        _, number, same = KINDS[ending.kind]
        wanted = 0 if same else -number if number == signal.SIGKILL else 128 + number
        if status != wanted:
            return [f"it ended with {status}, not {wanted}: {self.said()}"]
        if same:
            return self.differences(tree(self.folder))
        state = self.state()
        if state not in self.known:
            status = self.run(None)
            wrong = self.differences(tree(self.folder))
            if status not in self.work.again:
                wrong.append(f"again, it ended with {status}: {self.said()}")
            self.known[state] = wrong
        return self.known[state]

    def warm(self) -> None:
        """Do the work here, so that what is imported and compiled on the way is so once."""
        if self.work.others:
            return  # it would leave threads behind
        self.fresh()
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), self.inside():
            self.work.do(self.folder)

    def fresh(self) -> None:
        """Lay the folder out as it is before the work."""
        if self.folder.exists():
            shutil.rmtree(self.folder)
        self.folder.mkdir()
        (self.folder / "tmp").mkdir()
        if self.work.begin is not None:
            self.work.begin(self.folder)

    def said(self) -> str:
        return self.notes.read_text()

    def run(self, ending: Ending | None, watched: bool = False) -> int:
        """Do the work in a process of its own; return how that ended."""
        self.notes.write_text("")
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                signal.alarm(_LIMIT)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                status = self.within(ending, watched)
            except KeyboardInterrupt:
                status = 128 + signal.SIGINT
            except BaseException:
                self.notes.write_text(traceback.format_exc())
            finally:
                os._exit(status)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Work in the folder, with whatever a process may choose a place for."""
        own = {"TMPDIR": str(self.folder / "tmp"), "FDDKIT_CACHE": str(self.folder / "own cache")}
        with (
            patch.dict(os.environ, own),
            patch("tempfile.tempdir", own["TMPDIR"]),
            chdir(self.folder),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("error", UserWarning)
            yield

    def within(self, ending: Ending | None, watched: bool) -> int:
        """Do the work in this process, which is to end with what this returns."""
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        with self.inside():
            return self.done(ending, watched)

    def done(self, ending: Ending | None, watched: bool) -> int:
        def do() -> int:
            status = self.work.do(self.folder)
            return status if isinstance(status, int) else 0

        if ending is None and not watched:
            return do()
        watch = _Watch(self.folder, ending, look=watched)
        try:
            status = watch.over(do)
        except KeyboardInterrupt:
            if ending is None or not KINDS[ending.kind].same:
                raise
            return do()  # while the traceback still holds what the work held, as in a notebook
        if watched:
            self.notes.write_text(json.dumps([watch.names, watch.torn, watch.called, watch.unseen]))
        return status

    def differences(self, found: Tree) -> list[str]:
        """Return how files differ from those of undisturbed work."""
        wrong = [f"{name} is left" for name in found.keys() - self.wanted.keys()]
        for name in self.wanted.keys() - found.keys():
            if not any(fnmatch(name, pattern) for pattern in self.work.may_lack):
                wrong.append(f"{name} is missing")
        for name in self.wanted.keys() & found.keys():
            one, other = self.masked(name, found[name]), self.masked(name, self.wanted[name])
            if one != other:
                pairs = enumerate(zip(one[1], other[1], strict=False))
                at = next((i for i, (x, y) in pairs if x != y), 0)
                here, there = ((mode, x[max(0, at - 40) : at + 40]) for mode, x in (one, other))
                wrong.append(f"{name} differs: {here}, not {there}")
        return sorted(wrong)

    def masked(self, name: str, one: tuple[int, bytes]) -> tuple[int, bytes]:
        for pattern, mask in self.work.masks.items():
            if fnmatch(name, pattern):
                return one[0], mask(one[1])
        return one


class _Watch:
    """Counts the changes below a folder, and what else happens, and ends the run at one of them."""

    def __init__(self, folder: Path, ending: Ending | None, look: bool = False):
        self.folder, self.look = f"{folder}{os.sep}", look
        self.at = -1 if ending is None else ending.at
        self.kind = None if ending is None else KINDS[ending.kind]
        self.names: list[str] = []  # of the changes
        self.torn: list[int] = []  # those that write content
        self.called: list[str] = []  # functions of the package
        self.unseen: list[str] = []  # files that changed although no change of them was told of
        self._filled: list[str | None] = []  # by each change, the file that is written to
        self._told: set[str] = set()
        self._tree: Tree = {}
        self._busy = True

    def over(self, do: Callable[[], Any]) -> Any:
        """Do the work and return what it returns, if it comes to that."""
        self._tree = tree(Path(self.folder)) if self.look else {}
        sys.addaudithook(self._hook)
        if self.look or self.kind.where in ("call", "step"):
            sys.setprofile(self._profile)
        self._busy = False
        try:
            found = do()
            self._hook("the end", ())
            return found
        finally:
            sys.setprofile(None)
            self._busy = True

    def _hook(self, event: str, args: tuple) -> None:
        if self._busy or (event not in EVENTS and event != "the end"):
            return
        self._busy = True
        try:
            paths = [path for path in changed(event, args) if path.startswith(self.folder)]
            if paths or event == "the end":
                self._reached(event, args, paths)
        finally:
            self._busy = False

    def _reached(self, event: str, args: tuple, paths: list[str]) -> None:
        n = len(self._filled)
        if self.look:
            self._compare(n)
        filled = paths[0] if event == "open" and args[2] & _FILLS else None
        self._filled.append(filled)
        if event != "the end":
            self._told.update(path.removeprefix(self.folder) for path in paths)
            short = [_RANDOM.sub("*", path.removeprefix(self.folder)) for path in paths]
            self.names.append(" ".join([event, *short]))
        if self.look or self.kind.where not in ("change", "content"):
            return
        torn = self.kind.where == "content"
        if n == self.at + torn:
            if torn and _size(self._filled[self.at]):
                os.truncate(self._filled[self.at], _size(self._filled[self.at]) // 2)
            signal.raise_signal(self.kind.number)

    def _compare(self, n: int) -> None:
        """Note what has changed since the change before."""
        if n and _size(self._filled[n - 1]):
            self.torn.append(n - 1)
        now = tree(Path(self.folder))
        names = now.keys() | self._tree.keys()
        self.unseen += [x for x in names if now.get(x) != self._tree.get(x) and x not in self._told]
        self._tree = now

    def _profile(self, frame: Any, event: str, _: Any) -> None:
        code = frame.f_code
        own = event == "call" and code.co_filename.startswith(_PACKAGE)
        # a generator expression that is thrown away is called where Python swallows an interrupt
        if own and code.co_name != "<genexpr>":
            self.called.append(code.co_qualname)
            if not self.look and len(self.called) == self.at + 1:
                sys.setprofile(None)
                signal.raise_signal(self.kind.number)


def _size(path: str | None) -> int:
    return os.path.getsize(path) if path and os.path.exists(path) else 0


def changed(event: str, args: tuple) -> list[str]:
    """Return the absolute paths that an event is about to change.

    Parameters
    ----------
    event : str
        See https://docs.python.org/3/library/audit_events.html.
    args : tuple
        Its arguments.

    Returns
    -------
    list of str
    """
    if event == "open" and not args[2] & _WRITES:
        return []
    found = []
    for place, folder in EVENTS.get(event, ()):
        path, beside = args[place], -1 if folder is None else args[folder]
        if isinstance(path, int):
            if event == "open":
                continue  # a descriptor, whose opening was told of
            path = os.readlink(f"/proc/self/fd/{path}")
        elif beside != -1:
            path = os.path.join(os.readlink(f"/proc/self/fd/{beside}"), os.fsdecode(path))
        found.append(os.path.abspath(os.fsdecode(path)))
    return found


def tree(folder: Path) -> Tree:
    """Return all that is in a folder: type, mode and content.

    Parameters
    ----------
    folder : Path
        Which.

    Returns
    -------
    dict
    """
    found: Tree = {}
    for path in sorted(folder.rglob("*")):
        try:
            mode = path.lstat().st_mode
            content = path.read_bytes() if stat.S_ISREG(mode) else b""
        except FileNotFoundError:  # of another process
            continue
        found[str(path.relative_to(folder))] = (mode, content)
    return found
