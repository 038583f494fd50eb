"""A closer look at one synthetic image."""

import ipywidgets as w
import torch
from markupsafe import Markup
from torch import Tensor

from ..analysis import colours
from ..analysis.features import extract
from ..data.catalogue import CATALOGUE
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..plots import group_colours
from ..workbench.jobs import Job
from ..workbench.scenes import Bench
from .html import HTML
from .panels import INK, picture
from .turns import in_turn

_REAL = 150  # real images of the class to look for neighbours in
_NEAREST = 6


class Inspector:
    """Shows an image's class, its nearest real images, its colours and how it formed.

    Parameters
    ----------
    bench : Bench
        Paints the real images.

    Attributes
    ----------
    box : Widget
        What is displayed.
    """

    def __init__(self, bench: Bench):
        self.bench = bench
        self.view = HTML("Click an image in the tab “Distil”, or use the arrow keys there.")
        self.box = w.VBox([self.view])
        self._kept: tuple[Job, DistilledSet, dict[int, tuple]] | None = None

    @in_turn
    def look(self, job: Job, image: int) -> str:
        """Show an image of a job, and return what it shows in a few words.

        Parameters
        ----------
        job : Job
            A run; neighbours are shown once it has finished.
        image : int
            Index of the image, counted row by row.

        Returns
        -------
        str
        """
        names = CATALOGUE[job.choice.dataset].target_names
        frames = {step: torch.from_numpy(frame) for step, frame in sorted(job.frames.items())}
        if not frames and job.out is not None:
            frames[0] = job.distilled().pixels()  # nothing was computed: the set was on the disk
        if not frames or image >= len(now := list(frames.values())[-1]):
            return ""
        y = image * len(names) // len(now)
        head = Markup("<b>Synthetic image {} of class {}</b>").format(
            image % (len(now) // len(names)) + 1, names[y]
        )
        parts = [
            _part(head, picture(now[image], f"synthetic image of class {names[y]}", 128)),
            _part("its colours", self._colours(job, now[image : image + 1])),
            _part("how it formed", _course(frames, image)),
        ]
        if job.out is not None:
            parts.insert(2, _part(*self._neighbours(job, image, y)))
        self.view.value = Markup(
            '<div style="display:flex;flex-wrap:wrap;gap:24px;color:{}">{}</div>'
        ).format(INK, Markup().join(parts))
        return f"class {names[y]}"

    def _colours(self, job: Job, image: Tensor) -> Markup:
        """Return the groups' colours in the image (without coloured groups, its channels)."""
        groups = self.bench.canvas(job.choice).group_names
        if image.shape[1] != 3:
            return Markup("gray")
        if colours.palette(groups) is None:
            bars = image.float().mean((0, 2, 3))
            shares, groups, inks = (
                bars / bars.sum(),
                ("red", "green", "blue"),
                ("#c00", "#080", "#00c"),
            )
        else:
            value = image.float() / 255 if image.dtype == torch.uint8 else image
            shares, inks = colours.nearest(value, groups)[0], group_colours(groups)
        bar = Markup(
            '<div style="display:flex;gap:4px;font-size:10px;align-items:center">'
            '<span style="width:64px;text-align:right">{name}</span>'
            '<span style="display:inline-block;width:{width:.0f}px;height:9px;background:{ink};'
            'outline:1px solid #888"></span>{percent:.0f}%</div>'
        )
        return Markup().join(
            bar.format(name=name, width=120 * share, ink=ink, percent=100 * share)
            for name, share, ink in zip(groups, shares.tolist(), inks, strict=True)
        )

    def _neighbours(self, job: Job, image: int, y: int) -> tuple[str, Markup]:
        """Return the nearest real images of the class, with their groups."""
        real, order, distance = self._nearest(job, image, y)
        shown = []
        for i in order.tolist():
            group = real.group_names[int(real.group[i])]
            tip = f"{group}, distance {distance[i]:.2f}"
            shown.append(_figure(picture(real.images[i], f"real image, {group}", 48, tip), group))
        row = Markup('<div style="display:flex;gap:6px;flex-wrap:wrap">{}</div>')
        row = row.format(Markup().join(shown))
        return "nearest real images (features of a random network)", row

    def _nearest(self, job: Job, image: int, y: int) -> tuple[GroupedDataset, Tensor, Tensor]:
        if self._kept is None or self._kept[0] is not job:
            self._kept = (job, job.distilled(), {})
        _, s, known = self._kept
        if y not in known:
            canvas = self.bench.canvas(job.choice)
            index = canvas.rows(job.choice.br)[y]
            index = index[torch.linspace(0, len(index) - 1, min(_REAL, len(index))).long()]
            real = canvas.some(index, job.choice.br)
            found = extract({"distilled": s, "real": real}, per_cell=None, progress=False)
            known[y] = (real, found)
        real, found = known[y]
        several = s.factor**2  # small images stored in one (IDC)
        own = found.points[found.rows("distilled")][image * several : (image + 1) * several]
        distance = torch.cdist(own, found.points[found.rows("real")]).amin(0)
        return real, distance.argsort()[:_NEAREST], distance


def _course(frames: dict[int, Tensor], image: int) -> Markup:
    """Return the image at a few of its steps."""
    steps = list(frames)
    some = [steps[i] for i in torch.linspace(0, len(steps) - 1, min(8, len(steps))).long().tolist()]
    shown = Markup().join(
        _figure(picture(frames[step][image], f"the image at step {step}"), str(step))
        for step in dict.fromkeys(some)
    )
    return Markup('<div style="display:flex;gap:6px">{}</div>').format(shown)


def _figure(image: Markup, caption: str) -> Markup:
    return Markup(
        '<figure style="margin:0;font-size:10px;text-align:center">{}'
        "<figcaption>{}</figcaption></figure>"
    ).format(image, caption)


def _part(title: str, content: Markup) -> Markup:
    return Markup('<div><div style="font-size:11px;margin-bottom:4px">{}</div>{}</div>').format(
        title, content
    )
