"""What a distiller says about itself: its facts, and the hooks that a subclass overrides."""

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor

from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..rules.targets import Rule, Segments, Targets
from ..training.networks import Network
from .settings import Settings
from .signals import Statistic
from .start import initial


class Hooks:
    """The part of `fddkit.distillers.matching.Matching` that subclasses fill in or override.

    Every distiller must define `title`, `presets`, `statistic` and `synthetic`; everything else
    has a default. The hooks that are called within a step (`statistic`, `synthetic`, `distance`,
    `loss`) must not remember anything: whatever one of them needs from another is passed on. What
    a distiller trains or chooses from step to step changes only in `after` and `load`, and is
    part of `state`.
    """

    #: What the method matches, with its source: a line of ``fddkit distill --help``.
    title: ClassVar[str]
    #: Preset name -> settings.
    presets: ClassVar[dict[str, Settings]]
    #: How its own evaluation differs from DM's: fields of `fddkit.training.fit.Recipe`.
    protocol: ClassVar[Mapping[str, object]] = {}
    #: What it trains on the groups before the first step, in words. If this is not empty, the
    #: rule acts there: a step does not depend on it, and no statistic of images is matched.
    beforehand: ClassVar[str] = ""
    #: Whether a step needs at most one derivative of the network's embedding.
    compiles: ClassVar[bool] = False

    train: GroupedDataset
    ipc: int
    settings: Settings
    seed: int

    # --- facts -------------------------------------------------------------------------------

    @classmethod
    def lacks(cls, rule: Rule) -> str:
        """Return why a rule has no meaning for this method; empty if it has one."""
        return ""

    @property
    def depends(self) -> bool:
        """Whether the networks of the steps depend on the synthetic images."""
        return False

    @property
    def per_network(self) -> int:
        """Steps on the images with one network."""
        return 1

    @property
    def shown(self) -> int:
        """Synthetic images of each class that the network sees in a step."""
        return self.ipc

    # --- within a step -----------------------------------------------------------------------

    def statistic(
        self, net: Network, images: Tensor, target: Tensor, segments: Segments
    ) -> Statistic:
        """Return the statistic of real images [N, C, H, W] of classes int64 [N]."""
        raise NotImplementedError

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """Return the statistic of each class of synthetic images, [classes, D], with its graph."""
        raise NotImplementedError

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return D between points [classes, T, D] and statistics [classes, 1, D]: [classes, T].

        By default the squared error, summed (not averaged) over features as in the official code.
        """
        return (points - synthetic).square().sum(-1)

    def mismatch(self, net: Network, goal: Targets, synthetic: Tensor) -> Tensor:
        """Return the sum of the weighted distances from synthetic statistics [classes, D]."""
        return (goal.weights * self.distance(net, goal.points, synthetic[:, None])).sum()

    def loss(
        self, net: Network, goal: Targets, synthetic: Tensor, rows: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the loss of classes whose synthetic statistics are [classes, D].

        ``rows`` are the `Statistic.rows` of the real images.
        """
        return self.mismatch(net, goal, synthetic)

    # --- from step to step -------------------------------------------------------------------

    def start(self) -> DistilledSet:
        """Return the images that the optimisation starts from."""
        return initial(self.train, self.ipc, self.seed, self.settings.init)

    def rate(self, step: int) -> float | Tensor:
        """Return the step size on the images."""
        return self.settings.lr

    def after(self, images: Tensor, step: int) -> int:
        """Do what follows a step on the images (in place), and return the next step's number."""
        return step + 1

    def fewest(self, step: int) -> int:
        """Return the smallest number of steps that can have been taken before this one."""
        return step

    def state(self) -> dict[str, Tensor]:
        """Return what a resumed run needs besides the images; empty if nothing is trained."""
        return {}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Restore what `state` returned before ``step``."""

    # --- at the end --------------------------------------------------------------------------

    def finish(self, result: DistilledSet) -> DistilledSet:
        """Return the result together with whatever else was learnt."""
        return result

    def doubts(self, result: DistilledSet) -> list[str]:
        """Return the reasons to doubt a result, one sentence each (`fddkit.distillers.health`)."""
        return []
