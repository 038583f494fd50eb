"""Joining the reports of several training sets."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FddkitError
from .outcomes import Outcomes

if TYPE_CHECKING:
    from .report import FairnessReport


def pool(cls: type["FairnessReport"], reports: "Sequence[FairnessReport]") -> "FairnessReport":
    """Join the reports of several training sets, such as one method's under several seeds.

    Parameters
    ----------
    reports : sequence of FairnessReport
        On the same test images.

    Returns
    -------
    FairnessReport
        Its spread and intervals are over sets: networks trained on one set share its
        peculiarities, so they count as one observation.

    Raises
    ------
    FddkitError
        If there are no reports, or their test images differ.

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
    if not reports or len({report.counts.shape[1:] for report in reports}) > 1:
        raise FddkitError("pool takes at least one report, all of the same classes and groups")
    first = reports[0]
    paired = [report.counterfactual for report in reports if report.counterfactual]
    kept = [report.outcomes for report in reports if report.outcomes]
    return cls(
        np.concatenate([report.counts for report in reports]),
        [name for report in reports for name in report.networks],
        first.config,
        first.versions,
        cls.pool(paired) if len(paired) == len(reports) else None,
        [number for number, r in zip(_numbers(reports), reports, strict=True) for _ in r.networks],
        Outcomes.join(kept) if len(kept) == len(reports) else None,
    )


def _numbers(reports: "Sequence[FairnessReport]") -> list[int]:
    """Return the number of each training set: its seed, by which methods are paired, if known."""
    seeds = [report.config.get("data", {}).get("seed") for report in reports]
    known = all(isinstance(seed, int) for seed in seeds) and len(set(seeds)) == len(seeds)
    return seeds if known else list(range(len(reports)))
