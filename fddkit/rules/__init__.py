"""How the statistics of groups become what synthetic images must match.

A batch and the sums over it come in; targets come out.
"""

__all__ = ["barycentres", "density", "encoder", "rules", "targets"]
