"""The statistic of images that a distiller matches, for all classes and groups at once."""

import torch
from torch import Tensor, nn

from .networks import embed


def cell_means(features: Tensor, cell: Tensor, n_cells: int) -> tuple[Tensor, Tensor]:
    """Return the mean feature vector of each cell in one segmented reduction.

    Parameters
    ----------
    features : Tensor
        [N, D], one row an image.
    cell : Tensor
        int64 [N], the cell of each image, in ``[0, n_cells)``.
    n_cells : int
        How many cells there are.

    Returns
    -------
    means : Tensor
        [n_cells, D]; zero for a cell without an image.
    counts : Tensor
        int64 [n_cells], the images in each cell.
    """
    counts = torch.bincount(cell, minlength=n_cells)
    # a product with the membership matrix, not a scatter: the sum has one fixed order, hence
    # the same bits on every run, and at these sizes it costs nothing
    rows = torch.zeros(n_cells, len(cell), dtype=features.dtype, device=features.device)
    rows[cell, torch.arange(len(cell), device=cell.device)] = 1 / counts[cell].to(features.dtype)
    return rows @ features, counts


def real_embeddings(
    net: nn.Module, images: Tensor, cell: Tensor, n_cells: int
) -> tuple[Tensor, Tensor]:
    """Return the mean embedding of the real images of each cell, without a graph.

    Distribution matching (Zhao and Bilen 2023, Eq. 4): phi is the flattened output of the last
    block of a randomly initialised network.

    Parameters
    ----------
    net : nn.Module
        A network with ``embed``.
    images : Tensor
        float [N, C, H, W], normalised and augmented; all classes and groups in one batch.
    cell : Tensor
        int64 [N], ``class * n_groups + group`` of each image.
    n_cells : int
        Classes times groups.

    Returns
    -------
    means : Tensor
        [n_cells, D].
    counts : Tensor
        int64 [n_cells].
    """
    return cell_means(embed(net, images), cell, n_cells)


def synthetic_embeddings(net: nn.Module, images: Tensor, n_classes: int) -> Tensor:
    """Return the mean embedding of each class of synthetic images, with its graph.

    Parameters
    ----------
    net : nn.Module
        The network that embedded the real images.
    images : Tensor
        float [n_classes * ipc, C, H, W], class after class.
    n_classes : int
        How many classes the batch holds.

    Returns
    -------
    Tensor
        [n_classes, D], differentiable in ``images``.
    """
    return net.embed(images).unflatten(0, (n_classes, -1)).mean(1)
