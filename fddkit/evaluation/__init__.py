"""What networks trained on a set get right, for whom, and what may be concluded from it.

A set and a test set come in; a report of counts comes out, and sentences.
"""

__all__ = ["conclusions", "evaluate", "measures", "metrics", "report", "report_file"]
