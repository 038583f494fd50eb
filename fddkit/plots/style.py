"""The one style of all figures: sizes, fonts, colours."""

import functools
import io
import re
from collections.abc import Callable, Sequence

import matplotlib as mpl
from matplotlib import figure as mpl_figure
from matplotlib import markers
from matplotlib.legend import Legend

from ..distillers.baselines import BASELINES
from ..rules.rules import RULES

WIDTH = 6.9  # inches, two columns of a paper

# Okabe and Ito's colours, distinguishable with every common colour blindness
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
    "lines.solid_capstyle": "butt",  # a line that stands for an interval ends where that ends
    "figure.dpi": 110,
    "savefig.dpi": 200,
    "pdf.fonttype": 42,  # text stays text
    "image.interpolation": "nearest",
    "text.parse_math": False,  # names of classes and sets may hold dollar signs
    "axes.formatter.use_mathtext": False,
}
_LEAD = "\u200b"  # matplotlib leaves labels out of a legend that begin with an underscore


def styled(function: Callable[..., "Figure"]) -> Callable[..., "Figure"]:
    """Draw in the package's style, whatever the user's own settings."""

    @functools.wraps(function)
    def wrapped(*args: object, **kwargs: object) -> "Figure":
        with mpl.rc_context(STYLE):
            figure = function(*args, **kwargs)
            for legend in figure.findobj(Legend):
                for text in legend.get_texts():
                    text.set_text(text.get_text().removeprefix(_LEAD))
            return figure

    return wrapped


def literal(name: str) -> str:
    """Return a label with which a name is in the legend of a `styled` figure, as it is.

    Parameters
    ----------
    name : str
        Of a class, group, rule or set.

    Returns
    -------
    str
    """
    return _LEAD + name


class Figure(mpl_figure.Figure):
    """A figure that any notebook front end shows, without pyplot.

    There is nothing to close, and nothing leaks when a slider draws a thousand of them.
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
        A rule or baseline. Any other name gets a colour that depends on the name alone.

    Returns
    -------
    str
        ``#rrggbb``.
    """
    key = re.split(r"[^a-z0-9_-]", name.lower())[0]  # "cobra, IPC 10" is of COBRA
    entry = RULES.get(key) or BASELINES.get(key)
    return entry.colour if entry else _DISTINCT[sum(map(ord, name)) % len(_DISTINCT)]


def outline(mark: str, size: float) -> str:
    """Return the outline of a marker as the ``d`` of an SVG path, with y pointing down.

    Parameters
    ----------
    mark : str
        A matplotlib marker, see `fddkit.rules.targets.Rule`.
    size : float
        Width and height.

    Returns
    -------
    str
        Centred on the origin.
    """
    style = markers.MarkerStyle(mark)
    path = style.get_path().transformed(style.get_transform())
    letters = {1: "M", 2: "L", 3: "Q", 4: "C", 79: "Z"}
    parts = []
    for points, code in path.iter_segments(curves=True, simplify=False):
        numbers = [] if code == 79 else [v * size for v in points]
        pairs = [f"{x:.2f} {-y:.2f}" for x, y in zip(numbers[::2], numbers[1::2], strict=True)]
        parts.append(letters[int(code)] + " ".join(pairs))
    return "".join(parts)


def group_colours(names: Sequence[str]) -> list[str]:
    """Return the colour of each group of a protected attribute.

    Parameters
    ----------
    names : sequence of str
        Names of groups. If they are the colours of fddkit's coloured sets, those are returned;
        others get colours that are distinguishable with every common colour blindness.

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
