"""One distillation and its test: what was ordered, its progress and its result."""

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..data.distilled import DistilledSet
from ..evaluation.report import FairnessReport
from .choice import Choice
from .worker import Order

_FRAMES = 16  # kept per run: enough for a trajectory, few enough for twenty runs
ENDED = ("finished", "stopped", "failed")


@dataclass(eq=False)
class Job:
    """One distillation and its test.

    Attributes
    ----------
    order : Order
        What to do.
    state : {"waiting", "running", "paused", "stopped", "finished", "failed"}
        A stopped job can be resumed.
    stage : str
        What is being done now, in words.
    step, total : int
        Steps on the images (or epochs of the test) that are done, and all of them.
    losses : dict of int to float
        Step -> matching loss.
    frames : dict of int to array
        Step -> the synthetic images at that step, uint8 [M, C, H, W]; a few, including the first
        and the last.
    tested : FairnessReport or None
        Report on the networks tested so far; `fairness` returns the final one.
    error : str
        Why it failed.
    out, report : Path or None
        What was saved.
    """

    order: Order
    state: str = "waiting"
    stage: str = ""
    step: int = 0
    total: int = 0
    losses: dict[int, float] = field(default_factory=dict)
    frames: dict[int, np.ndarray] = field(default_factory=dict)
    tested: FairnessReport | None = None
    error: str = ""
    out: Path | None = None
    report: Path | None = None
    _since: tuple[float, int] = (0.0, 0)

    @property
    def choice(self) -> Choice:
        """What was chosen."""
        return self.order.choice

    @property
    def seconds_left(self) -> float | None:
        """Time left in this stage, at its pace so far; None while that is unknown."""
        start, first = self._since
        done = self.step - first
        if self.state != "running" or done < 2 or not self.total:
            return None
        return (time.monotonic() - start) / done * (self.total - self.step)

    def distilled(self) -> DistilledSet:
        """Load the set."""
        return DistilledSet.load(self.out)

    def fairness(self) -> FairnessReport:
        """Load the report."""
        return FairnessReport.load(self.report)

    def take(self, kind: str, content: dict[str, Any]) -> None:
        """Process a message of the worker about this job, see `fddkit.workbench.worker.serve`.

        Parameters
        ----------
        kind : str
            ``stage``, ``frame``, ``tested``, ``paused``, ``resumed`` or one of `ENDED`.
        content : dict
            The content of the message.
        """
        if kind == "stage":
            self.stage, self.step, self.total = content["stage"], 0, 0
            self._since = (time.monotonic(), 0)
        elif kind == "frame":
            self.step, self.total = content["step"], content["total"]
            self.losses |= content["losses"]
            self.frames[self.step] = content["frame"]
            if len(self.frames) > _FRAMES:
                _thin(self.frames)
            if self._since[1] == 0:  # a resumed run does not begin at step 1
                self._since = (time.monotonic(), self.step)
        elif kind == "tested":
            self.step, self.total = content["done"], content["total"]
            self.tested = content["report"] or self.tested
        elif kind in ("paused", "resumed"):
            self.state = "paused" if kind == "paused" else "running"
            self._since = (time.monotonic(), self.step)
        elif kind in ENDED:
            self.error = content.get("error", "")
            self.out = content.get("out") and Path(content["out"])
            self.report = content.get("report") and Path(content["report"])


def _thin(frames: dict[int, np.ndarray]) -> None:
    """Drop the frame that is missed least: the one whose neighbours are closest."""
    steps = sorted(frames)
    threes = zip(steps, steps[1:], steps[2:], strict=False)
    del frames[min(threes, key=lambda three: three[2] - three[0])[1]]
