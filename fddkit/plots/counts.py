"""The figure of how many images each class and group has."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import PowerNorm

from ..data.description import Description
from ..data.grouped import GroupedDataset
from .style import WIDTH, Figure, new, styled

_ROW, _COLUMN = 0.22, 0.42  # inches of a cell, where there is room
_TALLEST = 7.2  # inches of all rows
_INCH = 72  # points
_SMALLEST = 4.5  # points of a number that can still be read
_LONGEST = 20  # characters of a name


@styled
def group_table(data: GroupedDataset | Description, title: str = "") -> Figure:
    """Show how many images each class and group has.

    Parameters
    ----------
    data : GroupedDataset or Description
        Any set, or what `fddkit.describe` says of one.
    title : str
        By default the name of the set.

    Returns
    -------
    Figure
        The darkest cell of a row is its majority; a cell without images is gray. With the name of
        a class stands how many images it has; where cells are too small for numbers, their colour
        says the share.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits", br=0.9)
    >>> figure = fdd.plots.group_table(train)
    """
    if isinstance(data, Description):
        classes, groups, counts = data.classes, data.groups, np.array(data.counts)
    else:
        classes, groups, counts = data.target_names, data.group_names, data.counts().cpu().numpy()
    sizes = counts.sum(1)
    rows = [f"{_short(name)} ({size:,})" for name, size in zip(classes, sizes, strict=True)]
    columns = [_short(name) for name in groups]
    sides = 1.2 + 0.055 * max(map(len, rows))  # inches beside the cells
    below = 0.8 + 0.05 * max(map(len, columns))
    row = min(_ROW, _TALLEST / len(rows))
    column = min(_COLUMN, (WIDTH - sides) / len(columns))
    figure = new(max(2.4, sides + column * len(columns)), max(1.8, below + row * len(rows)))
    ax = figure.subplots()
    share = np.where(counts > 0, counts / sizes[:, None].clip(1), np.nan)
    ax.set_facecolor("0.85")
    scale = PowerNorm(0.5, 0, 1)  # with many groups all shares are small
    shown = ax.pcolormesh(share, cmap="Blues", norm=scale, edgecolors="white", linewidth=0.3)
    ax.invert_yaxis()
    _numbers(ax, counts, share, row * _INCH, column * _INCH)
    _names(ax.yaxis, rows, row)
    _names(ax.xaxis, columns, column, rotation=90)
    ax.set(xlabel="group (PA)", ylabel="class (TA)", title=title or f"{data.name}: images")
    ax.tick_params(length=0)
    bar = figure.colorbar(shown, ax=ax, label="share of the class", fraction=0.05, aspect=30)
    bar.set_ticks([0, 0.1, 0.5, 1], labels=["0", "0.1", "0.5", "1"])
    return figure


def _numbers(ax, counts: np.ndarray, share: np.ndarray, height: float, width: float) -> None:
    """Write the counts into their cells (of that many points) if they can be read there."""
    longest = max(len(str(n)) for n in counts.flat)
    size = min(6.0, 0.75 * height, width / (0.65 * longest))
    if size < _SMALLEST:
        return
    for (y, a), n in np.ndenumerate(counts):
        colour = "white" if share[y, a] > 0.4 else "0.15"
        ax.text(a + 0.5, y + 0.5, str(n), size=size, color=colour, ha="center", va="center")


def _names(axis, names: Sequence[str], side: float, rotation: float = 0) -> None:
    """Name the rows or columns, leaving names out where they would touch."""
    size = min(7.0, max(5.0, side * _INCH - 0.5))
    step = max(1, int(np.ceil(size / (side * _INCH))))
    axis.set_ticks(np.arange(0, len(names), step) + 0.5, names[::step])
    axis.set_tick_params(labelsize=size, labelrotation=rotation)


def _short(name: str) -> str:
    """Shorten a name in its middle, because many differ in their ends."""
    half = _LONGEST // 2
    return name if len(name) <= _LONGEST else f"{name[: half - 1]}…{name[-half:]}"
