"""The statistic of images that a distiller matches, for all classes and groups at once."""

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
        [n, D], what it matches, summed over each of n `fddkit.rules.targets.Segments`.
    rows : tuple of Tensor
        What its loss needs of the single images beside, a row for each; often nothing.
    """

    sums: Tensor
    rows: tuple[Tensor, ...] = ()


def segment_sum(features: Tensor, segment: Tensor, weight: Tensor, n: int) -> Tensor:
    """Return the weighted sum of the feature vectors of each segment in one reduction.

    Parameters
    ----------
    features : Tensor
        [N, D], one row an image.
    segment : Tensor
        int64 [N], the segment of each image, in ``[0, n)``.
    weight : Tensor
        float64 [N].
    n : int
        How many segments there are.

    Returns
    -------
    Tensor
        [n, D]; zero for a segment without an image.
    """
    # a product with the membership matrix, not a scatter: the sum has one fixed order, hence
    # the same bits on every run, and at these sizes it costs nothing
    rows = torch.zeros(n, len(segment), dtype=features.dtype)
    rows[segment, torch.arange(len(segment))] = weight.to(features.dtype)
    return rows.to(features.device) @ features


class Weights:
    """The weight matrices whose gradients are matched, and how a flat gradient holds them.

    The distance of gradient matching ignores vectors (biases, scales and shifts of
    normalisation), so their gradients are never computed.

    Parameters
    ----------
    net : nn.Module
        The network.
    classifier : bool
        With the last, linear layer (DC), or the convolutions alone (IDC).

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
        """Return flat gradients [..., P] as one [..., outputs, rest] for each layer."""
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
        """Return the gradient of each segment's weighted cross-entropy, without a graph.

        One forward and one backward pass for all segments: backward stops at the layers'
        outputs, and the last product of each layer, a sum over images, is cut by segment.

        Parameters
        ----------
        images : Tensor
            float [N, C, H, W], normalised and augmented.
        target : Tensor
            int64 [N], on the images' device.
        segment : Tensor
            int64 [N] on the CPU, never decreasing.
        weight : Tensor
            float64 [N], the weight of each image's cross-entropy.
        n : int
            Segments.

        Returns
        -------
        Tensor
            [n, P], the gradients of all layers, flat; zero for a segment without an image.
        """
        flat = images.new_zeros(n, sum(rows * columns for rows, columns in self.shapes))
        weight = weight.to(images)
        for rows in torch.arange(len(images)).split(chunk_size(self.net, images.shape[1:])):
            rows = slice(int(rows[0]), int(rows[-1]) + 1)
            with torch.enable_grad(), self._record() as seen:
                # the graph begins at the images, whose own gradient is never asked for
                logits = self.net(images[rows].detach().requires_grad_())
                losses = F.cross_entropy(logits, target[rows], reduction="none")
                slopes = torch.autograd.grad((weight[rows] * losses).sum(), [y for *_, y in seen])
            names, lengths = segment[rows].unique_consecutive(return_counts=True)
            names, lengths = names.tolist(), lengths.tolist()
            for own, (layer, x, _), slope in zip(self.split(flat), seen, slopes, strict=True):
                pieces = zip(names, x.detach().split(lengths), slope.split(lengths), strict=True)
                for name, inputs, outputs in pieces:
                    own[name] += _weight_gradient(layer, inputs, outputs)
        return flat

    def synthetic(self, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """Return the gradient of each class's mean cross-entropy, with its graph.

        Parameters
        ----------
        images : Tensor
            float [classes * m, C, H, W], class after class.
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
