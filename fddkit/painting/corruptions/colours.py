"""Changes of colour: contrast, brightness, saturation (Hendrycks and Dietterich 2019)."""

import torch
from torch import Tensor

from .fixed_point import Draws

_CONTRAST = (75, 50, 40, 30, 15)  # percent
_BRIGHTNESS = (5, 10, 15, 20, 30)  # percent of white
_SATURATE = ((3, 0), (1, 0), (15, 0), (20, 1), (25, 2))  # factor and summand, in tenths


def contrast(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return every channel drawn together around its mean."""
    share, pixels = _CONTRAST[severity - 1], x.shape[-1] * x.shape[-2]
    total = x.sum((2, 3), keepdim=True)
    return (share * pixels * x + (100 - share) * total) // (100 * pixels)


def brightness(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x with a larger value (HSV), at the same hue and saturation."""
    value = x.amax(1, keepdim=True)
    raised = (100 * value + 255 * _BRIGHTNESS[severity - 1]).clamp(max=25_500)
    black = value == 0  # no hue: it becomes gray
    return torch.where(black, raised // 100, x * raised // (100 * value + black))


def saturate(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x with another saturation (HSV), at the same hue and value.

    Gray has no hue; if saturation is added, it turns red, as HSV with hue 0 has it.
    """
    factor, summand = _SATURATE[severity - 1]
    value = x.amax(1, keepdim=True)
    chroma = value - x.amin(1, keepdim=True)
    gray = chroma == 0
    below = torch.where(gray, torch.tensor([0, 1, 1])[:, None, None], value - x)
    size = torch.where(gray, 1, chroma)
    # saturation is chroma / value; here the new one times 10 value
    new = (factor * chroma + summand * value).clamp(max=10 * value)
    return (10 * size * value - below * new) // (10 * size)
