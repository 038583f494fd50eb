"""What the commands do, and what they print; heavy imports wait until a command needs them."""

import os
import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.files import Look, consider, write_json
from ..core.reading import clip, conform, read_json
from ..experiments.notebooks import fit, split


def datasets(given: Namespace) -> int:
    """List the catalogue and what is on disk, or download a data set.

    Parameters
    ----------
    given : Namespace
        ``download``, ``root``.

    Returns
    -------
    int
        The exit status.
    """
    from ..data.loading import catalogue, download

    if given.download:
        download(given.download, given.root)
        print(f"{given.download} is in {given.root}")
        return 0
    rows = [("name", "data set", "classes", "groups", "shape", "BR", f"data in {given.root}")]
    for one in catalogue():
        state = "on disk" if one.on_disk(given.root) else f"missing ({one.needs})"
        shape = "x".join(map(str, one.shape))
        rows.append(
            (
                one.name,
                one.title,
                str(one.classes),
                str(one.groups),
                shape,
                f"{one.default_br:g}",
                state if one.needs else "none needed",
            )
        )
    print(_table(rows))
    print(f"\nfddkit datasets --download NAME --root {given.root} gets what is missing")
    return 0


def distill(given: Namespace) -> int:
    """Distil a data set into a file.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status.
    """
    from ..distillers import health
    from ..distillers.distill import distill
    from ..distillers.registry import find
    from ..distillers.start import BASELINES

    presets = find("dm" if given.method in BASELINES else given.method).presets
    changed = _settings(given, presets)
    train = _train(given)
    result = distill(
        train,
        method=given.method,
        fairness=given.fairness,
        ipc=given.ipc,
        seed=given.seed,
        preset=given.preset,
        out=given.out,
        overwrite=given.overwrite,
        device=given.device,
        cache=given.cache,
        compile=given.compile,
        graph=given.graph,
        **changed,
    )
    print(f"{result} in {given.out}")
    if given.images:
        print(f"{len(result)} images in {result.to_images(given.images)}")
    unwell = health.sentence(result.health)
    if unwell:
        print(f"fddkit: {unwell}", file=sys.stderr)
    return 3 if result.health.get("verdict") == "diverged" else 0


def import_(given: Namespace) -> int:
    """Turn a set of another method's official code into one of fddkit's.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status.
    """
    from ..core.tensors import only
    from ..data.distilled import SET
    from ..data.official_sets import read_foreign

    look = only(SET) if given.overwrite else _exists
    consider(given.out, look)
    found = read_foreign(
        given.file,
        _train(given),
        labels=given.labels,
        experiment=given.experiment,
        factor=given.factor,
        zca=given.zca,
        lr=given.lr,
        method=given.method,
        fairness=given.fairness,
    )
    found.save(given.out, look)
    kind = {"dc": "DC's", "mtt": "MTT's", "idc": "IDC's"}[found.config["source"]["format"]]
    blocks = f", {found.factor}x{found.factor} small images in each" if found.factor > 1 else ""
    print(f"{found} in {given.out} ({kind} format{blocks})")
    return 0


def evaluate(given: Namespace) -> int:
    """Measure a distilled set on the test set that belongs to it.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status.
    """
    from ..data.distilled import DistilledSet
    from ..data.loading import reload
    from ..evaluation.evaluate import evaluate
    from ..evaluation.report import FairnessReport, only_reports
    from ..training.fit import PRESETS

    changed = _settings(given, PRESETS)
    distilled = DistilledSet.load(given.set_file)

    own = {"data": distilled.config, "seed": given.seed, "preset": given.preset}

    def look(path: Path) -> None:
        only_reports(path)
        if given.overwrite or not path.stat().st_size:
            return
        found = FairnessReport.load(path)
        there = {**found.config, "networks": found.networks}
        for key in own:
            if own[key] != there.get(key, own[key]):
                raise FddkitError(
                    f"{path} is the report of another set or evaluation ({key} differs); choose "
                    "another name, or --overwrite it"
                )

    if given.json:
        consider(given.json, look)
    _, test = reload(distilled.config.get("dataset", {}), given.root)
    report = evaluate(
        distilled,
        test,
        networks=split(given.networks),
        repeats=given.repeats,
        seed=given.seed,
        preset=given.preset,
        protocol=given.protocol,
        device=given.device,
        **changed,
    )
    print(f"{distilled}\n{report}")
    own |= {**report.config, "networks": report.networks}
    if given.json:
        report.save(given.json, look)
    return 0


def run(given: Namespace) -> int:
    """Execute a notebook.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status: 1 if the notebook failed.
    """
    from ..experiments.runs import run

    parameters = {}
    for name, value in _pairs("-p", given.parameter):
        if name in parameters:
            raise FddkitError(f"{name} is given twice; use `fddkit sweep` for several values")
        parameters[name] = value
    ended = run(given.notebook, parameters, given.reports, force=given.force)
    page = _near(ended.folder / "notebook.html")
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
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status: 1 if a notebook failed.
    """
    from ..experiments.sweeps import sweep

    grid: dict[str, list[str]] = {}
    for name, values in _pairs("-p", given.parameter):
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
        shown = one.error or str(_near(one.folder))
        rows.append(
            (*(str(one.parameters[name]) for name in grid), status, f"{one.seconds:.0f}", shown)
        )
    failed = sum(one.status == "failed" for one in ended)
    skipped = sum(not one.executed for one in ended)
    print(_table(rows))
    print(
        f"\n{len(ended)} run{'s' * (len(ended) != 1)}: {len(ended) - failed} finished"
        f"{f' ({skipped} before)' if skipped else ''}, {failed} failed"
    )
    return 1 if failed else 0


def report(given: Namespace) -> int:
    """Make the page of every run.

    Parameters
    ----------
    given : Namespace
        ``reports``.

    Returns
    -------
    int
        The exit status.
    """
    from ..experiments.report_page import build

    index = build(given.reports)
    print(f"{_near(index)}: open it in a browser ({index.resolve().as_uri()})")
    return 0


def cost(given: Namespace) -> int:
    """Measure what a step costs.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

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
    changed = _settings(given, find(methods[0]).presets)
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
    print(_table([heading, *shown]))
    print(
        f"\nratio: to vanilla; growth: to {min(groups)} groups; medians over {given.rounds} "
        f"rounds on {rows[0].device}"
    )
    if given.json:
        found = {"command": given.line, "versions": versions(), "rows": as_json(rows)}
        write_json(given.json, found, look)
    return 0


def matrix(given: Namespace) -> int:
    """Distil and evaluate every method under every rule.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status.
    """
    from ..core.versions import versions
    from ..experiments.matrix import as_json, markdown, matrix

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
        print(f"fddkit: {cell.method} {cell.rule} failed: {cell.error}", file=sys.stderr)
    return 1 if failed else 0


def check(given: Namespace) -> int:
    """Verify every file of ours in a folder, and remove what was left behind if that is agreed to.

    Parameters
    ----------
    given : Namespace
        See `fddkit.cli.arguments.parser`.

    Returns
    -------
    int
        The exit status: 1 if a file is damaged, or rests on one that is.
    """
    from ..core.cache import folder_of
    from ..experiments.checking import STATES, Item, check, clean, summary

    def agreed(question: str, some: list[Item]) -> bool:
        names = ", ".join(one.path.name for one in some[:3])
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        asked = f"Remove {question}: {names}{more}?"
        if given.yes:
            return True
        if not sys.stdin.isatty():
            print(f"{asked} Give --yes to do so.")
            return False
        try:
            return input(f"{asked} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    items = check(given.folder, [folder_of(given.cache)])
    rows = [("file", "what", "state", "made from")]
    here = Path(given.folder)
    rows += [(clip(i.path.relative_to(here)), i.what, i.state, i.made) for i in items]
    if items:
        print(_table(rows))
    for one in items:
        if one.problem:
            print(f"fddkit: {one.problem}", file=sys.stderr)
    counts = ", ".join(f"{n} {state}" for state, n in summary(items).items())
    print(f"\n{len(items)} file{'s' * (len(items) != 1)} of fddkit in {here}: {counts or 'none'}")
    removed = clean(items, agreed)
    if removed:
        print(f"{len(removed)} removed")
    return 0 if all(STATES[one.state] for one in items) else 1


def _results(given: Namespace) -> Look:
    """Return what may be replaced by the numbers of a command: those of the same command."""

    def look(path: Path) -> None:
        try:
            found = read_json(path) if path.stat().st_size else {"command": given.line}
            conform(found, {"command": str})
        except ValueError as error:  # FddkitError is one
            raise FddkitError(
                f"{path} is no file of this command, and is kept; choose another name"
            ) from error
        if found["command"] != given.line and not given.overwrite:
            raise FddkitError(
                f"{path} is of another command ({clip(found['command'])}); choose another name, or "
                "--overwrite it"
            )

    if given.json:
        consider(given.json, look)
    return look


def _exists(path: Path) -> None:
    raise FddkitError(f"{path} exists; choose another output file, or --overwrite it")


def _train(given: Namespace) -> Any:
    """Return the training set that the options of a data set name."""
    from ..data.loading import load

    options = {"br": given.br, "seed": given.data_seed, "gap": given.gap, "offset": given.offset}
    return load(given.dataset, root=given.root, **options)[0]


def _pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values of options written NAME=VALUE."""
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise FddkitError(f"{option} {text}: write NAME=VALUE, e.g. {option} ipc=10")
        pairs.append((name.strip(), value.strip()))
    return pairs


def _settings(given: Namespace, presets: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``--set`` changes, each value as the type that the preset has."""
    preset = presets.get(given.preset)  # an unknown one is refused where it is used
    return {
        name: fit(name, value, getattr(preset, name, None))
        for name, value in _pairs("--set", given.set)
    }


def _near(path: Path) -> Path:
    """Return a path as one would type it here."""
    path = path.resolve()
    return Path(os.path.relpath(path)) if path.is_relative_to(Path.cwd()) else path


def _table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of text in columns, the first row being the heading."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join(lines)
