"""ZCA whitening: decorrelated pixels, as MTT uses them on CIFAR-10."""

from typing import NamedTuple

import torch
from torch import Tensor


class Whitening(NamedTuple):
    """A linear map that leaves the pixels of images (nearly) uncorrelated.

    Attributes
    ----------
    mean : Tensor
        float32 [D], the mean image, D = C * H * W.
    matrix : Tensor
        float32 [D, D], symmetric: ``U diag(1 / sqrt(S + eps)) U'`` of the covariance ``U S U'``.
    """

    mean: Tensor
    matrix: Tensor

    def apply(self, images: Tensor) -> Tensor:
        """Return float [N, C, H, W] whitened; the mean image becomes 0."""
        mean, matrix = (t.to(images) for t in self)
        return ((images.flatten(1) - mean) @ matrix).view_as(images)

    def invert(self, images: Tensor) -> Tensor:
        """Undo the whitening of float [N, C, H, W]."""
        mean, matrix = (t.to(images) for t in self)
        # symmetric and positive definite; in float64, since its condition may be 1e3
        back = torch.linalg.solve(matrix.double(), images.flatten(1).double().T).T
        return (back.to(images) + mean).view_as(images)


def fit(images: Tensor, eps: float = 0.1) -> Whitening:
    """Return the ZCA whitening of a set of images (MTT uses eps = 0.1).

    Parameters
    ----------
    images : Tensor
        float [N, C, H, W], normalised; N at least 2.
    eps : float
        Added to the eigenvalues of the covariance (whose denominator is N - 1).

    Returns
    -------
    Whitening
        On the device of the images.

    References
    ----------
    MTT (Cazenavette et al. 2022); `docs/methods.md`, "MTT".
    """
    total, square = 0.0, 0.0
    for part in images.flatten(1).split(4096):
        part = part.double()
        total, square = total + part.sum(0), square + part.T @ part
    n = len(images)
    mean = total / n
    covariance = (square - n * torch.outer(mean, mean)) / (n - 1)
    values, vectors = torch.linalg.eigh(covariance)
    matrix = (vectors / (values.clamp(min=0) + eps).sqrt()) @ vectors.T
    return Whitening(mean.float(), matrix.float())
