"""Where the synthetic images of one class lie among the real ones of each group, in float64.

`fddkit.analysis.coverage` explains the numbers. Memory: blocks of distances of 8 MiB.
"""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

_HELD = 2**20  # distances at a time: 8 MiB of float64, whatever the sets' sizes
_ROUNDING = 1e-6  # relative; distances below it are zero, and distances that differ by it are equal
_PAIRED = 1000  # images of a class whose pairs give the bandwidth


def measure(
    x: Tensor,
    group: Tensor,
    s: Tensor,
    groups: int,
    k: int,
    radius: float | None,
    rng: torch.Generator,
) -> dict[str, Tensor]:
    """Compute the numbers of one class.

    Parameters
    ----------
    x : Tensor
        float64 [N, D], the real images.
    group : Tensor
        int64 [N], from 0 to ``groups - 1``.
    s : Tensor
        float64 [M, D], the synthetic images.
    groups : int
        Number of groups.
    k : int
        Number of neighbours.
    radius : float or None
        Radius of ``within``; None: the median distance to the k-th nearest real image.
    rng : torch.Generator
        Draws the images whose pairs give the bandwidth.

    Returns
    -------
    dict of str to Tensor
        The arrays of `fddkit.analysis.coverage.Coverage` without their first axis.
    """
    n, m, sizes = len(x), len(s), group.bincount(minlength=groups)
    bandwidth = _bandwidth(x, rng)
    near, ball, alike = (torch.full((n,), torch.nan, dtype=torch.float64) for _ in range(3))
    reach = (sizes[group] - 1).clamp(max=k)  # neighbours in the group, 0 if the image is alone
    for rows, square in _squares(x, x):
        index = torch.arange(n)[rows]
        square[torch.arange(len(index)), index] = math.inf  # no image is its own neighbour
        if n > 1:
            near[rows] = square.kthvalue(min(k, n - 1)).values.sqrt()
        others = square.masked_fill_(group[rows, None] != group, math.inf)
        nearest = others.topk(min(k, n), largest=False).values
        ball[rows] = nearest.gather(1, (reach[rows, None] - 1).clamp(min=0))[:, 0]
        alike[rows] = others.div_(-2 * bandwidth**2).exp_().sum(1)
    inside, across, reached = (torch.full((n,), v, dtype=torch.float64) for v in (0, 0, math.inf))
    # squared; the border is excluded, and rounding must not include it
    inner = ball * (1 - _ROUNDING) ** 2
    for rows, square in _squares(x, s):
        if m:
            reached[rows] = square.amin(1).sqrt()
        inside[rows] = ((square < inner[rows, None]) | (square == 0)).sum(1).double()
        across[rows] = square.div_(-2 * bandwidth**2).exp_().sum(1) / m
    among = sum(part.div_(-2 * bandwidth**2).exp_().sum() for _, part in _squares(s, s))
    if radius is None:
        radius = float(np.median(near)) if n > 1 else math.nan
    lonely = reach == 0  # no neighbour in the group

    def mean(values: Tensor) -> Tensor:  # of each group; 0 / 0 for an empty one
        return torch.zeros(groups, dtype=torch.float64).index_add_(0, group, values) / sizes

    covered = (inside > 0).double().masked_fill(lonely, torch.nan)
    hit = (reached <= radius * (1 + _ROUNDING)).double()
    depth = reach.double().masked_fill(lonely, torch.nan)
    return {
        "radius": torch.tensor(radius, dtype=torch.float64),
        "bandwidth": torch.tensor(bandwidth, dtype=torch.float64),
        "n_real": sizes,
        "n_synthetic": torch.tensor(m),
        "within": 100 * mean(hit if radius >= 0 else hit * torch.nan),
        "coverage": 100 * mean(covered),
        "expected": 100 * _expected(sizes, m, k),
        "density": mean(inside / depth) * sizes / m,
        "distance": mean(reached if m else reached * torch.nan),
        "mmd": mean(alike) / (sizes - 1) - 2 * mean(across) + among / (m * m if m else math.nan),
    }


def _expected(sizes: Tensor, m: int, k: int) -> Tensor:
    """Return the share that m real images of each group would cover (Naeem et al., Lemma 2).

    ``1 - (N - 1) ... (N - k) / ((M + N - 1) ... (M + N - k))``: the k nearest of an image's
    N - 1 + M others are all real.
    """
    step = torch.arange(1, k + 1)
    n = sizes.double()[:, None]
    ratio = torch.where(step < n, (n - step) / (m + n - step), 1.0)
    return torch.where(sizes > 1, 1 - ratio.prod(1), torch.nan)


def _bandwidth(x: Tensor, rng: torch.Generator) -> float:
    """Return the median distance between different images, NaN if it would be zero."""
    x = x[torch.randperm(len(x), generator=rng)[:_PAIRED].sort().values]
    if len(x) < 2:
        return math.nan
    square = torch.cat([part for _, part in _squares(x, x)])
    pairs = torch.triu_indices(len(x), len(x), 1)
    return float(np.median(square[pairs[0], pairs[1]].sqrt())) or math.nan


def _squares(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield squared distances from blocks of rows of a to all of b; they may be modified."""
    squares = b.square().sum(1)
    step = max(1, _HELD // max(1, len(b)))
    for start in range(0, len(a), step):
        part = a[start : start + step]
        scale = part.square().sum(1)[:, None] + squares
        found = torch.addmm(scale, part, b.T, alpha=-2)
        yield slice(start, start + step), found.masked_fill_(found < _ROUNDING**2 * scale, 0)
