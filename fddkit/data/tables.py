"""A table and a folder of images as a data set."""

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip
from ..reading.columns import Column, check_columns, split_bins
from ..reading.faults import EMPTY, NO_FILE, Faults
from ..reading.frame import Frame
from ..reading.image_cache import Images, decoded
from ..reading.table_file import Table, read_table
from .assembly import Options, Read, Rows, assemble
from .grouped import GroupedDataset
from .traits import Traits

_LONGEST_PATH = 4096


def from_table(
    table: str | os.PathLike | Any,
    image: str,
    target: str,
    group: str | Sequence[str],
    root: str | os.PathLike | None = None,
    size: int | tuple[int, int] = 32,
    fit: str = "crop",
    channels: str = "RGB",
    bins: int | Sequence[float] | Mapping[str, Any] | None = None,
    smallest: int | None = None,
    small: str = "merge",
    faulty: str = "refuse",
    split: str | None = None,
    name: str | None = None,
    mean: Sequence[float] | None = None,
    std: Sequence[float] | None = None,
    traits: Traits | None = None,
    cache: str | os.PathLike | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
    duplicates: str = "fault",
    intersections: str = "occurring",
) -> GroupedDataset | dict[str, GroupedDataset]:
    """Read image files that a table labels.

    Parameters
    ----------
    table : path-like, DataFrame or mapping
        A CSV or TSV file with a header, a pandas data frame, or a dict of columns.
    image : str
        The column with the files.
    target : str
        The column with the classes.
    group : str or sequence of str
        The column with the groups, or several, whose intersections are the groups.
    root : path-like, optional
        The folder of the files, which no path may leave. By default that of the table (the current
        one for a data frame); then absolute paths are followed, too.
    size : int or (int, int)
        Side in pixels, or height and width.
    fit : str
        ``"crop"`` (the middle), ``"pad"`` (black at the edges) or ``"stretch"``.
    channels : str
        ``"RGB"`` or ``"gray"``.
    bins : int, sequence of float or mapping, optional
        For a continuous target: so many quantiles, or edges, as in ``[0, 20, 40]`` for the classes
        0-20 and 20-40, where 20 is in the second. A mapping gives bins by column, also of groups.
    smallest : int, optional
        A group with fewer images is small.
    small : str
        What becomes of small groups: ``"merge"`` (into a group "other"), ``"drop"`` or
        ``"refuse"``.
    faulty : str
        What becomes of rows that cannot be used: ``"refuse"`` (an error names them) or ``"skip"``.
    split : str, optional
        The column with the split of each row, such as train and test.
    name : str, optional
        What to call the set; by default as the table.
    mean, std : sequence of float, optional
        One per channel, in units where pixels go from 0 to 1; by default 0.5.
    traits : Traits, optional
        Facts about the images; by default those of photographs.
    cache : path-like or False, optional
        Folder for the decoded images, see `fddkit.core.cache.folder_of`. False: none is kept.
    workers : int, optional
        Processes that decode (threads, if there are few files); by default one per core, at most
        16. 1: this one.
    progress : bool
        Show a bar while images are decoded.
    duplicates : str
        Rows whose image occurs before: ``"fault"``, or ``"keep"``. As a fault, of rows that agree
        the first is good; of rows that contradict each other none is.
    intersections : str
        With several group columns, those ``"occurring"`` or ``"all"``.

    Returns
    -------
    GroupedDataset or dict of str to GroupedDataset
        By split, if there is such a column. Its ``source`` accounts for every row: ``rows`` =
        ``kept`` + the sum of ``skipped`` (by reason), and each skipped row is in ``faults``.

    Raises
    ------
    FddkitError
        If an argument, the table or (unless they are skipped) a row is faulty; the first ten are
        named.

    See Also
    --------
    fddkit.describe : What was read.
    fddkit.from_torch, fddkit.from_hf : The same for data sets of other libraries.

    Examples
    --------
    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(4):
    ...         Image.new("RGB", (9, 9), (60 * i, 0, 0)).save(f"{folder}/{i}.png")
    ...     rows = {"file": ["0.png", "1.png", "2.png", "3.png"], "age": [3, 30, 31, 7]}
    ...     rows["sex"] = ["f", "f", "m", "m"]
    ...     data = from_table(rows, "file", "age", "sex", folder, 8, bins=[0, 20, 40], cache=False,
    ...                       progress=False)
    >>> data.target_names, data.group_names, data.counts().tolist()
    (('0-20', '20-40'), ('f', 'm'), [[1, 1], [1, 1]])
    """
    content = read_table(table)
    columns = check_columns(group)
    options = Options(
        frame=Frame.of(size, fit, channels),
        name=(Path(content.where).stem if content.facts else "table") if name is None else name,
        smallest=smallest,
        small=small,
        faulty=faulty,
        duplicates=duplicates,
        intersections=intersections,
        mean=mean,
        std=std,
        traits=traits,
    )
    how = {"cache": cache, "workers": workers, "progress": progress}
    faults = Faults(content.where, content.numbers, content.word)
    files = _cells(content, image, "image")
    chosen = split_bins(bins, target, columns)

    def labels(column: str, argument: str) -> Column:
        return Column(column, _cells(content, column, argument), chosen.get(column))

    rows = Rows(
        target=labels(target, "target"),
        groups=[labels(column, "group") for column in columns],
        split=None if split is None else labels(split, "split"),
        faults=faults,
        read=_reader(content, files, root, faults, partial(decoded, frame=options.frame, **how)),
        source={"kind": "table", "from": content.where, **content.facts, "image": image}
        | {"target": target, "group": columns},
    )
    made = assemble(rows, options)
    return made["all"] if split is None else made


def _reader(
    content: Table,
    files: list[Any],
    root: str | os.PathLike | None,
    faults: Faults,
    decode: Callable[[list[str]], Images],
) -> Callable[[list[int]], Read]:
    """Return what reads the files of rows, each file once; note rows without a usable name."""
    _shapes(content, faults)
    paths = _paths(content, files, root, faults)

    def read(rows: list[int]) -> Read:
        distinct = list(dict.fromkeys(paths[row] for row in rows))
        position = {path: i for i, path in enumerate(distinct)}
        found = np.full(len(paths), -1, dtype=np.int64)
        found[rows] = [position[paths[row]] for row in rows]
        images = decode(distinct)
        for i, reason in images.faults.items():
            missing = not os.path.lexists(distinct[i])
            reason = reason.removeprefix(f"cannot read {distinct[i]}: ")
            images.faults[i] = NO_FILE if missing else reason
        names = {paths[row]: str(files[row]).strip() for row in rows}
        return Read(images, found, [names[path] for path in distinct])

    return read


def _cells(content: Table, column: str, argument: str) -> list[Any]:
    """Return a column; rows that are too short have nothing in it."""
    i = content.place(column, argument)
    return [row[i] if i < len(row) else None for row in content.rows]


def _shapes(content: Table, faults: Faults) -> None:
    """Note rows that are empty, or that have more or fewer cells than the header."""
    width = len(content.names)
    for i, row in enumerate(content.rows):
        if content.facts and not any(cell.strip() for cell in row):
            faults.add(i, EMPTY)
        elif len(row) != width:
            faults.add(i, "wrong number of cells", f"{len(row)}, not {width}")


def image_files(table: Any, image: str, root: str | os.PathLike | None = None) -> list[str]:
    """Return the files that a table names.

    Parameters
    ----------
    table, image, root
        As of `from_table`.

    Returns
    -------
    list of str
        Each once, whether or not it exists.

    Raises
    ------
    FddkitError
        If there is no such table or column.
    """
    content = read_table(table)
    faults = Faults(content.where, content.numbers, content.word)
    return list(dict.fromkeys(_paths(content, _cells(content, image, "image"), root, faults)))


def _paths(
    content: Table, files: list[Any], root: str | os.PathLike | None, faults: Faults
) -> list[str]:
    if root is not None and not isinstance(root, str | os.PathLike):
        raise FddkitError(f"root={clip(repr(root))} is no folder; give its path")
    place = Path(content.where).parent if content.facts else Path()
    return _located(files, os.path.abspath(place if root is None else root), root is None, faults)


def _name(cell: Any) -> str:
    """Return the file that a cell names: "" for none, a NUL, which no name has, for nonsense."""
    if isinstance(cell, str | os.PathLike):
        return str(cell).strip()
    if hasattr(cell, "__len__"):  # an array, a list, bytes
        return "\0"
    try:
        name = str(cell).strip()
    except Exception:  # code of others
        return "\0"
    return "" if name.lower() in ("none", "nan", "<na>", "nat") else name


def _located(files: list[Any], root: str, free: bool, faults: Faults) -> list[str]:
    """Return the path of each row's file; "" where there is none to be read."""
    inside = os.path.join(root, "")
    paths = []
    for row, cell in enumerate(files):
        name = _name(cell)
        path = os.path.normpath(os.path.join(root, name))
        if "\\" in name and not os.path.lexists(path) and "\0" not in name:
            path = os.path.normpath(os.path.join(root, name.replace("\\", "/")))  # from Windows
        if not name:
            faults.add(row, "no image named")
        elif "\0" in name or len(name) > _LONGEST_PATH:
            faults.add(row, "invalid file name", clip(name, 60).strip())
        elif not path.startswith(inside) and not (free and os.path.isabs(name)):
            faults.add(row, "outside the folder", f"{name}; the folder is {root}")
        paths.append(path)
    return paths
