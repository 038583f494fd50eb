"""Which groups' colours an image contains, if the protected attribute is a colour."""

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..painting.bias import PALETTE


def palette(group_names: tuple[str, ...]) -> Tensor | None:
    """Return the colour of each group, or None if the groups are not colours.

    Parameters
    ----------
    group_names : tuple of str
        Names of the groups of a data set.

    Returns
    -------
    Tensor or None
        float64 [A, 3] in [0, 1].

    Examples
    --------
    >>> import fddkit as fdd
    >>> fdd.colours.palette(("red", "blue"))
    tensor([[1., 0., 0.],
            [0., 0., 1.]], dtype=torch.float64)
    >>> fdd.colours.palette(("gray", "colour")) is None
    True
    """
    from ..data.catalogue import COLOURS

    if not group_names or not set(group_names) <= set(COLOURS):
        return None
    return PALETTE[[COLOURS.index(name) for name in group_names]].double() / 255


def nearest(images: Tensor, group_names: tuple[str, ...]) -> Tensor:
    """Return the share of each group's colour in an image; every pixel counts for the nearest.

    A pixel counts for the colour whose direction in RGB is most similar, weighted by its
    brightness, so a black background does not count. A pixel that mixes many colours counts as
    white.

    Parameters
    ----------
    images : Tensor
        float [N, 3, H, W] in [0, 1].
    group_names : tuple of str
        Names of the groups, which are colours.

    Returns
    -------
    Tensor
        float64 [N, A], rows sum to one (zero for a black image).

    Raises
    ------
    FddkitError
        If the groups are not colours or the images have none.

    Examples
    --------
    An image of one red pixel, one blue pixel and two black ones:

    >>> import torch
    >>> import fddkit as fdd
    >>> image = torch.zeros(1, 3, 2, 2)
    >>> image[0, 0, 0, 0] = image[0, 2, 1, 1] = 1.0
    >>> fdd.colours.nearest(image, ("red", "blue"))
    tensor([[0.5000, 0.5000]], dtype=torch.float64)
    """
    colours = _known(images, group_names)
    pixels = images.double().flatten(2).mT  # [N, pixels, 3]
    similar = torch.nn.functional.normalize(pixels, dim=-1) @ (
        torch.nn.functional.normalize(colours, dim=-1).mT
    )
    weight = pixels.amax(-1)
    shares = torch.zeros(len(images), len(colours), dtype=torch.float64)
    shares.scatter_add_(1, similar.argmax(-1), weight)
    return shares / shares.sum(1, keepdim=True).clamp(min=1e-12)


def majority_share(images: Tensor, majority: Tensor, group_names: tuple[str, ...]) -> Tensor:
    """Return how much of an image's colour is the majority's rather than the others'.

    The sum of the image's pixels is written as ``b * (t * majority + (1 - t) * mean of the
    others)``, by least squares with t in [0, 1] and any brightness b. For the mean of a class, t is
    near the bias ratio; for the plain mean of A groups it is 1 / A. It does not matter whether
    colours are mixed within a pixel or side by side.

    Parameters
    ----------
    images : Tensor
        float [N, 3, H, W] in [0, 1].
    majority : Tensor
        int64 [N], the group whose colour is the majority's in the class of each image.
    group_names : tuple of str
        Names of the groups, which are colours.

    Returns
    -------
    Tensor
        float64 [N], in [0, 1].

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> image = torch.tensor([0.75, 0.0, 0.25])[None, :, None, None]  # one pixel, mostly red
    >>> fdd.colours.majority_share(image, torch.tensor([0]), ("red", "blue"))
    tensor([0.7500], dtype=torch.float64)
    """
    colours = _known(images, group_names)
    total = images.double().sum((2, 3))
    major = colours[majority]
    others = (colours.sum(0) - major) / (len(colours) - 1)
    shares = []
    for image, first, second in zip(total, major, others, strict=True):
        basis = torch.stack([first, second], 1)
        amounts = torch.linalg.lstsq(basis, image).solution
        if amounts.min() < 0:  # the better of the two alone solves the constrained problem
            alone = (basis * image[:, None]).sum(0) / basis.square().sum(0)
            left = (image[:, None] - basis * alone).norm(dim=0)
            amounts = torch.where(torch.arange(2) == left.argmin(), alone, 0.0)
        shares.append(amounts[0] / amounts.sum().clamp(min=1e-12))
    return torch.stack(shares)


def _known(images: Tensor, group_names: tuple[str, ...]) -> Tensor:
    colours = palette(group_names)
    if colours is None or images.shape[1] != 3:
        raise FddkitError(
            f"the groups {', '.join(group_names)} are not colours of fddkit's data sets, or the "
            "images have no colour; colour shares need both"
        )
    return colours
