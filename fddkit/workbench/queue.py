"""Distillations in the background, one after the other: start, pause, go on, stop, never lose."""

import asyncio
import atexit
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from typing import Any

from ..core.entries import ship
from ..core.errors import FddkitError
from .choice import Choice
from .jobs import ENDED, Job
from .worker import Order, serve

_PATIENCE = 4.0  # seconds until a worker that does not stop is ended


class Jobs:
    """A queue, and the process that works on it.

    Parameters
    ----------
    folder : path-like
        Where sets and reports are saved. One that is there is not computed again.
    root : str
        The folder with the raw data.
    repeats : int
        Networks trained on each set.
    changed : callable, optional
        Called with a job whenever something about it is new: on the event loop that runs where
        the queue was made, or else on a thread. What happens in a burst is told once.
    """

    def __init__(
        self,
        folder: str | os.PathLike = "reports/explore",
        root: str = "data",
        repeats: int = 3,
        changed: Callable[[Job], object] = lambda job: None,
    ):
        self.folder, self.root, self.repeats, self.changed = str(folder), root, repeats, changed
        self.all: list[Job] = []
        self._queue: deque[Job] = deque()
        self._now: Job | None = None
        self._impatient: threading.Timer | None = None  # ends a worker that does not stop
        self._lock = threading.RLock()
        self._told: set[int] = set()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
            # never on a thread that holds the lock: who hears it may wait for one who wants it
            self._teller = ThreadPoolExecutor(1, "fddkit-jobs")
        self._closed = False
        self._start()
        atexit.register(self.close)

    def _start(self) -> None:
        """Start a worker; it makes itself ready while nobody waits."""
        self._ready = False
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs,), name="fddkit-worker", daemon=True
        )
        self._process.start()
        theirs.close()  # so that its end is noticed here
        threading.Thread(target=self._listen, args=(self._pipe, self._process), daemon=True).start()

    def submit(self, choice: Choice) -> Job:
        """Queue a choice and return its job.

        Parameters
        ----------
        choice : Choice
            What to distil.

        Returns
        -------
        Job

        Raises
        ------
        FddkitError
            If the queue has been closed.
        """
        if self._closed:
            raise FddkitError("this explorer has been closed; run its cell again")
        job = Job(Order(choice, self.root, self.folder, self.repeats, ship()))
        with self._lock:
            self.all.append(job)
            self._queue.append(job)
            self._next()
        return job

    def pause(self, job: Job) -> None:
        """Let a running job rest; what it holds stays in memory, and on disk from time to time."""
        self._say(job, "pause")

    def resume(self, job: Job) -> None:
        """Let a paused job go on, or take a stopped one up where it was."""
        with self._lock:
            if job.state == "paused":
                self._say(job, "resume")
            elif job.state in ("stopped", "failed"):
                job.state, job.error = "waiting", ""
                self._queue.append(job)
                self._next()

    def stop(self, job: Job) -> None:
        """End a job; the same choice later goes on where it stopped."""
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                self._end(job, "stopped")
            elif job is self._now and self._impatient is None:
                self._say(job, "stop")
                self._interrupt()  # also where it does not look at words
                self._impatient = threading.Timer(_PATIENCE, self._process.terminate)
                self._impatient.daemon = True
                self._impatient.start()

    def wait(self, jobs: Iterable[Job] | None = None, seconds: float = 600.0) -> None:
        """Wait until jobs have ended, by default all of them.

        Parameters
        ----------
        jobs : iterable of Job, optional
            Which.
        seconds : float
            At most.

        Raises
        ------
        TimeoutError
            If they have not.
        """
        jobs, limit = list(self.all if jobs is None else jobs), time.monotonic() + seconds
        while any(job.state not in ENDED for job in jobs):
            if time.monotonic() > limit:
                raise TimeoutError(f"not ended after {seconds:g} s; stop it or wait longer")
            time.sleep(0.02)

    def close(self) -> None:
        """End the worker; a run that it was at goes on where it was when it is asked for again."""
        if self._closed:
            return
        with self._lock:
            self._closed = True
            self._queue.clear()
        atexit.unregister(self.close)
        if self._ready:
            with suppress(OSError):
                self._pipe.send("end")
            if self._now is not None:
                self._interrupt()
            self._process.join(_PATIENCE)
        if self._process.is_alive():
            self._process.terminate()
            self._process.join()
        self._pipe.close()
        if self._loop is None:
            self._teller.shutdown(wait=False)

    def _say(self, job: Job, word: str) -> None:
        with self._lock:
            if job is self._now:
                with suppress(OSError):  # it has ended, as the listener is about to learn
                    self._pipe.send(word)

    def _interrupt(self) -> None:
        if os.name == "posix" and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGINT)

    def _next(self) -> None:
        """Hand the next order to the worker, if it has none."""
        if self._now is None and self._queue and not self._closed:
            self._now = self._queue.popleft()
            self._now.state, self._now.stage = "running", "starting"
            self._now.step = self._now.total = 0
            self._pipe.send(self._now.order)
            self._tell(self._now)

    def _end(self, job: Job, state: str) -> None:
        job.state, job.stage = state, ""
        if job is self._now:
            self._now = None
            if self._impatient is not None:  # the same run may go on at once
                self._impatient.cancel()
                self._impatient = None
        self._tell(job)
        self._next()

    def _listen(self, pipe: Any, process: Any) -> None:
        """Take in what a worker says, until it ends; runs in a thread of its own."""
        while True:
            try:
                kind, content = pipe.recv()
            except (EOFError, OSError):
                break
            with self._lock:
                self._ready = True
                if self._now is not None:
                    self._take(self._now, kind, content)
        with self._lock:
            if self._closed or process is not self._process:
                return
            self._start()
            if self._now is not None and self._impatient is not None:
                self._end(self._now, "stopped")  # as it was told to
            elif self._now is not None:
                job, self._now.error = self._now, "its process ended, perhaps for lack of memory"
                self._end(job, "failed")

    def _take(self, job: Job, kind: str, content: dict[str, Any]) -> None:
        job.take(kind, content)
        if kind in ENDED:
            self._end(job, kind)
        else:
            self._tell(job)

    def _tell(self, job: Job) -> None:
        """Say that a job has changed, once for all that happens until it is heard."""
        if id(job) in self._told or self._closed or (self._loop and self._loop.is_closed()):
            return
        self._told.add(id(job))
        if self._loop is None:
            self._teller.submit(self._hear, job)
        else:
            self._loop.call_soon_threadsafe(self._hear, job)

    def _hear(self, job: Job) -> None:
        self._told.discard(id(job))
        self.changed(job)
