"""Bias injection: which image gets which group, and what a group looks like.

`assign_groups` assigns the groups (`fddkit.painting.group_assignment`); pure functions paint uint8
images: `colour_foreground`, `colour_background` and `grayscale` (`fddkit.painting.colouring`),
`gap` and `semantic_offset` (`fddkit.painting.shifts`). A painter's result for an image depends on
that image alone (its pixels, group and index), never on the batch. All arithmetic is in integers
(except for the noise of `gap`, which is rounded), so that images are identical bit for bit on every
machine.
"""

from .colouring import PALETTE, colour_background, colour_foreground, gray_or_colour, grayscale
from .group_assignment import assign_groups, group_counts, majority_group
from .shifts import GAP_LEVELS, gap, semantic_offset

__all__ = [
    "GAP_LEVELS",
    "PALETTE",
    "assign_groups",
    "colour_background",
    "colour_foreground",
    "gap",
    "gray_or_colour",
    "grayscale",
    "group_counts",
    "majority_group",
    "semantic_offset",
]
