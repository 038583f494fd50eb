"""The labelled images that everything works on: each has a class and a group."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.files import digest
from . import grouped_kind, natural
from .traits import PHOTOGRAPHS, Traits
from .units import Units
from .validation import check_images, check_labels, check_name, check_names, check_per_channel
from .whitening import Whitening


@dataclass(frozen=True, eq=False, repr=False)
class GroupedDataset:
    """Images with a target attribute (the class) and a protected attribute (the group).

    `fddkit.load` makes one from the catalogue, `from_arrays` from your own images.

    Attributes
    ----------
    images : Tensor
        uint8 [N, C, H, W].
    target, group : Tensor
        int64 [N], the class and the group of each image; group -1 is unknown.
    name : str
        What to call it.
    target_names, group_names : tuple of str
        Names of the C classes and the A groups.
    mean, std : tuple of float
        Per-channel normalisation, in units where pixels go from 0 to 1.
    info : dict
        The arguments from which `fddkit.data.loading.reload` rebuilds the set; empty if it cannot
        (own arrays, subsets).
    index : Tensor, optional
        int64 [N], which original each image shows. None: nothing was painted.
    paint : callable, optional
        ``paint(index, group) -> uint8 images`` paints originals as members of groups, on the CPU.
        None: the groups are natural.
    whitening : Whitening, optional
        Applied after the normalisation, see `fddkit.data.whitening`.
    traits : Traits
        Facts about the images, see `fddkit.data.traits`.
    source : dict
        Where the images come from and what was done to them, as JSON; it does not count in
        `fingerprint`.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> train
    <GroupedDataset digits train: 1,347 images 3x16x16, 10 classes, 10 groups>
    >>> train.subset(train.target == 0).counts()[0].tolist()
    [100, 4, 4, 4, 3, 3, 4, 4, 4, 4]
    """

    images: Tensor
    target: Tensor
    group: Tensor
    name: str
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    info: dict[str, Any] = field(default_factory=dict)
    index: Tensor | None = None
    paint: Callable[[Tensor, Tensor], Tensor] | None = None
    whitening: Whitening | None = None
    traits: Traits = PHOTOGRAPHS
    source: dict[str, Any] = field(default_factory=dict)

    save, split, biased = grouped_kind.save, natural.split, natural.biased

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray | Tensor,
        target: np.ndarray | Tensor | Sequence[int],
        group: np.ndarray | Tensor | Sequence[int],
        name: str = "arrays",
        target_names: Sequence[str] | None = None,
        group_names: Sequence[str] | None = None,
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        traits: Traits | None = None,
    ) -> "GroupedDataset":
        """Check your own arrays and make a data set from a copy of them.

        Parameters
        ----------
        images : array or Tensor
            uint8 [N, C, H, W].
        target, group : array, Tensor or sequence of int
            [N], numbered from 0.
        name : str
            What to call it.
        target_names, group_names : sequence of str, optional
            By default the numbers in order, and every number up to the largest must occur; if
            given, a class or group may be empty (as in a test set that lacks one).
        mean, std : sequence of float, optional
            One value per channel, in units where pixels go from 0 to 1; by default 0.5.
        traits : Traits, optional
            Whether mirrored images keep their class, and so on; by default those of photographs.

        Returns
        -------
        GroupedDataset

        Raises
        ------
        FddkitError
            If something does not fit: the message says what, and what to do.

        Examples
        --------
        >>> images = np.zeros((4, 1, 8, 8), dtype=np.uint8)
        >>> GroupedDataset.from_arrays(images, target=[0, 0, 1, 1], group=[0, 1, 0, 1])
        <GroupedDataset arrays: 4 images 1x8x8, 2 classes, 2 groups>
        """
        images = check_images(images, check_name(name))
        target = check_labels(target, len(images), name, "target")
        group = check_labels(group, len(images), name, "group")
        channels = images.shape[1]
        return cls(
            images=images,
            target=target,
            group=group,
            name=name,
            target_names=check_names(target_names, target, name, "target"),
            group_names=check_names(group_names, group, name, "group"),
            mean=check_per_channel(mean, channels, name, "mean"),
            std=check_per_channel(std, channels, name, "std"),
            traits=traits or PHOTOGRAPHS,
        )

    def __len__(self) -> int:
        return len(self.images)

    def __repr__(self) -> str:
        channels, height, width = self.shape
        split = f" {self.info['split']}" if "split" in self.info else ""
        images = f"{len(self):,} images {channels}x{height}x{width}"
        cells = f"{self.n_classes} classes, {self.n_groups} groups"
        return f"<GroupedDataset {self.name}{split}: {images}, {cells}>"

    @property
    def n_classes(self) -> int:
        """Number of classes."""
        return len(self.target_names)

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return len(self.group_names)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one image."""
        return tuple(self.images.shape[1:])

    @property
    def units(self) -> Units:
        """The units of the normalised images."""
        return Units(tuple(self.mean), tuple(self.std), self.whitening)

    def counts(self) -> Tensor:
        """Return the number of images of each class and known group, int64 [C, A]."""
        cell = (self.target * self.n_groups + self.group)[self.group >= 0]
        return cell.bincount(minlength=self.n_classes * self.n_groups).view(self.n_classes, -1)

    def normalise(self, images: Tensor) -> Tensor:
        """Return images as a network takes them, see `Units.normalise`.

        Parameters
        ----------
        images : Tensor
            uint8 [M, C, H, W], or int64 [M], positions of images in this set.

        Returns
        -------
        Tensor
            float32 [M, C, H, W].
        """
        if images.ndim == 1:
            images = self.images[images]
        return self.units.normalise(images)

    def seen(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return what networks train on: images, classes and groups."""
        return self.images, self.target, self.group

    def to(self, device: str | torch.device) -> "GroupedDataset":
        """Return the data set with its tensors on a device (itself if they are already there).

        Parameters
        ----------
        device : str or torch.device
            For example ``"cuda"``.
        """
        moved = self.images.to(device)
        if moved is self.images:
            return self
        index = self.index if self.index is None else self.index.to(device)
        return replace(
            self,
            images=moved,
            target=self.target.to(device),
            group=self.group.to(device),
            index=index,
        )

    def subset(self, index: Tensor) -> "GroupedDataset":
        """Return the data set of some of the images, with an empty `info`.

        Parameters
        ----------
        index : Tensor
            int64 [M], the positions of the images, in the order wanted.
        """
        index = torch.as_tensor(index, device=self.images.device)
        return replace(
            self,
            images=self.images[index],
            target=self.target[index],
            group=self.group[index],
            info={},
            index=self.index if self.index is None else self.index[index],
        )

    def counterfactual(self, limit: int | None = None) -> "GroupedDataset | None":
        """Paint every original as a member of every group.

        All groups of a class then show the same originals, so that differences between groups
        are paired and every group is as large as the class.

        Parameters
        ----------
        limit : int, optional
            Use only the first so many originals of each class; by default all.

        Returns
        -------
        GroupedDataset or None
            Original by original: image 0 in groups 0 to A-1, then image 1 and so on. None if the
            groups are natural, so that an image cannot change its group.

        Examples
        --------
        >>> import fddkit as fdd
        >>> fdd.load("digits")[1].counterfactual(limit=2).counts()[0].tolist()
        [2, 2, 2, 2, 2, 2, 2, 2, 2, 2]
        """
        if self.paint is None:
            return None
        target, index = self.target.cpu(), self.index.cpu()
        first = np.sort(np.unique(index.numpy(), return_index=True)[1])  # each original once
        first = torch.from_numpy(first)
        if limit is not None:
            if limit < 1:
                raise FddkitError(f"limit={limit} leaves no image; give at least 1 per class")
            rank = torch.zeros(len(first), dtype=torch.int64)
            for y in range(self.n_classes):
                rank[target[first] == y] = torch.arange(int((target[first] == y).sum()))
            first = first[rank < limit]
        originals = index[first].repeat_interleave(self.n_groups)
        group = torch.arange(self.n_groups).repeat(len(first))
        device = self.images.device
        return replace(
            self,
            images=self.paint(originals, group).to(device),
            target=target[first].repeat_interleave(self.n_groups).to(device),
            group=group.to(device),
            info={},
            index=originals.to(device),
        )

    def fingerprint(self) -> str:
        """Return the sha256 of images, labels and names: equal for equal data, however made.

        Returns
        -------
        str
            64 hexadecimal digits.
        """
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        names = json.dumps([self.shape, self.target_names, self.group_names])
        tensors = (self.images, self.target, self.group)
        return digest(names, *(t.cpu().contiguous().numpy().data for t in tensors))
