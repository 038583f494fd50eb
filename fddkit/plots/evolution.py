"""Figures of a distillation as it goes on: images, losses, and the colours that result."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..analysis.colours import majority_share, nearest
from ..core import files
from ..data.distilled import DistilledSet
from .images import mosaic
from .style import WIDTH, Figure, colour, group_colours, literal, new, styled


@styled
def film(frames: Mapping[str, Sequence[Tensor]], iterations: Sequence[int]) -> Figure:
    """Show how images change over the iterations: one row per rule, one column per time.

    Parameters
    ----------
    frames : mapping of str to sequence of Tensor
        Rule -> its images at each time: float [N, C, H, W] in [0, 1], a few of them.
    iterations : sequence of int
        When the frames were taken.

    Returns
    -------
    Figure

    See Also
    --------
    fddkit.distillers.recorder.Recorder : Keeps the frames during a distillation.
    gif : The same as an animation.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> recorder = fdd.recorder.Recorder(train)
    >>> s = fdd.distill(
    ...     train, "dm", "cobra", ipc=1, preset="smoke", progress=False, callback=recorder, every=1
    ... )
    >>> times = [1, 10, 20]
    >>> figure = fdd.plots.film({"cobra": recorder.at(times)}, times)
    """
    rows, columns = len(frames), len(iterations)
    sheets = {
        title: [mosaic(images, _columns(len(images))) for images in each]
        for title, each in frames.items()
    }
    side = min(1.1, (WIDTH - 0.6) / columns)
    figure = new(side * columns + 0.6, side * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False)
    for line, (title, each) in zip(axes, sheets.items(), strict=True):
        for ax, sheet, when in zip(line, each, iterations, strict=True):
            ax.imshow(sheet)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            if ax is line[0]:
                ax.set_ylabel(title)
            if line is axes[0] or np.array_equal(line, axes[0]):
                ax.set_title(f"{when}" if ax is not line[0] else f"iteration {when}")
    return figure


def _columns(count: int) -> int:
    """Return how many columns lay out that many images, nearly in a square and without a gap."""
    return next(n for n in range(1, count + 1) if n * n >= count and count % n == 0)


def gif(path: str | os.PathLike, frames: Sequence[Tensor], columns: int, ms: int = 120) -> Path:
    """Write images over the iterations as an animated GIF.

    Parameters
    ----------
    path : path-like
        The file, which only appears once it is complete.
    frames : sequence of Tensor
        Images at each time: float [N, C, H, W] in [0, 1], N a multiple of ``columns``.
    columns : int
        Images per row.
    ms : int
        Milliseconds per frame.

    Returns
    -------
    Path

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> import fddkit as fdd
    >>> frames = [torch.rand(4, 3, 16, 16) for _ in range(3)]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fdd.plots.gif(f"{folder}/film.gif", frames, columns=2).name
    'film.gif'
    """
    from PIL import Image

    path = Path(path)
    sheets = [Image.fromarray((mosaic(f, columns) * 255).round().astype("uint8")) for f in frames]
    scale = max(1, 400 // sheets[0].width)
    sheets = [s.resize((s.width * scale, s.height * scale), Image.NEAREST) for s in sheets]
    with files.atomic(path) as temporary:
        sheets[0].save(
            temporary, "gif", save_all=True, append_images=sheets[1:], duration=ms, loop=0
        )
    return path


@styled
def losses(named: Mapping[str, Tensor], window: int = 25) -> Figure:
    """Show matching losses over the iterations, each divided by its first value.

    Rules sum over different numbers of targets, so only the shape of the curves can be compared.

    Parameters
    ----------
    named : mapping of str to Tensor
        Title -> losses [iterations].
    window : int
        Iterations in the running mean (losses are noisy: every iteration has its own network).

    Returns
    -------
    Figure

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "dm", "cobra", ipc=1, preset="smoke", progress=False)
    >>> figure = fdd.plots.losses({"cobra": s.loss})
    """
    figure = new(3.4, 2.3)
    ax = figure.subplots()
    for title, loss in named.items():
        values = np.asarray(loss, dtype=float)
        size = max(1, min(window, len(values) // 4))
        smooth = np.convolve(values, np.full(size, 1 / size), mode="valid")
        iterations = np.arange(len(smooth)) + size
        ax.plot(iterations, smooth / smooth[0], label=literal(title), color=colour(title))
    ax.set(
        xlabel="iteration",
        ylabel="matching loss / its start",
        title=f"Matching loss (running mean of {size})",
    )
    ax.legend(frameon=False, loc="best")
    return figure


@styled
def colour_shares(named: Mapping[str, DistilledSet], majority: Tensor) -> Figure:
    """Show one image of each class and the colours in it (FairDD, Fig. 7).

    Parameters
    ----------
    named : mapping of str to DistilledSet
        Rule -> set, whose groups are colours. The first image of each class is shown.
    majority : Tensor
        int64 [classes], the group that is largest in each class.

    Returns
    -------
    Figure
        Under each image a bar of the colours nearest to its pixels (weighted by brightness), and
        the share of the majority's colour in percent, see `fddkit.analysis.colours`.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "random", ipc=1)
    >>> figure = fdd.plots.colour_shares({"random": s}, train.counts().argmax(1))
    """
    first = next(iter(named.values()))
    classes = len(first.target_names)
    colours = group_colours(first.group_names)
    side = WIDTH / (classes + 1.6)
    figure = new(WIDTH, len(named) * (side * 1.75) + 0.25)
    axes = figure.subplots(
        2 * len(named), classes, squeeze=False, height_ratios=[1, 0.28] * len(named)
    )
    for row, (title, s) in enumerate(named.items()):
        picked = torch.stack([torch.where(s.target == y)[0][0] for y in range(classes)])
        pixels = s.pixels()[picked]
        bars = nearest(pixels, s.group_names).numpy()
        shares = majority_share(pixels, majority, s.group_names)
        for y in range(classes):
            top, below = axes[2 * row, y], axes[2 * row + 1, y]
            top.imshow(mosaic(pixels[y : y + 1], 1))
            left = 0.0
            for a, width in enumerate(bars[y]):
                below.barh(0, width, left=left, color=colours[a], edgecolor="0.4", linewidth=0.2)
                left += width
            below.set(xlim=(0, 1), ylim=(-0.4, 0.4))
            below.set_xlabel(f"{100 * shares[y]:.0f}%", labelpad=1)
            for ax in (top, below):
                ax.set_xticks([])
                ax.set_yticks([])
                ax.spines[:].set_visible(False)
            if row == 0:
                top.set_title(first.target_names[y])
        axes[2 * row, 0].set_ylabel(title)
    return figure
