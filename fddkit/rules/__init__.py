"""Fairness rules: how statistics of groups become the targets of the synthetic images.

A batch and the sums over it come in; targets come out.
"""

__all__ = ["barycentres", "density", "encoder", "rules", "targets"]
