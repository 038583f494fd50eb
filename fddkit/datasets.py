"""Loading: originals from the catalogue, groups dealt by a bias ratio, images painted."""

from collections.abc import Callable, Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from . import bias
from .catalogue import CATALOGUE, DatasetInfo
from .errors import FddkitError, unknown
from .grouped import GroupedDataset
from .options import GAP_OPTIONS, OFFSET_OPTIONS, check_number, numbers, resolve
from .rng import derive

_GAP_BR = 0.8  # COBRA's SKEW in the experiments with GAP


def catalogue() -> list[DatasetInfo]:
    """Return the data sets that `load` knows.

    Returns
    -------
    list of DatasetInfo
        With name, title, classes, groups, shape, default_br, needs and ``on_disk(root)``.
    """
    return list(CATALOGUE.values())


def load(
    name: str,
    br: float | None = None,
    seed: int = 0,
    root: str | Path = "data",
    gap: int | None = None,
    offset: float = 0.0,
    proportions: Sequence[float] | None = None,
    download: bool = False,
    **options: Any,
) -> tuple[GroupedDataset, GroupedDataset]:
    """Load a data set with its bias: a skewed training set and a balanced test set.

    Parameters
    ----------
    name : str
        One of `catalogue`, for example ``"digits"``, which needs no download.
    br : float, optional
        Bias ratio: the share of a class that shows its majority group, from 1/A to 1. If left
        out, 0.9 (0.75 for the digits; 0.8, COBRA's SKEW, with ``gap``).
    seed : int
        Deals the groups (and splits the digits, and draws the noise of GAP).
    root : path-like
        The folder with the raw data, laid out as torchvision does.
    gap : int, optional
        COBRA's GAP level, 0 to 4, in place of the set's own groups: the two groups are then the
        image as it is (in colour, or in the first colour) and moved away by `bias.gap`.
    offset : float
        Gamma of `bias.semantic_offset`, applied last.
    proportions : sequence of float, optional
        Relative sizes of the minority groups, in ascending order of group; equal if left out.
    download : bool
        Download what is missing under ``root``, through torchvision.
    **options
        ``official_wrap`` (cfmnist-bg only): FairDD's wrapped background, see
        `bias.colour_background`. With ``gap``: ``gap_sigma``, ``gap_line``, ``gap_width``. With
        ``offset``: ``offset_scale``.

    Returns
    -------
    train, test : GroupedDataset
        The test set is dealt at BR 1/A; for CIFAR10-S and with ``gap`` it has every image in
        every group instead, group by group.

    Raises
    ------
    FddkitError
        If a name or option is unknown, a value is outside its range, or data is missing or
        corrupt.
    """
    entry = _entry(name)
    if br is None:
        br = entry.default_br if gap is None else _GAP_BR
    check_number("br", br, Real)
    check_number("seed", seed, Integral)
    check_number("offset", offset, Real)
    if gap is not None:
        check_number("gap", gap, Integral)
        gap = int(gap)
    if proportions is not None:
        proportions = numbers("proportions", proportions, float)
    arguments = {
        "br": float(br),
        "seed": int(seed),
        "gap": gap,
        "offset": float(offset),
        "proportions": proportions,
        **resolve(options, entry, gap, offset),
    }
    # mistakes are told before any file is read
    bias.group_counts(0, br, len(_group_names(entry, gap)), arguments["proportions"])
    blank, one = torch.zeros(1, *entry.shape, dtype=torch.uint8), torch.ones(1, dtype=torch.int64)
    _move(blank, one, one, 0, arguments)
    if download and not entry.on_disk(root):
        entry.source.download(root)
    _require(entry, root)
    train, test = (_build(entry, split, root, arguments) for split in ("train", "test"))
    return train, test


def reload(
    info: Mapping[str, Any], root: str | Path = "data"
) -> tuple[GroupedDataset, GroupedDataset]:
    """Load the data set that an ``info`` describes, exactly as it was.

    Parameters
    ----------
    info : mapping
        `GroupedDataset.info`, for instance from the header of a `DistilledSet`.
    root : path-like
        The folder with the raw data.

    Returns
    -------
    train, test : GroupedDataset
        Both of them, whichever split ``info`` came from.

    Raises
    ------
    FddkitError
        If ``info`` is empty (own arrays, a subset), or as in `load`.
    """
    if "dataset" not in info:
        raise FddkitError(
            "this set was not loaded by name (own arrays, or a part of a set), so it cannot be "
            "loaded again; pass the GroupedDataset itself"
        )
    arguments = {key: value for key, value in info.items() if key not in ("dataset", "split")}
    return load(info["dataset"], root=root, **arguments)


def download(name: str, root: str | Path = "data") -> None:
    """Download the raw data of a data set, unless it is there, with a progress bar.

    Parameters
    ----------
    name : str
        One of `catalogue`.
    root : path-like
        The folder for raw data.

    Raises
    ------
    FddkitError
        If the name is unknown, or there is no network, no space or no permission.
    """
    entry = _entry(name)
    if not entry.on_disk(root):
        entry.source.download(root)


def _entry(name: str) -> DatasetInfo:
    if name not in CATALOGUE:
        raise unknown("data set", name, CATALOGUE)
    return CATALOGUE[name]


def _require(entry: DatasetInfo, root: str | Path) -> None:
    missing = [path for path in entry.files(root) if not path.is_file()]
    if missing:
        free = ", ".join(other.name for other in catalogue() if not other.source)
        raise FddkitError(
            f"{entry.name} needs {entry.needs}, but {missing[0].name} is not in "
            f"{missing[0].parent.resolve()}; get it with `fddkit datasets --download {entry.name} "
            f"--root {root}`, or use a set that needs no download: {free}"
        )


def _build(
    entry: DatasetInfo, split: str, root: str | Path, arguments: dict[str, Any]
) -> GroupedDataset:
    """Return one split: originals, groups, paint."""
    originals, target = entry.originals(root, split, arguments["seed"])
    gap = arguments["gap"]
    group_names = _group_names(entry, gap)
    n_groups, index = len(group_names), torch.arange(len(target))
    seed = derive(arguments["seed"], split)
    if split == "test" and (entry.paired or gap is not None):
        index = index.repeat(n_groups)
        group = torch.arange(n_groups).repeat_interleave(len(target))
    else:
        br, proportions = 1 / n_groups, None
        if split == "train":
            br, proportions = arguments["br"], arguments["proportions"]
        group = bias.assign_groups(target, br, n_groups, seed, proportions, entry.even)
    paint = _painter(entry, originals, seed, arguments)
    return GroupedDataset(
        images=paint(index, group),
        target=target[index],
        group=group,
        name=entry.name,
        target_names=entry.target_names,
        group_names=group_names,
        mean=entry.mean,
        std=entry.std,
        info={"dataset": entry.name, "split": split, **arguments},
        index=index,
        paint=paint,
    )


def _group_names(entry: DatasetInfo, gap: int | None) -> tuple[str, ...]:
    return entry.group_names if gap is None else ("plain", f"GAP {gap}")


def _painter(
    entry: DatasetInfo, originals: Tensor, seed: int, arguments: dict[str, Any]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function that draws originals as members of groups."""
    own = {name: arguments[name] for name in entry.options}

    def paint(index: Tensor, group: Tensor) -> Tensor:
        index, group = index.cpu(), group.cpu()
        plain = group if arguments["gap"] is None else torch.full_like(group, entry.plain)
        images = entry.inject(originals[index], plain, **own)
        return _move(images, index, group, seed, arguments)

    return paint


def _move(
    images: Tensor, index: Tensor, group: Tensor, seed: int, arguments: dict[str, Any]
) -> Tensor:
    """Apply what comes after a set's own injection: GAP to group 1, the offset to all but 0."""
    for_gap, for_offset = (
        {name.removeprefix(prefix): arguments[name] for name in known if name in arguments}
        for prefix, known in (("gap_", GAP_OPTIONS), ("offset_", OFFSET_OPTIONS))
    )
    if arguments["gap"] is not None:
        moved = group == 1
        images[moved] = bias.gap(images[moved], arguments["gap"], index[moved], seed, **for_gap)
    if arguments["offset"]:
        images = bias.semantic_offset(images, group, arguments["offset"], **for_offset)
    return images
