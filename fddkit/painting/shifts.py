"""Groups made by COBRA's shifts: GAP alters whole images, the semantic offset their colours.

The noise of `gap` is drawn for each image alone and rounded; everything else is in integers.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import derive, normal
from .colouring import PALETTE
from .pieces import check_colour_images, described, in_chunks

GAP_LEVELS = (0, 1, 2, 3, 4)


def gap(
    images: Tensor,
    level: int,
    index: Tensor,
    seed: int,
    sigma: float = 25.0,
    line: Sequence[int] = (255, 255, 255),
    width: int = 1,
) -> Tensor:
    """Move images away from their originals by COBRA's GAP level.

    The levels are cumulative, each starts from the image of the one before:
    0 nothing; 1 channels RGB become GBR; 2 a thin diagonal line; 3 Gaussian noise, clipped, then
    a second diagonal; 4 rotation by 270 degrees (counterclockwise), inversion, fresh noise.

    The paper gives neither the noise's strength nor the line's colour and width: the defaults of
    the last three parameters are our choice.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, H, W]; square for level 4.
    level : int
        0 to 4.
    index : Tensor
        int64 [N], the identity of each image: with ``seed`` it fixes the noise, whatever the batch.
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

    References
    ----------
    COBRA (Moslemi et al. 2026), appendix F; `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> image = torch.tensor([10, 20, 30], dtype=torch.uint8).view(1, 3, 1, 1)
    >>> gap(image, level=1, index=torch.tensor([0]), seed=0).flatten().tolist()
    [20, 30, 10]
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

    return in_chunks(paint, images, index.to(device))


def _check_gap(
    images: Tensor, level: int, index: Tensor, sigma: float, line: Sequence[int], width: int
) -> None:
    check_colour_images(images)
    if level not in GAP_LEVELS or isinstance(level, bool):
        raise FddkitError(f"gap={level} is not a GAP level; give 0, 1, 2, 3 or 4")
    if not 0 <= sigma < math.inf:
        raise FddkitError(f"sigma={sigma} is not a standard deviation; give 0 or more")
    if len(line) != 3 or not all(0 <= value <= 255 for value in line) or width < 1:
        raise FddkitError(
            f"line={line}, width={width} is not a line; give three values from 0 to 255 "
            "and a width of at least 1"
        )
    if index.shape != images.shape[:1]:
        raise FddkitError(f"index is {described(index)}; give int64 [{len(images)}], one per image")
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
    """Shift the colours of every group but the first: ``x + gamma * v_a``, clipped.

    Every pixel of a group's images is shifted alike, so they still show the same. The paper gives
    gamma from 1 to 4, but neither ``v_a`` nor its scale: the last two parameters are our choice.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, H, W].
    group : Tensor
        int64 [N]; group 0 is not shifted.
    gamma : float
        Strength, 0 or more; 0 leaves every image as it is.
    scale : float
        Size of a shift of 1, in pixel units (0 to 255).
    direction : Tensor, optional
        float [A, 3], ``v_a``. By default from -1 (away) to 1 (towards) in each channel, towards
        the colour opposite to a in `PALETTE`, ``(a + 5) % 10``, so that the shift is also visible
        on images painted in colour a.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If gamma is negative or not finite, or a shape or dtype is not as above.

    References
    ----------
    COBRA (Moslemi et al. 2026); `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> images = torch.full((2, 3, 1, 1), 100, dtype=torch.uint8)
    >>> semantic_offset(images, torch.tensor([0, 1]), gamma=2).flatten(1).tolist()
    [[100, 100, 100], [68, 68, 132]]
    """
    check_colour_images(images)
    if not 0 <= gamma < math.inf:
        raise FddkitError(f"offset={gamma} is not a strength; give 0 or more, such as 1 to 4")
    if not 0 <= scale < math.inf:
        raise FddkitError(f"scale={scale} is not a scale; give 0 or more, in pixel units")
    if group.shape != images.shape[:1] or (group < 0).any():
        raise FddkitError(f"group is {described(group)}; give int64 [{len(images)}], none negative")
    n_groups = int(group.max()) + 1 if len(group) else 1
    if direction is None:
        colour = PALETTE[(torch.arange(n_groups) + 5) % len(PALETTE)]
        direction = (colour.double() / 127.5 - 1).round(decimals=1)
    if len(direction) < n_groups or direction.shape[1:] != (3,):
        raise FddkitError(f"direction is {described(direction)}; give float [{n_groups}, 3]")
    shift = (gamma * scale * direction).round().clamp(-255, 255).to(torch.int16)
    shift[0] = 0
    shift = shift.to(images.device)[group.to(images.device)][:, :, None, None]
    return in_chunks(lambda x, s: (x.short() + s).clamp_(0, 255).to(torch.uint8), images, shift)
