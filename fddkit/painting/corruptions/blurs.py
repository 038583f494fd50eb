"""Blurs: Gaussian, defocus, glass, motion, zoom (Hendrycks and Dietterich 2019)."""

import math
from fractions import Fraction

import torch
from torch import Tensor

from .fixed_point import BITS, Draws, border, filtered, gaussian, magnified, streaked, weights

_GAUSSIAN = (0.4, 0.6, 0.7, 0.8, 1.0)  # sigma
_DEFOCUS = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1.0, 0.2), (1.5, 0.1))  # radius, soft edge
_GLASS = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))  # sigma, rounds
_MOTION = ((6, 1.0), (6, 1.5), (6, 2.0), (8, 2.0), (9, 2.5))  # radius, sigma
_ZOOM = (7, 12, 16, 21, 26)  # images in the mean: magnified 1.00, 1.01, ... times


def gaussian_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x blurred by a Gaussian."""
    return _blurred(x, _GAUSSIAN[severity - 1])


def _blurred(x: Tensor, sigma: float) -> Tensor:
    return filtered(gaussian(x.shape[-1], sigma, "nearest"), x) >> 2 * BITS


def defocus_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the mean over a disk whose edge is softened by a 3 x 3 Gaussian."""
    radius, soft = _DEFOCUS[severity - 1]
    reach = math.floor(radius)
    inside = {
        (i, j)
        for i in range(-reach, reach + 1)
        for j in range(-reach, reach + 1)
        if i * i + j * j <= radius * radius
    }
    side = range(-reach - 1, reach + 2)
    falloff = (math.exp(-0.5 / soft**2), 1.0, math.exp(-0.5 / soft**2))
    shares = [
        math.fsum(
            falloff[a + 1] * falloff[b + 1]
            for a in (-1, 0, 1)
            for b in (-1, 0, 1)
            if (i - a, j - b) in inside
        )
        for i in side
        for j in side
    ]
    kernel = torch.tensor(weights(shares)).view(len(side), len(side))
    n, middle = x.shape[-1], reach + 1
    at = border(torch.arange(-middle, n + middle), n, "mirror")
    wide, result = x[:, :, at][:, :, :, at], torch.zeros_like(x)
    for i, j in kernel.nonzero().tolist():
        result += kernel[i, j] * wide[:, :, i : i + n, j : j + n]
    return result >> BITS


def glass_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x blurred, each pixel replaced by itself or a neighbour above or left, blurred.

    The authors' code means to exchange neighbours; since both sides of its assignment are views of
    one array, it copies. The first two rows and columns stay, as there.
    """
    sigma, rounds = _GLASS[severity - 1]
    n, x = x.shape[-1], _blurred(x, sigma)
    rows, columns = torch.arange(n)[:, None], torch.arange(n)
    moving = (rows >= 2) & (columns >= 2)
    batch = torch.arange(len(x))[:, None, None, None], torch.arange(x.shape[1])[:, None, None]
    for step in range(rounds):
        move = draws.below(2, f"glass blur {step}", 2, n, n) * moving
        x = x[(*batch, (rows - move[:, 0])[:, None], (columns - move[:, 1])[:, None])]
    return _blurred(x, sigma)


def motion_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x blurred along a line, up to 45 degrees from the horizontal."""
    radius, sigma = _MOTION[severity - 1]
    degree = draws.below(90, "motion blur") - 45
    return (streaked(x, radius, sigma, degree) + (1 << BITS - 1)) >> BITS


def zoom_blur(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return the mean of x and of x magnified by 1.00, 1.01 and so on."""
    count, n = _ZOOM[severity - 1], x.shape[-1]
    # a little more than k hundredths, as sums of floats are: half a pixel is rounded up
    factors = [Fraction(100 + k, 100) + Fraction(1, 10**12) for k in range(count)]
    zooms = torch.stack([magnified(n, factor) for factor in factors]).double()
    # the sum over k of Z_k x Z_k', as one product along rows and one along columns
    wide = (x.double() @ zooms.flatten(0, 1).T).unflatten(-1, (count, n))
    tall = wide.permute(0, 1, 4, 3, 2).flatten(3)  # column, then (k, row)
    total = (tall @ zooms.transpose(0, 1).flatten(1).T).transpose(2, 3).long()
    return ((x << 2 * BITS) + total) // (count + 1 << 2 * BITS)
