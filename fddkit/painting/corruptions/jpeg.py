"""JPEG compression and decompression in whole numbers (ITU-T T.81, JFIF), without a codec.

What is stored losslessly is left out; what is lost is computed: colour at half the resolution, and
the coefficients of blocks of 8 x 8 pixels, divided and rounded. Pillow with libjpeg-turbo gives the
same up to its own rounding within the transform.
"""

import math
from functools import cache

import torch
from torch import Tensor

from .fixed_point import Draws, border, rounded

_BITS = 18  # of cosines: a block's sums stay below 2**53
_QUALITY = (80, 65, 58, 50, 40)
#: T.81, tables K.1 and K.2, row by row
_LIGHT = """16 11 10 16 24 40 51 61 12 12 14 19 26 58 60 55 14 13 16 24 40 57 69 56
14 17 22 29 51 87 80 62 18 22 37 56 68 109 103 77 24 35 55 64 81 104 113 92
49 64 78 87 103 121 120 101 72 92 95 98 112 100 103 99"""
_COLOUR = """17 18 24 47 99 99 99 99 18 21 26 66 99 99 99 99 24 26 56 99 99 99 99 99
47 66 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99
99 99 99 99 99 99 99 99 99 99 99 99 99 99 99 99"""


def jpeg(x: Tensor, severity: int, draws: Draws) -> Tensor:
    """Return x after compression."""
    return compressed(x, _QUALITY[severity - 1])


def compressed(x: Tensor, quality: int) -> Tensor:
    """Return what a JPEG file of that quality would show.

    Parameters
    ----------
    x : Tensor
        int64 [N, 3, n, n], RGB, 0 to 255.
    quality : int
        1 to 100, on the scale of libjpeg.

    Returns
    -------
    Tensor
        int64 [N, 3, n, n], 0 to 255.
    """
    n = x.shape[-1]
    full = border(torch.arange(-(-n // 16) * 16), n, "nearest")
    red, green, blue = x[:, :, full][:, :, :, full].unbind(1)
    light = (19595 * red + 38470 * green + 7471 * blue + 0x8000) >> 16
    half, middle = 0x7FFF, 128 << 16
    towards_blue = (-11059 * red - 21709 * green + 32768 * blue + middle + half) >> 16
    towards_red = (32768 * red - 27439 * green - 5329 * blue + middle + half) >> 16
    light = _quantised(light, _table(_LIGHT, quality))
    to_blue, to_red = (
        _enlarged(_quantised(_reduced(part), _table(_COLOUR, quality))) - 128
        for part in (towards_blue, towards_red)
    )
    colours = (
        light + ((91881 * to_red + 0x8000) >> 16),
        light + ((-22554 * to_blue - 46802 * to_red + 0x8000) >> 16),
        light + ((116130 * to_blue + 0x8000) >> 16),
    )
    return torch.stack(colours, 1)[:, :, :n, :n].clamp(0, 255)


def _table(text: str, quality: int) -> Tensor:
    """Return the divisors [8, 8] of a quality."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    table = torch.tensor([int(word) for word in text.split()]).view(8, 8)
    return ((table * scale + 50) // 100).clamp(1, 255)


@cache
def _cosines() -> Tensor:
    """Return the transform of 8 pixels, times 2**`_BITS`."""
    rows = (
        (math.sqrt(1 / 8) if u == 0 else 0.5) * math.cos((2 * x + 1) * u * math.pi / 16)
        for u in range(8)
        for x in range(8)
    )
    return torch.tensor(rounded(value * (1 << _BITS) for value in rows)).view(8, 8)


def _quantised(part: Tensor, table: Tensor) -> Tensor:
    """Return one channel [N, n, n] after its coefficients were rounded to multiples of a table."""
    count, n, _ = part.shape
    blocks = part.view(count, n // 8, 8, n // 8, 8).transpose(2, 3).double() - 128
    cosines = _cosines().double()
    # as in libjpeg, coefficients are whole eighths before they are divided
    eighths = ((cosines @ blocks @ cosines.T).long() + (1 << 2 * _BITS - 4)) >> 2 * _BITS - 3
    kept = eighths.sign() * ((eighths.abs() + 4 * table) // (8 * table)) * table
    blocks = (cosines.T @ kept.double() @ cosines).long()
    pixels = (blocks + (1 << 2 * _BITS - 1) >> 2 * _BITS) + 128
    return pixels.clamp(0, 255).transpose(2, 3).reshape(count, n, n)


def _reduced(part: Tensor) -> Tensor:
    """Return the mean of each 2 x 2 pixels; halves are rounded up in every second column."""
    count, n, _ = part.shape
    four = part.view(count, n // 2, 2, n // 2, 2).sum((2, 4))
    return (four + 1 + torch.arange(n // 2) % 2) >> 2


def _enlarged(part: Tensor) -> Tensor:
    """Return twice the pixels in each direction, from the nearest ones by 3/4 and 1/4."""
    n = part.shape[-1]
    at = border(torch.arange(-1, n + 1), n, "nearest")
    rows = part[:, at]
    tall = torch.stack([3 * part + rows[:, :-2], 3 * part + rows[:, 2:]], 2).flatten(1, 2)
    sides = tall[:, :, at]
    left, right = 3 * tall + sides[:, :, :-2] + 8, 3 * tall + sides[:, :, 2:] + 7
    return torch.stack([left, right], 3).flatten(2) >> 4
