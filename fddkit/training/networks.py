"""Networks: initialised from a seed, with forward passes in chunks.

The head is one linear layer whose size is inferred from the images (FairDD's code fixes it for
64 x 64 pixels).
"""

from itertools import count

import torch
from torch import Tensor, nn

from ..core.errors import FddkitError
from ..core.numbers import whole
from ..core.rng import derive
from .architectures import NETWORKS, built, feature_size

CPU_CHUNK = 8 * 2**20  # bytes of the first layer's output, see chunk_size
GPU_CHUNK = 2**30


class Network(nn.Module):
    """Features [N, D, h, w], flattened, and a linear head."""

    def __init__(self, features: nn.Module, n_features: int, n_classes: int):
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


def build(
    name: str,
    shape: tuple[int, int, int],
    n_classes: int,
    seed: int,
    width: int = 128,
    depth: int = 3,
) -> Network:
    """Return a freshly initialised network on the CPU.

    The weights follow torch's default initialisation and are drawn on the CPU, so that a network
    moved to a GPU starts from the same numbers. Torch's global generators are not affected.

    Parameters
    ----------
    name : str
        One of `NETWORKS`.
    shape : tuple of int
        (C, H, W) of an image, in pixels. A gray image (C = 1) gets 2 more pixels of padding on
        each side in the first layer (not in ``resnet18``).
    n_classes : int
        Number of logits.
    seed : int
        Names the weights.
    width, depth : int
        Channels and blocks of the ConvNet; the other networks have fixed sizes.

    Returns
    -------
    Network

    Raises
    ------
    FddkitError
        For an unknown name, an image too small, or a width or depth that the network cannot have.

    References
    ----------
    `docs/methods.md`, "Networks".

    Examples
    --------
    >>> net = build("convnet", (3, 16, 16), n_classes=10, seed=0, width=8, depth=2)
    >>> images = torch.zeros(2, 3, 16, 16)
    >>> net(images).shape, net.embed(images).shape
    (torch.Size([2, 10]), torch.Size([2, 128]))
    """
    entry = NETWORKS[name]
    for key, value in {"n_classes": n_classes, "width": width, "depth": depth}.items():
        whole(key, value)
    channels, height, breadth = shape
    if not entry.sized and (width, depth) != (128, 3):
        raise FddkitError(
            f"width={width}, depth={depth} cannot be chosen for {name}; "
            "leave them at 128 and 3, or use convnet"
        )
    size = feature_size(entry, shape, width, depth)
    if not size:
        least = next(
            n for n in count(1) if n > 512 or feature_size(entry, (channels, n, n), width, depth)
        )
        title = f"{name} of depth {depth}" if entry.sized else name
        raise FddkitError(
            f"{title} needs images of at least {least}x{least} pixels, but these are "
            f"{height}x{breadth}; choose another network or enlarge the images"
        )
    # seed only the default generator: torch.manual_seed would reseed every GPU as well
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive(seed, "network", name))
        features = built(entry, channels, width, depth)
        return Network(features, size, n_classes)


def fresh(
    name: str, shape: tuple[int, int, int], n_classes: int, seed: int, width: int, depth: int
) -> Network:
    """Return `build`, with width and depth ignored if the architecture has no choice of them."""
    size = (width, depth) if NETWORKS[name].sized else ()
    return build(name, shape, n_classes, seed, *size)


def chunk_size(net: nn.Module | int, shape: tuple[int, int, int]) -> int:
    """Return how many images to send through a network at once when no graph is kept.

    The first layer has the largest activation. On a CPU a chunk keeps it at 8 MiB, so that it fits
    the cache and its memory is reused (measured on 2 cores at 32 x 32 pixels: fastest at 16 to 32
    images for width 128, 64 for width 32). On a GPU it is 1 GiB: enough to keep it busy while
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
        weights = (p for p in net.parameters() if p.ndim > 1)
        weight = next(weights)  # of the first layer
        width, item = len(weight) if weight.ndim == 4 else 1, weight.element_size()
        budget = CPU_CHUNK if weight.device.type == "cpu" else GPU_CHUNK
    return max(1, budget // (width * shape[1] * shape[2] * item))


@torch.no_grad()
def embed(net: nn.Module, images: Tensor, chunk: int | None = None) -> Tensor:
    """Return the embeddings of many images, chunk by chunk and without a graph.

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
        [N, D]. The networks do not mix images, so chunks differ from a single batch only by
        rounding.
    """
    chunk = chunk or chunk_size(net, images.shape[1:])
    return torch.cat([net.embed(part) for part in images.split(chunk)])


@torch.no_grad()
def predict(net: nn.Module, images: Tensor) -> Tensor:
    """Return the class that a network predicts for each image, chunk by chunk.

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
    return predict_with_probability(net, images)[0]


@torch.no_grad()
def predict_with_probability(net: nn.Module, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return the predicted class of each image and the probability that the network gives to it.

    Parameters
    ----------
    net, images
        As for `predict`.

    Returns
    -------
    predicted : Tensor
        int64 [N].
    probability : Tensor
        float [N], of the softmax.
    """
    parts = []
    for part in images.split(chunk_size(net, images.shape[1:])):
        logits = net(part)
        predicted = logits.argmax(1)
        chosen = logits.log_softmax(1).gather(1, predicted[:, None])[:, 0]
        parts.append((predicted, chosen.exp()))
    predicted, probability = zip(*parts, strict=True)
    return torch.cat(predicted), torch.cat(probability)
