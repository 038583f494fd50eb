"""What a group looks like: pure functions that paint uint8 images.

With `assign_groups` (who gets which group, from `assign`) this is all an injected bias is made
of: `colour_foreground`, `colour_background`, `grayscale`, `gap` and `semantic_offset`. A painter's
result for an image depends on that image alone (its pixels, group and index), never on the batch
it came in. All arithmetic is in integers (the noise of `gap` apart, which is rounded), so that
images are equal bit for bit wherever they are made.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .group_assignment import assign_groups, group_counts, majority_group
from ..core.errors import FddkitError
from ..core.rng import derive, normal

__all__ = [
    "GAP_LEVELS",
    "PALETTE",
    "assign_groups",
    "colour_background",
    "colour_foreground",
    "gap",
    "grayscale",
    "group_counts",
    "majority_group",
    "semantic_offset",
]

#: uint8 [10, 3]; colour i is the majority colour of class i (C-MNIST of ReBias and FairDD).
PALETTE = torch.tensor(
    [
        (255, 0, 0),
        (255, 128, 0),
        (255, 255, 0),
        (255, 255, 128),
        (0, 255, 0),
        (0, 255, 255),
        (0, 0, 255),
        (128, 0, 255),
        (255, 0, 255),
        (255, 255, 255),
    ],
    dtype=torch.uint8,
)
GAP_LEVELS = (0, 1, 2, 3, 4)
_CHUNK = 32  # images painted at a time: intermediates stay in cache and memory is bounded


def colour_foreground(gray: Tensor, colour: Tensor, threshold: int | None = None) -> Tensor:
    """Paint the object in a colour, on black: ``floor(x * colour / 255)``.

    Parameters
    ----------
    gray : Tensor
        uint8 [N, H, W], a bright object on black.
    colour : Tensor
        uint8 [N, 3].
    threshold : int, optional
        Binarise first: pixels from this value on count as 255, the others as 0. C-MNIST has 128,
        C-FMNIST none (`protocols.md`, section 6).

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If a shape or dtype is not as above.
    """

    def paint(gray: Tensor, colour: Tensor) -> Tensor:
        return _scale(_binary(gray, threshold), colour)

    return _colour(gray, colour, paint)


def colour_background(
    gray: Tensor, colour: Tensor, threshold: int | None = None, wrap: bool = False
) -> Tensor:
    """Paint everything but the object in a colour: ``floor((255 - x) * colour / 255)``.

    Parameters
    ----------
    gray : Tensor
        uint8 [N, H, W], a bright object on black; it becomes black on colour.
    colour : Tensor
        uint8 [N, 3].
    threshold : int, optional
        As in `colour_foreground`.
    wrap : bool
        Add ``255 * x`` modulo 256, as FairDD's code for C-FMNIST does (its object colour is 255
        on a scale that ends at 1; `protocols.md`, trap 4): a white pixel becomes 1.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If a shape or dtype is not as above.
    """

    def paint(gray: Tensor, colour: Tensor) -> Tensor:
        gray = _binary(gray, threshold)
        background = _scale(255 - gray, colour)
        return background - gray if wrap else background  # 255 x = -x modulo 256, as uint8 counts

    return _colour(gray, colour, paint)


def _colour(gray: Tensor, colour: Tensor, paint: Callable[..., Tensor]) -> Tensor:
    if gray.dtype != torch.uint8 or gray.ndim != 3:
        raise FddkitError(f"gray images are {_kind(gray)}; give uint8 [N, H, W]")
    if colour.dtype != torch.uint8 or colour.shape != (len(gray), 3):
        raise FddkitError(f"colours are {_kind(colour)}; give uint8 [{len(gray)}, 3], one an image")
    return _in_chunks(paint, gray[:, None], colour.to(gray.device)[:, :, None, None])


def _binary(gray: Tensor, threshold: int | None) -> Tensor:
    return gray if threshold is None else (gray >= threshold).to(torch.uint8) * 255


def _scale(x: Tensor, colour: Tensor) -> Tensor:
    """Return floor(x * colour / 255) of uint8 tensors, without a division."""
    product = x.int() * colour.int()
    return ((product + 1 + (product >> 8)) >> 8).to(torch.uint8)


def grayscale(images: Tensor) -> Tensor:
    """Take the colour away, as Pillow's mode "L" does, exactly; three equal channels remain.

    ``(19595 R + 38470 G + 7471 B + 32768) >> 16``, ITU-R 601-2 luma in fixed point.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, H, W].

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If the images are not as above.
    """
    _check_colour_images(images)

    def paint(images: Tensor) -> Tensor:
        red, green, blue = images.int().unbind(1)
        luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
        return luma.to(torch.uint8)[:, None].expand(-1, 3, -1, -1)

    return _in_chunks(paint, images)


def gap(
    images: Tensor,
    level: int,
    index: Tensor,
    seed: int,
    sigma: float = 25.0,
    line: Sequence[int] = (255, 255, 255),
    width: int = 1,
) -> Tensor:
    """Move images away from their originals by COBRA's GAP level (appendix F).

    The levels are nested, each begins with the image of the one before:
    0 nothing; 1 channels RGB become GBR; 2 a thin diagonal line; 3 Gaussian noise, clipped, then
    a second diagonal; 4 rotation by 270 degrees (counterclockwise), inversion, fresh noise.

    The paper does not give the noise's strength, nor the line's colour and width: the defaults of
    the last three parameters are our choice.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, H, W]; square for level 4.
    level : int
        0 to 4.
    index : Tensor
        int64 [N], which image each one is: with ``seed`` it fixes the noise, whatever the batch.
    seed : int
        Names the noise.
    sigma : float
        Standard deviation of the noise, in pixel units (0 to 255).
    line : sequence of int
        Colour of the lines: three numbers from 0 to 255.
    width : int
        Width of the lines in pixels (along a row).

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W]; ``images`` itself at level 0.

    Raises
    ------
    FddkitError
        If the level or an option is outside its range, or a shape or dtype is not as above.
    """
    _check_gap(images, level, index, sigma, line, width)
    if level == 0:
        return images
    (height, columns), device = images.shape[2:], images.device
    ink = torch.tensor(line, dtype=torch.uint8, device=device)[:, None, None]
    rows = torch.arange(height, device=device)[:, None]
    offset = rows - torch.arange(columns, device=device) * height // columns + width // 2
    diagonal = (offset >= 0) & (offset < width)

    def noisy(images: Tensor, index: Tensor, stream: int) -> Tensor:
        noise = normal(index, tuple(images.shape[1:]), derive(seed, "gap", stream))
        return (images + sigma * noise).round_().clamp_(0, 255).to(torch.uint8)

    def paint(images: Tensor, index: Tensor) -> Tensor:
        images = images[:, [1, 2, 0]]
        if level >= 2:
            images = torch.where(diagonal, ink, images)
        if level >= 3:
            images = torch.where(diagonal.flip(1), ink, noisy(images, index, 3))
        if level >= 4:
            images = noisy(255 - images.rot90(3, (2, 3)), index, 4)
        return images

    return _in_chunks(paint, images, index.to(device))


def _check_gap(
    images: Tensor, level: int, index: Tensor, sigma: float, line: Sequence[int], width: int
) -> None:
    _check_colour_images(images)
    if level not in GAP_LEVELS or isinstance(level, bool):
        raise FddkitError(f"gap={level} is not a GAP level; give 0, 1, 2, 3 or 4")
    if not 0 <= sigma < math.inf:
        raise FddkitError(f"sigma={sigma} is no standard deviation; give a number from 0 on")
    if len(line) != 3 or not all(0 <= value <= 255 for value in line) or width < 1:
        raise FddkitError(
            f"line={line}, width={width} is no line; give three values from 0 to 255 and a width "
            "of at least 1"
        )
    if index.shape != images.shape[:1]:
        raise FddkitError(f"index is {_kind(index)}; give int64 [{len(images)}], one an image")
    height, columns = images.shape[2:]
    if level == 4 and height != columns:
        raise FddkitError(f"GAP 4 rotates, so images must be square, not {height} x {columns}")


def semantic_offset(
    images: Tensor,
    group: Tensor,
    gamma: float,
    scale: float = 16.0,
    direction: Tensor | None = None,
) -> Tensor:
    """Shift the colours of every group but the first: ``x + gamma * v_a``, clipped (COBRA).

    The same shift at every pixel of a group's images, so what they show stays. The paper gives
    gamma from 1 to 4, but neither ``v_a`` nor its scale: the last two parameters are our choice.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, H, W].
    group : Tensor
        int64 [N]; group 0 is not shifted.
    gamma : float
        Strength, from 0 on; 0 leaves every image as it is.
    scale : float
        Pixel units (0 to 255) that a shift of 1 stands for.
    direction : Tensor, optional
        float [A, 3], ``v_a``. If left out, from -1 (away) to 1 (towards) in each channel, towards
        the colour opposite to a in `PALETTE`, ``(a + 5) % 10``, so that it also shows on a set
        that is painted in colour a.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If gamma is negative or not finite, or a shape or dtype is not as above.
    """
    _check_colour_images(images)
    if not 0 <= gamma < math.inf:
        raise FddkitError(f"offset={gamma} is no strength; give a number from 0 on, such as 1 to 4")
    if not 0 <= scale < math.inf:
        raise FddkitError(f"scale={scale} is no scale; give a number of pixel units from 0 on")
    if group.shape != images.shape[:1] or (group < 0).any():
        raise FddkitError(f"group is {_kind(group)}; give int64 [{len(images)}], none negative")
    n_groups = int(group.max()) + 1 if len(group) else 1
    if direction is None:
        colour = PALETTE[(torch.arange(n_groups) + 5) % len(PALETTE)]
        direction = (colour.double() / 127.5 - 1).round(decimals=1)
    if len(direction) < n_groups or direction.shape[1:] != (3,):
        raise FddkitError(f"direction is {_kind(direction)}; give float [{n_groups}, 3]")
    shift = (gamma * scale * direction).round().clamp(-255, 255).to(torch.int16)
    shift[0] = 0
    shift = shift.to(images.device)[group.to(images.device)][:, :, None, None]
    return _in_chunks(lambda x, s: (x.short() + s).clamp_(0, 255).to(torch.uint8), images, shift)


def _check_colour_images(images: Tensor) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise FddkitError(f"images are {_kind(images)}; give uint8 [N, 3, H, W]")


def _kind(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"


def _in_chunks(paint: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply ``paint`` to a few images at a time; it must treat them one by one."""
    chunks = zip(*(tensor.split(_CHUNK) for tensor in tensors), strict=True)
    painted = paint(*next(chunks))
    # not the concatenation of the pieces, which would double and fragment the memory
    result = painted.new_empty(len(tensors[0]), *painted.shape[1:])
    result[:_CHUNK] = painted
    for start, chunk in enumerate(chunks, start=1):
        result[start * _CHUNK : (start + 1) * _CHUNK] = paint(*chunk)
    return result
