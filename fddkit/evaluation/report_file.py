"""The file of a report: JSON with the sha256 of its content."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core import files
from ..core.errors import Damaged, FddkitError, NewerFormat
from ..core.reading import LARGEST_JSON, clip, conform, parse_json, read_bytes, read_json
from . import outcomes
from .measures import METRICS

if TYPE_CHECKING:
    from .report import FairnessReport

FORMAT = "fddkit-report"
FORMAT_VERSION = 3  # 1 had no sha256, 2 no outcomes
SHAPE = {
    "format_version": int,
    "counts": [[[[int]]]],
    "networks": [str],
    "config": {
        "data?": {"dataset?": dict, "method?": str, "fairness?": (str, None), "ipc?": (int, None)},
        "target_names?": [str],
        "group_names?": [str],
        "seed?": (int, None),
        "preset?": (str, None),
        "protocol?": (str, None),
        "health?": {"verdict?": str, "notes?": [str]},
        "reference?": {"name": str, "counts": [[int]]},
    },
    "versions": dict,
    "sets": ([int], None),
    "counterfactual": (dict, None),
    "outcomes?": (outcomes.SHAPE, None),
}


def content(report: "FairnessReport", compress: bool = True) -> dict:
    """Return what the file of a report holds, but for its sha256.

    Parameters
    ----------
    report : FairnessReport
        The report.
    compress : bool
        Deflate the outcomes.

    Returns
    -------
    dict
        JSON-able.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        **{name: report.metric(name).to_dict() for name in METRICS},
        "empty_cells": [list(cell) for cell in report.empty_cells],
        "networks": list(report.networks),
        "sets": report.sets,
        "config": report.config,
        "versions": report.versions,
        "counts": report.counts.tolist(),
        "outcomes": report.outcomes and report.outcomes.encode(compress),
        "counterfactual": report.counterfactual and report.counterfactual.to_dict(compress),
    }


def write(path: str | os.PathLike, report: dict, look: files.Look | None = None) -> None:
    """Write the content of a report, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    report : dict
        As returned by `fddkit.evaluation.report.FairnessReport.to_dict`.
    look : callable, optional
        See `fddkit.core.files.atomic`; by default an existing file is replaced only if it is a
        report.

    Raises
    ------
    FddkitError
        If it cannot be written, or could not be read again.
    """
    try:
        plain = parse_json(json.dumps(report, allow_nan=False), "it")
        counts_of(plain)
    except (TypeError, ValueError, RecursionError) as error:
        raise FddkitError(
            f"cannot write {path}: {clip(getattr(error, 'what', error), 200)}; keep the config to "
            "what JSON holds: text, finite numbers, lists and dictionaries"
        ) from error
    sealed, layout = {**plain, "sha256": _seal(plain)}, {"ensure_ascii": False, "allow_nan": False}
    text = json.dumps(sealed, indent=2, **layout)
    if len(text) > LARGEST_JSON // 2:  # mostly blanks; nothing larger can be read again
        text = json.dumps(sealed, **layout)
    with files.atomic(path, look or only_reports) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def read(path: str | os.PathLike) -> dict:
    """Read what `write` wrote, and check that it is intact.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict
        With the structure `SHAPE`.

    Raises
    ------
    FddkitError
        If the file is missing, damaged, not a report, or from a newer fddkit.
    """
    data = read_json(path)
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise FddkitError(
            f"{path} is not a fairness report; give a file written by "
            "fddkit evaluate --json or FairnessReport.save"
        )
    try:
        conform(data, {"format_version": int}, "it")
        if data["format_version"] > FORMAT_VERSION:
            raise NewerFormat(
                f"{path} has report format {data['format_version']}, this fddkit reads up to "
                f"{FORMAT_VERSION}; update fddkit"
            )
        if data["format_version"] < 1:
            raise ValueError(f"there is no format {data['format_version']}")
        sealed = data["format_version"] > 1 or "sha256" in data
        if sealed and data.get("sha256") != _seal(data):
            raise ValueError("its content is not what was written")
        conform(data, SHAPE, "it")
    except NewerFormat:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(path, error) from error
    return data


def counts_of(data: dict) -> np.ndarray:
    """Return the counts of a report that was read; ValueError or TypeError if they do not fit."""
    conform(data, SHAPE, "it")
    counts = np.array(data["counts"], dtype=np.int64)
    if counts.ndim != 4:
        raise ValueError(f"its counts have the shape {list(counts.shape)}")
    return counts


def damaged(path: str | os.PathLike, reason: object) -> Damaged:
    """Return the error for a damaged report."""
    return Damaged(f"{path} is a damaged report ({clip(reason)})", "write it again")


def only_reports(path: Path) -> None:
    """Refuse to replace a file that is not a report; see `fddkit.core.files.atomic`.

    Parameters
    ----------
    path : Path
        The existing file.

    Raises
    ------
    FddkitError
        If it is not a report.
    """
    begin = read_bytes(path, first=200)
    if begin and f'"format": "{FORMAT}"'.encode() not in begin:
        raise FddkitError(f"{path} is not a fairness report, and is kept; choose another name")


def _seal(data: dict) -> str:
    """Return the sha256 of a report's content, independent of its JSON formatting."""
    rest = {k: v for k, v in data.items() if k != "sha256"}
    return files.digest(json.dumps(rest, sort_keys=True, allow_nan=False))
