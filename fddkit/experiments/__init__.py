"""Recorded runs: notebooks, sweeps, every method under every rule, and the page of all runs.

Names and parameters come in; folders that describe their own contents come out.
"""

from .runs import Run, run
from .sweeps import sweep
from .this_run import Current, current, parameters

__all__ = [
    "Current",
    "Run",
    "checking",
    "current",
    "factorial",
    "matrix",
    "notebooks",
    "papers",
    "parameters",
    "records",
    "report_page",
    "run",
    "runs",
    "sweep",
    "sweeps",
]
