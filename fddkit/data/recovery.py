"""Recovery: guess unknown groups from those that are known, by k-means."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from .grouped import GroupedDataset
from .imperfect import relabelled

_ROUNDS = 100
_NUMBERS = 2**21  # converted to float64 at a time: 16 MB


def recovered_groups(
    partly: GroupedDataset,
    features: str | Callable[[Tensor], Tensor] | Tensor | np.ndarray = "pixels",
) -> GroupedDataset:
    """Guess the unknown groups of a set by k-means within each class.

    Each class gets one cluster per group. A cluster starts at the mean of the known images of its
    group in the class, or in the whole set if the class has none, so nothing is drawn. Afterwards
    it is given the group that most of its known images have (the first of them if several are
    equally common), or keeps that from which it started if none is known. Known labels stay.

    Parameters
    ----------
    partly : GroupedDataset
        Unknown groups are -1, see `fddkit.known_groups`.
    features : "pixels", callable, Tensor or array
        What is clustered: the pixels, ``features(images) -> [N, ...]`` of the uint8 images, or the
        features themselves, [N, ...].

    Returns
    -------
    GroupedDataset
        With a group for every image; `GroupedDataset.source` counts those that were guessed. It
        has an `info`, from which it can be loaded again, only if it was recovered from pixels.

    Raises
    ------
    FddkitError
        If no group at all is known, or the features do not fit.

    Notes
    -----
    With pixels (or other whole numbers) the means are exact, so the groups are the same on every
    machine. Where the features do not separate the groups, every cluster is mostly of the majority
    and becomes its own: the share of correct guesses is then that of the majority.

    References
    ----------
    COBRA, appendix L: k-means on pixels. How clusters become groups is ours; `docs/methods.md`,
    "Data sets".

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> partly = fdd.known_groups(train, share=0.5)
    >>> def colour(images):  # the mean of each channel
    ...     return images.double().mean((2, 3))
    >>> for features in ("pixels", colour):
    ...     guessed = fdd.recovered_groups(partly, features).group
    ...     print(round((guessed == train.group)[partly.group < 0].double().mean().item(), 2))
    0.92
    1.0
    """
    points = _points(partly, features)
    group, target = partly.group.cpu(), partly.target.cpu()
    if not (group >= 0).any():
        raise FddkitError(
            f"no group of {partly.name} is known, so clusters cannot be told apart; use a rule "
            "that needs none (kde)"
        )
    guessed = group.clone()
    names = [a for a in range(partly.n_groups) if (group == a).any()]
    anywhere = {a: _mean(points, torch.where(group == a)[0]) for a in names}
    for y in range(partly.n_classes):
        rows = torch.where(target == y)[0]
        if not len(rows):
            continue
        labels = group[rows]
        known = [rows[labels == a] for a in names]
        starts = [
            _mean(points, k) if len(k) else anywhere[a] for k, a in zip(known, names, strict=True)
        ]
        cluster = lloyd(points[rows].double(), torch.stack(starts))
        groups = torch.tensor([_vote(labels[cluster == i], a) for i, a in enumerate(names)])
        guessed[rows] = torch.where(labels >= 0, labels, groups[cluster])
    pixels = isinstance(features, str)
    return relabelled(partly, guessed, {"change": "recovered"}, again=pixels)


def lloyd(points: Tensor, centres: Tensor) -> Tensor:
    """Return the cluster of each point: Lloyd's algorithm with Euclidean distances.

    Parameters
    ----------
    points : Tensor
        float64 [N, D].
    centres : Tensor
        float64 [k, D], where the clusters start. One that loses all its points keeps its centre.

    Returns
    -------
    Tensor
        int64 [N], in ``[0, k)``; the first of equally near clusters.
    """
    before = None
    for _ in range(_ROUNDS):
        # |x|^2 is the same for every centre
        cluster = (centres.square().sum(1) - points @ (2 * centres.T)).argmin(1)
        if before is not None and torch.equal(cluster, before):
            break
        before = cluster
        sums = torch.zeros_like(centres).index_add_(0, cluster, points)
        sizes = cluster.bincount(minlength=len(centres))[:, None]
        centres = torch.where(sizes > 0, sums / sizes.clamp(min=1), centres)
    return cluster


def _mean(points: Tensor, rows: Tensor) -> Tensor:
    """Return the mean of some rows in float64, without a copy of all of them."""
    total = torch.zeros(points.shape[1], dtype=torch.float64)
    for part in rows.split(_chunk(points)):
        total += points[part].double().sum(0)
    return total / len(rows)


def _chunk(points: Tensor) -> int:
    """Return how many rows to convert at a time."""
    return max(1, _NUMBERS // max(1, points[:1].numel()))


def _vote(labels: Tensor, start: int) -> int:
    known = labels[labels >= 0]
    return int(known.bincount().argmax()) if len(known) else start


def _points(
    data: GroupedDataset, features: str | Callable[[Tensor], Tensor] | Tensor | np.ndarray
) -> Tensor:
    """Return the features as [N, D] on the CPU, in their own type."""
    if isinstance(features, str):
        if features != "pixels":
            raise FddkitError(
                f"features={features!r} is not known; give 'pixels', a function or an array"
            )
        features = data.images
    elif callable(features):
        features = features(data.images)
    try:
        points = torch.as_tensor(features).detach().cpu()
    except (TypeError, ValueError, RuntimeError) as error:
        raise FddkitError(
            f"the features of {data.name} are not an array of numbers; give [N, ...]"
        ) from error
    if points.ndim < 1 or len(points) != len(data):
        raise FddkitError(
            f"the features of {data.name} are {list(points.shape)} for {len(data)} images; "
            "give one row per image"
        )
    if not all(part.isfinite().all() for part in points.split(_chunk(points))):
        raise FddkitError(f"the features of {data.name} hold NaN or infinity; give finite ones")
    return points.reshape(len(data), -1)
