"""What a fair model would show by chance: the null distribution of a gap between groups."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from .metrics import count

if TYPE_CHECKING:
    from .outcomes import Outcomes

DRAWS = 499
_ENOUGH = 100  # draws for a tail
_LEAST = 1e-6  # p-value: three moments do not say more
_BLOCK = 2**24  # numbers held at once
_UNKNOWN = float("nan")


@dataclass(frozen=True, eq=False)
class Null:
    """What an exactly fair model would show for a metric on a test.

    Attributes
    ----------
    draws : float64 [B]
        The metric, mean over the same networks, in simulated tests.
    how : str
        How they were simulated: ``"within images"``, ``"within classes"`` or ``"binomial"``.

    Examples
    --------
    >>> import numpy as np
    >>> null = Null(np.arange(99.0), "within classes")
    >>> null.mean, null.most, null.p(98.0), null.p(10.0)
    (49.0, 93.1, 0.02, 0.9)
    """

    draws: np.ndarray
    how: str

    @property
    def mean(self) -> float:
        """The expected value: what the papers' numbers contain of chance alone."""
        return float(self.draws.mean())

    @property
    def most(self) -> float:
        """The 95% quantile: what chance exceeds in one test of twenty."""
        return float(np.quantile(self.draws, 0.95))

    def p(self, observed: float) -> float:
        """Return the p-value of "a fair model would show no less than this", one-sided.

        Beyond all draws it is the tail of a gamma distribution with their mean, variance and
        skewness (Winkler et al., NeuroImage 141, 2016), between 1e-6 and 1 / (B + 1): otherwise
        nothing could be found among many tests.
        """
        if np.isnan(observed) or np.isnan(self.draws).any():
            return _UNKNOWN
        # rounding must not decide between a draw and its equal
        as_large = (self.draws >= observed - 1e-9).sum()
        p = float((1 + as_large) / (1 + len(self.draws)))
        if as_large or len(self.draws) < _ENOUGH:
            return p
        return min(p, max(_tail(self.draws, observed), _LEAST))


def _tail(draws: np.ndarray, observed: float) -> float:
    """Return P(X >= observed) of the gamma distribution with the draws' first three moments."""
    apart = draws - draws.mean()
    spread = float(draws.std())
    if spread <= 1e-9:
        return 1.0
    # a normal has no skewness; nearly one stands for it, and for tails that are shorter
    skewness = max(float((apart**3).mean()) / spread**3, 0.01)
    shape = 4 / skewness**2
    x = shape + (observed - draws.mean()) / spread * math.sqrt(shape)
    given = torch.tensor([shape, max(x, 0.0)], dtype=torch.float64)
    return float(torch.special.gammaincc(given[0], given[1]))


def permuted(
    outcomes: "Outcomes", n_classes: int, n_groups: int, draws: int = DRAWS, seed: int = 0
) -> Iterator[np.ndarray]:
    """Return the counts of tests in which the groups are dealt anew.

    If a model is fair, what it predicts for an image does not depend on the group. On a
    counterfactual test the groups of an original are permuted among its images; otherwise, those
    of a class among its images. Where originals are shown more than once, they are exchanged as
    wholes with others that are shown as often: copies of an image are not independent. Cells keep
    their sizes, and all networks get the same permutation: they share the test images, so what
    chance does to one it does to all.

    Parameters
    ----------
    outcomes : Outcomes
        What the networks predicted.
    n_classes, n_groups : int
        The numbers C and A.
    draws : int
        Number of permutations B.
    seed : int
        Determines them.

    Yields
    ------
    int64 [B', R, A, C, C]
        Blocks of permutations, B in all.
    """
    rng = np.random.default_rng(seed)
    block, unit = _exchangeable(outcomes)
    order = np.lexsort((outcomes.group, unit, block))
    target, group = outcomes.target[order], outcomes.group[order]
    predicted, block, unit = outcomes.predicted[:, order], block[order], unit[order]
    # exchanging images for which every network predicts the same changes nothing
    start = np.r_[True, block[1:] != block[:-1]]
    first = np.flatnonzero(start)[np.cumsum(start) - 1]
    differs = np.zeros(len(block), dtype=bool)
    np.logical_or.at(differs, first, (predicted != predicted[:, first]).any(0))
    moves = differs[first]
    still = np.stack([
        count(target[~moves], group[~moves], p[~moves], n_classes, n_groups) for p in predicted
    ])  # fmt: skip
    target, group, predicted, block = target[moves], group[moves], predicted[:, moves], block[moves]
    unit = np.unique(unit[moves], return_inverse=True)[1] if unit.any() else None
    networks, cells = len(predicted), n_groups * n_classes**2
    at_once = max(1, _BLOCK // max(len(target) * 4, networks * cells, 1))
    for begin in range(0, draws, at_once):
        n = min(at_once, draws - begin)
        # within a block, images sorted by random keys are a random permutation of it
        if unit is None:
            shuffled = np.argsort(block + rng.random((n, len(block))), axis=1)
        else:
            keys = rng.random((n, unit.max(initial=-1) + 1))[:, unit]
            shuffled = np.argsort(block + keys, axis=1, kind="stable")
        dealt = np.empty((n, len(block)), dtype=np.int64)
        np.put_along_axis(dealt, shuffled, np.broadcast_to(group, dealt.shape), axis=1)
        found = np.empty((n, networks, cells), dtype=np.int64)
        offset = np.arange(n)[:, None] * cells
        for r, p in enumerate(predicted):
            cell = (dealt * n_classes + target) * n_classes + p + offset
            found[:, r] = np.bincount(cell.ravel(), minlength=n * cells).reshape(n, cells)
        yield still + found.reshape(n, networks, n_groups, n_classes, n_classes)


def _exchangeable(outcomes: "Outcomes") -> tuple[np.ndarray, np.ndarray]:
    """Return within what images are exchanged, and which move together (0: each by itself)."""
    alone = np.zeros_like(outcomes.target)
    if outcomes.original is None or outcomes.paired:
        return outcomes.target if outcomes.original is None else outcomes.original, alone
    which = np.stack([outcomes.original, outcomes.target])
    _, unit, shown = np.unique(which, axis=1, return_inverse=True, return_counts=True)
    unit = unit.reshape(-1)
    if shown.max(initial=1) == 1:
        return outcomes.target, alone
    sizes = np.stack([outcomes.target, shown[unit]])
    return np.unique(sizes, axis=1, return_inverse=True)[1].reshape(-1), unit + 1


def binomial(
    counts: np.ndarray, draws: int = DRAWS, seed: int | np.random.Generator = 0
) -> np.ndarray:
    """Return the counts of simulated tests of an exactly fair model, one network each.

    Every class gets one distribution of predictions, pooled over groups and repeats, from which
    the images of each cell are drawn independently. It is what can be done when only counts were
    kept. Networks share their test images, so the mean over them varies nearly as much as a
    single network; therefore single networks are drawn, and p-values are on the safe side.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class; all repeats on one test set.
    draws : int
        Simulated tests B.
    seed : int or Generator
        Of the simulation.

    Returns
    -------
    int64 [B, A, C, C]
    """
    size = counts[0].sum(-1)  # [A, C]
    pooled = counts.sum((0, 1)).astype(float)  # [true, predicted]
    share = pooled / np.maximum(pooled.sum(-1, keepdims=True), 1)
    # a multinomial as a chain of binomials, which draws all cells at once
    rng, left = np.random.default_rng(seed), np.broadcast_to(size, (draws, *size.shape)).copy()
    found, rest = np.zeros((draws, *counts.shape[1:]), dtype=np.int64), np.ones(len(share))
    for predicted in range(share.shape[1]):
        part = np.clip(share[:, predicted] / np.maximum(rest, 1e-300), 0, 1)
        part = np.where(predicted == share.shape[1] - 1, 1.0, part)
        found[..., predicted] = rng.binomial(left, part)
        left -= found[..., predicted]
        rest = rest - share[:, predicted]
    return found


Measure = Callable[[np.ndarray], np.ndarray]


def nulls(
    functions: dict[str, Measure],
    counts: np.ndarray,
    networks: list[str],
    outcomes: "Outcomes | None",
    units: np.ndarray,
) -> dict[str, Null]:
    """Return the null distributions of several metrics.

    Parameters
    ----------
    functions : dict of str to callable
        Name -> ``function(counts)``, see `fddkit.evaluation.measures.Metric`.
    counts : int [R, A, C, C]
        Of the report.
    networks : list of str
        The architecture of each repeat.
    outcomes : Outcomes or None
        Of the report.
    units : float64 [R]
        The weight of each repeat in the mean; they sum to one.

    Returns
    -------
    dict of str to Null
    """
    found: dict[str, list[np.ndarray]] = {name: [] for name in functions}
    if outcomes is not None:
        how = "within images" if outcomes.paired else "within classes"
        for block in permuted(outcomes, counts.shape[-1], counts.shape[1]):
            flat = block.reshape(-1, *counts.shape[1:])
            for name, function in functions.items():
                found[name].append(function(flat).reshape(len(block), -1) @ units)
        return {name: Null(np.concatenate(parts), how) for name, parts in found.items()}
    which, totals = np.array(networks), dict.fromkeys(functions, 0.0)
    at_once = max(1, _BLOCK // counts[0].size)
    for architecture in dict.fromkeys(networks):
        mine, rng = which == architecture, np.random.default_rng(0)
        for begin in range(0, DRAWS, at_once):
            block = binomial(counts[mine], min(at_once, DRAWS - begin), rng)
            for name, function in functions.items():
                found[name].append(function(block))
        for name, parts in found.items():
            totals[name] = totals[name] + units[mine].sum() * np.concatenate(parts)
            parts.clear()
    return {name: Null(draws, "binomial") for name, draws in totals.items()}
