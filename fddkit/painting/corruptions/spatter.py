"""Spatter: drops of water (severities 1 to 3) or mud (Hendrycks and Dietterich 2019).

The authors shade drops with OpenCV: edges (Canny), the distance to them, its equalised histogram,
an embossing filter. These steps are written out here in whole numbers, with exact distances.
"""

import math
from functools import cache

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d

from .fixed_point import BITS, NORMAL, Draws, border, filtered, gaussian, rounded

#: of the liquid: mean, deviation (percent), blur, threshold (percent); strength (percent), if water
_WATER = ((62, 10, 0.7, 70, 50), (65, 10, 0.8, 70, 50), (65, 30, 1.0, 69, 50))
_MUD = ((65, 10, 0.7, 69, 0.6), (65, 10, 0.5, 68, 0.6))  # last: blur of its edge
_TURQUOISE, _BROWN = (175, 238, 238), (63, 42, 20)
_WEAK, _STRONG = 50, 150  # gradients of Canny's edges
_FAR = 20  # pixels; larger distances are cut
_EMBOSS = ((-2, -1, 0), (-1, 1, 1), (0, 1, 2))
_TAN = 13573  # tan(22.5 degrees) in 1/2**15


def spatter(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x with drops that cover it partly (water) or wholly (mud)."""
    n, water = x.shape[-1], severity <= len(_WATER)
    mean, deviation, blur, least, last = (*_WATER, *_MUD)[severity - 1]
    liquid = (mean << NORMAL) + deviation * draws.normal("spatter", n, n)
    liquid = filtered(gaussian(n, blur, "nearest"), liquid) >> 2 * BITS
    wet, white = liquid >= least << NORMAL, 100 << NORMAL
    if water:
        # as in the original, what is above white wraps around
        drops = torch.where(wet, 255 * liquid // white % 256, 0)
        shine = drops * _shade(drops)
        most = shine.amax((1, 2), keepdim=True).clamp(min=1)
        colour = torch.tensor(_TURQUOISE)[:, None, None]
        return x + (last * shine[:, None] * colour) // (100 * most[:, None])
    one = 1 << 2 * BITS
    cover = filtered(gaussian(n, last, "nearest"), (liquid > least << NORMAL).long())
    cover = torch.where(10 * cover < 8 * one, 0, cover)[:, None]
    return (x * (one - cover) + torch.tensor(_BROWN)[:, None, None] * cover) >> 2 * BITS


def _shade(drops: Tensor) -> Tensor:
    """Return how light falls on drops, 0 to 255, int64 [N, H, W]."""
    distance = _averaged(_distance(edges(drops)), 9 << POINT_OF_DISTANCE)
    light = _correlated(_equalised(distance), _EMBOSS).clamp(0, 255)
    return (2 * _correlated(light, ((1, 1, 1),) * 3) + 9) // 18


def _averaged(x: Tensor, of: int) -> Tensor:
    return _correlated(x, ((1, 1, 1),) * 3) // of


def _correlated(x: Tensor, kernel: tuple[tuple[int, ...], ...], edge: str = "mirror") -> Tensor:
    """Return the sum over 3 x 3 pixels with weights."""
    n = x.shape[-1]
    at = border(torch.arange(-1, n + 1), n, edge)
    wide = x[:, at][:, :, at]
    return sum(
        weight * wide[:, i : i + n, j : j + n]
        for i, row in enumerate(kernel)
        for j, weight in enumerate(row)
        if weight
    )


def edges(x: Tensor) -> Tensor:
    """Return Canny's edges: thin ridges of the gradient, strong or connected to strong ones.

    Parameters
    ----------
    x : Tensor
        int64 [N, n, n], gray, 0 to 255.

    Returns
    -------
    Tensor
        bool [N, n, n].
    """
    down = _correlated(x, ((-1, -2, -1), (0, 0, 0), (1, 2, 1)), "nearest")
    right = _correlated(x, ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)), "nearest")
    size, n = down.abs() + right.abs(), x.shape[-1]
    wide = torch.nn.functional.pad(size, (1, 1, 1, 1))

    def beside(i: int, j: int) -> Tensor:
        return wide[:, 1 + i : 1 + i + n, 1 + j : 1 + j + n]

    flat, steep = down.abs() << 15, right.abs() * _TAN
    across = flat < steep  # the gradient points along the row
    along = flat > steep + (right.abs() << 16)  # along the column
    opposite = (down < 0) != (right < 0)
    ridge = torch.where(
        across,
        (size > beside(0, -1)) & (size >= beside(0, 1)),
        torch.where(
            along,
            (size > beside(-1, 0)) & (size >= beside(1, 0)),
            torch.where(
                opposite,
                (size > beside(-1, 1)) & (size > beside(1, -1)),
                (size > beside(-1, -1)) & (size > beside(1, 1)),
            ),
        ),
    )
    weak, found = ridge & (size > _WEAK), ridge & (size > _STRONG)
    while True:  # what is connected to a strong edge, pixel by pixel
        grown = weak & (max_pool2d(found.float()[:, None], 3, 1, 1)[:, 0] > 0)
        if torch.equal(grown, found):
            return found
        found = grown


POINT_OF_DISTANCE = 8


def _distance(edge: Tensor) -> Tensor:
    """Return the distance to the nearest edge, cut at 20, times 2**`POINT_OF_DISTANCE`."""
    n, far = edge.shape[-1], _FAR * _FAR
    squares = (torch.arange(n)[:, None] - torch.arange(n)) ** 2
    by_row = torch.where(edge[:, :, None], squares, far).amin(3)
    square = (by_row[:, None] + squares[:, :, None]).amin(2).clamp(max=far)
    return _roots()[square]


@cache
def _roots() -> Tensor:
    return torch.tensor(
        rounded(math.sqrt(i) * (1 << POINT_OF_DISTANCE) for i in range(_FAR * _FAR + 1))
    )


def _equalised(x: Tensor) -> Tensor:
    """Return gray values spread so that all are about as frequent, as OpenCV does."""
    flat = x.flatten(1)
    count = torch.zeros(len(x), 256, dtype=torch.int64)
    count.scatter_add_(1, flat, torch.ones_like(flat))
    below = count.cumsum(1)
    first = count.gather(1, flat.amin(1, keepdim=True))
    rest = flat.shape[1] - first
    spread = (2 * 255 * (below - first) + rest) // (2 * rest).clamp(min=1)
    spread = torch.where(rest > 0, spread, torch.arange(256))  # of one value: as it is
    return spread.clamp(0, 255).gather(1, flat).view_as(x)
