"""Sets whose groups are real: a balanced test set, and a bias ratio by dropping images."""

import warnings
from dataclasses import replace
from numbers import Integral
from typing import TYPE_CHECKING

import torch

from ..core.errors import FddkitError
from .imperfect import NATURAL, require_groups
from .injection_options import check_number
from .sampling import cells
from .thinning import Majority, Thinning, shuffled

if TYPE_CHECKING:
    from .grouped import GroupedDataset

_SAID = 3  # cells that a warning names


def split(
    data: "GroupedDataset", per_cell: int = 60, seed: int = 0
) -> "tuple[GroupedDataset, GroupedDataset]":
    """Split the set into a training set and a balanced test set.

    The test set gets ``per_cell`` images of each class and group, but never more than half of
    them: a cell of one image stays in the training set. Cells that are too small for ``per_cell``
    are named in a warning and in the test set's ``source["split"]["fewer"]``.

    Parameters
    ----------
    data : GroupedDataset
        The set.
    per_cell : int
        Test images of each class and group.
    seed : int
        Determines which; the same on any machine.

    Returns
    -------
    train, test : GroupedDataset
        In the order of the set.

    Raises
    ------
    FddkitError
        If ``per_cell`` is not positive, or no class and group has two images.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> images, cell = torch.zeros(40, 1, 8, 8, dtype=torch.uint8), torch.arange(40) % 4
    >>> data = fdd.GroupedDataset.from_arrays(images, cell // 2, cell % 2)
    >>> train, test = data.split(per_cell=3)
    >>> train.counts().tolist(), test.counts().tolist()
    ([[7, 7], [7, 7]], [[3, 3], [3, 3]])
    """
    check_number("per_cell", per_cell, Integral)
    check_number("seed", seed, Integral)
    if per_cell < 1:
        raise FddkitError(f"per_cell={per_cell} leaves no test image; give at least 1")
    require_groups(data, "a balanced test set", NATURAL)
    tested, fewer = torch.zeros(len(data), dtype=torch.bool), []
    for y, parts in enumerate(cells(data)):
        for a, rows in enumerate(parts):
            n = min(int(per_cell), len(rows) // 2)
            if n:
                tested[shuffled(rows, seed, "natural test", y, a)[:n]] = True
            if n < per_cell:
                fewer.append([data.target_names[y], data.group_names[a], n])
    if not tested.any():
        raise FddkitError(
            f"no class and group of {data.name} has two images, so none can be kept for a test; "
            "collect more, or merge groups"
        )
    if fewer:
        warnings.warn(_unbalanced(data, per_cell, fewer), stacklevel=2)
    made = {"per_cell": int(per_cell), "seed": int(seed), "fewer": fewer}
    return tuple(
        replace(data.subset(torch.where(chosen)[0]), source=data.source | {"split": made})
        for chosen in (~tested, tested)
    )


def _unbalanced(data: "GroupedDataset", per_cell: int, fewer: list[list]) -> str:
    shown = [f"{y}, {a}: {n}" for y, a, n in sorted(fewer, key=lambda one: one[2])]
    more = f" and {len(shown) - _SAID} more" if len(shown) > _SAID else ""
    of = data.n_classes * data.n_groups
    return (
        f"the test set of {data.name} is not balanced, because no cell gives more than half of its "
        f"images; cells with fewer than {per_cell} images: {len(fewer)} of {of} "
        f"({'; '.join(shown[:_SAID])}{more})"
    )


def even(data: "GroupedDataset", seed: int, split: str) -> "GroupedDataset":
    """Return as many images of each class and group as the smallest of them has.

    Parameters
    ----------
    data : GroupedDataset
        The set.
    seed : int
        Determines which.
    split : str
        What it is, which names the draw.

    Returns
    -------
    GroupedDataset
        In the order of the set; ``source["even"]`` says how many.

    Raises
    ------
    FddkitError
        If a class has no image of a group.
    """
    counts = data.counts()
    if not int(counts.min()):
        y, a = divmod(int(counts.argmin()), data.n_groups)
        raise FddkitError(
            f"the {split} split of {data.name} has no image of {data.target_names[y]}, "
            f"{data.group_names[a]}, so its groups cannot be made equal; choose other attributes"
        )
    n, kept = int(counts.min()), []
    for y, parts in enumerate(cells(data)):
        for a, rows in enumerate(parts):
            kept.append(shuffled(rows, seed, "even", split, y, a)[:n])
    rows = torch.cat(kept).sort().values
    made = {"per_cell": n, "seed": seed, "dropped": len(data) - len(rows)}
    return replace(data.subset(rows), source=data.source | {"even": made})


def biased(
    data: "GroupedDataset", br: float, majority: Majority = "largest", seed: int = 0
) -> "GroupedDataset":
    """Drop images until each class shows its majority group with a share of ``br``.

    Where the natural share is smaller, the other groups are thinned, all by the same part and none
    to nothing before the rest; where it is larger, the majority is. The other side keeps all its
    images, so that as few as possible are dropped. The share is as near to ``br`` as whole images
    allow; below 1, at least one image of another group remains.

    Parameters
    ----------
    data : GroupedDataset
        The set.
    br : float
        Bias ratio, from 1/A to 1.
    majority : "largest" or mapping
        The majority group of each class: its largest, or ``{class: group}`` by name or number
        (of classes that are not named the largest).
    seed : int
        Determines which images are dropped. As BR grows, the images that remain of the majority
        contain those before, and the images that remain of the others are among those before.

    Returns
    -------
    GroupedDataset
        In the order of the set; ``source["biased"]`` says what was done.

    Raises
    ------
    FddkitError
        If ``br`` is out of range, or a class lacks its majority group or all others.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> images, cell = torch.zeros(60, 1, 8, 8, dtype=torch.uint8), torch.arange(60) % 6
    >>> data = fdd.GroupedDataset.from_arrays(images, cell // 3, cell % 3)
    >>> data.biased(br=0.5, majority={0: 0, 1: 2}).counts().tolist()
    [[10, 5, 5], [5, 5, 10]]
    """
    check_number("seed", seed, Integral)
    return thinned(data, Thinning(data, majority, seed), br)


def thinned(data: "GroupedDataset", thinning: Thinning, br: float) -> "GroupedDataset":
    """Return what `biased` does, for a thinning of the set.

    Parameters
    ----------
    data : GroupedDataset
        The set.
    thinning : Thinning
        Made of it.
    br : float
        Bias ratio.

    Returns
    -------
    GroupedDataset
    """
    rows = torch.cat(thinning.rows(br)).sort().values
    named = {
        data.target_names[y]: data.group_names[a] for y, a in enumerate(thinning.groups) if a >= 0
    }
    made = {"br": float(br), "majority": named, "seed": thinning.seed}
    made["dropped"] = len(data) - len(rows)
    return replace(data.subset(rows), source=data.source | {"biased": made})
