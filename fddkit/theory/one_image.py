"""One image per class, optimised through one network: how close it gets to the theorems."""

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
    """The result of optimising one image per class.

    Attributes
    ----------
    images : DistilledSet
        The final images.
    start : DistilledSet
        The initial images.
    to_weighted, to_mean : Tensor
        float64 [steps + 1, classes]: the distance of the images' statistic from the groups' mean
        weighted by shares, and from their plain mean; relative to the distance between these two.
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

    The theorems treat the statistic as if it could be chosen freely. An image has fewer degrees
    of freedom than there are features, so only the closest attainable statistic is reached. CAFE's
    discrimination loss, which the theorems do not cover, is left out: only the distance to the
    targets is minimised.

    Parameters
    ----------
    signal : Signal
        The distiller's signal, under a network that stays the same for all steps.
    fairness : str
        One of `fddkit.rules.rules.RULES`, except those that weight single images, such as ``kde``.
    steps : int
        Steps of Adam.
    lr : float
        Step size of Adam, in normalised units.
    stats : GroupStatistics, optional
        `Signal.groups` of the signal, if it has been computed already.

    Returns
    -------
    Reach

    Raises
    ------
    FddkitError
        For an unknown rule, or one that weights single images.
    """
    find(signal.method, fairness)
    if not RULES[fairness].of_groups:
        raise FddkitError(
            f"{fairness} weights single images, but the theorems are about groups; use another rule"
        )
    matching, classes = signal.matching, signal.train.n_classes
    stats = signal.groups() if stats is None else stats
    weighted, plain = weighted_mean(stats), mean(stats.points, stats.present)
    between = (weighted - plain).norm(dim=-1).clamp(min=1e-12)
    # all images of the set, so that the aim is the target of the theorem
    whole = matching.sampler.batch(torch.arange(len(signal.train)))
    asked = segments(RULES[fairness], whole)
    # a weighted sum of the groups' statistics equals that of the images'
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
