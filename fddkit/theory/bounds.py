"""FairDD's Theorem 4.2, that its loss bounds vanilla's from above, for several distances."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.errors import unknown
from ..core.rng import generator
from .check import Check
from .optima import DISTANCES
from .signal import GroupStatistics

#: One more distance: that between the axes along which vectors lie, regardless of sign. Its
#: sublevel sets are not convex, and that is what breaks the bound.
OTHERS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "axis": lambda u, s: 1 - torch.cosine_similarity(u, s, dim=-1, eps=1e-300).abs(),
}


def upper_bound(
    stats: GroupStatistics,
    distance: str = "squared",
    weighted: bool = False,
    draws: int = 100,
    seed: int = 0,
    tolerance: float = 1e-9,
) -> Check:
    """Check ``D(sum_a pi_a Phi_a, S) <= sum_a D(Phi_a, S)`` (FairDD, Theorem 4.2).

    By Jensen's inequality ``D(sum pi_a Phi_a, S) <= sum pi_a D(Phi_a, S)`` for a D that is convex
    in its first argument, and omitting the weights only increases the sum if D is never negative.
    Less is enough: if the sets ``{u : D(u, S) <= d}`` are convex, the ``D`` of a mixture is at most
    the largest D of its parts. The cosine distance violates Jensen's step, and its sets are convex
    only up to 90 degrees; yet it satisfies the bound (notebook 04 has the proof).

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    distance : str
        One of `fddkit.theory.optima.DISTANCES`, or ``"axis"``.
    weighted : bool
        Check Jensen's step instead, with the shares on the right-hand side.
    draws : int
        Number of random S, half of them near the groups and half anywhere, each with random shares
        (the first with those of ``stats``).
    seed : int
        Seed of the draws.
    tolerance : float
        Relative to the right-hand side.

    Returns
    -------
    Check
        ``values``: ``vanilla`` and ``fairdd``, the two sides [draws, classes].

    References
    ----------
    FairDD, Theorem 4.2; ``docs/methods.md``, "Rules".

    Examples
    --------
    >>> import fddkit as fdd
    >>> stats = fdd.theory.counterexample("cosine")
    >>> fdd.theory.upper_bound(stats, "cosine").holds
    True
    >>> fdd.theory.upper_bound(stats, "cosine", weighted=True).holds  # Jensen's step
    False
    >>> fdd.theory.upper_bound(fdd.theory.counterexample("axis"), "axis").holds
    False
    """
    known = {**DISTANCES, **OTHERS}
    if distance not in known:
        raise unknown("distance", distance, known)
    d, points, rng = known[distance], stats.points, generator(seed, "bound")
    classes, groups, features = points.shape
    here = stats.present.double()
    spread = points.std()
    left, right = [], []
    for draw in range(draws):
        shares = stats.shares
        if draw:  # the first draw has the shares of the set
            shares = torch.rand(classes, groups, generator=rng, dtype=torch.float64) ** 3 * here
            shares = shares / shares.sum(1, keepdim=True).clamp(min=1e-300)
        mixture = (shares[..., None] * points).sum(1)
        s = spread * torch.randn(classes, features, generator=rng, dtype=torch.float64)
        if draw % 2 == 0:
            s = mixture + s * 0.1
        weights = shares if weighted else here
        left.append(d(mixture[:, None], s[:, None])[:, 0])
        right.append((weights * d(points, s[:, None])).sum(1))
    vanilla, fairdd = torch.stack(left), torch.stack(right)
    some = stats.present.any(1)
    gap = ((vanilla - fairdd) / fairdd.abs().clamp(min=1e-12))[:, some].max()
    side = "sum_a pi_a D(Phi_a, S)" if weighted else "sum_a D(Phi_a, S)"
    name = "Jensen's step" if weighted else "FairDD, Theorem 4.2"
    return Check(
        f"D(sum_a pi_a Phi_a, S) <= {side} under the {distance} distance ({name})",
        gap.item(),
        tolerance,
        {"vanilla": vanilla, "fairdd": fairdd},
    )


def counterexample(distance: str = "cosine") -> GroupStatistics:
    """Return two groups for which a distance that is not convex violates a step of the proof.

    Under ``cosine``, a small group with a large gradient turns the mean away: Jensen's step fails
    by far (`upper_bound` with ``weighted=True``). Under ``axis``, the two groups lie on nearly the
    same axis and cancel each other, and the bound itself fails.

    Parameters
    ----------
    distance : {"cosine", "axis"}
        The distance.

    Returns
    -------
    GroupStatistics
        One class, two groups, two features.
    """
    cases = {
        "cosine": ([[1.0, 0.0], [0.0, 100.0]], [0.9, 0.1]),
        "axis": ([[1.0, 0.1], [-1.0, 0.1]], [0.5, 0.5]),
    }
    if distance not in cases:
        raise unknown("counterexample", distance, cases)
    points, shares = (torch.tensor([x], dtype=torch.float64) for x in cases[distance])
    return GroupStatistics(points, shares)
