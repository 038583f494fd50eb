"""Matching training trajectories (Cazenavette et al. 2022), and COBRA's version for groups."""

import os
from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional as F

from ..core.errors import FddkitError
from ..core.rng import generator
from ..data import whitening
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..rules.targets import Rule
from ..training import augment
from .matching import Matching
from .mtt_experts import Experts, ExpertSettings, train_experts
from .settings import Settings

# images per class -> (student steps, target epochs, starts below, step sizes of images and alpha,
# first alpha, ZCA): third-party transcriptions of the official table, which is an image
TABLE = {
    1: (50, 2, 2, 1e2, 1e-7, 1e-2, True),
    10: (30, 2, 20, 1e2, 1e-5, 1e-2, True),
    50: (30, 2, 40, 1e3, 1e-5, 1e-3, False),
}
_SMALLEST = 1e-6  # alpha is a step size: it stays positive


@dataclass(frozen=True)
class MTTSettings(Settings):
    """Settings of MTT; ``None`` takes the value of the official table (`TABLE`).

    Where the table gives a range (at IPC 10), the step sizes of images and alpha are its lower
    ends, 1e2 and 1e-5, and the first alpha is its upper end, 1e-2.

    Attributes
    ----------
    student_steps : int or None
        N, steps of the student on the synthetic images.
    target_epochs : int or None
        M, epochs of the expert that these steps should reproduce.
    max_start : int or None
        The student starts from an expert's weights after fewer epochs than this.
    lr_alpha : float or None
        Step size on alpha, the student's own step size, which is learnt.
    alpha : float or None
        Initial value of alpha.
    zca : bool or None
        Whiten the images.
    batch_syn : int or None
        Synthetic images in a step of the student; ``None`` takes all, at most 256.
    experts, expert_epochs : int
        Number of experts, and epochs of each.
    expert_lr, expert_batch
        Step size and batch size of their training.
    """

    student_steps: int | None = None
    target_epochs: int | None = None
    max_start: int | None = None
    lr_alpha: float | None = None
    alpha: float | None = None
    zca: bool | None = None
    batch_syn: int | None = None
    experts: int = 100
    expert_epochs: int = 50
    expert_lr: float = 0.01
    expert_batch: int = 256

    whole: ClassVar[tuple[str, ...]] = (
        *Settings.whole,
        *("student_steps", "target_epochs", "max_start", "batch_syn"),
        *("experts", "expert_epochs", "expert_batch"),
    )
    positive: ClassVar[tuple[str, ...]] = (*Settings.positive, "lr_alpha", "alpha", "expert_lr")

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        row = TABLE[max(n for n in TABLE if n <= ipc)]
        names = ("student_steps", "target_epochs", "max_start", "lr", "lr_alpha", "alpha", "zca")
        found = dict(zip(names, row, strict=True))
        return {"iterations": 5000, "batch_syn": min(256, ipc * train.n_classes), **found}

    def resolve(self, ipc: int, train: GroupedDataset) -> "MTTSettings":
        """See `Settings.resolve`."""
        found = super().resolve(ipc, train)
        if self.extractor != "random":
            raise FddkitError("mtt follows experts from random weights; leave extractor=random")
        if found.max_start - 1 + found.target_epochs > found.expert_epochs:
            raise FddkitError(
                f"max_start={found.max_start} and target_epochs={found.target_epochs} reach "
                f"beyond the experts' {found.expert_epochs} epochs; give more expert_epochs"
            )
        return found


class MTT(Matching):
    """Matches the weights that real images lead to, with fewer steps on synthetic images."""

    title = "training trajectories of experts (Cazenavette et al. 2022); cobra: of each group"
    presets: ClassVar = {
        "smoke": MTTSettings(
            iterations=4, width=8, student_steps=3, target_epochs=1, max_start=2, lr=10.0,
            lr_alpha=1e-4, alpha=0.02, zca=False, experts=2, expert_epochs=3, encoder="smoke",
        ),
        "quick": MTTSettings(
            iterations=150, width=32, student_steps=10, target_epochs=2, max_start=8, lr=500.0,
            lr_alpha=1e-6, alpha=0.005, zca=False, experts=5, expert_epochs=10, expert_lr=0.02,
            expert_batch=64,
        ),
        "paper": MTTSettings(encoder="paper"),
    }  # fmt: skip
    protocol: ClassVar = {"repeats": 5}
    beforehand = "experts"

    _experts: Experts
    _alpha: tuple[float, float]  # value, velocity
    _slopes: dict[int, float]  # step -> the gradient in alpha that came with that in the images

    @classmethod
    def lacks(cls, rule: Rule) -> str:
        """See `Matching.lacks`."""
        if rule.mean_of:
            return ""
        if not rule.of_groups:
            return "it weights single images, not trajectories; use dm or dsa"
        return "only the plain mean over groups is defined for trajectories; use cobra"

    def __init__(self, *arguments: object, **options: object):
        super().__init__(*arguments, **options)
        chosen = self.settings
        self._alpha, self._slopes = (chosen.alpha, 0.0), {}
        if chosen.zca:
            seen = [self.train.normalise(i) for i in torch.arange(len(self.train)).split(4096)]
            self.train = replace(self.train, whitening=whitening.fit(torch.cat(seen)))
        self._module = self.fresh(0)
        self._shapes = {name: p.shape for name, p in self._module.named_parameters()}

    def prepare(self, rule: Rule, cache: str | os.PathLike | None, progress: bool) -> None:
        """See `Matching.prepare`: trains the experts, under ``cobra`` for each group."""
        c = self.settings
        wanted = ExpertSettings(
            c.experts, c.expert_epochs, c.expert_lr, c.expert_batch, c.augment, c.network,
            c.width, c.depth,
        )  # fmt: skip
        self._experts = train_experts(
            self.train,
            wanted,
            self.seed,
            groups=rule.mean_of == "groups",
            cache=cache,
            device=self.device,
            progress=progress,
        )
        self.sources |= self._experts.seals

    def start(self) -> DistilledSet:
        """See `Matching.start`."""
        white = self.train.whitening
        if white is not None:
            white = whitening.Whitening(*(t.cpu() for t in white))
        return replace(super().start(), lr=self.settings.alpha, whitening=white)

    def gradient(self, images: Tensor, rule: Rule, step: int) -> tuple[float, Tensor]:
        """Return the loss of a step and its gradient in the images; `after` uses that in alpha.

        The student's N steps are taken without a graph, keeping only its weights; then the
        gradient is propagated back step by step, rebuilding each step's graph. So only one step's
        graph and N + 1 vectors of weights are held, at the price of computing the inner gradient
        twice. For theta' = theta - alpha g(theta, X) and v = dL/dtheta',

            dL/dalpha -= <g, v>,  dL/dX -= alpha d<g, v>/dX,  v -= alpha d<g, v>/dtheta.
        """
        c, alpha = self.settings, self._alpha[0]
        rng = generator(self.seed, "trajectory", step)
        k, t = (int(torch.randint(n, (), generator=rng)) for n in (c.experts, c.max_start))
        start, goal = (
            w.to(self.device, self.dtype) for w in self._experts.pair(k, t, c.target_epochs)
        )
        batches = self._batches(len(images), step)
        path = [start]  # the student's weights before each step, and at the end
        for batch in batches:
            path.append(path[-1] - alpha * self._slope(path[-1], images, batch))
        reach = (start - goal).square().sum()
        miss = path.pop() - goal
        v, gradient, by_alpha = 2 * miss / reach, torch.zeros_like(images), 0.0
        for batch in reversed(batches):
            theta, x = path.pop().requires_grad_(), images.detach().requires_grad_()
            along = self._slope(theta, x, batch, graph=True) @ v
            by_x, by_theta = torch.autograd.grad(along, (x, theta))
            by_alpha -= along.item()
            gradient -= alpha * by_x
            v = v - alpha * by_theta
        self._slopes[step] = by_alpha
        return (miss.square().sum() / reach).item(), gradient

    def _batches(self, n: int, step: int) -> list[tuple[Tensor, list[augment.Draw]]]:
        """Return the rows and augmentations of each of the student's steps."""
        rng = generator(self.seed, "student", step)
        size, found, order = self.settings.batch_syn, [], torch.empty(0, dtype=torch.int64)
        for _ in range(self.settings.student_steps):
            if not len(order):  # every image once, then in a new order
                order = torch.randperm(n, generator=rng)
            rows, order = order[:size], order[size:]
            draws = [augment.draw(len(rows), f, rng, shared_family=True) for f in self.stages]
            found.append((rows.to(self.device), draws))
        return found

    def _slope(self, weights: Tensor, images: Tensor, batch: tuple, graph: bool = False) -> Tensor:
        """Return the gradient of the student's loss with respect to its flat weights."""
        rows, draws = batch
        if not graph:
            weights = weights.detach().requires_grad_()
        seen = images[rows]
        for draw in draws:
            seen = augment.apply(seen, draw)
        parts = weights.split([shape.numel() for shape in self._shapes.values()])
        named = {
            name: part.view(shape)
            for (name, shape), part in zip(self._shapes.items(), parts, strict=True)
        }
        loss = F.cross_entropy(functional_call(self._module, named, (seen,)), rows // self.ipc)
        return torch.autograd.grad(loss, weights, create_graph=graph)[0]

    def after(self, images: Tensor, step: int) -> int:
        """Take a step on alpha, which stays above 1e-6."""
        value, velocity = self._alpha
        velocity = self.settings.momentum * velocity + self._slopes[step]
        self._alpha = max(value - self.settings.lr_alpha * velocity, _SMALLEST), velocity
        self._slopes.clear()
        return step + 1

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`."""
        return {"alpha": torch.tensor(self._alpha, dtype=torch.float64)}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        value, velocity, *_ = state["alpha"].tolist()  # older checkpoints also hold the last slope
        if value < _SMALLEST:
            raise ValueError(f"its step size is {value:g}")
        self._alpha = value, velocity
        self._slopes.clear()

    def finish(self, result: DistilledSet) -> DistilledSet:
        """See `Matching.finish`: adds alpha, the step size for training on the images."""
        return replace(result, lr=self._alpha[0])

    def doubts(self, result: DistilledSet) -> list[str]:
        """See `Matching.doubts`: with a step size at its bound the student does not move."""
        if result.lr > _SMALLEST:
            return []
        return [
            f"the step size learnt with the images has fallen to its bound of {_SMALLEST:g}, so "
            "a student does not move; choose a smaller lr_alpha or lr"
        ]
