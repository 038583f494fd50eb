"""What a data set holds, and what to know before distilling it."""

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ..reading.duplicates import firsts
from .grouped import GroupedDataset

IPCS = (1, 10, 50, 100)  # those of the papers
_CONDENSED = 10  # times as many real images as synthetic ones
_SHOWN = 12  # rows and columns of the printed table
_FEW = 10  # images of a cell, below which its numbers say little


@dataclass(frozen=True)
class Description:
    """What `describe` finds; ``str`` of it is a report, `to_dict` is JSON.

    Attributes
    ----------
    name : str
        Of the set.
    images : int
        How many there are.
    shape : tuple of int
        (C, H, W) of one.
    classes, groups : tuple of str
        Names.
    counts : tuple of tuple of int
        Images of each class (row) and group.
    smallest : tuple
        Class, group and number of images of the smallest cell that is not empty.
    empty : tuple of (str, str)
        Classes and groups that do not occur together.
    duplicates : int
        Images whose pixels occur before in the set.
    contradicting : int
        Images whose pixels also occur with another class or group.
    bias : dict of str to (str, float)
        Class -> its largest group (the first of several) and that group's share.
    skipped : dict of str to int
        Reason -> rows that were left out when the set was read, from its ``source``.
    ipc : tuple of int
        Those of `IPCS` that suit.
    ipc_rule : str
        Why.
    warnings : tuple of str
        What may go wrong.
    """

    name: str
    images: int
    shape: tuple[int, int, int]
    classes: tuple[str, ...]
    groups: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    smallest: tuple[str, str, int]
    empty: tuple[tuple[str, str], ...]
    duplicates: int
    contradicting: int
    bias: dict[str, tuple[str, float]]
    skipped: dict[str, int]
    ipc: tuple[int, ...]
    ipc_rule: str
    warnings: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as values that JSON can hold."""
        return asdict(self)

    def __str__(self) -> str:
        channels, height, width = self.shape
        lines = [
            f"{self.name}: {self.images:,} images {channels}x{height}x{width}, "
            f"{len(self.classes)} classes, {len(self.groups)} groups",
            "",
            *self._table(),
            "",
            "smallest cell: {} | {}, {:,} images".format(*self.smallest),
            f"empty cells: {len(self.empty)} of {len(self.classes) * len(self.groups)}",
            f"duplicates: {self.duplicates:,}, with contradicting labels: {self.contradicting:,}",
        ]
        if self.skipped:
            reasons = ", ".join(f"{reason}: {n:,}" for reason, n in self.skipped.items())
            lines.append(f"left out when it was read: {reasons}")
        lines.append(f"IPC: {', '.join(map(str, self.ipc))} ({self.ipc_rule})")
        return "\n".join([*lines, *(f"! {warning}" for warning in self.warnings)])

    def _table(self) -> list[str]:
        """Return the counts as lines, as far as they fit a page."""
        rows, columns = self.classes[:_SHOWN], self.groups[:_SHOWN]
        head = ["class", "images", *columns, "largest group"]
        body = []
        for name, counts in zip(rows, self.counts, strict=False):
            largest = "-"
            if name in self.bias:
                largest = "{} {:.0%}".format(*self.bias[name])
            body.append([name, f"{sum(counts):,}", *(f"{n:,}" for n in counts[:_SHOWN]), largest])
        sums = [f"{sum(row[j] for row in self.counts):,}" for j in range(len(columns))]
        body.append(["all", f"{self.images:,}", *sums, ""])
        wide = [max(len(row[j]) for row in (head, *body)) for j in range(len(head))]
        lines = [
            "  ".join(c.rjust(w) for c, w in zip(row, wide, strict=True)) for row in (head, *body)
        ]
        more = [
            f"{len(names) - _SHOWN} more {what}"
            for names, what in ((self.classes, "classes"), (self.groups, "groups"))
            if len(names) > _SHOWN
        ]
        return [*lines, *([f"(and {' and '.join(more)})"] if more else [])]


def describe(data: GroupedDataset) -> Description:
    """Describe a data set: its counts, duplicates, natural bias, and the IPC that suits.

    Parameters
    ----------
    data : GroupedDataset
        Any.

    Returns
    -------
    Description

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> images = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 1, 8, 8)
    >>> data = fdd.GroupedDataset.from_arrays(images, [0, 0, 0, 1], [0, 1, 1, 0])
    >>> found = describe(data)
    >>> found.counts, found.empty, found.bias["0"][0]
    (((1, 2), (1, 0)), (('1', '1'),), '1')
    """
    counts = data.counts().cpu().numpy()
    classes, groups = data.target_names, data.group_names
    duplicates, contradicting = _repeated(data)
    occurring = np.where(counts > 0, counts, counts.max(initial=0) + 1)
    y, a = np.unravel_index(occurring.argmin(), counts.shape)
    sizes = counts.sum(1)
    bias = {
        classes[i]: (groups[int(row.argmax())], float(row.max() / row.sum()))
        for i, row in enumerate(counts)
        if row.sum()
    }
    skipped = data.source.get("skipped")
    ipc, rule = suitable_ipc(counts)
    return Description(
        name=data.name,
        images=len(data),
        shape=data.shape,
        classes=classes,
        groups=groups,
        counts=tuple(tuple(row) for row in counts.tolist()),
        smallest=(classes[y], groups[a], int(counts[y, a])),
        empty=tuple((classes[i], groups[j]) for i, j in np.argwhere(counts == 0)),
        duplicates=duplicates,
        contradicting=contradicting,
        bias=bias,
        skipped=dict(skipped) if isinstance(skipped, dict) else {},
        ipc=ipc,
        ipc_rule=rule,
        warnings=tuple(_warnings(data, counts, sizes, duplicates, contradicting, ipc)),
    )


def suitable_ipc(counts: np.ndarray) -> tuple[tuple[int, ...], str]:
    """Return the IPC of the papers that suit, and the rule in words.

    At most a tenth of the smallest class, or there is little to condense; from the number of its
    groups on, every group of a class can be shown, and smaller ones are said to be too few.

    Parameters
    ----------
    counts : ndarray
        int64 [C, A].

    Returns
    -------
    ipc : tuple of int
        At least one.
    rule : str
    """
    sizes = counts.sum(1)
    least = int(sizes[sizes > 0].min(initial=sizes.max(initial=0)))
    groups = int((counts > 0).sum(1).max(initial=0))
    fits = tuple(ipc for ipc in IPCS if ipc * _CONDENSED <= least) or IPCS[:1]
    shows = tuple(ipc for ipc in fits if ipc >= groups)
    rule = f"at most a tenth of the smallest class, {least:,} images"
    if shows:
        return shows, f"{rule}, and at least the {groups} groups of a class"
    return fits[-1:], f"{rule}; that is fewer than the {groups} groups of a class"


def _repeated(data: GroupedDataset) -> tuple[int, int]:
    """Return how many images occur before, and how many also with other labels."""
    kind = firsts(data.images.cpu().contiguous().numpy())
    cell = (data.target * data.n_groups + data.group).cpu().numpy()
    differs = np.zeros(len(kind), dtype=bool)
    differs[kind[cell != cell[kind]]] = True
    return int((kind != np.arange(len(kind))).sum()), int(differs[kind].sum())


def _warnings(
    data: GroupedDataset,
    counts: np.ndarray,
    sizes: np.ndarray,
    duplicates: int,
    contradicting: int,
    ipc: tuple[int, ...],
) -> list[str]:
    found = []
    for names, sums, what in (
        (data.target_names, sizes, "class"),
        (data.group_names, counts.sum(0), "group"),
    ):
        if int((sums > 0).sum()) < 2:
            found.append(f"there is only one {what}, so nothing can be compared")
        empty = [name for name, n in zip(names, sums, strict=True) if not n]
        if empty:
            found.append(f"no image of the {what} {_some(empty)}")
        folded = Counter(name.casefold() for name in names)
        alike = [name for name in names if folded[name.casefold()] > 1]
        if alike:
            found.append(f"names of a {what} that differ only in upper case: {_some(alike)}")
    present = (counts > 0).sum(1)
    alone = [data.target_names[i] for i in np.flatnonzero(present == 1)]
    if alone and counts.shape[1] > 1:
        found.append(f"one group alone in the class {_some(alone)}: no gap can be measured there")
    few = int(((counts > 0) & (counts < _FEW)).sum())
    if few:
        found.append(f"{few} cells have fewer than {_FEW} images: their gaps are mostly chance")
    if sizes.max() > _CONDENSED * max(int(sizes[sizes > 0].min()), 1):
        found.append("the largest class has more than ten times the images of the smallest")
    if present.max() > ipc[0]:
        found.append(
            f"IPC {ipc[0]} is less than the {present.max()} groups of a class: "
            "not each can have an image of its own"
        )
    if duplicates:
        found.append(f"{duplicates:,} images occur before in the set")
    if contradicting:
        found.append(f"{contradicting:,} images also occur with another class or group")
    gone = data.source.get("vanished")
    if gone:
        found.append(f"left out with all their rows: {_some(list(map(str, gone)))}")
    return found


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
