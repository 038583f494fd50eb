"""From the columns of a table to numbered labels with names: text, numbers, bins, intersections."""

import math
import re
import unicodedata
from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import FddkitError
from ..core.numbers import is_whole
from ..core.reading import clip

MISSING = -1
OTHER = "other"
LONGEST_NAME = 100  # characters
_LONGEST_CELL = 10_000  # characters, of which most are then blanks
MOST_NAMES = 1000
MOST_FRACTIONS = 20  # different numbers with a fractional part, above which they are continuous
_BLANK = {"", "na", "n/a", "nan", "null", "none", "#n/a", "<na>", "nat"}
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?|[+-]?\.[0-9]+")


class Labels(NamedTuple):
    """Numbered labels.

    Attributes
    ----------
    labels : ndarray
        int64 [N]; -1 where there is none.
    names : tuple of str
        One per number.
    """

    labels: np.ndarray
    names: tuple[str, ...]


def natural(name: str) -> tuple:
    """Return what names are sorted by: numbers in them by value, then every character.

    Examples
    --------
    >>> sorted(["b10", "b9", "a", "10", "9"], key=natural)
    ['9', '10', 'a', 'b9', 'b10']
    """
    parts = re.split(r"([0-9]+)", name)
    key = tuple((0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts if part)
    return key, name


def text(value: Any) -> str | None:
    """Return a cell of a table as a name, or None if it is blank, NaN or "NA" (in any case).

    Parameters
    ----------
    value : Any
        What the table holds: text, a number, None.

    Raises
    ------
    ValueError
        If it is too long for a name, or has no text.
    """
    if value is None or (isinstance(value, float | np.floating) and math.isnan(value)):
        return None
    if isinstance(value, float | np.floating) and float(value).is_integer():
        value = int(value)
    try:
        plain = str(value)
    except Exception as error:  # code of others
        raise ValueError(f"{clip(type(value).__name__, 30)} that has no text") from error
    if len(plain) > _LONGEST_CELL:
        raise ValueError(f"{clip(plain, 30)!r} has more than {_LONGEST_CELL:,} characters")
    plain = unicodedata.normalize("NFC", plain)
    plain = " ".join("".join(c if c.isprintable() else " " for c in plain).split())
    if plain.lower() in _BLANK:
        return None
    if len(plain) > LONGEST_NAME:
        raise ValueError(f"{clip(plain, 30)!r} is too long for a name")
    return plain


def number(value: Any) -> float:
    """Return a cell of a table as a finite number; NaN if it is blank.

    Raises
    ------
    ValueError
        If it is something else.
    """
    plain = text(value)
    if plain is None:
        return math.nan
    try:
        found = float(plain)
    except ValueError as error:
        raise ValueError(f"{clip(plain, 30)!r} is not a number") from error
    if not math.isfinite(found):
        raise ValueError(f"{clip(plain, 30)!r} is not a finite number")
    return found


def numbered(names: Sequence[str | None], what: str) -> Labels:
    """Return names as labels in their natural order; if all are numbers, "1" and "1.0" are one.

    Parameters
    ----------
    names : sequence of str or None
        As `text` returns them.
    what : str
        What they are called in an error.

    Returns
    -------
    Labels

    Raises
    ------
    FddkitError
        If there are so many that the column is no label.

    Examples
    --------
    >>> numbered(["b", "a", None, "b"], "group")
    Labels(labels=array([ 1,  0, -1,  1]), names=('a', 'b'))
    """
    distinct = {name for name in names if name is not None}
    shown = {name: name for name in distinct}
    if distinct and all(_NUMBER.fullmatch(n) and math.isfinite(float(n)) for n in distinct):
        values = {name: Fraction(name) for name in distinct}
        if sum(v.denominator > 1 for v in set(values.values())) > MOST_FRACTIONS:
            raise FddkitError(
                f"{what} has {len(distinct):,} different numbers, so it is continuous; give bins, "
                "for example bins=4 (as many quantiles) or bins=[0, 20, 40, 100]"
            )
        titles = _titles(values)
        shown = {name: titles[value] for name, value in values.items()}
        order = [titles[value] for value in sorted(titles)]
    else:
        order = sorted(distinct, key=natural)
    if len(order) > MOST_NAMES:
        raise FddkitError(
            f"{what} has {len(order):,} different values, too many for labels (at most "
            f"{MOST_NAMES:,}); give another column, or bins if they are numbers"
        )
    place = {name: i for i, name in enumerate(order)}
    found = [MISSING if name is None else place[shown[name]] for name in names]
    return Labels(np.array(found, dtype=np.int64), tuple(order))


def _titles(values: dict[str, Fraction]) -> dict[Fraction, str]:
    """Return what each number is called: as briefly as possible, and no two alike."""
    titles = {}
    for value in set(values.values()):
        short = value.denominator == 1 and abs(value) < 10 ** (LONGEST_NAME - 1)
        titles[value] = str(value) if short else repr(float(value))
    if len(set(titles.values())) < len(titles):  # they differ where floats do not: as given
        titles = {values[name]: name for name in sorted(sorted(values), key=len, reverse=True)}
    return titles


def check_bins(bins: Any, what: str) -> int | list[float]:
    """Return a number of quantiles or ascending edges, or say why they are neither."""
    if is_whole(bins, 2) and bins <= MOST_NAMES:
        return bins
    edges = list(bins) if isinstance(bins, Sequence | np.ndarray) else []
    if isinstance(bins, str) or not 2 <= len(edges) <= MOST_NAMES:
        edges = []
    try:
        edges = [float(edge) for edge in edges]
    except (TypeError, ValueError, OverflowError):
        edges = []
    steps = np.diff(edges)
    if not edges or not (steps > 0).all():  # NaN is not above 0, either
        raise FddkitError(
            f"bins={clip(repr(bins))} of {what} are no bins; give the number of quantiles (at "
            "least 2), or ascending edges such as [0, 20, 40, 100]"
        )
    return edges


def binned(values: np.ndarray, bins: int | Sequence[float], what: str) -> Labels:
    """Put numbers into bins: from each edge up to below the next; the last includes its end.

    Parameters
    ----------
    values : ndarray
        float64 [N]; NaN where there is none.
    bins : int or sequence of float
        How many quantiles, or edges; a value outside gets no label.
    what : str
        What they are called in an error.

    Returns
    -------
    Labels
        Named "0-20"; bins without a value are left out.

    Examples
    --------
    >>> binned(np.array([5, 20, 40, 99]), [0, 20, 40], "age")
    Labels(labels=array([ 0,  1,  1, -1]), names=('0-20', '20-40'))
    """
    bins, known = check_bins(bins, what), ~np.isnan(values)
    edges = np.asarray(bins, dtype=np.float64)
    if edges.ndim == 0:
        if not known.any():
            return Labels(np.full(len(values), MISSING), ())
        edges = np.unique(np.quantile(values[known], np.linspace(0, 1, bins + 1)))
        if len(edges) < 2:
            edges = np.repeat(edges, 2)  # all are equal: one bin
    place = np.searchsorted(edges, values, side="right") - 1
    last = len(edges) - 2
    place[known & (values == edges[-1])] = last
    place[~known | (place < 0) | (place > last)] = MISSING
    short = [f"{edge:.6g}" for edge in edges]
    if len(set(short)) < len(set(edges.tolist())):
        short = [repr(edge) for edge in edges.tolist()]
    names = tuple(f"{low}-{high}" for low, high in pairwise(short))
    return compact(Labels(place.astype(np.int64), names))


def compact(found: Labels) -> Labels:
    """Return the labels numbered without those that never occur."""
    present = np.unique(found.labels[found.labels >= 0])
    place = np.full(len(found.names) + 1, MISSING, dtype=np.int64)  # the last is for -1
    place[present] = np.arange(len(present))
    return Labels(place[found.labels], tuple(found.names[i] for i in present))


def crossed_names(columns: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """Return what the intersections of columns are called, given the names of each column."""
    return tuple(map(" & ".join, product(*columns)))


def crossed(columns: Sequence[Labels], everything: bool = False) -> Labels:
    """Return the intersections of several columns, in the order of the first, then the second.

    Parameters
    ----------
    columns : sequence of Labels
        Of the same length.
    everything : bool
        Also those intersections that do not occur.

    Returns
    -------
    Labels
        Named "a & b"; no label where a column has none.

    Examples
    --------
    >>> a, b = numbered(["x", "y", "y"], "a"), numbered(["1", "2", "2"], "b")
    >>> crossed([a, b])
    Labels(labels=array([0, 1, 1]), names=('x & 1', 'y & 2'))
    >>> crossed([a, b], everything=True).names
    ('x & 1', 'x & 2', 'y & 1', 'y & 2')
    """
    total, names = columns[0]
    for labels, more in columns[1:]:
        if len(names) * len(more) > 50 * MOST_NAMES:
            raise FddkitError(
                f"the columns of the groups have {len(names) * len(more):,} intersections; "
                "give fewer columns, or bins"
            )
        both = (total >= 0) & (labels >= 0)
        total = np.where(both, total * len(more) + labels, MISSING)
        names = crossed_names([names, more])
    return Labels(total, names) if everything else compact(Labels(total, names))


def merged(found: Labels, smallest: int) -> tuple[Labels, dict[str, int]]:
    """Merge all labels with fewer images than ``smallest`` into "other", which comes last.

    Parameters
    ----------
    found : Labels
        The groups.
    smallest : int
        How many images a group needs to stay.

    Returns
    -------
    labels : Labels
    small : dict of str to int
        Those merged, with their numbers of images.
    """
    counts = np.bincount(found.labels[found.labels >= 0], minlength=len(found.names))
    small = {found.names[i]: int(n) for i, n in enumerate(counts) if n < smallest}
    if not small:
        return found, {}
    kept = [name for name in found.names if name not in small and name != OTHER]
    names = (*kept, OTHER)
    place = [names.index(name) if name in kept else len(kept) for name in found.names]
    place = np.array([*place, MISSING], dtype=np.int64)
    return compact(Labels(place[found.labels], names)), small
