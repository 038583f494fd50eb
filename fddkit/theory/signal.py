"""The statistics of groups and of synthetic images in the signal of any distiller."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import derive, generator
from ..core.versions import choose_device
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.imperfect import require_groups
from ..distillers.registry import find, settings
from ..rules.targets import Segments
from ..training.fit import fit, recipe
from ..training.networks import Network, fresh


@dataclass(frozen=True, eq=False)
class GroupStatistics:
    """Phi[y, a]: the statistic of every group of every class under one network.

    Attributes
    ----------
    points : Tensor
        float64 [classes, groups, features] on the CPU; zero where the group is absent.
    shares : Tensor
        float64 [classes, groups], pi[a | y]: how often each group occurs in its class. Rows sum
        to one; zero where the group is absent.
    """

    points: Tensor
    shares: Tensor

    @property
    def present(self) -> Tensor:
        """Whether the class has the group, bool [classes, groups]."""
        return self.shares > 0

    def at(self, br: float) -> "GroupStatistics":
        """Return the same groups in the proportions of a bias ratio.

        The means of groups do not depend on the sizes of the groups, so they need not be computed
        again for every bias ratio.

        Parameters
        ----------
        br : float
            Share of the largest group of each class; the other groups share the rest equally.

        Returns
        -------
        GroupStatistics
        """
        others = (self.present.sum(1, keepdim=True) - 1).clamp(min=1)
        shares = torch.where(self.present, (1 - br) / others, 0.0).double()
        largest = self.shares.argmax(1, keepdim=True)
        shares = shares.scatter(1, largest, br)
        return replace(self, shares=shares / shares.sum(1, keepdim=True))

    def among(self, groups: Sequence[int], shares: Sequence[float]) -> "GroupStatistics":
        """Return some of the groups, in given proportions, the same in every class.

        Parameters
        ----------
        groups : sequence of int
            Their numbers.
        shares : sequence of float
            Share of each group; normalised to sum to one over the groups present in a class.

        Returns
        -------
        GroupStatistics
        """
        found = torch.tensor(shares, dtype=torch.float64) * self.present[:, list(groups)]
        total = found.sum(1, keepdim=True).clamp(min=1e-300)
        return GroupStatistics(self.points[:, list(groups)], found / total)


class Signal:
    """What a distiller matches, under one network, for real and synthetic images alike.

    There is no augmentation, and every image is used once; a step sees a random part of this.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    method : str
        The distiller whose signal it is: mean embeddings (dm), mean gradients (dc, dsa, idc,
        dream) or the features of all layers (cafe).
    network : Network, optional
        By default a random network, as the distiller draws it; `converged` returns a trained one.
    seed : int
        Seed of the network.
    preset : {"smoke", "quick", "paper"}
        Preset that determines the size of the network.
    device : torch.device or str, optional
        By default a GPU if there is one.
    **overrides
        Fields of the method's settings.

    Attributes
    ----------
    matching : Matching
        The distiller at work, with one image per class.
    net : Network
        The network.

    Raises
    ------
    FddkitError
        For an unknown name, or a method that matches no statistic of images (mtt).

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> signal = fdd.theory.Signal(train, "dm", preset="smoke")
    >>> stats = signal.groups(per_cell=5)
    >>> stats.points.shape  # classes, groups, features
    torch.Size([10, 10, 64])
    >>> print(fdd.theory.residual_bound(stats))
    holds: a group's residual under vanilla is at most the sum over the other groups ...

    The statistic of a distilled set in the same signal:

    >>> s = fdd.distill(train, "random", ipc=1, progress=False)
    >>> signal.synthetic(s).shape
    torch.Size([10, 64])
    """

    def __init__(
        self,
        train: GroupedDataset,
        method: str = "dm",
        network: Network | None = None,
        seed: int = 0,
        preset: str = "quick",
        device: torch.device | str | None = None,
        **overrides: object,
    ):
        before = find(method).beforehand
        if before:
            raise FddkitError(
                f"{method} follows the trajectories of its {before} and matches no statistic of "
                "images; use another method"
            )
        if not len(train):
            raise FddkitError(
                "the set has no image, so its groups have no statistic; give a set with images"
            )
        chosen = settings(preset, method, **overrides).resolve(1, train)
        self.method, self.train, self.seed = method, train, seed
        self.matching = find(method)(train, 1, chosen, seed, choose_device(device))
        self.net = self.matching.network(0)
        if network is not None:
            try:
                self.net.load_state_dict(network.state_dict())
            except RuntimeError as error:
                raise FddkitError(
                    f"the network is not a {chosen.network} of width={chosen.width}, as in this "
                    "signal; train it with the same preset and width"
                ) from error

    def groups(self, per_cell: int | None = None) -> GroupStatistics:
        """Return the statistic of every group of the real set.

        Parameters
        ----------
        per_cell : int or None
            Use at most this number of images of each class and group; None uses all. The shares
            are always those of the whole set.

        Returns
        -------
        GroupStatistics
        """
        require_groups(self.train, "a statistic of groups")
        train, counts = self.train, self.train.counts().cpu()
        classes, groups = counts.shape
        order = torch.randperm(len(train), generator=generator(self.seed, "signal"))
        if per_cell is not None:
            cell = (train.target * groups + train.group).cpu()[order]
            cells = [order[cell == c][:per_cell] for c in range(classes * groups)]
            order = torch.cat(cells)
        batch = self.matching.sampler.batch(order)
        points = None
        for y in range(classes):  # one class at a time, to bound the memory
            part = batch.part(slice(y, y + 1))
            if not len(part.index):
                continue
            images = self.matching.real(part.index, torch.full_like(part.cell, y), [])
            weight = 1 / part.counts.flatten()[part.cell].double()
            means = self._sums(images, y, Segments(part.cell, weight, groups))
            points = means.new_zeros(classes, *means.shape) if points is None else points
            points[y] = means
        return GroupStatistics(points, counts.double() / counts.sum(1, keepdim=True).clamp(min=1))

    def classes(self) -> Tensor:
        """Return the statistic of all real images of each class, whatever their group.

        Returns
        -------
        Tensor
            float64 [classes, features] on the CPU: what vanilla distillation matches.

        Raises
        ------
        FddkitError
            If a class has no image.
        """
        found = []
        for y, name in enumerate(self.train.target_names):
            index = torch.where(self.train.target.cpu() == y)[0]
            if not len(index):
                raise FddkitError(f"class {name!r} has no image; give at least one")
            images = self.matching.real(index, torch.full_like(index, y), [])
            found.append(self._mean(images, y))
        return torch.stack(found)

    def synthetic(self, s: DistilledSet) -> Tensor:
        """Return the statistic of each class of a distilled set.

        Parameters
        ----------
        s : DistilledSet
            With the same classes and image shape; several images in one are decoded.

        Returns
        -------
        Tensor
            float64 [classes, features] on the CPU.

        Raises
        ------
        FddkitError
            If the set does not match, or a class has no image.
        """
        if s.images.shape[1:] != self.train.shape or s.target_names != self.train.target_names:
            raise FddkitError(
                f"{s!r} has other classes or another shape than {self.train.name}; "
                "give a set that was distilled from it"
            )
        images, target = replace(s, images=s.normalised()).decoded()
        found = []
        for y, name in enumerate(s.target_names):
            part = images[target == y].to(self.matching.device)
            if not len(part):
                raise FddkitError(f"class {name!r} has no synthetic image; give at least one")
            found.append(self._mean(part, y))
        return torch.stack(found)

    def _mean(self, images: Tensor, y: int) -> Tensor:
        weight = torch.full((len(images),), 1 / len(images), dtype=torch.float64)
        whole = Segments(torch.zeros(len(images), dtype=torch.int64), weight, 1)
        return self._sums(images, y, whole)[0]

    def _sums(self, images: Tensor, y: int, segments: Segments) -> Tensor:
        target = torch.full((len(images),), y, device=images.device)
        return self.matching.statistic(self.net, images, target, segments).sums.double().cpu()


def converged(
    data: GroupedDataset | DistilledSet, seed: int = 0, preset: str = "quick", **overrides: object
) -> Network:
    """Return a ConvNet trained on a set to the end of a preset's evaluation recipe.

    COBRA measures residuals under such a network, trained on the distilled set (section 5.6 and
    appendix G.2): the network that the set leads to. [?] How it was trained is not said; here, as
    for an evaluation. Trained on the real set, it shows all rules' residuals in one space.

    Parameters
    ----------
    data : GroupedDataset or DistilledSet
        What to train on.
    seed : int
        Seed of the weights and of the training.
    preset : {"smoke", "quick", "paper"}
        Preset of `fddkit.training.fit.recipe`; its width is that of the distillers' preset, too.
    **overrides
        Fields of `fddkit.training.fit.Recipe`.

    Returns
    -------
    Network
        On the CPU.
    """
    images, target, _ = data.seen()
    chosen = recipe(preset, **overrides).fitted(len(images))
    net_seed = derive(seed, "converged")
    shape, size = tuple(images.shape[1:]), (chosen.width, chosen.depth)
    net = fresh("convnet", shape, len(data.target_names), net_seed, *size)
    fit(net, images, target, chosen, net_seed, data.units.normalise)
    return net
