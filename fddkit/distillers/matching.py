"""One step of matching: the loss between real and synthetic statistics, and its gradient."""

import os
import warnings

import torch
from torch import Tensor
from torch.nn.utils import vector_to_parameters

from ..core.rng import derive, generator
from ..data.grouped import GroupedDataset
from ..data.sampling import Batch, Sampler
from ..rules.targets import Rule, Targets, segments, targets
from ..training import augment, compile, networks
from ..training.networks import Network
from .fair_extractors import fair_extractors
from .hooks import Hooks
from .settings import Settings


class Matching(Hooks):
    """A distiller working on one training set; each distiller is a subclass.

    Everything random derives from the seed and the number of the step, so steps can be requested
    in any order, and two rules can be compared on exactly the same step.

    A subclass defines what is compared (`statistic`, `synthetic` and, if they differ, `distance`
    and `loss`); `fddkit.distillers.hooks.Hooks` lists everything that it may define.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    ipc : int
        Images per class; the synthetic images come class after class.
    settings : Settings
        Resolved (see `fddkit.distillers.settings.Settings.resolve`).
    seed : int
        Seed of the run.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        float64 gives a reference.
    compile, graph : bool
        Compile the network, and capture it as CUDA graphs, see `fddkit.training.compile`.

    See Also
    --------
    fddkit.distillers.bilevel.Bilevel : For methods that train their networks between the steps.
    fddkit.distillers.dm.DM : The shortest built-in distiller.

    Examples
    --------
    A distiller that matches the mean pixels of a class, without any network. `statistic` sums
    features over segments of images, `synthetic` averages them over the images of each class:

    >>> import fddkit as fdd
    >>> from fddkit.distillers.dm import DMSettings
    >>> from fddkit.distillers.signals import Statistic, segment_sum
    >>> class MeanPixels(fdd.Matching):
    ...     title = "mean pixels"
    ...     presets = dict.fromkeys(("smoke", "quick", "paper"), DMSettings(iterations=3))
    ...
    ...     def statistic(self, net, images, target, segments):
    ...         return Statistic(segment_sum(images.flatten(1), *segments))
    ...
    ...     def synthetic(self, net, images, target, classes):
    ...         return images.flatten(1).unflatten(0, (classes, -1)).mean(1)
    >>> _ = fdd.register("mean-pixels", MeanPixels)
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "mean-pixels", fairness="cobra", ipc=1, progress=False)
    >>> len(s), len(s.loss)
    (10, 3)
    """

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
        self._pool: list[Tensor] = []  # initial weights of the networks, if not random
        #: Name and sha256 of each cached file that the steps depend on.
        self.sources: dict[str, str] = {}
        self._fast = (compile or graph) and self.compiles
        self._graph = graph
        if (compile or graph) and not self.compiles:
            warnings.warn(
                "compile and graph have no effect on this method: its step needs more of the "
                "network than the gradient of its embedding; the run continues uncompiled",
                stacklevel=2,
            )

    # --- before the first step ---------------------------------------------------------------

    def prepare(self, rule: Rule, cache: str | os.PathLike | None, progress: bool) -> None:
        """Train, or load from the cache, what the steps under a rule depend on.

        Parameters
        ----------
        rule : Rule
            One of `fddkit.rules.rules.RULES`.
        cache : path-like, optional
            Folder of artifacts shared between runs, see `fddkit.core.cache`.
        progress : bool
            Show a progress bar.
        """
        c = self.settings
        shared = {"cache": cache, "device": self.device, "progress": progress}
        if c.extractor == "fair":
            self._pool, seals = fair_extractors(self.train, c, self.seed, **shared)
            self.sources |= seals
        if rule.prepare is not None:
            self.sampler.log_weights, seals = rule.prepare(self.train, c, self.seed, **shared)
            self.sources |= seals

    # --- the step ----------------------------------------------------------------------------

    def warm(self, images: Tensor, step: int) -> Network:
        """Return the network that a step on these synthetic images is taken under."""
        return self.network(step)

    def block(self, net: Network) -> int:
        """Return how many classes are computed at a time."""
        return max(1, networks.chunk_size(net, self.train.shape) // self.shown)

    def gradient(self, images: Tensor, rule: Rule, step: int) -> tuple[float, Tensor]:
        """Return the loss of one step and its gradient with respect to the synthetic images.

        Parameters
        ----------
        images : Tensor
            [classes * ipc, C, H, W], normalised.
        rule : Rule
            One of `fddkit.rules.rules.RULES`.
        step : int
            Number of the step; determines its batch, network and augmentation.

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
            x = images[part.start * ipc : part.stop * ipc].detach().requires_grad_()
            loss = self._part(x, rule, step, net, batch.part(part), draws, first)
            parts.append(torch.autograd.grad(loss, x)[0])
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
        """Return the loss of a block of classes that begins with class ``first``.

        The groups' statistics are the largest tensors of a step; here they are freed with their
        block.
        """
        goal, rows = self.goal(net, batch, draws, rule, first)
        seen, labels = self.show(images, first, draws, step)
        synthetic = self.synthetic(net, seen, labels.to(self.device), len(batch.counts))
        return self.loss(net, goal, synthetic, rows)

    def goal(
        self, net: Network, batch: Batch, draws: list[augment.Draw], rule: Rule, first: int
    ) -> tuple[Targets, tuple[Tensor, ...]]:
        """Return what the classes of a batch (or part of one) must match, and `Statistic.rows`.

        ``first`` is the number of the part's first class.
        """
        labels = batch.target + first
        real = self.real(batch.index, labels, draws)
        sums, rows = self.statistic(net, real, labels.to(self.device), segments(rule, batch))
        return targets(rule, sums, batch, self.settings.normalise == "groups"), rows

    def real(self, index: Tensor, labels: Tensor, draws: list[augment.Draw]) -> Tensor:
        """Return real images as the network sees them.

        ``index`` and ``labels``, int64 [N], are their rows and classes.
        """
        images = self.train.normalise(index.to(self.device)).to(self.dtype)
        for draw in draws:
            images = augment.apply(images, draw[labels])
        return images

    def show(
        self, images: Tensor, first: int, draws: list[augment.Draw], step: int
    ) -> tuple[Tensor, Tensor]:
        """Return synthetic images as the network sees them, and their classes, int64 on the CPU.

        The augmentation is siamese: each class gets the same draw as its real images.
        """
        labels = torch.arange(len(images)) // self.shown + first
        for draw in draws:
            images = augment.apply(images, draw[labels])
        return images, labels

    def batch(self, step: int) -> Batch:
        """Return the real images of a step."""
        return self.sampler.draw(generator(self.seed, "batch", step))

    def draws(self, step: int) -> list[augment.Draw]:
        """Return the augmentations of a step, to be applied in order; one row per class."""
        rng = generator(self.seed, "augment", step)
        return [augment.draw(self.train.n_classes, families, rng) for families in self.stages]

    # --- the network -------------------------------------------------------------------------

    def network(self, step: int) -> Network:
        """Return the network of a step: fresh, or as trained by the preceding steps."""
        iteration = step // self.per_network
        if self._net is None or self._net[0] != iteration:
            self._net = (iteration, self.quick(self.fresh(iteration)))
        return self._net[1]

    def quick(self, net: Network) -> Network:
        """Return a network unchanged, or compiled if that was requested.

        Compiled code belongs to one network object, which takes on the weights of each new
        network; only the most recent one exists at any time.
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
        shape, classes = self.train.shape, self.train.n_classes
        seed = derive(self.seed, "network", iteration)
        net = networks.fresh(chosen.network, shape, classes, seed, chosen.width, chosen.depth)
        if self._pool:
            # a copy: the parameters become views of the vector, and some methods train them
            weights = self._pool[iteration % len(self._pool)].clone()
            vector_to_parameters(weights, net.parameters())
        return net.requires_grad_(False).to(self.device, self.dtype)
