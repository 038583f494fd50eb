"""Linear maps of images by bilinear sampling, with a gradient that is the same in every run.

On a GPU, the backward pass of torch's `grid_sample` uses atomic additions, in an order that varies
from run to run. Here each pixel of the gradient gathers its terms in a fixed order.
"""

import math
from itertools import product

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional as F


def warp(images: Tensor, matrix: Tensor, reach: float) -> Tensor:
    """Return images whose pixel p has the value that was at ``matrix @ p``.

    Parameters
    ----------
    images : Tensor
        float [n, C, H, W].
    matrix : Tensor
        float [n, 2, 2], invertible, acting on positions (y, x) in pixels from the image's centre.
    reach : float
        An upper bound on the absolute row sums of the inverses. The gradient takes about
        ``(2 * reach) ** 2`` reads per pixel; the bound is an argument because computing it would
        mean waiting for the GPU.

    Returns
    -------
    Tensor
        Like ``images``: bilinear between pixels, 0 outside the image; differentiable in
        ``images``, once.
    """
    return _Warp.apply(images, matrix, reach)


class _Warp(torch.autograd.Function):
    @staticmethod
    def forward(images: Tensor, matrix: Tensor, reach: float) -> Tensor:
        height, width = images.shape[2:]
        y, x = _move(matrix, _centred(height, matrix)[:, None], _centred(width, matrix))
        grid = torch.stack((x * 2 / width, y * 2 / height), -1)
        return F.grid_sample(images, grid, align_corners=False)

    @staticmethod
    def setup_context(ctx, inputs: tuple, output: Tensor) -> None:
        _, matrix, ctx.reach = inputs
        ctx.save_for_backward(matrix)

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient: Tensor) -> tuple[Tensor, None, None]:
        (matrix,) = ctx.saved_tensors
        height, width = gradient.shape[2:]
        y, x = _centred(height, matrix)[:, None], _centred(width, matrix)
        # pixel (y, x) was read at positions less than one pixel away on each axis; they come from
        # the inverse image of that square, which lies within reach of its centre on each axis
        middle_y, middle_x = _move(torch.linalg.inv_ex(matrix).inverse, y, x)
        first_row = (middle_y - ctx.reach + (height - 1) / 2).floor() + 1
        first_column = (middle_x - ctx.reach + (width - 1) / 2).floor() + 1
        gradient = gradient.flatten(2)
        total = torch.zeros_like(gradient)
        for i, j in product(range(math.ceil(2 * ctx.reach)), repeat=2):
            row, column = first_row + i, first_column + j
            read_y, read_x = _move(matrix, row - (height - 1) / 2, column - (width - 1) / 2)
            weight = (1 - (read_y - y).abs()).clamp(min=0) * (1 - (read_x - x).abs()).clamp(min=0)
            weight *= (row >= 0) & (row < height) & (column >= 0) & (column < width)
            place = (row.clamp(0, height - 1) * width + column.clamp(0, width - 1)).long()
            place = place.flatten(1)[:, None].expand_as(gradient)
            total += weight.flatten(1)[:, None] * gradient.gather(2, place)
        return total.unflatten(2, (height, width)), None, None


def _centred(side: int, like: Tensor) -> Tensor:
    """Return the positions of ``side`` pixels, relative to the centre of the image."""
    return torch.arange(side, dtype=like.dtype, device=like.device) - (side - 1) / 2


def _move(matrix: Tensor, y: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``matrix @ (y, x)`` for matrices [n, 2, 2] and positions that fit [n, H, W]."""
    (a, b), (c, d) = (row.unbind(1) for row in matrix[..., None, None].unbind(1))
    return a * y + b * x, c * y + d * x
