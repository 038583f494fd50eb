"""Two ways to minimise a loss that do not use the formula for its minimum."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.rng import generator


def minimise(loss: Callable[[Tensor], Tensor], points: Tensor, seed: int = 0) -> Tensor:
    """Minimise a smooth loss by L-BFGS, starting from a random mixture of the groups.

    Parameters
    ----------
    loss : callable
        From centres, float64 [classes, features], to a number.
    points : Tensor
        float64 [classes, groups, features], of which the start is a random mixture.
    seed : int
        Seed of that mixture.

    Returns
    -------
    Tensor
        float64 [classes, features].
    """
    mix = torch.rand(points.shape[:2], generator=generator(seed, "start"), dtype=torch.float64)
    s = (mix[..., None] * points).sum(1).requires_grad_()
    solver = torch.optim.LBFGS(
        [s],
        max_iter=2000,
        history_size=20,
        tolerance_grad=1e-12,
        tolerance_change=1e-18,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        solver.zero_grad()
        found = loss(s)
        found.backward()
        return found

    solver.step(closure)
    return s.detach()


def descend_alone(points: Tensor, present: Tensor, rounds: int = 200) -> Tensor:
    """Minimise the sum of absolute differences, by ternary search in each coordinate.

    The loss is a sum over coordinates, and convex in each.

    Parameters
    ----------
    points : Tensor
        float64 [classes, groups, features].
    present : Tensor
        bool [classes, groups], which groups are present.
    rounds : int
        Number of steps, each of which leaves two thirds of the interval.

    Returns
    -------
    Tensor
        float64 [classes, features]; zero for a class without groups.
    """
    low = points.masked_fill(~present[..., None], torch.inf).amin(1)
    high = points.masked_fill(~present[..., None], -torch.inf).amax(1)
    low, high = (x.where(present.any(1)[:, None], 0) for x in (low, high))
    here = present.double()[..., None]
    for _ in range(rounds):
        left, right = low + (high - low) / 3, high - (high - low) / 3
        costs = [(here * (points - s[:, None]).abs()).sum(1) for s in (left, right)]
        lower = costs[0] <= costs[1]
        low, high = low.where(lower, left), right.where(lower, high)
    return (low + high) / 2
