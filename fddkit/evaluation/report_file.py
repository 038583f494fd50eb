"""The file of a report: JSON with the sha256 of all that it says."""

import json
import os
from pathlib import Path

from ..core import files
from ..core.errors import Damaged, FddkitError, NewerFormat
from ..core.reading import clip, conform, read_bytes, read_json

FORMAT = "fddkit-report"
FORMAT_VERSION = 2  # 1 had no seal
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
    },
    "versions": dict,
    "sets": ([int], None),
    "counterfactual": (dict, None),
}


def write(path: str | os.PathLike, report: dict, look: files.Look | None = None) -> None:
    """Write what a report says, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    report : dict
        Of `fddkit.evaluation.report.FairnessReport.to_dict`.
    look : callable, optional
        See `fddkit.core.files.atomic`; by default another report is replaced, and no other file
        is.

    Raises
    ------
    FddkitError
        If it cannot be written.
    """
    found = json.loads(json.dumps(report, allow_nan=False))
    files.write_json(path, {**found, "sha256": _seal(found)}, look or only_reports)


def read(path: str | os.PathLike) -> dict:
    """Read what `write` wrote, and see that it is whole.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict
        Of the shape `SHAPE`.

    Raises
    ------
    FddkitError
        If the file is missing, damaged, something else, or of a newer fddkit.
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
        sealed = data["format_version"] > 1 or "sha256" in data
        if sealed and data.get("sha256") != _seal(data):
            raise ValueError("its content is not what was written")
        conform(data, SHAPE, "it")
    except NewerFormat:
        raise
    except (TypeError, ValueError, OverflowError) as error:
        raise damaged(path, error) from error
    return data


def damaged(path: str | os.PathLike, reason: object) -> Damaged:
    """Return the error for a report that is none."""
    return Damaged(f"{path} is a damaged report ({clip(reason)})", "write it anew")


def only_reports(path: Path) -> None:
    """Let a report be replaced, and no other file; see `fddkit.core.files.atomic`.

    Parameters
    ----------
    path : Path
        What is there.

    Raises
    ------
    FddkitError
        If it is something else.
    """
    begin = read_bytes(path, first=200)
    if begin and f'"format": "{FORMAT}"'.encode() not in begin:
        raise FddkitError(f"{path} is not a fairness report, and is kept; choose another name")


def _seal(data: dict) -> str:
    """Return the sha256 of what a report says, however its JSON is laid out."""
    rest = {k: v for k, v in data.items() if k != "sha256"}
    return files.digest(json.dumps(rest, sort_keys=True, allow_nan=False))
