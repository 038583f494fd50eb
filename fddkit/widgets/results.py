"""The results of runs, as pure functions from data to HTML and SVG."""

from collections.abc import Mapping

import numpy as np
from markupsafe import Markup

from ..distillers import health
from ..evaluation.metrics import Summary
from ..evaluation.report import FairnessReport
from ..plots import colour
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
        HTML, with the gap of each class, DEO_M, DEO_A and their noise floors.
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
    test = "every test image in every group" if report.counterfactual else "balanced test"
    n = len(used.counts)
    test += f"; mean of {n} networks" if n > 1 else "; one network"
    return Markup(
        '<div style="color:{ink};font-size:11px">true-positive rate (%), class by group; '
        "{test}</div>"
        '<table style="border-collapse:separate;border-spacing:1px;color:{ink}">'
        '<thead><tr><th></th>{head}<th style="{small}">gap</th></tr></thead>'
        "<tbody>{rows}</tbody></table>"
        '<div style="color:{ink};font-size:11px">accuracy <b>{accuracy:.1f}</b>%; '
        "{deo_m}, the largest gap; {deo_a}, the mean. A fair model would show the noise floor."
        "</div>{doubt}"
    ).format(
        ink=INK,
        test=test,
        head=Markup().join(head),
        small=_SMALL,
        rows=Markup().join(rows),
        accuracy=used.accuracy.mean,
        deo_m=_deo("DEO_M", used.deo_m),
        deo_a=_deo("DEO_A", used.deo_a),
        doubt=_doubt(report),
    )


def _doubt(report: FairnessReport) -> Markup:
    """Return what is wrong with the tested set, if anything."""
    doubt = health.sentence(report.config.get("health", {}))
    if not doubt:
        return Markup()
    return Markup('<div role="alert" style="color:{};font-size:12px"><b>{}</b></div>').format(
        INK, doubt
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


def _deo(name: str, summary: Summary) -> Markup:
    return Markup("{} <b>{:.1f}</b> (floor {:.1f})").format(name, summary.mean, summary.noise_floor)


def table(named: Mapping[str, FairnessReport]) -> Markup:
    """Return the comparison of several runs.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Title -> report.

    Returns
    -------
    Markup
        HTML: accuracy, DEO_M and DEO_A with 95% intervals, and the noise floors; on the
        counterfactual test where there is one.
    """
    if not named:
        return Markup('<i style="color:{}">No run has finished yet.</i>').format(FAINT)
    rows = []
    for title, report in named.items():
        used = report.shown
        rows.append(
            Markup(
                '<tr><th scope="row" style="text-align:left;font-weight:normal">'
                '<span style="color:{colour}">●</span> {title}</th><td>{accuracy}</td>'
                "<td>{deo_m}</td><td>{deo_a}</td><td>{floors}</td><td>{networks}</td></tr>"
            ).format(
                colour=colour(title),
                title=title,
                accuracy=_interval(used.accuracy),
                deo_m=_interval(used.deo_m),
                deo_a=_interval(used.deo_a),
                floors=f"{used.deo_m.noise_floor:.0f} / {used.deo_a.noise_floor:.0f}",
                networks=len(used.counts),
            )
        )
    heads = ("run", "accuracy", "DEO_M", "DEO_A", "floors", "networks")
    head = map(Markup('<th scope="col" style="text-align:left">{}</th>').format, heads)
    return Markup(
        '<table style="color:{};font-size:12px;border-spacing:8px 1px">'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table>"
    ).format(INK, Markup().join(head), Markup().join(rows))


def _interval(summary: Summary) -> Markup:
    low, high = summary.ci95
    mean = Markup("{:.1f}").format(summary.mean)
    if np.isnan(low):
        return mean
    return mean + Markup(' <span style="color:{}">[{:.0f}, {:.0f}]</span>').format(FAINT, low, high)
