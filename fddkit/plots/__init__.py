"""Figures: pure functions from data to `matplotlib.figure.Figure`, in one style.

Nothing here computes or saves (but `gif`, a film that is a file); a notebook, the report and a
widget draw the same figure from the same function. Figures are sized for print at one or two
columns.
"""

from .clouds import pairs, stars
from .costs import cost
from .coverage import cells
from .evolution import colour_shares, film, gif
from .geometry import amplification, effects, reach, residuals, targets
from .images import gallery, mosaic, sets, strip
from .results import comparison, curve, group_table, losses, rates, tradeoff
from .style import WIDTH, Figure, colour, group_colours

__all__ = [
    "WIDTH",
    "Figure",
    "amplification",
    "cells",
    "colour",
    "colour_shares",
    "comparison",
    "cost",
    "curve",
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
