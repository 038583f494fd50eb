"""Counts to numbers: hand-computed cases, properties, and fairlearn."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fddkit.evaluation.intervals import Estimate
from fddkit.evaluation.metrics import (
    accuracy,
    class_accuracy,
    count,
    deo,
    group_accuracy,
    least,
    mean,
    rates,
    tpr,
    worst,
)
from fddkit.evaluation.nulls import Null
from fddkit.evaluation.summary import Summary


def one_against_rest(correct, size):
    """Counts [1, A, C, C] with the given right answers; the errors go to the next class."""
    correct, size = np.asarray(correct), np.asarray(size)
    groups, classes = correct.shape
    counts = np.zeros((1, groups, classes, classes), dtype=np.int64)
    for a in range(groups):
        for y in range(classes):
            counts[0, a, y, y] = correct[a, y]
            counts[0, a, y, (y + 1) % classes] += size[a, y] - correct[a, y]
    return counts


@st.composite
def counts(draw, repeats=1):
    """Any counts, with empty cells now and then, and at least one image."""
    groups, classes = draw(st.integers(1, 5)), draw(st.integers(1, 5))
    shape = (repeats, groups, classes, classes)
    values = draw(arrays(np.int64, shape, elements=st.integers(0, 9)))
    kept = draw(arrays(np.int64, (groups, classes, 1), elements=st.integers(0, 1)))
    values *= kept
    values[:, 0, 0, 0] += 1
    return values


TWO_BY_TWO = one_against_rest([[8, 5], [6, 9]], [[10, 10], [10, 10]])


def test_hand_computed_case():
    np.testing.assert_allclose(tpr(TWO_BY_TWO)[0], [[0.8, 0.5], [0.6, 0.9]])
    deo_m, deo_a, per_class = deo(tpr(TWO_BY_TWO))
    np.testing.assert_allclose(per_class, [[20, 40]])
    np.testing.assert_allclose((deo_m[0], deo_a[0]), (40, 30))
    np.testing.assert_allclose(accuracy(TWO_BY_TWO), [70])


def test_a_class_with_one_group_is_not_compared():
    values = one_against_rest([[8, 5], [0, 9]], [[10, 10], [0, 10]])
    deo_m, deo_a, per_class = deo(tpr(values))
    np.testing.assert_allclose((deo_m[0], deo_a[0]), (40, 40))
    assert np.isnan(per_class[0, 0])


@given(counts(repeats=2))
def test_rates_equal_a_slow_loop(values):
    fast = tpr(values)
    for r, a, y in np.ndindex(*fast.shape):
        total = sum(int(n) for n in values[r, a, y])
        if total:
            assert fast[r, a, y] == pytest.approx(int(values[r, a, y, y]) / total, rel=1e-15)
        else:
            assert math.isnan(fast[r, a, y])


@given(counts())
def test_gaps_equal_a_slow_loop_and_the_mean_gap_is_at_most_the_largest(values):
    gaps = []
    for y in range(values.shape[2]):
        rates = []
        for a in range(values.shape[1]):
            total = int(values[0, a, y].sum())
            if total:
                rates.append(int(values[0, a, y, y]) / total)
        if len(rates) >= 2:
            gaps.append(max(rates) - min(rates))
    deo_m, deo_a, _ = deo(tpr(values))
    if not gaps:
        assert np.isnan(deo_m[0])
        assert np.isnan(deo_a[0])
    else:
        assert deo_m[0] == pytest.approx(100 * max(gaps), abs=1e-12)
        assert deo_a[0] == pytest.approx(100 * sum(gaps) / len(gaps), abs=1e-12)
        assert deo_a[0] <= deo_m[0] + 1e-12


@given(counts(), st.randoms(use_true_random=False))
def test_relabelling_groups_changes_nothing(values, shuffler):
    order = list(range(values.shape[1]))
    shuffler.shuffle(order)
    before, after = deo(tpr(values)), deo(tpr(values[:, order]))
    for x, y in zip(before, after, strict=True):
        np.testing.assert_array_equal(x, y)


@given(st.integers(0, 60), st.integers(1, 4), st.integers(1, 4), st.integers(0, 99))
def test_count_equals_a_slow_loop(n, classes, groups, seed):
    rng = np.random.default_rng(seed)
    target, predicted = rng.integers(0, classes, (2, n))
    group = rng.integers(0, groups, n)
    slow = np.zeros((groups, classes, classes), dtype=np.int64)
    for y, a, p in zip(target, group, predicted, strict=True):
        slow[a, y, p] += 1
    fast = count(target, group, predicted, classes, groups)
    assert fast.dtype == np.int64
    np.testing.assert_array_equal(fast, slow)


@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_fairlearn(seed):
    from fairlearn.metrics import MetricFrame
    from sklearn.metrics import accuracy_score, recall_score

    rng = np.random.default_rng(seed)
    target, group = rng.integers(0, 4, 600), rng.integers(0, 3, 600)
    predicted = np.where(rng.random(600) < 0.6, target, rng.integers(0, 4, 600))
    counts = count(target, group, predicted, 4, 3)[None]
    gaps = []
    for y in range(4):
        mask = target == y
        frame = MetricFrame(
            metrics=lambda true, pred, y=y: recall_score(
                true, pred, labels=[y], average="macro", zero_division=0
            ),
            y_true=target[mask],
            y_pred=predicted[mask],
            sensitive_features=group[mask],
        )
        np.testing.assert_allclose(
            tpr(counts)[0, :, y], frame.by_group.to_numpy(dtype=float), rtol=1e-12
        )
        gaps.append(100 * frame.difference(method="between_groups"))
    deo_m, deo_a, per_class = deo(tpr(counts))
    np.testing.assert_allclose(per_class[0], gaps, rtol=1e-12)
    np.testing.assert_allclose((deo_m[0], deo_a[0]), (max(gaps), np.mean(gaps)), rtol=1e-12)
    assert accuracy(counts)[0] == pytest.approx(100 * accuracy_score(target, predicted))


@given(counts(repeats=2))
def test_one_against_rest_rates_equal_a_slow_loop(values):
    found = rates(values)
    for r, a, y in np.ndindex(values.shape[:3]):
        table = values[r, a].astype(float)
        hits, true, predicted = table[y, y], table[y].sum(), table[:, y].sum()
        parts = {
            "tpr": (hits, true),
            "fpr": (predicted - hits, table.sum() - true),
            "selection": (predicted, table.sum()),
            "precision": (hits, predicted),
        }
        for name, (part, whole) in parts.items():
            expected = part / whole if whole else np.nan
            np.testing.assert_allclose(found[name][r, a, y], expected)


@given(counts())
def test_accuracies_by_group_and_class_equal_a_slow_loop(values):
    table = values[0]
    for a in range(len(table)):
        n = table[a].sum()
        expected = 100 * np.trace(table[a]) / n if n else np.nan
        np.testing.assert_allclose(group_accuracy(values)[0, a], expected)
    for y in range(table.shape[1]):
        n = table[:, y].sum()
        expected = 100 * table[:, y, y].sum() / n if n else np.nan
        np.testing.assert_allclose(class_accuracy(values)[0, y], expected)


@given(arrays(np.float64, (3, 4), elements=st.one_of(st.just(np.nan), st.floats(-9, 9))))
def test_worst_least_and_mean_leave_out_what_is_unknown(values):
    for i, row in enumerate(values.tolist()):
        known = [x for x in row if x == x]
        expected = [max(known), min(known), sum(known) / len(known)] if known else [np.nan] * 3
        found = [f(values)[i] for f in (worst, least, mean)]
        np.testing.assert_allclose(found, expected, atol=1e-12)


def test_summary_by_hand():
    null = Null(np.array([0.25, 0.75]), "binomial")
    summary = Summary(np.array([1.0, 2.0, 3.0, 4.0]), null=lambda: null)
    assert (summary.mean, summary.noise_floor) == (2.5, 0.5)
    assert summary.most_by_chance == pytest.approx(0.725)
    assert summary.p == pytest.approx(1 / 3)
    assert summary.std == pytest.approx(math.sqrt(5 / 3))
    half = 3.182446305 * math.sqrt(5 / 3) / 2
    assert summary.ci95 == pytest.approx((2.5 - half, 2.5 + half))
    assert "2.5 ± 1.3" in repr(summary)
    assert Summary(np.array([0.0, 10.0])).ci95[0] == 0
    assert Summary(np.array([90.0, 100.0])).ci95[1] == 100
    assert "over 4 networks" in repr(summary)


def test_equal_values_are_no_certainty():
    assert np.isnan(Summary(np.array([3.0, 3, 3])).ci95).all()
    assert np.isnan(Summary(np.array([3.0])).ci95).all()
    noise = np.random.default_rng(0).normal(0, 1, (200, 3))
    low, high = Summary(
        np.array([3.0, 3, 3]), measured=lambda: Estimate(np.array([3.0, 3, 3]), noise)
    ).ci95
    assert low < 3 < high


@settings(max_examples=30)
@given(arrays(np.float64, (4, 2, 3), elements=st.floats(0, 100)))
def test_summary_of_arrays_equals_that_of_each_entry(values):
    summary = Summary(values)
    assert np.shape(summary.ci95) == (2, 2, 3)
    for cell in np.ndindex(2, 3):
        one = Summary(values[(slice(None), *cell)])
        assert summary.mean[cell] == pytest.approx(one.mean)
        assert summary.std[cell] == pytest.approx(one.std)
        assert summary.ci95[1][cell] == pytest.approx(one.ci95[1], nan_ok=True)
