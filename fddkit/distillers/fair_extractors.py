"""Fair feature extractors: networks trained on the real set with all groups equally frequent.

Intervention RF of COBRA's appendix N, which only names a "fair feature extractor before"
distillation. This is the simplest of its kind: training on class- and group-balanced batches.
"""

import os
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from ..core.cache import artifact, cached, identify
from ..core.errors import FddkitError
from ..core.kinds import Array, Kind
from ..core.rng import derive, generator
from ..data.grouped import GroupedDataset
from ..training import augment, networks
from ..training.sgd import descend
from .settings import Settings

EXTRACTOR = Kind(
    "extractor",
    "a fair extractor",
    "remove it, and it will be trained again",
    {"weights": Array(("float32",), ("parameters",))},
    {"identity": dict},
)
BATCH, LR, MOMENTUM, DECAY = 256, 0.01, 0.9, 5e-4
#: Preset -> steps of each network (our choice; no values are published).
STEPS = {"smoke": 20, "quick": 200, "paper": 5000}


def balanced(train: GroupedDataset, size: int, generator: torch.Generator) -> Tensor:
    """Draw images so that all classes, and all groups present in a class, are equally likely.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    size : int
        How many; an image may be drawn more than once.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor
        int64 [size] on the CPU.
    """
    counts = train.counts().cpu().double()
    groups = (counts > 0).sum(1, keepdim=True)
    cell = train.target.cpu() * train.n_groups + train.group.cpu()
    share = torch.where(counts > 0, 1 / (counts * groups).clamp(min=1), 0)
    return torch.multinomial(share.flatten()[cell], size, replacement=True, generator=generator)


def fair_extractors(
    train: GroupedDataset,
    settings: Settings,
    seed: int,
    *,
    cache: str | os.PathLike | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> tuple[list[Tensor], dict[str, str]]:
    """Train a pool of networks on balanced batches, or load them from the cache.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    settings : Settings
        Settings of the distillation, of which ``network``, ``width``, ``depth``, ``augment``,
        ``extractors`` and ``extractor_steps`` are used.
    seed : int
        Seed of weights, batches and augmentations.
    cache : path-like, optional
        Folder of the weights, one file per network, see `fddkit.core.cache`; an interrupted pool
        continues with the network that it had reached.
    device : torch.device or str
        Where to train.
    progress : bool
        Show a progress bar.

    Returns
    -------
    weights : list of Tensor
        The flat weights of each network, float32 [P] on the CPU.
    seals : dict of str to str
        Name and sha256 of each file.

    Raises
    ------
    FddkitError
        If a loss is no longer finite.
    """
    from tqdm.auto import tqdm

    c, found, seals = settings, [], {}
    like = networks.fresh(c.network, train.shape, train.n_classes, 0, c.width, c.depth)
    sizes = {"parameters": sum(p.numel() for p in like.parameters())}
    with tqdm(total=c.extractors, desc="fair extractors", disable=not progress) as bar:
        for k in range(c.extractors):
            given = {
                "fingerprint": train.fingerprint(),
                "normalise": [list(train.mean), list(train.std), train.whitening is not None],
                "settings": [c.network, c.width, c.depth, c.augment, c.extractor_steps],
                "seed": seed,
                "extractor": k,
            }
            identity = identify(__name__, device, given)
            path = artifact(cache, "extractor", identity)
            train_one = partial(_train, train, c, seed, k, device)
            tensors, seals[path.name] = cached(path, EXTRACTOR, identity, train_one, sizes)
            found.append(tensors["weights"])
            bar.update()
    return found, seals


def _train(
    train: GroupedDataset,
    settings: Settings,
    seed: int,
    k: int,
    device: torch.device | str,
    _: Path,
) -> dict[str, Tensor]:
    """Train one extractor; this takes a minute at most, so no checkpoint is kept."""
    c, data = settings, train.to(device)
    start = derive(seed, "extractor", k)
    net = networks.fresh(c.network, train.shape, train.n_classes, start, c.width, c.depth)
    net = net.to(device)
    rng = generator(seed, "extractor batches", k)
    optimiser = torch.optim.SGD(net.parameters(), LR, MOMENTUM, weight_decay=DECAY)
    for _ in range(c.extractor_steps):
        index = balanced(train, BATCH, rng).to(device)
        seen = augment.vary(data.normalise(index), augment.stages(c.augment), rng)
        loss = descend(net, optimiser, seen, data.target[index])
    if not loss < float("inf"):
        raise FddkitError(
            f"fair extractor {k} diverged; use fewer extractor_steps or a narrower network"
        )
    return {"weights": parameters_to_vector(net.parameters()).detach().cpu()}
