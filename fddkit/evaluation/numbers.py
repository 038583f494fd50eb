"""Every number of a report: over its units, with its interval, its null, and without its noise."""

import hashlib
import math
from collections.abc import Iterable
from copy import copy
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np

from . import corrections, measures, metrics
from .intervals import Estimate
from .nulls import Null, nulls
from .sampling import DRAWS, changes_of_counts, changes_of_rates
from .summary import Summary

if TYPE_CHECKING:
    from .report import FairnessReport

#: Of an excess over a fair model: what noise adds to a gap is anything from none of that mean, if
#: the gap is large, to all; the root mean square of a uniform distribution.
_DOUBTFUL = 3**-0.5
_MOST_KEPT = 2**23  # numbers of simulated tests that stay in memory


class Numbers:
    """The numbers of a report, each computed when it is first asked for.

    Parameters
    ----------
    report : FairnessReport
        The report.
    """

    def __init__(self, report: "FairnessReport"):
        self._report = copy(report)  # not itself, which holds these numbers: both would stay
        sets = report.sets
        keys = tuple(range(len(report.counts))) if sets is None else tuple(dict.fromkeys(sets))
        #: What is repeated, in the plural, and the seed of each.
        self.unit, self.keys = ("networks" if sets is None else "sets"), keys
        #: Whether the numbers of the sets are the seeds of their distillation.
        self.seeded = "seed" in report.config.get("data", {})
        place = {key: i for i, key in enumerate(keys)}  # seeds may be too large for arrays
        rows = np.array([place[key] for key in (keys if sets is None else sets)])
        weights = (rows[:, None] == np.arange(len(keys))).astype(float)
        self._weights = weights / weights.sum(0)  # [R, U]: a unit is the mean of its networks
        self._kept: dict[bool, list[np.ndarray]] = {}  # with the other pseudo-images, or not
        self._found: dict[tuple[str, bool], np.ndarray | None] = {}
        self._nulls: dict[str, Null] = {}
        self._computed: dict[str, tuple[measures.Metric, np.ndarray]] = {}
        self._summaries: dict[str, tuple[measures.Metric, Summary]] = {}

    def over_units(self, values: np.ndarray) -> np.ndarray:
        """Return the mean over the networks of each unit, float64 [U, ...] from [R, ...]."""
        return np.tensordot(self._weights.T, values, 1)

    def summary(self, name: str) -> Summary:
        """Return a metric over the units; see `FairnessReport.metric`."""
        metric = measures.METRICS[name]
        kept, summary = self._summaries.get(name, (None, None))
        if summary is None or kept is not metric:  # an entry that was registered again is another
            self._found = {key: kept for key, kept in self._found.items() if key[0] != name}
            self._nulls.pop(name, None)
            summary = self._summary(name, metric)
            self._summaries[name] = metric, summary
        return summary

    def _summary(self, name: str, metric: measures.Metric) -> Summary:
        return Summary(
            self.over_units(self._values(name)),
            metric.bounds,
            self.unit,
            partial(self._null, name),
            partial(self._truth, name),
            partial(self._measured, name),
        )

    def _values(self, name: str) -> np.ndarray:
        """Return a metric of each repeat, float64 [R]."""
        metric = measures.METRICS[name]
        kept, values = self._computed.get(name, (None, None))
        if values is None or kept is not metric:
            values = metric.values(self._report)
            self._computed[name] = metric, values
        return values

    def _null(self, name: str) -> Null | None:
        """Return what a fair model would show, if the metric is a gap between groups."""
        report, chosen = self._report, measures.METRICS.items()
        gaps = {k: m.of for k, m in chosen if m.between_groups and not m.whole}
        if name in gaps and name not in self._nulls:  # all at once: they share the permutations
            given = report.counts, report.networks, report.outcomes, self._weights.mean(1)
            self._nulls |= nulls(gaps, *given)
        return self._nulls.get(name)

    @cached_property
    def _changes(self) -> np.ndarray:
        """What tests on other images would add to the rates, float32 [B, R, A, C]."""
        return changes_of_rates(self._report.outcomes, self._report.counts)

    @cached_property
    def _other_changes(self) -> np.ndarray:
        """The same with other pseudo-images, see `changes_of_rates`."""
        return changes_of_rates(self._report.outcomes, self._report.counts, other=True)

    def _drawn(self, name: str, other: bool = False) -> np.ndarray | None:
        """Return a metric on tests with other images, float64 [B, R]; None if not known."""
        if (name, other) not in self._found:
            self._found[name, other] = self._draw(measures.METRICS[name], other)
        return self._found[name, other]

    def _draw(self, metric: measures.Metric, other: bool) -> np.ndarray | None:
        report = self._report
        if report.outcomes is None or metric.whole:
            return None
        if metric.of_rates is not None:
            # rates of 0 and 1 are not cut off: what lies beyond keeps them from claiming certainty
            changes = self._other_changes if other else self._changes
            return metric.from_rates(metrics.tpr(report.counts) + changes)
        flat, found = report.counts.shape[1:], []
        for block in self._others(other):
            values = metric.of(block.reshape(-1, *flat))
            if np.isnan(values).any():  # a share of something that the noise made negative
                values = metric.of(np.maximum(block, 0).reshape(-1, *flat))
            found.append(values.reshape(len(block), -1))
        return np.concatenate(found)

    def _others(self, other: bool) -> Iterable[np.ndarray]:
        """Return the counts of tests on other images, float32 [B', R, A, C, C]; few are kept."""
        report = self._report
        if other not in self._kept:
            changes = changes_of_counts(report.outcomes, report.counts, other=other)
            blocks = ((report.counts + change).astype(np.float32) for change in changes)
            if DRAWS * report.counts.size > _MOST_KEPT:
                return blocks
            self._kept[other] = list(blocks)
        return self._kept[other]

    @cached_property
    def _posterior(self) -> np.ndarray | None:
        """What the rates may be without the noise of the test images, float64 [D, R, A, C]."""
        report = self._report
        if report.outcomes is None:
            return None
        return corrections.posterior(report.counts, report.outcomes)

    @cached_property
    def _images(self) -> str:
        """Identifies the test images."""
        outcomes = self._report.outcomes
        if outcomes is None:
            return ""
        arrays = (outcomes.target, outcomes.group, outcomes.original)
        digest = hashlib.sha256(repr(self._report.counts.shape[1:]).encode())
        for array in arrays:
            digest.update(b"" if array is None else np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def _estimate(self, values: np.ndarray, name: str, doubt: float = 0.0) -> Estimate:
        keys = self.keys if self.seeded else None
        noise, other = self._noise(name), partial(self._noise, name, True)
        return Estimate(self.over_units(values), noise, doubt, keys, self._images, other)

    def _noise(self, name: str, other: bool = False) -> np.ndarray | None:
        """Return a metric of the units on tests with other images, float64 [B, U]."""
        drawn = self._drawn(name, other)
        noise = None if drawn is None else drawn @ self._weights
        return None if noise is None or np.isnan(noise).any() else noise

    def _measured(self, name: str) -> Estimate | None:
        """Return the metric itself, and how other test images would change it."""
        values = self._values(name)
        if np.isnan(values).any():
            return None
        return self._estimate(values, name)

    def _truth(self, name: str) -> Estimate | None:
        """Return the metric without what noise adds to a gap: the posterior mean, or the excess."""
        metric, values = measures.METRICS[name], self._values(name)
        if not metric.between_groups or metric.whole or np.isnan(values).any():
            return self._measured(name)
        if metric.of_rates is None or self._posterior is None:
            without = values - self._null(name).mean
            doubt = abs(float((values - without).mean())) * _DOUBTFUL
        else:
            drawn = metric.from_rates(self._posterior)
            if np.isnan(drawn).any():
                return None
            without = np.minimum(drawn.mean(0), values)
            means = float(values.mean()), float(without.mean())
            doubt = corrections.doubt(self._report.counts, *means, float(drawn.std(0).mean()))
        return self._estimate(without, name, doubt)

    def mostly_noise(self, name: str) -> bool:
        """Return whether more than half of a gap is what the test images add by chance."""
        return self.summary(name).mostly_noise

    def at_its_bound(self, name: str) -> bool:
        """Return whether the noise of the test images reaches the largest possible gap."""
        estimate = self._measured(name)
        if estimate is None:
            return False
        parts = estimate.parts()
        return self.summary(name).bounds[1] - estimate.mean < 3 * math.sqrt(
            parts.own + parts.shared
        )

    def group_tpr(self) -> Summary:
        """Return the true-positive rate by group and class; see `FairnessReport.group_tpr`."""
        return Summary(self.over_units(100 * metrics.tpr(self._report.counts)), unit=self.unit)
