"""A data set described by a TOML file: a table, a folder of images, and what to make of them.

.. code-block:: toml

    table = "faces.csv"        # beside this file
    image = "path"             # its columns
    target = "age"
    group = ["race", "gender"]
    split = "part"
    root = "faces"
    size = 32

    [bins]
    age = [0, 20, 40, 120]

The keys are the arguments of `fddkit.from_table`. In place of ``table`` and ``split`` a section
``[splits]`` may name a table for each split.
"""

import os
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError, unknown
from ..core.reading import clip, conform, read_bytes
from ..reading.table_file import Table, joined, read_table
from .grouped import GroupedDataset
from .tables import from_table, image_files
from .traits import Traits

_SPLIT = "split of the file"  # the name of a column that is not in the tables
_LARGEST = 2**16  # bytes; the time that tomllib needs grows with the square of a dotted key
_LONGEST_LINE = 4096  # characters
_BINS = (int, [float])
_SHAPE = {
    "table?": str,
    "splits?": {str: str},
    "image": str,
    "target": str,
    "group": (str, [str]),
    "root?": str,
    "size?": (int, [int]),
    "fit?": str,
    "channels?": str,
    "bins?": (int, [float], {str: _BINS}),
    "smallest?": int,
    "small?": str,
    "faulty?": str,
    "split?": str,
    "name?": str,
    "mean?": [float],
    "std?": [float],
    "traits?": {f"{one.name}?": bool for one in fields(Traits)},
    "duplicates?": str,
    "intersections?": str,
}
KEYS = tuple(key.removesuffix("?") for key in _SHAPE)


def read(
    path: str | os.PathLike,
    cache: str | os.PathLike | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> dict[str, GroupedDataset]:
    """Read the data set that a TOML file describes.

    Parameters
    ----------
    path : path-like
        The file; paths in it are relative to its folder.
    cache, workers, progress : path-like, int, bool
        As in `fddkit.from_table`.

    Returns
    -------
    dict of str to GroupedDataset
        By split; ``{"all": data}`` if there is none.

    Raises
    ------
    FddkitError
        If a key is missing, unknown or has a value of another type, or as in `from_table`.
    """
    path = Path(path)
    given = _checked(path)
    table, root = _table(given, path)
    if "splits" in given:
        given["split"] = _SPLIT
    for key in ("table", "splits", "root"):
        given.pop(key, None)
    given.setdefault("name", path.stem)
    if "traits" in given:
        given["traits"] = Traits(**given["traits"])
    if isinstance(given.get("size"), list):
        given["size"] = tuple(given["size"])
    try:
        data = from_table(
            table, root=root, cache=cache, workers=workers, progress=progress, **given
        )
    except FddkitError as error:
        raise FddkitError(f"{path}: {error}") from error
    return data if isinstance(data, dict) else {"all": data}


def tables(path: str | os.PathLike) -> list[Path]:
    """Return the tables that a TOML file names.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    list of Path
        Whether or not they exist.

    Raises
    ------
    FddkitError
        As `read`.
    """
    given, folder = _checked(Path(path)), Path(path).absolute().parent
    return [folder / name for name in given.get("splits", {"all": given.get("table")}).values()]


def images(path: str | os.PathLike) -> list[str]:
    """Return the image files that the tables of a TOML file name.

    Parameters
    ----------
    path : path-like
        The TOML file.

    Returns
    -------
    list of str
        Each once, whether or not it exists.

    Raises
    ------
    FddkitError
        If the TOML file or a table cannot be read.
    """
    path = Path(path)
    given = _checked(path)
    table, root = _table(given, path)
    return image_files(table, given["image"], root)


def _table(given: dict[str, Any], path: Path) -> tuple[Table, Path | None]:
    """Return the table, and the folder of the images; None is the table's, or any."""
    folder, root = path.absolute().parent, None
    if "splits" in given:
        parts = {name: read_table(folder / file) for name, file in given["splits"].items()}
        table, root = joined(parts, _SPLIT), folder
    else:
        table = read_table(folder / given["table"])
    if "root" in given:
        root = folder / given["root"]
        if not root.is_dir():
            raise FddkitError(f"{path}: there is no folder {root}; correct root")
    return table, root


def _checked(path: Path) -> dict[str, Any]:
    """Return the content of a file whose every key is known and has a value of its type."""
    data = read_bytes(path, _LARGEST)
    try:
        text = data.decode("utf-8-sig")
        if any(len(line) > _LONGEST_LINE for line in text.split("\n")):
            raise ValueError(f"a line has more than {_LONGEST_LINE:,} characters")
        given = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise FddkitError(f"{path} is not valid TOML ({clip(error)}); correct it") from error
    for key in given:
        if key not in KEYS:
            raise FddkitError(f"{path}: {unknown('key of a data set', clip(key, 40), KEYS)}")
    for key in given.get("traits", {}) if isinstance(given.get("traits"), dict) else ():
        if key not in Traits.__dataclass_fields__:
            known = list(Traits.__dataclass_fields__)
            raise FddkitError(f"{path}: {unknown('trait', clip(key, 40), known)}")
    try:
        conform(given, _SHAPE, "the file")
    except ValueError as error:
        raise FddkitError(f"{path}: {error}; correct it") from error
    if ("table" in given) == ("splits" in given):
        raise FddkitError(f"{path} needs either a table or a section [splits]; give one of them")
    if "splits" in given and ("split" in given or not given["splits"]):
        raise FddkitError(
            f"{path}: [splits] names a table for each split; give at least one, and no split="
        )
    return given
