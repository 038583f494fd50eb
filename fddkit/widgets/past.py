"""Results that are on this disk, looked up with the same sliders."""

from html import escape

import ipywidgets as w

from ..archive import Finished, finished, nearest
from ..catalogue import CATALOGUE
from ..choice import Choice
from ..distilled import DistilledSet
from ..errors import FddkitError
from ..plots import colour
from .grid import Grid
from .panels import FAINT, INK
from .turns import in_turn


class Past:
    """Looks up what comes nearest to a choice; computes nothing.

    Parameters
    ----------
    reports : str
        The folder of all runs.

    Attributes
    ----------
    box : Widget
        What is displayed.
    """

    def __init__(self, reports: str = "reports"):
        self.reports = reports
        self._all: list[Finished] | None = None  # not read yet
        self.again = w.Button(description="Look again", tooltip="Read the folder of reports anew")
        self.again.on_click(lambda _: self.reload())
        self.table = w.HTML()
        self.which = w.ToggleButtons(options=[], tooltips=["Whose images are shown"])
        self.which.observe(lambda _: self._images(), "value")
        self.images = Grid()
        self._choice: Choice | None = None
        self._found: list[Finished] = []
        self.box = w.VBox([self.again, self.table, self.which, self.images])

    @in_turn
    def reload(self) -> None:
        """Read the folder anew."""
        self._all = finished(self.reports)
        if self._choice is not None:
            self.draw(self._choice)

    @in_turn
    def draw(self, choice: Choice) -> None:
        """Show what comes nearest to a choice."""
        if self._all is None:
            self._all = finished(self.reports)
        self._choice, self._found = choice, nearest(self._all, choice)
        self.table.value = _table(self._found, choice, self.reports)
        shown = [(one.rule, i) for i, one in enumerate(self._found) if one.out is not None]
        before = self.which.label
        if list(self.which.options) != shown:
            self.which.options = shown
            labels = [label for label, _ in shown]
            self.which.index = labels.index(before) if before in labels else (0 if shown else None)
        self._images()

    @in_turn
    def _images(self) -> None:
        at = self.which.value
        if at is None or at >= len(self._found):
            self.images.png = b""
            return
        one = self._found[at]
        try:
            s = DistilledSet.load(one.out)
        except FddkitError as error:
            self.table.value += f"<p>{escape(str(error))}</p>"
            return
        per_class = min(20, len(s) // len(s.target_names))
        keep = [i for y in range(len(s.target_names)) for i in _of(s, y)[:per_class]]
        alt = f"images of {one.rule} at IPC {one.ipc}, a row for each class"
        self.images.show(s.pixels()[keep], CATALOGUE[one.dataset].target_names, alt)


def _of(s: DistilledSet, y: int) -> list[int]:
    return [i for i, target in enumerate(s.target.tolist()) if target == y]


def _table(found: list[Finished], choice: Choice, reports: str) -> str:
    """Return the numbers as HTML."""
    if not found:
        gap = "" if choice.gap is None else f" with GAP {choice.gap}"
        return (
            f'<p style="color:{INK}">Nothing in {escape(reports)}/ is of {choice.dataset}{gap} '
            f"with {choice.method}, {choice.preset}. Distil here, or run <code>fddkit sweep "
            f"02_distillation -p dataset={choice.dataset} -p preset={choice.preset} "
            f"-p br=0.5,0.75,0.9 -p ipc=1,10</code>.</p>"
        )
    first = next((one for one in found if one.ipc is not None), found[0])
    exact = (first.br, first.ipc or choice.ipc) == (choice.br, choice.ipc)
    told = "as the sliders say" if exact else "the nearest that there is"
    rows = []
    for one in found:
        cells = []
        for name in ("accuracy", "deo_m", "deo_a"):
            number = one.numbers[name]
            low, high = number.get("ci95") or (None, None)
            interval = "" if low is None else f" [{low:.0f}, {high:.0f}]"
            floor = number.get("noise_floor")
            beside = "" if floor is None else f" floor {floor:.0f}"
            mean = number.get("mean")
            shown = "unknown" if mean is None else f"{mean:.1f}"
            cells.append(f'<td>{shown}<span style="color:{FAINT}">{interval}{beside}</span></td>')
        rows.append(
            f'<tr title="{escape(str(one.where))}"><td><span style="color:{colour(one.rule)}">●'
            f"</span> {escape(one.rule)}</td>{''.join(cells)}</tr>"
        )
    return (
        f'<div style="color:{INK}">{first.dataset}, {choice.method}: <b>BR {first.br:g}, IPC '
        f"{first.ipc or choice.ipc}</b>, {choice.preset}, {told}."
        f'<table style="font-size:12px;border-spacing:10px 1px"><thead>'
        f"<tr><th>rule</th><th>accuracy</th><th>DEO_M</th><th>DEO_A</th></tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )
