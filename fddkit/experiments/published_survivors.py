"""What survives of the published Tables 1, counted and in sentences made of the counts alone."""

from typing import TYPE_CHECKING

import numpy as np

from ..evaluation.measures import METRICS
from ..evaluation.multiple_tests import LEVEL
from .papers import PRINTED
from .published_chance import against_chance
from .published_differences import SCOPE, differences
from .published_tables import possible_networks

if TYPE_CHECKING:
    import pandas as pd

_GUESSING = 5.0  # points above guessing, below which a network has no fairness to speak of


def counted(found: "pd.DataFrame") -> "pd.DataFrame":
    """Return how many differences survive, by metric and pair.

    Parameters
    ----------
    found : pandas.DataFrame
        From `differences`.

    Returns
    -------
    pandas.DataFrame
        Columns ``metric``, ``a``, ``b``; ``pairs``, all of them; ``tested``; ``raw`` and
        ``holm``, those with p below 0.05 as they are and after Holm; ``both``, of a gap, those that
        survive it without *and* with what chance shows subtracted (otherwise missing); ``better``,
        those of the last kind in which a is the better one.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import table_1
    >>> found = counted(differences(table_1("cobra"))).query("a == 'cobra' and b == 'fairdd'")
    >>> print(found.drop(columns=["a", "b"]).to_string(index=False))
    metric  pairs  tested  raw  holm  both  better
       acc     84      84   63    51  <NA>      38
     deo_m     84      66   50    34    31      28
     deo_a     84      84   67    57    48      45
    """
    import pandas as pd

    rows = []
    for (metric, a, b), some in found.groupby(["metric", "a", "b"], sort=False):
        gap = bool(some["excess_difference"].notna().any())
        worse = some["difference"] > 0 if gap else some["difference"] < 0
        rows.append({
            **{"metric": metric, "a": a, "b": b, "pairs": len(some)},
            "tested": int(some["p"].notna().sum()),
            "raw": int((some["p"] < LEVEL).sum()),
            "holm": int((some["p_holm"] < LEVEL).sum()),
            "both": int(some["survives"].sum()) if gap else pd.NA,
            "better": int((some["survives"] & ~worse).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows).astype({"both": "Int64"})


def chances(gaps: "pd.DataFrame") -> "pd.DataFrame":
    """Return how many published gaps lie above what a fair model shows, by metric and rule.

    Parameters
    ----------
    gaps : pandas.DataFrame
        From `fddkit.experiments.published_chance.against_chance`.

    Returns
    -------
    pandas.DataFrame
        Columns ``metric``, ``rule`` (or baseline); ``cells``, those with a known null; ``raw`` and
        ``holm``, those with p below 0.05 as they are and after Holm; ``either``, those below it
        after Holm also if the classes are as uneven as the accuracy allows; ``guessing``, those of
        networks less than five points better than guessing.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import table_1
    >>> found = chances(against_chance(table_1("cobra"))).query("rule == 'cobra'")
    >>> found.drop(columns="rule").values.tolist()
    [['deo_m', 84, 70, 57, 44, 2], ['deo_a', 84, 57, 44, 44, 2]]
    """
    import pandas as pd

    rows = []
    gaps = gaps.assign(rule=gaps["fairness"].where(gaps["fairness"] != "", gaps["distiller"]))
    for (metric, rule), some in gaps.groupby(["metric", "rule"], sort=False):
        above = some["p_holm"] < LEVEL
        rows.append({
            **{"metric": metric, "rule": rule, "cells": int(some["p"].notna().sum())},
            **{"raw": int((some["p"] < LEVEL).sum()), "holm": int(above.sum())},
            "either": int((above & (some["p_uneven_holm"] < LEVEL)).sum()),
            "guessing": int((some["above_guessing"] < _GUESSING).sum()),
        })  # fmt: skip
    return pd.DataFrame(rows)


def sentences(cells: "pd.DataFrame") -> list[str]:
    """Return what survives of a Table 1, in sentences.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `fddkit.experiments.published_tables.table_1`.

    Returns
    -------
    list of str
        On chance, on every pair of rules, on the number of networks; the last says what was
        repeated.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import table_1
    >>> cells = table_1("cobra").query("dataset == 'cmnist-fg' and distiller == 'dm'")
    >>> print(sentences(cells)[-2])  # doctest: +NORMALIZE_WHITESPACE
    DEO_A, cobra against fairdd: of 3 pairs 3 can be tested; 3 differ, 3 after Holm, 1 also with
    what chance shows subtracted; cobra is better in 1 of the last.
    """
    gaps = against_chance(cells)
    found = [_chance(row) for row in chances(gaps).itertuples()]
    found += [_pair(row) for row in counted(differences(cells, gaps)).itertuples()]
    told = possible_networks(cells)
    if len(told):
        n = ", ".join(str(number) for number in sorted(set(told["n"].dropna())))
        most = np.bincount(np.concatenate(told["numbers"].tolist()).astype(int), minlength=11)
        best = np.flatnonzero(most[:11] == most[:11].max())
        found.append(
            f"{(~told['possible']).sum()} of {len(told)} printed DEO_M of which it can be told are "
            f"not the mean of {n} networks; up to ten, {_or(best)} would explain the most "
            f"({most[best[0]]})."
        )
    return [*found, SCOPE]


def _chance(row: tuple) -> str:
    text = (
        f"{_title(row.metric)} of {row.rule}: {row.holm} of {row.cells} cells lie above what a "
        f"fair model of that accuracy shows (after Holm; {row.raw} before), and {row.either} "
        "however its errors are spread over the classes"
    )
    if row.guessing:
        text += f"; {row.guessing} are of networks less than {_GUESSING:.0f} points above guessing"
    return text + "."


def _pair(row: tuple) -> str:
    start = f"{_title(row.metric)}, {row.a} against {row.b}: of {row.pairs} pairs"
    if not row.tested:
        return f"{start} none can be tested, because deviations or numbers of networks are missing."
    last = f"{row.a} is better in {row.better} of the last"
    if row.metric != "acc":
        last = f"{row.both} also with what chance shows subtracted; {last}"
    return f"{start} {row.tested} can be tested; {row.raw} differ, {row.holm} after Holm, {last}."


def _title(printed: str) -> str:
    """Return the title of a metric, from what the tables call it."""
    ours = {theirs: name for name, theirs in PRINTED.items()}
    return METRICS[ours.get(printed, printed)].title


def _or(numbers: np.ndarray) -> str:
    return " or ".join(str(number) for number in numbers)
