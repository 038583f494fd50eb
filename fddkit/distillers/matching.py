"""One step of matching: the loss between real and synthetic statistics, and its gradient."""

import os
import warnings
from collections.abc import Mapping
from typing import ClassVar

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from ..core.rng import derive, generator
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..data.sampling import Batch, Sampler
from ..rules.targets import Rule, Segments, Targets, segments, targets
from ..training import augment, compile, networks
from ..training.networks import Network
from .fair_extractors import fair_extractors
from .settings import Settings
from .signals import Statistic
from .start import initial


class Matching:
    """A distiller at work on one training set; each distiller is a subclass.

    Everything random derives from the seed and the number of the step, so that steps can be asked
    for in any order, and two rules can be compared on the very same step.

    A subclass says what is compared (`statistic`, `synthetic`, `distance`, `loss`). These remember
    nothing: what one needs of another is passed on. What a subclass trains or chooses from step
    to step changes in `after` and `load` alone, and is in `state`.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    ipc : int
        Images per class; the synthetic images come class after class.
    settings : Settings
        Resolved (see `fddkit.distillers.settings.Settings.resolve`).
    seed : int
        Of the run.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        float64 makes a reference.
    compile, graph : bool
        Compile the network, and capture it as CUDA graphs, see `fddkit.training.compile`.
    """

    #: What the method matches, with its source: a line of ``fddkit distill --help``.
    title: ClassVar[str]
    #: Preset name -> settings.
    presets: ClassVar[dict[str, Settings]]
    #: What its own evaluation has that DM's has not: fields of `fddkit.training.fit.Recipe`.
    protocol: ClassVar[Mapping[str, object]] = {}
    #: What it trains on the groups before the first step, in words. Where there is something, a
    #: rule acts there: a step does not depend on it, and no statistic of images is matched.
    beforehand: ClassVar[str] = ""
    #: Whether a step needs no more than one derivative of the network's embedding.
    compiles: ClassVar[bool] = False

    def __init__(
        self,
        train: GroupedDataset,
        ipc: int,
        settings: Settings,
        seed: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        compile: bool = False,
        graph: bool = False,
    ):
        self.ipc, self.settings, self.seed = ipc, settings, seed
        self.device, self.dtype = torch.device(device), dtype
        self.sampler = Sampler(train, settings.batch, settings.sampling, settings.group_batch)
        self.train = train.to(self.device)
        self.stages = augment.stages(settings.augment)
        self._net: tuple[int, Network] | None = None
        self._compiled: Network | None = None
        self._pool: list[Tensor] = []  # what networks start from, where not at random
        #: Name and sha256 of each file of the cache that the steps rest on.
        self.sources: dict[str, str] = {}
        self._fast = (compile or graph) and self.compiles
        self._graph = graph
        if (compile or graph) and not self.compiles:
            warnings.warn(
                "compile and graph have no effect on this method: its step needs more of the "
                "network than the gradient of its embedding; the run goes on uncompiled",
                stacklevel=2,
            )

    # --- what a distiller says of itself -----------------------------------------------------

    @classmethod
    def lacks(cls, rule: Rule) -> str:
        """Return why a rule has no meaning for this method; empty where it has one."""
        return ""

    @property
    def depends(self) -> bool:
        """Whether the networks of the steps depend on the synthetic images."""
        return False

    @property
    def per_network(self) -> int:
        """Steps on the images with one network."""
        return 1

    def prepare(self, rule: Rule, cache: str | os.PathLike | None, progress: bool) -> None:
        """Train, or find in the cache, what the steps under a rule rest on.

        Parameters
        ----------
        rule : Rule
            One of `fddkit.rules.rules.RULES`.
        cache : path-like, optional
            Folder of artifacts that runs share, see `fddkit.core.cache`.
        progress : bool
            Show a bar.
        """
        c = self.settings
        shared = {"cache": cache, "device": self.device, "progress": progress}
        if c.extractor == "fair":
            self._pool, seals = fair_extractors(self.train, c, self.seed, **shared)
            self.sources |= seals
        if rule.prepare is not None:
            self.sampler.log_weights, seals = rule.prepare(self.train, c, self.seed, **shared)
            self.sources |= seals

    @property
    def shown(self) -> int:
        """Synthetic images of each class that the network sees in a step."""
        return self.ipc

    def warm(self, images: Tensor, step: int) -> Network:
        """Return the network that a step on these synthetic images is taken under."""
        return self.network(step)

    def statistic(
        self, net: Network, images: Tensor, target: Tensor, segments: Segments
    ) -> Statistic:
        """Return the statistic of real images [N, C, H, W] of classes int64 [N]."""
        raise NotImplementedError

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """Return the statistic of each class of synthetic images, [classes, D], with its graph."""
        raise NotImplementedError

    def distance(self, net: Network, points: Tensor, synthetic: Tensor) -> Tensor:
        """Return D of points [classes, T, D] from statistics [classes, 1, D]: [classes, T].

        Here the squared error, summed (not averaged) over features as in the official codes.
        """
        return (points - synthetic).square().sum(-1)

    def mismatch(self, net: Network, goal: Targets, synthetic: Tensor) -> Tensor:
        """Return the weighted distances of synthetic statistics [classes, D], summed."""
        return (goal.weights * self.distance(net, goal.points, synthetic[:, None])).sum()

    def loss(
        self, net: Network, goal: Targets, synthetic: Tensor, rows: tuple[Tensor, ...]
    ) -> Tensor:
        """Return the loss of classes whose synthetic statistics are [classes, D].

        ``rows`` are those of the real images' `Statistic`.
        """
        return self.mismatch(net, goal, synthetic)

    def block(self, net: Network) -> int:
        """Return how many classes are computed at a time."""
        return max(1, networks.chunk_size(net, self.train.shape) // self.shown)

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
        """Return how many steps have been taken before one of this number, at least."""
        return step

    def finish(self, result: DistilledSet) -> DistilledSet:
        """Return the result with what else was learnt."""
        return result

    def doubts(self, result: DistilledSet) -> list[str]:
        """Return what speaks against a result, a sentence each; see `fddkit.distillers.health`."""
        return []

    # --- the step ----------------------------------------------------------------------------

    def gradient(self, images: Tensor, rule: Rule, step: int) -> tuple[float, Tensor]:
        """Return the loss of one step and its gradient in the synthetic images.

        Parameters
        ----------
        images : Tensor
            [classes * ipc, C, H, W], normalised.
        rule : Rule
            One of `fddkit.rules.rules.RULES`.
        step : int
            Names the step's batch, network and augmentation.

        Returns
        -------
        loss : float
            Summed over classes.
        gradient : Tensor
            Like ``images``.
        """
        classes, ipc = self.train.n_classes, self.ipc
        net, batch, draws = self.warm(images, step), self.batch(step), self.draws(step)
        # the loss is a sum over classes, so a block of classes at a time gives the same
        # gradient, and its activations stay in the cache (and bound the memory)
        block = self.block(net)
        total, parts = torch.zeros((), dtype=torch.float64, device=self.device), []
        for first in range(0, classes, block):
            part = slice(first, min(first + block, classes))
            own = images[part.start * ipc : part.stop * ipc].detach().requires_grad_()
            loss = self._part(own, rule, step, net, batch.part(part), draws, first)
            parts.append(torch.autograd.grad(loss, own)[0])
            total += loss.detach()
        return total.item(), torch.cat(parts)

    def _part(
        self,
        images: Tensor,
        rule: Rule,
        step: int,
        net: Network,
        batch: Batch,
        draws: list[augment.Draw],
        first: int,
    ) -> Tensor:
        """Return the loss of some classes, the first of which is ``first``.

        The groups' statistics are the largest tensors of a step; here they end with their block.
        """
        goal, rows = self.goal(net, batch, draws, rule, first)
        seen, labels = self.show(images, first, draws, step)
        synthetic = self.synthetic(net, seen, labels.to(self.device), len(batch.counts))
        return self.loss(net, goal, synthetic, rows)

    def goal(
        self, net: Network, batch: Batch, draws: list[augment.Draw], rule: Rule, first: int
    ) -> tuple[Targets, tuple[Tensor, ...]]:
        """Return what the classes of a (part of a) batch must match, and its `Statistic.rows`.

        Class 0 of the part is ``first``.
        """
        labels = batch.target + first
        real = self.real(batch.index, labels, draws)
        sums, rows = self.statistic(net, real, labels.to(self.device), segments(rule, batch))
        return targets(rule, sums, batch, self.settings.normalise == "groups"), rows

    def real(self, index: Tensor, labels: Tensor, draws: list[augment.Draw]) -> Tensor:
        """Return real images, int64 [N] of classes int64 [N], as the network sees them."""
        images = self.train.normalise(index.to(self.device)).to(self.dtype)
        for draw in draws:
            images = augment.apply(images, draw[labels])
        return images

    def show(
        self, images: Tensor, first: int, draws: list[augment.Draw], step: int
    ) -> tuple[Tensor, Tensor]:
        """Return synthetic images as the network sees them and their classes, int64 on the CPU.

        The augmentation is siamese: each class has the draw of its real images.
        """
        labels = torch.arange(len(images)) // self.shown + first
        for draw in draws:
            images = augment.apply(images, draw[labels])
        return images, labels

    def batch(self, step: int) -> Batch:
        """Return the real images of a step."""
        return self.sampler.draw(generator(self.seed, "batch", step))

    def draws(self, step: int) -> list[augment.Draw]:
        """Return the augmentations of a step, to be applied in order: a row for each class."""
        rng = generator(self.seed, "augment", step)
        return [augment.draw(self.train.n_classes, families, rng) for families in self.stages]

    # --- the network -------------------------------------------------------------------------

    def network(self, step: int) -> Network:
        """Return the network of a step: fresh, or as the steps before have trained it."""
        iteration = step // self.per_network
        if self._net is None or self._net[0] != iteration:
            self._net = (iteration, self.quick(self.fresh(iteration)))
        return self._net[1]

    def quick(self, net: Network) -> Network:
        """Return a network as it is, or compiled where that was asked for.

        Compiled code belongs to one network, which takes the weights of each that comes; so there
        is only ever the last of them.
        """
        if not self._fast:
            return net
        self._net = None
        if self._compiled is None:
            self._compiled = compile.accelerate(net, self.train.shape, self._graph)
        else:
            self._compiled.load_state_dict(net.state_dict())
        return self._compiled

    def fresh(self, iteration: int) -> Network:
        """Return a new network, frozen."""
        chosen = self.settings
        size = networks.own_size(chosen.network, chosen.width, chosen.depth)
        seed = derive(self.seed, "network", iteration)
        net = networks.build(chosen.network, self.train.shape, self.train.n_classes, seed, *size)
        if self._pool:
            # a copy: the parameters become views of the vector, and some methods train them
            weights = self._pool[iteration % len(self._pool)].clone()
            vector_to_parameters(weights, net.parameters())
        return net.requires_grad_(False).to(self.device, self.dtype)

    def state(self) -> dict[str, Tensor]:
        """Return what a resumed run needs beside the images; empty where nothing is trained."""
        return {}

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """Take up what `state` returned before ``step``."""
