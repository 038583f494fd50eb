"""Results on this disk, looked up with the same sliders."""

import ipywidgets as w
from markupsafe import Markup

from ..core.errors import FddkitError
from ..data.catalogue import CATALOGUE
from ..data.distilled import DistilledSet
from ..evaluation.measures import headline
from ..plots import colour
from ..workbench.choice import Choice
from ..workbench.finished import Finished, finished, nearest
from .grid import Grid
from .html import HTML
from .numbers import KEY, alert, formatted, heads, over, row
from .panels import INK
from .turns import in_turn


class Past:
    """Looks up the results closest to a choice, without computing anything.

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
        self.again = w.Button(description="Look again", tooltip="Read the folder of reports again")
        self.again.on_click(lambda _: self.reload())
        self.table = HTML()
        self.which = w.ToggleButtons(options=[], tooltips=["Whose images are shown"])
        self.which.observe(lambda _: self._images(), "value")
        self.images = Grid()
        self._choice: Choice | None = None
        self._found: list[Finished] = []
        self._told = Markup()
        self._damaged: list[str] = []
        self.box = w.VBox([self.again, self.table, self.which, self.images])

    @in_turn
    def reload(self) -> None:
        """Read the folder again."""
        self._damaged = []
        self._all = finished(self.reports, self._damaged.append)
        if self._choice is not None:
            self.draw(self._choice)

    @in_turn
    def draw(self, choice: Choice) -> None:
        """Show the results closest to a choice."""
        if self._all is None:
            self._all = finished(self.reports, self._damaged.append)
        self._choice, self._found = choice, nearest(self._all, choice)
        self._told = _table(self._found, choice, self.reports) + _passed_over(self._damaged)
        shown = [(one.rule, i) for i, one in enumerate(self._found) if one.out is not None]
        before = self.which.label
        if list(self.which.options) != shown:
            self.which.options = shown
            labels = [label for label, _ in shown]
            self.which.index = labels.index(before) if before in labels else (0 if shown else None)
        self._images()

    @in_turn
    def _images(self) -> None:
        self.table.value = self._told
        at = self.which.value
        if at is None or at >= len(self._found):
            self.images.png = b""
            return
        one = self._found[at]
        try:
            s = DistilledSet.load(one.out)
            names = CATALOGUE[one.dataset].target_names
            shown = s.pixels()[_first(s, len(names))]
        except FddkitError as error:
            self.table.value += Markup("<p>{}</p>").format(error)
            self.images.png = b""
            return
        alt = f"images of {one.rule} at IPC {one.ipc}, a row for each class"
        self.images.show(shown, names, alt)


def _first(s: DistilledSet, classes: int) -> list[int]:
    """Return the indices of the first images of each class, equally many of each."""
    found: list[list[int]] = [[] for _ in range(max(classes, len(s.target_names)))]
    for i, y in enumerate(s.target.tolist()):
        found[y].append(i)
    per_class = min(20, *map(len, found))
    if not per_class:
        raise FddkitError(f"{s!r} lacks images of some of {classes} classes; choose another set")
    return [i for rows in found for i in rows[:per_class]]


def _passed_over(damaged: list[str]) -> Markup:
    """Return how many files could not be read, and why."""
    if not damaged:
        return Markup()
    lines = Markup("").join(Markup("<li>{}</li>").format(line) for line in damaged)
    return Markup(
        '<details style="color:{}"><summary>{} damaged file{} skipped</summary>'
        "<ul>{}</ul></details>"
    ).format(INK, len(damaged), "s" * (len(damaged) > 1), lines)


def _table(found: list[Finished], choice: Choice, reports: str) -> Markup:
    """Return the numbers as HTML."""
    if not found:
        return Markup(
            '<p style="color:{ink}">{reports}/ has no result for {one.dataset}{gap} with '
            "{one.method}, {one.preset}. Distil here, or run <code>fddkit sweep 02_distillation "
            "-p dataset={one.dataset} -p preset={one.preset} -p br=0.5,0.75,0.9 -p ipc=1,10"
            "</code>.</p>"
        ).format(
            ink=INK,
            reports=reports,
            one=choice,
            gap="" if choice.gap is None else f" with GAP {choice.gap}",
        )
    first = next((one for one in found if one.ipc is not None), found[0])
    exact = (first.br, first.ipc or choice.ipc) == (choice.br, choice.ipc)
    return Markup(
        '<div style="color:{ink}">{first.dataset}, {choice.method}: <b>{br}, IPC {ipc}</b>, '
        '{choice.preset}, {told}.<table style="font-size:12px;border-spacing:10px 1px"><thead>'
        "<tr><th>rule</th>{heads}<th>over</th></tr></thead>"
        "<tbody>{rows}</tbody></table>{key}{doubts}</div>"
    ).format(
        ink=INK,
        first=first,
        choice=choice,
        br="natural bias" if first.br is None else f"BR {formatted(first.br, 'g')}",
        ipc=formatted(first.ipc or choice.ipc, "g"),
        told="exactly as chosen" if exact else "the closest results there are",
        heads=heads(headline()),
        rows=Markup().join(map(_row, found)),
        key=KEY,
        doubts=alert(*(f"{one.rule}: {one.doubt}" for one in found if one.doubt)),
    )


def _row(one: Finished) -> Markup:
    numbers = [one.numbers.get(name) for name in headline()]
    units = dict.fromkeys(over(number) for number in numbers if number)
    return Markup(
        '<tr title="{where}" style="vertical-align:top">'
        '<td><span style="color:{colour}">●</span> {rule}</td>{cells}<td>{over}</td></tr>'
    ).format(
        where=one.where,
        colour=colour(one.rule),
        rule=one.rule,
        cells=row(numbers),
        over=", ".join(filter(None, units)),
    )
