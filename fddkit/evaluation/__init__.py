"""What networks trained on a set get right, for which groups, and what follows from it.

A training set and a test set come in; a report of outcomes comes out: its metrics, what chance
would show, how sure one may be, comparisons, and sentences that are made of them.
"""

__all__ = [
    "comparisons",
    "conclusions",
    "decomposition",
    "evaluate",
    "guard",
    "kept_numbers",
    "measures",
    "multiple_tests",
    "planning",
    "power",
    "report",
    "report_file",
    "statements",
    "summary",
    "t_distribution",
]
