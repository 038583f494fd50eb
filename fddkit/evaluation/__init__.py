"""What networks trained on a set get right, for which groups, and what follows from it.

A training set and a test set come in; a report of counts comes out, and sentences about it.
"""

__all__ = ["conclusions", "evaluate", "measures", "metrics", "report", "report_file"]
