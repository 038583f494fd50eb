"""What a run keeps of fairness reports: their files, their key numbers, and a table of them."""

import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..core.files import digest
from ..core.reading import FILE_NAME, conform, read_json
from ..evaluation.guard import doubts_of
from ..evaluation.measures import headline
from ..evaluation.report import FairnessReport
from ..evaluation.summary import Summary

FOLDER = "reports"  # in the folder of a run
_SUFFIX = ".report.json"  # so that none of them is called like a file of the run itself
_LONGEST = 60  # characters of a title in a file name


def file_name(title: str) -> str:
    """Return the name of the file that keeps a report.

    Parameters
    ----------
    title : str
        Of the report; any text.

    Returns
    -------
    str
        Safe on every system, the same for the same title, and different for different ones.

    Examples
    --------
    >>> file_name("random-balanced")
    'random-balanced.report.json'
    >>> file_name("BR 0.5")
    'br-0-5.8ce05f7c.report.json'
    """
    plain = re.sub(r"[^a-z0-9_-]+", "-", title.lower()).strip("-")[:_LONGEST] or "untitled"
    # what was changed may be all that tells two titles apart; no plain name has a dot
    return plain + ("" if plain == title else f".{digest(title)[:8]}") + _SUFFIX


def save(folder: Path, named: Mapping[str, FairnessReport]) -> dict[str, str]:
    """Write reports into the folder of a run, in the place of earlier ones of the same titles.

    Parameters
    ----------
    folder : Path
        Of the run.
    named : mapping of str to FairnessReport
        Title -> report.

    Returns
    -------
    dict of str to str
        Title -> name of the file below `FOLDER`.

    Raises
    ------
    FddkitError
        If one cannot be written.
    """
    names = {title: file_name(title) for title in named}
    for title, report in named.items():
        report.save(folder / FOLDER / names[title], look=_replace)
    return names


def _replace(_: Path) -> None:
    """Let whatever has such a name be replaced: the folder is the run's own."""


def saved(folder: str | os.PathLike) -> set[str]:
    """Return the paths of the reports that a run has saved, relative to its folder."""
    found: dict[str, str] = {}
    with suppress(ValueError):  # FddkitError is one
        kept = read_json(Path(folder) / "metrics.json")
        conform(kept, {FOLDER: {str: str}})
        found = kept[FOLDER]
    return {f"{FOLDER}/{name}" for name in found.values() if FILE_NAME.fullmatch(name)}


def content(named: Mapping[str, FairnessReport]) -> dict[str, Any]:
    """Return what ``metrics.json`` holds of reports: ``numbers``, ``tables`` and ``doubts``.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report.

    Returns
    -------
    dict
        The headline metrics as `Summary`, which ``to_dict`` makes JSON of; the rows of one table;
        and for each title that has one, why its numbers are not to be relied on.
    """
    numbers, rows, doubts = {}, [], {}
    for title, report in named.items():
        row = {"trained on": title, "unit": report.accuracy.over}
        for where, one in (("", report), ("counterfactual ", report.counterfactual)):
            for key, metric in headline().items() if one else ():
                summary = one.metric(key)
                numbers[f"{title} {where}{metric.title}"] = summary
                row[f"{where}{metric.title}"] = _cell(summary)
        rows.append(row)
        doubts |= {title: "; ".join(why)} if (why := doubts_of(report)) else {}
    return {"numbers": numbers, "tables": {"Accuracy and fairness (%)": rows}, "doubts": doubts}


def _cell(summary: Summary) -> str:
    """Return a number with its interval and, for a gap, what chance shows."""
    mean, _, interval, by_chance = summary.cells()
    shown = f"{mean} {interval}" if interval != "-" else mean
    if by_chance:
        shown += f", by chance {by_chance} to {summary.most_by_chance:.1f}"
    return shown
