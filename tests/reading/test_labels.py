"""Labels against plain loops: names, numbers, bins, intersections, small groups."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.reading.columns import Column
from fddkit.reading.faults import Faults
from fddkit.reading.labels import (
    Labels,
    binned,
    check_bins,
    compact,
    crossed,
    merged,
    natural,
    number,
    numbered,
    text,
)


def back(found):
    return [found.names[i] if i >= 0 else None for i in found.labels]


@pytest.mark.parametrize(
    ("cell", "name"),
    [
        (" male ", "male"),
        ("a\x1bb\nc", "a b c"),
        ("e\u0301", "\u00e9"),
        (3.0, "3"),
        (np.float64(2.5), "2.5"),
        (np.int64(7), "7"),
        (True, "True"),
        *(
            (blank, None)
            for blank in ("", "  ", "NaN", "NA", "n/a", "NULL", "None", None, math.nan)
        ),
    ],
)
def test_cells(cell, name):
    assert text(cell) == name


def test_cells_that_are_no_names_or_numbers():
    with pytest.raises(ValueError, match="too long"):
        text("x" * 101)
    for bad in ("young", "1,5", "inf", "0x10"):
        with pytest.raises(ValueError, match="not a"):
            number(bad)
    assert number(" 2.5e1 ") == 25
    assert math.isnan(number("NA"))


@given(st.lists(st.one_of(st.none(), st.text(min_size=1, max_size=5)), max_size=30))
def test_every_row_gets_its_name_back(names):
    found = numbered(names, "it")
    assert set(found.names) <= set(filter(None, names)) | {f"{i:.15g}" for i in range(10**5)}
    assert [name is None for name in names] == (found.labels == -1).tolist()
    assert len(set(found.names)) == len(found.names)
    shuffled = numbered(names[::-1], "it")
    assert shuffled.names == found.names
    assert back(shuffled)[::-1] == back(found)


def test_numbers_are_sorted_and_joined_by_value():
    found = numbered(["10", "9", "9.0", "1e1", "-1", None], "age")
    assert found.names == ("-1", "9", "10")
    assert found.labels.tolist() == [2, 1, 1, 2, 0, -1]
    assert len(numbered(["007", "7"], "agent").names) == 2  # names, as one has leading zeros


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (["12345678901234568", "12345678901234567"], ("12345678901234567", "12345678901234568")),
        (["-0", "0", "0.0", "+0"], ("0",)),
        (["1e400", "2"], ("1e400", "2")),  # no float: text
        (["-1e400", "1e400", "2"], ("-1e400", "1e400", "2")),
        (["1e300", "2"], ("2", "1e+300")),
        (["0.5", ".50", "5e-1", "2"], ("0.5", "2")),
        (["0.1", "0.10000000000000000001"], ("0.1", "0.10000000000000000001")),
        (["5.", "1e999", "5"], ("5", "5.", "1e999")),
    ],
)
def test_numbers_are_told_apart_exactly(names, shown):
    found = numbered(names, "it")
    assert sorted(found.names) == sorted(shown)
    if "1e400" not in names and "1e999" not in names:
        assert found.names == shown


def test_blanks_are_collapsed_before_a_cell_is_cut():
    blank = " " * 400
    assert text(f"p{blank}q") == "p q"
    assert text(f"p{blank}r") == "p r"
    assert text(" " * 9_999 + "q") == "q"
    with pytest.raises(ValueError, match="has more than 10,000 characters"):
        text(" " * 10_000 + "q")


class Mute:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__
    __hash__ = None


def test_cells_without_a_text_or_hash():
    with pytest.raises(ValueError, match="Mute that has no text"):
        text(Mute())
    faults = Faults("it", range(3), "row")
    found = Column("sex", [Mute(), ["a"], ["a"]]).labels(faults)
    assert found.labels.tolist() == [-1, 0, 0]
    assert [fault["reason"] for fault in faults.listed()] == ["bad label"]


def test_natural_order():
    names = ["b10", "b9", "B9", "10", "9", "a", "b9x2", "b9x10", "²"]
    ordered = sorted(names, key=natural)
    assert ordered.index("9") < ordered.index("10")
    assert ordered.index("b9x2") < ordered.index("b9x10") < ordered.index("b10")
    names.reverse()
    assert sorted(names, key=natural) == ordered


def test_a_continuous_column_asks_for_bins():
    with pytest.raises(FddkitError, match="age has 50 different numbers, so it is continuous"):
        numbered([str(i + 0.5) for i in range(50)], "age")
    with pytest.raises(FddkitError, match="1,001 different values"):
        numbered([f"n{i}" for i in range(1001)], "name")


@given(
    st.lists(st.one_of(st.just(math.nan), st.floats(-50, 150)), min_size=1, max_size=40),
    st.lists(st.integers(-20, 120), min_size=2, max_size=6, unique=True).map(sorted),
)
def test_bins_with_edges_follow_a_loop(values, edges):
    found = binned(np.array(values), edges, "age")
    for value, name in zip(values, back(found), strict=True):
        inside = [
            f"{low}-{high}"
            for low, high in pairwise(edges)
            if low <= value < high or (value == high == edges[-1])
        ]
        assert name == (inside[0] if inside else None)


@given(st.lists(st.integers(0, 1000), min_size=1, max_size=60), st.integers(2, 6))
def test_quantiles_cover_everything_in_order(values, bins):
    found = binned(np.array(values, dtype=float), bins, "age")
    assert (found.labels >= 0).all()
    assert len(found.names) <= bins
    order = np.argsort(values)
    assert (np.diff(found.labels[order]) >= 0).all()
    if len(set(values)) == len(values) and len(values) % bins == 0:
        assert np.ptp(np.bincount(found.labels, minlength=bins)) <= 1


def test_bins_that_are_none():
    for bad in (
        1,
        0,
        True,
        "4",
        [3],
        [2, 1],
        [1, 1],
        [0, math.nan],
        [0, "x"],
        1.5,
        None,
        [0, 10**400],
    ):
        with pytest.raises(FddkitError, match="are no bins"):
            check_bins(bad, "age")
    close = binned(np.array([1.00000001, 1.00000002]), [1.0, 1.000000015, 1.00000003], "x")
    assert len(set(close.names)) == 2


labels = st.lists(st.integers(-1, 2), min_size=5, max_size=5)


@given(st.tuples(labels, labels, labels))
def test_intersections_follow_a_loop(columns):
    made = [Labels(np.array(c), tuple("abc")) for c in columns]
    cells = list(zip(*map(back, made), strict=True))
    wanted = [None if None in cell else " & ".join(cell) for cell in cells]
    some, every = crossed(made), crossed(made, everything=True)
    assert back(some) == back(every) == wanted
    assert some.names == tuple(sorted(set(filter(None, wanted))))
    assert len(every.names) == 27


def test_too_many_intersections():
    wide = Labels(np.zeros(1, dtype=int), tuple(map(str, range(1000))))
    with pytest.raises(FddkitError, match="1,000,000 intersections"):
        crossed([wide, wide])


@given(st.lists(st.integers(-1, 5), min_size=1, max_size=40), st.integers(1, 10))
def test_small_groups_are_merged(given_labels, smallest):
    found = Labels(np.array(given_labels), (*"abcde", "other"))
    after, small = merged(compact(found), smallest)
    counts = {n: back(found).count(n) for n in found.names if n in back(found)}
    assert small == {n: c for n, c in counts.items() if c < smallest}
    for before, now in zip(back(found), back(after), strict=True):
        assert now == ("other" if before in small else before)
    if "other" in after.names:
        assert after.names[-1] == "other" or not small
