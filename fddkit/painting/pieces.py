"""Shared by all functions that paint images: painting in chunks, and checks."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.errors import FddkitError

SEVERITIES = (1, 2, 3, 4, 5)
_CHUNK = 32  # images painted at a time: intermediates stay in cache and memory is bounded


def in_chunks(paint: Callable[..., Tensor], *tensors: Tensor) -> Tensor:
    """Apply ``paint`` to a few images at a time.

    Parameters
    ----------
    paint : callable
        Maps a few rows of every tensor to uint8 images; it must treat them independently.
    *tensors : Tensor
        [N, ...], images and whatever else is given for each.

    Returns
    -------
    Tensor
        uint8 [N, ...], the results of ``paint``.
    """
    chunks = zip(*(tensor.split(_CHUNK) for tensor in tensors), strict=True)
    painted = paint(*next(chunks))
    # not a concatenation of the pieces, which would double and fragment the memory
    result = painted.new_empty(len(tensors[0]), *painted.shape[1:])
    result[:_CHUNK] = painted
    for start, chunk in enumerate(chunks, start=1):
        result[start * _CHUNK : (start + 1) * _CHUNK] = paint(*chunk)
    return result


def check_colour_images(images: Tensor) -> None:
    """Raise FddkitError unless images are uint8 [N, 3, H, W]."""
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise FddkitError(f"images are {described(images)}; give uint8 [N, 3, H, W]")


def check_rows(n: int, group: Tensor, index: Tensor, groups: int) -> None:
    """Raise FddkitError unless each of n images has a group, 0 to groups - 1, and an index."""
    for what, tensor in (("group", group), ("index", index)):
        if tensor.shape != (n,) or tensor.dtype != torch.int64:
            raise FddkitError(f"{what} is {described(tensor)}; give int64 [{n}], one per image")
    if n and not 0 <= int(group.min()) <= int(group.max()) < groups:
        raise FddkitError(f"group must be from 0 to {groups - 1}; one is not")


def check_severity(severity: int) -> None:
    """Raise FddkitError unless the severity is one of `SEVERITIES`."""
    if severity not in SEVERITIES or isinstance(severity, bool):
        raise FddkitError(f"severity={severity} is not a severity; give 1, 2, 3, 4 or 5")


def described(tensor: Tensor) -> str:
    """Return dtype and shape in words, for errors about tensors that do not fit."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}"
