"""Figures of synthetic images as they come to be, and of the colours that they end with."""

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
from .style import WIDTH, Figure, group_colours, new, styled


@styled
def film(frames: Mapping[str, Sequence[Tensor]], iterations: Sequence[int]) -> Figure:
    """Show how images change over the iterations, a row for each rule and a column each time.

    Parameters
    ----------
    frames : mapping of str to sequence of Tensor
        Rule, and its images at each time: float [N, C, H, W] in [0, 1], a few of them.
    iterations : sequence of int
        When the frames were taken.

    Returns
    -------
    Figure
    """
    rows, columns = len(frames), len(iterations)
    sheets = {
        title: [mosaic(images, int(np.ceil(len(images) ** 0.5))) for images in own]
        for title, own in frames.items()
    }
    side = min(1.1, (WIDTH - 0.6) / columns)
    figure = new(side * columns + 0.6, side * rows + 0.4)
    axes = figure.subplots(rows, columns, squeeze=False)
    for line, (title, own) in zip(axes, sheets.items(), strict=True):
        for ax, sheet, when in zip(line, own, iterations, strict=True):
            ax.imshow(sheet)
            ax.set_xticks([])
            ax.set_yticks([])
            ax.spines[:].set_visible(False)
            if ax is line[0]:
                ax.set_ylabel(title)
            if line is axes[0] or np.array_equal(line, axes[0]):
                ax.set_title(f"{when}" if ax is not line[0] else f"iteration {when}")
    return figure


def gif(path: str | os.PathLike, frames: Sequence[Tensor], columns: int, ms: int = 120) -> Path:
    """Write images over the iterations as an animated GIF.

    Parameters
    ----------
    path : path-like
        The file; it appears when it is complete.
    frames : sequence of Tensor
        Images at each time: float [N, C, H, W] in [0, 1], N a multiple of ``columns``.
    columns : int
        Images a row.
    ms : int
        Milliseconds a frame.

    Returns
    -------
    Path
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
def colour_shares(named: Mapping[str, DistilledSet], majority: Tensor) -> Figure:
    """Show one image of each class and the colours it carries (FairDD, Fig. 7).

    Parameters
    ----------
    named : mapping of str to DistilledSet
        Rule and set; the groups are colours, and the first image of each class is shown.
    majority : Tensor
        int64 [classes], the group that is largest in each class.

    Returns
    -------
    Figure
        Under each image a bar of the colours nearest to its pixels (weighted by brightness), and
        the majority's share of its colour in percent, see `fddkit.analysis.colours`.
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
