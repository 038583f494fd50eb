"""Loading: read originals, assign groups by a bias ratio, and paint the images."""

from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import torch

from ..core.errors import FddkitError
from ..core.reading import clip, conform
from . import bias
from .catalogue import CATALOGUE, DatasetInfo
from .grouped import GroupedDataset
from .injection import Canvas, group_names, move, prepare
from .injection_options import check_number, numbers, resolve

_INFO = {
    "dataset": str,
    "br?": float,
    "seed?": int,
    "gap?": (int, None),
    "offset?": float,
    "proportions?": ([float], None),
}
_OURS = ("name", "root", "download")  # arguments of `load` that a file must not set
_LONGEST = 400  # characters of one argument
_GAP_BR = 0.8  # COBRA's SKEW in the experiments with GAP


def catalogue() -> list[DatasetInfo]:
    """Return the data sets that `load` knows.

    Returns
    -------
    list of DatasetInfo
        With name, title, classes, groups, shape, default_br, needs and ``on_disk(root)``.

    Examples
    --------
    >>> [(entry.name, entry.needs) for entry in catalogue()][1:3]
    [('digits-bg', ''), ('cmnist-fg', 'MNIST')]
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
        Bias ratio: the share of a class that shows its majority group, from 1/A to 1. By default
        0.9 (0.75 for the digits; 0.8, COBRA's SKEW, with ``gap``).
    seed : int
        Determines the groups (and the split of the digits, and the noise of GAP).
    root : path-like
        The folder with the raw data, laid out as torchvision does.
    gap : int, optional
        COBRA's GAP level, 0 to 4, in place of the set's own groups: the two groups are then the
        image as it is (in colour, or in the first colour) and the image altered by `bias.gap`.
    offset : float
        Gamma of `bias.semantic_offset`, applied last.
    proportions : sequence of float, optional
        Relative sizes of the minority groups, in ascending order of group; by default equal.
    download : bool
        Download what is missing under ``root``, through torchvision.
    **options
        ``official_wrap`` (cfmnist-bg only): FairDD's wrapped background, see
        `bias.colour_background`. With ``gap``: ``gap_sigma``, ``gap_line``, ``gap_width``. With
        ``offset``: ``offset_scale``.

    Returns
    -------
    train, test : GroupedDataset
        The test set has BR 1/A; for CIFAR10-S and with ``gap`` it has every image in every group
        instead, group by group.

    Raises
    ------
    FddkitError
        If a name or option is unknown, a value is outside its range, or data is missing or
        corrupt.

    See Also
    --------
    catalogue : The data sets.
    reload : Load a set again from its ``info``.
    fddkit.GroupedDataset.from_arrays : Use your own images.

    References
    ----------
    `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> train.counts()[0].tolist()  # images of the digit 0, by colour
    [100, 4, 4, 4, 3, 3, 4, 4, 4, 4]
    >>> test.counts()[0].tolist()
    [4, 4, 4, 5, 4, 4, 4, 5, 5, 5]
    """
    entry = _entry(name)
    if br is None:
        br = entry.default_br if gap is None else _GAP_BR
    check_number("br", br, Real)
    arguments = _arguments(entry, seed, gap, offset, proportions, options)
    bias.group_counts(0, br, len(group_names(entry, gap)), arguments["proportions"])
    if download and not entry.on_disk(root):
        entry.source.download(root)
    _require(entry, root)
    train, test = (
        prepare(entry, split, entry.originals(root, split, arguments["seed"]), arguments)
        for split in ("train", "test")
    )
    br = float(br)
    return train.at(br), test.balanced(entry.paired or gap is not None, br)


class Originals:
    """The originals of a training set, read once and painted with one bias after another.

    Parameters
    ----------
    name : str
        One of `catalogue`.
    seed : int
        As in `load`.
    root : path-like
        The folder with the raw data.

    Raises
    ------
    FddkitError
        If the name is unknown, or data is missing or corrupt.
    """

    def __init__(self, name: str, seed: int = 0, root: str | Path = "data"):
        check_number("seed", seed, Integral)
        self.entry, self.seed = _entry(name), int(seed)
        _require(self.entry, root)
        self._read = self.entry.originals(root, "train", self.seed)

    def canvas(self, gap: int | None = None, offset: float = 0.0, **options: Any) -> Canvas:
        """Return the `Canvas` from which `load` paints its training set.

        Parameters
        ----------
        gap : int, optional
            As in `load`.
        offset : float
            As in `load`.
        **options
            As in `load`.

        Returns
        -------
        Canvas

        Raises
        ------
        FddkitError
            If an option is unknown or a value is outside its range.
        """
        arguments = _arguments(self.entry, self.seed, gap, offset, None, options)
        return prepare(self.entry, "train", self._read, arguments)


def _arguments(
    entry: DatasetInfo,
    seed: int,
    gap: int | None,
    offset: float,
    proportions: Sequence[float] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Check all arguments but the bias ratio before reading any file; return them for JSON."""
    check_number("seed", seed, Integral)
    check_number("offset", offset, Real)
    if gap is not None:
        check_number("gap", gap, Integral)
        gap = int(gap)
    if proportions is not None:
        proportions = numbers("proportions", proportions, float)
    arguments = {
        "seed": int(seed),
        "gap": gap,
        "offset": float(offset),
        "proportions": proportions,
        **resolve(options, entry, gap, offset),
    }
    blank, ones = torch.zeros(1, *entry.shape, dtype=torch.uint8), torch.ones(1, dtype=torch.int64)
    move(blank, ones, ones, 0, arguments)
    return arguments


def reload(
    info: Mapping[str, Any], root: str | Path = "data"
) -> tuple[GroupedDataset, GroupedDataset]:
    """Load the data set that an ``info`` describes, identical to the original.

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
        If ``info`` is empty (own arrays, a subset) or invalid, or as in `load`.

    Examples
    --------
    >>> train, _ = load("digits", br=0.9, seed=1)
    >>> again, _ = reload(train.info)
    >>> again.fingerprint() == train.fingerprint()
    True
    """
    if "dataset" not in info:
        raise FddkitError(
            "this set was not loaded by name (own arrays, or a part of a set), so it cannot be "
            "loaded again; pass the GroupedDataset itself"
        )
    arguments = {key: value for key, value in info.items() if key not in ("dataset", "split")}
    try:
        conform(dict(info), _INFO, "it")
        for name, value in info.items():
            if name in _OURS or len(name) > _LONGEST or len(repr(value)) > _LONGEST:
                raise ValueError(f"{clip(name, 40)} is not an argument of a data set")
            if isinstance(value, int) and abs(value) >= 2**63:
                raise ValueError(f"its {clip(name, 40)} is too large")
    except ValueError as error:
        raise FddkitError(
            f"the set's description of its data cannot be loaded ({clip(error)}); "
            "pass the GroupedDataset itself"
        ) from error
    return load(info["dataset"], root=root, **arguments)


def download(name: str, root: str | Path = "data") -> None:
    """Download the raw data of a data set unless it is already there, with a progress bar.

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
