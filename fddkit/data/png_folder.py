"""Images as a folder of PNG files, with a table that describes each."""

import csv
import io
import os
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from torch import Tensor

from ..core import files
from ..core.errors import FddkitError
from ..core.reading import read_bytes


def write_pngs(
    folder: str | os.PathLike, pixels: Tensor, labels: Iterable[tuple[int, str, str]]
) -> Path:
    """Write one PNG per image and ``labels.csv`` (file, target, class, initial group).

    Parameters
    ----------
    folder : path-like
        Created if it is missing.
    pixels : Tensor
        float [M, C, H, W] in [0, 1], with one or three channels.
    labels : iterable of (int, str, str)
        Number and name of the class, and name of the group, of each image.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    FddkitError
        If the folder cannot be written to, or contains other files with these names.
    """
    from PIL import Image

    folder = Path(folder)
    pixels = (pixels * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("file", "target", "class", "initial_group"))
    made: dict[str, bytes] = {}
    for i, (image, (y, title, group)) in enumerate(zip(pixels, labels, strict=True)):
        name, buffer = f"{i:05d}_class{y}.png", io.BytesIO()
        Image.fromarray(np.squeeze(image)).save(buffer, format="png")
        made[name] = buffer.getvalue()
        writer.writerow((name, y, title, group))
    made["labels.csv"] = table.getvalue().encode()
    for name, content in made.items():
        _same_as(folder / name, content)  # before the first one is written
    for name, content in made.items():
        with files.atomic(folder / name, partial(_same_as, content=content)) as temporary:
            temporary.write_bytes(content)
    return folder


def _same_as(path: Path, content: bytes) -> None:
    """Raise an error if a file exists, unless it has the content to be written."""
    if os.path.lexists(path) and read_bytes(path) != content:
        raise FddkitError(f"{path} exists, and is kept; choose an empty folder for the images")
