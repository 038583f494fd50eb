"""A gap between groups without the noise of the test images.

A maximum minus a minimum of noisy rates is positive even where all rates are equal, so DEO as the
papers print it is biased upwards. Write the true rate of class y and group a as the mean of its
class plus a deviation delta; what is observed is d = delta + noise, with the noise variance

    v = kappa_y p (1 - p) / n (1 - 1 / A).

kappa is 1 where groups show different images; on a counterfactual test, where they show the same,
it is 1 minus the correlation of the errors of two groups on one original. The deviations of a
network's classes and groups are taken as draws from one prior, a mixture of at most three normals
with a common variance (which may be 0: groups that are exactly alike), fitted by maximum
likelihood, their number chosen by BIC. The corrected gap is its posterior mean E[f(p) | d]. By the
law of total expectation its mean over cells is E f(p), whatever f is: no maximum needs to be
differentiated. For fixed rates no estimator of a maximum is unbiased where some are equal (Hirano
and Porter 2012); `reports/measured/calibration.py` measures what is left.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .metrics import tpr

if TYPE_CHECKING:
    from .outcomes import Outcomes

_DRAWS = 60
_SPREADS = np.array([0.0, 0.15, 0.3, 0.5, 0.7, 1.0])  # of the prior, relative to the deviations
#: Number of normals -> where they start, as quantiles of the deviations.
_STARTS = {1: ((0.5,),), 2: ((0.5, 1.0), (0.0, 0.5), (0.05, 0.8)), 3: ((0.0, 0.5, 1.0),)}
_STEPS = 15  # of EM
_ENOUGH = 20  # deviations for three normals
_HARDLY_ANY = 3  # contrasts
_FEW = 10  # answers of the rarer kind in a cell
#: Of the correction, at a gap that is noise alone; chosen by `calibration.py`, like the next two.
_LEFT, _LEFT_BADLY = 0.375, 0.75
_MOVED, _MOVED_BLINDLY = 0.7, 2.0  # in standard deviations of the posterior
_TINY = 1e-290


def posterior(counts: np.ndarray, outcomes: "Outcomes", seed: int = 0) -> np.ndarray:
    """Return what the true-positive rates may be, given their test.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by network, group, true and predicted class.
    outcomes : Outcomes
        From which the counts follow.
    seed : int
        Of the draws.

    Returns
    -------
    float64 [D, R, A, C]
        Draws in [0, 1]; NaN in cells without test images.
    """
    rates, size = tpr(counts), counts[0].sum(-1)
    known = (size > 0) & ((size > 0).sum(0) >= 2)  # [A, C]
    if not known.any():
        return rates[None]
    n, groups = np.maximum(size, 1), np.maximum((size > 0).sum(0), 2)
    level = np.where(known, rates, 0).sum(1, keepdims=True) / np.maximum(known.sum(0), 1)
    d = (rates - level)[:, known]  # [R, cells]
    factor = np.broadcast_to(noise_kept(outcomes, rates) * (1 - 1 / groups), size.shape)[known]
    # two groups of a class have a single contrast
    independent = float(known.sum()) if groups.max() > 2 else float(known.any(0).sum())
    p, centre = (rates * n + 1) / (n + 2), rates.copy()
    for _ in range(2):  # first with the observed rates: a lucky cell claims too little noise
        v = (p * (1 - p) / n)[:, known] * factor
        prior = fit(d, v, independent)
        share, kept, mean = _given(d, v, prior)
        centre[:, known] = kept * d + (1 - kept) * (share * prior.means[:, None]).sum(2)
        centre[:, known] = np.clip(centre + level, 0, 1)[:, known]
        p = np.clip(centre, 1 / (n + 2), 1 - 1 / (n + 2))
    rng = np.random.default_rng(seed)
    which = (rng.random((_DRAWS, *d.shape, 1)) > share.cumsum(2)[..., :-1]).sum(-1)
    found = np.take_along_axis(mean[None], which[..., None], -1)[..., 0]
    found += np.sqrt(kept * v) * rng.standard_normal(found.shape)
    draws = np.full((_DRAWS, *rates.shape), np.nan)
    draws[..., known] = found
    for y in np.flatnonzero(known.sum(0) == 2):  # the second deviation is minus the first
        first, second = np.flatnonzero(known[:, y])
        draws[:, :, second, y] = -draws[:, :, first, y]
    return np.clip(draws + level, 0, 1)


def doubt(counts: np.ndarray, measured: float, corrected: float, spread: float) -> float:
    """Return what may be wrong with a correction, as a standard deviation in the metric's units.

    What is left of the bias cannot be known (for fixed rates no estimator is unbiased at ties), but
    measured, it has two parts. Where the gap is hardly above the noise, a share of the correction
    remains: a quarter to a third, about twice as much where the prior cannot be learnt well, from
    few contrasts between groups, or where a typical cell has few right or few wrong answers and its
    noise is too skew for a normal. Where gaps are clear, the prior moves the networks all alike, by
    about as much as the posterior of each is wide; two or three contrasts know hardly anything of a
    prior, and then by twice as much.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by network, group, true and predicted class.
    measured, corrected : float
        The metric, averaged over networks, and without the noise of the images.
    spread : float
        Standard deviation of its posterior, averaged over networks.

    Returns
    -------
    float
    """
    size = counts[0].sum(-1)
    contrasts = np.maximum((size > 0).sum(0) - 1, 0).sum()
    rates = tpr(counts)
    rarer = (np.minimum(rates, 1 - rates) * size)[:, size > 0]
    badly = contrasts < _ENOUGH or np.median(rarer) < _FEW
    correction = max(measured - corrected, 0.0)
    noisy = correction / measured if measured > 0 else 0.0
    left = (_LEFT_BADLY if badly else _LEFT) * noisy * correction
    return math.hypot(left, (_MOVED_BLINDLY if contrasts <= _HARDLY_ANY else _MOVED) * spread)


def noise_kept(outcomes: "Outcomes", rates: np.ndarray) -> np.ndarray:
    """Return which part of the noise of a rate its difference to other groups keeps, kappa.

    With the residuals e = correct - rate of every image, summed over the groups of an original:
    kappa = 1 - sum_i ((sum_a e_ia)^2 - sum_a e_ia^2) / ((A - 1) sum e^2), pooled over networks.

    Parameters
    ----------
    outcomes : Outcomes
        What the networks predicted.
    rates : float64 [R, A, C]
        Their true-positive rates.

    Returns
    -------
    float64 [C]
        1 where no original shows two groups.
    """
    groups, classes = rates.shape[1:]
    if not outcomes.paired:
        return np.ones(classes)
    target, group = outcomes.target, outcomes.group
    original = np.unique(outcomes.original, return_inverse=True)[1]
    shown = np.zeros(original.max() + 1, dtype=np.int64)
    shown[original] = target
    above, below = np.zeros(classes), np.zeros(classes)
    for predicted, rate in zip(outcomes.predicted, rates, strict=True):
        error = (predicted == target) - rate[group, target]
        square = np.bincount(target, error**2, classes)
        above += np.bincount(shown, np.bincount(original, error) ** 2, classes) - square
        below += square
    return np.clip(1 - above / np.maximum((groups - 1) * below, 1e-12), 0.02, 1.0)


@dataclass(frozen=True, eq=False)
class Prior:
    """A mixture of normals for each network: means and weights [R, 3], one variance each [R]."""

    means: np.ndarray
    weights: np.ndarray
    variance: np.ndarray


def fit(d: np.ndarray, v: np.ndarray, independent: float) -> Prior:
    """Fit a mixture of normals to noisy deviations, each row by itself.

    Parameters
    ----------
    d, v : float64 [R, n]
        Deviations and the variance of their noise.
    independent : float
        How many of the n are independent; it scales the likelihood against the penalty of BIC.

    Returns
    -------
    Prior
        With weight 0 beyond the chosen number of normals.
    """
    repeats, n = d.shape
    rows, most = np.arange(repeats), 3 if independent >= _ENOUGH else 2
    spread = np.maximum(np.maximum(d.std(1), 0.3 * np.sqrt(v.mean(1))), 1e-9)
    best, chosen = np.full(repeats, -np.inf), Prior(*np.zeros((2, repeats, 3)), np.zeros(repeats))
    for k in range(1, most + 1):
        starts = np.quantile(d, _STARTS[k], axis=1).transpose(2, 0, 1)  # [R, starts, k]
        means = np.repeat(starts, len(_SPREADS), 1)
        variance = np.tile(_SPREADS**2, len(_STARTS[k])) * spread[:, None] ** 2  # [R, J]
        precision = 1 / (v[:, None] + variance[..., None])  # [R, J, n]
        weights = np.full(means.shape, 1 / k)
        if k == 1:
            means = ((d[:, None] * precision).sum(2) / precision.sum(2))[..., None]
        for _ in range(_STEPS if k > 1 else 0):
            like = _likelihood(d[:, None], precision, means, weights)
            like /= like.sum(-1, keepdims=True) + _TINY
            weights = like.mean(2)
            like *= precision[..., None]
            means = (like * d[:, None, :, None]).sum(2) / (like.sum(2) + _TINY)
        total = _likelihood(d[:, None], precision, means, weights).sum(-1) + _TINY
        score = (np.log(total) + 0.5 * np.log(precision)).sum(2) * (independent / n)
        score -= k * np.log(independent)
        j = score.argmax(1)
        better = score[rows, j] > best
        best = np.where(better, score[rows, j], best)
        for into, found in ((chosen.means, means), (chosen.weights, weights)):
            into[better] = np.pad(found[rows, j], ((0, 0), (0, 3 - k)))[better]
        chosen.variance[better] = variance[rows, j][better]
    return chosen


def _likelihood(
    d: np.ndarray, precision: np.ndarray, means: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the weighted likelihood of each deviation under each normal, [..., n, k]."""
    apart = d[..., None] - means[..., None, :]
    return weights[..., None, :] * np.exp(-0.5 * apart**2 * precision[..., None])


def _given(d: np.ndarray, v: np.ndarray, prior: Prior) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the share of each normal [R, n, k], how much of d is kept [R, n], and the means."""
    variance = prior.variance[:, None]
    like = _likelihood(d, 1 / (v + variance), prior.means, prior.weights)
    share = (like + _TINY * prior.weights[:, None]) / (like.sum(2, keepdims=True) + _TINY)
    kept = variance / (v + variance)
    mean = (kept * d)[..., None] + (1 - kept)[..., None] * prior.means[:, None]
    return share, kept, mean
