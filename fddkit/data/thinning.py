"""Thinning: which images to drop, so that real groups have the shares of a bias ratio."""

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Real
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..core.errors import FddkitError, unknown
from ..core.rng import generator
from .imperfect import NATURAL, require_groups
from .sampling import cells

if TYPE_CHECKING:
    from .grouped import GroupedDataset

_FINEST = 10**6  # the largest denominator of a bias ratio

Majority = str | Mapping[str | int, str | int]


def sizes(majority: int, others: int, br: float) -> tuple[int, int]:
    """Return how many images of the majority and of all others to keep for a bias ratio.

    One of the two is kept whole. The other gets the number whose share is nearest to the bias
    ratio, and of two that are equally near the larger; at least 1, unless BR is 1.

    Parameters
    ----------
    majority, others : int
        Images of a class in its majority group, and in all others.
    br : float
        The share of the majority that is wanted, above 0 and at most 1.

    Returns
    -------
    majority, others : int

    Examples
    --------
    >>> sizes(60, 40, 0.9), sizes(60, 40, 0.5)
    ((60, 7), (40, 40))
    """
    if br == 1:
        return majority, 0
    share = Fraction(br).limit_denominator(_FINEST)  # 0.9 is meant, not its nearest float
    share = min(share, 1 - Fraction(1, _FINEST))
    if share * (majority + others) >= majority:
        return majority, _beside(majority, others, 1 - share)
    return _beside(others, majority, share), others


def _beside(whole: int, most: int, share: Fraction) -> int:
    """Return how many of ``most`` images make up a share nearest to this, beside a whole side."""
    ideal = whole * share / (1 - share)
    around = {max(1, min(most, n)) for n in (math.floor(ideal), math.ceil(ideal))}
    return min(around, key=lambda n: (abs(Fraction(n, whole + n) - share), -n))


class Thinning:
    """The images of each class in the order in which they are kept, at any bias ratio.

    Those of the majority are shuffled. The others are mixed so that each group keeps its part of
    them, and that none disappears before every group has only one image left. What is kept is the
    beginning of both orders, so that what is kept of the majority at one bias ratio contains what
    is kept at a smaller one, and of the others at a larger one.

    Parameters
    ----------
    data : GroupedDataset
        The set.
    majority : "largest" or mapping
        The majority group of each class: its largest (of equal ones the first), or by name or
        number; of classes that are not named the largest.
    seed : int
        Names the shuffles.

    Attributes
    ----------
    groups : list of int
        The majority group of each class; -1 for a class without images.
    cells : list of Tensor
        The images of each class and group, shuffled; class by class.

    Raises
    ------
    FddkitError
        For a class or group that does not exist, or a class without images of its majority.
    """

    def __init__(self, data: "GroupedDataset", majority: Majority = "largest", seed: int = 0):
        self.names, self.group_names = data.target_names, data.group_names
        self.seed = int(seed)
        counts = data.counts().cpu()
        named = chosen(majority, self.names, self.group_names)
        self.groups: list[int] = []
        self._major: list[Tensor] = []
        self._others: list[Tensor] = []
        self.cells: list[Tensor] = []
        require_groups(data, "a bias ratio", NATURAL)
        for y, (own, parts) in enumerate(zip(counts.tolist(), cells(data), strict=True)):
            group = named.get(y, max(range(len(own)), key=own.__getitem__))
            if sum(own) and not own[group]:
                raise FddkitError(
                    f"the class {data.target_names[y]} of {data.name} has no image of its majority "
                    f"group {data.group_names[group]}; choose another majority"
                )
            mixed = [shuffled(rows, seed, "thin", y, a) for a, rows in enumerate(parts)]
            self.cells += mixed
            self.groups.append(group if sum(own) else -1)
            self._major.append(mixed.pop(group))
            self._others.append(_mixed(mixed))

    def rows(self, br: float | None) -> list[Tensor]:
        """Return the images that are kept of each class, the majority first.

        Parameters
        ----------
        br : float or None
            The bias ratio; None keeps all.

        Returns
        -------
        list of Tensor
            int64, positions in the set.

        Raises
        ------
        FddkitError
            If it is out of range, or a class has images of its majority only.
        """
        if br is not None:
            self._check(br)
        kept = []
        for y, (major, others) in enumerate(zip(self._major, self._others, strict=True)):
            m, n = len(major), len(others)
            if br is not None and m:
                if not n and br < 1:
                    raise FddkitError(
                        f"the class {self.names[y]} has only images of the group "
                        f"{self.group_names[self.groups[y]]}, so BR {br:g} cannot be reached; "
                        "keep the natural bias, or drop the class"
                    )
                m, n = sizes(m, n, br)
            kept.append(torch.cat([major[:m], others[:n]]))
        return kept

    def _check(self, br: float) -> None:
        lowest = 1 / len(self.group_names)
        real = isinstance(br, Real) and not isinstance(br, bool)
        if not real or not lowest - 1e-4 <= br <= 1:  # a slider rounds it
            raise FddkitError(
                f"br={br} is outside [{lowest:.4g}, 1] for {len(self.group_names)} groups; give a "
                "share between equal groups and one group only (1)"
            )


def shuffled(rows: Tensor, seed: int, *keys: object) -> Tensor:
    """Return images in a random order.

    Parameters
    ----------
    rows : Tensor
        int64 [N].
    seed : int
        Of the draw.
    *keys : object
        What the draw is for, see `fddkit.core.rng.generator`.

    Returns
    -------
    Tensor
        One image, or none, as it is: a generator costs more than all else here.
    """
    if len(rows) < 2:
        return rows
    return rows[torch.randperm(len(rows), generator=generator(seed, *keys))]


def _mixed(groups: list[Tensor]) -> Tensor:
    """Return the images of several groups in one order, each spread evenly over it."""
    groups = [rows for rows in groups if len(rows)]
    if not groups:
        return torch.empty(0, dtype=torch.int64)
    groups.sort(key=len, reverse=True)  # stable: equal ones in ascending order
    if len(groups[0]) == 1:  # nothing to spread
        return torch.cat(groups)
    at = [torch.arange(len(rows), dtype=torch.float64) / len(rows) for rows in groups]
    return torch.cat(groups)[torch.cat(at).argsort(stable=True)]


def chosen(
    majority: Majority, target_names: Sequence[str], group_names: Sequence[str]
) -> dict[int, int]:
    """Return the number of the majority group of each class that is named, by class.

    Parameters
    ----------
    majority : "largest" or mapping
        See `Thinning`.
    target_names, group_names : sequence of str
        Names.

    Returns
    -------
    dict of int to int
        Empty for "largest".

    Raises
    ------
    FddkitError
        For anything else, or a class or group that does not exist.
    """
    if isinstance(majority, str) and majority == "largest":
        return {}
    if not isinstance(majority, Mapping):
        raise FddkitError(
            f"majority={' '.join(repr(majority).split())[:60]} is neither 'largest' nor the group "
            f"of each class; give one, e.g. majority={{{target_names[0]!r}: {group_names[0]!r}}}"
        )
    return {
        _number("class", y, target_names): _number("group", a, group_names)
        for y, a in majority.items()
    }


def _number(what: str, name: str | int, names: Sequence[str]) -> int:
    if isinstance(name, str) and name in names:
        return list(names).index(name)
    if isinstance(name, int) and not isinstance(name, bool) and 0 <= name < len(names):
        return name
    raise unknown(what, name, names)
