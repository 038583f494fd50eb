"""Figures of where groups and targets lie: the plane of a class, residuals, amplification."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
from torch import Tensor

from ..evaluation.measures import METRICS
from ..evaluation.summary import Summary
from ..theory import GroupStatistics, aims, plane, together, worst
from .style import WIDTH, Figure, colour, group_colours, literal, new, styled


@styled
def targets(
    stats: GroupStatistics,
    group_names: Sequence[str],
    classes: Sequence[int] = (0,),
    target_names: Sequence[str] | None = None,
    rules: Sequence[str] | None = None,
) -> Figure:
    """Show the groups of a class and the point to which each rule draws it (COBRA, Fig. 1).

    The plane is the one in which the groups spread most. Lengths in it are at most those of the
    residuals in the legend, which are measured in the whole space.

    Parameters
    ----------
    stats : GroupStatistics
        The statistics of the groups.
    group_names : sequence of str
        Names of the groups; a group whose name is a colour is drawn in it.
    classes : sequence of int
        The classes to show, one panel each.
    target_names : sequence of str, optional
        Names of all classes.
    rules : sequence of str, optional
        The rules to show; by default those with `fddkit.rules.targets.Rule.drawn`.

    Returns
    -------
    Figure
        Discs are groups, and their size shows their share; dotted lines lead from a target to the
        worst-off group.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> stats = fdd.theory.Signal(train, "dm").groups(5)  # 5 images of each cell
    >>> figure = fdd.plots.targets(stats, train.group_names, (0, 3), train.target_names)
    """
    centres = aims(stats, rules)
    height = 3.0 + 0.17 * max(0, len(centres) - 4)  # a line of the legend for each rule
    figure = new(WIDTH if len(classes) > 1 else 3.4, height)
    for ax, y in zip(figure.subplots(1, len(classes), squeeze=False)[0], classes, strict=True):
        here = stats.present[y]
        points = stats.points[y, here]
        middle, axes = plane(stats, y)
        at = ((points - middle) @ axes.mT).numpy()
        names = [name for name, there in zip(group_names, here.tolist(), strict=True) if there]
        size = 25 + 500 * stats.shares[y, here].numpy()
        ax.scatter(*at.T, s=size, c=group_colours(names), edgecolors="0.3", linewidths=0.6)
        for one in together(stats, centres, y):
            rule, centre = one.rule, ((one.centre[y] - middle) @ axes.mT).numpy()
            far = (points - one.centre[y]).norm(dim=-1).argmax()
            ax.plot(*zip(centre, at[far], strict=True), ":", color=rule.colour, lw=0.9, zorder=1)
            ax.plot(
                *centre,
                rule.mark,
                ms=11 if rule.hollow else 8,
                mfc="none" if rule.hollow else rule.colour,
                mec=rule.colour if rule.hollow else "white",
                mew=1.5 if rule.hollow else 0.7,
                ls="",
                label=literal(f"{one.label}: worst residual {worst(stats, one.centre)[y]:.2f}"),
            )
        title = f"class {target_names[y] if target_names else y}"
        ax.set(title=f"{title}: groups and targets", xlabel="PC 1", ylabel="PC 2")
        ax.margins(0.15)  # the discs of majorities are large
        ax.set_aspect("equal", adjustable="datalim")
        ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.18))
    return figure


@styled
def residuals(
    named: Mapping[str, Mapping[str, Summary]], ylabel: str = "largest residual, mean over classes"
) -> Figure:
    """Show a residual of each rule, with one panel per method, each in its own units.

    Parameters
    ----------
    named : mapping of str to mapping of str to Summary
        Panel -> rule -> the residual over the seeds.
    ylabel : str
        What is shown.

    Returns
    -------
    Figure
        Points are means, bars 95% intervals, small dots single seeds.
    """
    figure = new(max(3.4, min(WIDTH, 2.3 * len(named))), 2.6)
    for ax, (title, rules) in zip(
        figure.subplots(1, len(named), squeeze=False)[0], named.items(), strict=True
    ):
        for x, (rule, summary) in enumerate(rules.items()):
            low, high = np.nan_to_num(summary.ci95, nan=summary.mean)
            ax.plot([x, x], [low, high], color=colour(rule), lw=1.5)
            ax.plot(x, summary.mean, "o", ms=5, color=colour(rule))
            ax.plot([x + 0.18] * len(summary.values), summary.values, ".", ms=3, color="0.6")
        ax.set_xticks(range(len(rules)), list(rules), rotation=30, ha="right")
        ax.set(title=title, xlim=(-0.5, len(rules) - 0.3))
        ax.set_ylim(0, None)
        ax.grid(axis="y", color="0.9", linewidth=0.6)
    figure.axes[0].set_ylabel(ylabel)
    return figure


@styled
def amplification(
    maps: Mapping[str, Tensor],
    brs: Sequence[float],
    levels: Sequence[float],
    ylabel: str = "separation (GAP)",
) -> Figure:
    """Show the worst residual over imbalance and separation, one heat map per rule.

    Parameters
    ----------
    maps : mapping of str to Tensor
        Rule -> [levels, ratios], from `fddkit.theory.amplification`.
    brs, levels : sequence of float
        Bias ratios of the columns and levels of the rows.
    ylabel : str
        What the levels are.

    Returns
    -------
    Figure
        All maps share one scale. A rule whose rows have a single colour does not depend on BR.
    """
    figure = new(WIDTH, 2.4)
    top = max(float(m.max()) for m in maps.values())
    axes = figure.subplots(1, len(maps), sharey=True, squeeze=False)[0]
    for ax, (rule, worst_of) in zip(axes, maps.items(), strict=True):
        values = worst_of.numpy()
        shown = ax.imshow(values, vmin=0, vmax=top, cmap="cividis", origin="lower", aspect="auto")
        for (row, column), value in np.ndenumerate(values):
            ink = "black" if value > 0.6 * top else "white"
            ax.text(column, row, f"{value:.2f}", ha="center", va="center", color=ink, fontsize=6)
        ax.set_xticks(range(len(brs)), [f"{br:g}" for br in brs])
        ax.set_yticks(range(len(levels)), [f"{level:g}" for level in levels])
        ax.set(title=rule, xlabel="BR")
        ax.tick_params(length=0)
    axes[0].set_ylabel(ylabel)
    figure.colorbar(shown, ax=list(axes), label="worst residual (mean over classes)")
    return figure


@styled
def reach(named: Mapping[str, tuple[Tensor, Tensor]]) -> Figure:
    """Show how close one optimised image per class comes to the two means.

    Parameters
    ----------
    named : mapping of str to (Tensor, Tensor)
        Rule -> distances [steps + 1, classes] to the weighted and to the plain mean (the fields
        of `fddkit.theory.Reach`).

    Returns
    -------
    Figure
        Lines are means over classes. At 0 the image has reached the mean; at 1 it is as far from
        it as the two means are from each other.
    """
    figure = new(WIDTH, 2.3)
    axes = figure.subplots(1, len(named), sharey=True, squeeze=False)[0]
    for ax, (rule, distances) in zip(axes, named.items(), strict=True):
        for distance, name, dash in zip(
            distances, ("mean weighted by shares", "plain mean of groups"), ("-", "--"), strict=True
        ):
            line = distance.mean(1)
            ax.plot(line, dash, color=colour("vanilla" if dash == "-" else "cobra"), label=name)
        ax.axhline(0, color="0.8", linewidth=0.6, zorder=0)
        ax.set(title=f"optimised under {rule}", xlabel="step")
    axes[0].set_ylabel("distance to it /\ndistance between the two")
    axes[-1].legend(frameon=False, title="distance to the")
    return figure


@styled
def effects(table, metrics: Sequence[str] = ("accuracy", "deo_a")) -> Figure:
    """Show the effects of a factorial experiment with their intervals.

    Parameters
    ----------
    table : pandas.DataFrame
        From `fddkit.experiments.factorial.Factorial.effects`.
    metrics : sequence of str
        The metrics to show, one panel each.

    Returns
    -------
    Figure
        An effect whose bar crosses zero is one that these runs cannot distinguish from none.
    """
    figure = new(WIDTH, 0.8 + 0.28 * len(table))
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for ax, metric in zip(axes, metrics, strict=True):
        for row, (_, found) in enumerate(table[metric].iterrows()):
            low, high = np.nan_to_num([found["low"], found["high"]], nan=found["mean"])
            clear = low > 0 or high < 0
            ink = "black" if clear else "0.6"
            ax.plot([low, high], [row, row], color=ink, lw=1.5)
            ax.plot(found["mean"], row, "o", ms=4.5, color=ink)
        ax.axvline(0, color="0.4", lw=0.8)
        ax.set(title=f"effect on {METRICS[metric].title}", xlabel="percentage points")
        ax.grid(axis="x", color="0.9", linewidth=0.6)
    axes[0].set_yticks(range(len(table)), list(table.index))
    axes[0].set_ylim(len(table) - 0.5, -0.5)
    handles = [
        mpl.lines.Line2D([], [], marker="o", color=ink, ms=4.5, lw=1.5, label=label)
        for ink, label in (("black", "differs from 0"), ("0.6", "not distinguishable from 0"))
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2, frameon=False)
    return figure
