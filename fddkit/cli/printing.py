"""How commands print their results: tables, and paths that can be typed again."""

import os
from collections.abc import Sequence
from pathlib import Path


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text in columns.

    Parameters
    ----------
    rows : sequence of sequence of str
        All of the same length; the first is the heading.

    Returns
    -------
    str
        One line per row; each column is as wide as its widest cell.
    """
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)


def near(path: Path) -> Path:
    """Return a path as one would type it in the working directory.

    Parameters
    ----------
    path : Path
        Of a file or folder.

    Returns
    -------
    Path
        Relative if the path lies in the working directory, else absolute.
    """
    path = path.resolve()
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path
