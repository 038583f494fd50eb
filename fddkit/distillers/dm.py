"""Distribution matching: the mean embeddings of random networks (Zhao and Bilen 2023)."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core.numbers import whole
from ..core.rng import generator
from ..data.grouped import GroupedDataset
from ..rules.targets import Segments
from ..training.networks import Network, embed
from ..training.sgd import Student
from .matching import Matching
from .settings import Settings
from .signals import Statistic, segment_sum


@dataclass(frozen=True)
class DMSettings(Settings):
    """Settings of DM; the step size is 1, or 10 from 100 images per class on (FairDD's script).

    By default 400 iterations, or 200 for images of up to 16 pixels (`digits`), whose embeddings
    have a quarter as many features to fit.

    Attributes
    ----------
    distance : {"mse", "l1"}
        D of the mean embeddings: squared error or absolute differences, summed over features. DM
        uses the first; the code released with COBRA (train_dm.py) uses the second for its own
        rule, and the first for vanilla and FairDD.
    warmup : int
        Epochs for which every network is first trained on the current synthetic images. DM has
        none; the code released with COBRA trains for 10 (50 and 100 at those IPC), for its own
        rule only. COBRA's statement of the method has neither.
    net_lr : float
        Step size of that training, plain gradient descent.
    net_batch : int
        Batch size of that training.
    """

    distance: str = "mse"
    warmup: int = 0
    net_lr: float = 0.01
    net_batch: int = 256

    whole: ClassVar[tuple[str, ...]] = (*Settings.whole, "net_batch")
    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "net_lr")
    choices: ClassVar[dict[str, Collection[str]]] = {
        **Settings.choices,
        "distance": ("mse", "l1"),
    }

    def __post_init__(self):
        """Check every value."""
        super().__post_init__()
        whole("warmup", self.warmup, least=0)

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        small = max(train.shape[1:]) <= 16
        return {"iterations": 200 if small else 400, "lr": 10.0 if ipc >= 100 else 1.0}


class DM(Matching):
    """Matches mean embeddings of a fresh, frozen, random network in every step.

    The embedding is the network's flattened last feature map.
    """

    title = "distribution matching: mean embeddings of random networks (Zhao and Bilen 2023)"
    compiles = True
    presets: ClassVar = {
        "smoke": DMSettings(iterations=20, batch=32, width=16, lr=10.0, encoder="smoke"),
        "quick": DMSettings(batch=64, width=32, lr=5.0),
        "paper": DMSettings(
            iterations=20_000, augment="color_crop_cutout_flip_scale_rotate", encoder="paper"
        ),
    }

    @property
    def depends(self) -> bool:
        """See `Matching.depends`."""
        return self.settings.warmup > 0

    def statistic(
        self, net: Network, images: Tensor, target: Tensor, segments: Segments
    ) -> Statistic:
        """See `Matching.statistic`; DM, Eq. 4."""
        return Statistic(segment_sum(embed(net, images), *segments))

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """See `Matching.synthetic`."""
        return net.embed(images).unflatten(0, (classes, -1)).mean(1)

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """See `Matching.distance`."""
        if self.settings.distance == "l1":
            return (points - synthetic).abs().sum(-1)
        return super().distance(net, points, synthetic)

    def warm(self, images: Tensor, step: int) -> Network:
        """See `Matching.warm`: trained on the images, starting from its random weights."""
        chosen = self.settings
        if not chosen.warmup:
            return self.network(step)
        net = self.quick(self.fresh(step))
        student, rng = Student(net, chosen.net_lr), generator(self.seed, "warm-up", step)
        labels = torch.arange(len(images), device=self.device) // self.ipc
        for _ in range(chosen.warmup):
            student.epoch(images, labels, chosen.net_batch, self.stages, rng)
        return net
