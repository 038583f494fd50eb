"""Every method under every rule on one data set, beside baselines: which work, and how well."""

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from ..core import processes
from ..core.entries import ship
from ..core.errors import FddkitError
from ..distillers.baselines import BASELINES
from ..distillers.registry import METHODS, find, lacks
from ..evaluation.measures import METRICS, headline
from ..evaluation.report import FairnessReport
from ..rules.rules import RULES
from .matrix_sets import Ended, one_set

#: The baselines of a matrix: as many real images, and all, each also with equal groups.
CONTROLS = ("random", "random-balanced", "whole", "whole-balanced")


@dataclass(frozen=True)
class Cell:
    """The result of one method under one rule, or of a baseline.

    Attributes
    ----------
    method, rule : str
        The distiller and its rule; or a baseline, whose rule is empty.
    lacks : str or None
        Why the combination makes no sense; the other fields are then None.
    seeds, networks : int or None
        Distilled sets, and networks trained on each.
    seconds : float or None
        Time to distil one set, mean over those whose time is known; a set that was found
        finished counts with the time that it took when it ran. None for a baseline as large as
        the training set, which is not kept.
    numbers : dict or None
        For each metric of `fddkit.evaluation.measures.METRICS`, what
        `fddkit.evaluation.summary.Summary.to_dict` gives over the sets; on the counterfactual test
        where groups are injected.
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

    @property
    def title(self) -> str:
        """Method and rule, in words."""
        return f"{self.method} {self.rule}".rstrip()


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
    baselines: Sequence[str] = CONTROLS,
) -> list[Cell]:
    """Distil and evaluate every cell, reusing what is already finished in the folder.

    Baselines are evaluated as the methods are, on networks with the same seeds. Where a baseline
    draws nothing (``whole``), its sets are the same and only the networks differ, so its intervals
    say how much those vary and nothing about sets.

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
    baselines : sequence of str
        Names in `fddkit.distillers.baselines.BASELINES`.

    Returns
    -------
    list of Cell
        Method by method, in the order of `METHODS` and `RULES`; then the baselines.

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
    ...     quick["folder"] = folder
    ...     cells = matrix(methods=["dm"], rules=["cobra"], baselines=["random"], **quick)
    >>> [cell.title for cell in cells], "deo_m" in cells[0].numbers
    (['dm cobra', 'random'], True)
    """
    import joblib
    from tqdm.auto import tqdm

    if min(seeds, repeats, ipc, jobs) < 1:
        raise FddkitError("seeds, repeats, ipc or jobs is below 1; give at least 1 for each")
    pairs = _pairs(list(methods or METHODS), list(rules or RULES), baselines)
    folder = Path(folder)
    tasks = [
        (dataset, method, rule, seed, repeats, ipc, preset, root, folder)
        for seed in range(seeds)
        for (method, rule), reason in pairs.items()
        if not reason
    ]
    mine = ship()
    found: dict[tuple[str, str], list[Ended]] = {}
    with processes.workers(), tqdm(total=len(tasks), unit="set", disable=not progress) as bar:
        parallel = joblib.Parallel(n_jobs=jobs, return_as="generator", batch_size=1)
        ended = parallel(joblib.delayed(one_set)(mine, task) for task in tasks)
        for task, one in zip(tasks, ended, strict=True):
            found.setdefault(task[1:3], []).append(one)
            bar.update()
    return [_cell(*pair, reason, found.get(pair, []), repeats) for pair, reason in pairs.items()]


def _pairs(
    methods: Sequence[str], rules: Sequence[str], baselines: Sequence[str]
) -> dict[tuple[str, str], str]:
    """Return each cell's method and rule, and why it makes no sense; empty if it does.

    An unknown name is reported here, before hours of work.
    """
    for method in methods:
        find(method)
    for name in baselines:
        BASELINES[name]
    both = {(method, rule): lacks(method, rule) for method in methods for rule in rules}
    return both | {(name, ""): "" for name in baselines}


def _cell(method: str, rule: str, reason: str, ended: list[Ended], repeats: int) -> Cell:
    if not ended:
        return Cell(method, rule, reason)
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

    Baselines follow in a table of their own.

    Parameters
    ----------
    cells : sequence of Cell
        Of `matrix`.

    Returns
    -------
    str
        In Markdown, means in percent; ``-`` where there is none, or the combination makes no sense.

    Examples
    --------
    >>> from fddkit.experiments.matrix import Cell, markdown
    >>> numbers = {"accuracy": {"mean": 89.5}, "deo_m": {"mean": 56.2}, "deo_a": {"mean": 19.1}}
    >>> print(markdown([Cell("dm", "cobra", numbers=numbers), Cell("random", "", numbers=numbers)]))
    | accuracy / DEO_M / DEO_A | DM |
    |---|---|
    | cobra | 90 / 56 / 19 |
    <BLANKLINE>
    | baseline | accuracy / DEO_M / DEO_A |
    |---|---|
    | random | 90 / 56 / 19 |
    """
    paired = [cell for cell in cells if cell.rule]
    methods = list(dict.fromkeys(cell.method for cell in paired))
    rules = list(dict.fromkeys(cell.rule for cell in paired))
    by_name = {(cell.method, cell.rule): cell for cell in paired}
    # older matrices do not have a metric that was added since
    known = {name for cell in cells for name in cell.numbers or {}}
    shown = [name for name in headline() if name in known] or list(headline())
    metrics = " / ".join(METRICS[name].title for name in shown)
    rows = [[rule, *(_means(by_name[m, rule], shown) for m in methods)] for rule in rules]
    real = [[cell.method, _means(cell, shown)] for cell in cells if not cell.rule]
    tables = [([metrics, *map(str.upper, methods)], rows), (["baseline", metrics], real)]
    return "\n\n".join(_table(heading, rows) for heading, rows in tables if rows)


def _means(cell: Cell, metrics: Sequence[str]) -> str:
    if cell.numbers is None:
        return "failed" if cell.error else "-"
    means = (cell.numbers.get(name, {}).get("mean") for name in metrics)
    return " / ".join("-" if mean is None else f"{mean:.0f}" for mean in means)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (heading, *rows)]
    return "\n".join([lines[0], "|---" * len(heading) + "|", *lines[1:]])


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
