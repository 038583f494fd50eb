"""How other test images would change what networks get right: a multiplier bootstrap."""

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .outcomes import Outcomes

DRAWS = 200
_BLOCK = 2**23  # numbers held at once
_ORIGINALS = 2**17  # whose weights are held at once


def changes_of_rates(
    outcomes: "Outcomes",
    counts: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
    other: bool = False,
) -> np.ndarray:
    """Return what tests on other images of the same kind would add to true-positive rates.

    Every original i gets a standard normal weight g_i; the rate of a cell (class, group) changes
    by sum_i g_i (correct_i - p) / n over the images of the cell. The covariance of these changes
    is that of the rates: between networks, which share images, and between groups, which share
    originals on a counterfactual test. Two pseudo-images per cell, one that all networks recognise
    and one that none does, keep a cell in which all or none are recognised from claiming
    certainty: 1.96 standard deviations are then about 2 / n ("rule of three": 3 / n).

    Parameters
    ----------
    outcomes : Outcomes
        What the networks predicted.
    counts : int [R, A, C, C]
        The counts that follow from it.
    draws : int
        Number of tests B.
    seed : int
        Determines the weights; equal tests get equal weights, whatever was trained.
    other : bool
        With other pseudo-images, for what is subtracted: where two models agree on all images, the
        images cancel, but few images of agreement are no certainty that they always do.

    Returns
    -------
    float32 [B, R, A, C]
        0 in cells without images.

    References
    ----------
    van der Vaart and Wellner (1996), section 2.9 (multiplier central limit theorem).
    """
    repeats, groups, classes, _ = counts.shape
    cluster, cells = _layout(outcomes, classes, groups)
    found = np.zeros((draws, repeats, groups, classes), dtype=np.float32)
    for begin, of_images, of_pseudo in _blocks(cluster, len(cells), draws, seed, other):
        for c, mine in enumerate(cells):
            if len(mine):
                y, a = divmod(c, groups)
                right = (outcomes.predicted[:, mine] == y).astype(np.float32)  # [R, n]
                p, (here, g) = _smoothed(right), _shown(cluster[mine], begin, of_images)
                total = (right - p)[:, here] @ g
                total += (1 - p) * of_pseudo[c, 0] - p * of_pseudo[c, 1]
                found[:, :, a, y] += total.T / len(mine)
    return found


def changes_of_counts(
    outcomes: "Outcomes",
    counts: np.ndarray,
    draws: int = DRAWS,
    seed: int = 0,
    other: bool = False,
) -> Iterator[np.ndarray]:
    """Return what tests on other images of the same kind would add to the counts.

    As `changes_of_rates`, with the same weights, for every predicted class.

    Parameters
    ----------
    outcomes, counts, draws, seed, other
        As for `changes_of_rates`.

    Yields
    ------
    float32 [B', R, A, C, C]
        Blocks of changes, B in all.
    """
    groups, classes = counts.shape[1:3]
    cluster, cells = _layout(outcomes, classes, groups)
    at_once = max(1, min(draws, _BLOCK // counts.size))
    for start in range(0, draws, at_once):
        block = slice(start, min(start + at_once, draws))
        change = np.zeros((block.stop - start, *counts.shape), dtype=np.float32)
        for begin, of_images, of_pseudo in _blocks(cluster, len(cells), draws, seed, other):
            for c, mine in enumerate(cells):
                if len(mine):
                    y, a = divmod(c, groups)
                    here, g = _shown(cluster[mine], begin, of_images[:, block])
                    predicted, pseudo = outcomes.predicted[:, mine], of_pseudo[c, :, block]
                    change[:, :, a, y] += _change(predicted, here, y, classes, g, pseudo)
        yield change


def _layout(outcomes: "Outcomes", classes: int, groups: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the original of each image, numbered from 0, and the images of each cell."""
    images = outcomes.original
    images = np.arange(len(outcomes.target)) if images is None else images
    cell = outcomes.target * groups + outcomes.group
    ends = np.cumsum(np.bincount(cell, minlength=classes * groups))
    cells = np.split(np.argsort(cell, kind="stable"), ends[:-1])
    return np.unique(images, return_inverse=True)[1], cells


def _smoothed(right: np.ndarray) -> np.ndarray:
    """Return the rate of each network with the two pseudo-images, float32 [R, 1]."""
    return (right.sum(1, keepdims=True) + 1) / (right.shape[1] + 2)


def _change(
    predicted: np.ndarray,
    here: slice | np.ndarray,
    y: int,
    classes: int,
    g: np.ndarray,
    pseudo: np.ndarray,
) -> np.ndarray:
    """Return the change of one cell's counts by the weights of some images, float32 [B, R, C]."""
    repeats = len(predicted)
    shown = (predicted[:, None] == np.arange(classes)[:, None]).astype(np.float32)  # [R, C, n]
    right = _smoothed(shown[:, y])[:, 0]
    wrong = shown.sum(2)
    wrong[:, y] = 0
    total = wrong.sum(1, keepdims=True)
    even = (np.arange(classes) != y) / max(classes - 1, 1)
    part = np.where(total > 0, wrong / np.maximum(total, 1), even)  # of the errors, by class
    share = part * (1 - right)[:, None]
    share[:, y] = right
    apart = (shown - share[..., None].astype(np.float32))[..., here]
    change = apart.reshape(-1, len(g)) @ g  # [R C, B]
    change = change.reshape(repeats, classes, -1)
    # one more right is one less wrong
    step = np.where(np.arange(classes) == y, 1.0, -part)[..., None]
    extra = (1 - right)[:, None] * pseudo[0] - right[:, None] * pseudo[1]  # [R, B]
    return (change + step * extra[:, None]).transpose(2, 0, 1).astype(np.float32)


def _blocks(
    cluster: np.ndarray, cells: int, draws: int, seed: int, other: bool
) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
    """Yield the first original of each block, and weights as `_weights` returns them.

    Those of the pseudo-images belong to the first block.
    """
    originals = int(cluster.max()) + 1
    for begin in range(0, originals, _ORIGINALS):
        stream = (seed, 2, begin) if begin else seed
        n = min(_ORIGINALS, originals - begin)
        of_images, of_pseudo = _weights(n, cells, draws, stream)
        if begin:
            of_pseudo = np.zeros_like(of_pseudo)
        elif other:
            of_pseudo = _other(of_pseudo.shape, seed)
        yield begin, of_images, of_pseudo


def _shown(
    cluster: np.ndarray, begin: int, of_images: np.ndarray
) -> tuple[slice | np.ndarray, np.ndarray]:
    """Return which images show the originals of a block, and the weight of each of them."""
    if not begin and cluster.max() < len(of_images):
        return slice(None), of_images[cluster]
    here = np.flatnonzero((cluster >= begin) & (cluster < begin + len(of_images)))
    return here, of_images[cluster[here] - begin]


@lru_cache(maxsize=2)
def _weights(
    originals: int, cells: int, draws: int, seed: int | tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Return the weights of originals [N, B] and pseudo-images [cells, 2, B]."""
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((originals, draws), np.float32)
    return first, rng.standard_normal((cells, 2, draws), np.float32)


def _other(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return other weights of pseudo-images."""
    return np.random.default_rng((seed, 1)).standard_normal(shape, np.float32)
