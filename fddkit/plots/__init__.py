"""Figures: pure functions from data to `matplotlib.figure.Figure`, in one style.

Nothing here computes or saves; a notebook, the report and a widget draw the same figure from the
same function. Figures are sized for print at one or two columns.
"""

from .costs import cost
from .images import gallery, mosaic, sets, strip
from .reports import comparison, curve, group_table, losses, rates
from .style import WIDTH, Figure, colour

__all__ = [
    "WIDTH",
    "Figure",
    "colour",
    "comparison",
    "cost",
    "curve",
    "gallery",
    "group_table",
    "losses",
    "mosaic",
    "rates",
    "sets",
    "strip",
]
