"""One image per class, optimised through one network: how near it gets to what is proved."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..data.distilled import DistilledSet
from ..distillers.registry import find
from ..rules.barycentres import mean
from ..rules.rules import RULES
from ..rules.targets import segments, targets
from .optima import weighted_mean
from .signal import GroupStatistics, Signal


@dataclass(frozen=True, eq=False)
class Reach:
    """Where the optimisation of one image per class went.

    Attributes
    ----------
    images : DistilledSet
        The images at the end.
    start : DistilledSet
        And at the beginning.
    to_weighted, to_mean : Tensor
        float64 [steps + 1, classes]: the distance of the images' statistic to the groups' mean
        weighted by shares, and to their plain mean; relative to the distance between these two.
    """

    images: DistilledSet
    start: DistilledSet
    to_weighted: Tensor
    to_mean: Tensor


def reach(
    signal: Signal,
    fairness: str = "vanilla",
    steps: int = 300,
    lr: float = 0.05,
    stats: GroupStatistics | None = None,
) -> Reach:
    """Optimise one image of each class in the signal of one network (FairDD, Eq. 4-8, IPC 1).

    The theorems speak of the statistic as if it could be chosen freely. An image has fewer
    degrees of freedom than features, so what is reached is only the nearest that images can do.
    Nor do they speak of CAFE's discrimination loss: the distance to the targets alone is made
    small.

    Parameters
    ----------
    signal : Signal
        The distiller's signal, under the network that stays the same for all steps.
    fairness : str
        One of `fddkit.rules.rules.RULES`, but for those that weigh single images, as ``kde`` does.
    steps : int
        Of Adam.
    lr : float
        Its step size, in normalised units.
    stats : GroupStatistics, optional
        `Signal.groups` of the signal, where it has been measured already.

    Returns
    -------
    Reach

    Raises
    ------
    FddkitError
        For an unknown rule, or one that weighs single images.
    """
    find(signal.method, fairness)
    if not RULES[fairness].of_groups:
        raise FddkitError(
            f"{fairness} weighs single images, and the theorems speak of groups; take another rule"
        )
    matching, classes = signal.matching, signal.train.n_classes
    stats = signal.groups() if stats is None else stats
    weighted, plain = weighted_mean(stats), mean(stats.points, stats.present)
    between = (weighted - plain).norm(dim=-1).clamp(min=1e-12)
    # every image of the set, so that what is aimed at is the target of the theorem
    whole = matching.sampler.batch(torch.arange(len(signal.train)))
    asked = segments(RULES[fairness], whole)
    # a weighted sum of the groups' statistics instead of the images': it is the same
    cells = stats.points.flatten(0, 1)
    share = torch.zeros(asked.n, len(cells), dtype=torch.float64)
    share.index_put_((asked.segment, whole.cell), asked.weight, accumulate=True)
    goal = targets(RULES[fairness], share @ cells, whole)
    goal = type(goal)(*(part.float().to(matching.device) for part in goal))
    start = matching.start()
    images = start.images.clone().to(matching.device).requires_grad_()
    solver, path = torch.optim.Adam([images], lr), []
    for step in range(steps + 1):
        seen, labels = matching.show(images, 0, [], step)
        found = matching.synthetic(signal.net, seen, labels.to(matching.device), classes)
        path.append(found.detach().double().cpu())
        if step < steps:
            solver.zero_grad()
            loss = matching.mismatch(signal.net, goal, found)
            images.grad = torch.autograd.grad(loss, images)[0]
            solver.step()
    path = torch.stack(path)
    return Reach(
        replace(start, images=images.detach().cpu()),
        start,
        (path - weighted).norm(dim=-1) / between,
        (path - plain).norm(dim=-1) / between,
    )
