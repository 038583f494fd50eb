"""The figure of what a step costs."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .style import WIDTH, Figure, colour, literal, new, styled

if TYPE_CHECKING:
    import pandas as pd

    from ..analysis.cost import Row


@styled
def cost(rows: "Sequence[Row]", published: "pd.DataFrame | None" = None) -> Figure:
    """Show time and memory of a step, relative to vanilla, against the number of groups.

    Parameters
    ----------
    rows : sequence of Row
        From `fddkit.analysis.cost.cost`.
    published : pandas.DataFrame, optional
        Published costs with columns method, rule, groups, metric (``time`` or ``memory``), ratio
        and source; drawn dotted, with hollow marks.

    Returns
    -------
    Figure
        One row per method: time on the left, peak memory on the right.
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
            options = {"color": colour(rule.removeprefix("naive ")), "ls": dash}
            options["label"] = literal(rule)
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
                        label=literal(f"{rule}, {source}"),
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
