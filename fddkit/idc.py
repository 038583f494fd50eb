"""Gradient matching beside a network that trains on real images: IDC and DREAM."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from . import augment
from .cutmix import cutmix
from .dc import DC
from .distilled import DistilledSet, decode
from .errors import FddkitError
from .grouped import GroupedDataset
from .initial import initial
from .kmeans import representatives
from .networks import Network, embed
from .rng import generator
from .sampling import Batch
from .settings import INITS, Settings
from .signals import Weights
from .student import Student


@dataclass(frozen=True)
class IDCSettings(Settings):
    """IDC's; ``lr`` is in pixels of [0, 1].

    Attributes
    ----------
    lr_scale : float
        Times the official step size (a base for each distance, times IPC / 10, times the area
        relative to the official images), where ``lr`` is not given.
    init : {"mix", "real", "noise", "hybrid"}
        ``mix`` shrinks ``factor ** 2`` real images into each synthetic one.
    augment : str
        ``auto`` applies colour, crop and cutout, one after the other.
    factor : int or None
        Multi-formation: each image holds ``factor ** 2`` smaller ones; 1 is IDC-I. ``None``
        takes the official 2, and 1 below 28 pixels.
    distance : {"mse", "l1"} or None
        Sum of squares or of absolute values; ``None`` takes ``l1`` for digits and clothes and
        ``mse`` otherwise, as the official code does.
    outer : int
        Steps on the images with one network.
    batch_syn : int
        At most so many decoded synthetic images per class and step, drawn at random.
    net_data : int or None
        Real images that the network trains on after each step; ``None`` takes 2000 for CIFAR-10
        and 500 otherwise.
    net_batch, net_lr, net_momentum, net_decay
        Of that training.
    cutmix : float or None
        Probability of mixing a batch of it; ``None`` takes 0.5, and 0 for digits in
        multi-formation.
    """

    init: str = "mix"
    batch: int = 64
    lr_scale: float = 1.0
    factor: int | None = None
    distance: str | None = None
    outer: int = 100
    batch_syn: int = 128
    net_data: int | None = None
    net_batch: int = 64
    net_lr: float = 0.01
    net_momentum: float = 0.9
    net_decay: float = 5e-4
    cutmix: float | None = None

    whole: ClassVar[tuple[str, ...]] = (
        *Settings.whole, "factor", "outer", "batch_syn", "net_data", "net_batch"
    )  # fmt: skip
    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "net_lr", "lr_scale")
    choices: ClassVar[dict[str, tuple[str, ...]]] = {
        **Settings.choices,
        "init": ("mix", *INITS),
        "distance": ("mse", "l1"),
    }

    def __post_init__(self):
        """Check every value."""
        super().__post_init__()
        if not 0 <= self.net_momentum < 1:
            raise FddkitError(f"net_momentum={self.net_momentum!r} is outside [0, 1); IDC's is 0.9")
        if not 0 <= self.net_decay < float("inf"):
            raise FddkitError(f"net_decay={self.net_decay!r} is negative; IDC's is 0.0005")
        if self.cutmix is not None and not 0 <= self.cutmix <= 1:
            raise FddkitError(f"cutmix={self.cutmix!r} is no probability; IDC's is 0.5")

    def resolve(self, ipc: int, train: GroupedDataset) -> "IDCSettings":
        """See `Settings.resolve`."""
        found = super().resolve(ipc, train)
        if self.augment == "auto":
            digits = train.name.startswith(("digits", "cmnist")) and found.factor > 1
            found = replace(found, augment="color+crop" if digits else "color+crop+cutout")
        return found

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        side = max(train.shape[1:])
        digits = train.name.startswith(("digits", "cmnist"))
        factor = self.factor or (2 if side >= 28 else 1)
        gray = digits or train.name.startswith("cfmnist")
        distance = self.distance or ("l1" if gray else "mse")
        base = {"mse": 5e-3, "l1": 1e-4}[distance]
        return {
            "iterations": 2000,
            "lr": self.lr_scale * base * ipc / 10 * (side / (28 if digits else 32)) ** 2,
            "factor": factor,
            "distance": distance,
            "net_data": 2000 if train.name.startswith("cifar10") else 500,
            "cutmix": 0.0 if digits and factor > 1 else 0.5,
        }


class IDC(DC):
    """Gradients of the convolutions, several small images in one (Kim et al. 2022)."""

    title = "gradients beside training on real images, multi-formation (Kim et al. 2022)"
    presets: ClassVar = {
        "smoke": IDCSettings(
            iterations=2, batch=32, width=16, outer=5, net_data=128, encoder="smoke"
        ),
        "quick": IDCSettings(
            iterations=5, batch=64, width=32, outer=20, net_data=256, lr_scale=600.0
        ),
        "paper": IDCSettings(encoder="paper"),
    }

    def weights(self, net: Network) -> Weights:
        """See `DC.weights`: the convolutions alone."""
        return Weights(net, classifier=False)

    def distance(self, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return the sum over all weights of squares or of absolute values."""
        difference = points - synthetic
        if self.settings.distance == "mse":
            return difference.square().sum(-1)
        return difference.abs().sum(-1)

    # --- the images: pixels, and several in one ----------------------------------------------

    def _pixel(self, value: float) -> Tensor:
        """Return a pixel of [0, 1] in normalised units, [C, 1, 1]."""
        mean, std = (torch.tensor(x)[:, None, None] for x in (self.train.mean, self.train.std))
        return ((value - mean) / std).to(self.device, self.dtype)

    @property
    def shown(self) -> int:
        """See `Matching.shown`."""
        return min(self.ipc * self.settings.factor**2, self.settings.batch_syn)

    def start(self) -> DistilledSet:
        """See `Matching.start`."""
        factor, init = self.settings.factor, self.settings.init
        if init != "mix":
            return replace(initial(self.train, "start", self.ipc, self.seed, init), factor=factor)
        small = self.originals(self.ipc * factor**2)
        if factor == 1:
            return small
        height, width = self.train.shape[1:]
        size = -(-height // factor), -(-width // factor)
        blocks = F.interpolate(small.images, size=size, mode="nearest")
        blocks = blocks.unflatten(0, (-1, factor, factor)).permute(0, 3, 1, 4, 2, 5)
        whole = blocks.flatten(4).flatten(2, 3)[:, :, :height, :width].contiguous()
        group = torch.full((len(whole),), -1)  # of several originals at once
        target = small.target[:: factor**2]
        return replace(small, images=whole, target=target, group=group, factor=factor)

    def originals(self, ipc: int) -> DistilledSet:
        """Return the real images that ``mix`` starts from."""
        least = int(self.train.counts().sum(1).min())
        if least < ipc:
            raise FddkitError(
                f"{ipc} real images of each class are to be mixed, but one class of "
                f"{self.train.name} has {least}; choose a smaller ipc or factor, or init=noise"
            )
        return initial(self.train, "start", ipc, self.seed)

    def show(
        self, images: Tensor, first: int, draws: list[augment.Draw], step: int
    ) -> tuple[Tensor, Tensor]:
        """See `Matching.show`: decoded, at most ``batch_syn`` of each class."""
        classes = len(images) // self.ipc
        images = decode(images, self.settings.factor, self._pixel(0.5))
        size = len(images) // classes
        if size > self.shown:
            rows = []
            for y in range(classes):
                chance = generator(self.seed, "subset", step, first + y)
                rows.append(torch.randperm(size, generator=chance)[: self.shown] + y * size)
            images = images[torch.cat(rows).to(self.device)]
        return super().show(images, first, draws, step)

    def rate(self, step: int) -> Tensor:
        """See `Matching.rate`: IDC's steps are taken on pixels, ours in normalised units.

        With z = (x - mean) / std, a step of ``lr`` on x is one of ``lr / std ** 2`` on z.
        """
        std = torch.tensor(self.train.std, dtype=self.dtype)[:, None, None]
        return (self.settings.lr / std**2).to(self.device)

    # --- the network -------------------------------------------------------------------------

    def student(self, step: int) -> Student:
        """See `DC.student`."""
        net, chosen = self.network(step), self.settings
        if self._student is None or self._student.net is not net:
            self._student = Student(net, chosen.net_lr, chosen.net_momentum, chosen.net_decay)
        return self._student

    def after(self, images: Tensor, step: int) -> int:
        """Train the network on real images; before it is replaced, clamp the pixels instead."""
        if (step + 1) % self.per_network == 0:
            torch.minimum(torch.maximum(images, self._pixel(0)), self._pixel(1), out=images)
            return step + 1
        student, chosen = self.student(step), self.settings
        chance = generator(self.seed, "train", step)
        stages = tuple((f,) for f in ("color", "crop") if any(f in one for one in self.stages))
        order = torch.randperm(len(self.train), generator=chance)[: chosen.net_data]
        for rows in order.split(chosen.net_batch):
            index = rows.to(self.device)
            seen = augment.vary(self.train.normalise(index).to(self.dtype), stages, chance)
            target = self.train.target[index]
            student.step(*cutmix(seen, target, self.train.n_classes, chosen.cutmix, chance))
        return step + 1


@dataclass(frozen=True)
class DREAMSettings(IDCSettings):
    """DREAM's.

    Attributes
    ----------
    batch : int
        Representatives per class; under ``group`` sampling they are shared out to the groups and
        each is clustered by itself, for else minorities vanish (the paper says nothing of groups).
    interval : int
        Steps after which representatives are chosen anew.
    """

    batch: int = 128
    interval: int = 10

    whole: ClassVar[tuple[str, ...]] = (*IDCSettings.whole, "interval")


class DREAM(IDC):
    """IDC on representative images: those nearest to the centres of clusters (Liu et al. 2023)."""

    title = "IDC on representative real images, found by clustering (Liu et al. 2023)"
    presets: ClassVar = {
        "smoke": DREAMSettings(
            iterations=2, batch=16, width=16, outer=5, net_data=128, interval=3, encoder="smoke"
        ),
        "quick": DREAMSettings(
            iterations=5, batch=64, width=32, outer=20, net_data=256, lr_scale=600.0
        ),
        "paper": DREAMSettings(encoder="paper"),
    }

    _chosen: tuple[int, Tensor] | None = None  # since which step, and which images

    def batch(self, step: int) -> Batch:
        """See `Matching.batch`: the representatives, chosen anew after every interval."""
        since = step - step % self.per_network % self.settings.interval
        if self._chosen is None or self._chosen[0] != since:
            chance = generator(self.seed, "representatives", since)
            net = self.network(step)
            found = [self._cluster(net, pool, k, chance) for pool, k in self.sampler.pools]
            self._chosen = since, torch.cat(found)
        return self.sampler.batch(self._chosen[1])

    def originals(self, ipc: int) -> DistilledSet:
        """See `IDC.originals`: the nearest to the centres of as many clusters."""
        small = super().originals(ipc)
        chance, net = generator(self.seed, "initial images"), self.network(0)
        target, index = self.train.target.cpu(), []
        for y in range(self.train.n_classes):
            index.append(self._cluster(net, torch.where(target == y)[0], ipc, chance))
        index = torch.cat(index).to(self.device)
        images = self.train.normalise(index).cpu()
        return replace(small, images=images, group=self.train.group[index].cpu())

    def _cluster(self, net: Network, pool: Tensor, k: int, chance: torch.Generator) -> Tensor:
        """Return k of the pool, by the network's features of plain pixels in [0, 1]."""
        pixels = self.train.images[pool.to(self.device)]
        chunks = [embed(net, part.to(self.dtype) / 255) for part in pixels.split(1024)]
        return pool[representatives(torch.cat(chunks), k, chance)]

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`; the representatives are those of a network that has gone on."""
        chosen = {} if self._chosen is None else {"representatives": self._chosen[1]}
        return super().state() | chosen

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        super().load(state, step)
        within = step % self.per_network % self.settings.interval
        if within and step % self.per_network:
            self._chosen = step - within, state["representatives"]
