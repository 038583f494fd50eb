"""What the explorer's live panels show: any bias ratio at once, painting only what is visible.

The statistic of a group does not depend on how large the group is. So the features of a sample of
every group (originals that are painted as its members, or real ones) are computed once. A bias
ratio only changes the shares, and with them the targets of the rules.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from ..data.injection import Canvas
from ..data.loading import Originals
from ..data.natural_sets import NaturalCanvas
from ..rules.rules import drawn
from ..theory import GroupStatistics, Signal, aims
from .choice import Choice

SAMPLE = 40  # originals of each class whose features represent their groups
T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Scene:
    """What one choice of data set, bias, BR and IPC looks like.

    Attributes
    ----------
    choice : Choice
        What was chosen.
    target_names, group_names : tuple of str
        Names of the C classes and the A groups.
    counts : Tensor
        int64 [C, A], the number of images of each class and group in the whole training set.
    images, group : Tensor
        uint8 [C * K, channels, H, W], K random images of each class, and the group of each.
    stats : GroupStatistics
        The groups' mean embeddings under one random network.
    centres : dict of str to Tensor
        The target of each rule, float64 [C, D], see `fddkit.theory.aims`.
    """

    choice: Choice
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    counts: Tensor
    images: Tensor
    group: Tensor
    stats: GroupStatistics
    centres: dict[str, Tensor]


class Bench:
    """Makes scenes, and caches what the next one can reuse.

    Parameters
    ----------
    root : str
        The folder with the raw data.
    shown : int
        Images of each class, at most.
    """

    def __init__(self, root: str = "data", shown: int = 12):
        self.root, self.shown = root, shown
        self._originals: OrderedDict[Hashable, Originals] = OrderedDict()
        self._canvases: OrderedDict[Hashable, Canvas | NaturalCanvas] = OrderedDict()
        self._points: OrderedDict[Hashable, Tensor] = OrderedDict()

    def scene(self, choice: Choice) -> Scene:
        """Return what a choice looks like.

        Parameters
        ----------
        choice : Choice
            Its data set, seed, GAP, BR, IPC and rule are used.

        Returns
        -------
        Scene

        Raises
        ------
        FddkitError
            If the data is not on this disk.
        """
        canvas = self.canvas(choice)
        counts = canvas.counts(choice.br)
        # of originals always the same, so that only the bias changes while a slider moves
        index = _spread(canvas.rows(choice.br), min(choice.ipc, self.shown))
        seen = canvas.some(index, choice.br)
        key = (choice.dataset, choice.seed, choice.gap)
        points = _kept(self._points, key, 32, lambda: _points(canvas))
        shares = counts.double() / counts.sum(1, keepdim=True).clamp(min=1)
        stats = GroupStatistics(torch.where(shares[..., None] > 0, points, 0.0), shares)
        return Scene(
            choice,
            canvas.target_names,
            canvas.group_names,
            counts,
            seen.images,
            seen.group,
            stats,
            aims(stats, drawn(choice.fairness)),
        )

    def canvas(self, choice: Choice) -> Canvas | NaturalCanvas:
        """Return what gives the images of a choice, at any BR."""
        data = (choice.dataset, choice.seed)
        key = (*data, choice.gap)
        if key in self._canvases:
            self._canvases.move_to_end(key)
            return self._canvases[key]
        originals = _kept(self._originals, data, 2, lambda: Originals(*data, self.root))
        held = set(self._originals)  # a canvas keeps its originals in memory
        self._canvases = OrderedDict(
            (k, c) for k, c in self._canvases.items() if (k[0], k[1]) in held
        )
        return _kept(self._canvases, key, 12, lambda: originals.canvas(choice.gap))


def _kept(store: OrderedDict, key: Hashable, most: int, make: Callable[[], T]) -> T:
    """Return what is stored, or make it and drop the entry that was not used for longest."""
    if key not in store:
        store[key] = make()
        if len(store) > most:
            store.popitem(last=False)
    store.move_to_end(key)
    return store[key]


def _spread(rows: list[Tensor], count: int) -> Tensor:
    """Return ``count`` images of each class, spread over its own, so that groups keep their shares.

    A class that has fewer shows some of them again; one without any is left out.
    """
    found = []
    for own in rows:
        at = torch.linspace(0, len(own) - 1, count + 2)[1:-1].round().long()
        found.append(own[at] if len(own) else own)
    return torch.cat(found)


def _points(canvas: Canvas | NaturalCanvas) -> Tensor:
    """Return the mean embedding of every group of every class, float64 [C, A, D]."""
    return Signal(canvas.of_every_group(SAMPLE), "dm", device="cpu").groups().points
