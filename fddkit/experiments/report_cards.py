"""One run as the report page shows it, read from its folder."""

import json
import re
import struct
from pathlib import Path
from typing import Any
from urllib.parse import quote

from ..core.errors import FddkitError
from ..core.reading import FILE_NAME, conform, is_file, read_bytes, read_json
from .records import Record, is_active

STATUS = ("finished", "failed", "running", "interrupted")


def card(folder: Path, reports: Path) -> dict[str, Any]:
    """Return what the page shows of one run.

    Parameters
    ----------
    folder, reports : Path
        Of the run and of all runs.

    Returns
    -------
    dict
        Plain values for the template; ``error`` says what is missing or damaged.
    """
    problems = []
    try:
        record = Record.load(folder)
    except FddkitError as error:
        problems.append(str(error))
        name = folder.parent.name
        record = Record(name, name, {}, {}, {}, "", None, "failed", None, folder.name)
    try:
        found = read_json(folder / "metrics.json") if _has(folder, "metrics.json") else {}
    except FddkitError as error:
        problems.append(str(error))
        found = {}
    problems += [f"{title}: {line}" for title, line in _dictionary(found, "doubts").items()]
    status = record.status
    if status == "running" and not is_active(folder):
        status = "interrupted"
    parameters = [
        {
            "name": name,
            "value": _spelled(value),
            "default": _spelled(record.defaults.get(name)),
            "changed": value != record.defaults.get(name),
            "sort": value,
        }
        for name, value in record.parameters.items()
    ]
    words = [record.notebook, record.title, status, record.error or ""]
    words += [f"{p['name']}={p['value']}" for p in parameters]
    return {
        "id": anchor(f"run-{folder.parent.name}-{folder.name}"),
        "notebook": record.notebook,
        "title": record.title,
        "status": status if status in STATUS else "failed",
        "error": "; ".join(filter(None, [record.error, *problems])),
        "parameters": parameters,
        "identity": json.dumps([record.notebook, record.parameters], sort_keys=True),
        "started": record.started,
        "when": record.started[:16].replace("T", " "),
        "seconds": record.seconds,
        "versions": record.versions,
        "numbers": _dictionary(found, "numbers"),
        "tables": [_table(*one) for one in _dictionary(found, "tables").items()],
        "figures": _figures(folder, reports),
        "links": [
            {"text": text, "url": _url(folder / name, reports)}
            for name, text in (
                ("notebook.html", "Read the notebook"),
                ("notebook.ipynb", "ipynb"),
                ("metrics.json", "metrics.json"),
                ("run.json", "run.json"),
            )
            if _has(folder, name)
        ],
        "search": " ".join(words).lower(),
    }


def _spelled(value: Any) -> str:
    """Return a parameter exactly as one would type it."""
    return ",".join(map(_spelled, value)) if isinstance(value, list) else str(value)


def anchor(name: str) -> str:
    """Return a name that links can point to.

    Parameters
    ----------
    name : str
        Anything.

    Returns
    -------
    str
        Letters, digits, ``.``, ``-`` and ``_``.
    """
    return re.sub(r"[^A-Za-z0-9.-]", "_", name)


def _has(folder: Path, name: str) -> bool:
    return (folder / name).is_file()


def _dictionary(found: Any, key: str) -> dict[str, Any]:
    value = found.get(key) if isinstance(found, dict) else None
    return value if isinstance(value, dict) else {}


def _table(title: str, rows: Any) -> dict[str, Any]:
    """Return a table as its columns and rows of values."""
    rows = [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return {
        "title": title,
        "columns": columns,
        "rows": [[row.get(name, "") for name in columns] for row in rows],
    }


def _figures(folder: Path, reports: Path) -> list[dict[str, Any]]:
    """Return the figures of a run, in the order of its index."""
    try:
        index = read_json(folder / "figures" / "index.json")
        conform(index, [{"name": str, "caption": str}])
    except ValueError:  # FddkitError is one
        index = []
    shown = []
    for name, caption in ((one["name"], one["caption"]) for one in index):
        if not FILE_NAME.fullmatch(name):  # would lead out of the folder
            continue
        png, pdf = (folder / "figures" / f"{name}.{kind}" for kind in ("png", "pdf"))
        if is_file(png):
            shown.append(
                {
                    "caption": caption,
                    "name": name,
                    "png": _url(png, reports),
                    "pdf": _url(pdf, reports) if is_file(pdf) else "",
                    "size": _size(png),
                }
            )
    return shown


def _size(png: Path) -> tuple[int, int]:
    """Return width and height of a PNG, so that the page does not jump while it loads."""
    try:
        head = read_bytes(png, first=24)
    except FddkitError:
        return 1, 1
    return struct.unpack(">II", head[16:24]) if len(head) == 24 else (1, 1)


def _url(path: Path, reports: Path) -> str:
    return quote(path.relative_to(reports).as_posix())
