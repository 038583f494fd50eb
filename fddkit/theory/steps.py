"""FairDD and COBRA as one method: they differ only in the step size."""

from dataclasses import dataclass

import torch

from ..core.errors import FddkitError
from ..data.grouped import GroupedDataset
from ..data.imperfect import require_groups
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
        A, the number of groups of every class in the batch.
    factor : float
        The best-fitting multiple.
    residual : float
        Norm of the remainder, relative to FairDD's gradient.
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
    """Compare the gradients of FairDD and COBRA in the same step.

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
        Seed of the step.
    preset : str
        Hyper-parameters; the batch is the whole of each class, so that no group is absent.
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
        If classes differ in their number of groups, because then no single factor fits.

    References
    ----------
    FairDD, Eq. 7; COBRA, Eq. 7-9; ``docs/methods.md``, "Rules" ("What follows").

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> found = fdd.theory.collinearity(train, ipc=1, preset="smoke")
    >>> found.groups, round(found.factor, 6), found.residual < 1e-9
    (10, 10.0, True)
    """
    require_groups(train, "the rule 'cobra'")
    present = (train.counts() > 0).sum(1)
    if (present != present[0]).any():
        raise FddkitError(
            f"the classes of {train.name} have {int(present.min())} to {int(present.max())} "
            "groups, so no single factor fits them all; choose a lower br"
        )
    size = int(train.counts().sum(1).max())
    chosen = settings(preset, **{"batch": size, **overrides}).resolve(ipc, train)
    matching = DM(train, ipc, chosen, seed, dtype=dtype)
    images = initial(train, ipc, seed).images.to(dtype)
    fairdd, cobra = (matching.gradient(images, RULES[r], 0)[1] for r in ("fairdd", "cobra"))
    factor = (fairdd * cobra).sum() / (cobra * cobra).sum()
    residual = (fairdd - factor * cobra).norm() / fairdd.norm()
    return Collinearity(int(present[0]), factor.item(), residual.item())
