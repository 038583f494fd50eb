"""The network and the contrastive loss of the ``kde`` rule's encoder."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.rng import derive

DIMENSIONS = 128


class _Block(nn.Module):
    """ResNet's basic block with batch normalisation."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.main(x) + self.shortcut(x))


def build(channels: int, width: int, seed: int) -> nn.Sequential:
    """Return ResNet18 with a small stem and a projection head to 128 dimensions, on the CPU.

    Parameters
    ----------
    channels : int
        Of the images.
    width : int
        Channels of the first stage.
    seed : int
        Names the weights.

    Returns
    -------
    nn.Sequential
        Maps [N, C, H, W] to [N, 128].
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive(seed, "encoder"))
        layers = [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
        for factor, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
            now = width * factor
            layers += [_Block(before, now, stride), _Block(now, now, 1)]
            before = now
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        layers += [nn.Linear(before, before), nn.ReLU(), nn.Linear(before, DIMENSIONS)]
        return nn.Sequential(*layers)


def gsc_loss(z: Tensor, target: Tensor, temperature: float = 0.2, q: float = 0.7) -> Tensor:
    """Return the generalised supervised contrastive loss.

    With ``p[i, j]`` the softmax over k != i of ``z_i . z_k / temperature``, an image's loss is the
    mean over the others of its class of ``-q * stopgrad(p^q) * log p``. Its gradient is that of
    ``-p^q``: pairs that are already similar pull more strongly, so clusters form along the bias.
    The value itself does not measure progress: while p is small, ``-p^q log p`` grows with p.

    Parameters
    ----------
    z : Tensor
        float [N, D], of any length; normalised here.
    target : Tensor
        int64 [N].
    temperature, q : float
        The temperature of the softmax, and the exponent.

    Returns
    -------
    Tensor
        A scalar: the mean over the images whose class has another; zero if there are none.

    References
    ----------
    SelecMix (Hwang et al. 2022); `docs/methods.md`, "KDE".
    """
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    log_p = logits.log_softmax(1).masked_fill(itself, 0)
    positive = (target[:, None] == target) & ~itself
    terms = q * (q * log_p.detach()).exp() * log_p
    partners = positive.sum(1)
    losses = -(terms * positive).sum(1) / partners.clamp(min=1)
    return losses.sum() / (partners > 0).sum().clamp(min=1)
