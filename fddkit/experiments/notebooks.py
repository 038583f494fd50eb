"""Notebooks as functions: where they are, which parameters they take and which values fit."""

import ast
import json
import math
import os
import warnings
from dataclasses import dataclass
from numbers import Integral, Real
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError, unknown
from ..core.files import digest
from ..core.reading import LARGEST_JSON, clip, read_bytes
from ..core.versions import PACKAGE


@dataclass(frozen=True, eq=False)
class Notebook:
    """A notebook that was read from disk.

    Attributes
    ----------
    path : Path
        The file.
    name : str
        Its name without the suffix.
    title : str
        Its first heading, or its name.
    defaults : dict
        Its parameters and their defaults: the assignments in the cell tagged ``parameters``.
    node : nbformat.NotebookNode
        The notebook itself.
    source_hash : str
        Digest of the cells' sources, regardless of outputs and metadata.
    """

    path: Path
    name: str
    title: str
    defaults: dict[str, Any]
    node: Any
    source_hash: str

    def resolve(self, given: dict[str, Any]) -> dict[str, Any]:
        """Return the value of every parameter.

        Parameters
        ----------
        given : dict
            Values by name. A string, as typed on a command line, is converted to the type of
            the parameter's default.

        Returns
        -------
        dict
            In the order of the notebook; all values can be stored as JSON.

        Raises
        ------
        FddkitError
            For a parameter that the notebook does not have or a value of another type.
        """
        for name in given:
            if name not in self.defaults:
                if not self.defaults:
                    raise FddkitError(
                        f"{self.name} takes no parameters, so {name!r} cannot be set; "
                        "tag the cell that assigns it 'parameters'"
                    )
                raise unknown(f"parameter of {self.name}", name, self.defaults)
        values = self.defaults | {k: fit(k, v, self.defaults[k]) for k, v in given.items()}
        return json.loads(json.dumps(values))


def fit(name: str, value: Any, default: Any) -> Any:
    """Return ``value`` converted to the type of ``default``.

    Parameters
    ----------
    name : str
        The parameter, for the error.
    value : Any
        A value, or a string that spells one (``"0.9"``, ``"yes"``, ``"a,b"``, ``"[1, 2]"``).
    default : Any
        Decides the type; for ``None`` any plain value fits.

    Returns
    -------
    Any

    Raises
    ------
    FddkitError
        If it does not fit.
    """
    plain = _spelled(value, default) if isinstance(value, str) else value
    kind, ok = "a plain value", plain is None or isinstance(plain, str | Real | list | dict)
    if isinstance(default, bool):
        kind, ok = "true or false", isinstance(plain, bool)
    elif isinstance(default, int):
        kind, ok = "an integer", isinstance(plain, Integral) and not isinstance(plain, bool)
        plain = int(plain) if ok else plain
    elif isinstance(default, float):
        kind, ok = "a number", isinstance(plain, Real) and not isinstance(plain, bool)
        ok = ok and math.isfinite(plain)
        plain = float(plain) if ok else plain
    elif isinstance(default, str):
        kind, ok = "text", isinstance(plain, str)
    elif isinstance(default, list | tuple):
        kind, ok = "a list", isinstance(plain, list | tuple)
        plain = [fit(name, v, default[0] if default else None) for v in plain] if ok else plain
    elif isinstance(default, dict):
        kind, ok = "a dictionary", isinstance(plain, dict)
    if not ok:
        shown = ",".join(map(str, default)) if isinstance(default, list | tuple) else default
        raise FddkitError(f"{name}={value}: {name} is {kind}, e.g. {name}={shown}")
    return plain


def _spelled(text: str, default: Any) -> Any:
    """Return the value that a string typed on a command line stands for, given the default."""
    if isinstance(default, str):
        return text
    if isinstance(default, bool):
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        return words.get(text.lower(), text)
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = text
    if isinstance(default, list | tuple) and not isinstance(value, list | tuple):
        return split(text)
    return list(value) if isinstance(value, tuple) else value


def split(text: str) -> list[str]:
    """Split at the commas that are not inside brackets or quotes.

    Parameters
    ----------
    text : str
        E.g. ``"1,10"`` or ``"[1, 2],[3]"``.

    Returns
    -------
    list of str
    """
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "\"'":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def folders() -> list[Path]:
    """Return where notebooks are searched by name: ``./notebooks``, then beside the package."""
    beside = PACKAGE.parent / "notebooks"
    here = Path("notebooks")
    return [here] if here.resolve() == beside else [here, beside]


def find(notebook: str | os.PathLike) -> Path:
    """Return the file of a notebook.

    Parameters
    ----------
    notebook : str or path-like
        A name such as ``02_distillation``, or a path.

    Returns
    -------
    Path

    Raises
    ------
    FddkitError
        If there is none; the message lists those that there are.
    """
    path = Path(notebook)
    if path.suffix == ".ipynb" or len(path.parts) > 1:
        if not path.is_file():
            raise FddkitError(f"there is no notebook {path}; give the path of an .ipynb file")
        return path
    known: dict[str, Path] = {}
    for folder in folders():
        for file in sorted(folder.glob("*.ipynb")):
            known.setdefault(file.stem, file)
    if str(notebook) not in known:
        if not known:
            looked = " and ".join(str(folder) for folder in folders())
            raise FddkitError(f"there are no notebooks in {looked}; give a path to one")
        raise unknown("notebook", str(notebook), known)
    return known[str(notebook)]


def read(notebook: str | os.PathLike) -> Notebook:
    """Read a notebook and its parameters.

    Parameters
    ----------
    notebook : str or path-like
        A name or a path, see `find`.

    Returns
    -------
    Notebook

    Raises
    ------
    FddkitError
        If there is no such notebook, it cannot be read, or its parameters are not plain values.
    """
    import nbformat

    path = find(notebook)
    data = read_bytes(path, LARGEST_JSON)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about what nbformat repairs, such as missing ids
            node = nbformat.convert(nbformat.reader.reads(data.decode()), 4)
            nbformat.validate(node)
        json.dumps(node, ensure_ascii=False).encode()  # a lone surrogate cannot be encoded
    except Exception as error:  # nbformat raises its own, jsonschema's and Python's exceptions
        reason = clip((str(error).strip() or type(error).__name__).splitlines()[0])
        raise FddkitError(f"{path} is not a notebook ({reason}); save it again") from error
    heads = (
        line[2:].strip()
        for cell in node.cells
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("# ")
    )
    defaults: dict[str, Any] = {}
    for cell in node.cells:
        if cell.cell_type == "code" and "parameters" in cell.metadata.get("tags", []):
            defaults |= _assignments(cell.source, path)
    sources = [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in node.cells]
    return Notebook(
        path, path.stem, next(heads, path.stem), defaults, node, digest(json.dumps(sources))
    )


def _assignments(source: str, path: Path) -> dict[str, Any]:
    """Return the names and values that a parameters cell assigns."""
    values = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the syntax, which the kernel shows
            parsed = ast.parse(source)
        for line in parsed.body:
            if isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant):
                continue  # a docstring
            target = line.target if isinstance(line, ast.AnnAssign) else line.targets[0]
            values[target.id] = ast.literal_eval(line.value)
        json.dumps(values, allow_nan=False)
    except (
        AttributeError,
        SyntaxError,
        TypeError,
        ValueError,
        RecursionError,
        MemoryError,
    ) as error:
        raise FddkitError(
            f"{path}: the cell tagged 'parameters' must only assign plain values to names, "
            "such as ipc = 10"
        ) from error
    return values
