"""Weights that compensate for density: rare kinds of images count more, without group labels."""

import math

import torch
from torch import Tensor

from ..core.errors import FddkitError, unknown

FORMS = ("softmax", "rescaled", "inverse")
OVER = ("dataset", "class")
_HELD = 2**22  # distances at a time: 16 MiB of float32, whatever N is


def density(features: Tensor, sigma2: float = 0.1, chunk: int | None = None) -> Tensor:
    """Return the Gaussian kernel density estimate at each feature vector.

    ``f(x) = mean_i K(|x - x_i|)`` with ``K(u) = exp(-u^2 / (2 sigma2)) / (sigma sqrt(2 pi))``;
    the mean includes the point itself.

    Parameters
    ----------
    features : Tensor
        float [N, D].
    sigma2 : float
        Variance of the kernel.
    chunk : int, optional
        Rows of the N x N distances to hold at a time; by default chosen so that memory stays
        bounded for any N.

    Returns
    -------
    Tensor
        float64 [N], on the device of the features; at least ``K(0) / N``.

    Raises
    ------
    FddkitError
        If ``sigma2`` or ``chunk`` is not positive, or the features are not a table.

    References
    ----------
    `docs/methods.md`, "KDE".

    Examples
    --------
    >>> f = density(torch.tensor([[0.0], [0.0], [3.0]]))  # two alike, and one by itself
    >>> f / f[2]
    tensor([2., 2., 1.], dtype=torch.float64)
    """
    if features.ndim != 2:
        raise FddkitError(
            f"features {list(features.shape)} are not a table; give one row per image"
        )
    _positive("sigma2", sigma2)
    chunk = max(1, _HELD // max(1, len(features))) if chunk is None else chunk
    if chunk < 1:
        raise FddkitError(f"chunk={chunk!r} holds no row; give at least 1")
    features = features.detach()
    squares = features.square().sum(1)
    table = features.T.contiguous()
    kernel = features.new_empty(min(chunk, len(features)), len(features))
    parts = []
    for part, square in zip(features.split(chunk), squares.split(chunk), strict=True):
        # |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, in one buffer: torch.cdist copies its arguments
        held = torch.addmm(squares[None], part, table, alpha=-2, out=kernel[: len(part)])
        held.add_(square[:, None]).clamp_(min=0).div_(-2 * sigma2).exp_()
        parts.append(held.sum(1).double())
    return torch.cat(parts) / (len(features) * math.sqrt(2 * math.pi * sigma2))


def log_weigh(f: Tensor, form: str = "softmax", temperature: float = 0.1) -> Tensor:
    """Return the log weights of points, given the density at each.

    Parameters
    ----------
    f : Tensor
        float64 [N], positive.
    form : {"softmax", "rescaled", "inverse"}
        ``softmax`` is the paper's literal ``softmax((1 / f) / temperature)``. It saturates: where
        1 / f differs by many temperatures, one image takes all the weight. ``rescaled`` first
        divides 1 / f by its mean, so that the temperature is relative to a typical image;
        ``inverse`` makes the weights proportional to 1 / f.
    temperature : float
        Of the softmax.

    Returns
    -------
    Tensor
        float64 [N]; the weights sum to one. If a softmax saturates, many weights underflow, but
        their logarithms do not.

    Raises
    ------
    FddkitError
        For an unknown form, or a density or temperature that is not positive.

    Examples
    --------
    >>> log_weigh(torch.tensor([0.5, 0.5, 0.25]), "inverse").exp()
    tensor([0.2500, 0.2500, 0.5000])
    """
    _positive("temperature", temperature)
    rare = 1 / f
    if not ((rare > 0) & (rare < math.inf)).all():
        raise FddkitError("a density is zero or not finite; choose a larger sigma2")
    if form == "inverse":
        return rare.log().log_softmax(0)
    if form == "rescaled":
        rare = rare / rare.mean()
    elif form != "softmax":
        raise unknown("form of the density's weights", form, FORMS)
    # subtract the largest first: 1 / f may be near overflow
    return torch.log_softmax((rare - rare.max()) / temperature, 0)


def kde_log_weights(
    features: Tensor,
    target: Tensor,
    over: str = "dataset",
    form: str = "softmax",
    sigma2: float = 0.1,
    temperature: float = 0.1,
) -> Tensor:
    """Return the log weight of each image in the ``kde`` rule.

    Parameters
    ----------
    features : Tensor
        float [N, D], normalised rows of the contrastive encoder, see `fddkit.rules.encoder`.
    target : Tensor
        int64 [N].
    over : {"dataset", "class"}
        The set whose density is estimated; the paper does not say.
    form, temperature
        See `log_weigh`.
    sigma2 : float
        See `density`.

    Returns
    -------
    Tensor
        float64 [N] on the CPU. The weights sum to one over each class, since only ratios within a
        class matter: the rule divides by the sum over the class's images in the batch. Logarithms
        preserve these ratios even in a batch without any image of appreciable weight.

    Raises
    ------
    FddkitError
        For an unknown word, a number that is not positive, labels of the wrong length, or features
        that are not finite.
    """
    if over not in OVER:
        raise unknown("set that the density is taken over", over, OVER)
    if len(features) != len(target):
        raise FddkitError(f"{len(features)} features for {len(target)} labels; give one each")
    if not features.isfinite().all():
        raise FddkitError("the encoder's features are not finite; train it with a smaller lr")
    target = target.cpu()
    classes = [torch.where(target == y)[0] for y in target.unique().tolist()]
    weights = torch.zeros(len(target), dtype=torch.float64)
    whole = density(features, sigma2).cpu() if over == "dataset" else None
    for rows in classes:
        f = density(features[rows], sigma2).cpu() if whole is None else whole[rows]
        # the softmax over the class equals that over the set, up to a factor that cancels
        weights[rows] = log_weigh(f, form, temperature).log_softmax(0)
    return weights


def _positive(name: str, value: float) -> None:
    """Raise an error for a number that is not positive."""
    if not 0 < value < math.inf:
        raise FddkitError(f"{name}={value!r} is not a positive number; give one")
