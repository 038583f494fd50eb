"""What sets look like to networks, and what a step costs.

Sets come in; features, projections, coverage and prices come out.
"""

__all__ = ["colours", "cost", "coverage", "features", "probes", "projections"]
