"""The originals: gray or colour images with a class, before any group is painted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ..core.errors import FddkitError
from ..core.rng import generator
from .torchvision_import import torchvision

_IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch", "batches.meta")


@dataclass(frozen=True)
class Source:
    """Raw files on disk, laid out as torchvision downloads them.

    Attributes
    ----------
    title : str
        The usual name.
    reader : str
        The class in ``torchvision.datasets``.
    folder : str
        Where the files are, below the root.
    files : tuple of str
        Their names.
    classes : int
        Labels are below this number.
    counts : mapping of str to int
        Split -> the images that are published.
    counted_by : str
        Who publishes that.
    """

    title: str
    reader: str
    folder: str
    files: tuple[str, ...]
    classes: int = 10
    counts: Mapping[str, int] = field(default_factory=dict)
    counted_by: str = "its owners"

    def paths(self, root: str | Path) -> list[Path]:
        """Return where each file should be."""
        return [Path(root, self.folder, file) for file in self.files]

    def trees(self, root: str | Path) -> list[Path]:
        """Return where each folder of images should be."""
        return []

    def missing(self, root: str | Path) -> list[Path]:
        """Return the files that are not there."""
        return [path for path in self.paths(root) if not path.is_file()]

    def obtain(self, name: str, root: str | Path) -> str:
        """Return what to do if something is missing, in words."""
        return f"get it with `fddkit datasets --download {name} --root {root}`"

    def download(self, root: str | Path) -> None:
        """Download what is missing, through torchvision, with a progress bar.

        Parameters
        ----------
        root : path-like
            The data folder.

        Raises
        ------
        FddkitError
            If there is no network, no space or no permission.
        """
        reader = getattr(torchvision().datasets, self.reader)
        try:
            reader(root, download=True)
        except Exception as error:  # network, disk or archive: many types
            raise FddkitError(
                f"cannot download {self.title} into {Path(root).resolve()} ({_reason(error)}); "
                "check the network and the free space there, then try again"
            ) from error

    def read(self, root: str | Path, split: str) -> tuple[Any, Tensor]:
        """Read one split.

        Parameters
        ----------
        root : path-like
            The data folder.
        split : str
            ``"train"`` or ``"test"``.

        Returns
        -------
        images : array or Tensor
            uint8, as torchvision stores them.
        target : Tensor
            int64 [N].

        Raises
        ------
        FddkitError
            If a file is truncated or corrupt.
        """
        reader = getattr(torchvision().datasets, self.reader)
        try:
            data = reader(root, train=split == "train")
            images, target = data.data, torch.as_tensor(data.targets)
            if len(images) != len(target) or target.min() < 0 or target.max() >= self.classes:
                raise ValueError(f"{len(images)} images, {len(target)} labels")
        except Exception as error:  # a parser may raise anything on corrupt bytes
            folder = Path(root, self.folder).resolve()
            raise FddkitError(
                f"a file of {self.title} in {folder} is truncated or corrupt ({_reason(error)}); "
                "delete that folder and download it again"
            ) from error
        return images, target


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


_SIXTY, _FIFTY = {"train": 60_000, "test": 10_000}, {"train": 50_000, "test": 10_000}
MNIST = Source("MNIST", "MNIST", "MNIST/raw", _IDX, counts=_SIXTY)
FASHION = Source("Fashion-MNIST", "FashionMNIST", "FashionMNIST/raw", _IDX, counts=_SIXTY)
CIFAR10 = Source("CIFAR-10", "CIFAR10", "cifar-10-batches-py", _BATCHES, counts=_FIFTY)
CIFAR100 = Source(
    "CIFAR-100",
    "CIFAR100",
    "cifar-100-python",
    ("train", "test", "meta"),
    classes=100,
    counts=_FIFTY,
)


def mnist(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Read MNIST, padded from 28 x 28 to 32 x 32: four zeros at the top and left only.

    Parameters
    ----------
    root : path-like
        The data folder.
    split : str
        ``"train"`` or ``"test"``.
    seed : int
        Not used: the published split is fixed.

    Returns
    -------
    images : Tensor
        uint8 [N, 32, 32].
    target : Tensor
        int64 [N].
    """
    images, target = MNIST.read(root, split)
    return pad(images, (4, 0, 4, 0)), target


def mnist_unpadded(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Read MNIST as it is: uint8 [N, 28, 28]; arguments as in `mnist`."""
    return MNIST.read(root, split)


def fashion(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Read Fashion-MNIST, padded like `mnist`, with the same arguments and result."""
    images, target = FASHION.read(root, split)
    return pad(images, (4, 0, 4, 0)), target


def cifar10(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Read CIFAR-10: uint8 [N, 3, 32, 32]; arguments as in `mnist`."""
    return _colour(CIFAR10, root, split)


def cifar100(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Read CIFAR-100 with its 100 fine classes: uint8 [N, 3, 32, 32]; arguments as in `mnist`."""
    return _colour(CIFAR100, root, split)


def _colour(source: Source, root: str | Path, split: str) -> tuple[Tensor, Tensor]:
    images, target = source.read(root, split)
    return torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2))), target


def digits(root: str | Path, split: str, seed: int) -> tuple[Tensor, Tensor]:
    """Return scikit-learn's 1,797 handwritten digits, enlarged, split within each class.

    Parameters
    ----------
    root : path-like
        Not used: they come with scikit-learn.
    split : str
        ``"train"`` (three quarters of each class, rounded) or ``"test"`` (the rest).
    seed : int
        Names the split.

    Returns
    -------
    images : Tensor
        uint8 [N, 16, 16]: the 8 x 8 images times 255 / 16, bilinearly enlarged.
    target : Tensor
        int64 [N].

    Raises
    ------
    FddkitError
        If scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise FddkitError(
            f"the digits come with scikit-learn, which cannot be imported ({error}); "
            "run `pip install scikit-learn`"
        ) from error
    data = load_digits()
    small = torch.tensor(data.images, dtype=torch.float32)[:, None] * (255 / 16)
    images = interpolate(small, size=16, mode="bilinear", align_corners=False)
    images = images.round().to(torch.uint8)[:, 0]
    target = torch.tensor(data.target, dtype=torch.int64)
    chosen = []
    for y in range(10):
        rows = torch.where(target == y)[0]
        rows = rows[torch.randperm(len(rows), generator=generator(seed, "split", y))]
        n_train = round(0.75 * len(rows))
        chosen.append(rows[:n_train] if split == "train" else rows[n_train:])
    rows = torch.cat(chosen).sort().values
    return images[rows], target[rows]
