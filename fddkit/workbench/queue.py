"""Distillations in the background, one after another: start, pause, resume, stop."""

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

_PATIENCE = 4.0  # seconds until a worker that does not stop is terminated


class Jobs:
    """A queue of jobs, and the process that works on it.

    Parameters
    ----------
    folder : path-like
        Where sets and reports are saved. Existing ones are not computed again.
    root : str
        The folder with the raw data.
    repeats : int
        Networks trained on each set.
    changed : callable, optional
        Called with a job whenever something about it has changed: on the event loop that runs
        where the queue was made, or else on a thread. Changes in a burst are reported once.
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
        self._impatient: threading.Timer | None = None  # terminates a worker that does not stop
        self._lock = threading.RLock()
        self._told: set[int] = set()
        try:
            self._loop: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
            # not on a thread that holds the lock: the callback may wait for a thread that wants it
            self._teller = ThreadPoolExecutor(1, "fddkit-jobs")
        self._closed = False
        self._start()
        atexit.register(self.close)

    def _start(self) -> None:
        """Start a worker, which prepares itself in the background."""
        self._ready = False
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=serve, args=(theirs,), name="fddkit-worker", daemon=True
        )
        self._process.start()
        theirs.close()  # so that we notice when the worker ends
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
        """Pause a running job; its state stays in memory, and on disk as of the last checkpoint."""
        self._say(job, "pause")

    def resume(self, job: Job) -> None:
        """Continue a paused job, or resume a stopped or failed one where it was."""
        with self._lock:
            if job.state == "paused":
                self._say(job, "resume")
            elif job.state in ("stopped", "failed"):
                job.state, job.error = "waiting", ""
                self._queue.append(job)
                self._next()

    def stop(self, job: Job) -> None:
        """Stop a job; submitting the same choice later resumes it."""
        with self._lock:
            if job in self._queue:
                self._queue.remove(job)
                self._end(job, "stopped")
            elif job is self._now and self._impatient is None:
                self._say(job, "stop")
                self._interrupt()  # in case it is not reading messages
                self._impatient = threading.Timer(_PATIENCE, self._process.terminate)
                self._impatient.daemon = True
                self._impatient.start()

    def wait(self, jobs: Iterable[Job] | None = None, seconds: float = 600.0) -> None:
        """Wait until jobs have ended, by default all of them.

        Parameters
        ----------
        jobs : iterable of Job, optional
            The jobs.
        seconds : float
            At most this long.

        Raises
        ------
        TimeoutError
            If they have not ended by then.
        """
        jobs, limit = list(self.all if jobs is None else jobs), time.monotonic() + seconds
        while any(job.state not in ENDED for job in jobs):
            if time.monotonic() > limit:
                raise TimeoutError(f"jobs still run after {seconds:g} s; stop them or wait longer")
            time.sleep(0.02)

    def close(self) -> None:
        """End the worker; its current run resumes where it was when it is submitted again."""
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
                with suppress(OSError):  # it has ended, as the listener will notice
                    self._pipe.send(word)

    def _interrupt(self) -> None:
        if os.name == "posix" and self._process.is_alive():
            os.kill(self._process.pid, signal.SIGINT)

    def _next(self) -> None:
        """Give the next order to the worker, if it is idle."""
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
            if self._impatient is not None:  # the same run may be resumed at once
                self._impatient.cancel()
                self._impatient = None
        self._tell(job)
        self._next()

    def _listen(self, pipe: Any, process: Any) -> None:
        """Process the messages of a worker until it ends, in a thread of its own."""
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
                self._end(self._now, "stopped")  # as it was asked to
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
        """Announce that a job has changed, once for all changes until `_hear` runs."""
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
