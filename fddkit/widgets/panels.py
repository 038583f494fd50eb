"""The live panels as pure functions from data to HTML and PNG; `plane` has the one in SVG.

They are redrawn while a slider moves, so they take milliseconds where a figure of `fddkit.plots`
takes a tenth of a second. Text stays text, for tooltips and screen readers. The figures of
`fddkit.plots` are their counterparts in print.
"""

import base64
import io
from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from torch import Tensor

from ..plots import mosaic

INK = "var(--jp-content-font-color1, #222)"  # follows JupyterLab's theme
FAINT = "var(--jp-content-font-color3, #888)"


def png(images: Tensor, columns: int) -> bytes:
    """Return images as one sheet, at their own resolution.

    Parameters
    ----------
    images : Tensor
        uint8, or float in [0, 1]; [N, C, H, W], N a multiple of ``columns``.
    columns : int
        Images per row.

    Returns
    -------
    bytes
        A PNG without gaps: every image takes H x W pixels.
    """
    from PIL import Image

    sheet = (mosaic(images, columns, gap=0) * 255).round().astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, format="png", compress_level=1)
    return buffer.getvalue()


def picture(image: Tensor, alt: str, width: int = 48, title: str = "") -> Markup:
    """Return one image as an ``<img>`` that contains its own data.

    Parameters
    ----------
    image : Tensor
        uint8, or float in [0, 1]; [C, H, W].
    alt : str
        What it shows, in words.
    width : int
        In CSS pixels.
    title : str
        Its tooltip.

    Returns
    -------
    Markup
        HTML.
    """
    return Markup(
        '<img src="data:image/png;base64,{data}" alt="{alt}" title="{title}" '
        'style="width:{width}px;image-rendering:pixelated;border:1px solid {faint}">'
    ).format(
        data=base64.b64encode(png(image[None], 1)).decode(),
        alt=alt,
        title=title,
        width=width,
        faint=FAINT,
    )


def group_table(counts: Tensor, target_names: Sequence[str], group_names: Sequence[str]) -> Markup:
    """Return how many images each class and group has, as a heat map in a table.

    Parameters
    ----------
    counts : Tensor
        int64 [C, A].
    target_names, group_names : sequence of str
        Names.

    Returns
    -------
    Markup
        HTML; darker cells have a larger share of the class.
    """
    share = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
    head = Markup().join(map(_GROUP.format, group_names))
    rows = []
    for name, own, parts in zip(target_names, counts.tolist(), share.tolist(), strict=True):
        cells = [
            _cell(count, part, f"class {name}, group {group}")
            for count, part, group in zip(own, parts, group_names, strict=True)
        ]
        rows.append(_CLASS.format(name, Markup().join(cells)))
    return Markup(
        '<table aria-label="images of each class (row) and group (column)" '
        'style="border-collapse:separate;border-spacing:1px;color:{ink};line-height:1.35">'
        "<thead><tr><th></th>{head}</tr></thead><tbody>{rows}</tbody></table>"
    ).format(ink=INK, head=head, rows=Markup().join(rows))


_GROUP = Markup(
    '<th scope="col" style="padding:1px 3px;font-weight:normal;font-size:10px;'
    'writing-mode:vertical-rl;transform:rotate(180deg)">{}</th>'
)
_CLASS = Markup(
    '<tr><th scope="row" style="text-align:right;padding:1px 4px;font-weight:normal;'
    'font-size:10px">{}</th>{}</tr>'
)
_CELL = Markup(
    '<td title="{tip}" style="background:{shade};color:{ink};text-align:right;padding:1px 4px;'
    'font-size:10px">{count}</td>'
)


def _cell(count: int, part: float, what: str) -> Markup:
    return _CELL.format(
        tip=f"{what}: {count} images, {100 * part:.1f}%",
        shade=f"rgb({247 - 239 * part:.0f},{251 - 203 * part:.0f},{255 - 148 * part:.0f})",
        ink="#fff" if part > 0.5 else "#222",
        count=count,
    )
