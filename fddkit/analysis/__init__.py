"""What sets look like to networks, and what a step costs.

Sets come in; features, projections, measures of coverage, and costs come out.
"""

__all__ = ["colours", "cost", "coverage", "features", "probes", "projections"]
