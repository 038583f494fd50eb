"""How a network is trained on a set: the recipe, its presets and the training loop."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ..core.errors import FddkitError, unknown
from ..core.numbers import whole
from ..core.presets import choose
from ..core.rng import generator
from . import augment
from .cutmix import cutmix
from .objectives import OBJECTIVES, objective

SCHEDULES = ("half", "thirds")


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained and tested; every field can be overridden by name.

    Attributes
    ----------
    epochs : int
        E of the schedule.
    schedule : {"half", "thirds"}
        ``half``, as in most official codes: E + 1 epochs; after the epoch with index E // 2 + 1 the
        step size drops to a tenth and the momentum is reset. ``thirds``, as in IDC: E epochs; the
        step size drops to a fifth after 2/3 of them and again after 5/6.
    max_steps : int
        Large sets train for fewer epochs, so that they take about this many steps, and the
        schedule is scaled accordingly (our choice; the papers do not say how they train on the
        whole set).
    repeats : int
        Networks of each architecture.
    batch : int
        Images per step.
    lr, momentum, decay : float
        Of stochastic gradient descent; ``decay`` is the weight decay.
    augment : str
        Families of `fddkit.training.augment` joined by ``_`` (one family per batch, its parameters
        drawn for each image), such stages joined by ``+``, or ``"none"``.
    cutmix : float
        Probability of mixing a batch with itself, see `fddkit.training.cutmix`.
    objective : {"erm", "group-dro", "tpr-gap"}
        What training minimises, see `fddkit.training.objectives`: the mean loss, or a fair
        objective (intervention MF of COBRA's appendix N).
    dro_step, penalty : float
        For ``group-dro`` the step of the cells' weights; for ``tpr-gap`` the weight of the gap.
    width, depth : int
        Of the ConvNet; other architectures have fixed sizes.
    originals : int or None
        Test images per class in the counterfactual test, each in every group; None: all.
    """

    epochs: int
    max_steps: int
    repeats: int
    batch: int = 256
    schedule: str = "half"
    lr: float = 0.01
    momentum: float = 0.9
    decay: float = 5e-4
    augment: str = "color_crop_cutout_flip_scale_rotate"
    cutmix: float = 0.0
    objective: str = "erm"
    dro_step: float = 0.01
    penalty: float = 1.0
    width: int = 128
    depth: int = 3
    originals: int | None = None

    def __post_init__(self):
        """Check every value."""
        for name in ("epochs", "max_steps", "repeats", "batch", "width", "depth", "originals"):
            if name != "originals" or self.originals is not None:
                whole(name, getattr(self, name))
        if not 0 < self.lr < math.inf:
            raise FddkitError(f"lr={self.lr!r} is not a positive step size; the papers use 0.01")
        if not 0 <= self.momentum < 1:
            raise FddkitError(f"momentum={self.momentum!r} is outside [0, 1); the papers use 0.9")
        if not 0 <= self.decay < math.inf:
            raise FddkitError(f"decay={self.decay!r} is negative; the papers use 0.0005")
        if not 0 <= self.cutmix <= 1:
            raise FddkitError(f"cutmix={self.cutmix!r} is not a probability; IDC uses 0.5")
        for name in ("dro_step", "penalty"):
            if not 0 <= getattr(self, name) < math.inf:
                raise FddkitError(
                    f"{name}={getattr(self, name)!r} is not a strength; give 0 or more"
                )
        for name, known in (("schedule", SCHEDULES), ("objective", tuple(OBJECTIVES))):
            if getattr(self, name) not in known:
                raise unknown(f"value of {name}", getattr(self, name), known)
        augment.stages(self.augment)

    def fitted(self, images: int) -> "Recipe":
        """Return the recipe for a set of this many images: ``max_steps`` may reduce its epochs."""
        steps = math.ceil(images / self.batch)
        return replace(self, epochs=min(self.epochs, math.ceil(self.max_steps / steps)))


# "quick" takes larger and fewer steps than the papers, with the same result: on COBRA's digits and
# C-MNIST (10 images per class, ConvNet of width 32) 150 epochs at 0.03 came within 1 point of the
# accuracy of 300 at 0.01, at half the cost, and more epochs changed little.
PRESETS = {
    "smoke": Recipe(epochs=20, max_steps=40, repeats=2, lr=0.03, width=8, originals=20),
    "quick": Recipe(epochs=150, max_steps=400, repeats=5, lr=0.03, width=32, originals=200),
    "paper": Recipe(epochs=1000, max_steps=20_000, repeats=10),
}


# The length and number of networks of a method's own evaluation apply to the paper preset only: the
# shorter presets keep theirs, so that they stay short, and take over the settings that change what
# images the networks see.
_LENGTH = ("epochs", "max_steps", "repeats")


def recipe(
    preset: str, protocol: Mapping[str, object] | None = None, **overrides: object
) -> Recipe:
    """Return a preset with some of its values replaced.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        See `PRESETS`.
    protocol : mapping, optional
        Where a method's own evaluation differs from DM's: fields of `Recipe` and their values.
    **overrides
        Fields of `Recipe`; None keeps the preset's value.

    Returns
    -------
    Recipe

    Raises
    ------
    FddkitError
        For an unknown preset or field, or a value out of range.

    References
    ----------
    `docs/methods.md`, "Evaluation".

    Examples
    --------
    >>> recipe("smoke").lr, recipe("smoke", lr=0.01).lr
    (0.03, 0.01)
    """
    changes = dict(protocol or {})
    if preset != "paper":
        changes = {name: value for name, value in changes.items() if name not in _LENGTH}
    given = {name: value for name, value in overrides.items() if value is not None}
    return choose(PRESETS, preset, {**overrides, **changes, **given}, "setting of evaluate")


def fit(
    net: nn.Module,
    images: Tensor,
    target: Tensor,
    recipe: Recipe,
    seed: int,
    normalise: Callable[[Tensor], Tensor],
    tick: Callable[[], object] = lambda: None,
    group: Tensor | None = None,
) -> None:
    """Train a network in place, as the official ``evaluate_synset`` does.

    Parameters
    ----------
    net : nn.Module
        On the device of the images.
    images : Tensor
        [N, C, H, W]: normalised if float, pixels if uint8.
    target : Tensor
        int64 [N].
    recipe : Recipe
        Runs for exactly its ``epochs``; ``max_steps`` is ignored.
    seed : int
        For the order of the images and their augmentation.
    normalise : callable
        Maps pixels to the network's input.
    tick : callable
        Called after every epoch.
    group : Tensor, optional
        int64 [N], for a fair objective; -1 for images without a group.

    Raises
    ------
    FddkitError
        If the loss is no longer finite.

    References
    ----------
    `docs/methods.md`, "Evaluation".
    """
    order, rng = generator(seed, "order"), generator(seed, "augment")
    stages = augment.stages(recipe.augment)
    step = objective(recipe.objective, target, group, recipe.dro_step, recipe.penalty)
    optimiser = _sgd(net, recipe, recipe.lr)
    half = recipe.schedule == "half"
    for epoch in range(recipe.epochs + half):
        if not half:
            # a single epoch (of a large set) has no thirds: it is trained at the full step size
            drops = recipe.epochs * 2 // 3, recipe.epochs * 5 // 6
            optimiser.param_groups[0]["lr"] = recipe.lr * 0.2 ** sum(0 < d <= epoch for d in drops)
        for rows in torch.randperm(len(images), generator=order).split(recipe.batch):
            rows = rows.to(images.device)
            batch = normalise(images[rows]) if images.dtype == torch.uint8 else images[rows]
            batch, labels = augment.vary(batch, stages, rng), target[rows]
            if recipe.cutmix:
                classes = net.classifier.out_features
                batch, labels = cutmix(batch, labels, classes, recipe.cutmix, rng)
            loss = step(net, optimiser, batch, labels, rows)
        if not math.isfinite(float(loss)):
            raise FddkitError(
                f"training diverged: the loss is {float(loss)} in epoch {epoch + 1}; "
                f"choose a smaller lr than {recipe.lr:g}"
            )
        if half and epoch == recipe.epochs // 2 + 1:
            optimiser = _sgd(net, recipe, recipe.lr / 10)
        tick()


def _sgd(net: nn.Module, recipe: Recipe, lr: float) -> torch.optim.SGD:
    return torch.optim.SGD(
        net.parameters(), lr, recipe.momentum, weight_decay=recipe.decay, fused=True
    )
