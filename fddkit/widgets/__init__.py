"""The workbench to touch: thin shells of ipywidgets over the package's functions.

`Explorer` is all of it. Its parts follow one state, a `fddkit.workbench.choice.Choice`: live panels
that are redrawn while a slider moves, runs of `fddkit.distillers.distill` in the background, an
inspector of images, a classroom, and results that are on the disk.
"""

from ..workbench.choice import Choice
from .explorer import CAPTIONS, Explorer
from .frontend import interactive

__all__ = ["CAPTIONS", "Choice", "Explorer", "interactive"]
