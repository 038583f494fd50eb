"""How a network is trained on a set: the recipe, its presets, and the loop."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from . import augment
from .errors import FddkitError
from .presets import choose
from .rng import generator
from .student import descend


@dataclass(frozen=True)
class Recipe:
    """How the networks are trained and tested; every field can be overridden by name.

    Attributes
    ----------
    epochs : int
        E of the schedule. As in the official code E + 1 epochs run, and after the epoch of index
        E // 2 + 1 the step size falls to a tenth and the momentum starts anew (protocols 5).
    max_steps : int
        Large sets train fewer epochs, so that they take about so many steps and the schedule is
        scaled with them (our choice; the papers do not say how they train on the whole set).
    repeats : int
        Networks of each architecture.
    batch : int
        Images a step.
    lr, momentum, decay : float
        Of the stochastic gradient descent; ``decay`` is the weight decay.
    augment : str
        Families of `fddkit.augment` joined by ``_`` (one family a batch, its parameters drawn for
        each image), such stages joined by ``+``, or ``"none"``.
    width, depth : int
        Of the ConvNet; other architectures have their own.
    originals : int or None
        Test images of each class in the counterfactual test, each in every group; all if None.
    """

    epochs: int
    max_steps: int
    repeats: int
    batch: int = 256
    lr: float = 0.01
    momentum: float = 0.9
    decay: float = 5e-4
    augment: str = "color_crop_cutout_flip_scale_rotate"
    width: int = 128
    depth: int = 3
    originals: int | None = None

    def __post_init__(self):
        """Check every value."""
        for name in ("epochs", "max_steps", "repeats", "batch", "width", "depth", "originals"):
            value = getattr(self, name)
            if value is None and name == "originals":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise FddkitError(f"{name}={value!r} is not a positive integer; give at least 1")
        if not 0 < self.lr < math.inf:
            raise FddkitError(f"lr={self.lr!r} is not a positive step size; the papers' is 0.01")
        if not 0 <= self.momentum < 1:
            raise FddkitError(f"momentum={self.momentum!r} is outside [0, 1); the papers' is 0.9")
        if not 0 <= self.decay < math.inf:
            raise FddkitError(f"decay={self.decay!r} is negative; the papers' is 0.0005")
        augment.stages(self.augment)


# "quick" takes larger and fewer steps than the papers, for the same result: on COBRA's digits and
# C-MNIST (10 images per class, ConvNet of width 32) 150 epochs at 0.03 came within 1 point of the
# accuracy of 300 at 0.01, at half the cost, and more epochs changed little.
PRESETS = {
    "smoke": Recipe(epochs=20, max_steps=40, repeats=2, lr=0.03, width=8, originals=20),
    "quick": Recipe(epochs=150, max_steps=400, repeats=5, lr=0.03, width=32, originals=200),
    "paper": Recipe(epochs=1000, max_steps=20_000, repeats=10),
}


def recipe(preset: str, **overrides: object) -> Recipe:
    """Return a preset with some of its values replaced.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        See `PRESETS`.
    **overrides
        Fields of `Recipe`; None leaves the preset's value.

    Returns
    -------
    Recipe

    Raises
    ------
    FddkitError
        For an unknown preset or field, or a value out of range.
    """
    return choose(PRESETS, preset, overrides, "setting of evaluate")


def fit(
    net: nn.Module,
    images: Tensor,
    target: Tensor,
    recipe: Recipe,
    seed: int,
    normalise: Callable[[Tensor], Tensor],
    tick: Callable[[], object] = lambda: None,
) -> None:
    """Train a network in place, as the official ``evaluate_synset`` does (protocols 5).

    Parameters
    ----------
    net : nn.Module
        On the device of the images.
    images : Tensor
        [N, C, H, W]; float: normalised, uint8: pixels.
    target : Tensor
        int64 [N].
    recipe : Recipe
        Its ``epochs`` as they are; ``max_steps`` is not looked at.
    seed : int
        Of the order of the images and of their augmentation.
    normalise : callable
        From pixels to what the network sees.
    tick : callable
        Called after every epoch.

    Raises
    ------
    FddkitError
        If the loss is no longer finite.
    """
    order, chance = generator(seed, "order"), generator(seed, "augment")
    stages = augment.stages(recipe.augment)
    optimiser = _sgd(net, recipe, recipe.lr)
    for epoch in range(recipe.epochs + 1):
        for rows in torch.randperm(len(images), generator=order).split(recipe.batch):
            rows = rows.to(images.device)
            batch = normalise(images[rows]) if images.dtype == torch.uint8 else images[rows]
            batch = augment.vary(batch, stages, chance)
            loss = descend(net, optimiser, batch, target[rows])
        if not math.isfinite(float(loss)):
            raise FddkitError(
                f"training diverged: the loss is {float(loss)} in epoch {epoch + 1}; "
                f"choose a smaller lr than {recipe.lr:g}"
            )
        if epoch == recipe.epochs // 2 + 1:
            optimiser = _sgd(net, recipe, recipe.lr / 10)
        tick()


def _sgd(net: nn.Module, recipe: Recipe, lr: float) -> torch.optim.SGD:
    return torch.optim.SGD(
        net.parameters(), lr, recipe.momentum, weight_decay=recipe.decay, fused=True
    )
