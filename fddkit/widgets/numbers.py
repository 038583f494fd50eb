"""A number as the tables of the explorer show it: its interval, over what, and beside chance.

Numbers come as `fddkit.evaluation.summary.Summary.to_dict` gives them, or from a file, which may
be older and lack some, or hold what is no number.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from markupsafe import Markup

from ..evaluation.kept_numbers import only_chance, over
from ..evaluation.measures import Metric
from .panels import FAINT, INK

#: What the words beside a gap mean.
KEY = Markup(
    '<div style="color:{}">percent; by chance: what a fair model would show on the same test, on '
    "average, and at most in 19 tests of 20; ≈: not more than chance shows</div>"
).format(FAINT)


def formatted(value: object, form: str) -> str:
    """Return a number in a format, or that it is unknown."""
    return format(value, form) if isinstance(value, int | float) else "unknown"


def cell(number: Mapping[str, Any]) -> Markup:
    """Return a number with its interval and, for a gap, what chance shows.

    Parameters
    ----------
    number : mapping
        All keys but ``mean`` may be missing.

    Returns
    -------
    Markup
        HTML; a tooltip says what the interval is over.
    """
    ends = number.get("ci95")
    low, high = ends if isinstance(ends, list | tuple) and len(ends) == 2 else (None, None)
    interval = "" if low is None else f" [{formatted(low, '.0f')}, {formatted(high, '.0f')}]"
    units = over(number)
    beside = by_chance(number)
    return Markup('{}<span title="{}" style="color:{}">{}</span>{}{}').format(
        formatted(number.get("mean"), ".1f"),
        f"95% interval over {units}" if units else "95% interval",
        FAINT,
        interval,
        Markup("<br/>") if beside else "",
        beside,
    )


def by_chance(number: Mapping[str, Any]) -> Markup:
    """Return what chance shows, for a gap: its mean, and what it exceeds once in twenty."""
    mean, most = (number.get(key) for key in ("noise_floor", "most_by_chance"))
    if mean is None:
        return Markup()
    quantile = "" if most is None else f" (at most {formatted(most, '.0f')})"
    mark = "≈ " if only_chance(number) else ""
    return Markup('{}<span style="color:{}">by chance {}{}</span>').format(
        mark, FAINT, formatted(mean, ".0f"), quantile
    )


def row(numbers: Iterable[Mapping[str, Any] | None]) -> Markup:
    """Return the cells of a table's row; those of numbers that are not known stay empty."""
    one = Markup('<td style="white-space:nowrap">{}</td>')
    return Markup().join(one.format(cell(number) if number else "") for number in numbers)


def heads(metrics: Mapping[str, Metric]) -> Markup:
    """Return the heads of a table's columns, one per metric, with its meaning as a tooltip."""
    one = Markup('<th scope="col" style="text-align:left" title="{}">{}</th>')
    return Markup().join(one.format(m.meaning, m.title) for m in metrics.values())


def alert(*sentences: str) -> Markup:
    """Return what keeps numbers from being relied on; empty sentences are left out."""
    one = Markup('<div role="alert" style="color:{}"><b>{}</b></div>')
    return Markup().join(one.format(INK, sentence) for sentence in sentences if sentence)
