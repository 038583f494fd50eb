"""Gradient matching: DC (Zhao et al. 2021) and DSA (Zhao and Bilen 2021)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from ..core.rng import generator
from ..data.grouped import GroupedDataset
from ..rules.targets import Segments
from ..training.networks import Network
from ..training.sgd import Student
from .bilevel import Bilevel
from .settings import Settings
from .signals import Statistic, Weights

# images per class -> (steps on the images, epochs of training after each) with one network
LOOPS = {1: (1, 1), 10: (10, 50), 20: (20, 25), 30: (30, 20), 40: (40, 15), 50: (50, 10)}


@dataclass(frozen=True)
class DCSettings(Settings):
    """Settings of DC; the step size is 0.1.

    Attributes
    ----------
    outer : int or None
        Steps on the images with one network; ``None`` takes the official table by IPC (the next
        smaller row for an IPC that is not listed, and FairDD's (100, 10) above 50).
    inner : int or None
        Epochs of training on the synthetic images after each step except the last; ``None`` as
        above.
    net_lr : float
        Step size of that training, plain gradient descent.
    net_batch : int
        Batch size of that training.
    """

    augment: str = "none"
    outer: int | None = None
    inner: int | None = None
    net_lr: float = 0.01
    net_batch: int = 256

    whole: ClassVar[tuple[str, ...]] = (*Settings.whole, "outer", "inner", "net_batch")
    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "net_lr")

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        outer, inner = (100, 10) if ipc > 50 else LOOPS[max(n for n in LOOPS if n <= ipc)]
        return {"iterations": 1000, "lr": 0.1, "outer": outer, "inner": inner}


class DC(Bilevel):
    """Matches gradients of the weights, along the path of a network in training."""

    title = "gradient matching along the training of networks (Zhao et al. 2021)"
    presets: ClassVar = {
        "smoke": DCSettings(iterations=3, batch=32, width=16, outer=3, inner=2, encoder="smoke"),
        "quick": DCSettings(iterations=10, batch=64, width=32, outer=10, inner=5, lr=1.0),
        "paper": DCSettings(iterations=1000, encoder="paper"),
    }

    protocol: ClassVar = {"epochs": 300, "augment": "none"}

    @property
    def depends(self) -> bool:
        """See `Matching.depends`: the networks are trained on the synthetic images."""
        return True

    def weights(self, net: Network) -> Weights:
        """Return the weights whose gradients are matched."""
        return Weights(net)

    def statistic(
        self, net: Network, images: Tensor, target: Tensor, segments: Segments
    ) -> Statistic:
        """See `Matching.statistic`."""
        return Statistic(self.weights(net).real(images, target, *segments))

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """See `Matching.synthetic`."""
        return self.weights(net).synthetic(images, target, classes)

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return the sum over layers and rows (output units) of 1 - cosine (DC, Eq. 10)."""
        split = self.weights(net).split
        total = 0.0
        for g, s in zip(split(points), split(synthetic), strict=True):
            norms = g.norm(dim=-1) * s.norm(dim=-1)
            total = total + (1 - (g * s).sum(-1) / (norms + 1e-6)).sum(-1)
        return total

    def train_network(self, student: Student, images: Tensor, step: int) -> None:
        """See `Bilevel.train_network`: on the synthetic images."""
        chosen, rng = self.settings, generator(self.seed, "train", step)
        labels = torch.arange(len(images), device=self.device) // self.ipc
        for _ in range(chosen.inner):
            student.epoch(images, labels, chosen.net_batch, self.stages, rng)


class DSA(DC):
    """DC with siamese augmentation."""

    title = "DC with differentiable siamese augmentation (Zhao and Bilen 2021)"
    protocol: ClassVar = {}
    presets: ClassVar = {
        "smoke": DCSettings(
            iterations=3, batch=32, width=16, outer=3, inner=2, augment="auto", encoder="smoke"
        ),
        "quick": DCSettings(
            iterations=10, batch=64, width=32, outer=10, inner=5, lr=1.0, augment="auto"
        ),
        "paper": DCSettings(iterations=1000, augment="auto", encoder="paper"),
    }
