"""One run: a notebook with its parameters, executed once into a folder of its own."""

import errno
import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.files import fingerprint
from ..core.reading import conform, read_json
from ..core.tensors import is_marked
from ..core.versions import PACKAGE, choose_device, versions
from . import kept_reports, notebooks
from .notebooks import Notebook
from .records import LOCK, Record, alone, cannot_write
from .run_hash import run_hash, words

FOLDER_VARIABLE = "FDDKIT_RUN_DIR"
_LACKING = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)  # a limit of the machine, not of the folder
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
_PART = "notebook.part.ipynb"
_SHOWN = ("metrics.json", "notebook.ipynb", "notebook.html", _PART)


@dataclass(frozen=True)
class Run:
    """How one run ended.

    Attributes
    ----------
    folder : Path
        Holds the executed ``notebook.ipynb``, ``notebook.html``, ``figures``, ``metrics.json``,
        ``run.json`` and whatever the notebook saved.
    notebook : str
        Name of the notebook.
    parameters : dict
        All of them, defaults included.
    status : {"finished", "failed"}
        How it ended.
    seconds : float
        How long it took.
    error : str or None
        Why it failed, in one sentence.
    executed : bool
        False if the run was already finished and nothing had to be done.
    """

    folder: Path
    notebook: str
    parameters: dict[str, Any]
    status: str
    seconds: float
    error: str | None = None
    executed: bool = True

    @property
    def metrics(self) -> dict:
        """What the notebook passed to `fddkit.experiments.this_run.Current.metrics`."""
        path = self.folder / "metrics.json"
        return read_json(path) if path.exists() else {}


def run(
    notebook: str | os.PathLike,
    parameters: Mapping[str, Any] | None = None,
    reports: str | os.PathLike = "reports",
    force: bool = False,
    progress: bool = True,
    threads: int | None = None,
    working_folder: str | os.PathLike = ".",
) -> Run:
    """Execute a notebook headlessly, unless the same run is already finished.

    Two runs are the same if they share the notebook (its cells), the parameters, the package
    source and the data files. The folder of a run is ``REPORTS/NOTEBOOK/WORDS-HASH``; an
    interrupted run resumes there and reuses the files that it had saved.

    Parameters
    ----------
    notebook : str or path-like
        A name such as ``02_distillation``, or a path.
    parameters : mapping, optional
        Values that differ from the notebook's defaults.
    reports : path-like
        The folder of all runs.
    force : bool
        Execute a finished run again, from the beginning.
    progress : bool
        Show a progress bar on a terminal.
    threads : int, optional
        CPU threads of the notebook; by default torch chooses.
    working_folder : path-like
        The notebook's working directory; by default the caller's, so that ``root="data"`` means
        ``./data``.

    Returns
    -------
    Run
        If the notebook raises, this call does not: the status is then ``"failed"``.

    Raises
    ------
    FddkitError
        For an unknown notebook or parameter, a value that does not fit, a folder that cannot be
        written to, or a run that another process is executing now.

    See Also
    --------
    fddkit.experiments.sweeps.sweep : Many runs of one notebook.
    fddkit.experiments.this_run.parameters : What a notebook takes.

    Examples
    --------
    >>> import fddkit as fdd
    >>> ended = fdd.experiments.run("02_distillation", {"ipc": 1})  # doctest: +SKIP
    >>> ended.status, ended.folder  # doctest: +SKIP
    ('finished', PosixPath('reports/02_distillation/ipc1-5d1c33c2'))
    """
    source = notebooks.read(notebook)
    values = source.resolve(dict(parameters or {}))
    defaults = source.resolve({})
    work = Path(working_folder).resolve()
    key = run_hash(source, values, work)
    folder = Path(reports) / source.name / f"{words(values, defaults)}-{key[:8]}"
    found = None if force else _finished(folder, key)
    if found:
        return _ended(folder, found, executed=False)
    with alone(folder):
        found = None if force else _finished(folder, key)  # by a process that has ended since then
        if found:
            return _ended(folder, found, executed=False)
        _clear(folder, everything=force)
        record = Record(
            notebook=source.name,
            title=source.title,
            parameters=values,
            defaults=defaults,
            versions=versions(choose_device(None)) | ({"threads": threads} if threads else {}),
            started=datetime.now().astimezone().isoformat(timespec="seconds"),
            seconds=None,
            status="running",
            error=None,
            hash=key,
        )
        record.save(folder)
        start = time.monotonic()
        changed = {k: v for k, v in values.items() if v != defaults[k]}
        error = _execute(source, changed, folder, work, progress, threads)
        record = replace(
            record,
            seconds=round(time.monotonic() - start, 1),
            status="failed" if error else "finished",
            error=error,
            files=_left(folder),
        )
        record.save(folder)
    return _ended(folder, record, executed=True)


def _left(folder: Path) -> dict[str, str]:
    """Return path and sha256 of each file that a run produced, for `checking`."""
    return {
        path.relative_to(folder).as_posix(): fingerprint(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in (LOCK, "run.json")
    }


def _finished(folder: Path, key: str) -> Record | None:
    """Return the record of a folder if it holds this same run, finished and whole."""
    if not all((folder / name).exists() for name in ("run.json", *_SHOWN[1:3])):
        return None
    try:
        record = Record.load(folder)
    except FddkitError:
        return None  # damaged: to be executed again
    return record if record.hash == key and record.status == "finished" else None


def _ended(folder: Path, record: Record, executed: bool) -> Run:
    seconds = record.seconds or 0.0
    return Run(
        folder, record.notebook, record.parameters, record.status, seconds, record.error, executed
    )


def _clear(folder: Path, everything: bool) -> None:
    """Remove the output of an earlier attempt and, with ``everything``, what its notebook saved.

    A file that the run did not write, such as somebody's notes, is kept.
    """
    own = {*_SHOWN, *_figures(folder), *kept_reports.saved(folder)}
    if everything:
        with suppress(FddkitError):
            own |= {"run.json", *Record.load(folder).files}
    try:
        for path in sorted(folder.rglob("*"), reverse=True):  # files before their folder
            if path.is_dir() and not path.is_symlink():
                with suppress(OSError):  # not empty
                    path.rmdir()
            elif path.relative_to(folder).as_posix() in own or (everything and _is_ours(path)):
                path.unlink()
    except OSError as error:
        raise cannot_write(folder, error) from error


def _figures(folder: Path) -> set[str]:
    """Return the paths of the figures that a run has saved."""
    found = {"figures/index.json"}
    with suppress(ValueError):  # FddkitError is one
        index = read_json(folder / "figures" / "index.json")
        conform(index, [{"name": str}])
        found |= {f"figures/{one['name']}.{kind}" for one in index for kind in ("png", "pdf")}
    return found


def _is_ours(path: Path) -> bool:
    """Return whether a file that no record names is one that an interrupted run wrote."""
    with suppress(FddkitError):
        return path.is_file() and path.name != LOCK and is_marked(path)
    return False


def _execute(
    source: Notebook,
    changed: dict[str, Any],
    folder: Path,
    work: Path,
    progress: bool,
    threads: int | None,
) -> str | None:
    """Execute the notebook, write its page and return what went wrong, if anything."""
    import nbformat

    from . import execution, notebook_page

    package = str(PACKAGE.parent)  # the kernel imports this same fddkit
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    variables = {
        FOLDER_VARIABLE: str(folder.resolve()),
        "PYTHONPATH": os.pathsep.join(paths),
        **({name: str(threads) for name in _THREADS} if threads else {}),
    }
    part = folder / _PART
    try:
        error = execution.execute(
            source.node,
            source.path,
            part,
            changed,
            work,
            variables,
            source.name,
            progress,
        )
        notebook_page.write(
            nbformat.read(part, as_version=4), folder / "notebook.html", source.title
        )
        os.replace(part, folder / "notebook.ipynb")
    except OSError as problem:
        if problem.errno in _LACKING:
            raise
        raise cannot_write(folder, problem) from problem
    return error
