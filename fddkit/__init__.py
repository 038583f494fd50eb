"""Fair dataset distillation: condense a training set and keep its groups alike.

>>> import fddkit as fdd
>>> train, test = fdd.load("digits")
>>> s = fdd.distill(train, method="dm", fairness="cobra", ipc=10, seed=0)
>>> report = fdd.evaluate(s, test, repeats=5, seed=0)
>>> report.accuracy, report.deo_m, report.deo_a
"""

import os
from importlib import import_module

# Before torch loads OpenMP: threads that wait soon sleep. Spinning ones cost nothing on an idle
# machine, but where other work takes their cores they slow small networks down tenfold.
os.environ.setdefault("GOMP_SPINCOUNT", "10000")

from .datasets import catalogue, load
from .distill import distill
from .distilled import DistilledSet
from .errors import FddkitError
from .evaluate import evaluate
from .fairness import FairnessReport
from .grouped import GroupedDataset
from .verdict import against, from_zero, ranking, verdict
from .versions import __version__, versions

__all__ = [
    "DistilledSet",
    "FairnessReport",
    "FddkitError",
    "GroupedDataset",
    "__version__",
    "against",
    "catalogue",
    "distill",
    "evaluate",
    "from_zero",
    "load",
    "ranking",
    "verdict",
    "versions",
]

# what needs matplotlib, pandas or papermill is imported when it is first named
_LAZY = (
    *("colours", "coverage", "experiments", "factorial", "features", "papers", "plots"),
    *("probes", "projections", "report", "theory", "widgets"),
)


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LAZY])
