"""The command for one's own data: ``import-table``."""

import os
import re
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.files import atomic, consider, write_json
from ..core.reading import conform, read_json
from . import options

_EXAMPLES = """\
examples:
  fddkit import-table faces.csv --image path --target age --group race,gender --out faces.fdd
  fddkit import-table faces.csv --image path --target age --group race --bins age=0,20,40,120 \\
      --root faces --size 32 --smallest 50 --faulty skip --split part --out faces.fdd
  fddkit import-table faces.toml --out faces.fdd

Paths in the table are relative to its folder, or to --root. Rows that cannot be used are all
named; --faulty skip leaves them out. The file is then valid wherever the name of a data set is;
so is a .toml that says the same (docs/command-line.md).
"""
_SHOWN = 20  # rows that are named on the screen; --json has all
_TEXTS = ("root", "fit", "channels", "small", "faulty", "duplicates", "split", "name")
_NEEDED = ("image", "target", "group")
_ADVISED = re.compile(r'\b(small|faulty|duplicates)="(\w+)"')  # as Python has it
_WRITTEN = ("out", "json", "figure")
_FIGURES = (".png", ".pdf", ".svg")


def add(commands: options.Commands) -> None:
    """Add ``import-table``.

    Parameters
    ----------
    commands : Commands
        Where it is added.
    """
    does = "read images that a table labels, and write them as a data set"
    one = options.add_command(commands, "import-table", does, import_table, _EXAMPLES)
    one.add_argument("table", metavar="TABLE", help="a CSV or TSV file with a header, or a .toml")
    one.add_argument("--out", required=True, metavar="FILE", help="the .fdd file to write")
    one.add_argument("--image", metavar="COLUMN", help="the column with the image files")
    one.add_argument("--target", metavar="COLUMN", help="the column with the classes")
    one.add_argument(
        "--group", type=_columns, metavar="COLUMN,...", help="the columns whose values are groups"
    )
    one.add_argument("--split", metavar="COLUMN", help="the column that says train or test")
    one.add_argument("--root", metavar="FOLDER", help="the folder of the images")
    one.add_argument("--size", type=_size, help="pixels: 32, or 48x32 (height, width; default: 32)")
    one.add_argument("--fit", help="crop (the middle), pad or stretch (default: crop)")
    one.add_argument("--channels", help="RGB or gray (default: RGB)")
    one.add_argument(
        "--bins",
        action="append",
        default=[],
        metavar="COLUMN=EDGES",
        help="make classes or groups of numbers: edges, age=0,20,40, or quantiles, age=4",
    )
    one.add_argument("--smallest", type=int, metavar="N", help="groups with fewer are small")
    one.add_argument("--small", help="merge, drop or refuse small groups (default: merge)")
    one.add_argument("--faulty", help="refuse or skip rows that cannot be used (default: refuse)")
    one.add_argument("--duplicates", help="fault: no image twice; or keep (default: fault)")
    one.add_argument("--name", help="what to call the set (default: as the table)")
    options.add_json(one, "description")
    add_figure(one)


def add_figure(one: ArgumentParser) -> None:
    """Add ``--figure``."""
    one.add_argument(
        "--figure", metavar="FILE", help="also draw the counts: a .png, .pdf or .svg per split"
    )


def import_table(given: Namespace) -> int:
    """Read a table and its images, say what was read, and write one file.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..core.tensors import only
    from ..data import toml_sets
    from ..data.grouped_kind import DATA, SUFFIX, write
    from ..data.tables import from_table

    if Path(given.out).suffix != SUFFIX:
        raise FddkitError(f"{given.out} does not end in {SUFFIX}; choose a name that does")
    named = inputs(given.table)
    check_places(named, outputs(given))
    consider(given.out, only(DATA))
    check_json(given)
    arguments = _arguments(given)
    if given.table.endswith(".toml"):
        if arguments:
            raise FddkitError(
                f"{given.table} itself says how its table is read; leave out "
                f"--{next(iter(arguments))}, or change the file"
            )
        made = toml_sets.read(given.table)
    else:
        for name in _NEEDED:
            if name not in arguments:
                raise FddkitError(f"--{name} is missing; name the column of {given.table}")
        try:
            made = from_table(given.table, **arguments)
        except FddkitError as error:
            raise FddkitError(_ADVISED.sub(r"--\1 \2", str(error))) from error
    splits = made if isinstance(made, Mapping) else {"all": made}
    drawn = figures(given, splits, named)
    write(given.out, splits)
    faults = next(iter(splits.values())).source["faults"]  # of the whole table
    lines = [*_left_out(faults), f"{sum(map(len, splits.values())):,} images are in {given.out}"]
    tell(given, splits, drawn, {"described": given.table, "left out": faults}, lines)
    return 0


def inputs(path: str | os.PathLike, name: str = "the table") -> list[tuple[str, Any]]:
    """Return what a command reads, as what it is called and where: a file, a .toml's tables."""
    from ..data import toml_sets

    tables = toml_sets.tables(path) if str(path).endswith(".toml") else []
    return [(name, path), *((f"a table of {path}", table) for table in tables)]


def outputs(given: Namespace) -> list[tuple[str, Any]]:
    """Return what a command writes: options and files."""
    options = (f"--{name}" for name in _WRITTEN if getattr(given, name, None))
    return [(option, getattr(given, option[2:])) for option in options]


def check_places(read: Sequence[tuple[str, Any]], written: Sequence[tuple[str, Any]]) -> None:
    """Refuse an output that would replace an input or another output, whatever links it goes by."""
    taken: dict[str, str] = {}
    for number, (name, path) in enumerate([*read, *written]):
        first = name
        with suppress(ValueError):  # a NUL in it, of which its reader or writer tells
            first = taken.setdefault(os.path.realpath(path), name)
        if number >= len(read) and first != name:
            raise FddkitError(
                f"{first} and {name} are the same file, {path}; give {name} another name"
            )


def check_json(given: Namespace) -> None:
    """Refuse, before any work, a place for ``--json`` that cannot be written or holds others."""
    if given.json:
        consider(given.json, _replaceable(given))


def tell(
    given: Namespace,
    splits: Mapping[str, Any],
    drawn: Mapping[str, Path],
    about: dict[str, Any],
    lines: Sequence[str] = (),
) -> None:
    """Print what each split holds, draw it, and write it as JSON.

    Parameters
    ----------
    given : Namespace
        ``json`` and ``overwrite``.
    splits : mapping of str to GroupedDataset
        The splits.
    drawn : mapping of str to Path
        As `figures` returns it.
    about : dict
        What else the JSON says.
    lines : sequence of str
        What is printed after the splits.
    """
    from ..data.description import describe

    found = {name: describe(data) for name, data in splits.items()}
    print("\n\n".join(f"[{name}] {one}" for name, one in found.items()))
    print("".join(f"\n{line}" for line in lines), end="\n" if lines else "")
    _draw(drawn, found)
    if given.json:
        told = {name: one.to_dict() for name, one in found.items()}
        write_json(given.json, {**about, "splits": told}, _replaceable(given))


def figures(
    given: Namespace, splits: Iterable[str], read: Sequence[tuple[str, Any]] = ()
) -> dict[str, Path]:
    """Return the file of each split's figure, if figures are wanted.

    Parameters
    ----------
    given : Namespace
        ``figure`` and ``overwrite``.
    splits : iterable of str
        Their names, which stand in those of the files if there are several.
    read : sequence of (str, path-like)
        See `check_places`.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    FddkitError
        For a format that cannot be drawn, or a file that exists or is already taken.
    """
    if not given.figure:
        return {}
    path, names = Path(given.figure), list(splits)
    if path.suffix not in _FIGURES:
        raise FddkitError(f"{path} does not end in {', '.join(_FIGURES)}; choose one of them")
    files = {
        name: path.with_stem(f"{path.stem}-{name}") if len(names) > 1 else path for name in names
    }
    others = [one for one in outputs(given) if one[0] != "--figure"]
    check_places([*read, *others], [("--figure", file) for file in files.values()])
    for file in files.values():
        if consider(file) and not given.overwrite:
            raise FddkitError(f"{file} exists; choose another name, or --overwrite it")
    return files


def _draw(files: Mapping[str, Path], found: Mapping[str, Any]) -> None:
    """Draw the counts of each split, described by `fddkit.describe`, into its file."""
    if not files:
        return
    from ..plots import group_table

    for name, path in files.items():
        title = f"{found[name].name}{f', {name}' if len(files) > 1 else ''}: images"
        with atomic(path) as temporary:
            group_table(found[name], title).savefig(temporary, format=path.suffix[1:])
        print(f"{path} shows the counts")


def _replaceable(given: Namespace) -> Callable[[Path], None] | None:
    return None if given.overwrite else _only_descriptions


def _only_descriptions(path: Path) -> None:
    """Let only descriptions be replaced, see `fddkit.core.files.atomic`."""
    try:
        conform(read_json(path) if path.stat().st_size else {"described": ""}, {"described": str})
    except ValueError as error:  # FddkitError is one
        raise FddkitError(
            f"{path} does not hold a description and is kept; choose another name, or "
            "--overwrite it"
        ) from error


def _arguments(given: Namespace) -> dict[str, Any]:
    """Return the arguments of `fddkit.from_table` that were given."""
    names = (*_NEEDED, *_TEXTS, "size", "smallest")
    arguments = {name: getattr(given, name) for name in names if getattr(given, name) is not None}
    bins = {name: _edges(name, text) for name, text in options.pairs("--bins", given.bins)}
    return arguments | ({"bins": bins} if bins else {})


def _edges(column: str, text: str) -> int | list[float]:
    """Return a number of quantiles, or the edges of bins."""
    try:
        return int(text) if "," not in text else [float(edge) for edge in text.split(",")]
    except ValueError as error:
        raise FddkitError(
            f"--bins {column}={text}: give edges, as in {column}=0,20,40, or a number of bins"
        ) from error


def _left_out(faults: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return a line for each row that was left out, as far as they fit a screen."""
    lines = []
    for fault in faults[:_SHOWN]:
        word = next(iter(fault))  # line or row
        detail = f" ({fault['detail']})" if fault["detail"] else ""
        lines.append(f"left out, {word} {fault[word]}: {fault['reason']}{detail}")
    more = len(faults) - _SHOWN
    return lines + ([f"and {more:,} more, which --json FILE lists"] if more > 0 else [])


def _columns(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


def _size(text: str) -> int | tuple[int, ...]:
    sides = tuple(map(int, text.split("x")))
    return sides[0] if len(sides) == 1 else sides
