"""The four networks of the papers, built fresh from a seed, and forward passes in chunks.

Architectures as in the official code (DatasetCondensation, whose networks FairDD took over):
normalisation per image and channel, no dropout, one linear layer as the head, its size inferred
from the images (FairDD's code fixes that of 64 x 64 pixels).
"""

from collections.abc import Callable
from itertools import count

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..core.errors import FddkitError, unknown
from ..core.rng import derive

CPU_CHUNK = 8 * 2**20  # bytes of the first layer's output, see chunk_size
GPU_CHUNK = 2**30


class Network(nn.Module):
    """Features [N, D, h, w], flattened, and a linear head."""

    def __init__(self, features: nn.Sequential, n_features: int, n_classes: int):
        super().__init__()
        self.features = features
        self.classifier = nn.Linear(n_features, n_classes)

    def embed(self, images: Tensor) -> Tensor:
        """Return the flattened output of the last block: distribution matching's phi.

        Parameters
        ----------
        images : Tensor
            float [N, C, H, W], normalised.

        Returns
        -------
        Tensor
            [N, D * h * w].
        """
        return self.features(images).flatten(1)

    def forward(self, images: Tensor) -> Tensor:
        """Return the logits, [N, n_classes], of normalised images [N, C, H, W]."""
        return self.classifier(self.embed(images))


class _Residual(nn.Module):
    """ResNet's basic block: two 3x3 convolutions beside a shortcut."""

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
    """Return instance normalisation: each channel of each image is a group of its own."""
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
        # not in place: gradient matching reads what the convolution gave
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


#: Name -> the function that builds its features; only ``convnet`` has a free width and depth.
NETWORKS: dict[str, Callable[..., nn.Sequential]] = {
    "convnet": _convnet,
    "alexnet": _alexnet,
    "vgg11": _vgg11,
    "resnet18": _resnet18,
}


def build(
    name: str,
    shape: tuple[int, int, int],
    n_classes: int,
    seed: int,
    width: int = 128,
    depth: int = 3,
) -> Network:
    """Return a freshly initialised network on the CPU.

    The weights follow torch's default initialisation and are drawn on the CPU: a network moved to
    a GPU starts from the same numbers. Torch's global generators are left as they were.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    shape : tuple of int
        (C, H, W) of an image, in pixels. A gray image (C = 1) gets 2 more pixels of padding on
        each side in the first layer (not in ``resnet18``).
    n_classes : int
        How many logits the head gives.
    seed : int
        Names the weights.
    width, depth : int
        Channels and blocks of the ConvNet; the others have their own.

    Returns
    -------
    Network

    Raises
    ------
    FddkitError
        For an unknown name, an image too small, or a width or depth that the network cannot have.
    """
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    for key, value in {"n_classes": n_classes, "width": width, "depth": depth}.items():
        if value < 1:
            raise FddkitError(f"{key}={value} is not a positive integer; give at least 1")
    channels, height, breadth = shape
    options = {"width": width, "depth": depth} if name == "convnet" else {}
    if not options and (width, depth) != (128, 3):
        raise FddkitError(
            f"width={width}, depth={depth} cannot be chosen for {name}; "
            "leave them at 128 and 3, or take convnet"
        )
    # seeding the default generator alone: torch.manual_seed would reseed every GPU as well
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive(seed, "network", name))
        features = NETWORKS[name](channels, **options)
        area = _size(features, height) * _size(features, breadth)
        if area == 0:
            least = next(size for size in count(1) if _size(features, size))
            title = f"{name} of depth {depth}" if options else name
            raise FddkitError(
                f"{title} needs images of at least {least}x{least} pixels, but these are "
                f"{height}x{breadth}; choose another network or enlarge the images"
            )
        last = [layer for layer in features.modules() if isinstance(layer, nn.Conv2d)][-1]
        return Network(features, last.out_channels * area, n_classes)


def own_size(name: str, width: int, depth: int) -> tuple[int, ...]:
    """Return width and depth for `build` where the architecture leaves them free, else nothing."""
    return (width, depth) if name == "convnet" else ()


def _size(layer: nn.Module, size: int) -> int:
    """Return the side of a layer's output for an input of ``size`` pixels; 0 if none is left."""
    if isinstance(layer, nn.Sequential):
        for part in layer:
            size = _size(part, size)
    elif isinstance(layer, _Residual):
        size = _size(layer.main, size)
    elif isinstance(layer, nn.Conv2d):
        size = (size + 2 * layer.padding[0] - layer.kernel_size[0]) // layer.stride[0] + 1
    elif isinstance(layer, nn.AvgPool2d | nn.MaxPool2d):
        size = (size - layer.kernel_size) // layer.stride + 1
    return size


def chunk_size(net: nn.Module | int, shape: tuple[int, int, int]) -> int:
    """Return how many images to send through a network at once when no graph is kept.

    The first layer has the largest activation. On a CPU a chunk keeps it at 8 MiB, where it stays
    in the cache and its memory is reused (measured on 2 cores at 32 x 32 pixels: fastest at 16 to
    32 images for width 128, 64 for width 32). On a GPU it is 1 GiB: enough to keep it busy, and
    memory stays bounded for any image size.

    Parameters
    ----------
    net : nn.Module or int
        The network, or the width of a ConvNet on a CPU.
    shape : tuple of int
        (C, H, W) of an image, in pixels.

    Returns
    -------
    int
        At least 1.
    """
    width, budget, item = net, CPU_CHUNK, 4
    if isinstance(net, nn.Module):
        weight = next(layer for layer in net.modules() if isinstance(layer, nn.Conv2d)).weight
        width, item = len(weight), weight.element_size()
        budget = CPU_CHUNK if weight.device.type == "cpu" else GPU_CHUNK
    return max(1, budget // (width * shape[1] * shape[2] * item))


@torch.no_grad()
def embed(net: nn.Module, images: Tensor, chunk: int | None = None) -> Tensor:
    """Return the embeddings of many images, without a graph, a chunk at a time.

    Parameters
    ----------
    net : nn.Module
        A network with ``embed``.
    images : Tensor
        float [N, C, H, W], normalised, on the network's device.
    chunk : int, optional
        Images per forward pass; by default `chunk_size`.

    Returns
    -------
    Tensor
        [N, D]. Nothing in the networks mixes images, so chunks differ from one batch by rounding
        alone.
    """
    chunk = chunk or chunk_size(net, images.shape[1:])
    return torch.cat([net.embed(part) for part in images.split(chunk)])


@torch.no_grad()
def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class that a network predicts for each image, a chunk at a time.

    Parameters
    ----------
    net : nn.Module
        Maps images to logits.
    images : Tensor
        float [N, C, H, W], normalised, on the network's device.

    Returns
    -------
    Tensor
        int64 [N].
    """
    chunk = chunk_size(net, images.shape[1:])
    return torch.cat([net(part).argmax(1) for part in images.split(chunk)])
