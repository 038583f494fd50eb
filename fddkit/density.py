"""Weights that make up for density: rare kinds of images count more, without group labels."""

import math

import torch
from torch import Tensor

from .errors import FddkitError, unknown

FORMS = ("softmax", "rescaled", "inverse")
OVER = ("dataset", "class")


def density(features: Tensor, sigma2: float = 0.1, chunk: int = 2048) -> Tensor:
    """Return the Gaussian kernel density estimate at each of the features (KDE paper).

    ``f(x) = mean_i K(|x - x_i|)`` with ``K(u) = exp(-u^2 / (2 sigma2)) / (sigma sqrt(2 pi))``;
    the mean includes the point itself.

    Parameters
    ----------
    features : Tensor
        float [N, D].
    sigma2 : float
        Variance of the kernel.
    chunk : int
        Rows of the N x N distances that are held at a time.

    Returns
    -------
    Tensor
        float64 [N], on the device of the features.
    """
    scale = 1 / math.sqrt(2 * math.pi * sigma2)
    parts = [
        torch.exp(torch.cdist(part, features).square() / (-2 * sigma2)).mean(1, dtype=torch.float64)
        for part in features.split(chunk)
    ]
    return scale * torch.cat(parts)


def weigh(f: Tensor, form: str = "softmax", temperature: float = 0.1) -> Tensor:
    """Return the weights of points from the density at each.

    Parameters
    ----------
    f : Tensor
        float64 [N], positive.
    form : {"softmax", "rescaled", "inverse"}
        ``softmax`` is the paper's literal ``softmax((1 / f) / temperature)``. It saturates: where
        1 / f differs by many temperatures, one image takes all the weight. ``rescaled`` first
        divides 1 / f by its mean, so that the temperature is in units of a typical image;
        ``inverse`` makes the weights proportional to 1 / f.
    temperature : float
        Of the softmax.

    Returns
    -------
    Tensor
        float64 [N], summing to one.
    """
    rare = 1 / f
    if form == "inverse":
        return rare / rare.sum()
    if form == "rescaled":
        rare = rare / rare.mean()
    elif form != "softmax":
        raise unknown("form of the density's weights", form, FORMS)
    return torch.softmax(rare / temperature, 0)


def kde_weights(
    features: Tensor,
    target: Tensor,
    over: str = "dataset",
    form: str = "softmax",
    sigma2: float = 0.1,
    temperature: float = 0.1,
) -> Tensor:
    """Return the weight of each image in the ``kde`` rule.

    Parameters
    ----------
    features : Tensor
        float [N, D], normalised rows of the contrastive encoder, see `fddkit.encoder`.
    target : Tensor
        int64 [N].
    over : {"dataset", "class"}
        What the density is that of; the paper does not say.
    form, temperature
        See `weigh`.
    sigma2 : float
        See `density`.

    Returns
    -------
    Tensor
        float64 [N] on the CPU, positive; they sum to one over each class, for only ratios within
        a class matter. No weight is exactly zero, however the softmax saturates, so that a batch
        always has a mean.

    Raises
    ------
    FddkitError
        For an unknown word, or features that are not finite.
    """
    if over not in OVER:
        raise unknown("set that the density is taken over", over, OVER)
    if not features.isfinite().all():
        raise FddkitError("the encoder's features are not finite; train it with a smaller lr")
    target = target.cpu()
    classes = [torch.where(target == y)[0] for y in target.unique().tolist()]
    found = torch.zeros(len(target), dtype=torch.float64)
    whole = density(features, sigma2).cpu() if over == "dataset" else None
    for rows in classes:
        f = density(features[rows], sigma2).cpu() if whole is None else whole[rows]
        # a softmax over the class is that over the set, but for a factor that cancels out
        own = weigh(f, form, temperature).clamp(min=1e-30)
        found[rows] = own / own.sum()
    return found


def effective_size(weights: Tensor, target: Tensor) -> Tensor:
    """Return how many images of each class the weights amount to: ``1 / sum w^2``.

    Parameters
    ----------
    weights : Tensor
        float64 [N].
    target : Tensor
        int64 [N].

    Returns
    -------
    Tensor
        float64 [classes]: the size of the class where all weigh the same, 1 where one image has
        all the weight.
    """
    n = int(target.max()) + 1
    total = torch.zeros(n, dtype=torch.float64).index_add(0, target, weights)
    w = weights / total[target]
    return 1 / torch.zeros(n, dtype=torch.float64).index_add(0, target, w**2)
