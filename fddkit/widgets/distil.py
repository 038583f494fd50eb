"""The panel that runs `fddkit.distillers.distill` and shows the images as they form."""

from collections.abc import Callable

import ipywidgets as w
import torch
from markupsafe import Markup

from ..core.errors import FddkitError
from ..data.catalogue import CATALOGUE
from ..evaluation.report import FairnessReport
from ..workbench.choice import Choice
from ..workbench.jobs import ENDED, Job
from ..workbench.queue import Jobs
from . import results
from .grid import Grid
from .html import HTML
from .turns import in_turn

_SIGNS = {
    "waiting": "waiting",
    "running": "▶ running",
    "paused": "⏸ paused",
    "stopped": "■ stopped",
    "finished": "✓ finished",
    "failed": "✗ failed",
}


class Distil:
    """Buttons, progress, images, and the result.

    Parameters
    ----------
    jobs : Jobs
        The queue.
    chosen : callable
        Returns the choice that the button distils.
    finished : callable
        Called with a finished job and its report.
    hidden : callable, optional
        Returns whether the result of a job must not be shown yet.

    Attributes
    ----------
    box : Widget
        What is displayed.
    job : Job or None
        The job that is shown.
    """

    def __init__(
        self,
        jobs: Jobs,
        chosen: Callable[[], Choice],
        finished: Callable[[Job, FairnessReport], object],
        hidden: Callable[[Job], bool] = lambda job: False,
    ):
        self.jobs, self._chosen, self._finished, self._hidden = jobs, chosen, finished, hidden
        self.job: Job | None = None
        self._seen: set[int] = set()
        self._shown = 0  # networks whose rates are shown
        self.start = _button("Distil", "primary", "Distil with these settings", self._start)
        self.pause = _button("Pause", "", "Pause the run, to resume it later", self._pause)
        self.stop = _button("Stop", "warning", "Stop the run; it can be resumed", self._stop)
        self.next = HTML()
        self.runs = w.Select(
            options=[],
            rows=4,
            description="runs",
            tooltip="The runs of this session",
            layout=w.Layout(width="520px"),
            style={"description_width": "40px"},
        )
        self.runs.observe(self._look, "value")
        self.bar = w.FloatProgress(min=0, max=1, layout=w.Layout(width="360px"))
        self.says = HTML("Nothing has been distilled yet.")
        self.images, self.course, self.rates = Grid(), HTML(), HTML()
        self.box = w.VBox(
            [
                self.next,
                w.HBox([self.start, self.pause, self.stop, self.runs]),
                w.HBox([self.bar, self.says]),
                w.HBox(
                    [w.VBox([self.images, self.course]), self.rates],
                    layout=w.Layout(flex_flow="row wrap", grid_gap="18px"),
                ),
            ]
        )
        self._buttons()

    @in_turn
    def draw(self, choice: Choice) -> None:
        """Say what the button will distil."""
        self.next.value = Markup("Distil: <b>{}</b>").format(choice.title)

    def submit(self, choice: Choice) -> Job:
        """Queue a choice and show its job."""
        job = self.jobs.submit(choice)
        self._list()
        self.runs.value = job
        return job

    @in_turn
    def changed(self, job: Job) -> None:
        """Show what is new about a job."""
        if job.state == "finished" and id(job) not in self._seen:
            self._seen.add(id(job))
            self._finished(job, job.fairness())
        if job.state in ENDED:
            self._list()
        waiting = self.job is None or self.job.state in ENDED
        if job.state == "running" and waiting and job is not self.job:
            self._list()
            self.runs.value = job  # the next one of the queue has begun
        elif job is self.job:
            self._show()

    @in_turn
    def _start(self) -> None:
        try:
            self.submit(self._chosen())
        except FddkitError as error:
            self.says.value = str(error)

    @in_turn
    def _pause(self) -> None:
        if self.job is not None:
            act = self.jobs.pause if self.job.state == "running" else self.jobs.resume
            act(self.job)
            self._show()

    @in_turn
    def _stop(self) -> None:
        if self.job is not None:
            self.jobs.stop(self.job)

    def _list(self) -> None:
        """Refresh the list of runs, keeping the selection."""
        looked = self.job
        options = [
            (f"{_SIGNS[job.state]}: {job.choice.title}", job) for job in reversed(self.jobs.all)
        ]
        if [name for name, _ in options] == [name for name, _ in self.runs.options]:
            return
        self.runs.unobserve(self._look, "value")
        self.runs.options = options
        self.runs.value = looked if looked in self.jobs.all else None
        self.runs.observe(self._look, "value")

    @in_turn
    def _look(self, change: dict) -> None:
        self.job = change["new"]
        self.images.selected = -1
        self.rates.value, self._shown = "", 0
        self._show()

    def _show(self) -> None:
        job = self.job
        if job is None:
            return
        self.bar.value = job.step / job.total if job.total else 0.0
        self.bar.bar_style = {"finished": "success", "failed": "danger"}.get(job.state, "info")
        if job.state == "finished":
            self.bar.value = 1.0
        self.says.value = _state(job)
        names = CATALOGUE[job.choice.dataset].target_names
        if job.frames:
            last = max(job.frames)
            frame = torch.from_numpy(job.frames[last])
            if len(frame) % len(names) == 0:
                alt = f"synthetic images after {last} steps, a row for each class"
                self.images.show(frame, names, alt)
        elif job.out is not None:
            alt = "distilled images, a row for each class"
            self.images.show(job.distilled().pixels(), names, alt)
        self.course.value = results.curve(job.losses, max(job.losses, default=0), _rule(job))
        if job.state == "running" and job.stage == "distilling":
            self.course.value = results.curve(job.losses, job.total, _rule(job))
        report = job.fairness() if job.state == "finished" else job.tested
        networks = 0 if report is None or self._hidden(job) else len(report.counts)
        if networks > self._shown:
            self._shown = networks
            self.rates.value = results.rates(report)
        self._buttons()
        self._list()

    def _buttons(self) -> None:
        state = self.job.state if self.job else ""
        resumable = state in ("paused", "stopped", "failed")
        self.pause.description = "Resume" if resumable else "Pause"
        self.pause.icon = "play" if resumable else "pause"
        distilling = state == "running" and self.job.choice.sized
        self.pause.disabled = not (resumable or distilling)
        self.stop.disabled = state not in ("running", "paused", "waiting")


def _rule(job: Job) -> str:
    return job.choice.method if job.choice.baseline else job.choice.fairness


def _state(job: Job) -> str:
    """Describe the progress of a job."""
    if job.state == "failed":
        return Markup("<b>failed</b>: {}").format(job.error)
    if job.state != "running":
        return {
            "waiting": "waiting for the run before it to end",
            "paused": f"paused at step {job.step} of {job.total}",
            "stopped": "stopped; Resume continues where it was",
            "finished": f"finished; saved as {job.out or job.report}",
        }[job.state]
    count = f" {job.step} of {job.total}" if job.total else ""
    left = job.seconds_left
    rest = "" if left is None else f", about {left:.0f} s left"
    return f"{job.stage}{count}{rest}"


def _button(title: str, style: str, tip: str, act: Callable[[], object]) -> w.Button:
    button = w.Button(
        description=title, button_style=style, tooltip=tip, layout=w.Layout(width="100px")
    )
    button.on_click(lambda _: act())
    return button
