"""The catalogue: each data set is one entry, its originals and the bias injected into them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.entries import Table
from ..core.errors import FddkitError
from ..painting import bias
from . import class_names, file_sets, injection, paper_sets, real_sets, sources
from .grouped import GroupedDataset
from .listed import Listed
from .sources import Source
from .traits import CLOTHES, DIGITS, PHOTOGRAPHS, Traits


@dataclass(frozen=True)
class DatasetInfo(Listed):
    """One entry of the catalogue, whose groups are painted.

    Attributes
    ----------
    name, title : str
        The name that `fddkit.load` takes, and a short description.
    target_names, group_names : tuple of str
        Names of the classes and groups.
    shape : tuple of int
        (C, H, W) of an image.
    source : Source or None
        The raw files it needs; None if there is nothing to download.
    originals : callable
        ``originals(root, split, seed) -> images, target``, from `sources`.
    inject : callable
        ``inject(originals, group, **options) -> uint8 images [N, C, H, W]``; with ``drawn`` also
        ``index=`` (int64 [N], which original) and ``seed=``.
    mean, std : tuple of float
        Per-channel normalisation, in units where pixels go from 0 to 1.
    default_br : float
        Bias ratio that `fddkit.load` uses by default.
    plain : int
        The group whose appearance GAP starts from.
    even : bool
        Whether equal minorities differ by at most one image (`bias.group_counts`).
    paired : bool
        Whether the test set has every image in every group, rather than each in one.
    options : dict
        The options of ``inject``, with defaults.
    choices : dict
        Option -> the values that it may have; others may have any of their type.
    named : callable, optional
        ``named(**options) -> names of the groups``, where they depend on options.
    drawn : bool
        Whether ``inject`` draws something at random for each image.
    traits : Traits
        Facts about the images.

    Examples
    --------
    >>> entry = CATALOGUE["digits"]
    >>> entry.classes, entry.groups, entry.shape, entry.on_disk()
    (10, 10, (3, 16, 16), True)
    """

    name: str
    title: str
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    shape: tuple[int, int, int]
    source: Source | None
    originals: Callable[[str | Path, str, int], tuple[Tensor, Tensor]]
    inject: Callable[..., Tensor]
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    default_br: float = 0.9
    plain: int = 0
    even: bool = False
    paired: bool = False
    options: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, tuple] = field(default_factory=dict)
    named: Callable[..., tuple[str, ...]] | None = None
    drawn: bool = False
    traits: Traits = PHOTOGRAPHS

    def arguments(
        self,
        br: float | None,
        seed: int,
        gap: int | None,
        offset: float,
        proportions: Sequence[float] | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        """Check the arguments of `fddkit.load`, see `fddkit.data.injection.arguments`."""
        return injection.arguments(self, br, seed, gap, offset, proportions, options)

    def read(self, root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
        """Return originals and their classes."""
        return self.originals(root, split, seed)

    def canvas(
        self, read: tuple[Tensor, Tensor], split: str, arguments: dict[str, Any]
    ) -> injection.Canvas:
        """Return what paints one split at any bias ratio."""
        return injection.prepare(self, split, read, arguments)

    def load(
        self, root: str | Path, arguments: dict[str, Any]
    ) -> tuple[GroupedDataset, GroupedDataset]:
        """Return the training set and the balanced test set, painted."""
        train, test = (
            self.canvas(self.read(root, split, arguments["seed"]), split, arguments)
            for split in ("train", "test")
        )
        paired = self.paired or arguments["gap"] is not None
        return train.at(arguments["br"]), test.balanced(paired, arguments["br"])


def _foreground(gray: Tensor, group: Tensor, threshold: int | None = None) -> Tensor:
    return bias.colour_foreground(gray, bias.PALETTE[group], threshold)


def _background(
    gray: Tensor, group: Tensor, threshold: int | None = None, official_wrap: bool = False
) -> Tensor:
    return bias.colour_background(gray, bias.PALETTE[group], threshold, wrap=official_wrap)


COLOURS = ("red", "orange", "yellow", "light yellow", "green")
COLOURS += ("cyan", "blue", "violet", "magenta", "white")

_digits = partial(
    DatasetInfo,
    target_names=class_names.DIGITS,
    group_names=COLOURS,
    shape=(3, 16, 16),
    source=None,
    originals=sources.digits,
    default_br=0.75,
    even=True,
    traits=DIGITS,
)
_mnist = partial(
    DatasetInfo,
    target_names=class_names.DIGITS,
    group_names=COLOURS,
    shape=(3, 32, 32),
    source=sources.MNIST,
    originals=sources.mnist,
    traits=DIGITS,
)
_fashion = partial(
    DatasetInfo,
    target_names=class_names.CLOTHES,
    group_names=COLOURS,
    shape=(3, 32, 32),
    source=sources.FASHION,
    originals=sources.fashion,
    traits=CLOTHES,
)
_cifar10 = partial(
    DatasetInfo,
    target_names=class_names.OBJECTS,
    shape=(3, 32, 32),
    source=sources.CIFAR10,
    originals=sources.cifar10,
    mean=(0.48905, 0.48451, 0.46715),
    std=(0.24278, 0.24082, 0.25098),
)

# as in `docs/methods.md`, "Data sets": only C-MNIST is binarised
_ENTRIES = (
    _digits("digits", "scikit-learn's digits, coloured", inject=_foreground),
    _digits("digits-bg", "scikit-learn's digits, black on colour", inject=_background),
    _mnist("cmnist-fg", "C-MNIST, coloured digits", inject=partial(_foreground, threshold=128)),
    _mnist("cmnist-bg", "C-MNIST, black on colour", inject=partial(_background, threshold=128)),
    _fashion("cfmnist-fg", "C-FMNIST, coloured clothes", inject=_foreground),
    _fashion(
        "cfmnist-bg",
        "C-FMNIST, black on colour",
        inject=_background,
        options={"official_wrap": False},
    ),
    _cifar10(
        "cifar10-s",
        "CIFAR10-S, gray or in colour",
        group_names=("gray", "colour"),
        inject=bias.gray_or_colour,
        plain=1,
        paired=True,
    ),
    *(DatasetInfo(**facts) for facts in paper_sets.FACTS),
    *real_sets.ENTRIES,
)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, Listed)


def _adopt(name: str, entry: Listed) -> Listed:
    """Give a data set that is being registered its name, and check it."""
    channels, height, width = entry.shape
    if not entry.natural and not len(entry.mean) == len(entry.std) == channels:
        raise FddkitError(
            f"the data set {name!r} has {channels} channels; give mean and std for each"
        )
    if min(entry.classes, entry.groups, height, width) < 1:
        raise FddkitError(
            f"the data set {name!r} has no class, no group or no pixel; give at least one"
        )
    return replace(entry, name=name)


def _file(name: object) -> Listed | None:
    """Return the entry of a file, whose path is valid wherever a name is."""
    return file_sets.entry(name) if file_sets.is_path(name) else None


#: Name -> entry, in the order in which they are listed; also path -> entry of a file.
CATALOGUE: Table[Listed] = Table(
    "data set", _is_entry, {entry.name: entry for entry in _ENTRIES}, _adopt, _file
)


def entry_of(name: str, root: str | Path = "data", here: str | Path = "") -> Listed:
    """Return the entry of a name or path.

    Parameters
    ----------
    name : str
        A name of `CATALOGUE`, or the path of a ``.fdd`` or ``.toml`` file.
    root : path-like
        Where a file is sought that is not at its path.
    here : path-like
        What relative paths are relative to.

    Returns
    -------
    Listed

    Raises
    ------
    FddkitError
        If there is no such name or file.
    """
    return file_sets.entry(name, root, here) if file_sets.is_path(name) else CATALOGUE[name]
