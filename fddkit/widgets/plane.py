"""Where the groups of a class and the targets of the rules lie, as SVG and as a table."""

from collections.abc import Mapping, Sequence

from markupsafe import Markup
from torch import Tensor

from ..plots import group_colours
from ..plots.style import outline
from ..theory import GroupStatistics, Together, plane, residuals, together, worst
from .panels import FAINT, INK

_SIDE = 270  # in CSS pixels


def geometry(
    stats: GroupStatistics,
    centres: Mapping[str, Tensor],
    y: int,
    group_names: Sequence[str],
    chosen: str = "",
    title: str = "",
) -> Markup:
    """Return the groups of a class and the point to which each rule draws it, in their plane.

    Parameters
    ----------
    stats : GroupStatistics
        The statistics of the groups.
    centres : mapping of str to Tensor
        The targets, from `fddkit.theory.aims`.
    y : int
        The class.
    group_names : sequence of str
        Names of the groups; a group whose name is a colour is drawn in it.
    chosen : str
        The rule whose target is drawn largest.
    title : str
        Describes the picture for screen readers.

    Returns
    -------
    Markup
        SVG: discs are groups, and their size shows their share; a dotted line leads from a target
        to the group farthest from it.
    """
    middle, axes = plane(stats, y)
    at = ((stats.points[y] - middle) @ axes.mT)[stats.present[y]]
    reach = float(at.abs().max()) or 1.0
    half = _SIDE / 2

    def place(point: Tensor) -> tuple[float, float]:
        x, up = (point / reach * (half - 28)).tolist()
        return half + x, half - up

    names = [n for n, here in zip(group_names, stats.present[y].tolist(), strict=True) if here]
    shares = stats.shares[y, stats.present[y]].tolist()
    disc = Markup(
        '<circle cx="{:.1f}" cy="{:.1f}" r="{:.1f}" fill="{}" stroke="{}" stroke-width="0.8" '
        'fill-opacity="0.9"><title>{}: {:.1f}% of the class</title></circle>'
    )
    drawn = [
        disc.format(*place(point), 3 + 14 * share**0.5, ink, INK, name, 100 * share)
        for name, ink, share, point in zip(names, group_colours(names), shares, at, strict=True)
    ]
    for one in together(stats, centres, y):
        x, up = place((one.centre[y] - middle) @ axes.mT)
        far = residuals(stats, one.centre)[y, stats.present[y]].argmax()
        line = Markup(
            '<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="{}" '
            'stroke-dasharray="2 3"/>'
        ).format(x, up, *place(at[far]), one.rule.colour)
        drawn += [line, _mark(one, x, up, 16 if chosen in one.names else 11)]
    return Markup(
        '<svg role="img" aria-label="{title}" width="{side}" height="{side}" '
        'viewBox="0 0 {side} {side}" style="border:1px solid {faint};max-width:100%">{drawn}</svg>'
    ).format(title=title, side=_SIDE, faint=FAINT, drawn=Markup().join(drawn))


def _mark(one: Together, x: float, y: float, size: float) -> Markup:
    """Return the mark of a target, the same as in every figure."""
    rule = one.rule
    return Markup(
        '<path transform="translate({:.1f} {:.1f})" d="{}" fill="{}" stroke="{}" '
        'stroke-width="{}"><title>target of {}</title></path>'
    ).format(
        x,
        y,
        outline(rule.mark, size * 1.3 if rule.hollow else size),
        "none" if rule.hollow else rule.colour,
        rule.colour if rule.hollow else "#fff",
        2 if rule.hollow else 0.7,
        one.label,
    )


def targets(
    stats: GroupStatistics,
    centres: Mapping[str, Tensor],
    y: int,
    group_names: Sequence[str],
    chosen: str = "",
) -> Markup:
    """Return the legend of `geometry` with the residuals as numbers.

    Parameters
    ----------
    stats, centres, y, group_names, chosen
        As for `geometry`.

    Returns
    -------
    Markup
        HTML: for each rule the largest residual of the class, the group that has it, and the mean
        of the largest residual over all classes.
    """
    rows = []
    for one in together(stats, centres, y):
        found = residuals(stats, one.centre)[y]
        everywhere = worst(stats, one.centre).nanmean()
        rows.append(
            Markup(
                '<tr style="font-weight:{bold}"><td><svg width="20" height="20">{mark}</svg></td>'
                '<td>{label}</td><td style="text-align:right">{worst:.2f}</td><td>{group}</td>'
                '<td style="text-align:right">{everywhere}</td></tr>'
            ).format(
                bold="bold" if chosen in one.names else "normal",
                mark=_mark(one, 10, 10, 11),
                label=one.label,
                worst=float(found.nan_to_num(nan=0.0).max()),
                group=group_names[int(found.nan_to_num(nan=-1.0).argmax())],
                everywhere=_number(float(everywhere)),
            )
        )
    return Markup(
        '<table style="color:{};font-size:12px;border-spacing:6px 1px">'
        "<thead><tr><th></th><th>target of</th>"
        '<th title="distance from the target to the group farthest from it">'
        "worst residual</th><th>group</th>"
        '<th title="the worst residual of each class, averaged">all classes</th></tr></thead>'
        "<tbody>{}</tbody></table>"
    ).format(INK, Markup().join(rows))


def _number(value: float) -> str:
    return "none" if value != value else f"{value:.2f}"
