"""FairDD and COBRA as one method: what is left of their difference is the step."""

from dataclasses import dataclass

import torch

from ..core.errors import FddkitError
from ..data.grouped import GroupedDataset
from ..distillers.dm import DM
from ..distillers.registry import settings
from ..distillers.start import initial
from ..rules.rules import RULES


@dataclass(frozen=True)
class Collinearity:
    """Whether FairDD's gradient is a multiple of COBRA's.

    Attributes
    ----------
    groups : int
        A, the groups that every class has in the batch.
    factor : float
        The multiple that fits best.
    residual : float
        Norm of what it leaves, relative to FairDD's gradient.
    """

    groups: int
    factor: float
    residual: float


def collinearity(
    train: GroupedDataset,
    ipc: int = 10,
    seed: int = 0,
    preset: str = "quick",
    dtype: torch.dtype = torch.float64,
    **overrides: object,
) -> Collinearity:
    """Compare the gradients of FairDD and COBRA on one and the same step.

    Under squared error the gradient of ``sum_a |Phi_a - S|^2`` is
    ``-2 sum_a (Phi_a - S) = -2 A (mean_a Phi_a - S)``, which is A times that of
    ``|mean_a Phi_a - S|^2``.

    Parameters
    ----------
    train : GroupedDataset
        A set in which every class has the same number of groups.
    ipc : int
        Images per class.
    seed : int
        Of the step.
    preset : str
        Hyper-parameters; the batch is all of each class, so that no group is absent.
    dtype : torch.dtype
        Precision of the step.
    **overrides
        Fields of `fddkit.distillers.settings.Settings`.

    Returns
    -------
    Collinearity

    Raises
    ------
    FddkitError
        If classes differ in the number of groups they have, for then no one factor fits.
    """
    present = (train.counts() > 0).sum(1)
    if (present != present[0]).any():
        raise FddkitError(
            f"the classes of {train.name} have {int(present.min())} to {int(present.max())} "
            "groups, so no one factor fits them all; choose a lower br"
        )
    size = int(train.counts().sum(1).max())
    chosen = settings(preset, **{"batch": size, **overrides}).resolve(ipc, train)
    matching = DM(train, ipc, chosen, seed, dtype=dtype)
    images = initial(train, ipc, seed).images.to(dtype)
    fairdd, cobra = (matching.gradient(images, RULES[r], 0)[1] for r in ("fairdd", "cobra"))
    factor = (fairdd * cobra).sum() / (cobra * cobra).sum()
    residual = (fairdd - factor * cobra).norm() / fairdd.norm()
    return Collinearity(int(present[0]), factor.item(), residual.item())
