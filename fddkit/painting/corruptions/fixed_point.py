"""Arithmetic in whole numbers for all corruptions: random draws, filters, sampling.

Floats appear in two places, neither of which can differ between machines. Tables of weights are
computed in float64 and rounded once (`rounded`): a test sees to it that none lies so near the
middle of two whole numbers that another mathematics library would round it the other way. And
products of matrices (`filtered`) are taken in float64 of whole numbers below 2**53, which is exact
in any order.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from statistics import NormalDist

import torch
from torch import Tensor

from ...core.rng import bits, derive

BITS = 14
ONE = 1 << BITS  # of weights
NORMAL = 12  # bits after the point of `Draws.normal`
POINT = 8  # bits after the point of a position in `sampled`


def rounded(values: Iterable[float]) -> list[int]:
    """Return the nearest whole numbers."""
    return [round(value) for value in values]


def weights(values: Sequence[float]) -> list[int]:
    """Return whole numbers in these proportions that sum to `ONE`; the largest takes the error."""
    total = math.fsum(values)
    whole = rounded(ONE * value / total for value in values)
    whole[whole.index(max(whole))] += ONE - sum(whole)
    return whole


@cache
def _quantiles() -> Tensor:
    """Return 65,536 equally likely standard normal numbers, times 2**`NORMAL`."""
    normal, half = NormalDist(), 1 << 15
    shares = ((half + i + 0.5) / (2 * half) for i in range(half))
    upper = rounded(normal.inv_cdf(share) * (1 << NORMAL) for share in shares)
    return torch.tensor([-value for value in reversed(upper)] + upper)


@dataclass(frozen=True)
class Draws:
    """Random whole numbers for some images, each from its index and the seed alone.

    Attributes
    ----------
    index : Tensor
        int64 [N], the identity of each image.
    seed : int
        Names all draws.
    """

    index: Tensor
    seed: int

    def bits(self, name: str, *shape: int) -> Tensor:
        """Return 64 bits for each number, int64 [N, *shape]."""
        return bits(self.index, shape, derive(self.seed, name))

    def below(self, n: int, name: str, *shape: int) -> Tensor:
        """Return whole numbers from 0 to ``n - 1``, equally likely; ``n`` at most 2**31."""
        return ((self.bits(name, *shape) >> 20) & 0xFFFFFFFF) * n >> 32

    def normal(self, name: str, *shape: int) -> Tensor:
        """Return standard normal numbers times 2**`NORMAL`, at most 4.3 in size."""
        return _quantiles()[(self.bits(name, *shape) >> 30) & 0xFFFF]


def border(position: Tensor, n: int, edge: str) -> Tensor:
    """Bring positions outside 0 .. n - 1 back: the pixel that stands for them.

    Parameters
    ----------
    position : Tensor
        int64, any.
    n : int
        Pixels.
    edge : str
        ``"nearest"`` (a a | a b c), ``"reflect"`` (b a | a b c) or ``"mirror"`` (c b | a b c).

    Returns
    -------
    Tensor
        int64, from 0 to n - 1.
    """
    if edge == "nearest":
        return position.clamp(0, n - 1)
    if edge == "reflect":
        position = position % (2 * n)
        return torch.minimum(position, 2 * n - 1 - position)
    position = position % max(2 * n - 2, 1)
    return torch.minimum(position, 2 * n - 2 - position)


@cache
def gaussian(n: int, sigma: float, edge: str, truncate: float = 4.0) -> Tensor:
    """Return the matrix [n, n] that blurs n pixels by a Gaussian, as SciPy truncates it."""
    radius = int(truncate * sigma + 0.5)
    offsets = range(-radius, radius + 1)
    kernel = weights([math.exp(-0.5 * (i / sigma) ** 2) if i else 1.0 for i in offsets])
    matrix = torch.zeros(n, n, dtype=torch.int64)
    rows = torch.arange(n)
    for i, weight in zip(offsets, kernel, strict=True):
        matrix.index_put_((rows, border(rows + i, n, edge)), torch.tensor(weight), accumulate=True)
    return matrix


@cache
def magnified(n: int, zoom: Fraction) -> Tensor:
    """Return the matrix [n, n] that magnifies the middle of n pixels linearly, corners kept."""
    cropped = math.ceil(n / zoom)
    size = round(cropped * zoom)
    top, trim = (n - cropped) // 2, (size - n) // 2
    matrix = torch.zeros(n, n, dtype=torch.int64)
    for i in range(n):
        position = Fraction((i + trim) * (cropped - 1), size - 1)
        left = min(math.floor(position), cropped - 2)
        share = round((position - left) * ONE)
        matrix[i, top + left] += ONE - share
        matrix[i, top + left + 1] += share
    return matrix


def filtered(matrix: Tensor, x: Tensor) -> Tensor:
    """Return ``matrix @ x @ matrix.T`` of whole numbers, int64 [..., n, n], exactly."""
    matrix, x = matrix.T.double(), x.double()
    for _ in range(2):  # along rows, then along columns
        x = (x.contiguous() @ matrix).transpose(-1, -2)
    return x.long()


def shifted(x: Tensor, down: Tensor, right: Tensor) -> Tensor:
    """Return x [N, C, H, W] at ``i + down[n], j + right[n]``; edges repeat."""
    (count, channels, height, width) = x.shape
    rows = border(torch.arange(height) + down[:, None], height, "nearest")
    columns = border(torch.arange(width) + right[:, None], width, "nearest")
    at = torch.arange(count)[:, None, None, None], torch.arange(channels)[:, None, None]
    return x[(*at, rows[:, None, :, None], columns[:, None, None, :])]


def sampled(x: Tensor, row: Tensor, column: Tensor, edge: str) -> Tensor:
    """Interpolate bilinearly at positions in 1 / 2**`POINT` of a pixel.

    Parameters
    ----------
    x : Tensor
        int64 [N, C, H, W].
    row, column : Tensor
        int64 [N, H, W], positions times 2**`POINT`.
    edge : str
        As in `border`.

    Returns
    -------
    Tensor
        int64 [N, C, H, W], times 4**`POINT`.
    """
    (count, channels, height, width), one = x.shape, 1 << POINT
    at = torch.arange(count)[:, None, None, None], torch.arange(channels)[:, None, None]
    top, left = row >> POINT, column >> POINT
    result = torch.zeros_like(x)
    for i, by_row in ((0, one - (row & (one - 1))), (1, row & (one - 1))):
        for j, by_column in ((0, one - (column & (one - 1))), (1, column & (one - 1))):
            rows, columns = border(top + i, height, edge), border(left + j, width, edge)
            result += (by_row * by_column)[:, None] * x[(*at, rows[:, None], columns[:, None])]
    return result


def streaked(x: Tensor, radius: int, sigma: float, degree: Tensor) -> Tensor:
    """Blur along a line, as ImageMagick's motion blur does: half a Gaussian, edges repeated.

    Parameters
    ----------
    x : Tensor
        int64 [N, C, H, W].
    radius : int
        The line has ``2 * radius + 1`` pixels.
    sigma : float
        Standard deviation of the Gaussian, in pixels.
    degree : Tensor
        int64 [N], direction of the line: degree + 1/2, so that no step of it ends between two
        pixels.

    Returns
    -------
    Tensor
        int64 [N, C, H, W], times `ONE`.
    """
    length = 2 * radius + 1
    kernel = weights([math.exp(-0.5 * (i / sigma) ** 2) for i in range(length)])
    down, right = _line(length)
    result = torch.zeros_like(x)
    for i, weight in enumerate(kernel):
        if weight:
            result += weight * shifted(x, down[degree % 360, i], right[degree % 360, i])
    return result


@cache
def _line(length: int) -> tuple[Tensor, Tensor]:
    """Return the steps [360, length] of a line in each direction."""
    angles = [math.radians(degree + 0.5) for degree in range(360)]
    down, right = (
        torch.tensor([rounded(i * side(angle) for i in range(length)) for angle in angles])
        for side in (math.sin, math.cos)
    )
    return down, right
