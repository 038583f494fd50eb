"""One step of matching: the loss between real and synthetic statistics, and its gradient."""

from collections.abc import Callable

import torch
from torch import Tensor

from . import augment, networks, signals
from .grouped import GroupedDataset
from .rng import derive, generator
from .sampling import Sampler
from .settings import Settings
from .targets import Targets, squared_error

Rule = Callable[[Tensor, Tensor, Tensor], Targets]


class Matching:
    """The matching problem of one run: which batch, network and augmentation each step sees.

    Everything random derives from the seed and the number of the iteration, so a step can be
    asked for in any order, and two rules can be compared on the very same step.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    ipc : int
        Images per class; the synthetic images come class after class.
    settings : Settings
        Resolved (see `fddkit.settings.Settings.resolve`).
    seed : int
        Of the run.
    device : torch.device
        Where to compute.
    dtype : torch.dtype
        float64 makes a reference.
    """

    def __init__(
        self,
        train: GroupedDataset,
        ipc: int,
        settings: Settings,
        seed: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ):
        self.ipc, self.settings, self.seed = ipc, settings, seed
        self.device, self.dtype = torch.device(device), dtype
        self.sampler = Sampler(train, settings.batch, settings.sampling)
        self.train = train.to(self.device)
        self._families = augment.parse(settings.augment)

    def gradient(self, images: Tensor, rule: Rule, iteration: int) -> tuple[float, Tensor]:
        """Return the loss of one iteration and its gradient in the synthetic images.

        Parameters
        ----------
        images : Tensor
            [classes * ipc, C, H, W], normalised.
        rule : callable
            One of `fddkit.targets.RULES`.
        iteration : int
            Names the step's batch, network and augmentation.

        Returns
        -------
        loss : float
            Summed over classes.
        gradient : Tensor
            Like ``images``.
        """
        classes, ipc = self.train.n_classes, self.ipc
        net = self._network(iteration)
        draws = augment.draw(classes, self._families, generator(self.seed, "augment", iteration))
        goal = self._targets(net, draws, rule, iteration)

        # the loss is a sum over classes, so a block of classes at a time gives the same
        # gradient, and its activations stay in the cache (and bound the memory)
        block = max(1, networks.chunk_size(net, self.train.shape) // ipc)
        labels = torch.arange(classes).repeat_interleave(ipc)
        total, parts = torch.zeros((), dtype=torch.float64, device=self.device), []
        for first in range(0, classes, block):
            part = slice(first, min(first + block, classes))
            rows = slice(part.start * ipc, part.stop * ipc)
            own = images[rows].detach().requires_grad_()
            seen = augment.apply(own, draws[labels[rows]])
            synthetic = signals.synthetic_embeddings(net, seen, part.stop - part.start)
            loss = squared_error(Targets(goal.points[part], goal.weights[part]), synthetic)
            parts.append(torch.autograd.grad(loss, own)[0])
            total += loss.detach()
        return total.item(), torch.cat(parts)

    def _network(self, iteration: int) -> torch.nn.Module:
        """Return this iteration's frozen random network (fresh in every iteration, DM)."""
        chosen, shape = self.settings, self.train.shape
        seed = derive(self.seed, "network", iteration)
        size = (chosen.width, chosen.depth) if chosen.network == "convnet" else ()
        net = networks.build(chosen.network, shape, self.train.n_classes, seed, *size)
        return net.requires_grad_(False).to(self.device, self.dtype)

    def _targets(
        self, net: torch.nn.Module, draws: augment.Draw, rule: Rule, iteration: int
    ) -> Targets:
        """Return what the classes must match, from this iteration's real batch."""
        index, cell = self.sampler.draw(generator(self.seed, "batch", iteration))
        classes, groups = self.train.n_classes, self.train.n_groups
        real = self.train.normalise(index.to(self.device)).to(self.dtype)
        real = augment.apply(real, draws[cell // groups])
        means, counts = signals.real_embeddings(net, real, cell.to(self.device), classes * groups)
        counts = counts.view(classes, groups)
        return rule(means.view(classes, groups, -1), counts > 0, self.sampler.weights(counts))
