"""The networks of the papers, as entries of a table.

As in the official code (DatasetCondensation, whose networks FairDD adopted): normalisation per
image and channel, and no dropout.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.entries import Table


class _Residual(nn.Module):
    """ResNet's basic block: two 3x3 convolutions and a shortcut."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, padding=1, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            _norm(width),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, _norm(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.main(x) + self.shortcut(x), inplace=True)


def _norm(width: int) -> nn.Module:
    """Return instance normalisation: each channel of each image is its own group."""
    return nn.GroupNorm(width, width)


def _convnet(channels: int, width: int = 128, depth: int = 3) -> nn.Sequential:
    layers = []
    for i in range(depth):
        # three pixels of padding turn a 28 x 28 gray image into 32 x 32
        conv = nn.Conv2d(channels, width, 3, padding=3 if channels == 1 and i == 0 else 1)
        layers += [conv, _norm(width), nn.ReLU(inplace=True), nn.AvgPool2d(2)]
        channels = width
    return nn.Sequential(*layers)


def _alexnet(channels: int) -> nn.Sequential:
    layers = []
    for i, width in enumerate((128, 192, 256, 192, 192)):
        kernel = 5 if i < 2 else 3
        padding = 4 if channels == 1 else kernel // 2
        # not in place: gradient matching reads the output of the convolution
        layers += [nn.Conv2d(channels, width, kernel, padding=padding), nn.ReLU()]
        if i in (0, 1, 4):
            layers.append(nn.MaxPool2d(2))
        channels = width
    return nn.Sequential(*layers)


def _vgg11(channels: int) -> nn.Sequential:
    layers = []
    for widths in ((64,), (128,), (256, 256), (512, 512), (512, 512)):
        for width in widths:
            conv = nn.Conv2d(channels, width, 3, padding=3 if channels == 1 else 1)
            layers += [conv, _norm(width), nn.ReLU(inplace=True)]
            channels = width
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


def _resnet18(channels: int) -> nn.Sequential:
    # one pixel of padding for gray images too: the official stem has no case for them, and
    # 28 x 28 pixels end in the same head of 512 either way
    conv = nn.Conv2d(channels, 64, 3, padding=1, bias=False)
    layers = [conv, _norm(64), nn.ReLU(inplace=True)]
    channels = 64
    for width, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
        layers += [_Residual(channels, width, stride), _Residual(width, width, 1)]
        channels = width
    return nn.Sequential(*layers, nn.AvgPool2d(4))


@dataclass(frozen=True)
class Architecture:
    """A kind of network.

    Attributes
    ----------
    features : callable
        ``features(channels) -> nn.Module`` that maps images [N, C, H, W] to [N, D, h, w] or
        [N, D]; also takes ``width=`` and ``depth=`` if it is `sized`. Its output for an image must
        not depend on the other images in the batch (no batch normalisation).
    title : str
        A short description.
    sized : bool
        Whether width and depth can be chosen.

    See Also
    --------
    fddkit.register : Make it available under a name.

    Examples
    --------
    >>> import fddkit as fdd
    >>> def two_layers(channels):
    ...     return nn.Sequential(nn.Conv2d(channels, 8, 3), nn.ReLU(), nn.Conv2d(8, 8, 3))
    >>> _ = fdd.register("two-layers", fdd.Architecture(two_layers, "two convolutions"))
    >>> from fddkit.training.networks import build
    >>> build("two-layers", (3, 16, 16), n_classes=10, seed=0)(torch.zeros(1, 3, 16, 16)).shape
    torch.Size([1, 10])
    """

    features: Callable[..., nn.Module]
    title: str
    sized: bool = False


def _is_architecture(entry: object) -> bool:
    return isinstance(entry, Architecture)


#: Name -> architecture, in the order in which they are listed.
NETWORKS: Table[Architecture] = Table(
    "network",
    _is_architecture,
    {
        "convnet": Architecture(_convnet, "three blocks of 3x3 convolutions", sized=True),
        "alexnet": Architecture(_alexnet, "AlexNet for small images"),
        "vgg11": Architecture(_vgg11, "VGG-11 with instance normalisation"),
        "resnet18": Architecture(_resnet18, "ResNet-18 with instance normalisation"),
    },
)


def built(entry: Architecture, channels: int, width: int, depth: int) -> nn.Module:
    """Return the feature layers of an architecture, freshly initialised."""
    return entry.features(channels, **({"width": width, "depth": depth} if entry.sized else {}))


@cache
def feature_size(entry: Architecture, shape: tuple[int, int, int], width: int, depth: int) -> int:
    """Return the number of features of an image; 0 if the image is too small."""
    with torch.no_grad(), torch.random.fork_rng(devices=[]), torch.device("cpu"):
        features = built(entry, shape[0], width, depth)
        try:  # with two images: normalisation refuses a single value
            return features(torch.zeros(2, *shape)).numel() // 2
        except RuntimeError:  # a kernel or window is larger than its input
            return 0
