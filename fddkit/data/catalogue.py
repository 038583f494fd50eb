"""The catalogue: each data set is one entry, its originals and the bias injected into them."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import Tensor

from ..core.entries import Table
from ..core.errors import FddkitError
from . import bias, sources
from .sources import Source
from .traits import CLOTHES, DIGITS, PHOTOGRAPHS, Traits


@dataclass(frozen=True)
class DatasetInfo:
    """One entry of the catalogue.

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
        ``inject(originals, group, **options) -> uint8 images [N, C, H, W]``.
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
    traits: Traits = PHOTOGRAPHS

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.target_names)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.group_names)

    @property
    def needs(self) -> str:
        """What must be on disk, in words; empty if nothing is needed."""
        return self.source.title if self.source else ""

    def files(self, root: str | Path = "data") -> list[Path]:
        """Return the paths of the raw files that it reads."""
        return self.source.paths(root) if self.source else []

    def on_disk(self, root: str | Path = "data") -> bool:
        """Return whether all its raw files exist."""
        return all(path.is_file() for path in self.files(root))


def _foreground(gray: Tensor, group: Tensor, threshold: int | None = None) -> Tensor:
    return bias.colour_foreground(gray, bias.PALETTE[group], threshold)


def _background(
    gray: Tensor, group: Tensor, threshold: int | None = None, official_wrap: bool = False
) -> Tensor:
    return bias.colour_background(gray, bias.PALETTE[group], threshold, wrap=official_wrap)


def _gray_or_colour(images: Tensor, group: Tensor) -> Tensor:
    images, gray = images.clone(), group == 0
    images[gray] = bias.grayscale(images[gray])
    return images


_DIGITS = tuple("0123456789")
_CLOTHES = ("T-shirt/top", "trouser", "pullover", "dress", "coat")
_CLOTHES += ("sandal", "shirt", "sneaker", "bag", "ankle boot")
_OBJECTS = ("airplane", "automobile", "bird", "cat", "deer")
_OBJECTS += ("dog", "frog", "horse", "ship", "truck")
COLOURS = ("red", "orange", "yellow", "light yellow", "green")
COLOURS += ("cyan", "blue", "violet", "magenta", "white")

_digits = partial(
    DatasetInfo,
    target_names=_DIGITS,
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
    target_names=_DIGITS,
    group_names=COLOURS,
    shape=(3, 32, 32),
    source=sources.MNIST,
    originals=sources.mnist,
    traits=DIGITS,
)
_fashion = partial(
    DatasetInfo,
    target_names=_CLOTHES,
    group_names=COLOURS,
    shape=(3, 32, 32),
    source=sources.FASHION,
    originals=sources.fashion,
    traits=CLOTHES,
)
_cifar10 = partial(
    DatasetInfo,
    target_names=_OBJECTS,
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
        inject=_gray_or_colour,
        plain=1,
        paired=True,
    ),
)


def _is_entry(entry: object) -> bool:
    return isinstance(entry, DatasetInfo)


def _adopt(name: str, entry: DatasetInfo) -> DatasetInfo:
    """Give a data set that is being registered its name, and check it."""
    channels, height, width = entry.shape
    if len(entry.mean) != channels or len(entry.std) != channels:
        raise FddkitError(
            f"the data set {name!r} has {channels} channels; give mean and std for each"
        )
    if min(entry.classes, entry.groups, height, width) < 1:
        raise FddkitError(
            f"the data set {name!r} has no class, no group or no pixel; give at least one"
        )
    return replace(entry, name=name)


#: Name -> entry, in the order in which they are listed.
CATALOGUE: Table[DatasetInfo] = Table(
    "data set", _is_entry, {entry.name: entry for entry in _ENTRIES}, _adopt
)
