"""Bias injection: which image belongs to which group, and what the groups look like.

uint8 images and groups come in; uint8 images come out, each a function of its own image alone.
"""

__all__ = [
    "bias",
    "colouring",
    "corruptions",
    "group_assignment",
    "jitter",
    "scenery",
    "scenes",
]
