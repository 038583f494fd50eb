"""Which images are dropped for a bias ratio, against a search over everything that could be."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from own_data import ODD, PLAIN, own

from fddkit.core.errors import FddkitError
from fddkit.data.thinning import Thinning, sizes

RATIOS = (0.125, 0.2, 0.34, 0.5, 0.667, 0.75, 0.8, 0.9, 0.95, 0.99, 1.0)


@given(st.integers(1, 60), st.integers(1, 60), st.sampled_from(RATIOS))
def test_as_near_as_whole_images_allow_and_as_few_dropped_as_possible(major, others, br):
    share = Fraction(str(br))
    if br == 1:
        assert sizes(major, others, br) == (major, 0)
        return
    if Fraction(major, major + others) <= share:
        all_of_them = [(major, n) for n in range(1, others + 1)]
    else:
        all_of_them = [(n, others) for n in range(1, major + 1)]
    best = min(all_of_them, key=lambda p: (abs(Fraction(p[0], sum(p)) - share), -sum(p)))
    assert sizes(major, others, br) == best


@pytest.mark.parametrize("br", [0.999999, 0.9999999, 1 - 2**-53])
def test_below_one_an_image_of_another_group_remains(br):
    assert sizes(500, 30, br) == (500, 1)
    assert sizes(500, 30, 1) == sizes(500, 30, np.float64(1)) == (500, 0)
    assert own().biased(br).counts().tolist()[0][0] == PLAIN[0][0]
    assert (own().biased(br).counts() > 0).sum(1).tolist() == [2, 2]


def test_what_is_kept_is_nested():
    thinning = Thinning(own(ODD), seed=3)
    at = [[set(rows.tolist()) for rows in thinning.rows(br)] for br in RATIOS]
    group = own(ODD).group.tolist()
    for y in range(2):
        major = [{i for i in rows[y] if group[i] == thinning.groups[y]} for rows in at]
        others = [rows[y] - m for rows, m in zip(at, major, strict=True)]
        assert all(a <= b for a, b in pairwise(major))
        assert all(a >= b for a, b in pairwise(others))


@given(st.lists(st.integers(0, 40), min_size=3, max_size=6), st.sampled_from(RATIOS[3:-1]))
def test_the_others_are_kept_by_adams_method(counts, br):
    """Slow and obvious: the next image is of the group that has least for its size."""
    counts = [80, *counts]
    if not sum(counts[1:]):
        return
    padded = [counts + [0] * (8 - len(counts)), [1] * 8]
    data = own(padded)
    kept = Thinning(data, majority={0: 0, 1: 0}).rows(br)[0]
    left = data.group[kept].bincount(minlength=8).tolist()[1 : len(counts)]
    expected, all_of_them = [0] * len(left), counts[1:]
    for _ in range(sum(left)):
        open_ones = [i for i, m in enumerate(all_of_them) if expected[i] < m]
        least = min(
            open_ones, key=lambda i: (Fraction(expected[i], all_of_them[i]), -all_of_them[i])
        )
        expected[least] += 1
    assert left == expected


def test_all_is_kept_by_default_majority_first():
    data = own()
    for y, rows in enumerate(Thinning(data).rows(None)):
        assert sorted(rows.tolist()) == torch.where(data.target == y)[0].tolist()
        assert data.group[rows[: max(PLAIN[y])]].unique().tolist() == [
            max(range(3), key=PLAIN[y].__getitem__)
        ]


@pytest.mark.parametrize(
    ("counts", "br", "majority", "says"),
    [
        (PLAIN, 0.2, "largest", "br=0.2 is outside \\[0.3333, 1\\] for 3 groups"),
        (PLAIN, True, "largest", "br=True is outside"),
        (PLAIN, 1.1, "largest", "br=1.1 is outside"),
        (PLAIN, 0.9, "smallest", "neither 'largest' nor the group of each class"),
        (PLAIN, 0.9, np.array([1, 2]), "neither 'largest' nor the group of each class"),
        (PLAIN, 0.9, {"cat": np.array([1, 2])}, "is not a group"),
        (PLAIN, 0.9, {"bird": "a"}, "'bird' is not a class"),
        (PLAIN, 0.9, {"cat": 3}, "3 is not a group"),
        (PLAIN, 0.9, {"cat": True}, "True is not a group"),
        ([[5, 0, 5], [1, 1, 1]], 0.9, {"cat": "b"}, "has no image of its majority group b"),
        ([[5, 0, 0], [1, 1, 1]], 0.9, "largest", "only images of the group a, so BR 0.9"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said(counts, br, majority, says):
    with pytest.raises(FddkitError, match=says):
        Thinning(own(counts), majority).rows(br)


def test_a_class_without_images_is_left_alone():
    thinning = Thinning(own([[0, 0, 0], [8, 4, 2]]))
    assert thinning.groups == [-1, 0]
    assert [len(rows) for rows in thinning.rows(0.8)] == [0, 10]
