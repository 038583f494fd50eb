"""Training a network between the steps on the synthetic images."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from . import augment
from .networks import Network, chunk_size


def descend(
    net: Network, optimiser: torch.optim.Optimizer, images: Tensor, target: Tensor
) -> Tensor:
    """Take one step on the mean cross-entropy of a batch.

    Parameters
    ----------
    net : Network
        Its parameters require gradients.
    optimiser : torch.optim.Optimizer
        Of the network's parameters.
    images : Tensor
        float [N, C, H, W], normalised and augmented.
    target : Tensor
        int64 [N] or, for mixed labels, float [N, classes].

    Returns
    -------
    Tensor
        The loss before the step, a scalar.
    """
    optimiser.zero_grad()
    loss = images.new_zeros(())
    # the networks do not mix images, so chunks give the same gradient
    chunk = chunk_size(net, images.shape[1:])
    for x, y in zip(images.split(chunk), target.split(chunk), strict=True):
        part = F.cross_entropy(net(x), y, reduction="sum") / len(images)
        part.backward()
        loss += part.detach()
    optimiser.step()
    return loss


class Student:
    """A network with its optimiser, whose state can be saved in a checkpoint.

    Parameters
    ----------
    net : Network
        Trained in place; frozen between steps.
    lr, momentum, decay : float
        Of stochastic gradient descent.
    """

    def __init__(self, net: Network, lr: float, momentum: float = 0.0, decay: float = 0.0):
        self.net = net
        self.optimiser = torch.optim.SGD(net.parameters(), lr, momentum, weight_decay=decay)

    def step(self, images: Tensor, target: Tensor) -> None:
        """Take one step on a batch, see `descend`."""
        self.net.requires_grad_(True)
        descend(self.net, self.optimiser, images, target)
        self.optimiser.zero_grad()
        self.net.requires_grad_(False)

    def epoch(
        self,
        images: Tensor,
        target: Tensor,
        batch: int,
        stages: tuple[tuple[str, ...], ...],
        rng: torch.Generator,
    ) -> None:
        """Take the steps of one pass over a set, in random order.

        Parameters
        ----------
        images : Tensor
            float [N, C, H, W], normalised.
        target : Tensor
            int64 [N], on the images' device.
        batch : int
            Images per step.
        stages : tuple
            Augmentation, see `fddkit.training.augment.stages`; parameters are drawn for each image.
        rng : torch.Generator
            On the CPU.
        """
        for rows in torch.randperm(len(images), generator=rng).split(batch):
            rows = rows.to(images.device)
            self.step(augment.vary(images[rows], stages, rng), target[rows])

    def state(self) -> dict[str, Tensor]:
        """Return the parameters and, if there is one yet, their momentum, flattened."""
        parameters = list(self.net.parameters())
        state = {"network": parameters_to_vector(parameters).detach().clone()}
        buffers = [self.optimiser.state[p].get("momentum_buffer") for p in parameters]
        if all(b is not None for b in buffers):
            state["network momentum"] = parameters_to_vector(buffers).clone()
        return state

    def load(self, state: dict[str, Tensor]) -> None:
        """Restore what `state` returned."""
        parameters = list(self.net.parameters())
        like, size = parameters[0], sum(p.numel() for p in parameters)
        vectors = {name: x for name, x in state.items() if name.startswith("network")}
        for name, vector in vectors.items():
            if vector.shape != (size,):
                raise ValueError(f"its {name} has the shape {list(vector.shape)}, not [{size}]")
        # a copy: the parameters become views of the vector, and training writes to them
        vector_to_parameters(state["network"].to(like, copy=True), parameters)
        if "network momentum" in state:
            buffers = [torch.empty_like(p) for p in parameters]
            vector_to_parameters(state["network momentum"].to(like, copy=True), buffers)
            for p, buffer in zip(parameters, buffers, strict=True):
                self.optimiser.state[p]["momentum_buffer"] = buffer
