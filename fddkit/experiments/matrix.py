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
    """The result of one method under one rule.

    Attributes
    ----------
    method, rule : str
        The distiller and its rule.
    lacks : str or None
        Why the combination makes no sense; the other fields are then None.
    seeds, networks : int or None
        Distilled sets, and networks trained on each.
    seconds : float or None
        Time to distil one set, mean over those whose time is known; a set that was found
        finished counts with the time that it took when it ran.
    numbers : dict or None
        For each metric of `fddkit.evaluation.measures.METRICS`, ``mean``, ``std``, ``ci95`` and
        ``noise_floor`` over the sets; on the counterfactual test where groups are injected.
    error : str or None
        Why some of its sets failed; the numbers are then those of the others.
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
    """Distil and evaluate every cell, reusing what is already finished in the folder.

    Parameters
    ----------
    dataset : str
        See `fddkit.data.catalogue`.
    methods, rules : sequence of str, optional
        By default all.
    seeds : int
        Distilled sets of each cell, with seeds 0, 1, ...
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
        Cells that run at the same time; they share the cores.
    progress : bool
        Show a progress bar.

    Returns
    -------
    list of Cell
        Method by method, in the order of `METHODS` and `RULES`.

    Raises
    ------
    FddkitError
        For an unknown name or a number that is not positive.

    Examples
    --------
    >>> import tempfile
    >>> from fddkit.experiments.matrix import matrix
    >>> quick = {"seeds": 1, "repeats": 1, "ipc": 1, "preset": "smoke", "progress": False}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [cell] = matrix(methods=["dm"], rules=["cobra"], folder=folder, **quick)
    >>> cell.method, cell.rule, sorted(cell.numbers)
    ('dm', 'cobra', ['accuracy', 'deo_a', 'deo_m'])
    """
    import joblib
    from tqdm.auto import tqdm

    if min(seeds, repeats, ipc, jobs) < 1:
        raise FddkitError("seeds, repeats, ipc or jobs is below 1; give at least 1 for each")
    methods, rules = list(methods or METHODS), list(rules or RULES)
    for method in methods:
        for rule in rules:
            find(method)
            lacks(method, rule)  # an unknown name is reported before hours of work
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
    """The outcome of one set: its report and seconds, or why there is none."""

    report: FairnessReport | None = None
    seconds: float | None = None
    error: str | None = None


def _one(mine: bytes, task: tuple) -> _Ended:
    """Distil and evaluate one set; an error is returned, so that the others go on."""
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
    """Distil and evaluate one set, unless its report already exists."""
    train, test = load(dataset, root=root)
    name = f"{dataset}-{method}-{rule}-ipc{ipc}-{preset}-{seed}"
    ends = (".safetensors", f".x{repeats}.json", ".seconds")  # of as many networks
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
    """Return how long a set took; None where its run was killed before it could record it."""
    tidy(clock)  # it is not written again
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
    """Return a matrix as a table with one row per rule and one column per method.

    Parameters
    ----------
    cells : sequence of Cell
        Of `matrix`.

    Returns
    -------
    str
        In Markdown, means in percent; ``-`` where the combination makes no sense.

    Examples
    --------
    >>> from fddkit.experiments.matrix import Cell, markdown
    >>> numbers = {"accuracy": {"mean": 89.5}, "deo_m": {"mean": 56.2}, "deo_a": {"mean": 19.1}}
    >>> print(markdown([Cell("dm", "cobra", numbers=numbers)]))
    | accuracy / DEO_M / DEO_A | DM |
    |---|---|
    | cobra | 90 / 56 / 19 |
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
    """Return the cells ready for JSON, with one field per metric."""
    rows = [asdict(cell) for cell in cells]
    return [row | (row.pop("numbers") or dict.fromkeys(METRICS)) for row in rows]


def from_json(rows: Sequence[dict]) -> list[Cell]:
    """Return the cells from which `as_json` made these rows.

    Parameters
    ----------
    rows : sequence of dict
        As read from a JSON file.

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
