"""The explorer: one choice, and everything that follows from it."""

import base64
import io
import os
from pathlib import Path
from typing import Any

import ipywidgets as w
from markupsafe import Markup

from .. import plots
from ..core.errors import FddkitError
from ..evaluation.report import FairnessReport
from ..plots import Figure
from ..workbench.choice import Choice
from ..workbench.jobs import Job
from ..workbench.queue import Jobs
from ..workbench.scenes import Bench
from . import results
from .classroom import Classroom
from .controls import Controls
from .distil import Distil
from .frontend import interactive
from .html import HTML
from .inspector import Inspector
from .live import Live
from .past import Past
from .turns import in_turn

#: What each figure of `Explorer.figures` shows.
CAPTIONS = {
    "gallery": "Random images of the training set at this bias ratio.",
    "groups": "Number of images of each class (row) and group (column).",
    "targets": "The groups of a class and the targets of the rules, in the plane of the groups.",
    "images": "Synthetic images of the latest runs, at most five of each class.",
    "losses": "Matching loss of each run.",
    "rates": "True-positive rate of each class and group; fair rows have a single colour.",
    "comparison": "Accuracy and unfairness of each run, with 95% intervals over networks.",
    "tradeoff": "Unfairness against accuracy; the best corner is the lower right.",
}
_TABS = ("Distil", "Look at an image", "Compare", "Classroom", "Finished runs", "Take away")


class Explorer:
    """Drag BR, IPC and GAP, distil, compare.

    A new explorer closes the previous one, so that running its cell again leaves no process behind.

    Parameters
    ----------
    choice : Choice, optional
        Its initial state.
    root : str
        The folder with the raw data.
    reports : path-like
        The folder of all runs; sets distilled here are saved in its subfolder ``explore``.
    repeats : int
        Networks trained on each set.
    live : bool, optional
        Whether to show widgets or, instead, figures; by default `interactive` decides.

    Attributes
    ----------
    live : bool
        Whether widgets are shown.
    controls, panels, distil, inspector, classroom, past
        The parts.
    found : dict of str to FairnessReport
        Title -> report of every finished run.

    Examples
    --------
    >>> import tempfile
    >>> from fddkit.widgets import Choice, Explorer
    >>> desk = Explorer(Choice(br=0.9))  # doctest: +SKIP
    >>> desk  # shows the widgets  # doctest: +SKIP

    Without anyone to drag a slider, it gives figures:

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     desk = Explorer(Choice(br=0.9), reports=folder, live=False)
    ...     sorted(desk.figures())
    ...     desk.close()
    ['gallery', 'groups', 'targets']
    """

    _open: "Explorer | None" = None

    def __init__(
        self,
        choice: Choice | None = None,
        root: str = "data",
        reports: str | os.PathLike = "reports",
        repeats: int = 2,
        live: bool | None = None,
    ):
        if Explorer._open is not None:
            Explorer._open.close()
        Explorer._open = self
        self.live = interactive() if live is None else live
        root, reports = str(_home(root)), _home(reports)
        self.root = root
        self.found: dict[str, FairnessReport] = {}
        self._done: dict[str, Job] = {}
        self.bench = Bench(root)
        self.controls = Controls(choice or Choice(), root)
        self.jobs = Jobs(reports / "explore", root, repeats, changed=self._changed)
        self.panels = Live(self.bench)
        self.inspector = Inspector(self.bench)
        self.classroom = Classroom(
            self.controls.apply, lambda: self.choice, self._submit, self._revealed
        )
        self.distil = Distil(self.jobs, lambda: self.choice, self._finished, self.classroom.hides)
        self.past = Past(str(reports))
        self.compare, self.scatter = HTML(results.table({})), w.Image(format="png")
        self.scatter.layout = w.Layout(width="440px", display="none")
        self.cell, self.command = (
            w.Textarea(layout=w.Layout(width="640px", height=height))
            for height in ("190px", "70px")
        )
        self.tabs = w.Tab([self._tab(name) for name in _TABS], titles=_TABS)
        self.box = w.VBox(
            [
                w.HBox([self.controls.box, self.panels.box]),
                self.tabs,
            ]
        )
        self.controls.observe(lambda _: self._moved(), "choice")
        self.distil.images.observe(self._clicked, "selected")
        self.tabs.observe(lambda _: self._moved(), "selected_index")
        self._moved()

    @property
    def choice(self) -> Choice:
        """What the controls say."""
        return self.controls.choice

    def run(self, *rules: str) -> None:
        """Distil and test under several rules and wait, as a headless notebook does."""
        jobs = [self.distil.submit(self.choice.with_(fairness=rule)) for rule in rules]
        self.jobs.wait(jobs)
        for job in jobs:
            if job.state == "failed":
                raise FddkitError(job.error)
            self._changed(job)

    def close(self) -> None:
        """Stop everything that runs in the background."""
        self.jobs.close()

    @in_turn
    def figures(self) -> dict[str, Figure]:
        """Return a figure for print of every panel, in its current state.

        Returns
        -------
        dict of str to Figure
            ``gallery``, ``groups`` and ``targets``; once a run has finished also ``images``,
            ``losses``, ``rates``, ``comparison`` and ``tradeoff``.
        """
        choice, scene = self.choice, self.panels.scene
        if scene is None:
            return {}
        train = self.bench.canvas(choice).at(choice.br)
        y = self.panels.shown.value or 0
        drawn = {
            "gallery": plots.gallery(train, min(choice.ipc, 12), choice.seed),
            "groups": plots.group_table(train),
            "targets": plots.targets(
                scene.stats, scene.group_names, (y,), scene.target_names, list(scene.centres)
            ),
        }
        if self.found:
            short = _short(list(self.found))
            found = {short[title]: report for title, report in self.found.items()}
            runs = {short[title]: job for title, job in self._done.items()}
            sets = {title: job.distilled() for title, job in runs.items() if job.out}
            lost = {t: s.loss for t, s in sets.items() if len(s.loss)}
            if sets:
                drawn["images"] = plots.sets(dict(list(sets.items())[-3:]), per_class=5)
            if lost:
                drawn["losses"] = plots.losses(lost)
            drawn["rates"] = plots.rates(found)
            drawn["comparison"] = plots.comparison(found)
            drawn["tradeoff"] = plots.tradeoff(found)
        return drawn

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        """Return the widgets, and figures for front ends that cannot show them."""
        figures = (_img(figure, name) for name, figure in self.figures().items())
        still = Markup().join(map(Markup("<p>{}</p>").format, figures))
        hint = Markup("<p>Interactive in JupyterLab: <code>make lab</code>.</p>")
        still = {"text/html": still + hint, "text/plain": f"Explorer({self.choice.title})"}
        return (self.box._repr_mimebundle_() if self.live else {}) | still

    def _submit(self, choice: Choice) -> Job:
        return self.distil.submit(choice)

    @in_turn
    def _changed(self, job: Job) -> None:
        self.distil.changed(job)

    def _finished(self, job: Job, report: FairnessReport) -> None:
        self.classroom.finished(job, report)
        if not self.classroom.hides(job):
            self._add(job, report)

    @in_turn
    def _revealed(self, job: Job) -> None:
        """Accept a result that the classroom has held back."""
        if job.state == "finished":
            self._add(job, job.fairness())
            self.distil.changed(job)

    def _add(self, job: Job, report: FairnessReport) -> None:
        """Add a finished run to the comparison."""
        title = job.choice.title
        self.found[title], self._done[title] = report, job
        self.compare.value = results.table(self.found)
        self.scatter.value = _png(plots.tradeoff(self.found))
        self.scatter.layout.display = ""

    @in_turn
    def _moved(self) -> None:
        """Redraw what is visible of a new choice."""
        choice, tab = self.choice, _TABS[self.tabs.selected_index or 0]
        self.panels.draw(choice)
        self.distil.draw(choice)
        if tab == "Finished runs":
            self.past.draw(choice)
        elif tab == "Take away":
            self.cell.value, self.command.value = choice.parameters(), choice.command(self.root)

    @in_turn
    def _clicked(self, change: dict) -> None:
        job, image = self.distil.job, change["new"]
        if job is not None and image >= 0:
            said = self.inspector.look(job, image)
            self.distil.images.spoken = said

    def _tab(self, name: str) -> w.Widget:
        if name == "Distil":
            return self.distil.box
        if name == "Look at an image":
            return self.inspector.box
        if name == "Compare":
            best = "The best corner is the lower right: accurate and fair."
            return w.VBox([self.compare, HTML(best), self.scatter])
        if name == "Classroom":
            return self.classroom.box
        if name == "Finished runs":
            return self.past.box
        return w.VBox(
            [
                HTML(
                    Markup("<b>As papermill parameters</b>: the parameters cell of this notebook")
                ),
                self.cell,
                HTML(Markup("<b>As a command</b> that distils the same set")),
                self.command,
            ]
        )


def _short(titles: list[str]) -> dict[str, str]:
    """Return titles without the data set and BR, where all of them share these."""
    ends = {title.partition(", ")[2] for title in titles}
    return {title: title.partition(", ")[0] if len(ends) == 1 else title for title in titles}


def _home(folder: str | os.PathLike) -> Path:
    """Return a folder of this project, even if the notebook runs in another folder."""
    beside = Path(__file__).resolve().parents[2] / folder
    return beside if beside.is_dir() and not Path(folder).is_dir() else Path(folder)


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return buffer.getvalue()


def _img(figure: Figure, name: str) -> Markup:
    data = base64.b64encode(_png(figure)).decode()
    return Markup('<img src="data:image/png;base64,{}" alt="{}">').format(data, name)
