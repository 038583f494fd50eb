"""Every method under every rule on one data set: which cells work, and how well."""

import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..core import processes
from ..core.entries import receive, ship
from ..core.errors import FddkitError
from ..core.files import keep_whole, set_aside, write_json
from ..core.locks import locked, tidy
from ..core.reading import conform, read_json
from ..data.distilled import DistilledSet
from ..data.loading import load
from ..distillers.distill import distill
from ..distillers.registry import METHODS, find, lacks
from ..evaluation.evaluate import evaluate
from ..evaluation.measures import METRICS
from ..evaluation.report import FairnessReport
from ..rules.rules import RULES

_LONGEST = 1e9  # seconds


@dataclass(frozen=True)
class Cell:
    """What one method under one rule gave.

    Attributes
    ----------
    method, rule : str
        The distiller and its rule.
    lacks : str or None
        Why the cell has no meaning; the other fields are then None.
    seeds, networks : int or None
        Distilled sets, and networks trained on each.
    seconds : float or None
        Distillation of one set, mean over those whose time is known; what was found finished
        counts as it did when it ran.
    numbers : dict or None
        Of each metric of `fddkit.evaluation.measures.METRICS` ``mean``, ``std``, ``ci95`` and
        ``noise_floor`` over the sets; on the counterfactual test where the groups are injected.
    error : str or None
        Why some of its sets could not be had; the numbers are then those of the others.
    """

    method: str
    rule: str
    lacks: str | None = None
    seeds: int | None = None
    networks: int | None = None
    seconds: float | None = None
    numbers: dict[str, dict] | None = None
    error: str | None = None


def matrix(
    dataset: str = "digits",
    methods: Sequence[str] | None = None,
    rules: Sequence[str] | None = None,
    seeds: int = 3,
    repeats: int = 2,
    ipc: int = 10,
    preset: str = "quick",
    root: str | os.PathLike = "data",
    folder: str | os.PathLike = "reports/matrix",
    jobs: int = 1,
    progress: bool = True,
) -> list[Cell]:
    """Distil and evaluate every cell; what is finished is found again in the folder.

    Parameters
    ----------
    dataset : str
        See `fddkit.data.catalogue`.
    methods, rules : sequence of str, optional
        By default all.
    seeds : int
        Distilled sets of each cell, of seeds 0, 1, ...
    repeats : int
        Networks trained on each set.
    ipc : int
        Images per class.
    preset : {"smoke", "quick", "paper"}
        Of distillation and evaluation.
    root : path-like
        Folder of the raw data.
    folder : path-like
        Where sets, reports and what runs share are kept.
    jobs : int
        Cells at once; the cores are shared out among them.
    progress : bool
        Show a bar.

    Returns
    -------
    list of Cell
        Method by method, in the order of `METHODS` and `RULES`.

    Raises
    ------
    FddkitError
        For an unknown name or a number that is not positive.
    """
    import joblib
    from tqdm.auto import tqdm

    if min(seeds, repeats, ipc, jobs) < 1:
        raise FddkitError("seeds, repeats, ipc and jobs of a matrix are at least 1; give such")
    methods, rules = list(methods or METHODS), list(rules or RULES)
    for method in methods:
        for rule in rules:
            find(method)
            lacks(method, rule)  # an unknown name is told before hours of work
    folder = Path(folder)
    tasks = [
        (dataset, method, rule, seed, repeats, ipc, preset, root, folder)
        for seed in range(seeds)
        for method in methods
        for rule in rules
        if not lacks(method, rule)
    ]
    mine = ship()
    found: dict[tuple[str, str], list[_Ended]] = {}
    with processes.workers(), tqdm(total=len(tasks), unit="set", disable=not progress) as bar:
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
        ended = parallel(joblib.delayed(_one)(mine, task) for task in tasks)
        for task, one in zip(tasks, ended, strict=True):
            found.setdefault(task[1:3], []).append(one)
            bar.update()
    return [
        _cell(method, rule, found.get((method, rule), []), repeats)
        for method in methods
        for rule in rules
    ]


@dataclass(frozen=True)
class _Ended:
    """How one set ended: its report and seconds, or why there is none."""

    report: FairnessReport | None = None
    seconds: float | None = None
    error: str | None = None


def _one(mine: bytes, task: tuple) -> _Ended:
    """Distil and evaluate one set; its trouble is not that of the others."""
    receive(mine)
    try:
        return _computed(*task)
    except Exception as error:
        kind = "" if isinstance(error, FddkitError) else f"{type(error).__name__}: "
        return _Ended(error=f"{kind}{error}")


def _computed(
    dataset: str,
    method: str,
    rule: str,
    seed: int,
    repeats: int,
    ipc: int,
    preset: str,
    root: str | os.PathLike,
    folder: Path,
) -> _Ended:
    """Distil and evaluate one set, unless its report is there."""
    train, test = load(dataset, root=root)
    name = f"{dataset}-{method}-{rule}-ipc{ipc}-{preset}-{seed}"
    ends = (".safetensors", f".x{repeats}.json", ".seconds")  # fewer networks are another report
    out, report, clock = (folder / f"{name}{end}" for end in ends)
    keep_whole(out, DistilledSet.load)
    fresh, began = not out.exists(), time.monotonic()
    s = distill(
        train, method, rule, ipc, seed, preset, out=out, cache=folder / "cache", progress=False
    )
    if fresh:
        write_json(clock, round(time.monotonic() - began, 1))
    seconds = _seconds(clock)
    with locked(report):
        done = keep_whole(report, FairnessReport.load)
        if done is not None:
            same = done.config.get("data") == s.config and done.config.get("protocol") == method
            if same and len(done.networks) == repeats:
                return _Ended(done, seconds)
            set_aside(report, f"{report} is of another set or evaluation")
        found = evaluate(s, test, repeats=repeats, seed=seed, preset=preset, progress=False)
        found.save(report)
    return _Ended(found, seconds)


def _seconds(clock: Path) -> float | None:
    """Return how long a set took; None where its run was killed before it could say so."""
    tidy(clock)  # it is not written anew
    try:
        found = read_json(clock)
        conform(found, float)
    except ValueError:  # FddkitError is one
        return None
    return found if 0 <= found < _LONGEST else None


def _cell(method: str, rule: str, ended: list[_Ended], repeats: int) -> Cell:
    if not ended:
        return Cell(method, rule, lacks(method, rule))
    error = next((one.error for one in ended if one.error), None)
    reports = [one.report for one in ended if one.report]
    if not reports:
        return Cell(method, rule, error=error)
    pooled = FairnessReport.pool(reports).shown
    times = [one.seconds for one in ended if one.seconds is not None]
    seconds = round(sum(times) / len(times), 1) if times else None
    numbers = {name: pooled.metric(name).to_dict() for name in METRICS}
    return Cell(method, rule, None, len(reports), repeats, seconds, numbers, error)


def markdown(cells: Sequence[Cell]) -> str:
    """Return the table of a matrix: a row a rule, a column a method, a number a metric.

    Parameters
    ----------
    cells : sequence of Cell
        Of `matrix`.

    Returns
    -------
    str
        In Markdown, means in percent; ``-`` where the cell has no meaning.
    """
    methods = list(dict.fromkeys(cell.method for cell in cells))
    rules = list(dict.fromkeys(cell.rule for cell in cells))
    by_name = {(cell.method, cell.rule): cell for cell in cells}
    lines = [
        f"| {' / '.join(metric.title for metric in METRICS.values())} | "
        + " | ".join(m.upper() for m in methods)
        + " |",
        "|---" * (len(methods) + 1) + "|",
    ]
    for rule in rules:
        row = []
        for method in methods:
            cell = by_name[method, rule]
            numbers = cell.numbers or {}
            shown = " / ".join(
                f"{numbers[name]['mean']:.0f}" for name in METRICS if name in numbers
            )
            row.append(shown or ("failed" if cell.error else "-"))
        lines.append(f"| {rule} | " + " | ".join(row) + " |")
    return "\n".join(lines)


def as_json(cells: Sequence[Cell]) -> list[dict]:
    """Return the cells ready for JSON, a metric a field."""
    rows = [asdict(cell) for cell in cells]
    return [row | (row.pop("numbers") or dict.fromkeys(METRICS)) for row in rows]


def from_json(rows: Sequence[dict]) -> list[Cell]:
    """Return the cells that `as_json` gave.

    Parameters
    ----------
    rows : sequence of dict
        Read from a file of one's own.

    Returns
    -------
    list of Cell
    """
    known = {f.name for f in fields(Cell)}
    found = []
    for row in rows:
        numbers = {k: v for k, v in row.items() if k not in known and v}
        found.append(Cell(**{k: v for k, v in row.items() if k in known}, numbers=numbers or None))
    return found
