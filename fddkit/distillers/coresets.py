"""Core sets: real images that represent their class, or each of its groups.

The images are compared by the features of a network that was trained on the whole set, as in the
comparisons of DC (Zhao et al. 2021).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import derive, generator
from ..data.grouped import GroupedDataset
from ..data.sampling import cells, classes
from ..training import networks
from ..training.networks import Network
from ..training.sgd import Student
from .quotas import quotas

#: Training of the network (our choice; DC's paper gives no details): a ConvNet of this width and
#: depth, plain cross-entropy on random batches, stochastic gradient descent.
WIDTH, DEPTH, STEPS, BATCH = 32, 3, 200, 128
LR, MOMENTUM, DECAY = 0.03, 0.9, 5e-4
_BLOCK = 1024  # images that are normalised at once
_KEPT = 4  # networks, of about 0.1 MB each
_TRAINED: dict[tuple, Network] = {}

#: Chooses k rows of float [N, D], the first the most representative.
Choose = Callable[[Tensor, int], Tensor]


@torch.no_grad()
def herding(features: Tensor, k: int) -> Tensor:
    """Choose rows whose mean stays as close as possible to the mean of all rows.

    One after the other, the row that brings the mean of the chosen ones closest (Euclidean) to the
    mean of all; no row twice, and the first of several equally good ones.

    Parameters
    ----------
    features : Tensor
        float [N, D].
    k : int
        At most N.

    Returns
    -------
    Tensor
        int64 [k], in the order in which they were chosen: the first rows are the choice for a
        smaller k.

    References
    ----------
    Welling 2009; Rebuffi et al. 2017 (iCaRL), Algorithm 4, there on features of length one, here
    on the features as they are.

    Examples
    --------
    The mean is 3; 4 is closest to it, and 4 and 1 have a mean of 2.5:

    >>> import torch
    >>> herding(torch.tensor([[0.0], [1.0], [4.0], [7.0]]), 2)
    tensor([2, 1])
    """
    # |mean - (chosen + x) / t|^2 is |x|^2 + 2 <chosen, x>, apart from terms without x and the
    # factor 1 / t^2, once the mean is subtracted from all rows
    centred = features - features.mean(0)
    cost, found = centred.square().sum(1), []
    for _ in range(k):
        row = int(cost.argmin())
        found.append(row)
        cost += 2 * (centred @ centred[row])
        cost[row] = math.inf
    return torch.tensor(found, dtype=torch.int64)


@torch.no_grad()
def k_centre(features: Tensor, k: int) -> Tensor:
    """Choose rows so that no row is far from a chosen one: farthest-first traversal.

    The first is the row closest (Euclidean) to the mean; each further one is the row farthest from
    all that are chosen. The largest distance is then at most twice the smallest possible. No row
    is chosen twice, and the first of several equally good ones.

    Parameters
    ----------
    features : Tensor
        float [N, D].
    k : int
        From 1 to N.

    Returns
    -------
    Tensor
        int64 [k], in the order in which they were chosen: the first rows are the choice for a
        smaller k.

    References
    ----------
    Sener and Savarese 2018, Algorithm 1 (k-Center-Greedy), which leaves the first row open.

    Examples
    --------
    >>> import torch
    >>> k_centre(torch.tensor([[0.0], [1.0], [4.0], [7.0]]), 3)
    tensor([2, 0, 3])
    """
    centred = features - features.mean(0)  # which keeps the rounding of the products small
    norm = centred.square().sum(1)
    row = int(norm.argmin())
    found, near = [row], torch.full_like(norm, math.inf)
    for _ in range(k - 1):
        near = torch.minimum(near, norm + norm[row] - 2 * (centred @ centred[row]))
        near[row] = -math.inf  # below any distance, even that of an equal row
        row = int(near.argmax())
        found.append(row)
    return torch.tensor(found, dtype=torch.int64)


def trained(train: GroupedDataset, seed: int) -> Network:
    """Return the network whose features are compared.

    It is trained once in a process for each set and seed (in about 4 s on the digits and 20 s on
    C-MNIST, on one slow core), and all core sets share it. Its training does not know the groups.

    Parameters
    ----------
    train : GroupedDataset
        The real set, on whose device the network is trained.
    seed : int
        Determines weights and batches.

    Returns
    -------
    Network
        Frozen.

    Raises
    ------
    FddkitError
        If the loss is no longer finite.
    """
    units = (tuple(train.mean), tuple(train.std), train.whitening is not None)
    key = (train.fingerprint(), units, str(train.images.device), seed)
    if key not in _TRAINED:
        net = _train(train, seed)
        while len(_TRAINED) >= _KEPT:
            _TRAINED.pop(next(iter(_TRAINED)))  # the oldest
        _TRAINED[key] = net
    return _TRAINED[key]


def _train(train: GroupedDataset, seed: int) -> Network:
    device = train.images.device
    start = derive(seed, "core-set network")
    net = networks.fresh("convnet", train.shape, train.n_classes, start, WIDTH, DEPTH).to(device)
    student, draws = Student(net, LR, MOMENTUM, DECAY), generator(seed, "core-set batches")
    for _ in range(STEPS):
        index = torch.randint(len(train), (BATCH,), generator=draws).to(device)
        student.step(train.normalise(index), train.target[index])
    if not all(weights.isfinite().all() for weights in net.parameters()):
        raise FddkitError(
            f"the network for the core sets of {train.name} diverged; check its mean and std"
        )
    return net


def embedded(train: GroupedDataset, net: Network, index: Tensor) -> Tensor:
    """Return the features of some of the images.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    net : Network
        On its device.
    index : Tensor
        int64 [M], at least one.

    Returns
    -------
    Tensor
        float64 [M, D] on the CPU, where a choice is the same whatever the device of the images.
    """
    parts = index.to(train.images.device).split(_BLOCK)
    return torch.cat([networks.embed(net, train.normalise(part)).cpu() for part in parts]).double()


def of_classes(choose: Choose) -> Callable[[GroupedDataset, int, int], Tensor]:
    """Return the baseline that chooses among all images of a class, whatever their group.

    Parameters
    ----------
    choose : callable
        `herding` or `k_centre`.

    Returns
    -------
    callable
        ``pick(train, ipc, seed) -> index``, int64 [C * ipc], class by class.
    """

    def pick(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
        net, pools = trained(train, seed), classes(train)
        return torch.cat([pool[choose(embedded(train, net, pool), ipc)] for pool in pools])

    return pick


def of_groups(choose: Choose) -> Callable[[GroupedDataset, int, int], Tensor]:
    """Return the baseline that chooses within each group of a class, equally many of each.

    Parameters
    ----------
    choose : callable
        `herding` or `k_centre`.

    Returns
    -------
    callable
        ``pick(train, ipc, seed) -> index``, int64 [C * ipc], class by class and group by group,
        as many as `fddkit.distillers.quotas.quotas` says.
    """

    def pick(train: GroupedDataset, ipc: int, seed: int) -> Tensor:
        numbers, net, found = quotas(train, ipc, seed).tolist(), trained(train, seed), []
        for pools, of_class in zip(cells(train), numbers, strict=True):
            for pool, number in zip(pools, of_class, strict=True):
                if number:
                    found.append(pool[choose(embedded(train, net, pool), number)])
        return torch.cat(found)

    return pick
