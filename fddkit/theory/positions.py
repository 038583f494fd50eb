"""Where the groups of a class lie, and how far from the target of each rule.

The residual of a group is ``Delta[y, a] = Phi[y, a] - m[y]``: its statistic minus the target of a
rule, or minus the statistic of the synthetic images.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from ..rules.rules import RULES, drawn
from ..rules.targets import Rule, aimed
from .signal import GroupStatistics


def aims(stats: GroupStatistics, rules: Iterable[str] | None = None) -> dict[str, Tensor]:
    """Return the point to which each rule draws a class, under squared error.

    Parameters
    ----------
    stats : GroupStatistics
        The groups and their shares.
    rules : iterable of str, optional
        Names from `fddkit.rules.rules.RULES`; by default those that figures show by default.
        Rules that weight single images (``kde``) have no such point and are left out.

    Returns
    -------
    dict of str to Tensor
        float64 [classes, features]: for ``vanilla`` the mean weighted by shares, for both
        ``fairdd`` and ``cobra`` the plain mean (FairDD's Theorem 4.1), and so on.

    Raises
    ------
    FddkitError
        For an unknown rule.

    Examples
    --------
    One class with a large group at 0 and a small one at 10:

    >>> import torch
    >>> import fddkit as fdd
    >>> points = torch.tensor([[[0.0], [10.0]]], dtype=torch.float64)
    >>> shares = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    >>> stats = fdd.theory.GroupStatistics(points, shares)
    >>> found = fdd.theory.aims(stats, ["vanilla", "fairdd", "cobra"])
    >>> {rule: centre.item() for rule, centre in found.items()}
    {'vanilla': 1.0, 'fairdd': 5.0, 'cobra': 5.0}
    """
    names = drawn() if rules is None else list(rules)
    return {
        name: aimed(RULES[name], stats.points, stats.shares)
        for name in names
        if RULES[name].of_groups
    }


class Together(NamedTuple):
    """Rules that draw a class to the same point.

    Attributes
    ----------
    names : tuple of str
        Their names, in the order of `fddkit.rules.rules.RULES`.
    centre : Tensor
        float64 [classes, features].
    """

    names: tuple[str, ...]
    centre: Tensor

    @property
    def rule(self) -> Rule:
        """The rule whose colour and mark they share."""
        return RULES[self.names[-1]]

    @property
    def label(self) -> str:
        """Their names."""
        return ", ".join(self.names)


def together(stats: GroupStatistics, centres: Mapping[str, Tensor], y: int) -> list[Together]:
    """Return the targets of a class, merging those that coincide.

    Parameters
    ----------
    stats : GroupStatistics
        The groups, whose spread determines what coincides.
    centres : mapping of str to Tensor
        As returned by `aims`.
    y : int
        The class.

    Returns
    -------
    list of Together
    """
    middle = stats.points[y, stats.present[y]].mean(0)
    scale = (stats.points[y, stats.present[y]] - middle).norm(dim=-1).max().clamp(min=1e-300)
    found: list[Together] = []
    for name, centre in centres.items():
        for i, other in enumerate(found):
            if (other.centre[y] - centre[y]).norm() <= 1e-9 * scale:
                found[i] = Together((*other.names, name), other.centre)
                break
        else:
            found.append(Together((name,), centre))
    return found


def residuals(stats: GroupStatistics, centre: Tensor) -> Tensor:
    """Return the length of each group's residual, ``|Phi[y, a] - m[y]|``.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    centre : Tensor
        float64 [classes, features], a target or the statistic of synthetic images.

    Returns
    -------
    Tensor
        float64 [classes, groups]; NaN where the group is absent.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> points = torch.tensor([[[0.0], [10.0]]], dtype=torch.float64)
    >>> shares = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    >>> stats = fdd.theory.GroupStatistics(points, shares)
    >>> fdd.theory.residuals(stats, fdd.theory.weighted_mean(stats))
    tensor([[1., 9.]], dtype=torch.float64)
    """
    lengths = (stats.points - centre[:, None]).norm(dim=-1)
    return lengths.masked_fill(~stats.present, torch.nan)


def plane(stats: GroupStatistics, y: int) -> tuple[Tensor, Tensor]:
    """Return the plane in which the groups of a class vary most.

    Parameters
    ----------
    stats : GroupStatistics
        The groups.
    y : int
        The class.

    Returns
    -------
    middle : Tensor
        float64 [features], the mean of the groups.
    axes : Tensor
        float64 [2, features]: the position of ``p`` in the plane is ``axes @ (p - middle)``. An
        axis without variation (with fewer than three groups) is zero.
    """
    points = stats.points[y, stats.present[y]]
    middle = points.mean(0)
    axes = torch.linalg.svd(points - middle, full_matrices=False).Vh[: min(2, len(points) - 1)]
    axes = torch.cat([axes, axes.new_zeros(2 - len(axes), axes.shape[1])])
    # the sign of a singular vector is arbitrary; fixed, so that the picture does not flip
    strongest = axes.gather(1, axes.abs().argmax(1, keepdim=True))
    return middle, axes * torch.where(strongest < 0, -1.0, 1.0)


def worst(stats: GroupStatistics, centre: Tensor) -> Tensor:
    """Return the largest residual of each class.

    Parameters
    ----------
    stats, centre
        As for `residuals`.

    Returns
    -------
    Tensor
        float64 [classes]; NaN for a class with fewer than two groups.

    References
    ----------
    COBRA, Theorem 4.1 and appendix G.2.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> points = torch.tensor([[[0.0], [10.0]]], dtype=torch.float64)
    >>> shares = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    >>> stats = fdd.theory.GroupStatistics(points, shares)
    >>> found = fdd.theory.aims(stats, ["vanilla", "cobra"])
    >>> {rule: fdd.theory.worst(stats, centre).item() for rule, centre in found.items()}
    {'vanilla': 9.0, 'cobra': 5.0}
    """
    found = residuals(stats, centre).nan_to_num(nan=-torch.inf).amax(1)
    return found.masked_fill(stats.present.sum(1) < 2, torch.nan)  # COBRA, appendix G.2
