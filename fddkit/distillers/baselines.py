"""Baselines: real images to train on, to compare distilled sets with."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.entries import Table
from ..core.errors import FddkitError
from ..core.reading import clip
from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.imperfect import require_groups
from ..data.sampling import cells
from .coresets import herding, k_centre, of_classes, of_groups
from .quotas import quotas
from .start import as_set, check, drawn


@dataclass(frozen=True)
class Baseline:
    """Real images to train on, to compare distilled sets with.

    Attributes
    ----------
    title : str
        What it is, in words.
    pick : callable
        ``pick(train, ipc, seed) -> index``, int64 [M]: the rows of the images.
    colour : str
        Its colour in all figures, ``#rrggbb``.
    sized : bool
        Whether it has exactly ``ipc`` images of each class, ordered by class.
    seeded : bool
        Whether other seeds give other images.

    Examples
    --------
    The first images of each class:

    >>> import torch
    >>> import fddkit as fdd
    >>> from fddkit.distillers.baselines import Baseline
    >>> def first(train, ipc, seed):
    ...     rows = [torch.where(train.target == y)[0][:ipc] for y in range(train.n_classes)]
    ...     return torch.cat(rows)
    >>> _ = fdd.register("first", Baseline("baseline: the first real images", first, "#999933"))
    >>> train, _ = fdd.load("digits")
    >>> fdd.distill(train, "first", ipc=3, progress=False)
    DistilledSet(first of digits: 30 images 3x16x16, ipc=3)
    """

    title: str
    pick: Callable[[GroupedDataset, int, int], Tensor]
    colour: str
    sized: bool = True
    seeded: bool = True


def _balanced(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Draw ``ipc`` images of each class, equally many of each group."""
    return _taken(train, quotas(train, ipc, seed), seed, "balanced images")


def _every(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    return torch.arange(len(train))


def _cut(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Draw from each group of a class as many images as the smallest one has.

    A group without images of the class does not count, so classes may differ in size. Weighting
    the images would keep all of them, but then a group of a few images weighs as much as one of
    thousands, and training needs an objective of its own.
    """
    require_groups(train, "a balanced choice")
    counts = train.counts().cpu()
    least = counts.masked_fill(counts == 0, len(train)).amin(1, keepdim=True)
    return _taken(train, least.expand_as(counts), seed, "cut images").sort().values


def _taken(train: GroupedDataset, numbers: Tensor, seed: int, stream: str) -> Tensor:
    """Draw at most so many images, int64 [C, A], of each class and group."""
    found = []
    for y, (pools, of_class) in enumerate(zip(cells(train), numbers.tolist(), strict=True)):
        for a, (pool, number) in enumerate(zip(pools, of_class, strict=True)):
            draws = generator(seed, stream, y, a)
            found.append(pool[torch.randperm(len(pool), generator=draws)[:number]])
    return torch.cat(found)


def _adopt(name: str, entry: Baseline) -> Baseline:
    """Check a baseline that is being registered."""
    if not isinstance(entry.title, str) or not entry.title:
        raise FddkitError(f"title={entry.title!r} of the baseline {name!r} must be text")
    if not isinstance(entry.colour, str) or not re.fullmatch("#[0-9a-fA-F]{6}", entry.colour):
        raise FddkitError(
            f"colour={clip(entry.colour, 40)!r} of the baseline {name!r} must be #rrggbb, such as "
            "'#999933'"
        )
    if not callable(entry.pick):
        raise FddkitError(f"pick of the baseline {name!r} must be a function (train, ipc, seed)")
    return entry


#: Name -> baseline, in the order in which they are listed.
BASELINES: Table[Baseline] = Table(
    "baseline",
    lambda entry: isinstance(entry, Baseline),
    {
        "random": Baseline(
            "baseline: real images drawn at random, as biased as the set", drawn, "#999999"
        ),
        "random-balanced": Baseline(
            "baseline: real images drawn at random, equally many of each group",
            _balanced,
            "#7744EE",
        ),
        "herding": Baseline(
            "baseline: real images whose mean feature is the class's (Welling 2009)",
            of_classes(herding),
            "#703800",
        ),
        "herding-balanced": Baseline(
            "baseline: herding within each group, equally many of each",
            of_groups(herding),
            "#B89860",
        ),
        "k-centre": Baseline(
            "baseline: real images to which all others are close (Sener and Savarese 2018)",
            of_classes(k_centre),
            "#402000",
        ),
        "k-centre-balanced": Baseline(
            "baseline: k-centre within each group, equally many of each",
            of_groups(k_centre),
            "#E8B090",
        ),
        "whole": Baseline(
            "baseline: the whole training set", _every, "#000000", sized=False, seeded=False
        ),
        "whole-balanced": Baseline(
            "baseline: the training set cut to equal groups in each class",
            _cut,
            "#4400AA",
            sized=False,
        ),
    },
    _adopt,
)


def sized(name: str) -> bool:
    """Return whether what has this name, a baseline, method or rule, takes a number of images."""
    return name not in BASELINES or BASELINES[name].sized


def baseline(train: GroupedDataset, name: str, ipc: int, seed: int) -> DistilledSet:
    """Return the images of a baseline, as uint8.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    name : str
        One of `BASELINES`.
    ipc : int
        Images per class, if the baseline is `Baseline.sized`.
    seed : int
        Determines the draws, and the network of the core sets. ``random`` has the images that an
        optimisation starts from.

    Returns
    -------
    DistilledSet
        On the CPU, without config.

    Raises
    ------
    FddkitError
        If ``ipc`` is not a positive integer, a class is empty, or has fewer than ``ipc`` images;
        if a registered baseline fails, or does not return what it should.
    """
    entry = BASELINES[name]
    check(train, ipc, ipc if entry.sized else 1, "choose a smaller ipc")
    index = _picked(name, entry, train, ipc, seed).to(train.images.device)
    return as_set(train, train.images[index], train.target[index], train.group[index])


def _picked(name: str, entry: Baseline, train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Return the rows that a baseline picks, if they are what its fields promise."""
    try:
        index = entry.pick(train, ipc, seed)
    except FddkitError:
        raise
    except Exception as error:  # what a user's function may raise is not known
        if name not in BASELINES.own:
            raise
        raise FddkitError(
            f"the baseline {name!r} fails: {clip(f'{type(error).__name__}: {error}', 200)}"
        ) from error
    if not isinstance(index, Tensor) or index.dtype != torch.int64 or index.ndim != 1:
        found = f"{index.dtype} of shape {list(index.shape)}" if isinstance(index, Tensor) else ""
        raise FddkitError(
            f"the baseline {name!r} picks {found or type(index).__name__}; return the rows of the "
            "images, an int64 tensor [M]"
        )
    if not len(index) or int(index.min()) < 0 or int(index.max()) >= len(train):
        raise FddkitError(
            f"the baseline {name!r} picks no image, or rows that {train.name} does not have; "
            f"return rows from 0 to {len(train) - 1}"
        )
    target = train.target.cpu()[index.cpu()]
    if entry.sized and target.tolist() != [y for y in range(train.n_classes) for _ in range(ipc)]:
        raise FddkitError(
            f"the baseline {name!r} does not pick {ipc} images of each class, class by class; do "
            "so, or register it with sized=False"
        )
    return index
