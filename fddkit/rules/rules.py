"""The built-in fairness rules, by name."""

from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor

from ..core.entries import Table
from ..core.errors import FddkitError
from ..data.sampling import Batch
from .barycentres import CENTRES
from .kde import prepare
from .targets import Rule, Targets, aim_at

#: For registered rules without their own; different from those of the built-in rules.
_SPARE_COLOURS = ("#882255", "#AA4499", "#661100", "#6699CC", "#BBBB00", "#4477AA")
_SPARE_MARKS = ("H", "d", "o")


# --- linear rules: the weight of each image --------------------------------------------------


def _vanilla(batch: Batch) -> Tensor:
    # every group is weighted by its frequency: the optimum is sum_a share[a] * Phi[a]
    # (FairDD, Eq. 4-6), which is how the majority dominates
    return _spread(batch.frequency, batch)


def _cobra(batch: Batch) -> Tensor:
    # the plain mean of the groups present (COBRA, Eq. 7-9): it minimises the sum of squared
    # distances to them, in any Q-norm
    present = (batch.counts > 0).double()
    return _spread(present / present.sum(1, keepdim=True).clamp(min=1), batch)


def _kde(batch: Batch) -> Tensor:
    # like vanilla, but images in sparse regions weigh more; the frequency compensates for
    # sampling by group
    log = batch.log_weights + _spread(batch.frequency, batch).log()
    most = torch.full((len(batch.counts),), -torch.inf, dtype=log.dtype)
    most = most.scatter_reduce(0, batch.target, log, "amax")
    weight = (log - most[batch.target]).exp()
    total = torch.zeros_like(most).index_add(0, batch.target, weight)
    return weight / total[batch.target]


def _spread(shares: Tensor, batch: Batch) -> Tensor:
    """Return the weight of each image if each cell's share is spread over its images."""
    return (shares / batch.counts.clamp(min=1)).flatten()[batch.cell]


# --- rules by group: targets from the groups' statistics -------------------------------------


def _fairdd(means: Tensor, batch: Batch) -> Targets:
    # the sum over groups is not divided by their number, as in the official code: under squared
    # error the gradient is cobra's times the number of groups present
    return Targets(means, (batch.counts > 0).to(means))


def _inverse(means: Tensor, batch: Batch, total_one: bool) -> Targets:
    # 1 / frequency, scaled to a mean of one over the groups present (or a sum of one): the
    # paper does not give a scale, and this one matches fairdd
    inverse = torch.where(batch.counts > 0, 1 / batch.frequency.clamp(min=1e-12), 0)
    weights = inverse / inverse.sum(1, keepdim=True).clamp(min=1e-12)
    if not total_one:
        weights = weights * (batch.counts > 0).sum(1, keepdim=True)
    return Targets(means, weights.to(means))


def _is_rule(entry: object) -> bool:
    return isinstance(entry, Rule)


def _adopt(name: str, rule: Rule) -> Rule:
    """Check a rule that is being registered, and give it a colour and a mark."""
    if (rule.weigh is None) == (rule.aim is None):
        raise FddkitError(f"the rule {name!r} has both weigh and aim, or neither; give one of them")
    others = [RULES[other] for other in RULES.own if other != name]
    colours = [c for c in _SPARE_COLOURS if c not in {other.colour for other in others}]
    marks = [m for m in _SPARE_MARKS if m not in {other.mark for other in others}]
    return replace(
        rule,
        colour=rule.colour or (colours or _SPARE_COLOURS)[0],
        mark=rule.mark or (marks or _SPARE_MARKS)[0],
    )


def _barycentre(title: str, name: str, **facts: Any) -> Rule:
    return Rule(title, aim=aim_at(CENTRES[name]), **facts)


_BUILT_IN = {
    "vanilla": Rule(
        "the mean of the class, as it is (no fairness)",
        weigh=_vanilla,
        mean_of="images",
        needs_groups=False,
        repairs=False,
        colour="#D55E00",
        mark="X",
    ),
    "fairdd": Rule(
        "every group at once, each with weight one (FairDD, Eq. 7)",
        aim=_fairdd,
        colour="#0072B2",
        mark="s",
    ),
    "fairdd-inverse": Rule(
        "every group, weights inverse to its size (FairDD, appendix E)",
        aim=partial(_inverse, total_one=False),
        drawn=False,
        colour="#332288",
        mark="8",
    ),
    "cobra": Rule(
        "the groups' barycentre, squared Q-norm: their mean (COBRA)",
        weigh=_cobra,
        mean_of="groups",
        colour="#009E73",
        mark="P",
    ),
    "cobra-l1": _barycentre(
        "barycentre under l1: coordinate-wise median", "l1", drawn=False, colour="#117733", mark="<"
    ),
    "cobra-l2": _barycentre(
        "barycentre under l2: geometric median", "l2", drawn=False, colour="#44AA99", mark=">"
    ),
    "cobra-linf": _barycentre(
        "barycentre under the max-norm", "linf", drawn=False, colour="#88CCEE", mark="^"
    ),
    "cobra-cosine": _barycentre(
        "barycentre under the cosine distance", "cosine", drawn=False, colour="#999933", mark="v"
    ),
    "cobra-huber": _barycentre(
        "barycentre under Huber's loss", "huber", drawn=False, colour="#DDCC77", mark="*"
    ),
    "minimax": _barycentre(
        "centre of the smallest ball round the groups",
        "minimax",
        hollow=True,
        colour="#CC79A7",
        mark="D",
    ),
    "kde": Rule(
        "images weighted by 1 / density; needs no group labels (KDE)",
        weigh=_kde,
        prepare=prepare,
        needs_groups=False,
        drawn=False,
        colour="#E69F00",
        mark="h",
    ),
    "df": Rule(
        "groups' losses weighted by inverse frequency, summing to one (COBRA, appendix N: DF)",
        aim=partial(_inverse, total_one=True),
        drawn=False,
        colour="#56B4E9",
        mark="p",
    ),
}
#: Name -> rule, in the order in which tables list them.
RULES: Table[Rule] = Table("fairness rule", _is_rule, _BUILT_IN, _adopt)


def drawn(*also: str) -> list[str]:
    """Return the rules that figures of targets show by default, and others.

    Parameters
    ----------
    *also : str
        Names of further rules to show.

    Returns
    -------
    list of str
        In the order of `RULES`.

    Examples
    --------
    >>> "cobra-l1" in drawn(), "cobra-l1" in drawn("cobra-l1")
    (False, True)
    """
    return [name for name, rule in RULES.items() if rule.drawn or name in also]
