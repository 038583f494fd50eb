"""A data set before its groups are assigned: everything to paint it with, nothing painted yet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.rng import derive
from ..painting import bias
from ..painting.group_assignment import Deck
from .grouped import GroupedDataset
from .injection_options import GAP_OPTIONS, OFFSET_OPTIONS, check_number, minorities, resolve
from .traits import PHOTOGRAPHS, Traits

if TYPE_CHECKING:
    from .catalogue import DatasetInfo

_GAP_BR = 0.8  # COBRA's SKEW in the experiments with GAP


@dataclass(frozen=True, eq=False, repr=False)
class Canvas:
    """Originals with classes, a way to paint them, and a shuffled deck to deal groups from.

    Changing the bias ratio is cheap: only the images that are looked at need to be painted. The
    explorer redraws them while a slider moves; `fddkit.load` paints all of them.

    Attributes
    ----------
    name : str
        Name of the data set.
    target : Tensor
        int64 [N], the class of each original.
    target_names, group_names : tuple of str
        Names of the C classes and the A groups.
    mean, std : tuple of float
        Per-channel normalisation.
    paint : callable
        ``paint(index, group) -> uint8 images``, see `GroupedDataset.paint`.
    deck : Deck
        The originals of each class, shuffled.
    even : bool
        Whether equal minorities differ by at most one image.
    proportions : sequence of float or None
        Relative sizes of the minorities.
    info : dict
        The arguments of `fddkit.load`, without the bias ratio.
    traits : Traits
        Facts about the images.
    """

    name: str
    target: Tensor
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    paint: Callable[[Tensor, Tensor], Tensor]
    deck: Deck
    even: bool = False
    proportions: Sequence[float] | None = None
    info: dict[str, Any] = field(default_factory=dict)
    traits: Traits = PHOTOGRAPHS

    def __len__(self) -> int:
        return len(self.target)

    def deal(self, br: float) -> Tensor:
        """Return the group of each original at a bias ratio, int64 [N]."""
        return self.deck.deal(br, self.proportions, self.even)

    def at(self, br: float) -> GroupedDataset:
        """Return the painted training set for a bias ratio."""
        return self.painted(self.deal(br), br=br)

    def counts(self, br: float) -> Tensor:
        """Return the number of images of each class and group, int64 [C, A]."""
        classes, groups = len(self.target_names), len(self.group_names)
        cell = self.target * groups + self.deal(br)
        return cell.bincount(minlength=classes * groups).view(classes, groups)

    def rows(self, br: float) -> list[Tensor]:
        """Return the originals of each class, those of the majority first; the same at any BR."""
        return self.deck.rows

    def some(self, index: Tensor, br: float) -> GroupedDataset:
        """Return some originals, painted as they are at a bias ratio."""
        return self.painted(self.deal(br)[index], index)

    def of_every_group(self, count: int) -> GroupedDataset:
        """Return up to ``count`` originals of each class, each in every group."""
        groups = len(self.group_names)
        index = torch.cat([own[:count] for own in self.deck.rows]).repeat_interleave(groups)
        return self.painted(torch.arange(groups).repeat(len(index) // groups), index)

    def painted(self, group: Tensor, index: Tensor | None = None, **info: Any) -> GroupedDataset:
        """Return originals as members of given groups.

        Parameters
        ----------
        group : Tensor
            int64 [M], the group of each image.
        index : Tensor, optional
            int64 [M], which original each image shows; by default all in order.
        **info
            Added to `info` for `fddkit.data.loading.reload`; if empty, the result has no `info` and
            cannot be reloaded, like a subset.

        Returns
        -------
        GroupedDataset
        """
        index = torch.arange(len(self)) if index is None else index
        return GroupedDataset(
            images=self.paint(index, group),
            target=self.target[index],
            group=group,
            name=self.name,
            target_names=self.target_names,
            group_names=self.group_names,
            mean=self.mean,
            std=self.std,
            info=self.info | info if info else {},
            index=index,
            paint=self.paint,
            traits=self.traits,
        )

    def balanced(self, paired: bool, br: float) -> GroupedDataset:
        """Return a painted test set in which no group is larger than another.

        Parameters
        ----------
        paired : bool
            Put every image in every group, group by group, rather than each in one.
        br : float
            Bias ratio of the corresponding training set, for `info`.

        Returns
        -------
        GroupedDataset
        """
        n, groups = len(self), len(self.group_names)
        if not paired:
            return self.painted(self.deal(1 / groups), br=br)
        group = torch.arange(groups).repeat_interleave(n)
        return self.painted(group, torch.arange(n).repeat(groups), br=br)


def arguments(
    entry: "DatasetInfo",
    br: float | None,
    seed: int,
    gap: int | None,
    offset: float,
    proportions: Sequence[float] | None,
    options: dict[str, Any],
) -> dict[str, Any]:
    """Check the arguments of `fddkit.load` before reading any file; return them for JSON.

    Parameters
    ----------
    entry : DatasetInfo
        The data set.
    br, seed, gap, offset, proportions, options
        As in `fddkit.load`.

    Returns
    -------
    dict

    Raises
    ------
    FddkitError
        If one is unknown or out of range.
    """
    if br is None:
        br = entry.default_br if gap is None else _GAP_BR
    check_number("br", br, Real)
    check_number("offset", offset, Real)
    if gap is not None:
        check_number("gap", gap, Integral)
        gap = int(gap)
    proportions = minorities(proportions, len(group_names(entry, gap)))
    found = {
        "br": float(br),
        "seed": int(seed),
        "gap": gap,
        "offset": float(offset),
        "proportions": proportions,
        **resolve(options, entry, gap, offset),
    }
    if entry.named is not None:
        entry.named(**{name: found[name] for name in entry.options})
    blank, ones = torch.zeros(1, *entry.shape, dtype=torch.uint8), torch.ones(1, dtype=torch.int64)
    move(blank, ones, ones, 0, found)
    bias.group_counts(0, br, len(group_names(entry, gap)), proportions)
    return found


def prepare(
    entry: "DatasetInfo", split: str, read: tuple[Tensor, Tensor], arguments: dict[str, Any]
) -> Canvas:
    """Return one split of a data set in the catalogue; ``arguments`` are those of `fddkit.load`."""
    originals, target = read
    names = group_names(entry, arguments["gap"])
    if entry.named is not None and arguments["gap"] is None:
        names = entry.named(**{name: arguments[name] for name in entry.options})
    seed = derive(arguments["seed"], split)
    proportions = arguments["proportions"] if split == "train" else None
    return Canvas(
        name=entry.name,
        target=target,
        target_names=entry.target_names,
        group_names=names,
        mean=entry.mean,
        std=entry.std,
        paint=_painter(entry, originals, seed, arguments),
        deck=Deck(target, len(names), seed, ascending=proportions is not None),
        even=entry.even,
        proportions=proportions,
        info={
            "dataset": entry.name,
            "split": split,
            **{name: value for name, value in arguments.items() if name != "br"},
        },
        traits=entry.traits,
    )


def group_names(entry: "DatasetInfo", gap: int | None) -> tuple[str, ...]:
    """Return the names of the groups."""
    return entry.group_names if gap is None else ("plain", f"GAP {gap}")


def _painter(
    entry: "DatasetInfo", originals: Tensor, seed: int, arguments: dict[str, Any]
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the function that paints originals as members of groups."""
    options = {name: arguments[name] for name in entry.options}

    def paint(index: Tensor, group: Tensor) -> Tensor:
        index, group = index.cpu(), group.cpu()
        plain = group if arguments["gap"] is None else torch.full_like(group, entry.plain)
        draws = {"index": index, "seed": seed} if entry.drawn else {}
        images = entry.inject(originals[index], plain, **draws, **options)
        return move(images, index, group, seed, arguments)

    return paint


def move(
    images: Tensor, index: Tensor, group: Tensor, seed: int, arguments: dict[str, Any]
) -> Tensor:
    """Apply the shifts after the set's own injection: GAP to group 1, the offset to all but 0."""
    for_gap, for_offset = (
        {name.removeprefix(prefix): arguments[name] for name in known if name in arguments}
        for prefix, known in (("gap_", GAP_OPTIONS), ("offset_", OFFSET_OPTIONS))
    )
    if arguments["gap"] is not None:
        moved = group == 1
        images[moved] = bias.gap(images[moved], arguments["gap"], index[moved], seed, **for_gap)
    if arguments["offset"]:
        images = bias.semantic_offset(images, group, arguments["offset"], **for_offset)
    return images
