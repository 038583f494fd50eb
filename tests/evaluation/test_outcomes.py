"""Predictions per image: counting, joining, and a compact form that hostile files cannot abuse."""

import base64
import json
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.core.reading import conform
from fddkit.evaluation.outcomes import SHAPE, Outcomes, as_score, paired

ARRAYS = ("target", "group", "predicted", "original", "score")


def outcomes(seed=0, n=30, networks=3, classes=3, groups=2, original=True, score=True):
    rng = np.random.default_rng(seed)
    return Outcomes(
        rng.integers(0, classes, n),
        rng.integers(0, groups, n),
        rng.integers(0, classes, (networks, n)),
        np.arange(n) // 2 if original else None,
        rng.integers(0, 256, (networks, n)).astype(np.uint8) if score else None,
    )


def assert_same(one, other):
    for name in ARRAYS:
        mine, theirs = getattr(one, name), getattr(other, name)
        assert (mine is None) == (theirs is None), name
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs)


@given(
    st.integers(0, 99),
    st.integers(1, 40),
    st.integers(1, 4),
    st.booleans(),
    st.booleans(),
    st.booleans(),
    st.sampled_from([1, 2, 256, 257, 65_536, 65_537, 2**32]),
)
def test_encoding_and_decoding_change_nothing(seed, n, networks, original, score, compress, most):
    before = outcomes(seed, n, networks, most, min(most, 300), original, score)
    data = json.loads(json.dumps(before.encode(compress)))
    conform(data, SHAPE)
    after = Outcomes.decode(data)
    assert_same(before, after)
    assert after.predicted.dtype.itemsize <= before.predicted.dtype.itemsize
    assert not score or after.score.dtype == np.uint8


@pytest.mark.parametrize(
    ("largest", "dtype"), [(0, "u1"), (255, "u1"), (256, "<u2"), (65_535, "<u2"), (65_536, "<u4")]
)
def test_as_few_bytes_as_needed(largest, dtype):
    zero = np.zeros(5, dtype=int)
    data = Outcomes(zero, zero, np.full((2, 5), largest)).encode(compress=False)
    assert data["predicted"]["dtype"] == dtype
    assert len(base64.b64decode(data["predicted"]["data"])) == 10 * np.dtype(dtype).itemsize
    assert set(data) == {"images", "networks", "zlib", "target", "group", "predicted"}


def test_compression_is_worth_it():
    target = np.repeat(np.arange(10), 1000)
    data = Outcomes(target, target, np.stack([target] * 3)).encode()
    assert len(json.dumps(data)) < 2000


def packed(raw, dtype="u1", compress=True):
    raw = zlib.compress(raw) if compress else raw
    return {"dtype": dtype, "data": base64.b64encode(raw).decode()}


@pytest.mark.parametrize(
    "changes",
    [
        {"images": 29},
        {"images": 31},
        {"images": 0},
        {"images": -30},
        {"images": 2**70},
        {"networks": 0},
        {"networks": 4},
        {"networks": -1},
        {"networks": 2**62},
        {"images": 2**28, "networks": 2},
        {"zlib": False},
        {"target": packed(bytes(29))},
        {"target": packed(bytes(31))},
        {"target": packed(bytes(30), "<u2")},
        {"target": packed(bytes(30), "<i8")},
        {"target": packed(bytes(30), "O")},
        {"target": packed(bytes(30), ">u2")},
        {"target": packed(bytes(30), "")},
        {"target": packed(bytes(30), compress=False)},
        {"target": {"dtype": "u1", "data": "not base64!"}},
        {"target": {"dtype": "u1", "data": "AAA"}},
        {"target": {"dtype": "u1", "data": "\u00e9\u00e9\u00e9\u00e9"}},
        {"target": {"dtype": "u1", "data": ""}},
        {"target": packed(zlib.compress(bytes(30))[:-8], compress=False)},
        {"original": packed(bytes(90))},
        {"predicted": packed(bytes(30))},
        {"score": packed(bytes(180), "<u2")},
        {"score": packed(bytes(30))},
    ],
)
def test_what_does_not_fit_is_refused(changes):
    data = outcomes().encode() | changes
    with pytest.raises(ValueError):  # noqa: PT011 (each has its own words)
        Outcomes.decode(data)


@settings(max_examples=100)
@given(st.data())
def test_damaged_text_is_refused_or_has_the_right_shape(data):
    before = outcomes().encode(data.draw(st.booleans()))
    name = data.draw(st.sampled_from(ARRAYS))
    text = before[name]["data"]
    at = data.draw(st.integers(0, len(text) - 1))
    broken = text[:at] + data.draw(st.text(max_size=3)) + text[at + 1 :]
    before[name] = before[name] | {"data": broken}
    try:
        after = Outcomes.decode(before)
    except ValueError:
        return
    assert after.predicted.shape == after.score.shape == (3, 30)
    assert after.target.shape == after.group.shape == after.original.shape == (30,)


def test_a_bomb_does_not_explode():
    bomb = packed(bytes(200 * 2**20))  # 200 MB in 200 kB
    data = outcomes().encode() | {"predicted": bomb}
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match="90 bytes"):
            Outcomes.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 2 * 2**20
    finally:
        tracemalloc.stop()


def test_memory_is_bounded_by_what_the_file_says():
    n = 2**20
    data = {"images": n, "networks": 1, "zlib": True}
    data |= {name: packed(bytes(n)) for name in ("target", "group", "predicted")}
    tracemalloc.start()
    try:
        Outcomes.decode(data)
        assert tracemalloc.get_traced_memory()[1] < 3 * 8 * n + 4 * n
    finally:
        tracemalloc.stop()


@given(st.integers(0, 99), st.integers(1, 40), st.integers(1, 4))
def test_counts_equal_a_slow_loop(seed, n, networks):
    one, slow = outcomes(seed, n, networks), np.zeros((networks, 2, 3, 3), dtype=int)
    for r in range(networks):
        for i in range(n):
            slow[r, one.group[i], one.target[i], one.predicted[r, i]] += 1
    np.testing.assert_array_equal(one.counts(3, 2), slow)
    assert one.counts(4, 3).shape == (networks, 3, 4, 4)


def test_counts_of_unknown_classes_are_refused():
    one = outcomes()
    for classes, groups, what in ((2, 2, "class"), (3, 1, "group")):
        with pytest.raises(FddkitError, match=f"{what} .* is not one of"):
            one.counts(classes, groups)
    bad = Outcomes(one.target, one.group, one.predicted + 1)
    with pytest.raises(FddkitError, match="predicted class 3 is not one of 3"):
        bad.counts(3, 2)
    with pytest.raises(FddkitError, match="number them from 0"):
        Outcomes(one.target, one.group, one.predicted - 1).counts(3, 2)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"group": np.zeros(29, int)}, "group has shape"),
        ({"original": np.zeros(31, int)}, "original has shape"),
        ({"predicted": np.zeros(30, int)}, "predicted has shape"),
        ({"predicted": np.zeros((2, 29), int)}, "predicted has shape"),
        ({"score": np.zeros((3, 29), int)}, "score has shape"),
        ({"score": np.zeros((2, 30), int)}, "different numbers of networks"),
    ],
)
def test_arrays_must_fit_each_other(changes, what):
    one = outcomes()
    with pytest.raises(FddkitError, match=what):
        Outcomes(**{name: changes.get(name, getattr(one, name)) for name in ARRAYS})


def test_some_networks_and_all_again():
    one = outcomes()
    parts = [one.of([2]), one.of([0, 1])]
    again = Outcomes.join(parts)
    assert_same(again.of([1, 2, 0]), one)
    assert all(one.same_test(part) for part in parts)
    without = Outcomes.join(
        [parts[0], Outcomes(one.target, one.group, one.predicted, one.original)]
    )
    assert without.score is None
    assert len(without.predicted) == 4


@pytest.mark.parametrize("name", ["target", "group", "original"])
def test_of_other_images_nothing_is_joined(name):
    one = outcomes()
    changed = getattr(one, name).copy()
    changed[7] += 1
    for value in (changed, None) if name == "original" else (changed,):
        other = Outcomes(**{n: value if n == name else getattr(one, n) for n in ARRAYS})
        assert not one.same_test(other)
        assert not other.same_test(one)
        assert Outcomes.join([one, other]) is None


@given(st.integers(1, 6), st.integers(2, 4), st.integers(0, 99), st.booleans())
def test_paired_equals_a_slow_definition(originals, groups, seed, spoil):
    rng = np.random.default_rng(seed)
    original, group = np.repeat(np.arange(originals), groups), np.tile(np.arange(groups), originals)
    order = rng.permutation(len(group))
    original, group = original[order] * 7, group[order]
    if spoil:
        at = rng.integers(len(group))
        (original if rng.random() < 0.5 else group)[at] = rng.integers(0, 9)
    shown = {}
    for o, a in zip(original.tolist(), group.tolist(), strict=True):
        shown.setdefault(o, []).append(a)
    everything = sorted(range(int(group.max()) + 1))
    expected = len(everything) > 1 and all(sorted(a) == everything for a in shown.values())
    assert paired(original, group) == expected
    zero = np.zeros(len(group), dtype=int)
    assert Outcomes(zero, group, zero[None], original).paired == expected
    assert not Outcomes(zero, group, zero[None]).paired


def test_scores_are_rounded_to_bytes():
    given_ = np.array([-0.1, 0, 0.5, 0.9999, 1, 1.5])
    assert as_score(given_).tolist() == [0, 0, 128, 255, 255, 255]
    assert as_score(given_).dtype == np.uint8
    exact = np.random.default_rng(0).random(1000)
    assert np.abs(as_score(exact) / 255 - exact).max() <= 0.5 / 255 + 1e-12


@pytest.mark.parametrize("name", ["target", "group", "predicted", "original"])
def test_negative_numbers_are_not_turned_into_others(name):
    """Packed without a sign, -1 would come back as 255."""
    one = outcomes()
    arrays = {n: getattr(one, n) - (n == name) for n in ARRAYS[:4]}
    with pytest.raises(FddkitError, match="number them from 0"):
        Outcomes(**arrays).counts(3, 2)
