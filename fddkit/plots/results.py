"""Figures of what networks do: accuracy, fairness, rates by group."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import seaborn as sns

from ..evaluation.measures import METRICS, Metric, headline
from ..evaluation.report import FairnessReport
from .style import WIDTH, Figure, colour, literal, new, styled


@styled
def rates(named: Mapping[str, FairnessReport]) -> Figure:
    """Show the true-positive rate of each class and group, one heat map per report.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report; all of the same classes and groups.

    Returns
    -------
    Figure
        A fair model has rows of a single colour; cells without a test image stay blank.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> report = fdd.evaluate(*fdd.load("digits"), **quick)
    >>> figure = fdd.plots.rates({"whole": report})
    """
    first = next(iter(named.values()))
    groups, classes = first.group_tpr.mean.shape
    columns = min(len(named), 3)
    lines = -(-len(named) // columns)
    figure = new(WIDTH, lines * (0.75 + 0.18 * classes))
    axes = figure.subplots(lines, columns, squeeze=False, sharex=True, sharey=True).ravel()
    for ax, (title, report) in zip(axes, named.items(), strict=False):
        sns.heatmap(
            report.group_tpr.mean.T,
            ax=ax,
            vmin=0,
            vmax=100,
            cmap="viridis",
            cbar=False,
            linewidths=0.3,
            xticklabels=first.config.get("group_names", range(groups)),
            yticklabels=first.config.get("target_names", range(classes)),
        )
        deo = f"DEO_M {report.deo_m.mean:.1f} (by chance {report.deo_m.noise_floor:.1f})"
        ax.set_title(f"{title}\n{deo}", fontsize=7)
        ax.tick_params(length=0)
        ax.tick_params(axis="x", rotation=60)
        ax.tick_params(axis="y", rotation=0)
    for above, ax in enumerate(axes[len(named) :], len(named) - columns):
        ax.set_visible(False)
        axes[above].tick_params(labelbottom=True)  # nothing below it shows the labels
    figure.supxlabel("group (PA)", fontsize=8)
    figure.supylabel("class (TA)", fontsize=8)
    figure.colorbar(
        axes[0].collections[0], ax=list(axes), label="true-positive rate (%)", shrink=0.8
    )
    return figure


@styled
def comparison(named: Mapping[str, FairnessReport]) -> Figure:
    """Show the headline metrics of several sets, each with its interval and what chance shows.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report.

    Returns
    -------
    Figure
        Points are means and bars 95% intervals; a grey line spans what an exactly fair model would
        show by chance, from its mean to what it exceeds once in twenty. Hollow points are the
        counterfactual test (every test image in every group).

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> report = fdd.evaluate(*fdd.load("digits"), **quick)
    >>> figure = fdd.plots.comparison({"whole": report})
    """
    figure = new(WIDTH, 0.8 + 0.32 * len(named))
    shown = headline()
    axes = figure.subplots(1, len(shown), sharey=True)
    for ax, (key, metric) in zip(axes, shown.items(), strict=True):
        for y, (name, report) in enumerate(named.items()):
            for one, shift, face in (
                (report, -0.13, colour(name)),
                (report.counterfactual, 0.17, "white"),
            ):
                if one is None:
                    continue
                summary = one.metric(key)
                low, high = np.nan_to_num(summary.ci95, nan=summary.mean)
                ax.plot([low, high], [y + shift] * 2, color=colour(name), linewidth=1.5)
                ax.plot(
                    summary.mean, y + shift, "o", ms=4.5, color=colour(name), markerfacecolor=face
                )
                if metric.between_groups:
                    by_chance = [summary.noise_floor, summary.most_by_chance]
                    ax.plot(
                        by_chance,
                        [y + shift] * 2,
                        lw=9,
                        color="0.8",
                        zorder=0,
                    )
        ax.set(xlabel=metric.unit, xlim=_limits(metric), title=metric.title)
        ax.set_yticks(range(len(named)), list(named))
        ax.grid(axis="x", color="0.9", linewidth=0.6)
        ax.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    paired = any(report.counterfactual for report in named.values())
    label = "balanced test" if paired else "test"
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", ms=4.5, color="0.3", label=label),
        mpl.lines.Line2D([], [], lw=7, color="0.8", label="by chance, if fair"),
    ]
    if paired:
        handles.insert(
            1,
            mpl.lines.Line2D(
                [], [], marker="o", ls="", ms=4.5, mfc="white", color="0.3", label="counterfactual"
            ),
        )
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)
    return figure


@styled
def curve(
    points: Mapping[str, Mapping[float, FairnessReport]], xlabel: str, metric: str = "deo_m"
) -> Figure:
    """Show a metric against a condition, such as BR, one line per method.

    Parameters
    ----------
    points : mapping of str to mapping of float to FairnessReport
        Title -> value of the condition -> report.
    xlabel : str
        What the condition is.
    metric : str
        One of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    Figure
        Bands are 95% intervals; ticks are what an exactly fair model would show by chance on the
        test of the point above them.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> line = {br: fdd.evaluate(*fdd.load("digits", br=br), **quick) for br in (0.5, 0.9)}
    >>> figure = fdd.plots.curve({"whole": line}, "bias ratio")
    """
    entry, figure = METRICS[metric], new(3.4, 2.4)
    ax = figure.subplots()
    for title, series in points.items():
        x = sorted(series)
        summary = [series[v].metric(metric) for v in x]
        ax.plot(
            x, [s.mean for s in summary], "o-", ms=3.5, label=literal(title), color=colour(title)
        )
        low, high = np.array([s.ci95 for s in summary]).T
        ax.fill_between(x, low, high, color=colour(title), alpha=0.15, linewidth=0)
        if entry.between_groups:  # of each point its own: tests and accuracies differ
            ax.plot(x, [s.noise_floor for s in summary], "_", ms=9, mew=1.2, color=colour(title))
    measured = sorted({x for series in points.values() for x in series})
    if len(measured) <= 8:
        ax.set_xticks(measured, [f"{x:g}" for x in measured])
    title = f"{entry.title} against {xlabel}"
    ax.set(xlabel=xlabel, ylabel=entry.label, ylim=_limits(entry), title=title)
    if entry.between_groups:
        ax.plot([], [], "_", ms=9, mew=1.2, color="0.4", label="by chance, if fair")
    ax.legend(frameon=False)
    return figure


@styled
def tradeoff(named: Mapping[str, FairnessReport], metric: str = "deo_a") -> Figure:
    """Show unfairness against accuracy, one point per run.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report; shown on the counterfactual test where there is one.
    metric : str
        The measure of unfairness, one of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    Figure
        The best corner is the lower right. Bars are 95% intervals; the grey tick below a point is
        what a fair model of its accuracy exceeds once in twenty by chance.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> report = fdd.evaluate(*fdd.load("digits"), **quick)
    >>> figure = fdd.plots.tradeoff({"whole": report})
    """
    figure = new(3.4, 2.9)
    ax = figure.subplots()
    for name, report in named.items():
        used = report.shown
        x, y = used.accuracy, used.metric(metric)
        for summary, horizontal in ((x, True), (y, False)):
            low, high = np.nan_to_num(summary.ci95, nan=summary.mean)
            ends = ([low, high], [y.mean] * 2) if horizontal else ([x.mean] * 2, [low, high])
            ax.plot(*ends, color=colour(name), lw=1, alpha=0.5)
        ax.plot(x.mean, y.mean, "o", ms=5, color=colour(name), label=literal(name))
        ax.plot(x.mean, y.most_by_chance, "_", ms=14, mew=1.5, color="0.5")
    entry, sound = METRICS[metric], METRICS["accuracy"]
    ax.set(
        xlabel=sound.label,
        ylabel=entry.label,
        xlim=_limits(sound),
        ylim=_limits(entry),
        title=f"{entry.title} against accuracy (grey: by chance)",
    )
    ax.legend(frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.3), ncols=1)
    return figure


def _limits(metric: Metric) -> tuple[float, float]:
    """Return the ends of an axis: the metric's bounds, with room for points at a bound."""
    low, high = metric.bounds
    room = 0.03 * (high - low)
    return low - room, high + room
