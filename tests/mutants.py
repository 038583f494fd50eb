"""Damaged and forged files, given to everything in fddkit that reads one.

    python tests/mutants.py --count 20000 --seed 0

Each file is read in a process whose memory is limited to 2 GB beyond what torch takes, and which
has 10 seconds of a processor for it. What may become of it: it is refused in one sentence, nothing
being changed; or set aside with a warning and made anew with the same bits; or taken, if it says
what was written, or, where there is no seal or the seal is forged, something that is sound. The
command prints how often each was so, and every fault; ``--only N`` looks at one of them again.
Then it gives all hostile ``.pt`` files to the reader of foreign sets.
"""

import argparse
import copy
import json
import os
import random
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from readers import Reader, fingerprint, readers, unfit  # before torch

import torch  # isort: skip
from mutations import SPECIAL, Mutant, mutate, special, trace

from fddkit.core.errors import FddkitError

MEMORY = 2 * 2**30  # beyond what the imported modules take
SECONDS = 10  # of a processor
PATIENCE = 200.0  # seconds, for a file that waits and does not compute
BATCH = 200  # mutants of one process
FAULT = "FAULT"


@dataclass
class Told:
    """What became of a mutant."""

    number: int
    reader: str
    group: str = "?"
    kind: str = "?"
    outcome: str = FAULT
    fault: str = ""
    seconds: float = 0.0


@dataclass
class Counts:
    """What became of many."""

    all: list[Told] = field(default_factory=list)

    @property
    def faults(self) -> list[Told]:
        return [one for one in self.all if one.outcome == FAULT]

    def table(self, by: str) -> str:
        """Return how often each outcome was, by ``reader``, ``group`` or ``kind``."""
        outcomes = sorted({one.outcome for one in self.all})
        found = Counter((getattr(one, by), one.outcome) for one in self.all)
        names = sorted({name for name, _ in found})
        rows = [(by, *outcomes, "all")]
        for name in (*names, "all"):
            own = [sum(found[n, o] for n in (names if name == "all" else [name])) for o in outcomes]
            rows.append((name, *map(str, own), str(sum(own))))
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            row[0].ljust(widths[0])
            + "".join(cell.rjust(w + 2) for cell, w in zip(row[1:], widths[1:], strict=True))
            for row in rows
        )

    def __str__(self) -> str:
        faults = Counter((one.reader, one.fault.split("\n")[0][:160]) for one in self.faults)
        lines = [self.table(by) + "\n" for by in ("reader", "group", "kind")]
        for (reader, what), n in faults.most_common():
            where = next(
                one.number
                for one in self.faults
                if (one.reader, one.fault.split("\n")[0][:160]) == (reader, what)
            )
            lines.append(f"{n} x {reader} (the first is {where}): {what}")
        seconds = Counter()
        for one in self.all:
            seconds[one.reader] += one.seconds
        dearest = ", ".join(f"{name} {n:.0f}" for name, n in seconds.most_common(5))
        lines.append(f"{sum(seconds.values()):.0f} s of a processor: {dearest}")
        slowest = max(self.all, key=lambda one: one.seconds)
        lines.append(
            f"{len(self.all)} mutants, {len(self.faults)} faults; the slowest took "
            f"{slowest.seconds:.1f} s ({slowest.reader}, {slowest.kind})"
        )
        return "\n".join(lines)


class Harness:
    """Whole files of every kind, what each reader makes of its own, and mutants of them.

    Parameters
    ----------
    folder : Path
        Empty.
    seconds : int
        Of a processor, for each mutant.
    """

    def __init__(self, folder: Path, seconds: int = SECONDS):
        torch.set_num_threads(1)
        self.folder, self.seconds = folder, seconds
        self.readers = readers(folder / "whole")
        self.others = sorted({one.data for one in self.readers})
        self.expected = {}
        for one in self.readers:
            work = folder / "work"
            value = one.read(work, one.lay_out(work, None))
            used = one.use(work, value)
            wrong = one.sound(value, used)
            if wrong:
                raise Fault(f"{one.name}: a whole file was taken, and {wrong}")
            self.expected[one.name] = fingerprint(used)
            shutil.rmtree(work)

    def asking(self, name: str) -> "Harness":
        """Return one that asks a single reader."""
        found = copy.copy(self)
        found.readers = [one for one in self.readers if one.name == name]
        return found

    def plan(self, count: int, seed: int) -> list[tuple[Reader, str | None]]:
        """Return who reads each mutant, and which of them are special files."""
        r = random.Random(seed)
        product = [(one, kind) for one in self.readers for kind in SPECIAL]
        r.shuffle(product)
        product = product[: count // 8]
        weights = [one.weight for one in self.readers]
        rest = r.choices(self.readers, weights, k=count - len(product))
        return product + [(one, None) for one in rest]

    def mutant(self, reader: Reader, kind: str | None, number: int, seed: int) -> Mutant:
        if kind is not None:
            return special(kind)
        r = random.Random(f"{seed} {number}")
        return mutate(r, reader.form, reader.data, self.others, reader.keys)

    def run(self, count: int, seed: int = 0, only: int | None = None, told=None) -> Counts:
        """Let mutants be read, and count what becomes of them."""
        plan, found = self.plan(count, seed), Counts()
        waiting = list(range(count)) if only is None else [only]
        while waiting:
            batch = waiting[:BATCH]
            for one in self._batch(batch, plan, seed):
                found.all.append(one)
                waiting.remove(one.number)
                if told is not None:
                    told(one)
        return found

    def _batch(self, numbers: list[int], plan: list, seed: int) -> Iterator[Told]:
        """Read some in a process of its own; where that dies, the last one begun is to blame."""
        out, into = os.pipe()
        child = os.fork()
        if not child:
            os.close(out)
            try:
                self._child(numbers, plan, seed, into)
            finally:
                os._exit(99)
        os.close(into)
        begun = Told(numbers[0], plan[numbers[0]][0].name, outcome="begun")
        with open(out, "rb") as lines:
            waiting = bytearray()
            while True:
                ready, _, _ = select.select([lines], [], [], PATIENCE)
                data = os.read(lines.fileno(), 2**16) if ready else b""
                if not data:
                    break
                waiting += data
                *whole, rest = waiting.split(b"\n")
                waiting = bytearray(rest)
                for line in whole:
                    begun = Told(**json.loads(line))
                    if begun.outcome != "begun":
                        yield begun
            if not ready:
                os.kill(child, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if begun.outcome == "begun":
            begun.outcome = FAULT
            how = signal.Signals(-status).name if status < 0 else f"status {status}"
            begun.fault = (
                "waits for ever" if not ready
                else f"took more than {self.seconds} s" if status == -signal.SIGXCPU
                else f"the process ended with {how}"
            )  # fmt: skip
            yield begun

    def _child(self, numbers: list[int], plan: list, seed: int, into: int) -> None:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        noise = tempfile.TemporaryFile(dir=self.folder)  # noqa: SIM115 (to the end)
        for number in (1, 2):
            os.dup2(noise.fileno(), number)

        def tell(one: Told) -> None:
            os.write(into, json.dumps(vars(one)).encode() + b"\n")

        for number in numbers:
            reader, kind = plan[number]
            mutant = self.mutant(reader, kind, number, seed)
            one = Told(number, reader.name, mutant.group, mutant.kind, "begun")
            tell(one)
            used = resource.getrusage(resource.RUSAGE_SELF)
            limit = int(used.ru_utime + used.ru_stime) + self.seconds + 1
            resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))
            began, before = time.process_time(), os.fstat(noise.fileno()).st_size
            folder = Path(tempfile.mkdtemp(prefix="mutant", dir=self.folder)) / "f"
            try:
                one.outcome = self.judge(reader, mutant, folder)
            except Fault as fault:
                one.outcome, one.fault = FAULT, str(fault)
            except Exception as error:
                one.outcome, one.fault = FAULT, f"the harness itself: {_where(error)}"
            one.seconds = time.process_time() - began
            shutil.rmtree(folder.parent)
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            if os.fstat(noise.fileno()).st_size > before and one.outcome != FAULT:
                noise.seek(before)
                one.outcome, one.fault = FAULT, f"wrote {noise.read()[:300]!r}"
            tell(one)
        os._exit(0)

    def judge(self, reader: Reader, mutant: Mutant, folder: Path) -> str:
        """Let a mutant be read in a folder, and return what became of it.

        Raises
        ------
        Fault
            If that is something which may not be.
        """
        path = reader.lay_out(folder, mutant)
        before = {path: trace(path)}
        files = (one for one in folder.rglob("*") if path not in one.parents and one.is_file())
        before |= {one: trace(one) for one in files}
        handles = set(os.listdir("/proc/self/fd"))
        value = used = error = None
        read = False
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                value = reader.read(folder, path)
                read = True
                used = reader.use(folder, value)
            except FddkitError as found:
                error = str(found)
            except BaseException as found:
                raise Fault(_where(found)) from found
        if set(os.listdir("/proc/self/fd")) - handles:
            raise Fault("leaves a file open")
        _look_at(caught, path)
        if error is not None:
            wrong = unfit(error, path, named=not (read or (reader.works and mutant.forged)))
            if wrong:
                raise Fault(f"its message {wrong}")
        aside = self._kept(reader, mutant, path, before, caught, value)
        if error is not None:
            if aside:
                raise Fault(f"set aside, and yet refused: {error[:200]}")
            return "refused" if not read else "refused in use"
        same = reader.sealed and fingerprint(used) == self.expected[reader.name]
        if reader.remade and reader.sealed and (aside or not mutant.forged) and not same:
            raise Fault("made anew with another result")
        if reader.sealed and not mutant.forged and not same:
            raise Fault("says something else than was written, and was taken")
        if not aside:
            wrong = reader.sound(value, used)
            if wrong:
                raise Fault(f"was taken, and {wrong}")
        return "set aside, made anew" if aside else "taken, the same" if same else "taken, sound"

    def _kept(self, reader, mutant, path, before, caught, value) -> bool:
        """See that nothing is lost, and return whether the mutant was set aside."""
        for one, was in before.items():
            if one == path or one.suffix in reader.renewed or trace(one) == was:
                continue
            if was not in map(trace, one.parent.glob(f"{one.name}.damaged*")):
                raise Fault(f"{one.name} has changed")
        if trace(path) == before[path]:
            return False
        new = [one for one in path.parent.iterdir() if trace(one) == before[path]]
        if new:
            if not reader.remade or not new[0].name.startswith(f"{path.name}.damaged"):
                raise Fault(f"was renamed {new[0].name}")
            if not any(f"is kept as {new[0].name}" in str(one.message) for one in caught):
                raise Fault("set aside without a warning")
            return True
        if reader.works and mutant.forged and value is None:
            return False  # it was gone on from, and that went wrong
        if reader.lost(path.parents[reader.file.count("/")], mutant.data):
            raise Fault("is gone, or something else is in its place")
        return False


class Fault(Exception):
    """What may not become of a mutant."""


def _where(error: BaseException) -> str:
    frames = [
        one for one in traceback.extract_tb(error.__traceback__) if "tests/" not in one.filename
    ]
    own = [one for one in frames if "/fddkit/" in one.filename] or frames
    place = f"{Path(own[-1].filename).name}:{own[-1].lineno}" if own else "here"
    first = str(error).split("\n")[0][:200]
    trail = "".join(traceback.format_exception(error)[-12:])
    return f"{type(error).__name__} at {place}: {first}\n{trail[-3000:]}"


def _look_at(caught: list[warnings.WarningMessage], path: Path) -> None:
    """See that warnings are ours: sentences about the file."""
    for one in caught:
        text = str(one.message)
        ours = "is kept as" in text or text.startswith("this run was begun with")
        if one.category is not UserWarning or not ours:
            raise Fault(f"warns: {one.category.__name__} {text[:200]!r}")
        wrong = unfit(text, path, named=False)
        if wrong:
            raise Fault(f"its warning {wrong}")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--count", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="N", help="look at this one again")
    parser.add_argument("--reader", default="", help="ask only the reader of this name")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        harness = Harness(Path(folder))
        if given.reader:
            harness = harness.asking(given.reader)

        def told(one: Told) -> None:
            if one.outcome == FAULT:
                print(f"{one.number} {one.reader}, {one.kind}: {one.fault}", flush=True)
            elif one.number % 1000 == 999:
                print(f"{one.number + 1} mutants", flush=True)

        found = harness.run(given.count, given.seed, given.only, told)
    print(found)
    hostile = 0
    if given.only is None and not given.reader:
        print("hostile .pt files:", flush=True)
        tests = Path(__file__).parent / "data" / "test_hostile_pt.py"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "slow or not slow", str(tests)]
        hostile = subprocess.run(command).returncode
    return 1 if found.faults or hostile else 0


if __name__ == "__main__":
    sys.exit(main())
