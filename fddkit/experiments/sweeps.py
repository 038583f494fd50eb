"""A grid of runs, side by side on this machine or on a dask cluster."""

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ..core import processes
from ..core.errors import FddkitError
from ..core.temporary import remove_orphans
from . import notebooks
from .runs import Run, run


def sweep(
    notebook: str | os.PathLike,
    grid: Mapping[str, Any],
    jobs: int = 1,
    scheduler: str | None = None,
    reports: str | os.PathLike = "reports",
    force: bool = False,
    progress: bool = True,
) -> list[Run]:
    """Run a notebook for every combination of parameters.

    Parameters
    ----------
    notebook : str or path-like
        A name such as ``02_distillation``, or a path.
    grid : mapping
        A value or a list of values for each parameter, e.g. ``{"br": [0.75, 0.9], "ipc": 10}``.
    jobs : int
        Runs at the same time on this machine, which share its cores (unless ``OMP_NUM_THREADS``
        is set).
    scheduler : str, optional
        Address of a dask scheduler, e.g. ``tcp://host:8786``, whose workers then execute the
        runs, as many at once as they have threads. They must see the same folders.
    reports : path-like
        The folder of all runs.
    force : bool
        Execute finished runs again.
    progress : bool
        Show a progress bar on a terminal.

    Returns
    -------
    list of Run
        One for each combination, in the order of the grid (the last parameter varies fastest).
        Finished runs are not executed again; a failed one does not stop the others.

    Raises
    ------
    FddkitError
        For an unknown notebook or parameter, a value that does not fit, or a scheduler that does
        not answer; in these cases nothing has been executed.

    See Also
    --------
    fddkit.experiments.runs.run : A single run.
    fddkit.experiments.report_page.build : The page of all runs.

    Examples
    --------
    >>> import fddkit as fdd
    >>> grid = {"br": [0.75, 0.9], "ipc": [1, 10]}
    >>> ended = fdd.experiments.sweep("02_distillation", grid, jobs=2)  # doctest: +SKIP
    >>> [one.status for one in ended]  # doctest: +SKIP
    ['finished', 'finished', 'finished', 'finished']
    """
    import joblib
    from tqdm.auto import tqdm

    if jobs < 1:
        raise FddkitError(f"jobs={jobs} is not a number of parallel runs; give at least 1")
    source = notebooks.read(notebook)
    points = combinations(source, grid)
    threads = None
    if jobs > 1 and not scheduler and "OMP_NUM_THREADS" not in os.environ:
        threads = max(1, joblib.cpu_count() // jobs)
    call = joblib.delayed(_attempt)
    tasks = [
        call(i, source.path.resolve(), point, Path(reports).resolve(), force, threads, Path.cwd())
        for i, point in enumerate(points)
    ]
    done: dict[int, Run] = {}
    with (
        _backend(scheduler),
        tqdm(
            total=len(tasks), unit="run", desc=source.name, disable=None if progress else True
        ) as bar,
    ):
        parallel = joblib.Parallel(
            n_jobs=-1 if scheduler else min(jobs, len(tasks)),
            return_as="generator_unordered",
            batch_size=1,
        )
        for i, ended in parallel(tasks):
            done[i] = ended
            failed = sum(one.status == "failed" for one in done.values())
            bar.set_postfix_str(f"{failed} failed" if failed else "", refresh=False)
            bar.update()
    return [done[i] for i in range(len(tasks))]


def combinations(source: notebooks.Notebook, grid: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return each combination of a grid once.

    Parameters
    ----------
    source : Notebook
        Whose parameters they are.
    grid : mapping
        A value or a list of values for each parameter.

    Returns
    -------
    list of dict
        All parameters of each combination.

    Raises
    ------
    FddkitError
        For a parameter that is unknown or has no value, or a value that does not fit.
    """
    lists = {}
    for name, values in grid.items():
        several = isinstance(values, Sequence) and not isinstance(values, str)
        lists[name] = list(values) if several else [values]
        if not lists[name]:
            raise FddkitError(f"{name} has no value in the grid; give at least one")
    points: list[dict[str, Any]] = []
    for values in itertools.product(*lists.values()):
        point = source.resolve(dict(zip(lists, values, strict=True)))
        if point not in points:
            points.append(point)
    return points


def _attempt(
    i: int,
    notebook: Path,
    point: dict[str, Any],
    reports: Path,
    force: bool,
    threads: int | None,
    folder: Path,
) -> tuple[int, Run]:
    """Execute one combination and return its number and outcome, whatever happens."""
    try:
        return i, run(notebook, point, reports, force, False, threads, folder)
    except Exception as error:  # even an unforeseen error must not stop the others
        kind = "" if isinstance(error, FddkitError) else f"{type(error).__name__}: "
        return i, Run(
            reports / notebook.stem, notebook.stem, point, "failed", 0.0, f"{kind}{error}"
        )


@contextmanager
def _backend(scheduler: str | None) -> Iterator[None]:
    """Send joblib's tasks to processes of this machine, or to a dask cluster if one is named."""
    if scheduler is None:
        try:
            with processes.workers():
                yield
        finally:
            remove_orphans()  # an interruption kills the workers
        return
    try:
        from dask.distributed import Client
    except ImportError as error:
        raise FddkitError(
            f"a scheduler needs dask ({error}); run `pip install distributed`"
        ) from error
    import joblib

    try:
        client = Client(scheduler, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise FddkitError(
            f"no dask scheduler answers at {scheduler} ({error}); "
            "start one with `dask scheduler` and give its address, e.g. tcp://host:8786"
        ) from error
    with client, joblib.parallel_config(backend="dask", client=client):
        yield
