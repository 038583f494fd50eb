"""How the statistics of the groups become what the synthetic images must match.

The loss is the same for all rules::

    sum over y, t of weight[y, t] * D(point[y, t], S[y])

A linear rule has one point per class, a weighted mean over the images of the class; a gradient of
a weighted loss is the weighted sum of gradients, so whatever the signal, such a rule costs what
vanilla costs. Any other rule sees the statistic ``Phi[y, a]`` of every group. A group without a
real image in the batch never takes part.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from ..data.sampling import Batch
from .barycentres import CENTRES


class Segments(NamedTuple):
    """The weighted sums over the images of a batch that a rule asks for.

    Attributes
    ----------
    segment : Tensor
        int64 [N] on the CPU, the sum that each image is part of, in ``[0, n)``; never decreasing.
    weight : Tensor
        float64 [N], its weight there.
    n : int
        How many sums.
    """

    segment: Tensor
    weight: Tensor
    n: int


class Targets(NamedTuple):
    """The points that the synthetic statistic of each class is drawn to.

    Attributes
    ----------
    points : Tensor
        [classes, targets, features].
    weights : Tensor
        [classes, targets]; zero where a target does not exist.
    """

    points: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Rule:
    """A fairness rule; either linear, with ``weigh``, or by groups, with ``aim``.

    Attributes
    ----------
    title : str
        What it matches, with its source.
    weigh : callable, optional
        ``weigh(batch) -> float64 [N]``: the weight of each image in the one target of its class.
    aim : callable, optional
        ``aim(means, batch) -> Targets``, from the groups' statistics [classes, groups, features],
        which are zero where a group is absent.
    """

    title: str
    weigh: Callable[[Batch], Tensor] | None = None
    aim: Callable[[Tensor, Batch], Targets] | None = None


def segments(rule: Rule, batch: Batch) -> Segments:
    """Return the sums that a rule needs of the images of a batch.

    Parameters
    ----------
    rule : Rule
        One of `RULES`.
    batch : Batch
        The real images.

    Returns
    -------
    Segments
        One for each class under a linear rule, else the mean of each group of each class.
    """
    if rule.weigh is not None:
        return Segments(batch.target, rule.weigh(batch), len(batch.counts))
    weight = 1 / batch.counts.flatten()[batch.cell].double()
    return Segments(batch.cell, weight, batch.counts.numel())


def targets(rule: Rule, sums: Tensor, batch: Batch, divide: bool = False) -> Targets:
    """Return what the classes of a batch must match.

    Parameters
    ----------
    rule : Rule
        One of `RULES`.
    sums : Tensor
        [n, features]: of each of the rule's `segments`, the sum of the images' statistics times
        their weights.
    batch : Batch
        The real images.
    divide : bool
        Divide a sum over targets by their number in each class, so that the step is as long for
        ten groups as for one (``normalise="groups"``).

    Returns
    -------
    Targets
    """
    if rule.weigh is not None:
        return Targets(sums[:, None], sums.new_ones(len(sums), 1))
    found = rule.aim(sums.unflatten(0, batch.counts.shape), batch)
    if divide:
        number = (found.weights > 0).sum(1, keepdim=True).clamp(min=1)
        found = Targets(found.points, found.weights / number)
    return found


# --- linear rules: the weight of each image --------------------------------------------------


def _vanilla(batch: Batch) -> Tensor:
    # every group weighs as often as it occurs: the optimum is sum_a share[a] * Phi[a]
    # (FairDD, Eq. 4-6), which is how the majority takes over
    return _spread(batch.frequency, batch)


def _cobra(batch: Batch) -> Tensor:
    # the plain mean of the groups present (COBRA, Eq. 7-9): what minimises the sum of squared
    # distances to them, in any Q-norm
    present = (batch.counts > 0).double()
    return _spread(present / present.sum(1, keepdim=True).clamp(min=1), batch)


def _kde(batch: Batch) -> Tensor:
    # as vanilla, but an image where images are rare weighs more; the frequency makes up for
    # sampling by group
    log = batch.log_weights + _spread(batch.frequency, batch).log()
    most = torch.full((len(batch.counts),), -torch.inf, dtype=log.dtype)
    most = most.scatter_reduce(0, batch.target, log, "amax")
    weight = (log - most[batch.target]).exp()
    total = torch.zeros_like(most).index_add(0, batch.target, weight)
    return weight / total[batch.target]


def _spread(shares: Tensor, batch: Batch) -> Tensor:
    """Return the weight of each image where each cell's share is spread over its images."""
    return (shares / batch.counts.clamp(min=1)).flatten()[batch.cell]


# --- rules by group: targets from the groups' statistics -------------------------------------


def _fairdd(means: Tensor, batch: Batch) -> Targets:
    # the sum over groups is not divided by their number, as in the official code: under squared
    # error the gradient is that of cobra times the number of groups present
    return Targets(means, (batch.counts > 0).to(means))


def _inverse(means: Tensor, batch: Batch, total_one: bool) -> Targets:
    # 1 / frequency, brought to a mean of one over the groups present (or a sum of one): the
    # paper does not give a scale, and this keeps that of fairdd
    inverse = torch.where(batch.counts > 0, 1 / batch.frequency.clamp(min=1e-12), 0)
    weights = inverse / inverse.sum(1, keepdim=True).clamp(min=1e-12)
    if not total_one:
        weights = weights * (batch.counts > 0).sum(1, keepdim=True)
    return Targets(means, weights.to(means))


def _centre(means: Tensor, batch: Batch, centre: Callable[[Tensor, Tensor], Tensor]) -> Targets:
    points = centre(means, (batch.counts > 0).to(means.device))[:, None]
    return Targets(points, points.new_ones(points.shape[:2]))


def _barycentre(name: str) -> Callable[[Tensor, Batch], Targets]:
    return partial(_centre, centre=CENTRES[name])


#: Name -> the rule, in the order in which tables list them.
RULES = {
    "vanilla": Rule("the mean of the class, as it is (no fairness)", weigh=_vanilla),
    "fairdd": Rule("every group at once, each with weight one (FairDD, Eq. 7)", aim=_fairdd),
    "fairdd-inverse": Rule(
        "every group, weights inverse to its size (FairDD, appendix E)",
        aim=partial(_inverse, total_one=False),
    ),
    "cobra": Rule("the groups' barycentre, squared Q-norm: their mean (COBRA)", weigh=_cobra),
    "cobra-l1": Rule("barycentre under l1: coordinate-wise median", aim=_barycentre("l1")),
    "cobra-l2": Rule("barycentre under l2: geometric median", aim=_barycentre("l2")),
    "cobra-linf": Rule("barycentre under the max-norm", aim=_barycentre("linf")),
    "cobra-cosine": Rule("barycentre under the cosine distance", aim=_barycentre("cosine")),
    "cobra-huber": Rule("barycentre under Huber's loss", aim=_barycentre("huber")),
    "minimax": Rule("centre of the smallest ball round the groups", aim=_barycentre("minimax")),
    "kde": Rule("images weighted by 1 / density; needs no group labels (KDE)", weigh=_kde),
    "df": Rule(
        "groups' losses weighted by inverse frequency, summing to one (COBRA, appendix N: DF)",
        aim=partial(_inverse, total_one=True),
    ),
}
