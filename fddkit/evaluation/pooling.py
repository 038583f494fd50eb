"""Joining the reports of several training sets, and taking those of architectures apart."""

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FddkitError
from .outcomes import Outcomes
from .soundness import tests_differ

if TYPE_CHECKING:
    from .report import FairnessReport


def pool(cls: type["FairnessReport"], reports: "Iterable[FairnessReport]") -> "FairnessReport":
    """Join the reports of several training sets, such as one method's under several seeds.

    Parameters
    ----------
    reports : iterable of FairnessReport
        On the same test images; those that were pooled before keep their sets apart.

    Returns
    -------
    FairnessReport
        Its spread and intervals are over sets: networks trained on one set share its
        peculiarities, so they count as one observation.

    Raises
    ------
    FddkitError
        If there are no reports, or their classes, groups or test images differ.

    Warns
    -----
    UserWarning
        If only some have a counterfactual test, or what networks predicted: it is left out.

    Examples
    --------
    >>> import numpy as np
    >>> from fddkit import FairnessReport
    >>> counts = np.array([[[[9, 1], [1, 9]], [[5, 5], [1, 9]]]])
    >>> first = FairnessReport(counts, ["convnet"])
    >>> second = FairnessReport(np.concatenate([counts, counts]), ["convnet", "convnet"])
    >>> pooled = FairnessReport.pool([first, second])
    >>> pooled.sets, pooled.accuracy.values  # one observation per set
    ([0, 1, 1], array([80., 80.]))
    """
    reports = _reports(cls, reports)
    for other in reports[1:]:
        if why := tests_differ(reports[0], other):
            raise FddkitError(
                f"pool takes reports of the same test images, classes and groups, but {why}"
            )
    return _joined(cls, reports, _sets(reports))


def _reports(cls: type["FairnessReport"], given: "Iterable[FairnessReport]") -> list:
    """Return reports as a list, or raise an error."""
    several = isinstance(given, Iterable) and not isinstance(given, str | Mapping)
    reports = list(given) if several else []
    if not reports or not all(isinstance(each, cls) for each in reports):
        raise FddkitError("pool takes a list of at least one FairnessReport, one for each set")
    return reports


def _joined(
    cls: type["FairnessReport"], reports: "Sequence[FairnessReport]", sets: list[int]
) -> "FairnessReport":
    first = reports[0]
    paired = _of_all(reports, "counterfactual", "the counterfactual test")
    kept = _of_all(reports, "outcomes", "what networks predicted")
    return cls(
        np.concatenate([report.counts for report in reports]),
        [name for report in reports for name in report.networks],
        first.config,
        first.versions,
        _joined(cls, paired, sets) if paired else None,
        sets,
        Outcomes.join(kept) if kept else None,
    )


def _of_all(reports: "Sequence[FairnessReport]", name: str, what: str) -> list:
    """Return a part of each report; nothing, with a warning, if only some have it."""
    found = [getattr(report, name) for report in reports if getattr(report, name) is not None]
    if len(found) == len(reports):
        return found
    if found:
        warnings.warn(
            f"{what} of {len(found)} of {len(reports)} reports is left out, because the others "
            "lack it",
            stacklevel=4,
        )
    return []


def by_network(report: "FairnessReport") -> "dict[str, FairnessReport]":
    """Return a separate report for each architecture, in order of first appearance.

    Returns
    -------
    dict of str to FairnessReport
        Of one architecture alone, the report itself, which has computed some of its numbers.
    """
    names = list(dict.fromkeys(report.networks))
    return {names[0]: report} if len(names) == 1 else {name: _only(report, name) for name in names}


def _only(report: "FairnessReport", name: str) -> "FairnessReport":
    rows = [i for i, network in enumerate(report.networks) if network == name]
    return replace(
        report,
        counts=report.counts[rows],
        networks=[name] * len(rows),
        counterfactual=report.counterfactual and _only(report.counterfactual, name),
        sets=report.sets and [report.sets[i] for i in rows],
        outcomes=report.outcomes and report.outcomes.of(rows),
    )


def _sets(reports: "Sequence[FairnessReport]") -> list[int]:
    """Return the number of each repeat's training set: its seed, by which methods are paired.

    Where a seed is not known, or two reports have the same one, sets are numbered in order.
    """
    found = []
    for report in reports:
        seed = report.config.get("data", {}).get("seed")
        found.append(report.sets or [seed] * len(report.networks))
    seeds = [seed for of_report in found for seed in of_report]
    different = sum(len(set(of_report)) for of_report in found) == len(set(seeds))
    if different and all(isinstance(s, int) and not isinstance(s, bool) for s in seeds):
        return seeds
    named = [(i, seed) for i, of_report in enumerate(found) for seed in of_report]
    place = {name: i for i, name in enumerate(dict.fromkeys(named))}
    return [place[name] for name in named]
