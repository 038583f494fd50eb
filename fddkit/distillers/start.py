"""What a run starts from: real images, noise, or both; and the baselines that end there."""

import torch

from ..core.errors import FddkitError
from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset

BASELINES = {
    "random": "baseline: real images drawn at random, as biased as the set",
    "whole": "baseline: the whole training set",
}


def initial(
    train: GroupedDataset, method: str, ipc: int, seed: int, init: str = "real"
) -> DistilledSet:
    """Return the images of a baseline, or those that an optimisation starts from.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    method : str
        ``"whole"`` takes every image, ``"random"`` ``ipc`` a class (both as uint8); any other
        the start of an optimisation (float32, normalised).
    ipc : int
        Images per class.
    seed : int
        Names the draws; methods share them, so that all start from the same images.
    init : {"real", "noise", "hybrid"}
        See `fddkit.distillers.settings.Settings`.

    Returns
    -------
    DistilledSet
        On the CPU, without config; class after class unless ``"whole"``.

    Raises
    ------
    FddkitError
        If ``ipc`` is not a positive integer, a class is empty, or has fewer than ``ipc`` images
        where real ones are needed.
    """
    if isinstance(ipc, bool) or not isinstance(ipc, int) or ipc < 1:
        raise FddkitError(f"ipc={ipc!r} is not a positive integer; give at least 1")
    n_real = {"real": ipc, "hybrid": (ipc + 1) // 2, "noise": 0}[init]
    if method in BASELINES:
        n_real = 1 if method == "whole" else ipc
    for name, size in zip(train.target_names, train.counts().sum(1).tolist(), strict=True):
        if size == 0:
            raise FddkitError(f"class {name!r} of {train.name} has no image; drop it or fill it")
        if n_real > size:
            raise FddkitError(
                f"ipc={ipc} is larger than class {name!r} of {train.name} ({size} images); "
                "choose a smaller ipc or init='noise'"
            )

    target = train.target.cpu()
    if method == "whole":
        index = torch.arange(len(train))
    else:
        draws = generator(seed, "initial images")
        pools = [torch.where(target == y)[0] for y in range(train.n_classes)]
        picks = [pool[torch.randperm(len(pool), generator=draws)] for pool in pools]
        # noise may fill more places than a class has images: what it covers is of no matter
        index = torch.cat([pick.repeat(-(-ipc // len(pick)))[:ipc] for pick in picks])
    index = index.to(train.images.device)
    images, group = train.images[index], train.group[index]
    if method not in BASELINES:
        images = train.normalise(index)
        noise = torch.randn(images.shape, generator=generator(seed, "initial noise")).to(images)
        noisy = (torch.arange(ipc) >= n_real).repeat(train.n_classes).to(index.device)
        images = torch.where(noisy[:, None, None, None], noise, images)
        group = torch.where(noisy, -1, group)
    return DistilledSet(
        images=images.cpu(),
        target=train.target[index].cpu(),
        group=group.cpu(),
        mean=tuple(train.mean),
        std=tuple(train.std),
        target_names=tuple(train.target_names),
        group_names=tuple(train.group_names),
        config={},
    )
