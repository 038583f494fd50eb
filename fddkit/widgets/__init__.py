"""The interactive workbench: thin layers of ipywidgets over the package's functions.

`Explorer` is all of it. Its parts share one state, a `fddkit.workbench.choice.Choice`: live panels
that are redrawn while a slider moves, runs of `fddkit.distillers.distill` in the background, an
inspector of images, a classroom, and results from this disk.
"""

from ..workbench.choice import Choice
from .explorer import CAPTIONS, Explorer
from .frontend import interactive

__all__ = ["CAPTIONS", "Choice", "Explorer", "interactive"]
