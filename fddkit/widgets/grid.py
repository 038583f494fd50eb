"""A sheet of images, one of which can be selected by mouse or keyboard."""

from collections.abc import Sequence
from pathlib import Path

import anywidget
import traitlets
from torch import Tensor

from .panels import png

_HERE = Path(__file__).parent


class Grid(anywidget.AnyWidget):
    """Rows of images, one row per class.

    Attributes
    ----------
    selected : int
        Index of the selected image, counted row by row; -1 for none.
    spoken : str
        What a screen reader says about it.
    """

    _esm = (_HERE / "grid.js").read_text(encoding="utf-8")
    _css = (_HERE / "grid.css").read_text(encoding="utf-8")

    png = traitlets.Bytes(b"").tag(sync=True)
    rows = traitlets.Int(0).tag(sync=True)
    columns = traitlets.Int(0).tag(sync=True)
    cell = traitlets.Int(32).tag(sync=True)
    names = traitlets.List(traitlets.Unicode()).tag(sync=True)
    alt = traitlets.Unicode("").tag(sync=True)
    selected = traitlets.Int(-1).tag(sync=True)
    spoken = traitlets.Unicode("").tag(sync=True)

    def show(self, images: Tensor, names: Sequence[str], alt: str, width: int = 420) -> None:
        """Show other images.

        Parameters
        ----------
        images : Tensor
            uint8, or float in [0, 1]; [N, C, H, W], N a multiple of the number of rows.
        names : sequence of str
            Names of the rows.
        alt : str
            Describes the images in words.
        width : int
            Largest width of all columns together, in CSS pixels.
        """
        columns = len(images) // len(names)
        with self.hold_sync():
            self.rows, self.columns = len(names), columns
            self.cell = max(12, min(32, width // columns))
            self.names, self.alt = list(names), alt
            self.png = png(images, columns)
