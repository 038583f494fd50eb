"""The image statistics that distillers match, for all classes and groups at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ..training.networks import chunk_size


class Statistic(NamedTuple):
    """What a distiller takes from real images.

    Attributes
    ----------
    sums : Tensor
        [n, D], what is matched, summed over each of the n `fddkit.rules.targets.Segments`.
    rows : tuple of Tensor
        What the loss needs in addition from single images, one row per image; usually empty.
    """

    sums: Tensor
    rows: tuple[Tensor, ...] = ()


def segment_sum(features: Tensor, segment: Tensor, weight: Tensor, n: int) -> Tensor:
    """Return the weighted sum of the feature vectors of each segment, in one reduction.

    Parameters
    ----------
    features : Tensor
        [N, D], one row per image.
    segment : Tensor
        int64 [N], the segment of each image, in ``[0, n)``.
    weight : Tensor
        float64 [N].
    n : int
        Number of segments.

    Returns
    -------
    Tensor
        [n, D]; zero for a segment without images.

    Examples
    --------
    >>> import torch
    >>> features = torch.tensor([[1.0, 0.0], [3.0, 2.0], [5.0, 4.0]])
    >>> weight = torch.tensor([0.5, 0.5, 1.0], dtype=torch.float64)
    >>> segment_sum(features, torch.tensor([0, 0, 1]), weight, 2)
    tensor([[2., 1.],
            [5., 4.]])
    """
    # a product with the membership matrix, not a scatter: the order of summation is fixed, so
    # the bits are the same on every run, and at these sizes it costs nothing
    rows = torch.zeros(n, len(segment), dtype=features.dtype)
    rows[segment, torch.arange(len(segment))] = weight.to(features.dtype)
    return rows.to(features.device) @ features


class Weights:
    """The weight matrices whose gradients are matched, and their layout in a flat gradient.

    The distance of gradient matching ignores vectors (biases, scales and shifts of
    normalisation), so their gradients are never computed.

    Parameters
    ----------
    net : nn.Module
        The network.
    classifier : bool
        Include the last, linear layer (DC), or only the convolutions (IDC).

    Attributes
    ----------
    layers : list of nn.Module
        In the order of the forward pass.
    shapes : list of (int, int)
        (outputs, rest) of each weight.
    """

    def __init__(self, net: nn.Module, classifier: bool = True):
        self.net = net
        kinds = (nn.Conv2d, nn.Linear) if classifier else (nn.Conv2d,)
        self.layers = [layer for layer in net.modules() if isinstance(layer, kinds)]
        self.shapes = [(len(la.weight), la.weight[0].numel()) for la in self.layers]

    def split(self, flat: Tensor) -> list[Tensor]:
        """Split flat gradients [..., P] into one [..., outputs, rest] per layer."""
        sizes = [rows * columns for rows, columns in self.shapes]
        parts = flat.split(sizes, -1)
        return [p.unflatten(-1, shape) for p, shape in zip(parts, self.shapes, strict=True)]

    @contextmanager
    def _record(self) -> Iterator[list[tuple[nn.Module, Tensor, Tensor]]]:
        """Collect (layer, input, output) of each layer while the block runs the network."""
        seen = []
        hooks = [
            layer.register_forward_hook(lambda la, x, y: seen.append((la, x[0], y)))
            for layer in self.layers
        ]
        try:
            yield seen
        finally:
            for hook in hooks:
                hook.remove()

    def real(
        self, images: Tensor, target: Tensor, segment: Tensor, weight: Tensor, n: int
    ) -> Tensor:
        """Return the gradient of each segment's weighted cross-entropy, without its graph.

        One forward and one backward pass for all segments: backward stops at the layers'
        outputs, and the last product of each layer, a sum over images, is split by segment.

        Parameters
        ----------
        images : Tensor
            float [N, C, H, W], normalised and augmented.
        target : Tensor
            int64 [N], on the images' device.
        segment : Tensor
            int64 [N] on the CPU, in non-decreasing order.
        weight : Tensor
            float64 [N], the weight of each image's cross-entropy.
        n : int
            Number of segments.

        Returns
        -------
        Tensor
            [n, P], the flat gradients of all layers; zero for a segment without images.
        """
        flat = images.new_zeros(n, sum(rows * columns for rows, columns in self.shapes))
        weight = weight.to(images)
        for rows in torch.arange(len(images)).split(chunk_size(self.net, images.shape[1:])):
            rows = slice(int(rows[0]), int(rows[-1]) + 1)
            with torch.enable_grad(), self._record() as seen:
                # the graph begins at the images, whose own gradient is never computed
                logits = self.net(images[rows].detach().requires_grad_())
                losses = F.cross_entropy(logits, target[rows], reduction="none")
                slopes = torch.autograd.grad((weight[rows] * losses).sum(), [y for *_, y in seen])
            names, lengths = segment[rows].unique_consecutive(return_counts=True)
            names, lengths = names.tolist(), lengths.tolist()
            for total, (layer, x, _), slope in zip(self.split(flat), seen, slopes, strict=True):
                pieces = zip(names, x.detach().split(lengths), slope.split(lengths), strict=True)
                for name, inputs, outputs in pieces:
                    total[name] += _weight_gradient(layer, inputs, outputs)
        return flat

    def synthetic(self, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """Return the gradient of each class's mean cross-entropy, with its graph.

        Parameters
        ----------
        images : Tensor
            float [classes * m, C, H, W], ordered by class.
        target : Tensor
            int64 [classes * m].
        classes : int
            How many classes the images hold.

        Returns
        -------
        Tensor
            [classes, P], differentiable in ``images``.
        """
        with self._record() as seen:
            losses = F.cross_entropy(self.net(images), target, reduction="sum")
        m = len(images) // classes
        slopes = torch.autograd.grad(losses / m, [y for *_, y in seen], create_graph=True)
        parts = []
        for (layer, x, _), slope in zip(seen, slopes, strict=True):
            pieces = zip(x.split(m), slope.split(m), strict=True)
            parts.append(torch.stack([_weight_gradient(layer, *p).flatten() for p in pieces]))
        return torch.cat(parts, 1)


def _weight_gradient(layer: nn.Module, inputs: Tensor, outputs: Tensor) -> Tensor:
    """Return [outputs, rest]: the gradient of a weight from its layer's input and output slope."""
    if isinstance(layer, nn.Linear):
        return outputs.T @ inputs
    _, gradient, _ = torch.ops.aten.convolution_backward(
        outputs,
        inputs,
        layer.weight,
        None,
        layer.stride,
        layer.padding,
        layer.dilation,
        False,
        [0, 0],
        layer.groups,
        [False, True, False],
    )
    return gradient.flatten(1)
