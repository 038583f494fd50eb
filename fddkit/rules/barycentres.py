"""The centre of a class's groups under every distance that COBRA could be given.

COBRA replaces the groups of a class by their barycentre, ``argmin over m of sum_a d(Phi[a], m)``
(Eq. 7-9), over the groups present and with equal weights. One function per distance returns it for
all classes at once. `minimax` is not in the paper: it minimises the distance of the worst group.

All take ``points``, float [classes, groups, features], and ``present``, bool [classes, groups],
and return [classes, features] in the dtype of the points, without gradients. A class with one
group returns its point, a class with none zeros.
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
