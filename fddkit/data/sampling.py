"""Sampling: the images of each class and group, and which of them a distillation step sees."""

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from .grouped import GroupedDataset

SAMPLING = ("class", "group")
GROUP_BATCH = ("share", "whole")


def classes(data: "GroupedDataset") -> list[Tensor]:
    """Return which images each class has.

    Parameters
    ----------
    data : GroupedDataset
        The real set.

    Returns
    -------
    list of Tensor
        For each class, int64 on the CPU: the rows in ascending order.
    """
    return _rows(data.target.cpu(), data.n_classes)


def cells(data: "GroupedDataset") -> list[list[Tensor]]:
    """Return which images each class and group has.

    Parameters
    ----------
    data : GroupedDataset
        The real set.

    Returns
    -------
    list of list of Tensor
        For each class and each group, int64 on the CPU: the rows in ascending order, none where
        the class has no image of the group. Images whose group is unknown are in none.
    """
    group, n = data.group.cpu(), data.n_groups
    cell = torch.where(group < 0, -1, data.target.cpu() * n + group)
    pools = _rows(cell, data.n_classes * n)
    return [pools[y * n : (y + 1) * n] for y in range(data.n_classes)]


def _rows(number: Tensor, n: int) -> list[Tensor]:
    """Return the rows that have each number from 0 to n - 1."""
    known = number >= 0
    order = number.argsort(stable=True)[len(number) - int(known.sum()) :]
    return list(order.split(number[known].bincount(minlength=n).tolist()))


class Batch(NamedTuple):
    """The real images of one step, all classes at once, sorted by class and group.

    Attributes
    ----------
    index : Tensor
        int64 [N] on the CPU, the positions of the images in the set.
    cell : Tensor
        int64 [N] on the CPU, ``class * n_groups + group`` of each; non-decreasing.
    counts : Tensor
        int64 [classes, groups], the number of images in each cell.
    frequency : Tensor
        float64 [classes, groups], how often a group occurs in its class: in the batch under
        ``class`` sampling (so the vanilla target is the mean over the batch, as published), in
        the whole set under ``group`` sampling (where the batch no longer shows it).
    log_weights : Tensor or None
        float64 [N], the log weights of the ``kde`` rule; None under other rules.
    """

    index: Tensor
    cell: Tensor
    counts: Tensor
    frequency: Tensor
    log_weights: Tensor | None = None

    @property
    def target(self) -> Tensor:
        """The class of each image, int64 [N]."""
        return self.cell // self.counts.shape[1]

    def part(self, classes: slice) -> "Batch":
        """Return the images of some consecutive classes; the first of them becomes class 0."""
        sizes = self.counts.sum(1)
        start = int(sizes[: classes.start].sum())
        rows = slice(start, start + int(sizes[classes].sum()))
        return Batch(
            self.index[rows],
            self.cell[rows] - classes.start * self.counts.shape[1],
            self.counts[classes],
            self.frequency[classes],
            None if self.log_weights is None else self.log_weights[rows],
        )


class Sampler:
    """Draws one batch of image indices for all classes at once.

    Parameters
    ----------
    data : GroupedDataset
        The real set.
    batch : int
        Images per class (fewer where the class has fewer).
    mode : {"class", "group"}
        ``class`` draws from the whole class, as all official code does: a group appears as often
        as it occurs, and a rare one is sometimes absent. ``group`` draws from every group that the
        class has (all of a group that is too small), so none is ever absent and the shapes are the
        same in every step.
    group_batch : {"share", "whole"}
        How many images ``group`` draws from each group: an equal share of ``batch``, or ``batch``
        (COBRA passes 256 images of every group through the network).

    Attributes
    ----------
    log_weights : Tensor or None
        float64 [len(data)], the log weights of the ``kde`` rule; set from outside if the rule
        needs them.
    shares : Tensor
        float64 [classes, groups], the share of each group within its class, over the whole set.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> rng = torch.Generator().manual_seed(0)
    >>> Sampler(train, batch=30, mode="group").draw(rng).counts[0].tolist()
    [3, 3, 3, 3, 3, 3, 3, 3, 3, 3]
    """

    def __init__(
        self,
        data: "GroupedDataset",
        batch: int,
        mode: str,
        group_batch: str = "share",
    ):
        # to rules that take a set with unknown groups (-1), it does not matter which one has them
        self._cell = data.target.cpu() * data.n_groups + data.group.cpu().clamp(min=0)
        counts = self._cell.bincount(minlength=data.n_classes * data.n_groups)
        counts = counts.view(data.n_classes, data.n_groups)
        self.mode = mode
        self.log_weights: Tensor | None = None
        self.shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
        if mode == "class":
            pools, quota = classes(data), [batch] * data.n_classes
        else:
            pools = [pool for pool in _rows(self._cell, counts.numel()) if len(pool)]
            groups = (counts > 0).sum(1).tolist()
            parts = [n if group_batch == "share" else 1 for n in groups for _ in range(n)]
            quota = [max(1, batch // part) for part in parts]
        self.pools = list(zip(pools, quota, strict=True))

    def draw(self, generator: torch.Generator) -> Batch:
        """Draw a batch without replacement.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        Batch
        """
        return self.batch(
            torch.cat(
                [pool[torch.randperm(len(pool), generator=generator)[:n]] for pool, n in self.pools]
            )
        )

    def batch(self, index: Tensor) -> Batch:
        """Return chosen images as a batch.

        Parameters
        ----------
        index : Tensor
            int64 [N] on the CPU, in any order; an image may occur twice.

        Returns
        -------
        Batch
        """
        cell = self._cell[index]
        # each cell is contiguous, so that statistics of cells are statistics of slices
        order = cell.argsort(stable=True)
        index, cell = index[order], cell[order]
        counts = cell.bincount(minlength=self.shares.numel()).view_as(self.shares)
        frequency = self.shares
        if self.mode == "class":
            frequency = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
        log_weights = None if self.log_weights is None else self.log_weights[index]
        return Batch(index, cell, counts, frequency, log_weights)
