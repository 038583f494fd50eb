"""The results of runs, as pure functions from data to HTML and SVG."""

from collections.abc import Iterator, Mapping

import numpy as np
from markupsafe import Markup

from ..evaluation.guard import doubts_of
from ..evaluation.measures import headline
from ..evaluation.report import FairnessReport
from ..plots import colour
from .numbers import KEY, alert, by_chance, formatted, heads, row
from .panels import FAINT, INK


def curve(losses: Mapping[int, float], total: int, rule: str) -> Markup:
    """Return the curve of a matching loss.

    Parameters
    ----------
    losses : mapping of int to float
        Step -> loss.
    total : int
        Number of steps in all.
    rule : str
        Determines the colour.

    Returns
    -------
    Markup
        SVG; empty until there are two steps.
    """
    steps = sorted(losses)
    if len(steps) < 2:
        return Markup()
    width, height, left, bottom = 300, 120, 44, 18
    values = np.array([losses[step] for step in steps])
    low, high = 0.0, float(values.max()) or 1.0
    x = left + np.array(steps) / max(total, 1) * (width - left - 6)
    y = height - bottom - (values - low) / (high - low) * (height - bottom - 8)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    texts = (
        (left - 4, 12, "end", f"{high:.3g}"),
        (left - 4, height - bottom, "end", "0"),
        (left, height - 4, "start", "0"),
        (width - 2, height - 4, "end", f"step {total}"),
        (width - 2, 12, "end", "matching loss (one network a step)"),
    )
    drawn = [
        Markup('<path d="M{} 4V{}H{}" stroke="{}" fill="none"/>').format(
            left, height - bottom, width, FAINT
        ),
        Markup('<polyline points="{}" fill="none" stroke="{}" stroke-width="1.5"/>').format(
            line, colour(rule)
        ),
        *(
            Markup('<text x="{}" y="{}" text-anchor="{}" font-size="9" fill="{}">{}</text>').format(
                *place, INK, text
            )
            for *place, text in texts
        ),
    ]
    label = f"matching loss over {steps[-1]} of {total} steps, now {values[-1]:.3g}"
    return Markup('<svg role="img" aria-label="{}" width="{}" height="{}">{}</svg>').format(
        label, width, height, Markup().join(drawn)
    )


def rates(report: FairnessReport) -> Markup:
    """Return the true-positive rate of each class and group as a heat map in a table.

    Parameters
    ----------
    report : FairnessReport
        Shown on the counterfactual test where there is one, because its cells are larger.

    Returns
    -------
    Markup
        HTML, with the gap of each class, the headline metrics, and what chance shows of them.
    """
    used = report.shown
    names = report.config.get("target_names") or [str(y) for y in range(used.counts.shape[2])]
    groups = report.config.get("group_names") or [str(a) for a in range(used.counts.shape[1])]
    mean = used.group_tpr.mean  # [A, C]
    head = [
        Markup(
            '<th scope="col" style="{};writing-mode:vertical-rl;transform:rotate(180deg)">{}</th>'
        ).format(_SMALL, group)
        for group in groups
    ]
    rows = []
    for y, name in enumerate(names):
        cells = [_rate(mean[a, y], name, group) for a, group in enumerate(groups)]
        known = mean[:, y][~np.isnan(mean[:, y])]
        gap = f"{known.max() - known.min():.0f}" if len(known) > 1 else ""
        rows.append(
            Markup(
                '<tr><th scope="row" style="{small};text-align:right">{name}</th>{cells}'
                '<td style="{small};text-align:right"><b>{gap}</b></td></tr>'
            ).format(small=_SMALL, name=name, cells=Markup().join(cells), gap=gap)
        )
    test = "every test image in every group" if report.counterfactual else "test images"
    n, unit = used.accuracy.n, used.accuracy.unit
    test += f"; mean of {n} {unit}" if n > 1 else f"; one {unit.removesuffix('s')}"
    return Markup(
        '<div style="color:{ink};font-size:11px">true-positive rate (%), class by group; '
        "{test}</div>"
        '<table style="border-collapse:separate;border-spacing:1px;color:{ink}">'
        '<thead><tr><th></th>{head}<th style="{small}" title="{gap}">gap</th>'
        "</tr></thead>"
        "<tbody>{rows}</tbody></table>"
        '<div style="font-size:11px;color:{ink}">{numbers}.{key}</div>'
        '<div style="font-size:12px">{doubts}</div>'
    ).format(
        ink=INK,
        test=test,
        head=Markup().join(head),
        small=_SMALL,
        gap=f"of these means; DEO is the mean over {unit} of the gaps of each",
        rows=Markup().join(rows),
        numbers=Markup("; ").join(_headlines(used)),
        key=KEY,
        doubts=alert(*doubts_of(report)),
    )


def _headlines(report: FairnessReport) -> Iterator[Markup]:
    """Yield each headline metric with what chance shows."""
    for name, metric in headline().items():
        number = report.metric(name).to_dict()
        yield (
            Markup('<span title="{}">{}</span> <b>{}</b>').format(
                metric.meaning, metric.title, formatted(number["mean"], ".1f")
            )
            + (Markup(" ") + by_chance(number)).rstrip()
        )


_SMALL = "padding:1px 3px;font-weight:normal;font-size:10px"


def _rate(value: float, name: str, group: str) -> Markup:
    if np.isnan(value):
        return Markup('<td style="{}" title="no test image">&nbsp;</td>').format(_SMALL)
    part = value / 100
    return Markup(
        '<td title="{tip}" style="background:{shade};color:{ink};text-align:right;'
        'padding:1px 4px;font-size:10px">{value:.0f}</td>'
    ).format(
        tip=f"class {name}, group {group}: {value:.1f}% recognised",
        # a single hue, light where the group is recognised
        shade=f"rgb({40 + 215 * part:.0f},{30 + 205 * part:.0f},{90 + 60 * part:.0f})",
        ink="#222" if part > 0.55 else "#fff",
        value=value,
    )


def table(named: Mapping[str, FairnessReport]) -> Markup:
    """Return the comparison of several runs.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report.

    Returns
    -------
    Markup
        HTML: the headline metrics with 95% intervals and what they are over, and what chance
        shows; on the counterfactual test where there is one.
    """
    if not named:
        return Markup('<i style="color:{}">No run has finished yet.</i>').format(FAINT)
    rows = []
    for title, report in named.items():
        numbers = [report.shown.metric(name).to_dict() for name in headline()]
        rows.append(
            Markup(
                '<tr style="vertical-align:top">'
                '<th scope="row" style="text-align:left;font-weight:normal">'
                '<span style="color:{colour}">●</span> {title}</th>{cells}<td>{over}</td></tr>'
            ).format(
                colour=colour(title),
                title=title,
                cells=row(numbers),
                over=report.shown.accuracy.over + (" of one set" if report.sets is None else ""),
            )
        )
    doubts = [one for title, report in named.items() for one in doubts_of(report, title)]
    return Markup(
        '<div style="color:{ink};font-size:12px">'
        '<table style="font-size:12px;border-spacing:8px 2px">'
        '<thead><tr><th scope="col" style="text-align:left">run</th>{heads}'
        '<th scope="col" style="text-align:left">over</th></tr></thead>'
        "<tbody>{rows}</tbody></table>{key}{doubts}</div>"
    ).format(
        ink=INK, heads=heads(headline()), rows=Markup().join(rows), key=KEY, doubts=alert(*doubts)
    )
