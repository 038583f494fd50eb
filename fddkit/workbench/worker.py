"""The explorer's other process, which distils, evaluates and reports its progress.

It is a process and not a thread, so that sliders stay quick while it computes, it can be stopped
anywhere, and nothing of it stays in the kernel's memory.
"""

import signal
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from ..core.processes import end_with
from .choice import Choice

_BETWEEN = 0.4  # seconds between two frames: drawing them slows the run


@dataclass(frozen=True)
class Order:
    """What the worker has to do.

    Attributes
    ----------
    choice : Choice
        What to distil.
    root, folder : str
        Folders of the raw data and of the results.
    repeats : int
        Networks to train on the set.
    mine : bytes
        Registered entries, see `fddkit.core.entries.ship`.
    """

    choice: Choice
    root: str
    folder: str
    repeats: int
    mine: bytes = b""

    @property
    def out(self) -> Path:
        """Where the set is saved; its report lies beside it."""
        return Path(self.folder) / f"{self.choice.name}.safetensors"

    @property
    def report(self) -> Path:
        """Where the report is saved; another number of networks is another report."""
        return self.out.with_suffix(f".x{self.repeats}.json")


class _Link:
    """The worker's end of the pipe, which an interrupt never leaves with half a message."""

    def __init__(self, pipe: Connection):
        self.pipe = pipe
        self.working = self.sending = self.asked = self.over = False
        self._last = 0.0

    def interrupt(self, *_: object) -> None:
        """Stop the work, if there is any (a signal handler)."""
        if not self.working:
            return
        if self.sending:
            self.asked = True
        else:
            raise KeyboardInterrupt

    def send(self, kind: str, **content: Any) -> None:
        """Send a whole message, even if interrupted meanwhile."""
        self.sending = True
        try:
            self.pipe.send((kind, content))
        finally:
            self.sending = False
        if self.asked:
            self.asked = False
            raise KeyboardInterrupt

    def due(self) -> bool:
        """Return whether it is time for another frame."""
        if time.monotonic() - self._last < _BETWEEN:
            return False
        self._last = time.monotonic()
        return True

    def obey(self) -> None:
        """Obey the messages received since: stop, or wait until resumed."""
        paused = False
        while paused or self.pipe.poll():
            word = self.pipe.recv()
            self.over = word == "end"
            if word in ("stop", "end"):
                raise KeyboardInterrupt
            if (word == "pause") != paused:
                paused = word == "pause"
                self.send("paused" if paused else "resumed")


def serve(pipe: Connection) -> None:
    """Work until told to end, or until the other end of the pipe is closed.

    Parameters
    ----------
    pipe : Connection
        Delivers orders and the words ``stop``, ``pause``, ``resume`` and ``end``; takes messages.
    """
    link = _Link(pipe)
    end_with(parent_process().pid)
    signal.signal(signal.SIGINT, link.interrupt)
    from tqdm.auto import tqdm

    # tqdm's own lock is a semaphore of the system, which a killed process would leave behind
    tqdm.set_lock(threading.RLock())
    from ..data import loading

    loading.load("digits")
    link.send("ready")
    with suppress(EOFError, OSError):  # the other end is closed
        while True:
            order = pipe.recv()
            if isinstance(order, Order):
                _answer(link, order)
            if order == "end" or link.over:
                return  # any other word came after the work had ended


def _answer(link: _Link, order: Order) -> None:
    """Carry out an order, and report how it ended."""
    from ..core.entries import receive
    from ..core.errors import FddkitError

    try:
        receive(order.mine)
        link.working = True
        try:
            found = _work(link, order)
        finally:
            link.working = False
        link.send("finished", **found)
    except KeyboardInterrupt:
        link.send("stopped")
    except (FddkitError, MemoryError) as error:
        link.send("failed", error=str(error) or "there is not enough memory; use a smaller preset")
    except BrokenPipeError:
        raise
    except Exception as error:  # whoever reads the message does not need a traceback
        link.send("failed", error=f"{type(error).__name__}: {error}")


def _known(path: Path, data: Any) -> Any:
    """Return the saved report, if it is that of this same set."""
    from ..core.files import keep_whole
    from ..evaluation.report import FairnessReport

    report = keep_whole(path, FairnessReport.load)
    return report if report is not None and report.config.get("data") == data.config else None


def _work(link: _Link, order: Order) -> dict[str, Any]:
    """Distil and evaluate."""
    from ..core.files import keep_whole
    from ..data.distilled import DistilledSet
    from ..data.loading import load
    from ..distillers.distill import Progress, distill
    from ..distillers.recorder import pixels
    from ..evaluation.evaluate import Tested, evaluate

    choice = order.choice
    link.send("stage", stage="reading the data")
    train, test = load(**choice.data(order.root))
    link.send("stage", stage="distilling")

    losses: dict[int, float] = {}

    def look(progress: Progress) -> None:
        link.obey()
        losses[progress.iteration] = progress.loss
        last = progress.iteration == progress.iterations
        if link.due() or progress.iteration == 1 or last:
            frame = (pixels(train, progress.images) * 255).round().byte().numpy()
            link.send(
                "frame",
                step=progress.iteration,
                total=progress.iterations,
                losses=dict(losses),
                frame=frame,
            )
            losses.clear()

    own = {} if choice.baseline else {"sampling": choice.sampling}
    made = {"method": choice.method, "fairness": choice.fairness, "ipc": choice.ipc}
    quiet = {"preset": choice.preset, "seed": choice.seed, "progress": False}
    keep = None if choice.baseline else order.out
    order.out.parent.mkdir(parents=True, exist_ok=True)
    keep_whole(order.out, DistilledSet.load)
    data = distill(
        train, **made, **quiet, **own, out=keep, callback=look, every=1, checkpoint_seconds=5
    )
    # a baseline as large as the training set itself is not saved again
    if keep is None and choice.sized:
        data.save(order.out)
    link.send("stage", stage="training networks on it")

    def count(tested: Tested) -> None:
        link.obey()
        if link.due() or tested.report is not None:
            link.send("tested", done=tested.epoch, total=tested.epochs, report=tested.report)

    report = _known(order.report, data)
    if report is None:
        report = evaluate(data, test, repeats=order.repeats, **quiet, callback=count)
        report.save(order.report)
    return {"out": str(order.out) if choice.sized else None, "report": str(order.report)}
