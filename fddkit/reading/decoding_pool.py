"""Chunks of image files decoded by several processes, or by threads if there are few.

Small images are mostly work for the interpreter, whose lock threads take turns at; processes do
not, but each takes a fifth of a second to start. They are Python anew, not a copy of this one,
which would be dangerous where torch has threads; and they end with it.
"""

import json
import os
import signal
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from queue import SimpleQueue
from threading import Lock

import numpy as np

from ..core.reading import clip
from .chunks import Chunk, decode_chunk
from .decoding import quiet
from .frame import Frame

FEW = 1024  # files that are decoded sooner than processes start
MOST = 16  # processes by default; each takes 40 MB
_CHILD = Path(__file__).with_name("decoding_child.py")
_ONE_THREAD = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}  # numpy starts them at once


def default_workers() -> int:
    """Return the number of cores that this process may use, at most `MOST`."""
    if hasattr(os, "sched_getaffinity"):
        return min(MOST, len(os.sched_getaffinity(0)))
    return min(MOST, os.cpu_count() or 1)


def decode_chunks(
    chunks: Sequence[Sequence[str]], frame: Frame, workers: int
) -> Iterator[tuple[int, Chunk]]:
    """Decode chunks of files, in any order.

    Parameters
    ----------
    chunks : sequence of sequence of str
        The paths.
    frame : Frame
        What to make of each file.
    workers : int
        How many chunks are decoded at a time; 1: in this process.

    Yields
    ------
    position : int
        Of the chunk.
    chunk : Chunk
    """
    apart = workers > 1 and sum(map(len, chunks)) > FEW
    workers = max(1, min(workers, len(chunks)))
    free: SimpleQueue[Callable[[Sequence[str]], Chunk]] = SimpleQueue()
    children = [_Child(frame) for _ in range(workers if apart else 0)]
    for i in range(workers):
        free.put(children[i].decode if apart else lambda paths: decode_chunk(paths, frame))

    def decoded(paths: Sequence[str]) -> Chunk:
        worker = free.get()
        try:
            return worker(paths)
        finally:
            free.put(worker)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="decode")
    try:
        with quiet():
            # few at a time: whatever has been decoded waits in memory for the caller
            waiting: dict[Future, int] = {}
            for i, paths in enumerate(chunks):
                waiting[pool.submit(decoded, paths)] = i
                if len(waiting) > 2 * workers:
                    yield _first(waiting)
            while waiting:
                yield _first(waiting)
        for reason in {child.refusal for child in children if child.refusal}:
            warnings.warn(
                f"a process that decodes images does not start ({reason}); this one decoded, "
                "which takes longer",
                stacklevel=2,
            )
    finally:
        for child in children:
            child.close()
        pool.shutdown(cancel_futures=True)


def _first(waiting: dict[Future, int]) -> tuple[int, Chunk]:
    """Wait for one of the chunks, and take it out."""
    future = wait(waiting, return_when=FIRST_COMPLETED).done.pop()
    return waiting.pop(future), future.result()


class _Ended(Exception):
    """A process has ended before it answered; says how."""


class _Child:
    """A process that decodes for one thread of this one; started, and replaced, when needed.

    Attributes
    ----------
    refusal : str
        Why it does not start here, as in a program that embeds Python; then this one decodes.
    """

    def __init__(self, frame: Frame):
        self.refusal = ""
        self._frame = frame
        self._process: subprocess.Popen | None = None
        self._lock, self._closed = Lock(), False

    def decode(self, paths: Sequence[str]) -> Chunk:
        """Decode some files; one that ends its process twice is a fault, and the others are not."""
        try:
            return self._ask(paths)
        except _Ended as error:
            if self._closed:
                raise
            if len(paths) > 1:
                middle = len(paths) // 2
                return _joined(self.decode(paths[:middle]), self.decode(paths[middle:]))
            with suppress(_Ended):
                return self._ask(paths)
            reason = f"decoding it ends the process that does ({error}); make it again"
            # one that the system has ended, most often for want of memory, may do the next time
            passing = str(error) == "SIGKILL"
            return Chunk(np.zeros((1, *self._frame.shape), np.uint8), {"0": reason}, {}, passing)

    def close(self) -> None:
        """End the process, whatever it does; no other is started."""
        with self._lock:
            self._closed = True
        self._end()

    def _ask(self, paths: Sequence[str]) -> Chunk:
        if self._process is None and not self.refusal:
            self.refusal = self._start() and self._start()
        process = self._process
        if self.refusal:
            return decode_chunk(paths, self._frame)
        pixels = np.empty((len(paths), *self._frame.shape), dtype=np.uint8)
        with suppress(OSError, ValueError, AttributeError):  # it has ended, or was closed
            process.stdin.write(json.dumps(list(paths)).encode() + b"\n")
            process.stdin.flush()
            said = process.stdout.readline()
            if said.endswith(b"\n") and process.stdout.readinto(pixels) == pixels.nbytes:
                return Chunk(pixels, *json.loads(said))
        raise _Ended(self._end())

    def _start(self) -> str:
        """Start the process; return why it does not, or nothing."""
        # it looks for packages where this process does, and has the same encoding of file names
        order = {"frame": asdict(self._frame), "parent": os.getpid()}
        order["path"] = list(map(str, sys.path))
        utf8 = f"utf8={sys.flags.utf8_mode}"
        try:
            with self._lock:
                if self._closed:
                    raise _Ended("closed")
                self._process = process = subprocess.Popen(
                    [sys.executable or "", "-I", "-S", "-X", utf8, _CHILD],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.DEVNULL,
                    env=os.environ | _ONE_THREAD,
                )
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
            if process.stdout.readline() == b"ready\n":
                return ""
            reason = self._end()
        except (OSError, ValueError) as error:
            reason = clip(error)
            self._end()
        if self._closed:
            raise _Ended(reason)
        return reason

    def _end(self) -> str:
        """End the process, and return how it ended."""
        process, self._process = self._process, None
        if process is None:
            return "closed"
        process.kill()
        code = process.wait()
        for stream in (process.stdin, process.stdout):
            with suppress(OSError):  # what it was not told any more
                stream.close()
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"status {code}"


def _joined(first: Chunk, second: Chunk) -> Chunk:
    faults = first.faults | {str(int(i) + len(first.pixels)): s for i, s in second.faults.items()}
    notes = dict(Counter(first.notes) + Counter(second.notes))
    pixels = np.concatenate([first.pixels, second.pixels])
    return Chunk(pixels, faults, notes, first.passing or second.passing)
