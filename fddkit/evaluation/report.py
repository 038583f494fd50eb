"""The report of an evaluation: what was counted, what follows from it, and how it is shown."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..core import files
from ..core.errors import FddkitError
from ..core.reading import conform
from . import measures, report_file, report_table
from .metrics import Summary, tpr

_MOST_REPEATS, _MOST_CELLS = 2000, 10_000  # of a file: what it takes to sum up grows with them


@dataclass(frozen=True, eq=False)
class FairnessReport:
    """How accurate and how fair the networks trained on one set are; all numbers in percent.

    Parameters
    ----------
    counts : int64 [R, A, C, C]
        Test images by repeat, group, true and predicted class.
    networks : list of str
        The network of each repeat, length R.
    config : dict
        How it was made, JSON-able; ``target_names`` and ``group_names`` name the axes.
    versions : dict
        Of the software.
    counterfactual : FairnessReport, optional
        The same networks on every test image in every group, where groups are injected.
    sets : list of int, optional
        Which training set each repeat was trained on, length R. Repeats on one set are averaged
        before spread and interval are taken over sets. None: one set, its repeats are the unit.

    Raises
    ------
    FddkitError
        If the counts have the wrong shape, or repeats were not tested on the same images.
    """

    counts: np.ndarray
    networks: list[str]
    config: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    counterfactual: "FairnessReport | None" = None
    sets: list[int] | None = None

    def __post_init__(self) -> None:
        """Check the counts."""
        shape = self.counts.shape
        if self.counts.dtype.kind != "i" or len(shape) != 4 or shape[2] != shape[3] or 0 in shape:
            raise FddkitError(
                "counts must be whole numbers [repeat, group, true class, predicted class], "
                f"not {self.counts.dtype} of shape {list(shape)}"
            )
        if len(self.networks) != shape[0]:
            raise FddkitError(
                f"{len(self.networks)} network names for {shape[0]} repeats; name each repeat's"
            )
        if self.sets is not None and len(self.sets) != shape[0]:
            raise FddkitError(
                f"{len(self.sets)} set numbers for {shape[0]} repeats; number each repeat's"
            )
        size = self.counts.sum(-1)
        if (self.counts < 0).any() or (size != size[0]).any() or not size.any():
            raise FddkitError("counts must be of the same test images in every repeat")
        if self.counts.sum(dtype=float) > 2**53:  # beyond it sums are not exact
            raise FddkitError("counts are larger than any test; give the number of images")

    @property
    def shown(self) -> "FairnessReport":
        """The report on the counterfactual test where there is one, else this one."""
        return self.counterfactual or self

    def metric(self, name: str) -> Summary:
        """Return a metric over the units of repetition.

        Parameters
        ----------
        name : str
            One of `fddkit.evaluation.measures.METRICS`.

        Returns
        -------
        Summary
            With the noise floor, where there is such a notion: of each network (its repeats have
            one accuracy), averaged over repeats.

        Raises
        ------
        FddkitError
            For an unknown name.
        """
        metric, floor = measures.METRICS[name], float("nan")
        if metric.null is not None:
            names = np.array(self.networks)
            own = {n: metric.null(self.counts[names == n]) for n in set(self.networks)}
            floor = float(np.mean([own[n] for n in self.networks]))
        return self._summary(metric.function(self.counts), floor, metric.bounds)

    @property
    def accuracy(self) -> Summary:
        """Share of test images classified right."""
        return self.metric("accuracy")

    @property
    def deo_m(self) -> Summary:
        """Largest gap of true-positive rates between groups, see `fddkit.evaluation.metrics`."""
        return self.metric("deo_m")

    @property
    def deo_a(self) -> Summary:
        """Mean over classes of that gap, see `fddkit.evaluation.metrics`."""
        return self.metric("deo_a")

    @property
    def group_tpr(self) -> Summary:
        """True-positive rate by group and class, [A, C]; NaN where there is no test image."""
        return self._summary(100 * tpr(self.counts))

    def _summary(
        self,
        values: np.ndarray,
        noise_floor: float = float("nan"),
        bounds: tuple[float, float] = (0.0, 100.0),
    ) -> Summary:
        """Return the summary over the units of repetition: repeats, or sets if there are many."""
        if self.sets is not None:
            own = np.array(self.sets)
            values = np.stack([values[own == s].mean(0) for s in dict.fromkeys(self.sets)])
        return Summary(values, noise_floor, bounds)

    @property
    def empty_cells(self) -> list[tuple[int, int]]:
        """The (group, class) that have no test image, left out of every number."""
        return [(int(a), int(y)) for a, y in np.argwhere(self.counts[0].sum(-1) == 0)]

    @classmethod
    def pool(cls, reports: "Sequence[FairnessReport]") -> "FairnessReport":
        """Join the reports of several training sets, such as one method's under several seeds.

        Parameters
        ----------
        reports : sequence of FairnessReport
            On the same test images.

        Returns
        -------
        FairnessReport
            Its spread and intervals are over sets: networks trained on one set share what is
            peculiar to it, so they count as one observation.

        Raises
        ------
        FddkitError
            If there are none, or their test images differ.
        """
        if not reports or len({one.counts.shape[1:] for one in reports}) > 1:
            raise FddkitError("pool takes at least one report, all of the same classes and groups")
        first = reports[0]
        paired = [one.counterfactual for one in reports if one.counterfactual]
        return cls(
            np.concatenate([one.counts for one in reports]),
            [name for one in reports for name in one.networks],
            first.config,
            first.versions,
            cls.pool(paired) if len(paired) == len(reports) else None,
            [i for i, one in enumerate(reports) for _ in one.networks],
        )

    def by_network(self) -> dict[str, "FairnessReport"]:
        """Return the report of each network alone, in the order of first appearance."""
        return {name: self._only(name) for name in dict.fromkeys(self.networks)}

    def _only(self, name: str) -> "FairnessReport":
        rows = [i for i, network in enumerate(self.networks) if network == name]
        paired = self.counterfactual and self.counterfactual._only(name)
        names = [name] * len(rows)
        sets = self.sets and [self.sets[i] for i in rows]
        return FairnessReport(self.counts[rows], names, self.config, self.versions, paired, sets)

    def to_dict(self) -> dict:
        """Return what `save` writes; the derived numbers are there for other readers."""
        return {
            "format": report_file.FORMAT,
            "format_version": report_file.FORMAT_VERSION,
            **{name: self.metric(name).to_dict() for name in measures.METRICS},
            "empty_cells": [list(cell) for cell in self.empty_cells],
            "networks": list(self.networks),
            "sets": self.sets,
            "config": self.config,
            "versions": self.versions,
            "counts": self.counts.tolist(),
            "counterfactual": self.counterfactual and self.counterfactual.to_dict(),
        }

    def save(self, path: str | os.PathLike, look: files.Look | None = None) -> None:
        """Write the report as JSON, atomically, with the sha256 of all it says.

        Parameters
        ----------
        path : path-like
            The file, e.g. ``report.json``.
        look : callable, optional
            See `fddkit.core.files.atomic`; by default another report is replaced, and no other file
            is.

        Raises
        ------
        FddkitError
            If it cannot be written.
        """
        report_file.write(path, self.to_dict(), look)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "FairnessReport":
        """Read a report; every number is derived anew from its counts.

        Parameters
        ----------
        path : path-like
            A file that `save` wrote.

        Returns
        -------
        FairnessReport

        Raises
        ------
        FddkitError
            If the file is missing, damaged, something else, or of a newer fddkit.
        """
        data = report_file.read(path)
        try:
            return cls._from_dict(data)
        except (TypeError, ValueError, OverflowError) as error:
            raise report_file.damaged(path, error) from error

    @classmethod
    def _from_dict(cls, data: dict) -> "FairnessReport":
        conform(data, report_file.SHAPE, "it")
        paired, counts = data["counterfactual"], np.array(data["counts"], dtype=np.int64)
        if counts.ndim != 4:
            raise ValueError(f"its counts have the shape {list(counts.shape)}")
        for name, axis in (("group_names", 1), ("target_names", 2)):
            if len(data["config"].get(name, range(counts.shape[axis]))) != counts.shape[axis]:
                raise ValueError(f"config.{name} does not fit its counts")
        found = cls(
            counts,
            data["networks"],
            data["config"],
            data["versions"],
            None if paired is None else cls._from_dict(paired),
            data["sets"],
        )
        cells = len(set(found.networks)) * counts[0, ..., 0].size
        if len(counts) > _MOST_REPEATS or cells > _MOST_CELLS:
            raise ValueError(f"it has {len(counts):,} repeats and {cells:,} cells")
        return found

    def __str__(self) -> str:
        """Return a table for people."""
        return report_table.text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same table for a notebook."""
        return report_table.html(self)
