"""What is written down about a run, and who may write into its folder."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from . import files
from .errors import FddkitError

LOCK = ".lock"


@dataclass(frozen=True)
class Record:
    """What ``run.json`` holds.

    Attributes
    ----------
    notebook, title : str
        Name and first heading of the notebook.
    parameters, defaults : dict
        The values of this run and those of the notebook.
    versions : dict
        See `fddkit.versions.versions`.
    started : str
        ISO 8601 with the time zone.
    seconds : float or None
        How long it took; None while it runs.
    status : {"running", "finished", "failed"}
        A run that was killed stays "running" until it is called again.
    error : str or None
        Why it failed, in one sentence.
    hash : str
        See `fddkit.identity.run_hash`.
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
            If it is missing or something else.
        """
        path = Path(folder) / "run.json"
        try:
            record = cls(**files.read_json(path))
        except TypeError as error:
            raise FddkitError(f"{path} does not describe a run; delete {folder}") from error
        if not isinstance(record.parameters, dict) or not isinstance(record.defaults, dict):
            raise FddkitError(f"{path} does not describe a run; delete {folder}")
        return record


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make the folder of a run and hold it against other processes.

    Parameters
    ----------
    folder : Path
        Of the run.

    Yields
    ------
    None
        The system frees the folder when the process ends, however it ends.

    Raises
    ------
    FddkitError
        If another process holds the folder, or it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / LOCK, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise FddkitError(
            f"another process is executing {folder}; wait for it, or give other parameters"
        ) from error
    except OSError as error:
        raise cannot_write(folder, error) from error
    try:
        yield
    finally:
        lock.release()


def cannot_write(folder: Path, error: OSError) -> FddkitError:
    """Return the sentence for a folder that takes no more files.

    Parameters
    ----------
    folder : Path
        Of the run.
    error : OSError
        What the system said.

    Returns
    -------
    FddkitError
    """
    return FddkitError(
        f"cannot write into {folder}: {error.strerror or error}; "
        "free some space or choose a folder that you may write to"
    )


def is_active(folder: Path) -> bool:
    """Return whether a process is executing the run of a folder now.

    Parameters
    ----------
    folder : Path
        Of the run.

    Returns
    -------
    bool
        False too where the folder cannot be written to: nothing can run there.
    """
    if not (folder / LOCK).exists():
        return False
    try:
        with FileLock(folder / LOCK, timeout=0):
            return False
    except Timeout:
        return True
    except OSError:
        return False
