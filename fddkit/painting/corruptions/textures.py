"""Textures that are computed, not photographed: clouds, and frost on a window."""

import math
from functools import cache

import torch
from torch import Tensor

from .fixed_point import Draws, rounded

CLOUD = 16  # bits of a height
TILE = 256  # side of the frosted window
_NEEDLES, _GRAIN = 260, 8


def clouds(n: int, decay: float, draws: Draws, name: str) -> Tensor:
    """Return random heights without seams, by the diamond-square algorithm.

    Parameters
    ----------
    n : int
        Side, a power of two.
    decay : float
        By how much what is added at random shrinks from one scale to the next: its root; 1.5 is
        rough, 3 is smooth.
    draws : Draws
        Whose images.
    name : str
        Names the draws.

    Returns
    -------
    Tensor
        int64 [N, n, n], from 0 to 2**`CLOUD`.
    """
    height = torch.zeros(len(draws.index), n, n, dtype=torch.int64)
    step, level = n, 0
    while step > 1:
        half, count = step // 2, n // step
        size = rounded([(100 / decay**level) ** 2 * (1 << _GRAIN)])[0]
        added = draws.below((1 << CLOUD) + 1, f"{name} {level}", 3, count, count)
        added = (added * 2 - (1 << CLOUD)) * size >> CLOUD

        def by(corner: Tensor, axis: int, back: int) -> Tensor:
            return corner + corner.roll(back, axis)

        corner = height[:, ::step, ::step]
        middle = height[:, half::step, half::step]
        middle[:] = (by(by(corner, 1, -1), 2, -1) >> 2) + added[:, 0]
        height[:, ::step, half::step] = (by(middle, 1, 1) + by(corner, 2, -1) >> 2) + added[:, 1]
        height[:, half::step, ::step] = (by(middle, 2, 1) + by(corner, 1, -1) >> 2) + added[:, 2]
        step, level = half, level + 1
    height -= height.amin((1, 2), keepdim=True)
    return (height << CLOUD) // height.amax((1, 2), keepdim=True).clamp(min=1)


@cache
def frosted_window() -> Tensor:
    """Return ice on a dark window: needles with twigs over a thin veil.

    Returns
    -------
    Tensor
        int64 [3, 256, 256], from 0 to 255; opposite edges fit.
    """
    one = Draws(torch.zeros(1, dtype=torch.int64), 0)
    veil = clouds(TILE, 1.7, one, "veil")[0] * 90 >> CLOUD
    ice = torch.zeros(TILE * TILE, dtype=torch.int64)
    starts = one.below(TILE, "needles", _NEEDLES, 2)[0].tolist()
    degrees = one.below(360, "directions", _NEEDLES)[0].tolist()
    lengths = one.below(60, "lengths", _NEEDLES)[0].tolist()
    for (row, column), degree, length in zip(starts, degrees, lengths, strict=True):
        length += 20
        _draw(ice, row, column, degree, length, 235)
        for at in range(6, length, 5):  # twigs, shorter towards the tip
            down, right = _step(degree, at)
            for side in (60, -60):
                bright = 190 - 90 * at // length
                _draw(ice, row + down, column + right, degree + side, (length - at) // 3, bright)
    ice = ice.view(TILE, TILE)
    around = sum(ice.roll((i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)) // 9
    bright = veil + (3 * ice + 3 * around) // 5
    return torch.stack([bright * share // 100 for share in (84, 94, 100)]).clamp(max=255)


def _step(degree: int, length: int) -> tuple[int, int]:
    """Return where a line of that length ends; half degrees keep it off the middle of pixels."""
    angle = math.radians(degree % 360 + 0.5)
    down, right = rounded((length * math.sin(angle), length * math.cos(angle)))
    return down, right


def _draw(ice: Tensor, row: int, column: int, degree: int, length: int, bright: int) -> None:
    """Draw a line that fades towards its end, where it is brighter than what is there."""
    steps = [_step(degree, i) for i in range(length)]
    at = [(row + i) % TILE * TILE + (column + j) % TILE for i, j in steps]
    light = [bright - bright * i // (2 * length) for i in range(length)]
    ice.scatter_reduce_(
        0, torch.tensor(at, dtype=torch.int64), torch.tensor(light, dtype=torch.int64), "amax"
    )
