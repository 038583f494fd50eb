"""The barycentre of groups under a user-defined distance, by L-BFGS as in COBRA."""

from collections.abc import Callable

import torch
from torch import Tensor

from ..core.errors import FddkitError
from .barycentres import mean


@torch.no_grad()
def barycentre(
    points: Tensor,
    present: Tensor,
    distance: Callable[[Tensor, Tensor], Tensor],
    *,
    tolerance: float = 1e-9,
) -> Tensor:
    """Return the barycentre under any convex distance, by L-BFGS from the mean as in COBRA.

    If the best centre is a kink of the cost, as a group can be for a norm that is not squared, the
    result is only close to it; the solvers in `fddkit.rules.barycentres` do not have this weakness.

    Parameters
    ----------
    points, present : Tensor
        As for `mean`.
    distance : callable
        Takes float64 points [classes, groups, features] and centres [classes, 1, features] and
        returns the distances [classes, groups], differentiable with respect to the centres.
    tolerance : float
        Stop where no derivative is larger, after the class's cost and spread are scaled to one.

    Returns
    -------
    Tensor
        [classes, features].

    Raises
    ------
    FddkitError
        If the cost or its derivative is not finite.

    References
    ----------
    COBRA (Moslemi et al. 2026), Eq. 7-9.

    Examples
    --------
    >>> points = torch.tensor([[[0.0, 0.0], [4.0, 2.0]]])  # one class, two groups
    >>> present = torch.ones(1, 2, dtype=torch.bool)
    >>> barycentre(points, present, lambda p, centre: (p - centre).square().sum(-1))
    tensor([[2., 1.]])
    """
    if not present.any():
        return torch.zeros_like(points[:, 0])
    origin = mean(points, present).double()
    # absent cells borrow a group, so that the distance is never evaluated at an absent one
    filled = points.double()
    some = present.any(1).byte().argmax()
    lender = torch.where(present.any(1), torch.arange(len(points), device=points.device), some)
    spare = filled[lender, present[lender].byte().argmax(1)]
    filled = torch.where(present[..., None], filled, spare[:, None])
    origin = torch.where(present.any(1)[:, None], origin, spare)
    spread = ((filled - origin[:, None]) * present[..., None]).square().sum((1, 2))
    spread = (spread / present.sum(1).clamp(min=1)).sqrt()[:, None]
    centre = origin.clone()
    for row in (
        present.any(1).nonzero().flatten().tolist()
    ):  # a kink in one class must not stop the others
        centre[row] = _solve(filled, present, distance, tolerance, origin, spread[row], row)
    return centre.where(present.any(1)[:, None], 0).to(points.dtype)


@torch.enable_grad()
def _solve(points, present, distance, tolerance, origin, spread, row) -> Tensor:
    """Return the barycentre [features] of one class, solved in units of its spread and cost."""
    shift = torch.zeros_like(origin[row], requires_grad=True)
    solver = torch.optim.LBFGS(
        [shift],
        max_iter=1000,
        history_size=20,
        tolerance_grad=tolerance,
        tolerance_change=1e-15,
        line_search_fn="strong_wolfe",
    )

    def cost() -> Tensor:
        centre = origin.index_put((torch.tensor(row),), origin[row] + spread * shift)
        return distance(points, centre[:, None])[row, present[row]].sum()

    unit = cost().detach()
    unit = unit if unit > 0 else 1

    def closure() -> Tensor:
        solver.zero_grad()
        loss = cost() / unit
        loss.backward()
        if not (loss.isfinite() and shift.grad.isfinite().all()):
            raise FddkitError(
                "the distance or its derivative is not finite on the way to the barycentre; "
                "it must be differentiable, even where the centre meets a group"
            )
        return loss

    solver.step(closure)
    return (origin[row] + spread * shift).detach()
