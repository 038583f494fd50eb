"""The hyper-parameters of a distillation and the presets that fill them in."""

from dataclasses import dataclass, replace

from . import augment
from .errors import FddkitError, unknown
from .grouped import GroupedDataset
from .networks import NETWORKS
from .presets import choose
from .sampling import SAMPLING

INITS = ("real", "noise", "hybrid")


@dataclass(frozen=True)
class Settings:
    """How a set is distilled; every field can be overridden by name.

    Attributes
    ----------
    iterations : int or None
        Steps on the synthetic images; ``None`` takes 400, and 200 for images of up to 16 pixels
        (`digits`), whose embeddings have a quarter as many features to fit.
    batch : int
        Real images per class and step.
    lr : float or None
        Step size on the images; ``None`` takes distribution matching's 1, and 10 from 100 images
        per class on (FairDD's script).
    momentum : float
        Of the stochastic gradient descent on the images.
    sampling : {"class", "group"}
        How real batches are drawn, see `fddkit.sampling.Sampler`.
    init : {"real", "noise", "hybrid"}
        What the synthetic images start from: random real images, standard normal noise, or real
        for the first half of each class (rounded up) and noise for the rest (FairDD's ablation
        names a hybrid without saying which).
    augment : str
        Differentiable siamese augmentation, families joined by ``_`` (or ``"none"``);
        ``"auto"`` takes all six, without ``flip`` on digits.
    network : str
        The architecture that embeds the images.
    width, depth : int
        Of the ConvNet.
    """

    iterations: int | None = None
    batch: int = 256
    lr: float | None = None
    momentum: float = 0.5
    sampling: str = "class"
    init: str = "real"
    augment: str = "auto"
    network: str = "convnet"
    width: int = 128
    depth: int = 3

    def __post_init__(self):
        """Check every value."""
        for name in ("iterations", "batch", "width", "depth"):
            value = getattr(self, name)
            if value is None and name == "iterations":
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise FddkitError(f"{name}={value!r} is not a positive integer; give at least 1")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise FddkitError(f"lr={self.lr!r} is not a positive step size; DM's own is 1")
        if not 0 <= self.momentum < 1:
            raise FddkitError(f"momentum={self.momentum!r} is outside [0, 1); DM's own is 0.5")
        for kind, value, known in (
            ("sampling", self.sampling, SAMPLING),
            ("kind of start", self.init, INITS),
            ("network", self.network, NETWORKS),
        ):
            if value not in known:
                raise unknown(kind, value, known)
        if self.augment != "auto":
            augment.parse(self.augment)

    def resolve(self, ipc: int, train: GroupedDataset) -> "Settings":
        """Return the settings with what depends on the run filled in.

        Parameters
        ----------
        ipc : int
            Images per class.
        train : GroupedDataset
            The real set.

        Returns
        -------
        Settings
            Without ``None`` or ``"auto"``.
        """
        lr = self.lr if self.lr is not None else (10.0 if ipc >= 100 else 1.0)
        iterations = self.iterations or (200 if max(train.shape[1:]) <= 16 else 400)
        strategy = self.augment
        if strategy == "auto":
            # a mirrored digit is no longer that digit (README of the official DSA code)
            digits = train.name.startswith(("digits", "cmnist"))
            strategy = "_".join(f for f in augment.FAMILIES if not (digits and f == "flip"))
        return replace(self, iterations=iterations, lr=float(lr), augment=strategy)


PRESETS = {
    "smoke": Settings(iterations=20, batch=32, width=16, lr=10.0),
    "quick": Settings(batch=64, width=32, lr=5.0),
    "paper": Settings(iterations=20_000, augment="color_crop_cutout_flip_scale_rotate"),
}


def settings(preset: str, **overrides: object) -> Settings:
    """Return a preset with some of its values replaced.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        ``smoke`` takes seconds (tests), ``quick`` minutes on two cores, ``paper`` uses the
        published hyper-parameters (protocol of FairDD and DM).
    **overrides
        Fields of `Settings`; ``None`` leaves the preset's value.

    Returns
    -------
    Settings

    Raises
    ------
    FddkitError
        For an unknown preset or field, or a value out of range.
    """
    return choose(PRESETS, preset, overrides, "setting")
