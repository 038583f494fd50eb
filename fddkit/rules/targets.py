"""How the statistics of the groups become the targets of the synthetic images.

The loss is the same for all rules::

    sum over y, t of weight[y, t] * D(point[y, t], S[y])

A linear rule has one point per class, a weighted mean over the images of the class; since the
gradient of a weighted loss is the weighted sum of gradients, such a rule costs the same as vanilla
for every signal. Any other rule uses the statistic ``Phi[y, a]`` of every group. A group without a
real image in the batch is left out.
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
        int64 [N] on the CPU, the sum that each image belongs to, in ``[0, n)``; non-decreasing.
    weight : Tensor
        float64 [N], its weight in that sum.
    n : int
        Number of sums.
    """

    segment: Tensor
    weight: Tensor
    n: int


class Targets(NamedTuple):
    """The points towards which the synthetic statistic of each class is pulled.

    Attributes
    ----------
    points : Tensor
        [classes, targets, features].
    weights : Tensor
        [classes, targets]; zero if a target does not exist.
    """

    points: Tensor
    weights: Tensor


@dataclass(frozen=True)
class Rule:
    """A fairness rule; either linear, with ``weigh``, or by groups, with ``aim``.

    Attributes
    ----------
    title : str
        What it matches, and its source.
    weigh : callable, optional
        ``weigh(batch) -> float64 [N]``: the weight of each image in the one target of its class.
    aim : callable, optional
        ``aim(means, batch) -> Targets``, from the groups' statistics [classes, groups, features],
        which are zero for absent groups; see `aim_at`.
    prepare : callable, optional
        ``prepare(train, settings, seed, **shared) -> log_weights, sources``, called before the
        first step: what a linear rule needs to know about single images, float64 [len(train)], as
        `Batch.log_weights`; and name and sha256 of the cached files that it depends on. The target
        of such a rule does not follow from the groups' statistics alone.
    mean_of : {"images", "groups", ""}
        What its single target is the plain mean of, if it is one. MTT, which follows trajectories
        rather than statistics, supports only such rules.
    needs_groups : bool
        Whether it must know the group of each image.
    repairs : bool
        Whether it is meant to be fairer than vanilla.
    drawn : bool
        Whether figures of targets show it by default.
    hollow : bool
        Whether its mark is an outline, because it often coincides with another.
    colour, mark : str
        In every figure: ``#rrggbb`` and a matplotlib marker. Chosen automatically if a registered
        rule leaves them open.

    See Also
    --------
    aim_at : Make ``aim`` from a function that returns one point per class.
    fddkit.register : Make a rule available under a name.

    References
    ----------
    `docs/methods.md`, "Rules".

    Examples
    --------
    >>> import torch
    >>> def by_image(batch):  # what vanilla does: every image of a class has the same weight
    ...     return 1 / batch.counts.sum(1)[batch.target].double()
    >>> rule = Rule("the mean of the class", weigh=by_image, mean_of="images", repairs=False)
    >>> shares = torch.tensor([[0.5, 0.5]])
    >>> aimed(rule, torch.tensor([[[0.0], [8.0]]]), shares)
    tensor([[4.]])
    """

    title: str
    weigh: Callable[[Batch], Tensor] | None = None
    aim: Callable[[Tensor, Batch], Targets] | None = None
    prepare: Callable[..., tuple[Tensor, dict[str, str]]] | None = None
    mean_of: str = ""
    needs_groups: bool = True
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
        The rule.
    batch : Batch
        The real images.

    Returns
    -------
    Segments
        One sum per class for a linear rule, else the mean of each group of each class.
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
        The rule.
    sums : Tensor
        [n, features]: for each of the rule's `segments`, the weighted sum of the images'
        statistics.
    batch : Batch
        The real images.
    divide : bool
        Divide the sum over targets by their number in each class, so that ten groups give a step
        as long as one group does (``normalise="groups"``).

    Returns
    -------
    Targets
    """
    if rule.weigh is not None:
        return Targets(sums[:, None], sums.new_ones(len(sums), 1))
    result = rule.aim(sums.unflatten(0, batch.counts.shape), batch)
    if divide:
        number = (result.weights > 0).sum(1, keepdim=True).clamp(min=1)
        result = Targets(result.points, result.weights / number)
    return result


def aim_at(centre: Callable[[Tensor, Tensor], Tensor]) -> Callable[[Tensor, Batch], Targets]:
    """Return the `Rule.aim` that pulls every class towards one point computed from its groups.

    Parameters
    ----------
    centre : callable
        ``centre(means, present) -> points``: maps the groups' statistics, float [classes, groups,
        features], and whether each group is in the batch, bool [classes, groups] (the statistic of
        an absent group is zero), to one point per class, float [classes, features].

    Returns
    -------
    callable

    See Also
    --------
    fddkit.rules.barycentres : Centres under several distances.

    Examples
    --------
    >>> import torch
    >>> rule = Rule("the largest value", aim=aim_at(lambda means, present: means.amax(1)))
    >>> aimed(rule, torch.tensor([[[0.0], [8.0]]]), torch.tensor([[0.75, 0.25]]))
    tensor([[8.]])
    """
    return partial(_centre, centre=centre)


def _centre(means: Tensor, batch: Batch, centre: Callable[[Tensor, Tensor], Tensor]) -> Targets:
    points = centre(means, (batch.counts > 0).to(means.device))[:, None]
    return Targets(points, points.new_ones(points.shape[:2]))


def aimed(rule: Rule, means: Tensor, shares: Tensor) -> Tensor:
    """Return the point towards which a rule pulls each class, under squared error.

    Parameters
    ----------
    rule : Rule
        A rule with `Rule.of_groups`.
    means : Tensor
        float64 [classes, groups, features], zero for absent groups.
    shares : Tensor
        float64 [classes, groups], the share of each group in its class; zero for absent groups.

    Returns
    -------
    Tensor
        float64 [classes, features]: a sum of squared distances to several targets is smallest at
        their weighted mean.

    References
    ----------
    FairDD (Zhou et al. 2025), Theorem 4.1; `docs/methods.md`, "Rules".

    Examples
    --------
    >>> import torch
    >>> from fddkit.rules.rules import RULES
    >>> means, shares = torch.tensor([[[0.0], [8.0]]]), torch.tensor([[0.75, 0.25]])
    >>> {name: aimed(RULES[name], means, shares).item() for name in ("vanilla", "fairdd", "cobra")}
    {'vanilla': 2.0, 'fairdd': 4.0, 'cobra': 4.0}
    """
    present = shares > 0
    cell = present.flatten().nonzero()[:, 0]
    batch = Batch(cell, cell, present.long(), shares)  # one image stands for each group
    parts, flat = segments(rule, batch), means.flatten(0, 1)[cell]
    sums = means.new_zeros(parts.n, means.shape[2])
    sums = sums.index_add(0, parts.segment, parts.weight.to(means)[:, None] * flat)
    points, weights = targets(rule, sums, batch)
    total = weights.sum(1, keepdim=True).clamp(min=1e-300)
    return (weights[..., None] * points).sum(1) / total
