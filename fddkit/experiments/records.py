"""The record of a run, and the lock that protects its folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from ..core import files
from ..core.errors import FddkitError
from ..core.locks import cannot_write, is_held
from ..core.reading import clip, conform, read_json

LOCK = ".lock"
STATES = ("running", "finished", "failed")

_SHAPE = {
    "notebook": str,
    "title": str,
    "parameters": dict,
    "defaults": dict,
    "versions": dict,
    "started": str,
    "seconds": (float, None),
    "status": str,
    "error": (str, None),
    "hash": str,
    "files?": {str: str},
}


@dataclass(frozen=True)
class Record:
    """What ``run.json`` holds.

    Attributes
    ----------
    notebook, title : str
        Name and first heading of the notebook.
    parameters, defaults : dict
        The values of this run, and the notebook's defaults.
    versions : dict
        See `fddkit.core.versions.versions`.
    started : str
        ISO 8601 with the time zone.
    seconds : float or None
        How long it took; None while it runs.
    status : {"running", "finished", "failed"}
        A run that was killed stays "running" until it is called again.
    error : str or None
        Why it failed, in one sentence.
    hash : str
        See `fddkit.experiments.run_hash.run_hash`.
    files : dict of str to str
        Path in the folder -> sha256 of each file that the run produced; empty until it ends, and
        in runs that are older than this field.
    """

    notebook: str
    title: str
    parameters: dict[str, Any]
    defaults: dict[str, Any]
    versions: dict[str, Any]
    started: str
    seconds: float | None
    status: str
    error: str | None
    hash: str
    files: dict[str, str] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write ``run.json``, atomically.

        Parameters
        ----------
        folder : Path
            Of the run.

        Raises
        ------
        FddkitError
            If it cannot be written.
        """
        files.write_json(folder / "run.json", asdict(self))

    @classmethod
    def load(cls, folder: str | os.PathLike) -> "Record":
        """Read ``run.json``.

        Parameters
        ----------
        folder : path-like
            Of the run.

        Returns
        -------
        Record

        Raises
        ------
        FddkitError
            If it is missing or is something else.
        """
        path = Path(folder) / "run.json"
        found = read_json(path)
        try:
            conform(found, _SHAPE)
            if found["status"] not in STATES:
                raise ValueError(f"its status is {clip(found['status'])}")
        except ValueError as error:
            raise FddkitError(
                f"{path} does not describe a run ({clip(error)}); move {folder} away"
            ) from error
        return cls(**{f.name: found[f.name] for f in fields(cls) if f.name in found})


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder of a run and lock it against other processes.

    Parameters
    ----------
    folder : Path
        Of the run.

    Yields
    ------
    None
        The system releases the lock when the process ends, however it ends.

    Raises
    ------
    FddkitError
        If another process holds the lock, or the folder cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0.5)  # a mere check holds it for a moment
        lock.acquire()
    except Timeout as error:
        raise FddkitError(
            f"another process is executing {folder}; wait for it, or use other parameters"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def is_active(folder: Path) -> bool:
    """Return whether a process is executing the run in a folder now.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    bool
        Also False where the folder cannot be written to: nothing can run there.
    """
    return is_held(folder / LOCK)
