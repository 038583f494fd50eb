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

from .core.entries import load_plugins, register
from .core.errors import FddkitError
from .core.versions import __version__, versions
from .data.catalogue import DatasetInfo
from .data.collections import from_hf, from_torch
from .data.description import describe
from .data.distilled import DistilledSet
from .data.grouped import GroupedDataset
from .data.imperfect import known_groups, noisy_groups, unknown_groups
from .data.loading import catalogue, load
from .data.recovery import recovered_groups
from .data.tables import from_table
from .data.traits import Traits
from .distillers.distill import distill
from .distillers.matching import Matching
from .evaluation.comparisons import compare, family
from .evaluation.conclusions import against, verdict
from .evaluation.decomposition import decompose
from .evaluation.evaluate import evaluate
from .evaluation.measures import Metric
from .evaluation.power import power
from .evaluation.report import FairnessReport
from .evaluation.statements import from_zero, ranking
from .rules.targets import Rule, Targets, aim_at
from .training.architectures import Architecture

__all__ = [
    "Architecture",
    "DatasetInfo",
    "DistilledSet",
    "FairnessReport",
    "FddkitError",
    "GroupedDataset",
    "Matching",
    "Metric",
    "Rule",
    "Targets",
    "Traits",
    "__version__",
    "against",
    "aim_at",
    "catalogue",
    "compare",
    "decompose",
    "describe",
    "distill",
    "evaluate",
    "family",
    "from_hf",
    "from_table",
    "from_torch",
    "from_zero",
    "known_groups",
    "load",
    "noisy_groups",
    "power",
    "ranking",
    "recovered_groups",
    "register",
    "unknown_groups",
    "verdict",
    "versions",
]

# what needs matplotlib, pandas or papermill is imported when it is first named
_LAZY = {
    "colours": "analysis.colours",
    "cost": "analysis.cost",
    "coverage": "analysis.coverage",
    "experiments": "experiments",
    "factorial": "experiments.factorial",
    "features": "analysis.features",
    "foreign": "data.official_sets",
    "matrix": "experiments.matrix",
    "papers": "experiments.papers",
    "plots": "plots",
    "probes": "analysis.probes",
    "projections": "analysis.projections",
    "recorder": "distillers.recorder",
    "report": "experiments.report_page",
    "theory": "theory",
    "widgets": "widgets",
}


def __getattr__(name: str) -> object:
    if name in _LAZY:
        return import_module(f".{_LAZY[name]}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_LAZY])


load_plugins()
