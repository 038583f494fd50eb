"""The page of all runs: ``reports/index.html``, which opens from disk with no server."""

import json
import math
import os
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core import files
from ..core.errors import FddkitError
from ..core.reading import read_bytes
from ..evaluation.kept_numbers import only_chance, over
from .report_cards import STATUS, anchor, card

_TITLE = "<title>fddkit: results</title>"  # of the template


def build(reports: str | os.PathLike = "reports") -> Path:
    """Write the page of every run in a folder.

    Parameters
    ----------
    reports : path-like
        The folder of all runs.

    Returns
    -------
    Path
        ``REPORTS/index.html``; its links are relative, so the folder can be moved or sent.

    Raises
    ------
    FddkitError
        If there is no run, or the page cannot be written.

    Examples
    --------
    >>> import fddkit as fdd
    >>> fdd.report.build("reports")  # doctest: +SKIP
    PosixPath('reports/index.html')
    """
    import jinja2

    reports = Path(reports)
    cards = [card(path.parent, reports) for path in sorted(reports.glob("*/*/run.json"))]
    if not cards:
        raise FddkitError(
            f"there are no runs in {reports}; make one first, e.g. `fddkit run 00_start_here`"
        )
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    filters = (show, duration, only_chance, over)
    environment.filters |= {function.__name__: function for function in filters}
    page = environment.get_template("report.html.j2").render(
        notebooks=[notebook(one) for one in by_notebook(cards)],
        total=len(cards),
        counts={name: sum(c["status"] == name for c in cards) for name in STATUS},
        made=datetime.now().astimezone().strftime("%d %B %Y, %H:%M"),
    )
    index = reports / "index.html"
    with files.atomic(index, _only_pages) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return index


def _only_pages(path: Path) -> None:
    """Refuse to overwrite a page that is not fddkit's, such as one of a web site."""
    begin = read_bytes(path, first=4096)
    if begin and _TITLE.encode() not in begin:
        raise FddkitError(f"{path} is not a page of fddkit and is kept; name another --reports")


def by_notebook(cards: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Return the cards of each notebook, in the order of its name.

    Parameters
    ----------
    cards : list of dict
        See `card`.

    Returns
    -------
    list of list of dict
    """
    groups: dict[str, list] = defaultdict(list)
    for one in cards:
        groups[one["notebook"]].append(one)
    return [groups[name] for name in sorted(groups)]


def notebook(cards: list[dict[str, Any]]) -> dict[str, Any]:
    """Return what the page shows of one notebook.

    Parameters
    ----------
    cards : list of dict
        Its runs.

    Returns
    -------
    dict
        ``runs``: the latest for each choice of parameters, in their order; ``earlier``: the
        others, made with other code or data; ``varied`` and ``numbers``: the columns of its table.
    """
    latest: dict[str, dict] = {}
    for one in sorted(cards, key=lambda c: c["started"]):
        latest[one["identity"]] = one
    runs = sorted(latest.values(), key=lambda c: [_order(p["sort"]) for p in c["parameters"]])
    shown = {id(one) for one in runs}
    earlier = [one for one in cards if id(one) not in shown]
    earlier.sort(key=lambda c: c["started"], reverse=True)
    varied = dict.fromkeys(p["name"] for one in runs for p in one["parameters"] if p["changed"])
    newest = max(runs, key=lambda c: c["started"])
    return {
        "name": newest["notebook"],
        "anchor": anchor(newest["notebook"]),
        "title": newest["title"],
        "runs": runs,
        "earlier": earlier,
        "varied": list(varied),
        "numbers": list(dict.fromkeys(name for one in runs for name in one["numbers"])),
    }


def show(value: Any) -> str:
    """Return a value in readable form.

    Parameters
    ----------
    value : Any
        Anything that JSON can hold; for ``{"mean": ...}`` the mean is shown.

    Returns
    -------
    str
    """
    if isinstance(value, dict):
        if "mean" in value:
            return show(value["mean"])
        return ", ".join(f"{k}: {show(v)}" for k, v in value.items())
    if isinstance(value, list):
        return ", ".join(map(show, value))
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}".replace(",", "\u202f") if abs(value) > 9999 else str(value)
    if isinstance(value, float):
        size = abs(value)
        digits = 0 if size >= 1000 else 1 if size >= 10 else 2
        return f"{value:.{digits}f}" if size >= 0.1 else f"{value:.3g}"
    return str(value)


def duration(seconds: float | None) -> str:
    """Return a duration in readable form.

    Parameters
    ----------
    seconds : float or None
        How long it took.

    Returns
    -------
    str
        E.g. ``"3 min 12 s"``; empty where unknown.
    """
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _order(value: Any) -> tuple:
    """Return a key that sorts numbers as numbers, before all other values."""
    if isinstance(value, int | float) and math.isfinite(value):
        return 0, float(value), ""
    return 1, 0.0, json.dumps(value)
