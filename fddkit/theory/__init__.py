"""What the papers prove, checked on data in code that reads like the statement.

Checks take the groups' statistics in the signal of any distiller (`Signal.groups`) and return a
`Check`: the arrays that were compared, and whether the statement held.
"""

from .bounds import counterexample, upper_bound
from .check import Check
from .geometry import (
    amplification,
    condition,
    minimax_never_grows,
    residual_bound,
    survey,
    worst_case,
)
from .largest_residuals import (
    MaxRes,
    MaxResOfSet,
    maxres,
    maxres_of_set,
    maxres_of_targets,
)
from .one_image import Reach, reach
from .optima import (
    cosine_leaves_length,
    cosine_optimum,
    fairdd_optimum,
    median_optimum,
    squared_norm_barycentre,
    vanilla_optimum,
    weighted_mean,
)
from .positions import Together, aims, plane, residuals, together, worst
from .signal import GroupStatistics, Signal, converged
from .steps import Collinearity, collinearity

__all__ = [
    "Check",
    "Collinearity",
    "GroupStatistics",
    "MaxRes",
    "MaxResOfSet",
    "Reach",
    "Signal",
    "Together",
    "aims",
    "amplification",
    "collinearity",
    "condition",
    "converged",
    "cosine_leaves_length",
    "cosine_optimum",
    "counterexample",
    "fairdd_optimum",
    "maxres",
    "maxres_of_set",
    "maxres_of_targets",
    "median_optimum",
    "minimax_never_grows",
    "plane",
    "reach",
    "residual_bound",
    "residuals",
    "squared_norm_barycentre",
    "survey",
    "together",
    "upper_bound",
    "vanilla_optimum",
    "weighted_mean",
    "worst",
    "worst_case",
]
