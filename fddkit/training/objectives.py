"""Objectives of training: the mean loss, or one that is fair to groups.

The fair ones are intervention MF of COBRA's appendix N, which only names a "fair objective in
downstream training"; these are two standard ones. The group of a distilled image is that of the
real image it started from, the only one known.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import FddkitError
from .sgd import descend


class MeanLoss:
    """The mean cross-entropy, computed chunk by chunk.

    Parameters
    ----------
    target : Tensor
        int64 [N], of the whole training set.
    group : Tensor or None
        int64 [N]; ignored.
    """

    def __init__(self, target: Tensor, group: Tensor | None):
        pass

    def __call__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        images: Tensor,
        labels: Tensor,
        rows: Tensor,
    ) -> Tensor:
        """Take a step on a batch and return its loss.

        Parameters
        ----------
        net : nn.Module
            The network being trained.
        optimiser : torch.optim.Optimizer
            Of its parameters.
        images : Tensor
            float [n, C, H, W], as the network sees them.
        labels : Tensor
            int64 [n], or float [n, classes] if they are mixed.
        rows : Tensor
            int64 [n], positions of the images in the training set.

        Returns
        -------
        Tensor
            A scalar.
        """
        return descend(net, optimiser, images, labels)


class _Fair:
    """An objective over the cells of class and group.

    Parameters
    ----------
    target : Tensor
        int64 [N], of the whole training set. If CutMix mixes a batch, an image counts for the
        class and group that it had before.
    group : Tensor or None
        int64 [N]; -1 for images without a group.
    strength : float
        The objective's parameter.

    Raises
    ------
    FddkitError
        If no image has a group.
    """

    def __init__(self, target: Tensor, group: Tensor | None, strength: float):
        if group is None or (group < 0).all():
            raise FddkitError(
                "a fair objective needs the groups of the training images, and none has one (they "
                "started from noise or a mix, or come from elsewhere); use objective=erm"
            )
        self.target, self.group, self.strength = target, group, strength
        self.groups = int(group.max()) + 1
        self.cell = torch.where(group >= 0, target * self.groups + group, -1)

    def __call__(
        self,
        net: nn.Module,
        optimiser: torch.optim.Optimizer,
        images: Tensor,
        labels: Tensor,
        rows: Tensor,
    ) -> Tensor:
        """See `MeanLoss.__call__`; not in chunks, since the loss couples the images of a batch."""
        optimiser.zero_grad()
        loss = self.loss(net(images), labels, rows)
        loss.backward()
        optimiser.step()
        return loss.detach()

    def loss(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """Return the loss for the logits [n, classes] of the images ``rows``."""
        raise NotImplementedError


class GroupDRO(_Fair):
    """Group DRO: the cells' mean losses, with more weight on cells whose losses have been large.

    In every step the weight of each cell in the batch is multiplied by ``exp(step * its loss)``;
    the weights sum to one over all cells of the set. Images without a group are left out.

    Parameters
    ----------
    target, group : Tensor
        See `_Fair`.
    strength : float
        The step.

    References
    ----------
    Sagawa et al. 2020, Algorithm 1; `docs/methods.md`, "Other interventions".
    """

    def __init__(self, target: Tensor, group: Tensor | None, strength: float = 0.01):
        super().__init__(target, group, strength)
        self.names = self.cell[self.cell >= 0].unique()
        self.weights = torch.full_like(self.names, 1, dtype=torch.float64) / len(self.names)

    def loss(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """See `_Fair.loss`."""
        each = F.cross_entropy(logits, labels, reduction="none")
        member = (self.cell[rows][:, None] == self.names).to(each.dtype)
        sizes = member.sum(0)
        means = (each @ member) / sizes.clamp(min=1)
        self.weights = self.weights * torch.exp(self.strength * means.detach().double())
        self.weights = self.weights / self.weights.sum()
        return (self.weights.to(each.dtype) * means).sum()


class GapPenalty(_Fair):
    """The mean loss plus the gap between groups in the probability of the true class.

    The gap is the largest difference between a class's groups in the batch, averaged over classes:
    DEO_A with probabilities in place of decisions, so that it has a gradient.

    Parameters
    ----------
    target, group : Tensor
        See `_Fair`.
    strength : float
        The weight of the gap.
    """

    def __init__(self, target: Tensor, group: Tensor | None, strength: float = 1.0):
        super().__init__(target, group, strength)

    def loss(self, logits: Tensor, labels: Tensor, rows: Tensor) -> Tensor:
        """See `_Fair.loss`."""
        target, group = self.target[rows], self.group[rows]
        sure = logits.softmax(1).gather(1, target[:, None])[:, 0]
        gaps = []
        for y in target.unique().tolist():
            here = (target == y) & (group >= 0)
            rates = [sure[here & (group == a)].mean() for a in group[here].unique().tolist()]
            if rates:
                gaps.append(torch.stack(rates).max() - torch.stack(rates).min())
        gap = torch.stack(gaps).mean() if gaps else logits.new_zeros(())
        return F.cross_entropy(logits, labels) + self.strength * gap


#: Name -> objective.
OBJECTIVES: dict[str, Callable[..., Callable[..., Tensor]]] = {
    "erm": MeanLoss,
    "group-dro": GroupDRO,
    "tpr-gap": GapPenalty,
}


def objective(
    name: str, target: Tensor, group: Tensor | None, dro_step: float, penalty: float
) -> Callable[..., Tensor]:
    """Return the objective with a name, for training one network.

    Parameters
    ----------
    name : str
        One of `OBJECTIVES`.
    target : Tensor
        int64 [N], of the whole training set.
    group : Tensor or None
        int64 [N]; -1 for images without a group.
    dro_step, penalty : float
        The strength of ``group-dro`` and of ``tpr-gap``.

    Returns
    -------
    callable
        Called like `MeanLoss`. With a single group there is nothing to balance, so it is the mean
        loss (group DRO over the cells of one group would weight classes).

    Raises
    ------
    FddkitError
        If the objective is fair and no image has a group.
    """
    if name == "erm":
        return MeanLoss(target, group)
    fair = OBJECTIVES[name](target, group, {"group-dro": dro_step, "tpr-gap": penalty}[name])
    return fair if len(group[group >= 0].unique()) > 1 else MeanLoss(target, group)
