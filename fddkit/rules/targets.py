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

from torch import Tensor

from ..data.sampling import Batch


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
        which are zero where a group is absent; see `aim_at`.
    prepare : callable, optional
        ``prepare(train, settings, seed, **shared) -> log_weights, sources``: what a linear rule
        knows of single images beforehand, float64 [len(train)] for `Batch.log_weights`, and name
        and sha256 of the files of the cache that this rests on. Such a rule has no target that
        the groups' statistics alone would give.
    mean_of : {"images", "groups", ""}
        Of what its one target is the plain mean, where it is one. MTT, which follows trajectories
        and not statistics, has such rules alone.
    repairs : bool
        Whether it is there to be fairer than vanilla.
    drawn : bool
        Whether figures of targets show it where no rules are named.
    hollow : bool
        Whether its mark is an outline, because it often lies on another's.
    colour, mark : str
        In every figure: ``#rrggbb``, and a marker of matplotlib. Left open by a registered rule,
        they are chosen.
    """

    title: str
    weigh: Callable[[Batch], Tensor] | None = None
    aim: Callable[[Tensor, Batch], Targets] | None = None
    prepare: Callable[..., tuple[Tensor, dict[str, str]]] | None = None
    mean_of: str = ""
    repairs: bool = True
    drawn: bool = True
    hollow: bool = False
    colour: str = ""
    mark: str = ""

    @property
    def of_groups(self) -> bool:
        """Whether its targets follow from the statistics of the groups."""
        return self.prepare is None


def segments(rule: Rule, batch: Batch) -> Segments:
    """Return the sums that a rule needs of the images of a batch.

    Parameters
    ----------
    rule : Rule
        Which.
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
        Which.
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


def aim_at(centre: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Batch], Targets]:
    """Return the `Rule.aim` that draws every class to one point among its groups.

    Parameters
    ----------
    centre : callable
        ``centre(means, present) -> points``: from the groups' statistics, float [classes, groups,
        features], and whether the batch has each group, bool [classes, groups] (the statistic is
        zero where it has not), to one point of each class, float [classes, features].

    Returns
    -------
    callable
    """
    return partial(_centre, centre=centre)


def _centre(means: Tensor, batch: Batch, centre: Callable[[Tensor, Tensor], Tensor]) -> Targets:
    points = centre(means, (batch.counts > 0).to(means.device))[:, None]
    return Targets(points, points.new_ones(points.shape[:2]))


def aimed(rule: Rule, means: Tensor, shares: Tensor) -> Tensor:
    """Return the point that a rule draws each class to, under squared error.

    Parameters
    ----------
    rule : Rule
        One with `Rule.of_groups`.
    means : Tensor
        float64 [classes, groups, features], zero where a group is absent.
    shares : Tensor
        float64 [classes, groups], how often a group occurs in its class; zero where it is absent.

    Returns
    -------
    Tensor
        float64 [classes, features]: of a sum of squared distances to several targets the nearest
        point is their weighted mean (FairDD, Theorem 4.1).
    """
    present = shares > 0
    cell = present.flatten().nonzero()[:, 0]
    batch = Batch(cell, cell, present.long(), shares)  # one image stands for each group
    asked, flat = segments(rule, batch), means.flatten(0, 1)[cell]
    sums = means.new_zeros(asked.n, means.shape[2])
    sums = sums.index_add(0, asked.segment, asked.weight.to(means)[:, None] * flat)
    points, weights = targets(rule, sums, batch)
    total = weights.sum(1, keepdim=True).clamp(min=1e-300)
    return (weights[..., None] * points).sum(1) / total
