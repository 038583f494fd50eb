"""Which groups' colours an image carries, where the protected attribute is a colour."""

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..data.bias import PALETTE


def palette(group_names: tuple[str, ...]) -> Tensor | None:
    """Return the colour of each group, float64 [A, 3] in [0, 1]; None where groups are no colours.

    Parameters
    ----------
    group_names : tuple of str
        As a data set names them.
    """
    from ..data.catalogue import COLOURS

    if not group_names or not set(group_names) <= set(COLOURS):
        return None
    return PALETTE[[COLOURS.index(name) for name in group_names]].double() / 255


def nearest(images: Tensor, group_names: tuple[str, ...]) -> Tensor:
    """Return the share of each group's colour in an image: every pixel counts for the nearest.

    A pixel counts for the colour of the most similar direction in RGB, as much as it is bright, so
    that a black background does not count. A pixel that mixes many colours looks white here.

    Parameters
    ----------
    images : Tensor
        float [N, 3, H, W] in [0, 1].
    group_names : tuple of str
        Of colours.

    Returns
    -------
    Tensor
        float64 [N, A], rows sum to one (zero for a black image).

    Raises
    ------
    FddkitError
        If the groups are no colours or the images have none.
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
    """Return how much of an image's colour is the majority's, and not a mixture of the others'.

    The sum of the image's pixels is written as ``b * (t * majority + (1 - t) * mean of the
    others)``, by least squares with t in [0, 1] and whatever brightness b. The mean of a class
    has t near the bias ratio; a plain mean of A groups has 1 / A. Whether colours are mixed within
    a pixel or side by side plays no role.

    Parameters
    ----------
    images : Tensor
        float [N, 3, H, W] in [0, 1].
    majority : Tensor
        int64 [N], the group whose colour is the majority's in the class of each image.
    group_names : tuple of str
        Of colours.

    Returns
    -------
    Tensor
        float64 [N], in [0, 1].
    """
    colours = _known(images, group_names)
    total = images.double().sum((2, 3))
    own = colours[majority]
    others = (colours.sum(0) - own) / (len(colours) - 1)
    shares = []
    for image, first, second in zip(total, own, others, strict=True):
        basis = torch.stack([first, second], 1)
        amounts = torch.linalg.lstsq(basis, image).solution
        if amounts.min() < 0:  # the better of the two alone: least squares with two unknowns
            alone = (basis * image[:, None]).sum(0) / basis.square().sum(0)
            left = (image[:, None] - basis * alone).norm(dim=0)
            amounts = torch.where(torch.arange(2) == left.argmin(), alone, 0.0)
        shares.append(amounts[0] / amounts.sum().clamp(min=1e-12))
    return torch.stack(shares)


def _known(images: Tensor, group_names: tuple[str, ...]) -> Tensor:
    colours = palette(group_names)
    if colours is None or images.shape[1] != 3:
        raise FddkitError(
            f"the groups {', '.join(group_names)} are no colours of fddkit's data sets, or the "
            "images have no colour; colour shares need both"
        )
    return colours
