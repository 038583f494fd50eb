"""Features of real, distilled and test images under one network."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..core.errors import FddkitError, unknown
from ..core.numbers import is_whole
from ..core.rng import derive, generator
from ..core.versions import choose_device
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.units import Units
from ..training.fit import fit, recipe
from ..training.networks import Network, embed, fresh

_BLOCK = 4096  # images normalised at a time: bounds memory, costs nothing


@dataclass(frozen=True, eq=False)
class Features:
    """The features of the images of several sets under one network.

    Attributes
    ----------
    points : Tensor
        float32 [N, D] on the CPU, the flattened last feature map of each image.
    target, group : Tensor
        int64 [N]; the group is -1 for distilled images, which have none.
    source : Tensor
        int64 [N], the index in `sources` of the set of each image.
    sources : tuple of str
        Names of the sets.
    target_names, group_names : tuple of str
        Names of the classes and groups.
    """

    points: Tensor = field(repr=False)
    target: Tensor = field(repr=False)
    group: Tensor = field(repr=False)
    source: Tensor = field(repr=False)
    sources: tuple[str, ...]
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.points)

    def rows(self, name: str, grouped: bool = False) -> Tensor:
        """Return the rows of one set.

        Parameters
        ----------
        name : str
            One of `sources`.
        grouped : bool
            Raise an error if the images have no group.

        Returns
        -------
        Tensor
            int64 [M], ascending.

        Raises
        ------
        FddkitError
            For an unknown name, or a distilled set where groups are needed.
        """
        if name not in self.sources:
            raise unknown("set of these features", name, self.sources)
        found = torch.where(self.source == self.sources.index(name))[0]
        if grouped and (self.group[found] < 0).any():
            raise FddkitError(f"the images of {name!r} belong to no group; name a real set instead")
        return found


def extract(
    sets: Mapping[str, GroupedDataset | DistilledSet],
    network: str = "convnet",
    trained_on: GroupedDataset | DistilledSet | None = None,
    seed: int = 0,
    per_cell: int | None = 50,
    width: int = 32,
    depth: int = 3,
    preset: str = "quick",
    device: torch.device | str | None = None,
    progress: bool = True,
    **overrides: object,
) -> Features:
    """Pass the images of several sets through one network and keep its last feature map.

    All images are presented in the units (normalisation and, for MTT, whitening) of the first
    distilled set among them, as in `fddkit.evaluation.evaluate`; if there is none, in those of
    ``trained_on``, or else of the first set. Distilled images in other units are converted. A
    distilled image that holds several (IDC) counts as the images that it decodes to.

    Parameters
    ----------
    sets : mapping of str to GroupedDataset or DistilledSet
        Names and sets, of images of the same shape and the same classes.
    network : str
        Architecture, see `fddkit.training.architectures.NETWORKS`.
    trained_on : GroupedDataset or DistilledSet, optional
        What the network is trained on, from the same initial weights; by default it stays random,
        as in distribution matching.
    seed : int
        Seed of weights, training and the choice of real images.
    per_cell : int or None
        Maximum number of images of each class and group of a real set, drawn at random, so that
        groups have similar weight whatever the bias; None takes all. Distilled sets are always
        used as a whole.
    width, depth : int
        Width and depth of the ConvNet; other architectures have their own.
    preset : {"smoke", "quick", "paper"}
        Preset of the training, see `fddkit.training.fit`.
    device : torch.device or str, optional
        By default a GPU if there is one.
    progress : bool
        Show a progress bar while the network is trained.
    **overrides
        Fields of `fddkit.training.fit.Recipe`, e.g. ``epochs=100``.

    Returns
    -------
    Features
        In the order of the sets; real images in the order of their set.

    Raises
    ------
    FddkitError
        For an unknown name, sets that do not match each other or hold no image, a value out of
        range, training that diverges, or features that are not finite.

    See Also
    --------
    fddkit.analysis.coverage.coverage : How well one set covers another.
    fddkit.analysis.probes.probe : How well groups can be told apart.
    fddkit.analysis.projections.project : Features in the plane.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> s = fdd.distill(train, "random", ipc=2, progress=False)
    >>> found = fdd.features.extract({"test": test, "random": s}, per_cell=3, width=8)
    >>> found.points.shape, found.sources
    (torch.Size([320, 32]), ('test', 'random'))
    >>> len(found.rows("test")), len(found.rows("random"))
    (300, 20)
    """
    first = _check(sets, trained_on, per_cell, overrides)
    device = choose_device(device)
    distilled = [data for data in sets.values() if isinstance(data, DistilledSet)]
    units = (distilled or [trained_on or first])[0].units
    net_seed = derive(seed, "features", network)
    chosen = recipe(preset, width=width, depth=depth, **overrides)
    shape = tuple(first.images.shape[1:])
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True):
        net = fresh(network, shape, len(first.target_names), net_seed, width, depth).to(device)
        if trained_on is not None:
            images, target, group = trained_on.seen()
            chosen = chosen.fitted(len(images))
            if images.is_floating_point():
                images = trained_on.units.convert(images, units)
            epochs = chosen.epochs + (chosen.schedule == "half")
            images, target, group = (x.to(device) for x in (images, target, group))
            with tqdm(total=epochs, unit="epoch", desc=network, disable=not progress) as bar:
                fit(net, images, target, chosen, net_seed, units.normalise, bar.update, group)
        parts = [_embedded(name, data, net, units, per_cell, seed) for name, data in sets.items()]
    sizes = torch.tensor([len(points) for points, _, _ in parts])
    points, target, group = (torch.cat(columns) for columns in zip(*parts, strict=True))
    real = [data for data in sets.values() if isinstance(data, GroupedDataset)]
    return Features(
        points=points,
        target=target,
        group=group,
        source=torch.arange(len(sets)).repeat_interleave(sizes),
        sources=tuple(sets),
        target_names=tuple(first.target_names),
        group_names=tuple((real or [first])[0].group_names),
    )


def _embedded(
    name: str,
    data: GroupedDataset | DistilledSet,
    net: Network,
    units: Units,
    per_cell: int | None,
    seed: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the features, classes and groups of the images of one set, on the CPU."""
    if isinstance(data, DistilledSet):
        images, target = data.decoded()
        target = target.cpu()
        group = torch.full_like(target, -1)
    else:
        # the stream does not depend on the set's name: under another name the draw is the same
        index = _choose(data, per_cell, generator(seed, "feature images"))
        images = data.images[index.to(data.images.device)]
        target, group = data.target.cpu()[index], data.group.cpu()[index]
    device = next(net.parameters()).device
    blocks = (data.units.convert(part.to(device), units) for part in images.split(_BLOCK))
    points = torch.cat([embed(net, block).cpu() for block in blocks]).float()
    if not points.isfinite().all():
        raise FddkitError(f"the features of {name!r} are not finite; look at its images")
    return points, target, group


def _choose(data: GroupedDataset, per_cell: int | None, rng: torch.Generator) -> Tensor:
    """Draw up to ``per_cell`` images of each class and group: int64 on the CPU, ascending."""
    if per_cell is None:
        return torch.arange(len(data))
    cell = data.target.cpu() * (data.n_groups + 1) + data.group.cpu() + 1  # unknown: -1
    order = torch.randperm(len(data), generator=rng)
    order = order[cell[order].argsort(stable=True)]
    counts = cell.bincount()
    place = torch.arange(len(data)) - (counts.cumsum(0) - counts)[cell[order]]
    return order[place < per_cell].sort().values


def _check(
    sets: Mapping[str, GroupedDataset | DistilledSet],
    trained_on: GroupedDataset | DistilledSet | None,
    per_cell: int | None,
    overrides: Mapping[str, object],
) -> GroupedDataset | DistilledSet:
    """Check that the sets match each other; return the first."""
    if not sets:
        raise FddkitError("there is no set to extract features from; name at least one")
    first = next(iter(sets.values()))
    real = [data for data in sets.values() if isinstance(data, GroupedDataset)]
    named = [(name, data, GroupedDataset | DistilledSet) for name, data in sets.items()]
    if trained_on is not None:
        named.append(("trained_on", trained_on, GroupedDataset | DistilledSet))
    for name, data, kinds in named:
        if not isinstance(data, kinds):
            raise FddkitError(
                f"{name!r} is a {type(data).__name__}; give a GroupedDataset or a DistilledSet"
            )
        if not len(data):
            raise FddkitError(f"{name!r} holds no image; give a set with images")
        differs = None
        if data.images.shape[1:] != first.images.shape[1:]:
            differs = "shape of images"
        elif tuple(data.target_names) != tuple(first.target_names):
            differs = "classes"
        # the groups of a distilled set, or for training, do not matter
        elif data in real and tuple(data.group_names) != tuple(real[0].group_names):
            differs = "groups"
        if differs:
            raise FddkitError(
                f"{name!r} does not have the {differs} of the preceding sets; "
                "give sets of the same data set"
            )
    if per_cell is not None and not is_whole(per_cell):
        raise FddkitError(f"per_cell={per_cell!r} leaves no real image; give at least 1, or None")
    if trained_on is None and overrides:
        raise FddkitError(
            f"{next(iter(overrides))!r} is a setting of the training, but the network stays "
            "random; give trained_on, or leave it out"
        )
    return first
