"""Colours that vary from image to image: the C-MNIST of LfF, DFA, SelecMix and the KDE paper.

Whole numbers throughout, so that images are identical bit for bit on every machine.
"""

import torch
from torch import Tensor

from ..core.errors import FddkitError
from .corruptions.fixed_point import NORMAL, Draws
from .pieces import check_rows, check_severity, described, in_chunks

#: uint8 [10, 3]; colour i is the mean colour of class i (LfF's data/resource/colors.th, rounded).
MEAN_COLOURS = torch.tensor(
    [
        (251, 80, 43),
        (253, 233, 90),
        (172, 118, 148),
        (200, 212, 153),
        (22, 198, 250),
        (82, 245, 114),
        (6, 60, 193),
        (142, 26, 194),
        (53, 100, 5),
        (213, 52, 68),
    ],
    dtype=torch.uint8,
)
COLOUR_NAMES = ("vermilion", "yellow", "mauve", "pale green", "sky blue")
COLOUR_NAMES += ("green", "blue", "purple", "dark green", "crimson")
_SPREAD = (50, 20, 10, 5, 2)  # standard deviation by severity, in 1/1000 of white


def colour_with_jitter(
    gray: Tensor, group: Tensor, severity: int, index: Tensor, seed: int
) -> Tensor:
    """Paint the object in the mean colour of its group plus noise, one draw for each image.

    ``floor(x * clip(mean + s z) / 255)`` with z standard normal in each channel, on black.

    Parameters
    ----------
    gray : Tensor
        uint8 [N, H, W], a bright object on black; its shades are kept.
    group : Tensor
        int64 [N], 0 to 9.
    severity : int
        1 to 5: the noise's standard deviation is 0.05, 0.02, 0.01, 0.005 or 0.002 of white.
    index : Tensor
        int64 [N], the identity of each image.
    seed : int
        Names the noise.

    Returns
    -------
    Tensor
        uint8 [N, 3, H, W].

    Raises
    ------
    FddkitError
        If the severity is outside its range, or a shape or dtype is not as above.

    References
    ----------
    LfF (Nam et al. 2020), data/colored_mnist_protocol.py; `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> gray, one = torch.full((1, 1, 1), 255, dtype=torch.uint8), torch.tensor([1])
    >>> colour_with_jitter(gray, one, severity=5, index=one, seed=0).flatten().tolist()
    [252, 233, 90]
    """
    if gray.dtype != torch.uint8 or gray.ndim != 3:
        raise FddkitError(f"gray images are {described(gray)}; give uint8 [N, H, W]")
    check_severity(severity)
    check_rows(len(gray), group, index, len(MEAN_COLOURS))
    noise = 255 * _SPREAD[severity - 1] * Draws(index, seed).normal("colour", 3)
    colour = (MEAN_COLOURS[group].long() << NORMAL) + noise // 1000
    colour = colour.clamp(0, 255 << NORMAL)[:, :, None, None]

    def paint(gray: Tensor, colour: Tensor) -> Tensor:
        return (gray.long() * colour // (255 << NORMAL)).to(torch.uint8)

    return in_chunks(paint, gray[:, None], colour)
