"""Corrupting images by name: the twenty kinds of Corrupted CIFAR-10."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...core.errors import FddkitError, unknown
from ..pieces import check_colour_images, check_rows, check_severity, in_chunks
from .blurs import defocus_blur, gaussian_blur, glass_blur, motion_blur, zoom_blur
from .colours import brightness, contrast, saturate
from .fixed_point import Draws
from .jpeg import jpeg
from .noises import gaussian_noise, impulse_noise, shot_noise, speckle_noise
from .shapes import elastic, pixelate
from .spatter import spatter
from .weather import fog, frost, snow


def _original(x: Tensor, severity: int, draws: Draws) -> Tensor:
    return x


#: Name -> corruption: whole numbers [N, 3, n, n] to the same, to be cut to 0 .. 255.
CORRUPTIONS: dict[str, Callable[[Tensor, int, Draws], Tensor]] = {
    "Gaussian noise": gaussian_noise,
    "shot noise": shot_noise,
    "impulse noise": impulse_noise,
    "speckle noise": speckle_noise,
    "Gaussian blur": gaussian_blur,
    "defocus blur": defocus_blur,
    "glass blur": glass_blur,
    "motion blur": motion_blur,
    "zoom blur": zoom_blur,
    "original": _original,
    "snow": snow,
    "frost": frost,
    "fog": fog,
    "brightness": brightness,
    "contrast": contrast,
    "spatter": spatter,
    "elastic": elastic,
    "JPEG": jpeg,
    "pixelate": pixelate,
    "saturate": saturate,
}
_SMALLEST = 8  # pixels of a side


def corrupt(
    images: Tensor, names: Sequence[str], group: Tensor, severity: int, index: Tensor, seed: int
) -> Tensor:
    """Corrupt every image in the way of its group.

    The result for an image depends on its pixels, its group, its index and the seed, and all
    arithmetic is in whole numbers: it is the same in any batch and on any machine.

    Parameters
    ----------
    images : Tensor
        uint8 [N, 3, n, n], n at least 8.
    names : sequence of str
        The corruption of each group, from `CORRUPTIONS`.
    group : Tensor
        int64 [N], 0 to ``len(names) - 1``.
    severity : int
        1 to 5, as in CIFAR-10-C.
    index : Tensor
        int64 [N], the identity of each image.
    seed : int
        Names the random draws.

    Returns
    -------
    Tensor
        uint8 [N, 3, n, n].

    Raises
    ------
    FddkitError
        If a name is unknown, the severity is outside its range, or a shape or dtype is not as
        above.

    References
    ----------
    Hendrycks and Dietterich 2019 (make_cifar_c.py, for images of 32 pixels); LfF (Nam et al. 2020);
    `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> images, zero = torch.full((1, 3, 8, 8), 100, dtype=torch.uint8), torch.tensor([0])
    >>> corrupt(images, ["brightness"], zero, severity=5, index=zero, seed=0).unique().tolist()
    [176]
    """
    _check(images, names, group, severity, index)
    result = images.clone()
    for number, name in enumerate(names):
        rows = torch.where(group == number)[0]

        def paint(x: Tensor, index: Tensor, corruption=CORRUPTIONS[name]) -> Tensor:
            changed = corruption(x.long(), severity, Draws(index, seed))
            return changed.clamp(0, 255).to(torch.uint8)

        if len(rows):
            result[rows] = in_chunks(paint, images[rows], index[rows])
    return result


def _check(
    images: Tensor, names: Sequence[str], group: Tensor, severity: int, index: Tensor
) -> None:
    check_colour_images(images)
    for name in names:
        if name not in CORRUPTIONS:
            raise unknown("corruption", name, CORRUPTIONS)
    check_severity(severity)
    if images.shape[2] != images.shape[3] or images.shape[2] < _SMALLEST:
        raise FddkitError(
            f"images are {images.shape[2]} x {images.shape[3]}; corruptions need squares of at "
            f"least {_SMALLEST} pixels"
        )
    check_rows(len(images), group, index, len(names))
