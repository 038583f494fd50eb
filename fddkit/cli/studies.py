"""The commands that compare methods and rules: ``cost`` and ``matrix``."""

import sys
from argparse import Namespace
from pathlib import Path

from ..core.errors import FddkitError
from ..core.files import Look, consider, write_json
from ..core.reading import clip, conform, read_json
from ..experiments.notebooks import fit, split
from . import options
from .printing import table

_COST = """\
examples:
  fddkit cost --methods dm,dc --rules vanilla,fairdd,cobra --groups 2,10 --json cost.json
  fddkit cost --methods dc --groups 2,4,6,8,10 --naive

Times one step on the images (without the training of a network after it). In each round all
variants take turns, on random images of ten classes with the given numbers of groups.
"""
_MATRIX = """\
examples:
  fddkit matrix --json matrix.json
  fddkit matrix --methods dm,dc --rules vanilla,fairdd,cobra --seeds 5 --jobs 2

Finished cells are found again in the folder, so an interrupted matrix resumes.
"""


def add(commands: options.Commands) -> None:
    """Add ``cost`` and ``matrix``.

    Parameters
    ----------
    commands : Commands
        Where they are added.
    """
    does = "time and memory of a step against the number of groups"
    one = options.add_command(commands, "cost", does, cost, _COST)
    one.add_argument("--methods", default="dm,dc", help="separated by commas (default: dm,dc)")
    one.add_argument(
        "--rules", default="vanilla,fairdd,cobra", help="(default: vanilla,fairdd,cobra)"
    )
    one.add_argument("--groups", default="2,10", help="numbers of groups (default: 2,10)")
    options.add_work(one, "any setting of the first method")
    options.add_ipc(one)
    one.add_argument(
        "--side", type=int, default=32, help="pixels along a side of an image (default: 32)"
    )
    one.add_argument("--rounds", type=int, default=7, help="timings of each variant (default: 7)")
    one.add_argument("--naive", action="store_true", help="also FairDD by loops, the reference")
    options.add_json(one, "rows")

    does = "every method under every rule on one data set, and baselines"
    one = options.add_command(commands, "matrix", does, matrix, _MATRIX)
    options.add_dataset(one)
    one.add_argument("--methods", help="separated by commas (default: all)")
    one.add_argument("--rules", help="separated by commas (default: all)")
    one.add_argument(
        "--baselines",
        help="separated by commas, or none (default: random,random-balanced,whole,whole-balanced)",
    )
    one.add_argument("--seeds", type=int, default=3, help="distilled sets per cell (default: 3)")
    one.add_argument("--repeats", type=int, default=2, help="networks per set (default: 2)")
    options.add_ipc(one)
    options.add_preset(one)
    one.add_argument(
        "--folder", default="reports/matrix", help="for sets and reports (default: reports/matrix)"
    )
    one.add_argument("--jobs", type=int, default=1, help="cells in parallel (default: 1)")
    options.add_json(one, "cells")


def cost(given: Namespace) -> int:
    """Measure what a step costs.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..analysis.cost import as_json, cost
    from ..core.versions import versions
    from ..distillers.registry import find

    look = _results(given)
    methods = split(given.methods)
    groups = [fit("--groups", text, 2) for text in split(given.groups)]
    changed = options.settings(given, find(methods[0]).presets)
    rows = cost(
        methods,
        split(given.rules),
        groups,
        given.preset,
        given.ipc,
        given.side,
        given.rounds,
        given.naive,
        given.device,
        **changed,
    )
    heading = ("method", "rule", "groups", "ms", "ratio", "growth", "peak MiB")
    shown = [
        (
            row.method,
            row.rule,
            str(row.groups),
            f"{1e3 * row.seconds:.1f}",
            f"{row.ratio:.2f}",
            f"{row.growth:.2f}",
            f"{row.peak_mb:.1f}",
        )
        for row in rows
    ]
    print(table([heading, *shown]))
    print(
        f"\nratio: to vanilla; growth: to {min(groups)} groups; medians over {given.rounds} "
        f"rounds on {rows[0].device}"
    )
    if given.json:
        found = {"command": given.line, "versions": versions(), "rows": as_json(rows)}
        write_json(given.json, found, look)
    return 0


def matrix(given: Namespace) -> int:
    """Distil and evaluate every method under every rule, and the baselines.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 1 if a cell failed.
    """
    from ..core.versions import versions
    from ..experiments.matrix import CONTROLS, as_json, markdown, matrix

    look = _results(given)
    cells = matrix(
        given.dataset,
        split(given.methods) if given.methods else None,
        split(given.rules) if given.rules else None,
        given.seeds,
        given.repeats,
        given.ipc,
        given.preset,
        given.root,
        given.folder,
        given.jobs,
        baselines=CONTROLS if given.baselines is None else _listed(given.baselines),
    )
    print(markdown(cells))
    for method, reason in dict.fromkeys((c.method, c.lacks) for c in cells if c.lacks):
        lacking = ", ".join(c.rule for c in cells if (c.method, c.lacks) == (method, reason))
        print(f"\n{method} has no {lacking}: {reason}")
    if given.json:
        found = {"command": given.line, "versions": versions(), "cells": as_json(cells)}
        write_json(given.json, found, look)
    failed = [cell for cell in cells if cell.error]
    for cell in failed:
        print(f"fddkit: {cell.title} failed: {cell.error}", file=sys.stderr)
    return 1 if failed else 0


def _listed(baselines: str) -> list[str]:
    return [] if baselines == "none" else split(baselines)


def _results(given: Namespace) -> Look:
    """Return a check that lets a command replace only its own earlier numbers."""

    def look(path: Path) -> None:
        try:
            found = read_json(path) if path.stat().st_size else {"command": given.line}
            conform(found, {"command": str})
        except ValueError as error:  # FddkitError is one
            raise FddkitError(
                f"{path} was not written by this command and is kept; choose another name"
            ) from error
        if found["command"] != given.line and not given.overwrite:
            raise FddkitError(
                f"{path} is of another command ({clip(found['command'])}); choose another name, or "
                "--overwrite it"
            )

    if given.json:
        consider(given.json, look)
    return look
