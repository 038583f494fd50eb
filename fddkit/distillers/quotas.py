"""How many images of each group a balanced choice takes."""

import torch
from torch import Tensor

from ..core.rng import generator
from ..data.grouped import GroupedDataset
from ..data.imperfect import require_groups


def share(available: Tensor, number: int, generator: torch.Generator) -> Tensor:
    """Divide a number of images among groups as equally as their sizes allow.

    Parameters
    ----------
    available : Tensor
        int64 [A], the images of each group.
    number : int
        Images to choose, at most as many as there are.
    generator : torch.Generator
        On the CPU; draws which groups give one image more, or any at all if there are fewer images
        than groups.

    Returns
    -------
    Tensor
        int64 [A], summing to ``number``. Groups that are not exhausted differ by at most one
        image; a smaller one gives all that it has.

    Examples
    --------
    >>> import torch
    >>> share(torch.tensor([90, 2, 0, 30]), 10, torch.Generator().manual_seed(0))
    tensor([4, 2, 0, 4])
    """
    quota = torch.zeros_like(available)
    while number:
        open_ = torch.where(quota < available)[0]
        if number < len(open_):
            open_ = open_[torch.randperm(len(open_), generator=generator)[:number]]
        quota[open_] += 1
        number -= len(open_)
    return quota


def quotas(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
    """Return how many images each class and group gives to a balanced choice.

    Parameters
    ----------
    train : GroupedDataset
        The real set; every class has at least ``ipc`` images.
    ipc : int
        Images per class.
    seed : int
        Determines which groups give more; classes are independent.

    Returns
    -------
    Tensor
        int64 [C, A] on the CPU, see `share`. All balanced baselines with the same seed share it.
    """
    require_groups(train, "a balanced choice")
    rows = train.counts().cpu()
    return torch.stack(
        [share(row, ipc, generator(seed, "groups of images", y)) for y, row in enumerate(rows)]
    )
