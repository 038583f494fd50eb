"""What runs have found, as pure functions from data to HTML and SVG."""

from collections.abc import Mapping, Sequence
from html import escape

import numpy as np

from ..fairness import FairnessReport
from ..metrics import Summary
from ..plots import colour
from .panels import FAINT, INK


def curve(losses: Mapping[int, float], total: int, rule: str) -> str:
    """Return the course of a matching loss.

    Parameters
    ----------
    losses : mapping of int to float
        Step and loss.
    total : int
        Steps in all.
    rule : str
        Gives the colour.

    Returns
    -------
    str
        SVG; empty before the second step.
    """
    steps = sorted(losses)
    if len(steps) < 2:
        return ""
    width, height, left, bottom = 300, 120, 44, 18
    values = np.array([losses[step] for step in steps])
    low, high = 0.0, float(values.max()) or 1.0
    x = left + np.array(steps) / max(total, 1) * (width - left - 6)
    y = height - bottom - (values - low) / (high - low) * (height - bottom - 8)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    text = f'font-size="9" fill="{INK}"'
    return (
        f'<svg role="img" aria-label="matching loss over {steps[-1]} of {total} steps, '
        f'now {values[-1]:.3g}" width="{width}" height="{height}">'
        f'<path d="M{left} 4V{height - bottom}H{width}" stroke="{FAINT}" fill="none"/>'
        f'<polyline points="{line}" fill="none" stroke="{colour(rule)}" stroke-width="1.5"/>'
        f'<text x="{left - 4}" y="12" text-anchor="end" {text}>{high:.3g}</text>'
        f'<text x="{left - 4}" y="{height - bottom}" text-anchor="end" {text}>0</text>'
        f'<text x="{left}" y="{height - 4}" {text}>0</text>'
        f'<text x="{width - 2}" y="{height - 4}" text-anchor="end" {text}>step {total}</text>'
        f'<text x="{width - 2}" y="12" text-anchor="end" {text}>matching loss (one network a step)'
        "</text></svg>"
    )


def rates(report: FairnessReport) -> str:
    """Return the true-positive rate of each class and group as a heat map in a table.

    Parameters
    ----------
    report : FairnessReport
        Shown on the counterfactual test where there is one, whose cells are larger.

    Returns
    -------
    str
        HTML, with the gap of each class, DEO_M, DEO_A and their noise floors.
    """
    used = report.counterfactual or report
    names = report.config.get("target_names") or [str(y) for y in range(used.counts.shape[2])]
    groups = report.config.get("group_names") or [str(a) for a in range(used.counts.shape[1])]
    mean = used.group_tpr.mean  # [A, C]
    head = "".join(
        f'<th scope="col" style="{_SMALL};writing-mode:vertical-rl;transform:rotate(180deg)">'
        f"{escape(g)}</th>"
        for g in groups
    )
    rows = []
    for y, name in enumerate(names):
        cells = "".join(_rate(mean[a, y], name, group) for a, group in enumerate(groups))
        known = mean[:, y][~np.isnan(mean[:, y])]
        gap = f"{known.max() - known.min():.0f}" if len(known) > 1 else ""
        rows.append(
            f'<tr><th scope="row" style="{_SMALL};text-align:right">{escape(name)}</th>{cells}'
            f'<td style="{_SMALL};text-align:right"><b>{gap}</b></td></tr>'
        )
    test = "every test image in every group" if report.counterfactual else "balanced test"
    n = len(used.counts)
    test += f"; mean of {n} networks" if n > 1 else "; one network"
    return (
        f'<div style="color:{INK};font-size:11px">true-positive rate (%), class by group; '
        f"{test}</div>"
        f'<table style="border-collapse:separate;border-spacing:1px;color:{INK}">'
        f'<thead><tr><th></th>{head}<th style="{_SMALL}">gap</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
        f'<div style="color:{INK};font-size:11px">accuracy <b>{used.accuracy.mean:.1f}</b>%; '
        f"{_deo('DEO_M', used.deo_m)}, the largest gap; "
        f"{_deo('DEO_A', used.deo_a)}, the mean. A fair model would show the noise floor.</div>"
    )


_SMALL = "padding:1px 3px;font-weight:normal;font-size:10px"


def _rate(value: float, name: str, group: str) -> str:
    if np.isnan(value):
        return f'<td style="{_SMALL}" title="no test image">&nbsp;</td>'
    part = value / 100
    # a single hue: light where the group is recognised
    shade = f"rgb({40 + 215 * part:.0f},{30 + 205 * part:.0f},{90 + 60 * part:.0f})"
    ink = "#222" if part > 0.55 else "#fff"
    tip = f"class {name}, group {group}: {value:.1f}% recognised"
    return (
        f'<td title="{escape(tip)}" style="background:{shade};color:{ink};text-align:right;'
        f'padding:1px 4px;font-size:10px">{value:.0f}</td>'
    )


def _deo(name: str, summary: Summary) -> str:
    return f"{name} <b>{summary.mean:.1f}</b> (floor {summary.noise_floor:.1f})"


def table(named: Mapping[str, FairnessReport]) -> str:
    """Return the comparison of several runs.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Titles and reports.

    Returns
    -------
    str
        HTML: accuracy, DEO_M and DEO_A with 95% intervals, and the noise floors; of the
        counterfactual test where there is one.
    """
    if not named:
        return f'<i style="color:{FAINT}">No run has finished yet.</i>'
    rows = []
    for title, report in named.items():
        used = report.counterfactual or report
        cells = "".join(f"<td>{_interval(s)}</td>" for s in (used.accuracy, used.deo_m, used.deo_a))
        floor = f"{used.deo_m.noise_floor:.0f} / {used.deo_a.noise_floor:.0f}"
        first = f'<span style="color:{colour(title)}">●</span> {escape(title)}'
        rows.append(
            f'<tr><th scope="row" style="text-align:left;font-weight:normal">{first}</th>{cells}'
            f"<td>{floor}</td><td>{len(used.counts)}</td></tr>"
        )
    heads = ("run", "accuracy", "DEO_M", "DEO_A", "floors", "networks")
    head = "".join(f'<th scope="col" style="text-align:left">{h}</th>' for h in heads)
    return (
        f'<table style="color:{INK};font-size:12px;border-spacing:8px 1px">'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
    )


def _interval(summary: Summary) -> str:
    low, high = summary.ci95
    if np.isnan(low):
        return f"{summary.mean:.1f}"
    return f'{summary.mean:.1f} <span style="color:{FAINT}">[{low:.0f}, {high:.0f}]</span>'


def notes(lines: Sequence[str]) -> str:
    """Return short paragraphs."""
    return "".join(f'<p style="color:{INK};margin:2px 0">{line}</p>' for line in lines)
