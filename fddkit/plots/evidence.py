"""Figures of how sure one may be: what chance shows, differences, and where they come from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..evaluation.comparisons import Comparison
from ..evaluation.measures import METRICS
from ..evaluation.report import FairnessReport
from .style import WIDTH, Figure, colour, literal, new, styled


@styled
def by_chance(named: Mapping[str, FairnessReport], metric: str = "deo_a") -> Figure:
    """Show what a fair model would show by chance, beside what was measured.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report; on the counterfactual test where there is one.
    metric : str
        A gap between groups, one of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    Figure
        Grey: simulated tests of a fair model, and the value it exceeds once in twenty (dashed);
        coloured: the measured mean.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> report = fdd.evaluate(*fdd.load("digits"), **quick)
    >>> figure = fdd.plots.by_chance({"whole": report})
    """
    entry, figure = METRICS[metric], new(WIDTH * 0.75, 0.6 + 0.62 * len(named))
    axes = figure.subplots(len(named), 1, sharex=True, squeeze=False).ravel()
    for ax, (title, report) in zip(axes, named.items(), strict=True):
        summary = report.shown.metric(metric)
        null = summary.chance
        ax.hist(null.draws, bins=30, color="0.7", linewidth=0)
        ax.axvline(null.most, color="0.4", lw=1, ls="--")
        ax.axvline(summary.mean, color=colour(title), lw=2)
        ax.set_ylabel(title, rotation=0, ha="right", va="center")
        ax.set_yticks([])
        ax.text(
            0.6,
            0.9,
            f"p = {summary.p:.3f}",
            transform=ax.transAxes,
            ha="right",
            va="top",
            fontsize=7,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1},
        )
    axes[0].set_title(f"{entry.title}: measured (line), and by chance if fair (grey)")
    axes[-1].set_xlabel(entry.label)
    return figure


@styled
def by_size(
    points: Mapping[str, Mapping[float, FairnessReport]],
    metrics: Sequence[str] = ("deo_a", "accuracy"),
) -> Figure:
    """Show metrics against the number of training images, for real subsets and distilled sets.

    Parameters
    ----------
    points : mapping of str to mapping of float to FairnessReport
        Title -> images per class -> report; on the counterfactual test where there is one.
    metrics : sequence of str
        One panel each.

    Returns
    -------
    Figure
        Bars are 95% intervals; grey dots are what a fair model shows by chance, on average. Single
        points at one size are drawn beside each other.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> report = fdd.evaluate(*fdd.load("digits"), **quick)
    >>> figure = fdd.plots.by_size({"random": {1: report, 10: report}, "cobra": {10: report}})
    """
    figure = new(WIDTH, 2.6)
    axes = figure.subplots(1, len(metrics), squeeze=False).ravel()
    single = [title for title, series in points.items() if len(series) == 1]
    shared = {n for title, series in points.items() if title not in single for n in series}
    ticks = sorted(shared or {n for series in points.values() for n in series})
    for ax, metric in zip(axes, metrics, strict=True):
        for title, series in points.items():
            sizes, shade, apart = sorted(series), colour(title), 1.0
            if title in single:  # beside whatever else has this size
                before = [points[other].keys() == series.keys() for other in single]
                apart = 1.1 ** (sum(before[: single.index(title)]) + bool(shared & series.keys()))
            found = [series[n].shown.metric(metric) for n in sizes]
            x = [n * apart for n in sizes]
            ax.plot(x, [one.mean for one in found], "o-", ms=4, color=shade, label=literal(title))
            for at, one in zip(x, found, strict=True):
                ax.plot([at, at], np.nan_to_num(one.ci95, nan=one.mean), color=shade)
            if METRICS[metric].between_groups:
                ax.plot(x, [one.noise_floor for one in found], ".", ms=3, color="0.6", zorder=0)
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{n:g}" for n in ticks])
        ax.minorticks_off()
        entry = METRICS[metric]
        ax.set(xlabel="images per class", ylabel=entry.label, title=entry.title)
    handles, titles = axes[0].get_legend_handles_labels()
    figure.legend(handles, titles, loc="outside right center", frameon=False)
    return figure


@styled
def differences(comparisons: Sequence[Comparison], title: str = "") -> Figure:
    """Show comparisons: differences with intervals, and what may be said of them.

    Parameters
    ----------
    comparisons : sequence of Comparison
        Of one metric or several, each metric in a panel.
    title : str
        By default none.

    Returns
    -------
    Figure
        Filled points differ from 0 after correction for the family, hollow ones do not; the grey
        band is the margin within which two numbers are called the same.

    Examples
    --------
    >>> import fddkit as fdd
    >>> quick = {"preset": "smoke", "repeats": 2, "max_steps": 5, "progress": False}
    >>> train, test = fdd.load("digits")
    >>> a, b = (fdd.evaluate(train, test, seed=seed, **quick) for seed in (0, 1))
    >>> figure = fdd.plots.differences(fdd.compare(a, b, names=("first", "second")))
    """
    metrics = list(dict.fromkeys(one.metric for one in comparisons))
    rows = list(dict.fromkeys((one.a, one.b) for one in comparisons))
    figure = new(WIDTH, 0.9 + 0.24 * len(rows))
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False).ravel()
    for ax, metric in zip(axes, metrics, strict=True):
        mine = [one for one in comparisons if one.metric == metric]
        for one in mine:
            y, found = rows.index((one.a, one.b)), one.difference
            shade = colour(one.a)
            if found.low == found.low:
                ax.plot([found.low, found.high], [y, y], color=shade, lw=1.5)
            face = shade if one.kind in ("higher", "lower") else "white"
            ax.plot(found.value, y, "o", ms=4.5, color=shade, markerfacecolor=face)
        ax.axvspan(-mine[0].margin, mine[0].margin, color="0.92", zorder=0)
        ax.axvline(0, color="0.4", lw=0.8)
        ax.set(title=METRICS[metric].title, xlabel="difference (points)")
        ax.set_yticks(range(len(rows)), [f"{a} - {b}" for a, b in rows])
        ax.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    if title:
        figure.suptitle(title, fontsize=9)
    return figure


@styled
def decomposition(named: Mapping[str, Mapping[str, Comparison]]) -> Figure:
    """Show where the difference to the whole set comes from, part by part.

    Parameters
    ----------
    named : mapping of str to mapping of str to Comparison
        Rule -> what `fddkit.decompose` returns.

    Returns
    -------
    Figure
        Each part begins where the former ends; thin lines are 95% intervals of the part.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def report(*correct):
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> named = {"whole": report(88, 90), "random": report(49, 53), "vanilla": report(45, 47)}
    >>> figure = fdd.plots.decomposition({"vanilla": fdd.decompose(named, "vanilla")})
    """
    longest = max(len(parts) for parts in named.values())
    figure = new(WIDTH, 0.7 + 0.22 * longest * len(named))
    axes = figure.subplots(len(named), 1, sharex=True, squeeze=False).ravel()
    for ax, (rule, parts) in zip(axes, named.items(), strict=True):
        begin = 0.0
        for y, (name, one) in enumerate(parts.items()):
            start = 0.0 if name == "total" else begin
            end = start + one.difference.value
            shade = colour(rule) if name == "total" else "0.65"
            ax.barh(y, end - start, left=start, height=0.7, color=shade)
            reach = one.difference.high - one.difference.value
            if reach == reach:
                ax.plot([end - reach, end + reach], [y, y], color="0.2", lw=1)
            begin = end
        ax.axvline(0, color="0.4", lw=0.8)
        ax.set_yticks(range(len(parts)), list(parts))
        ax.invert_yaxis()
        ax.tick_params(axis="y", length=0)
        ax.set_title(f"{rule} against the whole set", loc="left")
    first = next(iter(next(iter(named.values())).values()))
    axes[-1].set_xlabel(f"difference in {METRICS[first.metric].title} (points)")
    return figure


@styled
def calibration(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Show how often nominal 95% intervals held the truth in simulated experiments.

    Parameters
    ----------
    rows : sequence of mapping
        With ``metric``, ``sets``, ``coverage`` (in [0, 1]) and ``scenario``.

    Returns
    -------
    Figure
        One panel per metric, one point per scenario and number of sets; the band is 93 to 97%.

    Examples
    --------
    >>> import fddkit as fdd
    >>> row = {"metric": "accuracy", "sets": 3, "coverage": 0.95, "scenario": "fair"}
    >>> figure = fdd.plots.calibration([row, row | {"sets": 5}])
    """
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    figure = new(WIDTH, 2.4)
    axes = figure.subplots(1, len(metrics), sharey=True, squeeze=False).ravel()
    sizes = sorted({row["sets"] for row in rows})
    for ax, metric in zip(axes, metrics, strict=True):
        ax.axhspan(93, 97, color="0.9", zorder=0)
        ax.axhline(95, color="0.5", lw=0.8)
        mine = [row for row in rows if row["metric"] == metric]
        spread = np.random.default_rng(0).uniform(-0.15, 0.15, len(mine))
        x = [sizes.index(row["sets"]) for row in mine] + spread
        ax.plot(x, [100 * row["coverage"] for row in mine], "o", ms=3, color="#0072B2", alpha=0.7)
        title = METRICS[metric].title if metric in METRICS else metric
        ax.set(title=title, xlabel="sets")
        ax.set_xticks(range(len(sizes)), sizes)
    axes[0].set_ylabel("intervals that hold the truth (%)")
    return figure
