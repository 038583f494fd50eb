"""What makes two runs the same run: notebook, parameters, package source and data files."""

import hashlib
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

from ..core.entries import used
from ..core.errors import FddkitError
from ..core.files import digest
from ..core.versions import PACKAGE
from ..data.loading import catalogue
from .notebooks import Notebook

# these modules show results and cannot change them
_SHELL = ("cli/", "experiments/report_", "__main__.py")


def run_hash(notebook: Notebook, values: dict[str, Any], folder: Path) -> str:
    """Return the digest of everything that determines the results of a run.

    Parameters
    ----------
    notebook : Notebook
        Its cells count; its outputs do not.
    values : dict
        Every parameter. ``dataset`` (a name or a list of names) and ``root`` say which raw data
        files count, by their contents and not their dates.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    data = data_hash(values, folder)
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
        The parameters, of which ``dataset`` and ``root`` are used.
    folder : Path
        What a relative ``root`` is relative to.

    Returns
    -------
    str
        64 hexadecimal digits; a file that is missing counts as missing.

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
    return digest(*parts)


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
