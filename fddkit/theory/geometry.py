"""How far the groups lie from the target of their class: COBRA's Eq. 4-6 and Theorem 4.1."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ..rules.barycentres import mean
from ..rules.rules import RULES
from .check import Check
from .optima import weighted_mean
from .positions import aims, residuals, worst
from .signal import GroupStatistics

if TYPE_CHECKING:
    import pandas as pd

_RULES = ("vanilla", "cobra", "minimax")  # those that the theorem and its repair are about


def residual_bound(stats: GroupStatistics, tolerance: float = 1e-9) -> Check:
    """Check COBRA's Eq. 4-6: the residual of a group under vanilla distillation.

    With ``m = sum_b pi_b Phi_b`` the residual is ``Delta_a = sum_{b != a} pi_b (Phi_a - Phi_b)``,
    so ``|Delta_a| <= sum_{b != a} pi_b |Phi_a - Phi_b|``: the shares of the others times their
    separation. If either factor is zero, there is no bias.

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    tolerance : float
        Relative to the bound.

    Returns
    -------
    Check
        ``values``: ``residual`` and ``bound``, [classes, groups], NaN where absent; ``identity``,
        the largest norm of the difference between the two sides of the identity.
    """
    points, shares, present = stats.points, stats.shares, stats.present
    delta = points - weighted_mean(stats)[:, None]
    apart = points[:, :, None] - points[:, None]  # [classes, a, b, features]
    summed = (shares[:, None, :, None] * apart).sum(2)
    identity = ((delta - summed).norm(dim=-1) * present).max()
    bound = (shares[:, None] * apart.norm(dim=-1)).sum(2)
    residual = delta.norm(dim=-1)
    scale = bound.masked_fill(~present, 0).max().clamp(min=1e-300)
    gap = torch.stack([((residual - bound) * present).max(), identity]).max() / scale
    return Check(
        "a group's residual under vanilla is at most the sum over the other groups of share times "
        "separation (COBRA, Eq. 4-6)",
        gap.item(),
        tolerance,
        {
            "residual": residual.masked_fill(~present, torch.nan),
            "bound": bound.masked_fill(~present, torch.nan),
            "identity": identity,
        },
    )


def condition(stats: GroupStatistics, q: Tensor | None = None) -> Tensor:
    """Return whether COBRA's condition (9) holds, class by class.

    With the shift ``s = m_vanilla - m_cobra`` and the group ``a`` that is worst off under COBRA, it
    requires ``<Delta_a, s>_Q <= 0``: that group must not lie on the side towards which vanilla is
    shifted. With two groups it always holds: both are equally badly off, and vanilla is shifted
    away from the smaller one.

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    q : Tensor, optional
        float64 [features, features], symmetric and positive definite; by default the identity.

    Returns
    -------
    Tensor
        bool [classes]; False for a class with fewer than two groups.

    References
    ----------
    COBRA, Eq. 9 and Theorem 4.1.

    Examples
    --------
    Three groups on a line, in two classes. The group that is worst off under COBRA, the one at 9,
    is the smallest in class 0 and the largest in class 1:

    >>> import torch
    >>> import fddkit as fdd
    >>> points = torch.tensor([[0.0], [1.0], [9.0]], dtype=torch.float64).repeat(2, 1, 1)
    >>> shares = torch.tensor([[0.8, 0.1, 0.1], [0.35, 0.25, 0.4]], dtype=torch.float64)
    >>> stats = fdd.theory.GroupStatistics(points, shares)
    >>> fdd.theory.condition(stats)
    tensor([ True, False])
    >>> found = fdd.theory.worst_case(stats).values
    >>> found["cobra"]  # at most vanilla's where the condition holds
    tensor([5.6667, 5.6667], dtype=torch.float64)
    >>> found["vanilla"]
    tensor([8.0000, 5.1500], dtype=torch.float64)
    """
    plain = mean(stats.points, stats.present)
    shift = weighted_mean(stats) - plain
    delta = stats.points - plain[:, None]
    turned = delta if q is None else delta @ q
    length = (turned * delta).sum(-1).masked_fill(~stats.present, -torch.inf)
    # of several equally bad groups (two groups always are), any one suffices for the proof
    longest = length >= length.amax(1, keepdim=True) * (1 - 1e-9)
    inner = (turned * shift[:, None]).sum(-1)
    return ((inner <= 0) & longest & stats.present).any(1) & (stats.present.sum(1) > 1)


def worst_case(stats: GroupStatistics, tolerance: float = 1e-9) -> Check:
    """Check COBRA's Theorem 4.1: where condition (9) holds, COBRA's worst residual is not larger.

    For the group ``a`` that is worst off under COBRA,
    ``|Delta_a - s|^2 = |Delta_a|^2 - 2 <Delta_a, s> + |s|^2``, which under (9) is at least
    ``|Delta_a|^2``. Where the condition fails, nothing is claimed.

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    tolerance : float
        Relative to vanilla's worst residual.

    Returns
    -------
    Check
        ``values``: ``condition`` (bool [classes]) and the worst residuals of ``vanilla``,
        ``cobra`` and ``minimax`` [classes].
    """
    found = {rule: worst(stats, centre) for rule, centre in aims(stats, _RULES).items()}
    holds = condition(stats)
    excess = (found["cobra"] - found["vanilla"]) / found["vanilla"].clamp(min=1e-300)
    gap = excess[holds].max().item() if holds.any() else 0.0
    return Check(
        f"where condition (9) holds ({int(holds.sum())} of "
        f"{int((stats.present.sum(1) > 1).sum())} classes), COBRA's worst residual is at most "
        "vanilla's (COBRA, Theorem 4.1)",
        gap,
        tolerance,
        {"condition": holds, **found},
    )


def minimax_never_grows(stats: GroupStatistics, tolerance: float = 1e-6) -> Check:
    """Check that no rule has a smaller worst residual than minimax, without any condition.

    Its target is the point with the smallest worst residual of all points, so also of these.

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    tolerance : float
        Relative to the other rule's worst residual.

    Returns
    -------
    Check
        ``values``: the worst residuals of the rules [classes].
    """
    found = {rule: worst(stats, centre) for rule, centre in aims(stats, RULES).items()}
    least = torch.stack([each for rule, each in found.items() if rule != "minimax"]).amin(0)
    excess = (found["minimax"] - least) / least.clamp(min=1e-300)
    some = excess.isfinite()
    gap = excess[some].max().item() if some.any() else 0.0
    return Check("minimax leaves the least worst residual of all rules", gap, tolerance, found)


def survey(named: Mapping[str, Iterable[GroupStatistics]]) -> "pd.DataFrame":
    """Check Theorem 4.1 in every class of many statistics.

    Parameters
    ----------
    named : mapping of str to iterable of GroupStatistics
        For each name, several statistics, e.g. the groups under several random networks.

    Returns
    -------
    pandas.DataFrame
        A row for each class of each of them with at least two groups: ``name``, ``class``,
        ``holds`` (condition (9)), the worst residuals under ``vanilla``, ``cobra`` and ``minimax``,
        ``cobra more`` (than vanilla), ``minimax more`` (than the smaller of the two), ``worst off``
        (the group, under COBRA) and ``majority`` (the largest group).
    """
    import pandas as pd

    tables = []
    for name, several in named.items():
        for stats in several:
            found = worst_case(stats).values
            numbers = {rule: found[rule].numpy() for rule in _RULES}
            lengths = residuals(stats, aims(stats, ["cobra"])["cobra"]).nan_to_num(nan=-1.0)
            table = pd.DataFrame(
                {
                    "name": name,
                    "class": range(len(stats.points)),
                    "holds": found["condition"].numpy(),
                    **numbers,
                    "worst off": lengths.argmax(1).numpy(),
                    "majority": stats.shares.argmax(1).numpy(),
                }
            )
            tables.append(table)
    table = pd.concat(tables, ignore_index=True).dropna()
    least = table[["vanilla", "cobra"]].min(axis=1)
    table["cobra more"] = table.cobra > table.vanilla * (1 + 1e-9)
    table["minimax more"] = table.minimax > least * (1 + 1e-6)
    return table


def amplification(by_gap: Mapping[float, GroupStatistics], brs: list[float]) -> dict[str, Tensor]:
    """Map the worst residual by separation and imbalance: the bias is their product.

    Parameters
    ----------
    by_gap : mapping of float to GroupStatistics
        The groups at each level of separation (GAP, or a semantic offset).
    brs : list of float
        Bias ratios: the share of the largest group of each class.

    Returns
    -------
    dict of str to Tensor
        ``vanilla`` and ``cobra``: float64 [levels, ratios], the mean over classes of the worst
        residual.
    """
    maps = {"vanilla": [], "cobra": []}
    for stats in by_gap.values():
        for br in brs:
            found = aims(stats.at(br), maps)
            for name, row in maps.items():
                row.append(worst(stats, found[name]).nanmean())
    shape = (len(by_gap), len(brs))
    return {name: torch.stack(row).view(shape) for name, row in maps.items()}
