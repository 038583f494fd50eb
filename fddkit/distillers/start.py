"""What a run starts from: real images, noise, or both; and baselines of real images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..core.entries import Table
from ..core.errors import FddkitError
from ..core.numbers import whole
from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset


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

    Examples
    --------
    The first images of each class:

    >>> import torch
    >>> import fddkit as fdd
    >>> from fddkit.distillers.start import Baseline
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


def _drawn(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Draw ``ipc`` images of each class at random; those of a small class are repeated."""
    target, draws = train.target.cpu(), generator(seed, "initial images")
    pools = [torch.where(target == y)[0] for y in range(train.n_classes)]
    picks = [pool[torch.randperm(len(pool), generator=draws)] for pool in pools]
    return torch.cat([pick.repeat(-(-ipc // len(pick)))[:ipc] for pick in picks])


def _every(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    return torch.arange(len(train))


#: Name -> baseline, in the order in which they are listed.
BASELINES: Table[Baseline] = Table(
    "baseline",
    lambda entry: isinstance(entry, Baseline),
    {
        "random": Baseline(
            "baseline: real images drawn at random, as biased as the set", _drawn, "#999999"
        ),
        "whole": Baseline("baseline: the whole training set", _every, "#000000", sized=False),
    },
)


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
        Determines the draws; those of ``random`` are also what an optimisation starts from.

    Returns
    -------
    DistilledSet
        On the CPU, without config.

    Raises
    ------
    FddkitError
        If ``ipc`` is not a positive integer, a class is empty, or has fewer than ``ipc`` images.
    """
    entry = BASELINES[name]
    _check(train, ipc, ipc if entry.sized else 1)
    index = entry.pick(train, ipc, seed).to(train.images.device)
    return _set(train, train.images[index], train.target[index], train.group[index])


def initial(train: GroupedDataset, ipc: int, seed: int, init: str = "real") -> DistilledSet:
    """Return the images that an optimisation starts from, float32 and normalised.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    ipc : int
        Images per class.
    seed : int
        Determines the draws; all methods share them, so they start from the same images.
    init : {"real", "noise", "hybrid"}
        See `fddkit.distillers.settings.Settings`.

    Returns
    -------
    DistilledSet
        On the CPU, without config; ordered by class.

    Raises
    ------
    FddkitError
        As for `baseline`, if real images are needed.
    """
    _check(train, ipc, 0)
    n_real = {"real": ipc, "hybrid": (ipc + 1) // 2, "noise": 0}[init]
    _check(train, ipc, n_real)
    # with noise, ipc may exceed the images of a class: what noise replaces does not matter
    index = _drawn(train, ipc, seed).to(train.images.device)
    images = train.normalise(index)
    noise = torch.randn(images.shape, generator=generator(seed, "initial noise")).to(images)
    noisy = (torch.arange(ipc) >= n_real).repeat(train.n_classes).to(index.device)
    images = torch.where(noisy[:, None, None, None], noise, images)
    group = torch.where(noisy, -1, train.group[index])
    return _set(train, images, train.target[index], group)


def _check(train: GroupedDataset, ipc: int, n_real: int) -> None:
    """Refuse an ``ipc`` that is not a positive integer, or larger than a class."""
    whole("ipc", ipc)
    for name, size in zip(train.target_names, train.counts().sum(1).tolist(), strict=True):
        if size == 0:
            raise FddkitError(
                f"class {name!r} of {train.name} has no image; remove the class or add images"
            )
        if n_real > size:
            raise FddkitError(
                f"ipc={ipc} is larger than class {name!r} of {train.name} ({size} images); "
                "choose a smaller ipc or init='noise'"
            )


def _set(train: GroupedDataset, images: Tensor, target: Tensor, group: Tensor) -> DistilledSet:
    return DistilledSet(
        images=images.cpu(),
        target=target.cpu(),
        group=group.cpu(),
        mean=tuple(train.mean),
        std=tuple(train.std),
        target_names=tuple(train.target_names),
        group_names=tuple(train.group_names),
        config={},
    )
