"""Group assignment: how a bias ratio (BR) deals out the groups, class by class."""

import math
from collections.abc import Sequence
from numbers import Real

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import generator


def group_counts(
    n: int,
    br: float,
    n_groups: int,
    proportions: Sequence[float] | None = None,
    even: bool = False,
) -> list[int]:
    """Return how many of a class's images go to the majority group and to each minority group.

    The majority gets ``int(br * n)``; the minorities get chunks of ``ceil(rest / (n_groups - 1))``
    of what remains, so that the last one may be short, as in FairDD's code.

    Parameters
    ----------
    n : int
        Images in the class.
    br : float
        Bias ratio, the majority's share: from ``1 / n_groups`` (balance) to 1 (one group only).
    n_groups : int
        Groups, at least two.
    proportions : sequence of float, optional
        Relative sizes of the ``n_groups - 1`` minorities, scaled to what remains and rounded by
        the largest-remainder method. By default all equal.
    even : bool
        Let equal minorities differ by at most one image. In a small class, chunks would leave the
        last groups empty.

    Returns
    -------
    list of int
        ``n_groups`` counts that sum to ``n``; entry 0 is the majority's.

    Raises
    ------
    FddkitError
        If an argument is outside its range.

    References
    ----------
    `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> group_counts(100, br=0.75, n_groups=4)
    [75, 9, 9, 7]
    >>> group_counts(100, br=0.75, n_groups=4, even=True)
    [75, 9, 8, 8]
    """
    if n_groups < 2:
        raise FddkitError(f"n_groups={n_groups} is too few; a bias needs at least two groups")
    if not isinstance(br, Real) or not 1 / n_groups - 1e-9 <= br <= 1:
        raise FddkitError(
            f"br={br} is outside [{1 / n_groups:.4g}, 1] for {n_groups} groups; give a share "
            f"between equal groups ({1 / n_groups:.4g}) and one group only (1)"
        )
    majority = int(br * n + 1e-9)  # 0.29 * 100 is 28.999999999999996
    rest, minorities = n - majority, n_groups - 1
    if proportions is not None:
        return [majority, *_largest_remainder(rest, proportions, minorities)]
    if even:
        size, larger = divmod(rest, minorities)
        return [majority, *(size + (i < larger) for i in range(minorities))]
    chunk = math.ceil(rest / minorities)
    return [majority, *(max(0, min(chunk, rest - i * chunk)) for i in range(minorities))]


def _largest_remainder(n: int, proportions: Sequence[float], size: int) -> list[int]:
    """Return ``size`` counts in the given proportions that sum to ``n``."""
    shares = [float(share) for share in proportions]
    if len(shares) != size or not all(s >= 0 for s in shares) or not 0 < sum(shares) < math.inf:
        raise FddkitError(
            f"proportions={list(proportions)} do not say how large the minority groups are; "
            f"give {size} numbers, none negative and not all zero"
        )
    exact = [n * share / sum(shares) for share in shares]
    counts = [math.floor(x) for x in exact]
    by_remainder = sorted(range(size), key=lambda i: counts[i] - exact[i])
    for i in by_remainder[: n - sum(counts)]:
        counts[i] += 1
    return counts


def majority_group(n_classes: int, n_groups: int) -> Tensor:
    """Return the majority group of each class: ``y * n_groups // n_classes``.

    With ten classes and ten groups, each class has a colour of its own (C-MNIST); with two groups,
    group 0 belongs to the first half of the classes and group 1 to the second (CIFAR10-S).

    Parameters
    ----------
    n_classes, n_groups : int
        Their numbers.

    Returns
    -------
    Tensor
        int64 [n_classes].

    Examples
    --------
    >>> majority_group(10, 2).tolist()
    [0, 0, 0, 0, 0, 1, 1, 1, 1, 1]
    """
    return torch.arange(n_classes) * n_groups // n_classes


def assign_groups(
    target: Tensor,
    br: float,
    n_groups: int,
    seed: int,
    proportions: Sequence[float] | None = None,
    even: bool = False,
    shuffle_minorities: bool = True,
) -> Tensor:
    """Assign a group to every image so that each class has its majority group.

    In each class the images are shuffled; the first ``int(br * n)`` get its `majority_group`, the
    rest the other groups in random order. The shuffle depends on the seed alone, so that the
    majority of a smaller BR is contained in that of a larger one.

    Parameters
    ----------
    target : Tensor
        int64 [N], the class of each image. There are ``target.max() + 1`` classes.
    br, n_groups, proportions, even
        As in `group_counts`.
    seed : int
        Names the shuffle.
    shuffle_minorities : bool
        Draw which minority gets which chunk. False: in ascending order of group number, as always
        when ``proportions`` are given, since they refer to the minorities in that order.

    Returns
    -------
    Tensor
        int64 [N], on the CPU.

    Raises
    ------
    FddkitError
        If the labels are not class numbers or an argument is outside its range.

    Examples
    --------
    >>> target = torch.tensor([0] * 8 + [1] * 8)
    >>> group = assign_groups(target, br=0.75, n_groups=2, seed=0)
    >>> [group[target == y].bincount().tolist() for y in (0, 1)]
    [[6, 2], [2, 6]]
    """
    group_counts(0, br, n_groups, proportions)  # report mistakes even without images
    ascending = not shuffle_minorities or proportions is not None
    return Deck(target, n_groups, seed, ascending).deal(br, proportions, even)


class Deck:
    """The images of each class, shuffled once and ready to be dealt at any bias ratio.

    Parameters
    ----------
    target : Tensor
        int64 [N], the class of each image. There are ``target.max() + 1`` classes.
    n_groups : int
        Groups, at least two.
    seed : int
        Names the shuffle.
    ascending : bool
        Take the minorities in ascending order, rather than a random one.

    Raises
    ------
    FddkitError
        If the labels are not class numbers.
    """

    def __init__(self, target: Tensor, n_groups: int, seed: int, ascending: bool = False):
        if target.ndim != 1 or target.is_floating_point() or (target < 0).any():
            raise FddkitError("target must be one class number per image: int64 [N], none negative")
        target = target.cpu()
        self.n = len(target)
        #: for each class: its images in dealing order, and the groups, majority first
        self.rows: list[Tensor] = []
        self.order: list[Tensor] = []
        n_classes = int(target.max()) + 1 if self.n else 0
        for y, majority in enumerate(majority_group(n_classes, n_groups).tolist()):
            draw = generator(seed, "groups", y)
            rows = torch.where(target == y)[0]
            self.rows.append(rows[torch.randperm(len(rows), generator=draw)])
            minorities = torch.tensor([a for a in range(n_groups) if a != majority])
            if not ascending:
                minorities = minorities[torch.randperm(n_groups - 1, generator=draw)]
            self.order.append(torch.cat([torch.tensor([majority]), minorities]))

    def deal(
        self, br: float, proportions: Sequence[float] | None = None, even: bool = False
    ) -> Tensor:
        """Return the group of each image, int64 [N]; arguments as in `group_counts`."""
        group = torch.empty(self.n, dtype=torch.int64)
        for rows, order in zip(self.rows, self.order, strict=True):
            counts = group_counts(len(rows), br, len(order), proportions, even)
            group[rows] = order.repeat_interleave(torch.tensor(counts))
        return group
