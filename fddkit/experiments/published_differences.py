"""Which differences between rules in the published Tables 1 survive a test.

Two rules in one row of a table, such as COBRA and FairDD with DM on C-MNIST at IPC 10, are compared
by Welch's test from what is printed: mean, standard deviation and number of networks. Assumed:

- **The unit is a network.** Both released codes distil one set and train several networks on it; so
  a test says something of these two sets, not of the rules (`SCOPE`).
- **Deviations are numpy's**, with n in the denominator, as in both released codes.
- **The family** is every tested pair of one metric in the Table 1 of one paper; p-values are
  two-sided, and adjusted over it by Holm's procedure.
- **The test set is what it is.** That another test set would give other gaps, most of all where
  they hardly exceed those of a fair model, is no part of it. But the rules differ in accuracy,
  hence in what chance adds to their gaps. How much that is cannot be told from what is printed: to
  a fair model its whole null, to a gap near 100 nearly nothing. So a difference is tested at both
  ends, with nothing subtracted and with the whole null of each cell, and it *survives* if it does,
  in one direction, at both; then it does for every share of the nulls in between that is the same
  for both cells. A larger gap keeps a larger share than a smaller one, which is not modelled.
"""

import math
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.multiple_tests import LEVEL
from ..evaluation.t_distribution import p_value
from .published_chance import against_chance, corrected

if TYPE_CHECKING:
    import pandas as pd

SCOPE = (
    "The unit of repetition is a network trained on one distilled set: a difference that survives "
    "is one of two sets, not yet of two rules."
)
#: Who is compared with whom: each with those before it. The first has no rule: real images.
_ORDER = ("random", "vanilla", "fairdd", "cobra")
_ROW = ["dataset", "distiller", "ipc", "metric"]


def welch(
    mean: tuple[float, float], std: tuple[float, float], n: tuple[float, float], ddof: int = 0
) -> tuple[float, float, float]:
    """Return Welch's test of two means, from what is printed of them.

    Parameters
    ----------
    mean, std, n : two numbers
        Mean, standard deviation and number of values of either sample.
    ddof : int
        Subtracted from n in the denominator of the printed variances: numpy has 0.

    Returns
    -------
    t : float
        Positive if the first mean is larger.
    df : float
        Degrees of freedom (Welch-Satterthwaite).
    p : float
        Two-sided. All three are NaN if a number is missing, a sample has fewer than two values, or
        neither has any spread.

    Examples
    --------
    >>> t, df, p = welch((14.74, 15.02), (3.99, 2.86), (10, 10))
    >>> round(t, 3), round(df, 2), round(p, 3)
    (-0.171, 16.32, 0.866)
    """
    first, second = (  # variances of the means
        s**2 / (k - 1 + ddof) if k > 1 else np.nan for s, k in zip(std, n, strict=True)
    )
    if not first + second > 0 or math.isnan(mean[0] - mean[1]):
        return math.nan, math.nan, math.nan
    t = (mean[0] - mean[1]) / math.sqrt(first + second)
    df = (first + second) ** 2 / (first**2 / (n[0] - 1) + second**2 / (n[1] - 1))
    return t, df, p_value(t, df)


def differences(cells: "pd.DataFrame", gaps: "pd.DataFrame | None" = None) -> "pd.DataFrame":
    """Return every difference between two rules in one row of a Table 1, with its test.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `fddkit.experiments.published_tables.table_1`.
    gaps : pandas.DataFrame, optional
        `fddkit.experiments.published_chance.against_chance` of these cells, if it is known.

    Returns
    -------
    pandas.DataFrame
        One row per pair and metric (``acc``, ``deo_m``, ``deo_a``), with these columns:

        - ``dataset``, ``distiller``, ``ipc``, ``metric``; ``a`` and ``b``, the rules (``random``:
          real images); ``n_a``, ``n_b`` and ``n_from``, the networks and who says so;
        - ``mean_a``, ``mean_b``, ``difference`` (a minus b, percent), ``t``, ``df``, ``p`` and
          ``p_holm``;
        - ``excess_difference``, ``p_excess``, ``p_excess_holm``: the same after subtracting what a
          fair model of the same accuracy shows; NaN for the accuracy;
        - ``survives``: whether ``p_holm`` and, of a gap, ``p_excess_holm`` are below 0.05, and
          both differences have one sign;
        - ``within_nulls``: the difference is no larger than that of the two fair models;
        - ``untested``: why there is no p-value; empty if there is one.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import table_1
    >>> cells = table_1("cobra").query("dataset == 'cmnist-fg' and distiller == 'dm' and ipc == 50")
    >>> found = differences(cells).query("a == 'cobra' and b == 'fairdd'")
    >>> found[["metric", "difference", "p_holm", "p_excess_holm"]].round(2).values.tolist()
    [['acc', 0.8, 0.0, nan], ['deo_m', -2.47, 0.02, 0.1], ['deo_a', -0.88, 0.0, 0.2]]
    """
    import pandas as pd

    gaps = against_chance(cells) if gaps is None else gaps
    known = pd.concat([cells[cells["metric"] == "acc"], gaps], ignore_index=True)
    known["name"] = known["fairness"].where(known["fairness"] != "", known["distiller"])
    rows = [
        dict(zip(_ROW, key, strict=True)) | _pair(a, b)
        for key, row in known[known["fairness"] != ""].groupby(_ROW, sort=False)
        for b, a in combinations(_ranked(row, known), 2)
    ]
    found = corrected(pd.DataFrame(rows), "p", "p_excess")
    both = (found["p_excess_holm"] < LEVEL) & (found["difference"] * found["excess_difference"] > 0)
    is_gap = found["excess_difference"].notna()
    return found.assign(survives=(found["p_holm"] < LEVEL) & (both | ~is_gap))


def _ranked(row: "pd.DataFrame", cells: "pd.DataFrame") -> list:
    """Return the cells of a row, and the one of real images that belongs to it, as in `_ORDER`."""
    first = row.iloc[0]
    same = (cells["dataset"] == first["dataset"]) & (cells["metric"] == first["metric"])
    real = cells[same & (cells["fairness"] == "") & (cells["ipc"] == first["ipc"])]
    members = {cell.name: cell for part in (real, row) for cell in _named(part)}
    return [members[name] for name in _ORDER if name in members]


def _named(cells: "pd.DataFrame") -> list:
    return list(cells.itertuples(name="Cell"))


def _pair(a: tuple, b: tuple) -> dict:
    """Return the columns of a minus b."""
    std, n = (a.std, b.std), (a.n, b.n)
    t, df, p = welch((a.mean, b.mean), std, n)
    untested = ""
    if math.isnan(p):
        untested = "neither set has any spread"
        if math.isnan(a.std + b.std):
            untested = "no standard deviation printed"
    excess = welch((a.excess, b.excess), std, n)[2]
    difference, nulls = a.mean - b.mean, abs(a.null - b.null)
    return {
        **{"a": a.name, "b": b.name, "n_a": a.n, "n_b": b.n, "n_from": a.n_from},
        **{"mean_a": a.mean, "mean_b": b.mean, "difference": difference},
        **{"t": t, "df": df, "p": p},
        **{"excess_difference": a.excess - b.excess, "p_excess": excess},
        **{"within_nulls": bool(abs(difference) <= nulls), "untested": untested},
    }
