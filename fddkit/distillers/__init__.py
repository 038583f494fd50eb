"""How images are optimised: each method, the loop around it, and what it builds on.

A training set and a rule come in; a distilled set comes out, with a verdict on its own health.
"""

__all__ = [
    "baselines",
    "distill",
    "dm",
    "fair_extractors",
    "health",
    "loop",
    "matching",
    "mtt_experts",
    "recorder",
    "registry",
    "start",
]
