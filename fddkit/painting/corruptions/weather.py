"""Weather: fog, frost, snow (Hendrycks and Dietterich 2019)."""

from fractions import Fraction

import torch
from torch import Tensor

from .fixed_point import BITS, NORMAL, Draws, filtered, magnified, streaked
from .textures import CLOUD, TILE, clouds, frosted_window

_FOG = ((4, 3.0), (10, 3.0), (15, 2.5), (20, 2.0), (30, 1.75))  # strength in 1/20, decay
_FROST = ((100, 20), (100, 30), (90, 40), (85, 40), (75, 45))  # percent of image and of ice
#: flakes: mean, deviation and threshold in percent, size; their fall: radius, sigma; then percent
#: of the image that is not whitened
_SNOW = (
    (10, 20, 60, Fraction(1), 8, 3, 95),
    (10, 20, 50, Fraction(1), 10, 4, 90),
    (15, 30, 55, Fraction(7, 4), 10, 4, 90),
    (25, 30, 60, Fraction(9, 4), 12, 6, 85),
    (30, 30, 65, Fraction(5, 4), 14, 12, 80),
)


def fog(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return ``(x + c p) m / (m + c)``: p is a cloud from 0 to 1, m the brightest value."""
    strength, decay = _FOG[severity - 1]
    n = x.shape[-1]
    cloud = clouds(1 << (n - 1).bit_length(), decay, draws, "fog")[:, None, :n, :n]
    most = 20 * x.amax((1, 2, 3), keepdim=True)
    return (
        ((20 * x << CLOUD) + 255 * strength * cloud)
        * most
        // (most + 255 * strength << CLOUD)
        // 20
    )


def frost(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return a weighted sum of x and of a random piece of a frosted window.

    The authors take the piece from photographs; here it is a computed texture.
    """
    of_image, of_ice = _FROST[severity - 1]
    side = torch.arange(x.shape[-1])
    down, right = draws.below(TILE, "frost", 2).unbind(1)
    rows, columns = (down[:, None] + side) % TILE, (right[:, None] + side) % TILE
    ice = frosted_window()[:, rows[:, :, None], columns[:, None]].transpose(0, 1)
    return (of_image * x + of_ice * ice) // 100


def snow(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x whitened, with falling flakes and the same flakes turned by 180 degrees."""
    mean, deviation, least, size, radius, sigma, kept = _SNOW[severity - 1]
    n = x.shape[-1]
    flakes = (mean << NORMAL) + deviation * draws.normal("snow", 1, n, n)
    flakes = filtered(magnified(n, size), flakes) >> 2 * BITS
    flakes = torch.where(flakes < least << NORMAL, 0, flakes).clamp(max=100 << NORMAL)
    flakes = 255 * flakes // (100 << NORMAL)
    degree = draws.below(90, "snow falls") - 135
    flakes = (streaked(flakes, radius, sigma, degree) + (1 << BITS - 1)) >> BITS
    gray = (x * torch.tensor([299, 587, 114])[:, None, None]).sum(1, keepdim=True)
    white = torch.maximum(2000 * x, 3 * gray + 255 * 1000)  # 1.5 gray + 0.5, in 1/2000
    x = (kept * 2000 * x + (100 - kept) * white) // 200_000
    return x + flakes + flakes.rot90(2, (2, 3))
