"""What an optimisation starts from: real images, noise, or both."""

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.numbers import whole
from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.sampling import classes

#: Kind of start -> the probability that an image is real.
_REAL = {"real": 1.0, "hybrid": 0.5, "noise": 0.0}


def drawn(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Draw images of each class at random, whatever their group.

    Parameters
    ----------
    train : GroupedDataset
        The real set, with an image of every class.
    ipc : int
        Images per class; those of a smaller class are repeated.
    seed : int
        Determines the draws.

    Returns
    -------
    Tensor
        int64 [C * ipc] on the CPU, class by class.
    """
    draws = generator(seed, "initial images")
    picks = [pool[torch.randperm(len(pool), generator=draws)] for pool in classes(train)]
    return torch.cat([pick.repeat(-(-ipc // len(pick)))[:ipc] for pick in picks])


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
        If ``ipc`` is not a positive integer, a class is empty, or has fewer than ``ipc`` images
        and real ones are needed.
    """
    share = _REAL[init]
    # whether a hybrid is possible does not depend on how many of its images the seed makes real
    check(train, ipc, ipc if share else 0)
    # with noise, ipc may exceed the images of a class: what noise replaces does not matter
    index = drawn(train, ipc, seed).to(train.images.device)
    images = train.normalise(index)
    noise = torch.randn(images.shape, generator=generator(seed, "initial noise")).to(images)
    noisy = torch.rand(len(index), generator=generator(seed, "initial kinds")) >= share
    noisy = noisy.to(index.device)
    images = torch.where(noisy[:, None, None, None], noise, images)
    group = torch.where(noisy, -1, train.group[index])
    return as_set(train, images, train.target[index], group)


def check(
    train: GroupedDataset,
    ipc: int,
    n_real: int,
    advice: str = "choose a smaller ipc or init='noise'",
) -> None:
    """Refuse a number of images per class that the set cannot give.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    ipc : int
        Images per class.
    n_real : int
        How many of them are real and distinct.
    advice : str
        What to do where a class has fewer.

    Raises
    ------
    FddkitError
        If ``ipc`` is not a positive integer, a class is empty, or has fewer than ``n_real`` images.
    """
    whole("ipc", ipc)
    sizes = train.target.bincount(minlength=train.n_classes).tolist()
    for name, size in zip(train.target_names, sizes, strict=True):
        if size == 0:
            raise FddkitError(
                f"class {name!r} of {train.name} has no image; remove the class or add images"
            )
        if n_real > size:
            raise FddkitError(
                f"ipc={ipc} is larger than class {name!r} of {train.name} ({size} images); {advice}"
            )


def as_set(train: GroupedDataset, images: Tensor, target: Tensor, group: Tensor) -> DistilledSet:
    """Return images as a distilled set of a training set, on the CPU and without config.

    Parameters
    ----------
    train : GroupedDataset
        Gives the names and the units.
    images : Tensor
        [M, C, H, W]: float32 and normalised, or uint8.
    target, group : Tensor
        int64 [M].

    Returns
    -------
    DistilledSet
    """
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
