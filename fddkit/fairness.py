"""The report of an evaluation: what was counted, what follows from it, and how it is shown."""

import html
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from . import files
from .errors import FddkitError
from .metrics import Summary, accuracy, count, deo, noise_floor, t_quantile, tpr

__all__ = [
    "FairnessReport",
    "Summary",
    "accuracy",
    "count",
    "deo",
    "noise_floor",
    "t_quantile",
    "tpr",
]

FORMAT = "fddkit-report"
FORMAT_VERSION = 1
_HEADER = ("mean", "std", "95% interval", "noise floor")


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

    @property
    def accuracy(self) -> Summary:
        """Share of test images classified right."""
        return self._summary(accuracy(self.counts))

    @property
    def deo_m(self) -> Summary:
        """Largest gap of true-positive rates between groups; see `deo`."""
        return self._summary(deo(tpr(self.counts))[0], self._floor[0])

    @property
    def deo_a(self) -> Summary:
        """Mean over classes of the gap of true-positive rates; see `deo`."""
        return self._summary(deo(tpr(self.counts))[1], self._floor[1])

    @property
    def group_tpr(self) -> Summary:
        """True-positive rate by group and class, [A, C]; NaN where there is no test image."""
        return self._summary(100 * tpr(self.counts))

    def _summary(self, values: np.ndarray, noise_floor: float = float("nan")) -> Summary:
        """Return the summary over the units of repetition: repeats, or sets if there are many."""
        if self.sets is not None:
            own = np.array(self.sets)
            values = np.stack([values[own == s].mean(0) for s in dict.fromkeys(self.sets)])
        return Summary(values, noise_floor)

    @property
    def empty_cells(self) -> list[tuple[int, int]]:
        """The (group, class) that have no test image, left out of every number."""
        return [(int(a), int(y)) for a, y in np.argwhere(self.counts[0].sum(-1) == 0)]

    @cached_property
    def _floor(self) -> tuple[float, float]:
        """Noise floors: of each network (its repeats have one accuracy), averaged over repeats."""
        names = np.array(self.networks)
        floor = {name: noise_floor(self.counts[names == name]) for name in set(self.networks)}
        return tuple(float(x) for x in np.mean([floor[name] for name in self.networks], 0))

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
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "accuracy": self.accuracy.to_dict(),
            "deo_m": self.deo_m.to_dict(),
            "deo_a": self.deo_a.to_dict(),
            "empty_cells": [list(cell) for cell in self.empty_cells],
            "networks": list(self.networks),
            "sets": self.sets,
            "config": self.config,
            "versions": self.versions,
            "counts": self.counts.tolist(),
            "counterfactual": self.counterfactual and self.counterfactual.to_dict(),
        }

    def save(self, path: str | os.PathLike) -> None:
        """Write the report as JSON, atomically.

        Parameters
        ----------
        path : path-like
            The file, e.g. ``report.json``.

        Raises
        ------
        FddkitError
            If it cannot be written.
        """
        files.write_json(path, self.to_dict())

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
            If the file is missing, truncated, something else, or of a newer fddkit.
        """
        return cls._from_dict(files.read_json(path), path)

    @classmethod
    def _from_dict(cls, data: Any, path: str | os.PathLike) -> "FairnessReport":
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise FddkitError(
                f"{path} is not a fairness report; give a file written by "
                "fddkit evaluate --json or FairnessReport.save"
            )
        if data.get("format_version") != FORMAT_VERSION:
            raise FddkitError(
                f"{path} has report format {data.get('format_version')}, this fddkit reads "
                f"{FORMAT_VERSION}; update fddkit"
            )
        try:
            paired = data["counterfactual"]
            return cls(
                np.array(data["counts"]),
                [str(name) for name in data["networks"]],
                dict(data["config"]),
                dict(data["versions"]),
                None if paired is None else cls._from_dict(paired, path),
                data["sets"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise FddkitError(f"{path} is a damaged report ({error}); write it anew") from error

    def _rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows: name, mean, std, interval, noise floor."""
        rows = []
        reports = self.by_network()
        for name, report in reports.items():
            for test, one in (("", report), (" (counterfactual)", report.counterfactual)):
                for metric in ("accuracy", "deo_m", "deo_a") if one else ():
                    title = metric.replace("deo_m", "DEO_M").replace("deo_a", "DEO_A") + test
                    title = f"{name}: {title}" if len(reports) > 1 else title
                    rows.append((title, *getattr(one, metric).cells()))
        return rows

    def _notes(self) -> list[str]:
        """Return the sentences around the table: what was measured, and what was left out."""
        repeats, groups, classes, _ = self.counts.shape
        which = ", ".join(dict.fromkeys(self.networks))
        several = f" on {len(set(self.sets))} training sets" if self.sets else ""
        notes = [
            f"{repeats} network{'s' * (repeats > 1)} ({which}){several}; tested on "
            f"{self.counts[0].sum():,} images, {classes} classes x {groups} groups; percent"
        ]
        names = self.config.get("group_names"), self.config.get("target_names")
        cells = [
            f"{names[0][a]} {names[1][y]}" if all(names) else f"group {a} class {y}"
            for a, y in self.empty_cells
        ]
        if cells:
            more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
            notes.append(f"left out, no test image: {', '.join(cells[:5])}{more}")
        return notes

    def __str__(self) -> str:
        """Return a table for people."""
        rows = [("", *_HEADER), *self._rows()]
        width = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            row[0].ljust(width[0])
            + "".join("  " + cell.rjust(w) for cell, w in zip(row[1:], width[1:], strict=True))
            for row in rows
        ]
        first, *rest = self._notes()
        return "\n".join(line.rstrip() for line in (first, *lines, *rest))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same table for a notebook."""

        def line(tag: str, cells: tuple[str, ...]) -> str:
            return "<tr>" + "".join(f"<{tag}>{html.escape(c)}</{tag}>" for c in cells) + "</tr>"

        first, *rest = (f"<p>{html.escape(note)}</p>" for note in self._notes())
        body = "".join(line("td", row) for row in self._rows())
        return f"{first}<table>{line('th', ('', *_HEADER))}{body}</table>{''.join(rest)}"
