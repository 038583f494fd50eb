"""How images are optimised: each method, the loop round it, and what it rests on.

A training set and a rule come in; a distilled set comes out, with a verdict on itself.
"""

__all__ = [
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
