"""The live panels as pure functions from data to HTML, SVG and PNG.

They are redrawn while a slider moves, so they take milliseconds where a figure of `fddkit.plots`
takes a tenth of a second; text stays text, for a mouse that rests on it and for a screen reader.
The figures are their printed twins.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape

import numpy as np
from torch import Tensor

from ..plots import colour, group_colours, mosaic
from ..theory import GroupStatistics, plane, residuals, worst

INK = "var(--jp-content-font-color1, #222)"  # follows JupyterLab's theme
FAINT = "var(--jp-content-font-color3, #888)"
_SIDE = 270  # of the plane, in CSS pixels


def png(images: Tensor, columns: int) -> bytes:
    """Return images as one sheet, at their own resolution.

    Parameters
    ----------
    images : Tensor
        uint8, or float in [0, 1]; [N, C, H, W], N a multiple of ``columns``.
    columns : int
        Images a row.

    Returns
    -------
    bytes
        A PNG, without gaps: every image takes H x W pixels.
    """
    from PIL import Image

    sheet = (mosaic(images, columns, gap=0) * 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def picture(image: Tensor, alt: str, width: int = 48, title: str = "") -> str:
    """Return one image as an ``<img>`` that carries its own data.

    Parameters
    ----------
    image : Tensor
        uint8, or float in [0, 1]; [C, H, W].
    alt : str
        What it shows, in words.
    width : int
        In CSS pixels.
    title : str
        Shown when the mouse rests on it.

    Returns
    -------
    str
        HTML.
    """
    data = base64.b64encode(png(image[None], 1)).decode()
    return (
        f'<img src="data:image/png;base64,{data}" alt="{escape(alt)}" title="{escape(title)}" '
        f'style="width:{width}px;image-rendering:pixelated;border:1px solid {FAINT}">'
    )


def group_table(counts: Tensor, target_names: Sequence[str], group_names: Sequence[str]) -> str:
    """Return how many images each class and group has, as a heat map in a table.

    Parameters
    ----------
    counts : Tensor
        int64 [C, A].
    target_names, group_names : sequence of str
        Names.

    Returns
    -------
    str
        HTML; a cell is the darker, the larger its share of the class.
    """
    share = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    head = "".join(
        f'<th scope="col" style="padding:1px 3px;font-weight:normal;font-size:10px;'
        f'writing-mode:vertical-rl;transform:rotate(180deg)">{escape(name)}</th>'
        for name in group_names
    )
    rows = []
    for y, name in enumerate(target_names):
        cells = []
        for a, group in enumerate(group_names):
            part = float(share[y, a])
            ink = "#fff" if part > 0.5 else "#222"
            shade = f"rgb({247 - 239 * part:.0f},{251 - 203 * part:.0f},{255 - 148 * part:.0f})"
            tip = f"class {name}, group {group}: {counts[y, a]} images, {100 * part:.1f}%"
            cells.append(
                f'<td title="{escape(tip)}" style="background:{shade};color:{ink};'
                f'text-align:right;padding:1px 4px;font-size:10px">{counts[y, a]}</td>'
            )
        rows.append(
            f'<tr><th scope="row" style="text-align:right;padding:1px 4px;font-weight:normal;'
            f'font-size:10px">{escape(name)}</th>{"".join(cells)}</tr>'
        )
    return (
        f'<table aria-label="images of each class (row) and group (column)" '
        f'style="border-collapse:separate;border-spacing:1px;color:{INK};line-height:1.35">'
        f"<thead><tr><th></th>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def geometry(
    stats: GroupStatistics,
    centres: Mapping[str, Tensor],
    y: int,
    group_names: Sequence[str],
    chosen: str = "",
    title: str = "",
) -> str:
    """Return the groups of a class and the point that each rule draws it to, in their plane.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    centres : mapping of str to Tensor
        The targets, of `fddkit.theory.aims`.
    y : int
        The class.
    group_names : sequence of str
        Names; a group whose name is a colour wears it.
    chosen : str
        The rule whose target is drawn largest.
    title : str
        What is seen.

    Returns
    -------
    str
        SVG: discs are groups, as large as their share; a dotted line leads from a target to the
        group that it leaves furthest away.
    """
    middle, axes = plane(stats, y)
    at = ((stats.points[y] - middle) @ axes.mT)[stats.present[y]]
    reach = float(at.abs().max()) or 1.0
    half = _SIDE / 2

    def place(point: Tensor) -> tuple[float, float]:
        x, up = (point / reach * (half - 28)).tolist()
        return half + x, half - up

    names = [n for n, here in zip(group_names, stats.present[y].tolist(), strict=True) if here]
    shares = stats.shares[y, stats.present[y]].tolist()
    drawn = []
    for name, ink, share, point in zip(names, group_colours(names), shares, at, strict=True):
        x, up = place(point)
        drawn.append(
            f'<circle cx="{x:.1f}" cy="{up:.1f}" r="{3 + 14 * share**0.5:.1f}" fill="{ink}" '
            f'stroke="{INK}" stroke-width="0.8" fill-opacity="0.9">'
            f"<title>{escape(name)}: {100 * share:.1f}% of the class</title></circle>"
        )
    for rule, centre in centres.items():
        if rule == "fairdd":
            continue  # one point with cobra
        x, up = place((centre[y] - middle) @ axes.mT)
        far = residuals(stats, centre)[y, stats.present[y]].argmax()
        fx, fup = place(at[far])
        label = "fairdd, cobra" if rule == "cobra" else rule
        big = chosen == rule or (chosen.startswith("fairdd") and rule == "cobra")
        drawn.append(
            f'<line x1="{x:.1f}" y1="{up:.1f}" x2="{fx:.1f}" y2="{fup:.1f}" '
            f'stroke="{colour(rule)}" stroke-dasharray="2 3"/>'
            + _mark(rule, x, up, 8 if big else 5, label)
        )
    return (
        f'<svg role="img" aria-label="{escape(title)}" width="{_SIDE}" height="{_SIDE}" '
        f'viewBox="0 0 {_SIDE} {_SIDE}" style="border:1px solid {FAINT};max-width:100%">'
        f"{''.join(drawn)}</svg>"
    )


def _mark(rule: str, x: float, y: float, r: float, label: str) -> str:
    """Return the mark of a target: a cross for vanilla, a square for COBRA, a ring for minimax."""
    ink, tip = colour(rule), f"<title>target of {escape(label)}</title>"
    if rule == "vanilla":
        path = f"M{x - r} {y - r}L{x + r} {y + r}M{x - r} {y + r}L{x + r} {y - r}"
        return f'<path d="{path}" stroke="{ink}" stroke-width="{r / 2}" fill="none">{tip}</path>'
    if rule == "minimax":
        return (
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{r + 3}" fill="none" stroke="{ink}" '
            f'stroke-width="2">{tip}</circle>'
        )
    return (
        f'<rect x="{x - r:.1f}" y="{y - r:.1f}" width="{2 * r}" height="{2 * r}" fill="{ink}" '
        f'stroke="#fff">{tip}</rect>'
    )


def targets(
    stats: GroupStatistics,
    centres: Mapping[str, Tensor],
    y: int,
    group_names: Sequence[str],
    chosen: str = "",
) -> str:
    """Return the legend of `geometry` with the residuals as numbers.

    Parameters
    ----------
    stats, centres, y, group_names, chosen
        As for `geometry`.

    Returns
    -------
    str
        HTML: for each rule the largest residual of the class, whose it is, and the mean over all
        classes of the largest residual.
    """
    rows = []
    for rule, centre in centres.items():
        if rule == "fairdd":
            continue
        found = residuals(stats, centre)[y]
        everywhere = worst(stats, centre).nanmean()
        worst_off = group_names[int(found.nan_to_num(nan=-1.0).argmax())]
        mark = f'<svg width="20" height="20">{_mark(rule, 10, 10, 5, rule)}</svg>'
        bold = "bold" if chosen == rule or (rule == "cobra" and "fairdd" in chosen) else "normal"
        label = "fairdd, cobra" if rule == "cobra" else rule
        rows.append(
            f'<tr style="font-weight:{bold}"><td>{mark}</td><td>{label}</td>'
            f'<td style="text-align:right">{found.nan_to_num(nan=0.0).max():.2f}</td>'
            f"<td>{escape(worst_off)}</td>"
            f'<td style="text-align:right">{_number(float(everywhere))}</td></tr>'
        )
    return (
        f'<table style="color:{INK};font-size:12px;border-spacing:6px 1px">'
        "<thead><tr><th></th><th>target of</th>"
        '<th title="distance from the target to the group that it leaves furthest away">'
        "worst residual</th><th>group</th>"
        '<th title="the worst residual of each class, averaged">all classes</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _number(value: float) -> str:
    return "none" if value != value else f"{value:.2f}"
