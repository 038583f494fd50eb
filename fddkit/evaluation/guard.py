"""Why numbers are not to be relied on: a model that has learnt nothing, or a set that is unwell.

A model that has learnt nothing has no fairness to speak of.
"""

from typing import TYPE_CHECKING

from ..distillers import health
from . import metrics

if TYPE_CHECKING:
    from .report import FairnessReport

NEAR = 0.1  # of the way from guessing to perfection
_CONSTANT = 0.99  # share of the test images that get the same class


def doubt(report: "FairnessReport", name: str = "") -> str:
    """Return why a small gap between groups would say nothing, as a clause; empty if it would.

    A constant model has a gap of exactly 0, and one near chance a small one, for which they
    deserve no praise. (A model near chance can still be as unfair as possible: one that tells
    classes apart by the group alone.)

    Parameters
    ----------
    report : FairnessReport
        The report, on the test in question.
    name : str
        What to call it.

    Returns
    -------
    str
        E.g. ``"cobra is near chance: it recognises 34.5% of a class on average, and guessing
        33.3%"``.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> constant = fdd.FairnessReport(np.array([[[[9, 0], [9, 0]], [[9, 0], [9, 0]]]]), ["alexnet"])
    >>> doubt(constant, "it")
    'it predicts one class for nearly all images'
    """
    counts, name = report.counts, name or "it"
    predicted = counts.sum((1, 2))
    if (predicted.max(1) >= _CONSTANT * predicted.sum(1)).all():
        return f"{name} predicts one class for nearly all images"
    recognised = float(metrics.mean(metrics.class_accuracy(counts)).mean())
    chance = 100 / int((counts[0].sum((0, 2)) > 0).sum())
    if recognised < chance + NEAR * (100 - chance):
        return (
            f"{name} is near chance: it recognises {recognised:.1f}% of a class on average, and "
            f"guessing {chance:.1f}%"
        )
    return ""


def learnt_nothing(report: "FairnessReport", name: str = "") -> str:
    """Return the clause of `doubt` on the test that is shown, and what follows; empty if none."""
    clause = doubt(report.shown, name)
    return clause and f"{clause}; a small gap would be no merit"


def doubts_of(report: "FairnessReport", name: str = "") -> list[str]:
    """Return why the numbers of a report are not to be relied on, clause by clause.

    Parameters
    ----------
    report : FairnessReport
        The report.
    name : str
        What to call it; by default it is not named.

    Returns
    -------
    list of str
        What is wrong with the set, and with the networks that it trained; empty if nothing is.
    """
    unwell = health.sentence(report.config.get("health", {}))
    named = f"{name}: {unwell}" if name and unwell else unwell
    return [clause for clause in (named, learnt_nothing(report, name)) if clause]
