"""Gradient matching while a network trains on real images: IDC (Kim et al. 2022)."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import FddkitError
from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.multi_formation import decode
from ..training import augment
from ..training.cutmix import cutmix
from ..training.networks import Network
from ..training.sgd import Student
from .dc import DC
from .health import sample
from .settings import INITS, Settings
from .signals import Weights
from .start import initial

_NEAR = 1e-3  # in normalised units: what rounding leaves of a clamp


@dataclass(frozen=True)
class IDCSettings(Settings):
    """Settings of IDC; ``lr`` refers to pixels in [0, 1].

    Attributes
    ----------
    lr_scale : float
        Factor on the official step size (a base for each distance, times IPC / 10, times the area
        relative to the official images), used if ``lr`` is not given.
    init : {"mix", "real", "noise", "hybrid"}
        ``mix`` shrinks ``factor ** 2`` real images into each synthetic one.
    augment : str
        ``auto`` applies colour, crop and cutout, one after the other.
    factor : int or None
        Multi-formation: each image holds ``factor ** 2`` smaller ones; 1 is IDC-I. ``None``
        means the official 2, and 1 below 28 pixels.
    distance : {"mse", "l1"} or None
        Sum of squares or of absolute values; ``None`` means ``mse`` for photographs and ``l1``
        otherwise, as in the official code for its data sets.
    outer : int
        Steps on the images with one network.
    batch_syn : int
        Maximum number of decoded synthetic images per class and step, drawn at random.
    net_data : int or None
        Real images that the network trains on after each step; ``None`` means 2000 photographs
        (CIFAR-10) and 500 otherwise.
    net_batch, net_lr, net_momentum, net_decay
        Batch size, step size, momentum and weight decay of that training.
    cutmix : float or None
        Probability of mixing a batch of that training; ``None`` means 0.5, and 0 for digits and
        letters in multi-formation.
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
    choices: ClassVar[dict[str, Collection[str]]] = {
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
            raise FddkitError(f"cutmix={self.cutmix!r} is not a probability; IDC's is 0.5")

    def resolve(self, ipc: int, train: GroupedDataset) -> "IDCSettings":
        """See `Settings.resolve`."""
        found = super().resolve(ipc, train)
        if self.augment == "auto":
            mixed = train.traits.characters and found.factor > 1
            found = replace(found, augment="color+crop" if mixed else "color+crop+cutout")
        return found

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        side = max(train.shape[1:])
        traits, factor = train.traits, self.factor or (2 if side >= 28 else 1)
        distance = self.distance or ("mse" if traits.photographs else "l1")
        official = 28 if traits.characters else 32
        base = {"mse": 5e-3, "l1": 1e-4}[distance]
        return {
            "iterations": 2000,
            "lr": self.lr_scale * base * ipc / 10 * (side / official) ** 2,
            "factor": factor,
            "distance": distance,
            "net_data": 2000 if traits.photographs else 500,
            "cutmix": 0.0 if traits.characters and factor > 1 else 0.5,
        }


class IDC(DC):
    """Matches gradients of the convolutions, several small images in one (Kim et al. 2022)."""

    title = "gradients during training on real images, multi-formation (Kim et al. 2022)"
    presets: ClassVar = {
        "smoke": IDCSettings(
            iterations=2, batch=32, width=16, outer=5, net_data=128, encoder="smoke"
        ),
        "quick": IDCSettings(
            iterations=5, batch=64, width=32, outer=20, net_data=256, lr_scale=600.0
        ),
        "paper": IDCSettings(encoder="paper"),
    }

    # four times as many steps of a quarter of the batch: as many epochs as under other methods
    protocol: ClassVar = {
        "augment": "flip+color+crop_scale_rotate",
        "cutmix": 0.5,
        "batch": 64,
        "schedule": "thirds",
        "max_steps": 80_000,
    }

    @property
    def depends(self) -> bool:
        """See `Matching.depends`: the networks are trained on real images."""
        return False

    def weights(self, net: Network) -> Weights:
        """See `DC.weights`: the convolutions alone."""
        return Weights(net, classifier=False)

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return the sum of squared or absolute differences over all weights."""
        difference = points - synthetic
        if self.settings.distance == "mse":
            return difference.square().sum(-1)
        return difference.abs().sum(-1)

    # --- the images: pixels, and several in one ----------------------------------------------

    def _pixel(self, value: float) -> Tensor:
        """Return a pixel value in [0, 1] in normalised units, [C, 1, 1]."""
        return self.train.units.level(value).to(self.device, self.dtype)

    @property
    def shown(self) -> int:
        """See `Matching.shown`."""
        return min(self.ipc * self.settings.factor**2, self.settings.batch_syn)

    def start(self) -> DistilledSet:
        """See `Matching.start`."""
        factor, init = self.settings.factor, self.settings.init
        if init != "mix":
            return replace(initial(self.train, self.ipc, self.seed, init), factor=factor)
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
        least = int(self.train.target.bincount().min())
        if least < ipc:
            raise FddkitError(
                f"{ipc} real images of each class are to be mixed, but a class of "
                f"{self.train.name} has only {least}; choose a smaller ipc or factor, or init=noise"
            )
        return initial(self.train, ipc, self.seed)

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
                rng = generator(self.seed, "subset", step, first + y)
                rows.append(torch.randperm(size, generator=rng)[: self.shown] + y * size)
            images = images[torch.cat(rows).to(self.device)]
        return super().show(images, first, draws, step)

    def rate(self, step: int) -> Tensor:
        """See `Matching.rate`: IDC takes its steps on pixels, we in normalised units.

        With z = (x - mean) / std, a step of ``lr`` on x is a step of ``lr / std ** 2`` on z.
        """
        std = torch.tensor(self.train.std, dtype=self.dtype)[:, None, None]
        return (self.settings.lr / std**2).to(self.device)

    # --- the network -------------------------------------------------------------------------

    def student(self, net: Network) -> Student:
        """See `Bilevel.student`: with momentum and weight decay."""
        chosen = self.settings
        return Student(net, chosen.net_lr, chosen.net_momentum, chosen.net_decay)

    def train_network(self, student: Student, images: Tensor, step: int) -> None:
        """See `Bilevel.train_network`: on real images."""
        chosen, rng = self.settings, generator(self.seed, "train", step)
        stages = tuple((f,) for f in ("color", "crop") if any(f in stage for stage in self.stages))
        order = torch.randperm(len(self.train), generator=rng)[: chosen.net_data]
        for rows in order.split(chosen.net_batch):
            index = rows.to(self.device)
            seen = augment.vary(self.train.normalise(index).to(self.dtype), stages, rng)
            target = self.train.target[index]
            student.step(*cutmix(seen, target, self.train.n_classes, chosen.cutmix, rng))

    def leave(self, images: Tensor) -> None:
        """See `Bilevel.leave`: clamp the pixels."""
        torch.minimum(torch.maximum(images, self._pixel(0)), self._pixel(1), out=images)

    # --- the end -----------------------------------------------------------------------------

    def doubts(self, result: DistilledSet) -> list[str]:
        """See `Matching.doubts`: steps that are too long leave pixels at the bounds."""
        lowest, highest = self._pixel(0).cpu(), self._pixel(1).cpu()
        bound = (result.images <= lowest + _NEAR) | (result.images >= highest - _NEAR)
        real = sample(self.train.images)
        usual = ((real == 0) | (real == 255)).double().mean().item()
        share = bound.double().mean().item()
        if share <= (1 + usual) / 2:
            return []
        return [
            f"{100 * share:.0f}% of the pixels are black or white, against {100 * usual:.0f}% in "
            "real images; choose a smaller lr"
        ]
