"""Centres of groups with a closed form: for squared, absolute, Huber's and cosine distance.

Their arguments and results are described in `fddkit.rules.barycentres`.
"""

import torch
from torch import Tensor

from ..core.errors import FddkitError


@torch.no_grad()
def mean(points: Tensor, present: Tensor) -> Tensor:
    """Return the barycentre under a squared norm: the plain mean, whatever the norm's matrix.

    Parameters
    ----------
    points : Tensor
        float [classes, groups, features], the statistic of each group; zero where absent.
    present : Tensor
        bool [classes, groups], whether the cell has an image.

    Returns
    -------
    Tensor
        [classes, features].
    """
    return (points * present[..., None]).sum(1) / present.sum(1).clamp(min=1)[:, None]


@torch.no_grad()
def l1(points: Tensor, present: Tensor) -> Tensor:
    """Return the barycentre under the sum of absolute differences: the median of each feature.

    For an even number of groups it is the middle of the interval of medians, favouring no group.

    Takes and returns what `mean` does.
    """
    ordered = points.masked_fill(~present[..., None], torch.inf)
    groups = points.shape[1]
    for turn in range(groups):  # for few groups, swapping neighbours is faster than sorting
        left = ordered[:, turn % 2 : groups - 1 : 2]
        right = ordered[:, turn % 2 + 1 :: 2]
        lower = torch.minimum(left, right)
        torch.maximum(left, right, out=right)
        left.copy_(lower)
    number = present.sum(1)
    rows = torch.arange(len(points), device=points.device)
    low = ordered[rows, (number - 1).clamp(min=0).div(2, rounding_mode="floor")]
    high = ordered[rows, number.div(2, rounding_mode="floor")]
    return (low / 2 + high / 2).where(number[:, None] > 0, 0)


@torch.no_grad()
def huber(points: Tensor, present: Tensor, *, delta: float | None = None) -> Tensor:
    """Return the barycentre under Huber's loss of each feature.

    The derivative is linear between the ``2 * groups`` points where a group enters or leaves the
    quadratic part; its zero is interpolated between the two that enclose it. If the derivative is
    zero on an interval, the result is its middle.

    Takes and returns what `mean` does.

    Parameters
    ----------
    delta : float, optional
        Where the loss turns from quadratic to linear. The papers give no value; the default is the
        root mean square difference from the mean, per class, so that the scale does not matter.

    Raises
    ------
    FddkitError
        If ``delta`` is not positive.
    """
    if delta is not None and not delta > 0:
        raise FddkitError(f"delta of the Huber loss must be positive, not {delta}")
    origin = mean(points, present)
    absent = ~present[..., None]
    unit = (points - origin[:, None]).masked_fill_(absent, 0)
    if delta is None:
        width = unit.square().mean((1, 2)) * points.shape[1] / present.sum(1).clamp(min=1)
        width = width.sqrt()[:, None]
    else:
        width = unit.new_full((len(unit), 1), delta)
    unit /= width.masked_fill(width == 0, 1)[:, None]
    unit.masked_fill_(absent, torch.inf)  # their slope is one wherever the centre is
    low, high = torch.full_like(origin, -torch.inf), torch.full_like(origin, torch.inf)
    above, below = torch.zeros_like(origin), torch.zeros_like(origin)
    room = torch.empty_like(unit)
    for group in range(points.shape[1]):
        for side in (-1, 1):
            edge = unit[:, group] + side
            slope = torch.sub(unit, edge[:, None], out=room).clamp_(-1, 1).sum(1) - absent.sum(1)
            left, right = (slope >= 0) & (edge >= low), (slope <= 0) & (edge <= high)
            low, above = edge.where(left, low), slope.where(left, above)
            high, below = edge.where(right, high), slope.where(right, below)
    between = low + (high - low) * (above / (above - below).clamp(min=1e-30))
    shift = torch.where(low >= high, low / 2 + high / 2, between) * width
    return origin + shift.where(present.any(1)[:, None], 0)


@torch.no_grad()
def cosine(points: Tensor, present: Tensor) -> Tensor:
    """Return a barycentre under one minus the cosine: the direction of the sum of unit vectors.

    The distance leaves the length open: it is the mean of the groups' lengths. A group at zero has
    no direction and only counts towards the length. If the directions cancel out, all are equally
    good and the plain mean is returned.

    Takes and returns what `mean` does.
    """
    length = points.norm(dim=-1) * present
    towards = (points / length.where(length > 0, torch.inf)[..., None]).sum(1)
    size = towards.norm(dim=-1, keepdim=True)
    cancel = size < 8 * torch.finfo(points.dtype).eps * points.shape[1]
    long = length.sum(1) / present.sum(1).clamp(min=1)
    ray = towards / size.masked_fill(cancel, 1) * long[:, None]
    return torch.where(cancel, mean(points, present), ray)
