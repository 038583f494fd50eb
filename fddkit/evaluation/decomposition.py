"""Amplification, taken apart: the small number of images, the target, and the optimisation."""

from collections.abc import Mapping

from ..core.errors import FddkitError
from ..core.reading import clip
from ..distillers.baselines import BASELINES
from ..rules.rules import RULES
from . import arguments
from .comparisons import Comparison, family
from .report import FairnessReport

_WHOLE, _DRAWN, _BALANCED = "whole", "random", "random-balanced"


def decompose(
    named: Mapping[str, FairnessReport], rule: str, metric: str = "deo_a"
) -> dict[str, Comparison]:
    """Take apart how a distilled set differs from the whole training set.

    ``total`` is the sum of three parts. ``size``: as many real images drawn at random, against
    the whole set. ``target``: real images of the composition that the rule aims at, against those
    (equal groups, for a rule that repairs; none for one that keeps the shares of the groups).
    ``optimisation``: the distilled images against real ones of that composition.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        ``"whole"``, ``"random"``, the rule and, if it repairs, ``"random-balanced"``.
    rule : str
        A name in ``named``.
    metric : str
        One of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    dict of str to Comparison
        ``size``, ``target`` (if the rule has one), ``optimisation``, ``total``; p-values are
        corrected for all of them.

    Raises
    ------
    FddkitError
        If a report is missing.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def report(*correct):  # of 100 images of each class in group 1, for each network
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> named = {"whole": report(88, 90), "random": report(49, 53), "vanilla": report(45, 47)}
    >>> parts = fdd.decompose(named, "vanilla", "worst_group")
    >>> {name: part.difference.value for name, part in parts.items()}
    {'size': -38.0, 'optimisation': -5.0, 'total': -43.0}
    """
    arguments.reports(named)
    if not isinstance(rule, str):
        raise FddkitError(f"rule={clip(rule, 40)} must be one name of a report")
    repairs = rule not in RULES or RULES[rule].repairs
    like = _BALANCED if repairs else _DRAWN
    missing = [name for name in (_WHOLE, _DRAWN, like, rule) if name not in named]
    if missing or rule in BASELINES:
        raise FddkitError(
            f"there is no report of {', '.join(missing) or 'a rule'}; give the whole set, as many "
            "real images, and a distilled set"
        )
    pairs = {"size": (_DRAWN, _WHOLE)}
    pairs |= {"target": (_BALANCED, _DRAWN)} if repairs else {}
    pairs |= {"optimisation": (rule, like), "total": (rule, _WHOLE)}
    found = family(named, list(pairs.values()), [metric])
    return dict(zip(pairs, found, strict=True))
