"""The commands that execute notebooks: ``run`` and ``sweep``."""

import sys
from argparse import ArgumentParser, Namespace

from ..core.errors import FddkitError
from ..experiments.notebooks import split
from . import options
from .printing import near, table

_RUN = """\
examples:
  fddkit run 00_start_here
  fddkit run 02_distillation -p dataset=cmnist-fg -p root=data -p ipc=10
  fddkit run my/own/notebook.ipynb

The parameters are those that the notebook's cell tagged 'parameters' assigns. A finished run
(same notebook, parameters, package and data) is not executed again.
"""
_SWEEP = """\
examples:
  fddkit sweep 02_distillation -p br=0.75,0.9 -p ipc=1,10 --jobs 2
  fddkit sweep 02_distillation -p seed=0,1,2 --scheduler tcp://host:8786

Finished runs are skipped; a failed one does not stop the others. A value that is itself
a list is written in brackets: -p "methods=[random,cobra],[vanilla]".
"""


def add(commands: options.Commands) -> None:
    """Add ``run`` and ``sweep``.

    Parameters
    ----------
    commands : Commands
        Where they are added.
    """
    does = "execute a notebook headlessly into reports/"
    one = options.add_command(commands, "run", does, run, _RUN)
    _add_notebook(one, "NAME=VALUE")

    does = "run a notebook for every combination of parameters"
    one = options.add_command(commands, "sweep", does, sweep, _SWEEP)
    _add_notebook(one, "NAME=VALUE,VALUE,...")
    one.add_argument("--jobs", type=int, default=1, help="runs in parallel (default: 1)")
    one.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask scheduler that executes the runs instead"
    )


def _add_notebook(one: ArgumentParser, values: str) -> None:
    """Add the notebook, its parameters (written as `values`) and the folder of the reports."""
    one.add_argument("notebook", help="a name such as 02_distillation, or a path")
    one.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        metavar=values,
        help="set a parameter of the notebook; may be repeated",
    )
    options.add_reports(one)
    one.add_argument("--force", action="store_true", help="execute finished runs again")


def run(given: Namespace) -> int:
    """Execute a notebook.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 1 if the notebook failed.
    """
    from ..experiments.runs import run

    parameters = {}
    for name, value in options.pairs("-p", given.parameter):
        if name in parameters:
            raise FddkitError(f"{name} is given twice; use `fddkit sweep` for several values")
        parameters[name] = value
    ended = run(given.notebook, parameters, given.reports, force=given.force)
    page = near(ended.folder / "notebook.html")
    if ended.status == "failed":
        print(f"fddkit: {ended.notebook} failed: {ended.error}; see {page}", file=sys.stderr)
        return 1
    if ended.executed:
        print(f"{ended.notebook} finished in {ended.seconds:.0f} s: {page}")
    else:
        print(f"{ended.notebook} was finished already (--force executes it again): {page}")
    return 0


def sweep(given: Namespace) -> int:
    """Run a notebook over a grid and print how each run ended.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 1 if a notebook failed.
    """
    from ..experiments.sweeps import sweep

    grid: dict[str, list[str]] = {}
    for name, values in options.pairs("-p", given.parameter):
        grid.setdefault(name, []).extend(split(values))
    ended = sweep(
        given.notebook,
        grid,
        jobs=given.jobs,
        scheduler=given.scheduler,
        reports=given.reports,
        force=given.force,
    )
    rows = [(*grid, "status", "seconds", "")]
    for one in ended:
        status = one.status if one.executed else "was finished"
        shown = one.error or str(near(one.folder))
        rows.append(
            (*(str(one.parameters[name]) for name in grid), status, f"{one.seconds:.0f}", shown)
        )
    failed = sum(one.status == "failed" for one in ended)
    skipped = sum(not one.executed for one in ended)
    print(table(rows))
    print(
        f"\n{len(ended)} run{'s' * (len(ended) != 1)}: {len(ended) - failed} finished"
        f"{f' ({skipped} before)' if skipped else ''}, {failed} failed"
    )
    return 1 if failed else 0
