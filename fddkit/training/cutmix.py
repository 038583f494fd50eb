"""CutMix (Yun et al. 2019): a rectangle of each image comes from another, and so does its label."""

import torch
from torch import Tensor
from torch.nn import functional as F


def cutmix(
    images: Tensor, target: Tensor, classes: int, probability: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Mix a batch with itself, as IDC does when it trains networks (Beta(1, 1)).

    Parameters
    ----------
    images : Tensor
        float [N, C, H, W].
    target : Tensor
        int64 [N].
    classes : int
        How many classes there are.
    probability : float
        The probability of mixing this batch at all.
    generator : torch.Generator
        On the CPU; the same draws are made whether the batch is mixed or not.

    Returns
    -------
    images : Tensor
        [N, C, H, W].
    labels : Tensor
        [N, classes], rows summing to one: each label is weighted by its image's share of the area.
    """
    height, width = images.shape[2:]
    coin, share, y, x = torch.rand(4, generator=generator).tolist()  # Beta(1, 1) is uniform
    other = torch.randperm(len(images), generator=generator).to(images.device)
    labels = F.one_hot(target, classes).to(images.dtype)
    if coin >= probability:
        return images, labels
    side = (1 - share) ** 0.5
    top, bottom = _span(y, side, height)
    left, right = _span(x, side, width)
    mixed = images.clone()
    mixed[:, :, top:bottom, left:right] = images[other, :, top:bottom, left:right]
    kept = 1 - (bottom - top) * (right - left) / (height * width)
    return mixed, kept * labels + (1 - kept) * labels[other]


def _span(centre: float, share: float, side: int) -> tuple[int, int]:
    """Return where a stretch of ``share`` of a side begins and ends, clipped at the border."""
    middle, half = int(centre * side), int(side * share) // 2
    return max(middle - half, 0), min(middle + half, side)
