"""Noise on every pixel: Gaussian, shot, impulse, speckle (Hendrycks and Dietterich 2019)."""

from functools import cache

import numpy as np
import torch
from torch import Tensor

from .fixed_point import NORMAL, Draws

_GAUSSIAN = (4, 6, 8, 9, 10)  # standard deviation, percent of white
_SHOT = (500, 250, 100, 75, 50)  # photons of white
_IMPULSE = (1, 2, 3, 5, 7)  # percent of the values
_SPECKLE = (6, 10, 12, 16, 20)  # standard deviation, percent of the pixel
_LEVELS = 4096  # equally likely counts of photons that a table holds


def gaussian_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return ``x + 255 c z``, z standard normal."""
    z = draws.normal("gaussian noise", *x.shape[1:])
    return x + (255 * _GAUSSIAN[severity - 1] * z).div(100 << NORMAL, rounding_mode="floor")


def speckle_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return ``x + x c z``, z standard normal."""
    z = draws.normal("speckle noise", *x.shape[1:])
    return x + (x * _SPECKLE[severity - 1] * z).div(100 << NORMAL, rounding_mode="floor")


def shot_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return ``255 k / c``, k of Poisson's distribution with mean ``c x / 255``."""
    photons = _SHOT[severity - 1]
    level = draws.below(_LEVELS, "shot noise", *x.shape[1:])
    return 255 * poisson(photons)[x, level].long() // photons


@cache
def poisson(photons: int) -> Tensor:
    """Return the quantiles of Poisson's distributions with means ``photons * x / 255``.

    Parameters
    ----------
    photons : int
        The largest mean.

    Returns
    -------
    Tensor
        int32 [256, 4096]: for each x, 4,096 equally likely counts.
    """
    mean = photons * np.arange(256)[:, None] / 255
    share = np.exp(-mean)  # of the count k; below, all shares by recursion
    below = np.zeros((256, _LEVELS), dtype=np.int32)
    levels, total = (np.arange(_LEVELS) + 0.5) / _LEVELS, share.copy()
    for k in range(1, 2 * photons + 20):
        below += total <= levels  # F(k - 1) <= u: the quantile is at least k
        share = share * mean / k
        total = total + share
    return torch.from_numpy(below)


def impulse_noise(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x with a share of all values (channels apart) made black or white."""
    chance = draws.below(200, "impulse noise", *x.shape[1:])
    hit = _IMPULSE[severity - 1]
    return torch.where(chance < hit, 0, torch.where(chance < 2 * hit, 255, x))
