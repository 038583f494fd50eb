"""The one style of all figures: sizes, fonts, colours."""

import functools
import io
from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib import figure as mpl_figure

WIDTH = 6.9  # inches, two columns of a paper

# Okabe and Ito's colours, told apart under every common colour blindness
COLOURS = {
    "whole": "#000000",
    "random": "#999999",
    "vanilla": "#D55E00",
    "fairdd": "#0072B2",
    "cobra": "#009E73",
    "minimax": "#CC79A7",
    "kde": "#E69F00",
    "df": "#56B4E9",
}
_OTHERS = ("#CC79A7", "#E69F00", "#56B4E9", "#F0E442")
_DISTINCT = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")

STYLE = {
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.labelsize": 8,
    "legend.fontsize": 7,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "lines.linewidth": 1.2,
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text
    "image.interpolation": "nearest",
}


def styled(function: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Draw in the package's style, whatever the user's own settings."""

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object) -> "Figure":
        with mpl.rc_context(STYLE):
            return function(*args, **kwargs)

    return wrapped


class Figure(mpl_figure.Figure):
    """A figure that any notebook front end shows, without pyplot.

    So there is nothing to close, and no leak when a slider draws a thousand of them.
    """

    def _repr_png_(self) -> bytes:
        buffer = io.BytesIO()
        self.savefig(buffer, format="png", dpi=144)
        return buffer.getvalue()


def new(width: float, height: float) -> Figure:
    """Return an empty figure of that size, in inches."""
    return Figure(figsize=(width, height), layout="constrained")


def colour(name: str) -> str:
    """Return the colour of a method, the same in every figure.

    Parameters
    ----------
    name : str
        A rule or baseline; of another name, a colour that depends on the name alone.

    Returns
    -------
    str
        ``#rrggbb``.
    """
    key = (name.lower().split() or [""])[0]
    return COLOURS.get(key, _OTHERS[sum(map(ord, name)) % len(_OTHERS)])


def group_colours(names: Sequence[str]) -> list[str]:
    """Return the colour of each group of a protected attribute.

    Parameters
    ----------
    names : sequence of str
        Names of groups. Where they are the colours of fddkit's coloured sets, points wear them;
        others get colours that are told apart under every common colour blindness.

    Returns
    -------
    list of str
        ``#rrggbb``.
    """
    from ..analysis.colours import palette

    own = palette(tuple(names))
    if own is not None:
        return [mpl.colors.to_hex(c) for c in own.tolist()]
    return [_DISTINCT[i % len(_DISTINCT)] for i in range(len(names))]
