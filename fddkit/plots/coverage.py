"""Figures of how a distilled set covers the groups of the real one."""

from collections.abc import Mapping

import numpy as np
import seaborn as sns

from .style import WIDTH, Figure, new, styled


@styled
def cells(
    named: Mapping[str, np.ndarray],
    group_names: tuple[str, ...],
    target_names: tuple[str, ...],
    label: str,
    limits: tuple[float | None, float | None] = (0, None),
) -> Figure:
    """Show a number for each class and group as one heat map per set, all on the same scale.

    Parameters
    ----------
    named : mapping of str to numpy.ndarray
        Title -> numbers [classes, groups]; NaN (an empty cell) stays blank.
    group_names, target_names : tuple of str
        Labels of the columns and rows.
    label : str
        What the numbers are, with their unit.
    limits : (float or None, float or None)
        Ends of the scale; None takes the smallest or largest number.

    Returns
    -------
    Figure
    """
    low, high = limits
    everything = np.concatenate([values.ravel() for values in named.values()])
    low = np.nanmin(everything) if low is None else low
    high = np.nanmax(everything) if high is None else high
    figure = new(WIDTH, max(2.0, 1 + 0.18 * len(target_names)))
    axes = figure.subplots(1, len(named), sharey=True, squeeze=False)[0]
    for ax, (title, values) in zip(axes, named.items(), strict=True):
        sns.heatmap(
            values, ax=ax, vmin=low, vmax=high, cmap="viridis", cbar=False, linewidths=0.3,
            xticklabels=group_names, yticklabels=target_names,
        )  # fmt: skip
        ax.set_title(f"{title}: mean {np.nanmean(values):.3g}")
        ax.tick_params(length=0)
        ax.tick_params(axis="x", rotation=60)
        ax.tick_params(axis="y", rotation=0)
    figure.supxlabel("group (PA)", fontsize=8)
    figure.supylabel("class (TA)", fontsize=8)
    figure.colorbar(axes[0].collections[0], ax=list(axes), label=label, shrink=0.85)
    return figure
