"""How the statistics of the groups become what the synthetic images must match.

A rule sees, for every class ``y`` and group ``a``, the mean real statistic ``Phi[y, a]`` and
returns one or more target points per class, each with a weight. The loss is the same for all::

    sum over y, t of weight[y, t] * D(point[y, t], S[y])

A group without a real image in the batch (``present`` false, its mean zero) never takes part.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor


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


def vanilla(means: Tensor, present: Tensor, shares: Tensor) -> Targets:
    """Match the plain mean of the class: every group weighs as often as it occurs.

    The optimum is ``sum_a share[a] * Phi[a]`` (FairDD, Eq. 4-6), which is how the majority of a
    biased set takes over the distilled one.

    Parameters
    ----------
    means : Tensor
        [classes, groups, features], the mean statistic of each cell.
    present : Tensor
        bool [classes, groups], whether the cell has an image.
    shares : Tensor
        [classes, groups], the share of each group in its class, summing to one.

    Returns
    -------
    Targets
        One target per class.
    """
    return _weighted(means, shares)


def fairdd(means: Tensor, present: Tensor, shares: Tensor) -> Targets:
    """Match every group at once, each with weight one (FairDD, Eq. 7).

    The sum over groups is not divided by their number, as in the official code: under squared
    error the gradient is that of `cobra` times the number of groups present.

    Parameters
    ----------
    means, present, shares : Tensor
        As for `vanilla`; the shares are not used.

    Returns
    -------
    Targets
        One target per group.
    """
    return Targets(means, present.to(means.dtype))


def cobra(means: Tensor, present: Tensor, shares: Tensor) -> Targets:
    """Match the groups' barycentre under the squared norm: their plain mean (COBRA, Eq. 7-9).

    Parameters
    ----------
    means, present, shares : Tensor
        As for `vanilla`; the shares are not used.

    Returns
    -------
    Targets
        One target per class.
    """
    uniform = present.to(means.dtype)
    return _weighted(means, uniform / uniform.sum(1, keepdim=True).clamp(min=1))


def _weighted(means: Tensor, weights: Tensor) -> Targets:
    """Return one target per class: the weighted sum of its groups' means."""
    points = torch.einsum("ca,cad->cd", weights.to(means.dtype), means)[:, None]
    return Targets(points, points.new_ones(points.shape[:2]))


def squared_error(targets: Targets, synthetic: Tensor) -> Tensor:
    """Return the weighted squared distances, summed over classes, targets and features.

    Parameters
    ----------
    targets : Targets
        What to match.
    synthetic : Tensor
        [classes, features], the synthetic statistic of each class.

    Returns
    -------
    Tensor
        A scalar; a sum, not a mean, as in distribution matching's official code.
    """
    distance = (targets.points - synthetic[:, None]).square().sum(-1)
    return (targets.weights * distance).sum()


RULES: dict[str, Callable[[Tensor, Tensor, Tensor], Targets]] = {
    "vanilla": vanilla,
    "fairdd": fairdd,
    "cobra": cobra,
}
