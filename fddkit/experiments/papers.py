"""The numbers that the papers print, cell by cell, to compare your own with.

2,684 cells from the tables of three papers, with these columns:

==============  ==================================================================================
``paper``       ``fairdd``, ``cobra`` or ``kde``: who printed the number
``table``       the table there, e.g. ``T1``
``dataset``     e.g. ``cmnist-fg``; where fddkit has the data set, the name is that of `fddkit.load`
``distiller``   ``dm``, ``dc``, ``idc``, ``dream``, ``cafe``, ``mtt``, ``dsa``; or the baselines
                ``random`` (real images drawn at random) and ``whole`` (the whole set)
``fairness``    the rule: ``vanilla``, ``fairdd``, ``fairdd-inverse``, ``cobra``, ``kde``, or
                another remedy (``rf``, ``mf``, ``df``, ``dfa``, ``selecmix``); empty for the
                baselines
``ipc``         images per class; missing where the table has none (``whole``, timings)
``architecture``  trained on the set: ``convnet``, ``alexnet``, ``vgg11``, ``resnet18``, ``vit1`` to
                ``vit3``, or ``mean`` over several
``condition``   what else differs from the main protocol, ``name=value`` joined by ``;``, e.g.
                ``br=0.95`` or ``gap=1;skew=0.80``; empty for the main protocol
``metric``      ``acc``, ``deo_m``, ``deo_a`` (percent; COBRA calls the latter EOD), ``time_ms``,
                ``time_min``, ``memory_mb``, ``slowdown``, ``maxres_mean``, ``maxres_worst``
``mean``        the number
``std``         what is printed after the plus-minus sign; missing where there is none
``seeds``       runs behind it; missing where the paper does not say
==============  ==================================================================================
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..core.errors import FddkitError, unknown
from ..distillers.baselines import BASELINES, sized
from ..evaluation.measures import headline
from ..evaluation.report import FairnessReport
from .comparable import ARCHITECTURE, conditions

if TYPE_CHECKING:
    import pandas as pd

PAPERS = ("fairdd", "cobra", "kde")
PRINTED = {"accuracy": "acc"}  # what the tables call a metric
_TEXT = (
    *("paper", "table", "dataset", "distiller", "fairness"),
    *("architecture", "condition", "metric"),
)


def published(
    dataset: str | Iterable[str] | None = None,
    distiller: str | Iterable[str] | None = None,
    fairness: str | Iterable[str] | None = None,
    ipc: int | Iterable[int] | None = None,
    architecture: str | Iterable[str] | None = None,
    metric: str | Iterable[str] | None = None,
    paper: str | Iterable[str] | None = None,
) -> "pd.DataFrame":
    """Return the published cells that pass every filter.

    Parameters
    ----------
    dataset, distiller, fairness, architecture, metric, paper : str or iterable of str, optional
        Values of the column (see the module's docstring); ``fairness=""`` is for the baselines,
        which have no rule. A column that is left out is not filtered.
    ipc : int or iterable of int, optional
        Images per class.

    Returns
    -------
    pandas.DataFrame
        One row per cell; ``ipc`` and ``seeds`` are Int64 with missing values, ``mean`` and ``std``
        float64 (percent for ``acc``, ``deo_m`` and ``deo_a``). Empty where every value occurs, but
        never all of them together.

    Raises
    ------
    FddkitError
        For a value that occurs nowhere in its column.

    See Also
    --------
    beside : Your own numbers beside the published ones.

    Examples
    --------
    >>> import fddkit as fdd
    >>> cells = fdd.papers.published(
    ...     "cmnist-fg", distiller="dm", ipc=10, metric="deo_m", paper="fairdd"
    ... )
    >>> print(cells.loc[cells.table == "T21", ["fairness", "mean", "std"]].to_string(index=False))
    fairness   mean  std
     vanilla 100.00 0.00
      fairdd  17.04 1.13
    """
    import pandas as pd

    folder = Path(__file__).parent / "published"
    kinds = {**dict.fromkeys(_TEXT, "str"), "ipc": "Int64", "seeds": "Int64"}
    kinds |= {"mean": "float64", "std": "float64"}
    missing = {name: [""] for name in ("ipc", "seeds", "mean", "std")}
    cells = pd.concat(
        [
            pd.read_csv(
                folder / f"{name}.csv", dtype=kinds, keep_default_na=False, na_values=missing
            )
            for name in PAPERS
        ],
        ignore_index=True,
    )
    filters = {"dataset": dataset, "distiller": distiller, "fairness": fairness, "ipc": ipc}
    filters |= {"architecture": architecture, "metric": metric, "paper": paper}
    keep = pd.Series(True, index=cells.index)
    for name, wanted in filters.items():
        if wanted is not None:
            keep &= cells[name].isin(_known(name, wanted, cells[name])).astype(bool)
    return cells[keep].reset_index(drop=True)


def beside(
    named: Mapping[str, FairnessReport], dataset: str, ipc: int, distiller: str = "dm"
) -> "pd.DataFrame":
    """Return your own numbers beside the published ones of the same experiment.

    Only a report on the same data set and method, at the same IPC and bias ratio, of the papers'
    ConvNet (width 128, as in the preset ``paper``) has anything beside it. Under another bias ratio
    or GAP these are cells of the papers' ablations, if there are any.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Name of a rule or baseline -> its report, whose ``config`` says how it was made.
    dataset, ipc, distiller : str, int, str
        What to compare with.

    Returns
    -------
    pandas.DataFrame
        One row per name, in percent; columns are (metric, source), where the source is ``here``
        or a paper that prints such cells for any row. NaN where it does not print this one, or
        the report is of another experiment. The last column, ``("note", "")``, says what differs;
        it is empty for cells of the main protocol.

    See Also
    --------
    published : The published numbers alone.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> s = fdd.distill(train, "dm", "vanilla", ipc=1, preset="smoke", progress=False)
    >>> report = fdd.evaluate(s, test, repeats=1, preset="smoke", progress=False)
    >>> table = fdd.papers.beside({"vanilla": report}, dataset="cmnist-fg", ipc=10)
    >>> sorted(table["deo_m"])
    ['cobra', 'fairdd', 'here']
    >>> table.loc["vanilla", ("note", "")]
    'data set digits, not cmnist-fg; IPC 1, not 10'
    """
    import pandas as pd

    cells = published(architecture=ARCHITECTURE)
    cells = cells[cells["dataset"] == dataset]
    rows, metrics = {}, headline()
    for name, report in named.items():
        theirs = _printed(cells, name, ipc, distiller)
        wanted, note = conditions(report, name, dataset, ipc, distiller)
        same = theirs[theirs["condition"].isin(wanted)]
        if theirs.empty and wanted:
            note = "no paper prints it"
        elif same.empty and wanted:
            note = f"{note}, which no paper prints" if note else "no paper prints it"
        rows[name] = {(metric, "here"): report.metric(metric).mean for metric in metrics}
        for metric in metrics:
            called = PRINTED.get(metric, metric)
            found = same[same["metric"] == called].groupby("paper")["mean"].first()
            for paper in theirs.loc[theirs["metric"] == called, "paper"].unique():
                rows[name][metric, paper] = found.get(paper, float("nan"))
        rows[name]["note", ""] = note
    table = pd.DataFrame.from_dict(rows, orient="index")
    table.columns = pd.MultiIndex.from_tuples(table.columns)
    first, second = [*metrics, "note"], ["", "here", *PAPERS]
    return table[sorted(table.columns, key=lambda c: (first.index(c[0]), second.index(c[1])))]


def _printed(cells: "pd.DataFrame", name: str, ipc: int, distiller: str) -> "pd.DataFrame":
    """Return the cells of a rule or baseline."""
    if name in BASELINES:
        cells = cells[cells["distiller"] == name]
    else:
        cells = cells[(cells["distiller"] == distiller) & (cells["fairness"] == name)]
    return cells[cells["ipc"] == ipc] if sized(name) else cells


def costs() -> "pd.DataFrame":
    """Return what the papers print about the cost of their rules, relative to vanilla.

    FairDD's Tables 9 (C-MNIST, minutes of a whole run against the number of groups) and 10 (other
    sets and resolutions), COBRA's 13 (C-FMNIST, ms of an iteration on an H100 against the number
    of groups) and 14 (other sets); memory in MiB. Cells without vanilla's number are left out.

    Returns
    -------
    pandas.DataFrame
        Columns method, rule, groups, metric (``time`` or ``memory``), ratio, value, source,
        dataset and side (pixels; missing where the table does not vary it).
    """
    import pandas as pd

    rows = []
    for paper, name, table, metrics in (
        ("fairdd", "FairDD", "T9", {"time_min": "time", "memory_mb": "memory"}),
        ("fairdd", "FairDD", "T10", {"time_min": "time", "memory_mb": "memory"}),
        ("cobra", "COBRA", "T13", {"time_ms": "time", "memory_mb": "memory"}),
        ("cobra", "COBRA", "T14", {"time_ms": "time", "memory_mb": "memory"}),
    ):
        cells = published(paper=paper)
        cells = cells[(cells["table"] == table) & cells["metric"].isin(metrics)]
        told = [dict(x.split("=") for x in c.split(";") if x) for c in cells["condition"]]
        cells = cells.assign(
            side=[one.get("resolution") for one in told], groups=[one.get("groups") for one in told]
        )
        same = ["dataset", "distiller", "metric", "side"]
        vanilla = cells[cells["fairness"] == "vanilla"][[*same, "mean"]]
        rules = cells[cells["fairness"] != "vanilla"]
        paired = rules.merge(vanilla, on=same, suffixes=("", "_vanilla"))
        for one in paired.itertuples():
            rows.append(
                {
                    "method": one.distiller,
                    "rule": one.fairness,
                    "groups": int(one.groups),
                    "metric": metrics[one.metric],
                    "ratio": one.mean / one.mean_vanilla,
                    "value": one.mean,
                    "source": f"{name} {table}",
                    "dataset": one.dataset,
                    "side": one.side,
                }
            )
    return pd.DataFrame(rows)


def _known(column: str, wanted: Any, values: "pd.Series") -> list:
    """Return the values to look for, all of which occur."""
    several = isinstance(wanted, Iterable) and not isinstance(wanted, str)
    found = list(values.dropna().unique())
    for value in (wanted := list(wanted) if several else [wanted]):
        if value not in found:
            if column == "ipc":
                shown = ", ".join(str(n) for n in sorted(found))
                raise FddkitError(f"no paper prints ipc={value}; there are {shown}")
            raise unknown(f"published {column}", value, sorted(filter(None, found)))
    return wanted
