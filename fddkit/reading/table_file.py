"""Tables of text: CSV or TSV files in any encoding, data frames, dicts of columns."""

import csv
import io
import os
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError, unknown
from ..core.reading import clip, read_bytes

LARGEST = 2**30  # bytes
_DELIMITERS = (",", ";", "\t", "|")
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass
class Table:
    """A table, column by column.

    Attributes
    ----------
    where : str
        What to call it in an error.
    names : list of str
        Its columns, some perhaps twice.
    rows : list of sequence
        Cells, in the order of the columns; a row of a file may have more or fewer.
    numbers : sequence of int or str
        Line (from 1, the header's; after the file's name if there are several) or row (from 0).
    word : str
        ``"line"`` or ``"row"``.
    facts : dict
        Encoding and delimiter of a file.
    """

    where: str
    names: list[str]
    rows: list[Any]
    numbers: Any
    word: str
    facts: dict[str, str]

    def place(self, column: Any, argument: str) -> int:
        """Return the position of a column, or say which columns there are."""
        if not isinstance(column, str):
            raise FddkitError(f"{argument}={clip(repr(column))} is not the name of a column")
        count = self.names.count(column)
        if count == 1:
            return self.names.index(column)
        if count:
            raise FddkitError(
                f"{count} columns of {self.where} are called {clip(column)!r}; rename all but one"
            )
        shown = [clip(name, 40) for name in dict.fromkeys(self.names) if name]
        error = unknown(f"column of {self.where} ({argument}=)", column, shown)
        raise FddkitError(clip(error, 600))


def read_table(given: Any) -> Table:
    """Read a table.

    Parameters
    ----------
    given : path-like, DataFrame, mapping or Table
        A CSV or TSV file with a header (comma, semicolon, tab or bar; UTF-8, UTF-16 with its mark,
        or else Windows-1252); a pandas data frame; a mapping of names to columns; or a table,
        which is returned.

    Returns
    -------
    Table

    Raises
    ------
    FddkitError
        If there is no table in it.
    """
    if isinstance(given, Table):
        return given
    if isinstance(given, str | os.PathLike):
        return _from_file(Path(given))
    if hasattr(given, "iloc") and hasattr(given, "columns"):
        names = [str(name) for name in given.columns]
        columns = [given.iloc[:, i].tolist() for i in range(len(names))]
    elif isinstance(given, Mapping):
        names = [str(name) for name in given]
        columns = [_listed(name, values) for name, values in given.items()]
    else:
        raise FddkitError(
            f"{clip(type(given).__name__)} is no table; give a CSV file or a data frame"
        )
    if len({len(column) for column in columns}) > 1:
        raise FddkitError("the columns of the table differ in length; give one cell per image")
    rows = list(zip(*columns, strict=True))
    return Table("the table", names, rows, range(len(rows)), "row", {})


def _listed(name: Any, values: Any) -> list[Any]:
    """Return a column as a list, or say that it is none."""
    try:
        if isinstance(values, str | bytes):
            raise TypeError("text is not its characters")
        return list(values)
    except TypeError as error:
        raise FddkitError(
            f"the column {clip(name, 40)!r} is {clip(repr(values), 40)}; give a list, one cell "
            "per image"
        ) from error


def joined(tables: Mapping[str, Table], column: str) -> Table:
    """Return one table of several files with the same columns, and a column that says which.

    Parameters
    ----------
    tables : mapping of str to Table
        By what the new column says of their rows.
    column : str
        Its name.

    Returns
    -------
    Table

    Raises
    ------
    FddkitError
        If they differ in their columns.
    """
    first = next(iter(tables.values()))
    rows, numbers = [], []
    for key, table in tables.items():
        if table.names != first.names:
            raise FddkitError(
                f"{table.where} and {first.where} differ in their columns; give them the same"
            )
        # a row that is too long or too short stays so
        rows += [[key, *row] if any(cell.strip() for cell in row) else [] for row in table.rows]
        numbers += [f"{Path(table.where).name}:{line}" for line in table.numbers]
    where = ", ".join(table.where for table in tables.values())
    return Table(where, [column, *first.names], rows, numbers, "line", first.facts)


def _from_file(path: Path) -> Table:
    data = read_bytes(path, LARGEST)
    text, encoding = _decoded(data, path)
    if not text.strip():
        raise FddkitError(f"{path} is empty; give a table with a header and a row per image")
    header = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max(_DELIMITERS, key=lambda mark: len(_cells(header, mark)))
    if path.suffix.lower() in (".tsv", ".tab") and "\t" in header:
        delimiter = "\t"
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows, numbers, line = [], [], 1
    try:
        for row in reader:
            rows.append(row)
            numbers.append(line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise FddkitError(
            f"line {line} of {path} is no row of a table ({clip(error)}): most often a quotation "
            "mark is open or misplaced; correct it"
        ) from error
    first = next((i for i, row in enumerate(rows) if any(cell.strip() for cell in row)), None)
    if first is None:
        raise FddkitError(f"{path} has no header; name the columns in its first line")
    names = [cell.strip() for cell in rows[first]]
    facts = {"encoding": encoding, "delimiter": delimiter}
    return Table(str(path), names, rows[first + 1 :], numbers[first + 1 :], "line", facts)


def _cells(header: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return []


def _decoded(data: bytes, path: Path) -> tuple[str, str]:
    """Return the text of a file and its encoding."""
    try:
        if data.startswith(_UTF16):
            return data.decode("utf-16"), "utf-16"
        if b"\0" in data:
            raise FddkitError(f"{path} is no table but binary data; give a CSV or TSV file")
        with_mark = data.startswith(b"\xef\xbb\xbf")
        return data.decode("utf-8-sig"), "utf-8 with a mark" if with_mark else "utf-8"
    except UnicodeDecodeError as error:
        if data.startswith(_UTF16):
            raise FddkitError(
                f"{path} begins as UTF-16 but is not ({clip(error)}); save it as UTF-8"
            ) from error
        others = data.decode("utf-8", errors="surrogateescape")  # what is not UTF-8 is surrogates
        if re.search("[\x80-\ud7ff\ue000-\U0010ffff]", others):
            line = data.count(b"\n", 0, error.start) + 1
            raise FddkitError(
                f"line {line} of {path} is not UTF-8 although others are; save the table as UTF-8"
            ) from error
        warnings.warn(
            f"{path} is not UTF-8, so it is read as Windows-1252; save it as UTF-8 if letters are "
            "wrong",
            stacklevel=2,
        )
        return data.decode("cp1252", errors="replace"), "windows-1252"
