"""The table of a report, as text and for notebooks: every metric, and what was measured."""

import html as markup
import math
from typing import TYPE_CHECKING

import numpy as np

from ..core.reading import clip
from .guard import doubts_of
from .measures import METRICS
from .summary import between

if TYPE_CHECKING:
    from .report import FairnessReport
    from .summary import Summary

_TO_TELL = 10  # points
_HEADER = ("mean", "std", "95% interval", "by chance", "at most", "p", "without noise")


def rows(report: "FairnessReport") -> list[tuple[str, ...]]:
    """Return the rows of the table.

    Each has the name, mean, standard deviation and interval of a metric; for gaps between groups,
    what a fair model would show on the same test by chance (its mean and what it exceeds once in
    twenty), the p-value, and the gap without the noise of the test images, with its interval.
    """
    table, reports = [], report.by_network()
    for name, single in reports.items():
        for test, tested in (("", single), (" (counterfactual)", single.counterfactual)):
            for key, metric in METRICS.items() if tested else ():
                summary = tested.metric(key)
                if math.isnan(summary.mean) and not metric.headline:
                    continue
                title = metric.title + test
                title = f"{clip(name, 40)}: {title}" if len(reports) > 1 else title
                table.append((title, *summary.cells(), *_chance(summary)))
    return table


def _chance(summary: "Summary") -> tuple[str, str, str]:
    """Return what a fair model exceeds once in twenty, the p-value, and the corrected number."""
    true = summary.true
    if summary.chance is None or math.isnan(summary.noise_floor):
        return "", "", ""
    found = ""
    if true is not None:
        found = f"{true.within(summary.bounds):.1f} {between(*true.interval(summary.bounds))}"
    return f"{summary.most_by_chance:.1f}", f"{summary.p:.3f}", found.removesuffix(" -")


def notes(report: "FairnessReport") -> list[str]:
    """Return the sentences around the table: what was measured, and what was left out."""
    repeats, groups, classes, _ = report.counts.shape
    which = clip(", ".join(dict.fromkeys(report.networks)))
    several = f" on {len(set(report.sets))} training sets" if report.sets else ""
    found = [
        f"{repeats} network{'s' * (repeats > 1)} ({which}){several}; tested on "
        f"{report.counts[0].sum():,} images, {classes} classes x {groups} groups; percent; "
        f"intervals over {report.accuracy.unit}"
    ]
    found += [clip(clause, 600) for clause in doubts_of(report)]
    for title, one in (("", report), ("counterfactual ", report.counterfactual)):
        if one is not None:
            found += [f"{title}{line}" for line in _too_small(one)]
    names = report.config.get("group_names"), report.config.get("target_names")
    cells = [
        f"{names[0][a]} {names[1][y]}" if all(names) else f"group {a} class {y}"
        for a, y in report.empty_cells
    ]
    if cells:
        more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
        found.append(f"left out, no test image: {clip(', '.join(cells[:5]), 200)}{more}")
    return found


def _too_small(report: "FairnessReport") -> list[str]:
    """Return which gaps are mostly noise, and how many images it would take."""
    size = report.counts[0].sum(-1)
    size, found = size[size > 0], []
    cells = f"{size.min()} to {size.max()}" if size.min() < size.max() else f"{size.max()}"
    for key, metric in METRICS.items():
        if metric.headline and report.mostly_noise(key):
            # noise falls with the root of the number of images
            enough = float(np.median(size)) * (2 * report.metric(key).noise_floor / _TO_TELL) ** 2
            told = f"{enough:,.0f} or more would tell {_TO_TELL} points"
            if enough <= size.min():
                told = f"they suffice to tell {_TO_TELL} points, and the gap is smaller"
            found.append(
                f"{metric.title}: mostly noise, with {cells} images of a class and group; {told}"
            )
        elif metric.headline and metric.between_groups and report.at_its_bound(key):
            found.append(
                f"{metric.title}: at its largest possible value within the noise of {cells} images "
                "of a class and group, so a larger gap could not be told"
            )
    return found


def text(report: "FairnessReport") -> str:
    """Return the table in plain text."""
    lines = [("", *_HEADER), *rows(report)]
    width = [max(map(len, column)) for column in zip(*lines, strict=True)]
    body = [
        line[0].ljust(width[0])
        + "".join("  " + cell.rjust(w) for cell, w in zip(line[1:], width[1:], strict=True))
        for line in lines
    ]
    first, *rest = notes(report)
    return "\n".join(line.rstrip() for line in (first, *body, *rest))


def html(report: "FairnessReport") -> str:
    """Return the table for a notebook."""

    def line(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{markup.escape(c)}</{tag}>" for c in cells) + "</tr>"

    first, *rest = (f"<p>{markup.escape(note)}</p>" for note in notes(report))
    body = "".join(line("td", row) for row in rows(report))
    return f"{first}<table>{line('th', ('', *_HEADER))}{body}</table>{''.join(rest)}"
