"""Figures: pure functions from data to `matplotlib.figure.Figure`, in one style.

Nothing here computes or saves anything, except `gif`, which writes a file. A notebook, the report
and a widget draw the same figure with the same function. Figures are sized for one or two columns
in print.
"""

from .clouds import pairs, stars
from .costs import cost
from .counts import group_table
from .coverage import cells
from .evidence import by_chance, by_size, calibration, decomposition, differences
from .evolution import colour_shares, film, gif, losses
from .geometry import amplification, effects, reach, residuals, targets
from .images import gallery, mosaic, sets, strip
from .results import comparison, curve, rates, tradeoff
from .style import WIDTH, Figure, colour, group_colours

__all__ = [
    "WIDTH",
    "Figure",
    "amplification",
    "by_chance",
    "by_size",
    "calibration",
    "cells",
    "colour",
    "colour_shares",
    "comparison",
    "cost",
    "curve",
    "decomposition",
    "differences",
    "effects",
    "film",
    "gallery",
    "gif",
    "group_colours",
    "group_table",
    "losses",
    "mosaic",
    "pairs",
    "rates",
    "reach",
    "residuals",
    "sets",
    "stars",
    "strip",
    "style",
    "targets",
    "tradeoff",
]
