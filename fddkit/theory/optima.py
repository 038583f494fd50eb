"""The minima of matching objectives: FairDD's Eq. 4-8 and COBRA's Proposition C.1.

Each optimum is found by optimisation, independently of the formula that it is compared with.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ..core.rng import generator
from ..rules.barycentres import l1, mean
from .check import Check
from .minimisers import descend_alone, minimise
from .signal import GroupStatistics

#: Name -> D between points [classes, groups, features] and centres [classes, 1, features].
DISTANCES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "squared": lambda u, s: (u - s).square().sum(-1),
    "absolute": lambda u, s: (u - s).abs().sum(-1),
    "euclidean": lambda u, s: (u - s).norm(dim=-1),
    "huber": lambda u, s: torch.nn.functional.huber_loss(
        *torch.broadcast_tensors(u, s), reduction="none"
    ).sum(-1),
    "maximum": lambda u, s: (u - s).abs().amax(-1),
    "cosine": lambda u, s: 1 - torch.cosine_similarity(u, s, dim=-1, eps=1e-300),
}


def weighted_mean(stats: GroupStatistics) -> Tensor:
    """Return ``sum_a pi[a | y] Phi[y, a]``, float64 [classes, features]."""
    return (stats.shares[..., None] * stats.points).sum(1)


def vanilla_optimum(
    stats: GroupStatistics, whole: Tensor, seed: int = 0, tolerance: float = 1e-6
) -> Check:
    """Check that vanilla distillation ends at the frequency-weighted mean (FairDD, Eq. 4-6).

    The mean over all images of a class is the optimum of ``D(mean, S)``. It equals the groups'
    mean weighted by their shares, which is why the majority dominates.

    Parameters
    ----------
    stats : GroupStatistics
        The groups, measured on all images.
    whole : Tensor
        float64 [classes, features], the statistic of all images of each class (`Signal.classes`).
    seed : int
        Seed of the start of the optimisation.
    tolerance : float
        On the distance, relative to the spread of the groups.

    Returns
    -------
    Check
        ``values``: ``reached`` and ``expected``, [classes, features].
    """
    unit = _spread(stats.points)
    points = stats.points / unit

    def loss(s: Tensor) -> Tensor:
        return DISTANCES["squared"]((whole / unit)[:, None], s[:, None]).sum()

    return _compare(
        "the optimum of vanilla distillation is the mean of the groups weighted by their shares "
        "(FairDD, Eq. 4-6)",
        minimise(loss, points, seed),
        weighted_mean(GroupStatistics(points, stats.shares)),
        points,
        stats.present,
        tolerance,
    )


def fairdd_optimum(
    stats: GroupStatistics, distance: str = "squared", seed: int = 0, tolerance: float = 1e-6
) -> Check:
    """Check FairDD's Theorem 4.1 (Eq. 8): its optimum is the plain mean of the groups.

    The paper states this for squared error, absolute error and the cosine distance. It holds for
    the first. The optimum under absolute error is the median of every coordinate; the cosine
    distance determines a direction, that of the sum of unit vectors, but not the length.

    Parameters
    ----------
    stats : GroupStatistics
        The groups; the shares are not used.
    distance : str
        One of `DISTANCES`.
    seed, tolerance
        As for `vanilla_optimum`; except under squared error, the tolerance is on the loss,
        relative to the minimum, because there can be several optima, of which the mean may be one.

    Returns
    -------
    Check
        ``values``: ``reached`` and ``expected``, [classes, features].
    """
    points, present = stats.points / _spread(stats.points), stats.present
    here = present.double()

    def losses(s: Tensor) -> Tensor:
        return (here * DISTANCES[distance](points, s[:, None])).sum(1)

    if distance == "absolute":  # not smooth, but every coordinate is a separate problem
        reached = descend_alone(points, present)
    else:
        reached = minimise(lambda s: losses(s).sum(), points, seed)
    statement = (
        f"the mean of the groups is an optimum of FairDD under the {distance} distance "
        "(FairDD, Theorem 4.1)"
    )
    expected = mean(points, present)
    if distance == "squared":
        return _compare(statement, reached, expected, points, present, tolerance)
    least = losses(reached)
    excess = (losses(expected) - least) / least.clamp(min=1e-12)
    values = {"reached": reached, "expected": expected}
    return Check(statement, excess[present.any(1)].max().item(), tolerance, values)


def median_optimum(stats: GroupStatistics, tolerance: float = 1e-6) -> Check:
    """Check that FairDD's optimum under absolute error is the median of every coordinate.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    tolerance : float
        On the excess of the loss, relative to the loss at the median.

    Returns
    -------
    Check
        ``values``: ``reached`` and ``expected``, the losses [classes]: with an even number of
        groups a whole interval is optimal, so losses are compared rather than points.
    """
    points, present = stats.points / _spread(stats.points), stats.present
    here = present.double()

    def loss(s: Tensor) -> Tensor:
        return (here * DISTANCES["absolute"](points, s[:, None])).sum(1)

    reached, expected = loss(descend_alone(points, present)), loss(l1(points, present))
    gap = ((reached - expected).abs() / expected.clamp(min=1e-12)).max()
    return Check(
        "under the absolute distance the optimum of FairDD is the coordinate-wise median",
        gap.item(),
        tolerance,
        {"reached": reached, "expected": expected},
    )


def cosine_leaves_length(stats: GroupStatistics, factor: float = 2.0) -> Check:
    """Check that the cosine distance does not depend on length: a longer S is as good.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    factor : float
        Factor by which S is made longer.

    Returns
    -------
    Check
        ``values``: ``loss`` and ``loss_longer``, [classes].
    """
    points, here = stats.points / _spread(stats.points), stats.present.double()
    s = mean(points, stats.present)

    def loss(s: Tensor) -> Tensor:
        return (here * DISTANCES["cosine"](points, s[:, None])).sum(1)

    first, second = loss(s), loss(factor * s)
    return Check(
        f"FairDD's loss under the cosine distance is the same for S and {factor:g} S",
        (first - second).abs().max().item(),
        1e-9,
        {"loss": first, "loss_longer": second},
    )


def cosine_optimum(stats: GroupStatistics, seed: int = 0, tolerance: float = 1e-5) -> Check:
    """Check that the cosine distance fixes the direction of the sum of the groups' unit vectors.

    Unlike in the plain mean, statistics of large norm have no more influence than small ones.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    seed : int
        Seed of the start of the optimisation.
    tolerance : float
        On the distance between unit vectors.

    Returns
    -------
    Check
        ``values``: ``reached`` and ``expected``, unit vectors [classes, features].
    """
    points, here = stats.points / _spread(stats.points), stats.present.double()

    def loss(s: Tensor) -> Tensor:
        return (here * DISTANCES["cosine"](points, s[:, None])).sum()

    reached = normalize(minimise(loss, points, seed), dim=-1)
    expected = normalize(normalize(points, dim=-1).sum(1), dim=-1)
    gap = (reached - expected).norm(dim=-1)[stats.present.any(1)].max()
    return Check(
        "under the cosine distance the optimum of FairDD lies along the sum of the groups' unit "
        "vectors",
        gap.item(),
        tolerance,
        {"reached": reached, "expected": expected},
    )


def squared_norm_barycentre(
    stats: GroupStatistics, seed: int = 0, dimensions: int = 50, tolerance: float = 1e-6
) -> Check:
    """Check COBRA's Proposition C.1: under any squared Q-norm the barycentre is the plain mean.

    Q is drawn at random, symmetric and positive definite, and not diagonal.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    seed : int
        Seed of Q and of the start of the optimisation.
    dimensions : int
        Features are projected at random to at most this number, because Q is dense.
    tolerance : float
        On the distance, relative to the spread of the groups.

    Returns
    -------
    Check
        ``values``: ``reached`` and ``expected``, [classes, dimensions], and ``Q``.
    """
    rng = generator(seed, "Q-norm")
    size = min(dimensions, stats.points.shape[-1])
    turn = torch.randn(stats.points.shape[-1], size, generator=rng, dtype=torch.float64)
    points, here = stats.points @ turn, stats.present.double()
    points = points / _spread(points)
    root = torch.randn(size, size, generator=rng, dtype=torch.float64) / size**0.5
    q = root @ root.T + 0.5 * torch.eye(size, dtype=torch.float64)

    def loss(m: Tensor) -> Tensor:
        d = points - m[:, None]
        return (here * torch.einsum("yaf,fg,yag->ya", d, q, d)).sum()

    check = _compare(
        "the barycentre of the groups under a squared Q-norm is their mean, whatever Q "
        "(COBRA, Proposition C.1)",
        minimise(loss, points, seed),
        mean(points, stats.present),
        points,
        stats.present,
        tolerance,
    )
    return Check(check.statement, check.gap, check.tolerance, {**check.values, "Q": q})


def _spread(points: Tensor) -> Tensor:
    """Return the unit in which the points' spread is one, so that tolerances are comparable."""
    return (points - points.mean((0, 1))).square().sum(-1).mean().sqrt().clamp(min=1e-300)


def _compare(
    statement: str,
    reached: Tensor,
    expected: Tensor,
    points: Tensor,
    present: Tensor,
    tolerance: float,
) -> Check:
    """Compare two points for every class that has groups, in units of the groups' spread."""
    apart = (points - mean(points, present)[:, None]).norm(dim=-1) * present
    spread = apart.amax(1).clamp(min=1e-12)
    gap = ((reached - expected).norm(dim=-1) / spread)[present.any(1)].max()
    return Check(statement, gap.item(), tolerance, {"reached": reached, "expected": expected})
