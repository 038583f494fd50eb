"""The table of a report, as text and for notebooks: every metric, and what was measured."""

import html as markup
from typing import TYPE_CHECKING

from ..core.reading import clip
from ..distillers import health
from .measures import METRICS

if TYPE_CHECKING:
    from .report import FairnessReport

_HEADER = ("mean", "std", "95% interval", "noise floor")


def rows(report: "FairnessReport") -> list[tuple[str, ...]]:
    """Return the rows of the table: name, mean, std, interval, noise floor."""
    table, reports = [], report.by_network()
    for name, single in reports.items():
        for test, tested in (("", single), (" (counterfactual)", single.counterfactual)):
            for key, metric in METRICS.items() if tested else ():
                title = metric.title + test
                title = f"{clip(name, 40)}: {title}" if len(reports) > 1 else title
                table.append((title, *tested.metric(key).cells()))
    return table


def notes(report: "FairnessReport") -> list[str]:
    """Return the sentences around the table: what was measured, and what was left out."""
    repeats, groups, classes, _ = report.counts.shape
    which = clip(", ".join(dict.fromkeys(report.networks)))
    several = f" on {len(set(report.sets))} training sets" if report.sets else ""
    found = [
        f"{repeats} network{'s' * (repeats > 1)} ({which}){several}; tested on "
        f"{report.counts[0].sum():,} images, {classes} classes x {groups} groups; percent"
    ]
    names = report.config.get("group_names"), report.config.get("target_names")
    cells = [
        f"{names[0][a]} {names[1][y]}" if all(names) else f"group {a} class {y}"
        for a, y in report.empty_cells
    ]
    unwell = health.sentence(report.config.get("health", {}))
    if unwell:
        found.append(clip(unwell, 600))
    if cells:
        more = f" and {len(cells) - 5} more" if len(cells) > 5 else ""
        found.append(f"left out, no test image: {clip(', '.join(cells[:5]), 200)}{more}")
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
