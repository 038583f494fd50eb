"""Loading: a set by name or file, with its bias, as a training set and a test set."""

from collections.abc import Mapping, Sequence
from numbers import Integral
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.reading import clip, conform
from .catalogue import CATALOGUE, entry_of
from .grouped import GroupedDataset
from .injection import Canvas
from .injection_options import check_number
from .label_changes import changed, check_changes
from .listed import Listed
from .natural_sets import NaturalCanvas

_INFO = {
    "dataset": str,
    "br?": (float, None),
    "seed?": int,
    "gap?": (int, None),
    "offset?": float,
    "proportions?": ([float], None),
    "per_cell?": (int, None),
    "majority?": {str: str},
    "sha256?": str,
}
_OURS = ("name", "root", "download")  # arguments of `load` that a file must not set
_LONGEST = 400  # characters of one argument
_LONGEST_MAJORITY = 10**6  # which names every class


def catalogue() -> list[Listed]:
    """Return the data sets that `load` knows.

    Returns
    -------
    list of DatasetInfo or NaturalInfo
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
    proportions: Sequence[float] | str | None = None,
    download: bool = False,
    group_labels: Sequence[Mapping[str, Any]] = (),
    **options: Any,
) -> tuple[GroupedDataset, GroupedDataset]:
    """Load a data set with its bias: a skewed training set and a balanced test set.

    Parameters
    ----------
    name : str
        One of `catalogue`, for example ``"digits"``, which needs no download; or the path of your
        own data, a ``.fdd`` (`GroupedDataset.save`) or ``.toml``, which is also sought in ``root``.
    br : float, optional
        Bias ratio: the share of a class that shows its majority group, from 1/A to 1. By default
        0.9 (0.75 for the digits; 0.8, COBRA's SKEW, with ``gap``). Natural groups are thinned
        (`GroupedDataset.biased`), and by default are left as they are.
    seed : int
        Determines the groups (and the split of the digits, and the noise of GAP).
    root : path-like
        The folder with the raw data, as their owners distribute them.
    gap : int, optional
        COBRA's GAP level, 0 to 4, in place of the set's own groups: the two groups are then the
        image as it is (in colour, or in the first colour) and the image altered by `bias.gap`.
    offset : float
        Gamma of `bias.semantic_offset`, applied last.
    proportions : sequence of float or str, optional
        Relative sizes of the minority groups, in ascending order of group; by default equal, and
        1, 2, ..., A - 1 for ``"unbalanced"`` (ours, after FairDD, appendix I).
    download : bool
        Download what is missing under ``root``, through torchvision.
    group_labels : sequence of mapping
        Changes of the training set's group labels, see `fddkit.data.label_changes`.
    **options
        Those of the entry, see ``fddkit datasets --how NAME``: ``severity`` of corruptions,
        ``scenes``, ``target``, ``group`` and ``size`` of faces, or ``official_wrap``, FairDD's
        wrapped background (`bias.colour_background`). With ``gap``: ``gap_sigma``, ``gap_line``,
        ``gap_width``. With ``offset``: ``offset_scale``. With natural groups: ``per_cell``, the
        test images of each class and group where there is no test split (60); ``majority``, see
        `GroupedDataset.biased`; ``sha256``, which the file must have.

    Returns
    -------
    train, test : GroupedDataset
        The test set has BR 1/A; for CIFAR10-S and with ``gap`` it has every image in every group
        instead, group by group. Natural groups: the test split, or `GroupedDataset.split`.

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
    check_number("seed", seed, Integral)
    entry = entry_of(name, root)
    arguments = entry.arguments(br, seed, gap, offset, proportions, options)
    changes = check_changes(group_labels)
    if download and not entry.on_disk(root):
        entry.source.download(root)
    _require(entry, root)
    train, test = entry.load(root, arguments)
    return changed(train, changes), test


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
        self.entry, self.seed = entry_of(name, root), int(seed)
        _require(self.entry, root)
        self._read = self.entry.read(root, "train", self.seed)

    def canvas(
        self, gap: int | None = None, offset: float = 0.0, **options: Any
    ) -> Canvas | NaturalCanvas:
        """Return the `Canvas` from which `load` paints its training set, or its natural like.

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
        Canvas or NaturalCanvas

        Raises
        ------
        FddkitError
            If an option is unknown or a value is outside its range.
        """
        arguments = self.entry.arguments(None, self.seed, gap, offset, None, options)
        return self.entry.canvas(self._read, "train", arguments)


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
            longest = _LONGEST if name != "majority" else _LONGEST_MAJORITY
            if name in _OURS or len(name) > _LONGEST or len(repr(value)) > longest:
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
    entry = entry_of(name, root)
    if not entry.on_disk(root):
        entry.source.download(root)


def _require(entry: Listed, root: str | Path) -> None:
    free = ", ".join(other.name for other in catalogue() if not other.source)
    entry.require(root, f", or use a set that needs no download: {free}")
