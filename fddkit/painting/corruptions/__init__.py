"""The corruptions of Corrupted CIFAR-10, in whole numbers.

Written from the formulas and constants of Hendrycks and Dietterich 2019 for images of 32 pixels;
where they differ from the authors' code is in `docs/methods.md`, "Data sets".
"""

from ..pieces import SEVERITIES
from .corrupting import CORRUPTIONS, corrupt

__all__ = ["CORRUPTIONS", "SEVERITIES", "corrupt"]
