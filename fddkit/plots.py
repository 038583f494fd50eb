"""Figures: pure functions from data to `matplotlib.figure.Figure`, in one style.

Nothing here computes or saves; a notebook, the report and a widget draw the same figure from the
same function. Figures are sized for print at one or two columns.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import matplotlib as mpl
import numpy as np
import seaborn as sns
import torch
from torch import Tensor

from .distilled import DistilledSet
from .fairness import FairnessReport
from .grouped import GroupedDataset
from .rng import generator
from .style import WIDTH, Figure, colour, new, styled

if TYPE_CHECKING:
    import pandas as pd

    from .cost import Row


def mosaic(images: Tensor, columns: int, gap: int = 1, fill: float = 1.0) -> np.ndarray:
    """Lay images out in rows.

    Parameters
    ----------
    images : Tensor
        uint8, or float in [0, 1]; [N, C, H, W], N a multiple of ``columns``.
    columns : int
        Images a row.
    gap : int
        Pixels between images.
    fill : float
        Value of the gaps.

    Returns
    -------
    numpy.ndarray
        float32 [rows * (H + gap) - gap, columns * (W + gap) - gap, 3].
    """
    x = images.float() / 255 if images.dtype == torch.uint8 else images.float()
    n, channels, height, width = x.shape
    x = x.expand(n, 3, height, width) if channels == 1 else x
    x = torch.nn.functional.pad(x, (0, gap, 0, gap), value=fill)
    x = x.view(n // columns, columns, 3, height + gap, width + gap).permute(0, 3, 1, 4, 2)
    sheet = x.reshape(n // columns * (height + gap), columns * (width + gap), 3)
    return sheet[: sheet.shape[0] - gap, : sheet.shape[1] - gap].cpu().numpy()


def _pick(target: Tensor, n_classes: int, per_class: int, draws: torch.Generator) -> Tensor:
    """Return indices of ``per_class`` random images a class (repeated where it has fewer)."""
    rows = []
    for y in range(n_classes):
        pool = torch.where(target == y)[0]
        pool = pool[torch.randperm(len(pool), generator=draws)]
        rows.append(pool.repeat(-(-per_class // max(1, len(pool))))[:per_class])
    return torch.cat(rows)


@styled
def sets(named: Mapping[str, DistilledSet], per_class: int = 10) -> Figure:
    """Show distilled sets side by side: a row for each class, as in the papers' figures.

    Parameters
    ----------
    named : mapping of str to DistilledSet
        Titles and sets, of the same classes.
    per_class : int
        At most so many images of each class.

    Returns
    -------
    Figure
        Look at the colours of a row: are they the majority's, or all of them mixed?
    """
    first = next(iter(named.values()))
    classes = len(first.target_names)
    panel = min(WIDTH / len(named), 3.4)
    shown = {}
    for title, s in named.items():
        count = min(per_class, int(torch.bincount(s.target, minlength=classes).min()))
        order = torch.cat([torch.where(s.target == y)[0][:count] for y in range(classes)])
        shown[title] = mosaic(s.pixels()[order], count)
    ratio = max(sheet.shape[0] / sheet.shape[1] for sheet in shown.values())
    figure = new(panel * len(named), min(panel * ratio, 8) + 0.3)
    for ax, (title, sheet) in zip(
        np.atleast_1d(figure.subplots(1, len(named))), shown.items(), strict=True
    ):
        ax.imshow(sheet)
        ax.set_title(title)
        _class_rows(ax, first.target_names if ax is figure.axes[0] else (), sheet.shape[0])
    return figure


@styled
def gallery(data: GroupedDataset, per_class: int = 12, seed: int = 0, title: str = "") -> Figure:
    """Show random images of each class as they occur, majority and minorities alike.

    Parameters
    ----------
    data : GroupedDataset
        Any set.
    per_class : int
        Images a row.
    seed : int
        Which images.
    title : str
        What is seen; by default the name of the set.

    Returns
    -------
    Figure
    """
    draws = generator(seed, "gallery")
    index = _pick(data.target.cpu(), data.n_classes, per_class, draws)
    sheet = mosaic(data.images[index], per_class)
    figure = new(3.4, 3.4 * sheet.shape[0] / sheet.shape[1] + 0.3)
    ax = figure.subplots()
    ax.imshow(sheet)
    ax.set_title(title or data.name)
    _class_rows(ax, data.target_names, sheet.shape[0])
    return figure


@styled
def strip(rows: Mapping[str, Tensor], title: str = "") -> Figure:
    """Show labelled rows of images, such as one row a GAP level.

    Parameters
    ----------
    rows : mapping of str to Tensor
        Label and images [K, C, H, W], the same K in every row.
    title : str
        What is seen.

    Returns
    -------
    Figure
    """
    images = torch.cat(list(rows.values()))
    columns = len(images) // len(rows)
    sheet = mosaic(images, columns)
    width = min(WIDTH, 0.55 * columns + 1)
    figure = new(width, (width - 0.9) * sheet.shape[0] / sheet.shape[1] + 0.35)
    ax = figure.subplots()
    ax.imshow(sheet)
    ax.set_title(title)
    _class_rows(ax, tuple(rows), sheet.shape[0])
    return figure


def _class_rows(ax: mpl.axes.Axes, names: tuple[str, ...], height: int) -> None:
    """Label the rows of a sheet and hide everything else of its axes."""
    ax.set_xticks([])
    ax.set_yticks([(i + 0.5) * height / len(names) - 0.5 for i in range(len(names))], names)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


@styled
def group_table(data: GroupedDataset, title: str = "") -> Figure:
    """Show how many images each class and group has.

    Parameters
    ----------
    data : GroupedDataset
        Any set.
    title : str
        What is seen.

    Returns
    -------
    Figure
        The diagonal is the bias.
    """
    counts = data.counts().cpu().numpy()
    share = counts / counts.sum(1, keepdims=True).clip(1)
    figure = new(min(WIDTH, 1.4 + 0.42 * data.n_groups), 0.9 + 0.22 * data.n_classes)
    ax = figure.subplots()
    sns.heatmap(
        share,
        ax=ax,
        annot=counts,
        fmt="d",
        annot_kws={"size": 6},
        cmap="Blues",
        vmin=0,
        vmax=1,
        linewidths=0.5,
        cbar_kws={"label": "share of the class"},
        xticklabels=data.group_names,
        yticklabels=data.target_names,
    )
    ax.set(xlabel="group (PA)", ylabel="class (TA)", title=title or f"{data.name}: images")
    ax.tick_params(length=0)
    ax.tick_params(axis="x", rotation=45)
    return figure


@styled
def rates(named: Mapping[str, FairnessReport]) -> Figure:
    """Show the true-positive rate of each class and group, one heat map a report.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Titles and reports of the same classes and groups.

    Returns
    -------
    Figure
        A fair model has rows of one colour; cells without a test image stay blank.
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
        ax.set_title(
            f"{title}: DEO_M {report.deo_m.mean:.1f} (floor {report.deo_m.noise_floor:.1f})"
        )
        ax.tick_params(length=0)
        ax.tick_params(axis="x", rotation=60)
        ax.tick_params(axis="y", rotation=0)
    for above, ax in enumerate(axes[len(named) :], len(named) - columns):
        ax.set_visible(False)
        axes[above].tick_params(labelbottom=True)  # nothing below carries its labels
    figure.supxlabel("group (PA)", fontsize=8)
    figure.supylabel("class (TA)", fontsize=8)
    figure.colorbar(
        axes[0].collections[0], ax=list(axes), label="true-positive rate (%)", shrink=0.8
    )
    return figure


@styled
def losses(named: Mapping[str, Tensor], window: int = 25) -> Figure:
    """Show matching losses over the iterations, each divided by its first value.

    Rules sum over different numbers of targets, so only the course of a loss can be compared.

    Parameters
    ----------
    named : mapping of str to Tensor
        Title and losses [iterations].
    window : int
        Iterations of the running mean (every iteration has a network of its own).

    Returns
    -------
    Figure
    """
    figure = new(3.4, 2.3)
    ax = figure.subplots()
    for title, loss in named.items():
        values = np.asarray(loss, dtype=float)
        size = max(1, min(window, len(values) // 4))
        smooth = np.convolve(values, np.full(size, 1 / size), mode="valid")
        iterations = np.arange(len(smooth)) + size
        ax.plot(iterations, smooth / smooth[0], label=title, color=colour(title))
    ax.set(
        xlabel="iteration",
        ylabel="matching loss / its start",
        title=f"Matching loss (running mean of {size})",
    )
    ax.legend(frameon=False, loc="upper right")
    return figure


@styled
def comparison(named: Mapping[str, FairnessReport]) -> Figure:
    """Show accuracy, DEO_M and DEO_A of several sets, each with its interval and noise floor.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Titles and reports.

    Returns
    -------
    Figure
        Points are means, bars 95% intervals, a grey tick is what an exactly fair model would
        show; hollow points are the counterfactual test (every test image in every group).
    """
    figure = new(WIDTH, 0.8 + 0.32 * len(named))
    axes = figure.subplots(1, 3, sharey=True)
    titles = {"accuracy": "accuracy", "deo_m": "DEO_M", "deo_a": "DEO_A"}
    for ax, (metric, title) in zip(axes, titles.items(), strict=True):
        for y, (name, report) in enumerate(named.items()):
            for one, shift, face in (
                (report, -0.13, colour(name)),
                (report.counterfactual, 0.17, "white"),
            ):
                if one is None:
                    continue
                summary = getattr(one, metric)
                low, high = np.nan_to_num(summary.ci95, nan=summary.mean)
                ax.plot([low, high], [y + shift] * 2, color=colour(name), linewidth=1.5)
                ax.plot(
                    summary.mean, y + shift, "o", ms=4.5, color=colour(name), markerfacecolor=face
                )
                if metric != "accuracy":
                    ax.plot(summary.noise_floor, y + shift, "|", ms=8, mew=1.5, color="0.5")
        ax.set(xlabel="%", xlim=(-3, 103), title=title)
        ax.set_yticks(range(len(named)), list(named))
        ax.grid(axis="x", color="0.9", linewidth=0.6)
        ax.tick_params(axis="y", length=0)
    axes[0].invert_yaxis()
    handles = [
        mpl.lines.Line2D([], [], marker="o", ls="", ms=4.5, color="0.3", label="balanced test"),
        mpl.lines.Line2D(
            [], [], marker="|", ls="", ms=8, mew=1.5, color="0.5", label="noise floor"
        ),
    ]
    if any(report.counterfactual for report in named.values()):
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
    """Show a metric against a condition, such as BR, one line a method.

    Parameters
    ----------
    points : mapping of str to mapping of float to FairnessReport
        Title, then condition and report.
    xlabel : str
        What the condition is.
    metric : {"accuracy", "deo_m", "deo_a"}
        What is shown.

    Returns
    -------
    Figure
        Bands are 95% intervals, dotted lines noise floors.
    """
    figure = new(3.4, 2.4)
    ax = figure.subplots()
    for title, series in points.items():
        x = sorted(series)
        summary = [getattr(series[v], metric) for v in x]
        ax.plot(x, [s.mean for s in summary], "o-", ms=3.5, label=title, color=colour(title))
        low, high = np.array([s.ci95 for s in summary]).T
        ax.fill_between(x, low, high, color=colour(title), alpha=0.15, linewidth=0)
        if metric != "accuracy":
            ax.plot(x, [s.noise_floor for s in summary], ":", lw=0.9, color=colour(title))
    label = {"accuracy": "accuracy (%)"}.get(metric, metric.upper() + " (%)")
    ax.set(xlabel=xlabel, ylabel=label, ylim=(-3, 103))
    ax.legend(frameon=False)
    return figure


@styled
def cost(rows: "Sequence[Row]", published: "pd.DataFrame | None" = None) -> Figure:
    """Show time and memory of a step, relative to vanilla, against the number of groups.

    Parameters
    ----------
    rows : sequence of Row
        Of `fddkit.cost.cost`.
    published : pandas.DataFrame, optional
        Columns method, rule, groups, metric (``time`` or ``memory``), ratio and source: what
        papers print, drawn hollow and dashed.

    Returns
    -------
    Figure
        A row a method: time on the left, peak memory on the right.
    """
    methods = list(dict.fromkeys(row.method for row in rows))
    figure = new(WIDTH, 0.5 + 2.1 * len(methods))
    axes = figure.subplots(len(methods), 2, squeeze=False, sharex=True)
    for i, (line, method) in enumerate(zip(axes, methods, strict=True)):
        own = [row for row in rows if row.method == method]
        base = {row.groups: row.peak_mb for row in own if row.rule == "vanilla"}
        for rule in dict.fromkeys(row.rule for row in own):
            series = [row for row in own if row.rule == rule]
            x = [row.groups for row in series]
            dash = "--" if rule.startswith("naive") else "-"
            options = {"color": colour(rule.removeprefix("naive ")), "ls": dash, "label": rule}
            line[0].plot(x, [row.ratio for row in series], marker="o", ms=3.5, **options)
            memory = [row.peak_mb / base[row.groups] for row in series]
            line[1].plot(x, memory, marker="o", ms=3.5, **options)
        if published is not None:
            for ax, metric in zip(line, ("time", "memory"), strict=True):
                mine = published[(published.method == method) & (published.metric == metric)]
                for (rule, source), found in mine.groupby(["rule", "source"]):
                    ax.plot(
                        found.groups,
                        found.ratio,
                        marker="s",
                        ms=3.5,
                        mfc="white",
                        ls=":",
                        color=colour(rule),
                        label=f"{rule}, {source}",
                    )
        for ax, title in zip(line, ("time", "peak memory"), strict=True):
            ax.axhline(1, color="0.8", linewidth=0.6, zorder=0)
            ax.set(title=f"{method.upper()}: {title} of a step", ylabel="ratio to vanilla")
            ax.set_ylim(0, None)
            ax.set_xticks(sorted({row.groups for row in own}))
            if i == len(methods) - 1:
                ax.set_xlabel("groups")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right upper", frameon=False)
    return figure
