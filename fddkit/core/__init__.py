"""What everything else stands on: errors, randomness, files, locks, caches, versions, processes.

Nothing of fddkit comes in.
"""

__all__ = [
    "cache",
    "errors",
    "files",
    "locks",
    "presets",
    "processes",
    "reading",
    "rng",
    "temporary",
    "tensors",
    "versions",
]
