"""Randomness: every stream is derived from one seed and the name of its purpose.

A stream that is named after what it draws (``generator(seed, "batch", iteration)``) needs no saved
state: a resumed run derives the streams it still needs, and a new draw inserted somewhere does
not shift the numbers drawn elsewhere.
"""

import hashlib
import math

import torch
from torch import Tensor


def derive(seed: int, *keys: object) -> int:
    """Return a 63-bit seed for the stream named by ``keys``.

    Parameters
    ----------
    seed : int
        The seed of the whole run.
    *keys : object
        What the stream is for; anything with a stable ``str``.

    Returns
    -------
    int
        In ``[0, 2**63)``; distinct names give independent values.

    Examples
    --------
    >>> derive(0, "batch", 1) == derive(0, "batch", 1), derive(0, "batch", 1) == derive(0, "init")
    (True, False)
    """
    text = "\x1f".join(map(str, (seed, *keys)))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: int, *keys: object) -> torch.Generator:
    """Return a CPU generator for the stream named by ``keys``.

    Numbers are drawn on the CPU and then moved, so that they are the same on every device.

    Parameters
    ----------
    seed : int
        The seed of the whole run.
    *keys : object
        What the stream is for.

    Returns
    -------
    torch.Generator
    """
    return torch.Generator().manual_seed(derive(seed, *keys))


def _mix(x: Tensor) -> Tensor:
    """Return the splitmix64 finaliser of each int64 (a bijection with full avalanche)."""

    def shift(v: Tensor, bits: int) -> Tensor:  # a logical shift: torch's is arithmetic
        return (v >> bits) & ((1 << (64 - bits)) - 1)

    x = (x ^ shift(x, 30)) * -0x40A7B892E31B1A47
    x = (x ^ shift(x, 27)) * -0x6B2FB644ECCEEE15
    return x ^ shift(x, 31)


def bits(index: Tensor, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return 64 random bits for every number of every image, which depend on its index alone.

    Counter-based (splitmix64): whatever the batch, the order or the device.

    Parameters
    ----------
    index : Tensor
        int64 [N], the identity of each image.
    shape : tuple of int
        Shape of the draws for one image.
    seed : int
        Names the field of draws.

    Returns
    -------
    Tensor
        int64 [N, *shape] on the device of ``index``.

    Examples
    --------
    >>> one, two = bits(torch.tensor([7, 3]), (2,), seed=0), bits(torch.tensor([3]), (2,), seed=0)
    >>> torch.equal(one[1], two[0])
    True
    """
    row = _mix(index.to(torch.int64) + seed)
    counter = torch.arange(math.prod(shape), dtype=torch.int64, device=index.device)
    return _mix(row[:, None] + counter * -0x61C8864680B583EB).view(len(index), *shape)


def normal(index: Tensor, shape: tuple[int, ...], seed: int) -> Tensor:
    """Return standard normal noise that depends on each image's index alone.

    Counter-based (splitmix64, then Box-Muller), so that an image gets the same noise whatever the
    batch, the order or the device.

    Parameters
    ----------
    index : Tensor
        int64 [N], the identity of each image.
    shape : tuple of int
        Shape of the noise of one image.
    seed : int
        Names the noise field.

    Returns
    -------
    Tensor
        float32 [N, *shape] on the device of ``index``.
    """
    drawn = bits(index, shape, derive(seed, "normal"))
    # 32 bits for the radius, 24 for the angle; +0.5 keeps the logarithm finite
    radius = (((drawn >> 32) & 0xFFFFFFFF).double() + 0.5) / 2**32
    angle = (drawn & 0xFFFFFF).double() / 2**24
    noise = torch.sqrt(-2 * torch.log(radius)) * torch.cos(2 * math.pi * angle)
    return noise.float()
