"""Two ways to where a loss is least that know nothing of the formula for it."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.rng import generator


def minimise(loss: Callable[[Tensor], Tensor], points: Tensor, seed: int = 0) -> Tensor:
    """Return where a smooth loss is least, by L-BFGS from a random place among the groups.

    Parameters
    ----------
    loss : callable
        Of the centres, float64 [classes, features], to a number.
    points : Tensor
        float64 [classes, groups, features]; where to begin is a random mixture of them.
    seed : int
        Of that mixture.

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
    """Return where the sum of absolute differences is least, by ternary search of each coordinate.

    The loss is convex in each coordinate, and a sum over them.

    Parameters
    ----------
    points : Tensor
        float64 [classes, groups, features].
    present : Tensor
        bool [classes, groups], which of them count.
    rounds : int
        Each leaves two thirds of the interval.

    Returns
    -------
    Tensor
        float64 [classes, features]; zero for a class that has no group.
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
