"""Aligning features layer by layer: CAFE (Wang et al. 2022)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import FddkitError
from ..core.rng import generator
from ..data.grouped import GroupedDataset
from ..data.sampling import Sampler
from ..rules.targets import Segments, Targets
from ..training.networks import Network, chunk_size, predict
from ..training.sgd import Student
from .bilevel import Bilevel
from .settings import Settings
from .signals import Statistic, segment_sum


@dataclass(frozen=True)
class CAFESettings(Settings):
    """Settings of CAFE; the step size is 0.1, halved after 60, 80 and 90 % of the networks.

    Attributes
    ----------
    outer : int
        Maximum number of steps on the images with one network. The official code has no limit,
        so a network whose accuracy keeps changing would never be left.
    inner : int
        Maximum number of epochs of training after each step, for the same reason.
    window : int
        Number of recent accuracies that are compared.
    settled, moved : float
        A network is left when the accuracies after the last ``window`` steps lie within
        ``settled``; training after a step ends when those after the last ``window`` epochs do not
        lie within ``moved``.
    watched : int
        Real images of each class on which an accuracy is measured.
    discrimination : float
        Weight of the cross-entropy of the real images' last features against the classes'
        synthetic means. It is the same under all rules: the papers do not say how fairness enters.
    net_lr : float
        Step size of the training on the synthetic images.
    net_batch : int
        Batch size of that training.
    """

    augment: str = "none"
    outer: int = 100
    inner: int = 50
    window: int = 10
    settled: float = 0.04
    moved: float = 0.03
    watched: int = 128
    discrimination: float = 0.01
    net_lr: float = 0.01
    net_batch: int = 256

    whole: ClassVar[tuple[str, ...]] = (
        *Settings.whole,
        *("outer", "inner", "window", "watched", "net_batch"),
    )
    positive: ClassVar[tuple[str, ...]] = (
        *Settings.positive,
        *("settled", "moved", "discrimination", "net_lr"),
    )

    def __post_init__(self):
        """Check every value."""
        super().__post_init__()
        if self.network != "convnet":
            raise FddkitError(
                f"cafe reads the layers of a convnet, not of network={self.network!r}; omit network"
            )

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        return {"iterations": 2000, "lr": 0.1}


class CAFE(Bilevel):
    """Matches mean features of every layer, with a discrimination loss on the last."""

    title = "features of all layers, with a discrimination loss (Wang et al. 2022)"
    presets: ClassVar = {
        "smoke": CAFESettings(
            iterations=3, batch=32, width=16, outer=3, inner=2, watched=8, encoder="smoke"
        ),
        "quick": CAFESettings(
            iterations=10, batch=64, width=32, outer=10, inner=5, window=5, watched=16, lr=1.0
        ),
        "paper": CAFESettings(init="noise", encoder="paper"),
    }

    protocol: ClassVar = {"epochs": 600, "augment": "none"}

    @property
    def depends(self) -> bool:
        """See `Matching.depends`: the networks are trained on the synthetic images."""
        return True

    def __init__(self, *arguments: object, **options: object):
        super().__init__(*arguments, **options)
        self._watch = Sampler(self.train, self.settings.watched, "class")
        self._window: list[float] = []

    # --- the signal --------------------------------------------------------------------------

    def features(self, net: Network, images: Tensor) -> list[Tensor]:
        """Return the flattened output of every block's ReLU, and of the last pooling."""
        maps, x = [], images
        for layer in net.features:
            x = layer(x)
            if isinstance(layer, torch.nn.ReLU):
                maps.append(x.flatten(1))
        return [*maps, x.flatten(1)]

    def weights(self, layers: int) -> list[float]:
        """Return the weight of each layer: 0.1, 0.1, 1 and 2 in the official three blocks.

        The last map counts twice: once as a layer and once more for its mean. In a ConvNet of
        another depth the last ReLU has weight 1 and those before it 0.1.
        """
        return [0.1] * (layers - 2) + [1.0, 2.0]

    def statistic(
        self, net: Network, images: Tensor, target: Tensor, segments: Segments
    ) -> Statistic:
        """See `Matching.statistic`: maps are summed chunk by chunk; the last ones are the rows."""
        total, last, size = 0.0, [], chunk_size(net, images.shape[1:])
        for part, s, w in zip(
            images.split(size),
            segments.segment.split(size),
            segments.weight.split(size),
            strict=True,
        ):
            with torch.no_grad():
                maps = self.features(net, part)
            total = total + segment_sum(torch.cat(maps, 1), s, w, segments.n)
            last.append(maps[-1])
        return Statistic(total, (torch.cat(last), target))

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """See `Matching.synthetic`."""
        maps = self.features(net, images)
        return torch.cat(maps, 1).unflatten(0, (classes, -1)).mean(1)

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return the weighted sum over layers of squared errors (CAFE, Eq. 3)."""
        none = torch.empty(0, *self.train.shape, device=self.device, dtype=self.dtype)
        sizes = [layer.shape[1] for layer in self.features(net, none)]
        parts = (points - synthetic).square().split(sizes, -1)
        weights = self.weights(len(parts))
        return sum(w * part.sum(-1) for w, part in zip(weights, parts, strict=True))

    def block(self, net: Network) -> int:
        """See `Matching.block`: the discrimination loss needs all classes at once."""
        return self.train.n_classes

    def loss(
        self, net: Network, goal: Targets, synthetic: Tensor, rows: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the matching loss and the discrimination loss (CAFE, Eq. 5 and 6)."""
        features, target = rows
        logits = features @ synthetic[:, -features.shape[1] :].T
        apart = F.cross_entropy(logits, target, reduction="sum")
        return self.mismatch(net, goal, synthetic) + self.settings.discrimination * apart

    # --- the two levels ----------------------------------------------------------------------

    def rate(self, step: int) -> float:
        """See `Matching.rate`."""
        done = step // self.per_network / self.settings.iterations
        return self.settings.lr * 0.5 ** sum(done >= at for at in (0.6, 0.8, 0.9))

    def settled(self, step: int) -> bool:
        """See `Bilevel.settled`: the accuracy of the network no longer changes."""
        c = self.settings
        # never changed in place: a checkpoint may hold the previous list
        window = [*self._window, self._accuracy(step, 0)][-c.window :]
        self._window = window[1:] if len(window) == c.window else window
        return len(window) == c.window and max(window) - min(window) < c.settled

    def train_network(self, student: Student, images: Tensor, step: int) -> None:
        """See `Bilevel.train_network`: on the synthetic images, until its accuracy has moved."""
        c, inner = self.settings, []
        labels = torch.arange(len(images), device=self.device) // self.ipc
        rng = generator(self.seed, "train", step)
        for epoch in range(c.inner):
            student.epoch(images, labels, c.net_batch, self.stages, rng)
            inner = [*inner, self._accuracy(step, epoch + 1)][-c.window :]
            if len(inner) == c.window and max(inner) - min(inner) > c.moved:
                break

    def leave(self, images: Tensor) -> None:
        """See `Bilevel.leave`: accuracies are compared only within one network."""
        self._window = []

    def fewest(self, step: int) -> int:
        """See `Matching.fewest`: one step with each earlier network, and all with this one."""
        return sum(divmod(step, self.per_network))

    def _accuracy(self, step: int, epoch: int) -> float:
        """Return the accuracy of the network on freshly drawn real images."""
        index = self._watch.draw(generator(self.seed, "watched", step, epoch)).index
        index = index.to(self.device)
        seen = self.train.normalise(index).to(self.dtype)
        correct = predict(self.network(step), seen) == self.train.target[index]
        return correct.double().mean().item()

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`."""
        return {"window": torch.tensor(self._window, dtype=torch.float64), **super().state()}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        super().load(state, step)
        window = state["window"]
        if window.ndim != 1 or len(window) >= self.settings.window:
            raise ValueError(f"its window has the shape {list(window.shape)}")
        self._window = window.tolist()
