"""The foundation: errors, randomness, files, locks, caches, versions and processes.

It imports nothing from the rest of fddkit.
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
