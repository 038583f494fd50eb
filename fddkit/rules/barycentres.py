"""The centre of a class's groups under every distance that COBRA could use.

COBRA replaces the groups of a class by their barycentre, ``argmin over m of sum_a d(Phi[a], m)``
(Eq. 7-9), over the groups present and with equal weights. One function per distance computes it for
all classes at once. `minimax` is not in the paper: it minimises the distance to the worst group.

All take ``points``, float [classes, groups, features], and ``present``, bool [classes, groups],
and return [classes, features] in the dtype of the points, without gradients. A class with one
group returns its point, a class with none zeros.

References
----------
COBRA (Moslemi et al. 2026), Eq. 7-9; `docs/methods.md`, "Rules".

Examples
--------
>>> import torch
>>> points = torch.tensor([[[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]]])  # one class, three groups
>>> present = torch.ones(1, 3, dtype=torch.bool)
>>> {name: CENTRES[name](points, present).tolist() for name in ("mean", "l1", "linf")}
{'mean': [[1.0, 1.0]], 'l1': [[1.0, 0.0]], 'linf': [[1.0, 1.0]]}
"""

from collections.abc import Callable

from torch import Tensor

from .centre_formulas import cosine, huber, l1, mean
from .centre_solvers import l2, linf, minimax

#: Name of the distance -> its centre.
CENTRES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mean": mean,
    "l1": l1,
    "l2": l2,
    "linf": linf,
    "cosine": cosine,
    "huber": huber,
    "minimax": minimax,
}
