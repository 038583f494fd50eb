import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from fddkit.training.warp import warp


def numbers(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def turn(degrees, stretch=(1.0, 1.0)):
    angle = math.radians(degrees)
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = torch.tensor([[cos, sin], [-sin, cos]], dtype=torch.float64)
    return matrix * torch.tensor(stretch, dtype=torch.float64)


def by_loops(image, matrix):
    """Return one warped image: each output pixel from its four neighbours, 0 outside."""
    height, width = image.shape[1:]
    out = torch.zeros_like(image)
    for i in range(height):
        for j in range(width):
            y, x = i - (height - 1) / 2, j - (width - 1) / 2
            from_y = float(matrix[0, 0] * y + matrix[0, 1] * x) + (height - 1) / 2
            from_x = float(matrix[1, 0] * y + matrix[1, 1] * x) + (width - 1) / 2
            for row in (math.floor(from_y), math.floor(from_y) + 1):
                for column in (math.floor(from_x), math.floor(from_x) + 1):
                    if 0 <= row < height and 0 <= column < width:
                        weight = (1 - abs(from_y - row)) * (1 - abs(from_x - column))
                        out[:, i, j] += weight * image[:, row, column]
    return out


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 9),
    width=st.integers(1, 9),
    degrees=st.floats(-180, 180),
    stretch=st.tuples(st.floats(0.6, 1.6), st.floats(0.6, 1.6)),
    seed=st.integers(0, 10**6),
)
def test_the_image_and_its_gradient_equal_the_loops(height, width, degrees, stretch, seed):
    images = numbers(2, 2, height, width, seed=seed).requires_grad_()
    weights = numbers(2, 2, height, width, seed=seed + 1)
    matrix = torch.stack([turn(degrees, stretch), turn(-degrees / 3)])
    reach = float(torch.linalg.inv(matrix).abs().sum(2).max())
    fast = warp(images, matrix, reach)
    slow = torch.stack([by_loops(x, m) for x, m in zip(images, matrix, strict=True)])
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    gradients = [torch.autograd.grad((weights * out).sum(), images)[0] for out in (fast, slow)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


def test_gradcheck():
    images = numbers(2, 1, 5, 4).requires_grad_()
    matrix = torch.stack([turn(12.0, (1.1, 0.9)), turn(-15.0)])
    assert torch.autograd.gradcheck(lambda x: warp(x, matrix, 1.5), images)


def test_a_quarter_turn_moves_pixels_by_hand():
    image = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]).view(1, 1, 3, 3)
    matrix = torch.tensor([[[0.0, 1.0], [-1.0, 0.0]]])
    expected = torch.tensor([[3.0, 6.0, 9.0], [2.0, 5.0, 8.0], [1.0, 4.0, 7.0]]).view(1, 1, 3, 3)
    # the pixel at (y, x) shows what was at (x, -y): the upper left corner shows the upper right
    torch.testing.assert_close(warp(image, matrix, 1.0), expected)
    torch.testing.assert_close(
        warp(image, 2 * torch.eye(2)[None], 0.5)[0, 0, 1:, 1:], torch.tensor([[5.0, 0], [0, 0]])
    )


def test_the_gradient_agrees_with_grid_samples_own_on_photograph_sizes():
    images = numbers(3, 3, 64, 64).requires_grad_()
    matrix = torch.stack([turn(15.0), turn(-7.0, (0.85, 1.2)), torch.eye(2).double()])
    theta = torch.zeros(3, 2, 3, dtype=torch.float64)
    theta[:, :, :2] = matrix.flip(1, 2)  # torch counts x first, and the sides are equal here
    grid = F.affine_grid(theta, images.shape, align_corners=False)
    theirs = F.grid_sample(images, grid, align_corners=False)
    ours = warp(images, matrix, 1.5)
    weights = numbers(3, 3, 64, 64, seed=1)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(
        *(torch.autograd.grad((weights * out).sum(), images)[0] for out in (ours, theirs))
    )


def test_a_second_derivative_is_refused_not_wrong():
    images = numbers(1, 1, 4, 4).requires_grad_()
    out = warp(images, turn(5.0)[None], 1.2).square().sum()
    (gradient,) = torch.autograd.grad(out, images, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.gpu
def test_the_gradient_has_the_same_bits_on_every_run():
    images = numbers(64, 3, 64, 64).float().cuda().requires_grad_()
    matrix = turn(11.0).float().cuda().expand(64, 2, 2)
    weights = numbers(64, 3, 64, 64, seed=1).float().cuda()
    runs = [
        torch.autograd.grad((weights * warp(images, matrix, 1.3)).sum(), images)[0]
        for _ in range(5)
    ]
    assert all(torch.equal(run, runs[0]) for run in runs)
