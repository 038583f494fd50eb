"""Figures of images: real ones, distilled ones, labelled rows of either."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import torch
from torch import Tensor

from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from .style import WIDTH, Figure, new, styled


def mosaic(images: Tensor, columns: int, gap: int = 1, fill: float = 1.0) -> np.ndarray:
    """Lay images out in rows.

    Parameters
    ----------
    images : Tensor
        uint8, or float in [0, 1]; [N, C, H, W], N a multiple of ``columns``.
    columns : int
        Images per row.
    gap : int
        Pixels between images.
    fill : float
        Value of the gaps.

    Returns
    -------
    numpy.ndarray
        float32 [rows * (H + gap) - gap, columns * (W + gap) - gap, 3].
    """
    x = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    n, channels, height, width = x.shape
    x = x.expand(n, 3, height, width) if channels == 1 else x
    x = torch.nn.functional.pad(x, (0, gap, 0, gap), value=fill)
    x = x.view(n // columns, columns, 3, height + gap, width + gap).permute(0, 3, 1, 4, 2)
    sheet = x.reshape(n // columns * (height + gap), columns * (width + gap), 3)
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap].cpu().numpy()


def _pick(target: Tensor, n_classes: int, per_class: int, draws: torch.Generator) -> Tensor:
    """Return indices of ``per_class`` random images per class (repeated if it has fewer)."""
    rows = []
    for y in range(n_classes):
        pool = torch.where(target == y)[0]
        pool = pool[torch.randperm(len(pool), generator=draws)]
        rows.append(pool.repeat(-(-per_class // max(1, len(pool))))[:per_class])
    return torch.cat(rows)


@styled
def sets(named: Mapping[str, DistilledSet], per_class: int = 10) -> Figure:
    """Show distilled sets side by side, with a row for each class, as in the papers' figures.

    Parameters
    ----------
    named : mapping of str to DistilledSet
        Title -> set; all of the same classes.
    per_class : int
        Show at most this many images of each class.

    Returns
    -------
    Figure
        Look at the colours in a row: are they the majority's, or all of them mixed?

    See Also
    --------
    gallery : Images of a training set.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "dm", "cobra", ipc=2, preset="smoke", progress=False)
    >>> figure = fdd.plots.sets({"random": fdd.distill(train, "random", ipc=2), "cobra": s})
    """
    first = next(iter(named.values()))
    classes = len(first.target_names)
    panel = min(WIDTH / len(named), 3.4)
    shown = {}
    for title, s in named.items():
        count = min(per_class, int(torch.bincount(s.target, minlength=classes).min()))
        order = torch.cat([torch.where(s.target == y)[0][:count] for y in range(classes)])
        shown[title] = mosaic(s.pixels()[order], count)
    ratio = max(sheet.shape[0] / sheet.shape[1] for sheet in shown.values())
    figure = new(panel * len(named), min(panel * ratio, 8) + 0.3)
    for ax, (title, sheet) in zip(
        np.atleast_1d(figure.subplots(1, len(named))), shown.items(), strict=True
    ):
        ax.imshow(sheet)
        ax.set_title(title)
        _class_rows(ax, first.target_names if ax is figure.axes[0] else (), sheet.shape[0])
    return figure


@styled
def gallery(data: GroupedDataset, per_class: int = 12, seed: int = 0, title: str = "") -> Figure:
    """Show random images of each class as they occur, majority and minorities alike.

    Parameters
    ----------
    data : GroupedDataset
        Any set.
    per_class : int
        Images per row.
    seed : int
        Determines which images are drawn.
    title : str
        By default the name of the set.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits", br=0.9)
    >>> figure = fdd.plots.gallery(train)
    """
    draws = generator(seed, "gallery")
    index = _pick(data.target.cpu(), data.n_classes, per_class, draws)
    sheet = mosaic(data.images[index], per_class)
    figure = new(3.4, 3.4 * sheet.shape[0] / sheet.shape[1] + 0.3)
    ax = figure.subplots()
    ax.imshow(sheet)
    ax.set_title(title or data.name)
    _class_rows(ax, data.target_names, sheet.shape[0])
    return figure


@styled
def strip(rows: Mapping[str, Tensor], title: str = "") -> Figure:
    """Show labelled rows of images, such as one row per GAP level.

    Parameters
    ----------
    rows : mapping of str to Tensor
        Label -> images [K, C, H, W], with the same K in every row.
    title : str
        Title of the figure.

    Returns
    -------
    Figure

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> figure = fdd.plots.strip({"first": train.images[:8], "next": train.images[8:16]})
    """
    images = torch.cat(list(rows.values()))
    columns = len(images) // len(rows)
    sheet = mosaic(images, columns)
    width = min(WIDTH, 0.55 * columns + 1)
    figure = new(width, (width - 0.9) * sheet.shape[0] / sheet.shape[1] + 0.35)
    ax = figure.subplots()
    ax.imshow(sheet)
    ax.set_title(title)
    _class_rows(ax, tuple(rows), sheet.shape[0])
    return figure


def _class_rows(ax: mpl.axes.Axes, names: tuple[str, ...], height: int) -> None:
    """Label the rows of a sheet and hide the rest of its axes."""
    ax.set_xticks([])
    ax.set_yticks([(i + 0.5) * height / len(names) - 0.5 for i in range(len(names))], names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
