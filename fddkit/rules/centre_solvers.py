"""Centres of groups that need a solver: for norms that are not squared, and for the worst distance.

Problems that depend only on distances between groups are solved in at most as many dimensions as
groups, in float64 on the CPU. Arguments and results are described in `fddkit.rules.barycentres`.
"""

import torch
from torch import Tensor

from ..core.errors import FddkitError
from .centre_formulas import mean


@torch.no_grad()
def l2(points: Tensor, present: Tensor) -> Tensor:
    """Return the barycentre under the Euclidean distance (not squared): the geometric median.

    Each group is first tested for being the median itself (Vardi and Zhang, PNAS 2000); if two are
    (an even number of groups on a line), it is the midpoint of the two. Otherwise the better of a
    Newton and a Weiszfeld step is taken until the gradient is below 1e-11.

    Takes and returns what `mean` of `fddkit.rules.centre_formulas` does.
    """
    origin, at = _coordinates(points, present)
    here = present.cpu().double()
    apart = at[:, None] - at[:, :, None]  # [classes, from, to, dimensions]
    distance = apart.norm(dim=-1)
    same = distance < 1e-12
    copies = (same * here[:, None]).sum(2)
    inverse = (here[:, None] / distance).masked_fill(same, 0)
    pull = (inverse[..., None] * apart).sum(2)
    surplus = pull.norm(dim=-1) - copies
    # a surplus costs at most itself times the distance to the median
    weights = ((surplus < 1e-11) & present.cpu()) / copies.clamp(min=1)
    rest = (weights.sum(1) == 0).nonzero().squeeze(1)
    rest = rest[here[rest].any(1)]
    if len(rest):
        # downhill from the best group: a descent from there never meets a group again
        costs = (distance * here[:, None]).sum(2).masked_fill(~present.cpu(), torch.inf)[rest]
        best = (rest, costs.argmin(1))
        step = surplus[best] / inverse[best].sum(-1) / pull[best].norm(dim=-1)
        weights[rest] = _descend(at[rest], here[rest], at[best] + step[:, None] * pull[best])
    return _combine(points, origin, weights / weights.sum(1, keepdim=True).clamp(min=1e-300))


def _descend(at: Tensor, here: Tensor, centre: Tensor) -> Tensor:
    """Return the weights [classes, groups] of a geometric median that is not itself a group."""
    fractions = torch.tensor([0.0, 1.0, 0.5, 0.25, 0.0625], dtype=at.dtype)[:, None, None]
    for _ in range(100):
        away = centre[:, None] - at
        distance = away.norm(dim=-1).clamp(min=1e-150)
        inverse = here / distance
        total = inverse.sum(1)
        gradient = (inverse[..., None] * away).sum(1)
        if (gradient.norm(dim=-1) < 1e-11).all():
            break
        scaled = (inverse / distance**2)[..., None] * away
        curved = torch.diag_embed((total * (1 + 1e-13))[:, None].expand(centre.shape))
        newton = torch.linalg.solve(curved - scaled.mT @ away, gradient)
        tries = centre - fractions * newton
        tries = torch.cat([tries, (centre - gradient / total[:, None])[None]])
        costs = ((tries[:, :, None] - at).norm(dim=-1) * here).sum(-1)
        best = costs.nan_to_num(nan=torch.inf).argmin(0)
        if not best.any():
            break
        centre = tries[best, torch.arange(len(at))]
    return inverse / total[:, None]


@torch.no_grad()
def linf(points: Tensor, present: Tensor) -> Tensor:
    """Return a barycentre under the largest absolute difference.

    Boxes intersect if every two of them do, so the best radii of boxes around the groups solve
    ``min sum r[a]`` with ``r[a] + r[b] >= |Phi[a] - Phi[b]|``, and every point in all the boxes is
    a barycentre. Among the solutions, this takes radii whose largest is smallest, and the middle
    of the intersection: two groups give their midpoint. More than two may still leave a choice.

    Takes and returns what `mean` of `fddkit.rules.centre_formulas` does.

    Raises
    ------
    FddkitError
        If a statistic is not finite.
    """
    if not points.isfinite().all():
        raise FddkitError("the barycentre under l-infinity needs finite statistics")
    distance = torch.cdist(points, points, p=torch.inf).double().cpu()
    pairs = (present[:, None] & present[:, :, None]).cpu()
    distance = distance.where(pairs, 0)
    scale = distance.amax((1, 2)).clamp(min=torch.finfo(torch.float64).tiny)
    radii = _radii(distance / scale[:, None, None]) * scale[:, None]
    radii = radii.to(points).masked_fill(~present, torch.inf)[..., None]
    low, high = -torch.inf, torch.inf
    for group in range(points.shape[1]):
        low = (points[:, group] - radii[:, group]).clamp(min=low)
        high = (points[:, group] + radii[:, group]).clamp(max=high)
    return (low / 2 + high / 2).where(present.any(1)[:, None], 0)


def _radii(distance: Tensor) -> Tensor:
    """Return the radii [classes, groups], all classes in one linear programme."""
    try:
        from scipy import sparse
        from scipy.optimize import linprog
    except ImportError as error:
        raise FddkitError(
            f"the barycentre under l-infinity needs scipy ({error}); run `pip install scipy`"
        ) from error

    classes, groups = distance.shape[:2]
    first, second = torch.triu_indices(groups, groups, 1)
    if not len(first) or not classes:
        return distance.new_zeros(classes, groups)
    row = torch.eye(groups, dtype=distance.dtype)
    meet = sparse.kron(sparse.eye_array(classes), -(row[first] + row[second]).numpy())
    apart = -distance[:, first, second].flatten().numpy()
    total = sparse.kron(sparse.eye_array(classes), torch.ones(1, groups).numpy())

    def solve(cost: Tensor, matrix, bound):
        tight = {"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10}
        solved = linprog(cost.numpy(), matrix.tocsr(), bound, method="highs-ds", options=tight)
        if solved.x is None:
            raise FddkitError(f"no barycentre under l-infinity was found: {solved.message}")
        return solved.x[: classes * groups]

    cheapest = solve(torch.ones(classes * groups), meet, apart)
    largest = -sparse.kron(sparse.eye_array(classes), torch.ones(groups, 1).numpy())
    matrix = sparse.block_array(
        [[meet, None], [total, None], [sparse.eye_array(classes * groups), largest]]
    )
    bound = [*apart, *(total @ cheapest + 1e-12), *[0.0] * (classes * groups)]
    cost = torch.cat([torch.zeros(classes * groups), torch.ones(classes)])
    return torch.as_tensor(solve(cost, matrix, bound)).view(classes, groups)


@torch.no_grad()
def minimax(points: Tensor, present: Tensor) -> Tensor:
    """Return the centre of the smallest ball around the groups: it minimises the worst distance.

    The dual is a quadratic programme over the weights of the groups; a predictor-corrector
    interior-point method (Mehrotra, SIAM J. Optim. 1992) solves it to a relative gap of 1e-13.

    Takes and returns what `mean` of `fddkit.rules.centre_formulas` does.
    """
    # an absent group is at zero here, that is at the mean, which is inside the ball anyway
    origin, at = _coordinates(points, present)
    gram = 2 * at @ at.mT
    weights = at.new_full(at.shape[:2], 1 / at.shape[1])
    squared = (at - weights[:, None] @ at).square().sum(-1)
    slack = squared.amax(1, keepdim=True) + 0.1 - squared
    for _ in range(60):
        gap = (weights * slack).mean(1, keepdim=True)
        going = gap > 1e-16
        if not going.any():
            break
        diagonal = slack / weights
        factors = torch.linalg.lu_factor(gram + torch.diag_embed(diagonal.clamp(min=1e-15)))

        def move(target: Tensor, weights=weights, slack=slack, diagonal=diagonal, lu=factors):
            right = torch.stack([target / weights - slack, torch.ones_like(weights)], -1)
            first, second = torch.linalg.lu_solve(*lu, right).unbind(-1)
            change = first - first.sum(1, keepdim=True) / second.sum(1, keepdim=True) * second
            other = target / weights - slack - diagonal * change
            ratio = torch.cat([change / weights, other / slack], 1).amin(1, keepdim=True)
            return change, other, 1 / (-ratio).clamp(min=1)

        change, other, length = move(torch.zeros_like(weights))
        ahead = ((weights + length * change) * (slack + length * other)).mean(1, keepdim=True)
        change, other, length = move((ahead / gap) ** 3 * gap - change * other)
        length = 0.995 * length * going
        weights, slack = weights + length * change, slack + length * other
    return _combine(points, origin, weights * present.cpu())


def _coordinates(points: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the groups around it, rotated into few dimensions and scaled to one.

    The triangular factor keeps the inner products without squaring, so that groups close together
    stay distinct. float64 [classes, groups, dimensions], on the CPU; zero where absent.
    """
    origin = mean(points, present)
    turned = []  # one class at a time: all of them in float64 could fill the memory
    for group, centre, here in zip(points, origin, present, strict=True):
        around = (group.double() - centre.double()) * here[:, None]
        turned.append(torch.linalg.qr(around.mT, mode="r").R.mT.cpu())
    at = torch.stack(turned)
    size = at.norm(dim=-1).amax(1)
    return origin, at / size.masked_fill(size == 0, 1)[:, None, None]


def _combine(points: Tensor, origin: Tensor, weights: Tensor) -> Tensor:
    """Return ``origin + sum_a weights[a] * (points[a] - origin)``, rounded once at the end."""
    centres = [
        centre.double() + weight @ (group.double() - centre.double())
        for group, centre, weight in zip(points, origin, weights.to(points.device), strict=True)
    ]
    return torch.stack(centres).to(points.dtype)
