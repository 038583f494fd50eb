"""The hyper-parameters of all distillers; a distiller adds its own by inheritance."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from ..core.errors import FddkitError, unknown
from ..core.numbers import whole
from ..data.grouped import GroupedDataset
from ..data.sampling import GROUP_BATCH, SAMPLING
from ..rules import density, encoder
from ..training import augment
from ..training.architectures import NETWORKS

INITS = ("real", "noise", "hybrid")
NORMALISE = ("none", "groups")
EXTRACTORS = ("random", "fair")
ENCODERS = tuple(encoder.PRESETS)


@dataclass(frozen=True)
class Settings:
    """How a set is distilled; every field can be overridden by name.

    Attributes
    ----------
    iterations : int or None
        Networks on which the images are matched, one after the other (DM, MTT: one step on the
        images each); ``None`` takes the method's own number.
    batch : int
        Real images per class and step.
    lr : float or None
        Step size on the images; ``None`` takes the method's own.
    momentum : float
        Momentum of the stochastic gradient descent on the images.
    sampling : {"class", "group"}
        How real batches are drawn, see `fddkit.data.sampling.Sampler`.
    group_batch : {"share", "whole"}
        How many images ``group`` sampling draws from each group: an equal share of ``batch``, or
        ``batch`` itself.
    normalise : {"none", "groups"}
        ``groups`` divides a sum over groups (the ``fairdd`` rules) by their number.
    init : {"real", "noise", "hybrid"}
        What the synthetic images start from: random real images, standard normal noise, or, as
        ``hybrid``, for each image one or the other with probability 1/2 (FairDD's ablation).
    augment : str
        Differentiable siamese augmentation: families joined by ``_``, one of which is drawn
        (joined by ``+``, all are applied), or ``"none"``; ``"auto"`` takes all six, but without
        ``flip`` where a mirrored image may belong to another class (`fddkit.data.traits`).
    network : str
        The architecture under which the images are matched.
    width, depth : int
        Width and depth of the ConvNet.
    extractor : {"random", "fair"}
        What the networks start from: random weights, or an extractor trained on group-balanced
        batches of the real set (intervention RF of COBRA's appendix N, see
        `fddkit.distillers.fair_extractors`).
    extractors, extractor_steps : int
        Number of such extractors, used in turn, and the steps for which each is trained.
    kde_form, kde_over, kde_sigma2, kde_temperature
        Parameters of the ``kde`` rule, see `fddkit.rules.density.kde_log_weights`; the defaults
        are the paper's.
    encoder : str
        Preset of the ``kde`` rule's encoder, see `fddkit.rules.encoder`.

    References
    ----------
    ``docs/methods.md``: "The shared step" (starts, sampling), "Rules", "Augmentation", and the
    section of each method.
    """

    iterations: int | None = None
    batch: int = 256
    lr: float | None = None
    momentum: float = 0.5
    sampling: str = "class"
    group_batch: str = "share"
    normalise: str = "none"
    init: str = "real"
    augment: str = "auto"
    network: str = "convnet"
    width: int = 128
    depth: int = 3
    extractor: str = "random"
    extractors: int = 5
    extractor_steps: int = 200
    kde_form: str = "softmax"
    kde_over: str = "dataset"
    kde_sigma2: float = 0.1
    kde_temperature: float = 0.1
    encoder: str = "quick"

    whole: ClassVar[tuple[str, ...]] = (
        *("iterations", "batch", "width", "depth", "extractors", "extractor_steps"),
    )
    positive: ClassVar[tuple[str, ...]] = ("lr", "kde_sigma2", "kde_temperature")
    choices: ClassVar[dict[str, Collection[str]]] = {
        "sampling": SAMPLING,
        "group_batch": GROUP_BATCH,
        "normalise": NORMALISE,
        "init": INITS,
        "network": NETWORKS,
        "extractor": EXTRACTORS,
        "kde_form": density.FORMS,
        "kde_over": density.OVER,
        "encoder": ENCODERS,
    }

    def __post_init__(self):
        """Check every value; subclasses add names to `whole`, `positive` and `choices`."""
        for name in self._given(self.whole):
            whole(name, getattr(self, name))
        for name in self._given(self.positive):
            value = getattr(self, name)
            if isinstance(value, bool) or not 0 < value < float("inf"):
                what = "step size" if name.startswith("lr") else "number"
                raise FddkitError(f"{name}={value!r} is not a positive {what}; give one")
        if not 0 <= self.momentum < 1:
            raise FddkitError(f"momentum={self.momentum!r} is outside [0, 1); DM's own is 0.5")
        for name in self._given(self.choices):
            if getattr(self, name) not in self.choices[name]:
                raise unknown(f"value of {name}", getattr(self, name), self.choices[name])
        if self.augment != "auto":
            augment.stages(self.augment)

    def _given(self, names: Iterable[str]) -> list[str]:
        """Return the names whose value is to be checked: all but a None left to `resolve`."""
        optional = {name for name, f in self.__dataclass_fields__.items() if f.default is None}
        return [n for n in names if getattr(self, n) is not None or n not in optional]

    def resolve(self, ipc: int, train: GroupedDataset) -> "Settings":
        """Return the settings with the values that depend on the run filled in.

        Parameters
        ----------
        ipc : int
            Images per class.
        train : GroupedDataset
            The real set.

        Returns
        -------
        Settings
            Without any ``None`` or ``"auto"``.
        """
        derived = self.derive(ipc, train)
        changed = {name: value for name, value in derived.items() if getattr(self, name) is None}
        auto = augment.automatic(train.traits.mirrors)
        return replace(self, **changed, augment=auto if self.augment == "auto" else self.augment)

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """Return the value of each field that may be None.

        Parameters
        ----------
        ipc : int
            Images per class.
        train : GroupedDataset
            The real set.

        Returns
        -------
        dict
            Always with the same keys, whichever fields are None.
        """
        raise NotImplementedError
