"""Groups that differ in colour: coloured objects, coloured backgrounds, and gray images.

C-MNIST, C-FMNIST and CIFAR10-S are made with these (ReBias, FairDD). All arithmetic is in integers,
so that images are identical bit for bit on every machine.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.errors import FddkitError
from .pieces import check_colour_images, described, in_chunks

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


def colour_foreground(gray: Tensor, colour: Tensor, threshold: int | None = None) -> Tensor:
    """Paint the object in a colour, on black: ``floor(x * colour / 255)``.

    Parameters
    ----------
    gray : Tensor
        uint8 [N, H, W], a bright object on black.
    colour : Tensor
        uint8 [N, 3].
    threshold : int, optional
        Binarise first: pixels of at least this value become 255, the others 0. C-MNIST uses 128,
        C-FMNIST none.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If a shape or dtype is not as above.

    See Also
    --------
    colour_background : Paint everything but the object.

    References
    ----------
    `docs/methods.md`, "Data sets"; FairDD (Zhou et al. 2025), after ReBias (Bahng et al. 2020).

    Examples
    --------
    >>> gray = torch.tensor([[[0, 128, 255]]], dtype=torch.uint8)
    >>> colour_foreground(gray, PALETTE[[1]])[0, :, 0].tolist()  # 255, 128, 0: orange
    [[0, 128, 255], [0, 64, 128], [0, 0, 0]]
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
        on a scale that ends at 1): a white pixel becomes 1.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If a shape or dtype is not as above.

    See Also
    --------
    colour_foreground : Paint the object.

    References
    ----------
    `docs/methods.md`, "Data sets"; FairDD (Zhou et al. 2025), after ReBias (Bahng et al. 2020).

    Examples
    --------
    >>> gray = torch.tensor([[[0, 128, 255]]], dtype=torch.uint8)
    >>> colour_background(gray, PALETTE[[1]])[0, :, 0].tolist()
    [[255, 127, 0], [128, 63, 0], [0, 0, 0]]
    """

    def paint(gray: Tensor, colour: Tensor) -> Tensor:
        gray = _binary(gray, threshold)
        background = _scale(255 - gray, colour)
        return background - gray if wrap else background  # 255 x = -x modulo 256, as uint8 counts

    return _colour(gray, colour, paint)


def _colour(gray: Tensor, colour: Tensor, paint: Callable[..., Tensor]) -> Tensor:
    if gray.dtype != torch.uint8 or gray.ndim != 3:
        raise FddkitError(f"gray images are {described(gray)}; give uint8 [N, H, W]")
    if colour.dtype != torch.uint8 or colour.shape != (len(gray), 3):
        raise FddkitError(
            f"colours are {described(colour)}; give uint8 [{len(gray)}, 3], one per image"
        )
    return in_chunks(paint, gray[:, None], colour.to(gray.device)[:, :, None, None])


def _binary(gray: Tensor, threshold: int | None) -> Tensor:
    return gray if threshold is None else (gray >= threshold).to(torch.uint8) * 255


def _scale(x: Tensor, colour: Tensor) -> Tensor:
    """Return floor(x * colour / 255) of uint8 tensors, without a division."""
    product = x.int() * colour.int()
    return ((product + 1 + (product >> 8)) >> 8).to(torch.uint8)


def grayscale(images: Tensor) -> Tensor:
    """Remove the colour exactly as Pillow's mode "L" does; three equal channels remain.

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

    Examples
    --------
    >>> grayscale(PALETTE[1].view(1, 3, 1, 1)).flatten().tolist()
    [151, 151, 151]
    """
    check_colour_images(images)

    def paint(images: Tensor) -> Tensor:
        red, green, blue = images.int().unbind(1)
        luma = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
        return luma.to(torch.uint8)[:, None].expand(-1, 3, -1, -1)

    return in_chunks(paint, images)


def gray_or_colour(images: Tensor, group: Tensor) -> Tensor:
    """Return images without colour in group 0 and as they are in the others (`grayscale`)."""
    images, gray = images.clone(), group == 0
    images[gray] = grayscale(images[gray])
    return images
