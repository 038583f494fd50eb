"""Which real images a distillation step sees."""

import torch
from torch import Tensor

from .grouped import GroupedDataset

SAMPLING = ("class", "group")


class Sampler:
    """Draws one batch of image indices for all classes at once.

    Parameters
    ----------
    data : GroupedDataset
        The real set.
    batch : int
        Images per class (fewer where the class has fewer).
    mode : {"class", "group"}
        ``class`` draws from the whole class, as all official code does: a group comes as often as
        it occurs, and a rare one is at times absent. ``group`` draws an equal share from every
        group that the class has (all of a group smaller than its share), so none is ever absent
        and the shapes are the same in every step.

    Attributes
    ----------
    shares : Tensor
        float64 [classes, groups], the share of each group in its class in the whole set.
    """

    def __init__(self, data: GroupedDataset, batch: int, mode: str):
        counts = data.counts()
        self.mode = mode
        self.shape = tuple(counts.shape)
        self.shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
        cell = (data.target * data.n_groups + data.group).cpu()
        if mode == "class":
            pools = [torch.where(data.target.cpu() == y)[0] for y in range(data.n_classes)]
            quota = [batch] * data.n_classes
        else:
            cells = torch.where(counts.flatten().cpu() > 0)[0].tolist()
            pools = [torch.where(cell == c)[0] for c in cells]
            groups = (counts > 0).sum(1).tolist()
            quota = [max(1, batch // groups[c // data.n_groups]) for c in cells]
        self.pools = list(zip(pools, quota, strict=True))
        self._cell = cell

    def draw(self, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """Draw a batch without replacement.

        Parameters
        ----------
        generator : torch.Generator
            On the CPU.

        Returns
        -------
        index : Tensor
            int64 [B] on the CPU, class after class (and group after group).
        cell : Tensor
            int64 [B], ``class * n_groups + group`` of each.
        """
        index = torch.cat(
            [pool[torch.randperm(len(pool), generator=generator)[:n]] for pool, n in self.pools]
        )
        return index, self._cell[index]

    def weights(self, counts: Tensor) -> Tensor:
        """Return the frequency weights of the groups for the vanilla rule.

        Parameters
        ----------
        counts : Tensor
            int64 [classes, groups], the images in the batch.

        Returns
        -------
        Tensor
            float64 [classes, groups]: the shares in the batch under ``class`` sampling (the mean
            over the batch, as published), the shares in the whole set under ``group`` sampling
            (where the batch no longer tells how frequent a group is).
        """
        if self.mode == "group":
            return self.shares.to(counts.device)
        return counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
