"""From the rows of a table or collection to data sets: labels, images, faults, splits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch

from ..core.errors import FddkitError, unknown
from ..core.numbers import whole
from ..core.reading import clip
from ..reading.columns import Column
from ..reading.duplicates import firsts
from ..reading.faults import FAULTY, NO_FILE, SMALL, UNREADABLE, Faults
from ..reading.frame import Frame
from ..reading.image_cache import Images
from ..reading.labels import MISSING, Labels, compact, crossed, merged
from .grouped import GroupedDataset
from .traits import PHOTOGRAPHS, Traits
from .validation import check_name, check_per_channel, split_names

SMALLS = ("merge", "drop", "refuse")
DUPLICATES = ("fault", "keep")
INTERSECTIONS = ("occurring", "all")


@dataclass(frozen=True)
class Options:
    """What a user says of the images and of rows that cannot be used; see `from_table`."""

    frame: Frame
    name: str
    smallest: int | None = None
    small: str = "merge"
    faulty: str = "refuse"
    duplicates: str = "fault"
    intersections: str = "occurring"
    mean: Sequence[float] | None = None
    std: Sequence[float] | None = None
    traits: Traits | None = None

    def __post_init__(self):
        for argument, known in (
            ("small", SMALLS),
            ("faulty", FAULTY),
            ("duplicates", DUPLICATES),
            ("intersections", INTERSECTIONS),
        ):
            value = getattr(self, argument)
            if value not in known:
                raise unknown(f"value of {argument}", value, known)
        if self.smallest is not None:
            whole("smallest", self.smallest)
        check_name(self.name)
        if self.traits is not None and not isinstance(self.traits, Traits):
            raise FddkitError(f"traits={clip(repr(self.traits))} are no Traits; give fdd.Traits")
        channels = self.frame.shape[0]
        for what in ("mean", "std"):
            values = getattr(self, what)
            try:
                values = None if values is None else tuple(map(float, values))
            except (TypeError, ValueError, OverflowError) as error:
                raise FddkitError(
                    f"{what}={clip(repr(values))} is no list of numbers; give one per channel"
                ) from error
            check_per_channel(values, channels, self.name, what)


class Read(NamedTuple):
    """The images of rows.

    Attributes
    ----------
    images : Images
        Each once; faults are by position.
    place : ndarray
        int64 [rows], the position of each row's image; -1 where none was read.
    files : sequence of str
        What each image is called.
    """

    images: Images
    place: np.ndarray
    files: Sequence[str]


@dataclass
class Rows:
    """Rows to be made into data sets.

    Attributes
    ----------
    target : Column
        The classes.
    groups : list of Column
        Columns whose intersections are the groups.
    split : Column, optional
        The splits.
    faults : Faults
        What is wrong with them so far.
    read : callable
        ``read(rows)`` returns the images of some rows as a `Read`.
    source : dict
        Where they come from.
    """

    target: Column
    groups: list[Column]
    split: Column | None
    faults: Faults
    read: Callable[[list[int]], Read]
    source: dict[str, Any] = field(default_factory=dict)


def assemble(rows: Rows, options: Options) -> dict[str, GroupedDataset]:
    """Make data sets of the rows that can be used; say what became of the others.

    Returns
    -------
    dict of str to GroupedDataset
        One per split; ``{"all": data}`` without splits.

    Raises
    ------
    FddkitError
        If faulty rows are to be refused, or nothing is left.
    """
    faults = rows.faults
    target = rows.target.labels(faults)
    columns = [column.labels(faults) for column in rows.groups]
    group = crossed(columns, options.intersections == "all")
    split = rows.split.labels(faults) if rows.split else None
    if not faults.left():
        faults.refuse(skip=True)
    if split is not None:
        held = np.unique(split.labels[faults.left()])  # a row that is torn may say anything
        parts = dict(
            zip(held, split_names([split.names[i] for i in held], rows.split.title), strict=True)
        )
    read = rows.read(faults.left())
    _unread(read, faults)
    if options.duplicates == "fault":
        _repeated(read, target.labels, group.labels, faults)
    faults.refuse(options.faulty == "skip")
    group, small = _without_small(group, faults, options)
    faults.refuse(skip=True)
    left = np.array(faults.left(), dtype=np.int64)
    sources = rows.source | _account(faults, read, len(left), small)
    named = Labels(target.labels[left], target.names)
    grouped = Labels(group.labels[left], group.names)
    if rows.target.names is None:
        named = compact(named)
    if options.intersections != "all" and not any(column.names for column in rows.groups):
        grouped = compact(grouped)
    still = {*named.names, *grouped.names, *small}
    gone = [name for name in (*target.names, *group.names) if name not in still]
    if gone:
        sources["vanished"] = gone  # every row of theirs was left out
    data = _dataset(read, left, named, grouped, options, sources)
    if split is None:
        return {"all": data}
    of = np.array([parts[i] for i in split.labels[left]])
    return {
        name: replace(
            data.subset(torch.from_numpy(np.flatnonzero(of == name))),
            source={**sources, "split": name},
        )
        for name in dict.fromkeys(parts.values())
        if (of == name).any()
    }


def _unread(read: Read, faults: Faults) -> None:
    if not read.images.faults:
        return
    for row in faults.left():
        reason = read.images.faults.get(int(read.place[row]))
        if reason is not None:
            name = read.files[read.place[row]]
            if reason == NO_FILE:
                faults.add(row, NO_FILE, name)
            else:
                faults.add(row, UNREADABLE, f"{name}: {reason}")


def _repeated(read: Read, target: np.ndarray, group: np.ndarray, faults: Faults) -> None:
    """Note images that occur again; where the labels differ, no one knows which are right."""
    left = np.array(faults.left(), dtype=np.int64)
    kind = firsts(read.images.pixels)[read.place[left]]
    order = np.argsort(kind, kind="stable")
    _, starts, counts = np.unique(kind[order], return_index=True, return_counts=True)
    for start, count in zip(starts[counts > 1], counts[counts > 1], strict=True):
        same = left[order[start : start + count]].tolist()
        labels = {(int(target[row]), int(group[row])) for row in same}
        for row in same if len(labels) > 1 else same[1:]:
            other = same[0] if row != same[0] else same[1]
            file, where = read.files[read.place[row]], f"{faults.word} {faults.numbers[other]}"
            if len(labels) > 1:
                faults.add(row, "contradicting labels", f"{file}, as {where}")
            else:
                again = read.place[row] == read.place[other]
                faults.add(row, f"same {'file' if again else 'image'} again", f"{file}, {where}")


def _without_small(
    group: Labels, faults: Faults, options: Options
) -> tuple[Labels, dict[str, int]]:
    """Merge, drop or refuse the groups with fewer images than wanted, among the rows left."""
    if options.smallest is None:
        return group, {}
    left = faults.left()
    used = np.full(len(group.labels), MISSING, dtype=np.int64)
    used[left] = group.labels[left]
    after, small = merged(compact(Labels(used, group.names)), options.smallest)
    if small and options.small == "refuse":
        shown = ", ".join(f"{name} ({n})" for name, n in list(small.items())[:10])
        raise FddkitError(
            f"{len(small)} groups of {faults.where} have fewer than {options.smallest} images: "
            f'{shown}; give small="merge" or small="drop", or a smaller number'
        )
    if options.small == "drop":
        for row in left:
            if group.names[group.labels[row]] in small:
                faults.add(row, SMALL, group.names[group.labels[row]])
        return group, small
    return (after if small else group), small


def _account(faults: Faults, read: Read, kept: int, small: dict[str, int]) -> dict[str, Any]:
    """Return what became of the rows: rows = kept + skipped."""
    return {
        "rows": len(faults.numbers),
        "kept": kept,
        "skipped": faults.counts(),
        "faults": faults.listed(),
        "notes": read.images.notes,
        "small": small,
    }


def _dataset(
    read: Read,
    left: np.ndarray,
    target: Labels,
    group: Labels,
    options: Options,
    source: dict[str, Any],
) -> GroupedDataset:
    pixels, place = torch.from_numpy(read.images.pixels), read.place[left]
    whole_file = len(place) == len(pixels) and (place == np.arange(len(place))).all()
    channels = options.frame.shape[0]
    return GroupedDataset(
        images=pixels if whole_file else pixels[torch.from_numpy(place)],
        target=torch.from_numpy(target.labels),
        group=torch.from_numpy(group.labels),
        name=options.name,
        target_names=target.names,
        group_names=group.names,
        mean=check_per_channel(options.mean, channels, options.name, "mean"),
        std=check_per_channel(options.std, channels, options.name, "std"),
        traits=options.traits or PHOTOGRAPHS,
        source=source,
    )
