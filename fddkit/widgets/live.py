"""The panels that follow the sliders: images, group table, and the geometry of targets."""

import ipywidgets as w
from markupsafe import Markup

from ..core.errors import FddkitError
from ..theory import residuals
from ..workbench.choice import Choice
from ..workbench.scenes import Bench, Scene
from . import panels, plane
from .grid import Grid
from .html import HTML
from .turns import in_turn


class Live:
    """What the data looks like, before anything is distilled.

    Parameters
    ----------
    bench : Bench
        Makes the scenes.

    Attributes
    ----------
    box : Widget
        What is displayed.
    scene : Scene or None
        What is shown now.
    """

    def __init__(self, bench: Bench):
        self.bench = bench
        self.scene: Scene | None = None
        self.gallery, self.table, self.plane = Grid(), HTML(), HTML()
        self.legend, self.says = HTML(), HTML()
        self.shown = w.Dropdown(
            description="class",
            tooltip="The class whose groups are drawn",
            layout=w.Layout(width="270px"),
            style={"description_width": "40px"},
        )
        self.shown.observe(lambda _: self._geometry(), "value")
        self.box = w.VBox(
            [
                self.says,
                w.HBox(
                    [
                        _titled("The biased data", self.gallery),
                        _titled("Images of each class and group", self.table),
                        _titled("Groups and targets", self.shown, self.plane, self.legend),
                    ],
                    layout=w.Layout(flex_flow="row wrap"),
                ),
            ],
            layout=w.Layout(flex="1 1 0", min_width="0", margin="0 0 0 12px"),
        )

    @in_turn
    def draw(self, choice: Choice) -> None:
        """Show what a choice looks like, or what is wrong with it."""
        try:
            scene = self.bench.scene(choice)
        except FddkitError as error:
            self.says.value = Markup("<b>{}</b>").format(error)
            return
        self.scene = scene
        self.table.value = panels.group_table(scene.counts, scene.target_names, scene.group_names)
        self.gallery.show(
            scene.images,
            scene.target_names,
            f"images of {choice.dataset}, {_bias(choice)}, a row for each class",
            width=240,
        )
        classes = [(name, y) for y, name in enumerate(scene.target_names)]
        if list(self.shown.options) != classes:
            self.shown.options, self.shown.value = classes, 0
        self._geometry()

    @in_turn
    def _geometry(self) -> None:
        scene, y = self.scene, self.shown.value
        if scene is None or y is None:
            return
        rule = "" if scene.choice.baseline else scene.choice.fairness
        title = f"groups of class {scene.target_names[y]} and the targets of the rules"
        drawn = (scene.stats, scene.centres, y, scene.group_names, rule)
        self.plane.value = plane.geometry(*drawn, title)
        self.legend.value = plane.targets(*drawn)
        self.says.value = _sentence(scene, y)


def _bias(choice: Choice) -> str:
    """Return the bias ratio in words that do not change their length while a slider moves."""
    return choice.bias if choice.br is None else f"BR {choice.br:.2f}"


def _sentence(scene: Scene, y: int) -> Markup:
    """Describe in words what the panels show."""
    counts, stats = scene.counts[y], scene.stats
    most, names = int(counts.argmax()), scene.group_names
    where = Markup("<b>{}</b>: of the {} images of class <b>{}</b>, {} are {}.").format(
        _bias(scene.choice), counts.sum(), scene.target_names[y], counts[most], names[most]
    )
    if int(stats.present[y].sum()) < 2:
        return where + " No other group is left, so nothing can be learnt about the others."
    length = {rule: residuals(stats, centre)[y] for rule, centre in scene.centres.items()}
    worst = {rule: float(each.nan_to_num(nan=0.0).max()) for rule, each in length.items()}
    if max(worst.values()) < 1e-6:
        return where + " The groups look alike, so there is nothing to be unfair about."
    far = names[int(length["vanilla"].nan_to_num(nan=-1.0).argmax())]
    more = 100 * (worst["vanilla"] / worst["cobra"] - 1)
    return where + (
        f" Vanilla's target is farthest from {far}: its residual is {worst['vanilla']:.2f}, "
        f"{more:+.0f}% compared with COBRA's worst ({worst['cobra']:.2f})."
    )


def _titled(title: str, *children: w.Widget) -> w.VBox:
    return w.VBox(
        [HTML(Markup("<b>{}</b>").format(title)), *children], layout=w.Layout(margin="0 18px 8px 0")
    )
