"""Figures of features in the plane: clouds of real images, stars of synthetic ones."""

from collections.abc import Mapping, Sequence

import numpy as np

from ..analysis.features import Features
from .style import WIDTH, Figure, group_colours, literal, new, styled

_EDGE = {"edgecolors": "0.35", "linewidths": 0.25}


@styled
def stars(
    features: Features,
    xy: np.ndarray,
    named: Sequence[str],
    real: str = "real",
    target: int | None = None,
    title: str = "{name}",
) -> Figure:
    """Show synthetic images as stars over the clouds of the groups (FairDD, Fig. 4).

    Parameters
    ----------
    features : Features
        Features of one real set and of distilled ones, under one network.
    xy : numpy.ndarray
        [N, 2], from `fddkit.analysis.projections.project`.
    named : sequence of str
        The distilled sets, one panel each.
    real : str
        The real set.
    target : int, optional
        The class to show; by default all of them.
    title : str
        Title of a panel; ``{name}`` stands for the name of the set.

    Returns
    -------
    Figure
        A cloud without a star is a group that the set leaves out.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "random", ipc=5)
    >>> features = fdd.features.extract(
    ...     {"real": train, "random": s}, per_cell=5, progress=False
    ... )
    >>> xy = fdd.projections.project(features, "pca")
    >>> figure = fdd.plots.stars(features, xy, ["random"], target=3)
    """
    figure = new(WIDTH, WIDTH / len(named) + 0.55)
    axes = figure.subplots(1, len(named), sharex=True, sharey=True, squeeze=False)[0]
    colours = group_colours(features.group_names)
    own = features.rows(real)
    own = own if target is None else own[features.target[own] == target]
    for ax, name in zip(axes, named, strict=True):
        for a, group in enumerate(features.group_names):
            points = xy[own[features.group[own] == a]]
            ax.scatter(*points.T, s=7, color=colours[a], label=literal(group), **_EDGE)
        rows = features.rows(name)
        rows = rows if target is None else rows[features.target[rows] == target]
        ax.scatter(
            *xy[rows].T,
            s=75,
            marker="*",
            color="black",
            edgecolors="white",
            linewidths=0.6,
            label="synthetic",
            zorder=3,
        )
        ax.set_title(title.format(name=name))
        _bare(ax)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside lower center", ncols=min(len(labels), 11), frameon=False,
        markerscale=1.4, handletextpad=0.1, columnspacing=0.9,
    )  # fmt: skip
    return figure


@styled
def pairs(features: Features, layouts: Mapping[str, np.ndarray], name: str) -> Figure:
    """Show the same points by class and by group (FairDD, Fig. 5; COBRA, Fig. 3).

    Parameters
    ----------
    features : Features
        Of the set that is shown.
    layouts : mapping of str to numpy.ndarray
        Title of a row, such as the network or the projection -> its points [N, 2].
    name : str
        The set to show; its images need groups.

    Returns
    -------
    Figure
        Points are coloured by class (TA) on the left and by group (PA) on the right. The side on
        which clusters have a single colour shows what the features represent.
    """
    rows = features.rows(name)
    figure = new(WIDTH, 2.9 * len(layouts) + 0.2)
    axes = figure.subplots(len(layouts), 2, squeeze=False)
    by = {
        "class (TA)": (features.target, features.target_names, _classes(features)),
        "group (PA)": (features.group, features.group_names, group_colours(features.group_names)),
    }
    for line, (title, xy) in zip(axes, layouts.items(), strict=True):
        for ax, (what, (labels, names, colours)) in zip(line, by.items(), strict=True):
            for k, one in enumerate(names):
                points = xy[rows[labels[rows] == k]]
                ax.scatter(*points.T, s=6, color=colours[k], label=literal(one), **_EDGE)
            ax.set_title(f"{title}, by {what}")
            _bare(ax)
    for ax, what in zip(axes[0], by, strict=True):
        side = "left" if ax is axes[0, 0] else "right"
        figure.legend(
            *ax.get_legend_handles_labels(), loc=f"outside {side} upper", frameon=False,
            title=what.split()[0], markerscale=1.8, handletextpad=0.1,
        )  # fmt: skip
    return figure


def _classes(features: Features) -> list:
    """Return a colour for each class, distinct from those of groups."""
    import matplotlib as mpl

    count = len(features.target_names)
    map_ = mpl.colormaps["viridis" if count > 10 else "tab10"]
    return [map_(i / max(1, count - 1) if count > 10 else i) for i in range(count)]


def _bare(ax) -> None:
    """Remove the ticks from axes whose units mean nothing."""
    ax.set_xticks([])
    ax.set_yticks([])
    ax.spines[:].set_visible(True)
    ax.spines[:].set_color("0.8")
