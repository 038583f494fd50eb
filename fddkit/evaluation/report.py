"""The report of an evaluation: what was counted, what follows from it, and how it is shown."""

import html
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np

from ..core import files
from ..core.errors import Damaged, FddkitError, NewerFormat
from ..core.reading import clip, conform, read_bytes, read_json
from ..distillers import health
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
FORMAT_VERSION = 2  # 1 had no seal
_SHAPE = {
    "format_version": int,
    "counts": [[[[int]]]],
    "networks": [str],
    "config": {
        "data?": {"dataset?": dict, "method?": str, "fairness?": (str, None), "ipc?": (int, None)},
        "target_names?": [str],
        "group_names?": [str],
        "seed?": (int, None),
        "preset?": (str, None),
        "protocol?": (str, None),
        "health?": {"verdict?": str, "notes?": [str]},
    },
    "versions": dict,
    "sets": ([int], None),
    "counterfactual": (dict, None),
}
_MOST_REPEATS, _MOST_CELLS = 2000, 10_000  # of a file: what it takes to sum up grows with them
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
        if self.counts.sum(dtype=float) > 2**53:  # beyond it sums are not exact
            raise FddkitError("counts are larger than any test; give the number of images")

    @property
    def shown(self) -> "FairnessReport":
        """The report on the counterfactual test where there is one, else this one."""
        return self.counterfactual or self

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
        found = json.loads(json.dumps(self.to_dict(), allow_nan=False))
        files.write_json(path, {**found, "sha256": _seal(found)}, look or only_reports)

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
        data = read_json(path)
        if not isinstance(data, dict) or data.get("format") != FORMAT:
            raise FddkitError(
                f"{path} is not a fairness report; give a file written by "
                "fddkit evaluate --json or FairnessReport.save"
            )
        try:
            conform(data, {"format_version": int}, "it")
            if data["format_version"] > FORMAT_VERSION:
                raise NewerFormat(
                    f"{path} has report format {data['format_version']}, this fddkit reads up to "
                    f"{FORMAT_VERSION}; update fddkit"
                )
            sealed = data["format_version"] > 1 or "sha256" in data
            if sealed and data.get("sha256") != _seal(data):
                raise ValueError("its content is not what was written")
            return cls._from_dict(data)
        except NewerFormat:
            raise
        except (TypeError, ValueError, OverflowError) as error:
            raise Damaged(f"{path} is a damaged report ({clip(error)})", "write it anew") from error

    @classmethod
    def _from_dict(cls, data: dict) -> "FairnessReport":
        conform(data, _SHAPE, "it")
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

    def _rows(self) -> list[tuple[str, ...]]:
        """Return the table's rows: name, mean, std, interval, noise floor."""
        rows = []
        reports = self.by_network()
        for name, report in reports.items():
            for test, one in (("", report), (" (counterfactual)", report.counterfactual)):
                for metric in ("accuracy", "deo_m", "deo_a") if one else ():
                    title = metric.replace("deo_m", "DEO_M").replace("deo_a", "DEO_A") + test
                    title = f"{clip(name, 40)}: {title}" if len(reports) > 1 else title
                    rows.append((title, *getattr(one, metric).cells()))
        return rows

    def _notes(self) -> list[str]:
        """Return the sentences around the table: what was measured, and what was left out."""
        repeats, groups, classes, _ = self.counts.shape
        which = clip(", ".join(dict.fromkeys(self.networks)))
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
        unwell = health.sentence(self.config.get("health", {}))
        if unwell:
            notes.append(clip(unwell, 600))
        if cells:
            more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
            notes.append(f"left out, no test image: {clip(', '.join(cells[:5]), 200)}{more}")
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


def only_reports(path: Path) -> None:
    """Let a report be replaced, and no other file; see `fddkit.core.files.atomic`.

    Parameters
    ----------
    path : Path
        What is there.

    Raises
    ------
    FddkitError
        If it is something else.
    """
    begin = read_bytes(path, first=200)
    if begin and f'"format": "{FORMAT}"'.encode() not in begin:
        raise FddkitError(f"{path} is not a fairness report, and is kept; choose another name")


def _seal(data: dict) -> str:
    """Return the sha256 of what a report says, however its JSON is laid out."""
    rest = {k: v for k, v in data.items() if k != "sha256"}
    return files.digest(json.dumps(rest, sort_keys=True, allow_nan=False))
