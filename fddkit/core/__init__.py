"""What everything else stands on: errors, randomness, files, locks, caches, versions, processes.

Nothing of fddkit comes in.
"""

__all__ = [
    "cache",
    "entries",
    "errors",
    "files",
    "kinds",
    "locks",
    "numbers",
    "presets",
    "processes",
    "reading",
    "rng",
    "temporary",
    "tensors",
    "versions",
]
