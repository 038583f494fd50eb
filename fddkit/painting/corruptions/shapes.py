"""Changes of shape and detail: elastic, pixelate (Hendrycks and Dietterich 2019)."""

from functools import cache

import torch
from torch import Tensor

from .fixed_point import BITS, POINT, Draws, filtered, gaussian, sampled

#: displacement and its smoothness in pixels, and the shift of corners in 1/100 of the side
_ELASTIC = ((0, 0, 8), (5, 20, 7), (8, 6, 6), (10, 4, 5), (10, 3, 3))
_PIXELATE = (95, 90, 85, 75, 65)  # percent of the side
_FINE = 16  # bits of a random displacement


def elastic(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x under a random affine map, then moved by a smooth random field; both bilinear."""
    size, smooth, corner = _ELASTIC[severity - 1]
    n, one = x.shape[-1], 1 << POINT
    x = sampled(x, *_affine(n, n * corner * one // 100, draws), "mirror")
    rows, columns = torch.arange(n)[:, None] * one, torch.arange(n) * one
    if size:
        matrix = gaussian(n, n * smooth / 100, "reflect", 3.0)
        noise = draws.below((1 << _FINE) + 1, "elastic field", 2, n, n) * 2 - (1 << _FINE)
        field = filtered(matrix, noise) >> 2 * BITS
        moved = (field * (n * size * one)).div(100 << _FINE, rounding_mode="floor")
        x = sampled(x, rows + moved[:, 0], columns + moved[:, 1], "reflect") >> 2 * POINT
    return x >> 2 * POINT


def _affine(n: int, reach: int, draws: Draws) -> tuple[Tensor, Tensor]:
    """Return where pixels come from under a map that moves three corners of a square.

    In 1 / 2**POINT of a pixel: the square is two thirds of the side wide, each corner moves by up
    to ``reach`` in each direction.
    """
    centre, half = n // 2 << POINT, n // 3 << POINT
    corners = torch.tensor([[half, half], [half, -half], [-half, -half]]) + centre
    to = corners + draws.below(2 * reach + 1, "elastic corners", 3, 2) - reach
    (xx, xy), (yx, yy) = ((to[:, a] - to[:, b]).unbind(1) for a, b in ((1, 2), (0, 1)))
    span = (xx * yy - xy * yx)[:, None, None]
    grid = torch.arange(n) << POINT
    right = grid - to[:, 2, 0, None, None]
    down = grid[:, None] - to[:, 2, 1, None, None]
    xx, xy, yx, yy = (side[:, None, None] for side in (xx, xy, yx, yy))
    column = 2 * half * (right * yy - down * yx) // span
    row = 2 * half * (down * xx - right * xy) // span
    return row + corners[2, 1], column + corners[2, 0]


def pixelate(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x made smaller and larger again by averages over boxes, as Pillow does."""
    n = x.shape[-1]
    small = n * _PIXELATE[severity - 1] // 100
    for size in (small, n):
        # rounded after each direction, as in Pillow
        shares, count = _boxes(x.shape[-1], size)
        for _ in range(2):
            x = ((x.double() @ shares.T.double()).long() * 2 + count) // (2 * count)
            x = x.transpose(2, 3)
    return x


@cache
def _boxes(n: int, size: int) -> tuple[Tensor, Tensor]:
    """Return which of n pixels each of ``size`` pixels averages, [size, n], and how many."""
    centre = (2 * torch.arange(size) + 1) * n  # in 1 / (2 size) of a pixel, like the rest
    wide = max(n, size)  # of a box: a pixel at least
    start, end = ((centre + side + size) // (2 * size) for side in (-wide, wide))
    pixel = torch.arange(n)
    inside = (pixel >= start[:, None]) & (pixel < end[:, None])
    return inside.long(), inside.sum(1)
