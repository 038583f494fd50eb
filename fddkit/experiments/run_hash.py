"""What makes two runs the same run: notebook, parameters, package source and the files read."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ..core.entries import used
from ..core.errors import FddkitError
from ..core.files import changed, digest
from ..core.reading import clip, conform
from ..core.versions import PACKAGE
from ..data import file_sets
from ..data.loading import catalogue
from ..data.owned import listing
from ..data.tables import image_files
from .notebooks import Notebook

# these modules show results and cannot change them
_SHELL = ("cli/", "experiments/report_", "__main__.py")
MEASURED = PACKAGE.parent / "reports" / "measured"  # the results that notebooks show


def run_hash(notebook: Notebook, values: dict[str, Any], folder: Path) -> str:
    """Return the digest of everything that determines the results of a run.

    Parameters
    ----------
    notebook : Notebook
        Its cells count; its outputs do not.
    values : dict
        Every parameter. ``dataset`` (a name or a list of names) and ``root`` say which raw data
        files count, by their contents and not their dates; ``measured`` which measured results.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    data = data_hash(values, folder) + measured_hash(notebook, values, folder)
    mine = used(values)  # entries that the notebook uses from installed packages
    given = [json.dumps(one) for one in ([values, mine] if mine else [values])]
    return digest(notebook.source_hash, *given, code_hash(), data)


def code_hash() -> str:
    """Return the digest of the package's source, except for modules that only show results.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    parts: list[str | bytes] = []
    for path in sorted([*PACKAGE.rglob("*.py"), *PACKAGE.rglob("*.csv")]):
        name = path.relative_to(PACKAGE).as_posix()
        if not name.startswith(_SHELL):
            parts += [name, path.read_bytes()]
    return digest(*parts)


def data_hash(values: dict[str, Any], folder: Path) -> str:
    """Return the digest of the raw files of the data sets that the parameters name.

    Parameters
    ----------
    values : dict
        The parameters, of which ``dataset`` and ``root`` are used, and ``table`` and ``image``
        (see `fddkit.from_table`), whose images count by their sizes and dates.
    folder : Path
        What a relative ``root`` is relative to.

    Returns
    -------
    str
        64 hexadecimal digits; a file that is missing counts as missing, and of folders of images
        the names and sizes.

    Raises
    ------
    FddkitError
        If a file cannot be read.
    """
    names = values.get("dataset") or []
    names = [names] if isinstance(names, str) else names
    root = folder / str(values.get("root") or "data")
    parts = []
    for entry in catalogue():
        for path in entry.files(root) if entry.name in names else ():
            parts += [path.relative_to(root).as_posix(), _contents(path)]
        for tree in entry.trees(root) if entry.name in names else ():
            parts.append(listing(tree).sha256 if tree.is_dir() else "missing")
    for name in filter(file_sets.is_path, names):
        parts += [name, _sealed(name, root, folder)]
    if isinstance(values.get("table"), str):
        parts += _tabled(folder / values["table"], values, folder)
    return digest(*parts)


def _tabled(table: Path, values: dict[str, Any], folder: Path) -> list[str]:
    """Return the content of a table, and the sizes and dates of the images that it names."""
    inside = None if values.get("root") is None else folder / str(values["root"])
    try:
        named = image_files(table, values.get("image"), inside)
    except FddkitError as error:  # the run will say so
        return [str(error)]
    return [_contents(table), *(f"{name} {changed(name)}" for name in named)]


def _sealed(name: str, root: Path, folder: Path) -> str:
    """Return the hash of a data set that is a file; one that cannot be read fails in the run."""
    try:
        return file_sets.entry(name, root, folder).sha256
    except FddkitError as error:
        return str(error)


def measured_hash(notebook: Notebook, values: dict[str, Any], folder: Path) -> str:
    """Return the digest of the measured results that a notebook shows.

    Parameters
    ----------
    notebook : Notebook
        Its metadata names the files: ``{"fddkit": {"measured": ["controls-*.json"]}}``.
    values : dict
        The parameters, of which ``measured`` is their folder, if it is given.
    folder : Path
        What a relative ``measured`` is relative to.

    Returns
    -------
    str
        64 hexadecimal digits; empty where the notebook names none.

    Raises
    ------
    FddkitError
        If the names are not those of files, or one cannot be read.
    """
    given = notebook.node.metadata.get("fddkit", {"measured": []})
    try:
        conform(given, {"measured": [str]}, "metadata.fddkit")
        if wrong := [name for name in given["measured"] if not name or name != Path(name).name]:
            raise ValueError(f"metadata.fddkit.measured has {clip(repr(wrong[0]))}")
    except ValueError as error:
        raise FddkitError(
            f"{notebook.path}: {error}; name files of reports/measured, such as controls-*.json"
        ) from error
    where = folder / str(values.get("measured") or MEASURED)
    paths = {path for name in given["measured"] for path in where.glob(name)}
    parts = [part for path in sorted(paths) for part in (path.name, _contents(path))]
    return digest(*parts) if given["measured"] else ""


def _contents(path: Path) -> str:
    try:
        stat = path.stat()
        return _digest_of(path.resolve(), stat.st_size, stat.st_mtime_ns)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error


@cache
def _digest_of(path: Path, size: int, changed: int) -> str:
    """Return the digest of a file, computed once per sweep unless the file changes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def words(values: dict[str, Any], defaults: dict[str, Any]) -> str:
    """Return the parameters that differ from the defaults, as part of a folder name.

    Parameters
    ----------
    values, defaults : dict
        The parameters of a run and those of its notebook.

    Returns
    -------
    str
        E.g. ``"cmnist-fg-ipc50"``; ``"default"`` where nothing differs.
    """
    changed = [
        value if isinstance(value, str) else f"{name}{value}"
        for name, value in values.items()
        if value != defaults[name]
    ]
    text = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(changed)).strip("-.")
    return text[:48].rstrip("-.") or "default"
