"""The command for one's own data: ``import-table``."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterable, Mapping, Sequence
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
    from ..data import grouped_file, toml_sets
    from ..data.description import describe
    from ..data.grouped_kind import DATA, SUFFIX
    from ..data.tables import from_table

    if Path(given.out).suffix != SUFFIX:
        raise FddkitError(f"{given.out} does not end in {SUFFIX}; choose a name that does")
    consider(given.out, only(DATA))
    look = None if given.overwrite else only_descriptions
    if given.json:
        consider(given.json, look)
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
        made = from_table(given.table, **arguments)
    splits = made if isinstance(made, Mapping) else {"all": made}
    drawn = figures(given, splits)
    grouped_file.write(given.out, splits)
    found = {name: describe(data) for name, data in splits.items()}
    print("\n\n".join(f"[{name}] {one}" for name, one in found.items()))
    faults = next(iter(splits.values())).source["faults"]  # of the whole table
    print("".join(f"\n{line}" for line in _left_out(faults)), end="")
    print(f"\n{sum(map(len, splits.values())):,} images are in {given.out}")
    draw(drawn, found)
    if given.json:
        told = {"described": given.table, "left out": faults}
        told["splits"] = {name: one.to_dict() for name, one in found.items()}
        write_json(given.json, told, look)
    return 0


def figures(given: Namespace, splits: Iterable[str]) -> dict[str, Path]:
    """Return the file of each split's figure, if figures are wanted.

    Parameters
    ----------
    given : Namespace
        ``figure`` and ``overwrite``.
    splits : iterable of str
        Their names, which stand in those of the files if there are several.

    Returns
    -------
    dict of str to Path

    Raises
    ------
    FddkitError
        For a format that cannot be drawn, or a file that exists.
    """
    if not given.figure:
        return {}
    path, names = Path(given.figure), list(splits)
    if path.suffix not in _FIGURES:
        raise FddkitError(f"{path} does not end in {', '.join(_FIGURES)}; choose one of them")
    files = {
        name: path.with_stem(f"{path.stem}-{name}") if len(names) > 1 else path for name in names
    }
    for file in files.values():
        if consider(file) and not given.overwrite:
            raise FddkitError(f"{file} exists; choose another name, or --overwrite it")
    return files


def draw(files: Mapping[str, Path], found: Mapping[str, Any]) -> None:
    """Draw the counts of each split, described by `fddkit.describe`, into its file."""
    if not files:
        return
    from ..plots import group_table

    for name, path in files.items():
        title = f"{found[name].name}{f', {name}' if len(files) > 1 else ''}: images"
        with atomic(path) as temporary:
            group_table(found[name], title).savefig(temporary, format=path.suffix[1:])
        print(f"{path} shows the counts")


def only_descriptions(path: Path) -> None:
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
