"""Intervals: by hand, against SciPy where images play no part, and their coverage by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from fddkit.evaluation import intervals
from fddkit.evaluation.intervals import Estimate, difference, t_interval


def from_zero(values):
    """The p-value of "the mean is 0" over units."""
    one = Estimate(values)
    return one.parts().p(abs(one.mean))


def with_covariance(covariance, draws=400, seed=0):
    """Noise [B, S] with exactly this sample covariance."""
    x = np.random.default_rng(seed).standard_normal((draws, len(covariance)))
    x -= x.mean(0)
    q = np.linalg.qr(x)[0] * math.sqrt(draws - 1)
    values, vectors = np.linalg.eigh(covariance)
    return q @ np.diag(np.sqrt(np.maximum(values, 0))) @ vectors.T


def test_parts_by_hand():
    covariance = np.array([[2.0, 0.5, 0.8], [0.5, 3.0, 0.2], [0.8, 0.2, 1.0]])
    values, noise = np.array([10.0, 14, 12]), with_covariance(covariance)
    shared = (0.5 + 0.8 + 0.2) / 3
    parts = Estimate(values, noise).parts()
    assert parts.spread == pytest.approx(4 / 3)  # the variance of the values is 4
    assert parts.own == pytest.approx((2 - shared) / 3)
    assert parts.shared == pytest.approx(shared)
    assert parts.df == 2
    assert Estimate(values, noise, doubt=0.3).parts().shared == pytest.approx(shared + 0.09)
    half = math.sqrt(stats.t.ppf(0.975, 2) ** 2 * 4 / 3 + 1.959964**2 * shared)
    assert Estimate(values, noise).interval() == pytest.approx((12 - half, 12 + half))
    assert Estimate(values, noise).interval((9.0, 13.0)) == (9.0, 13.0)
    # sets that agree better than their images allow: those remain
    close = 1.959964 * math.sqrt((2 - shared) / 3 + shared)
    interval = Estimate(np.array([12.0, 12, 12]), noise).interval()
    assert interval == pytest.approx((12 - close, 12 + close))


def test_noise_of_opposite_sign_is_no_negative_variance():
    noise = with_covariance(np.array([[1.0, -0.9], [-0.9, 1.0]]))
    parts = Estimate(np.array([1.0, 1.0]), noise).parts()
    assert (parts.spread, parts.own, parts.shared) == pytest.approx((0, 0.5, 0))


def test_one_unit_has_no_interval():
    for noise in (None, with_covariance(np.eye(1))):
        one = Estimate(np.array([3.0]), noise)
        assert np.isnan(one.interval()).all()
        assert one.mean == 3
        several = Estimate(np.array([3.0, 4]))
        for pair in ((one, several), (several, one), (one, one)):
            found = difference(*pair)
            assert np.isnan([found.low, found.high, found.p]).all()


def test_equal_values_are_no_certainty():
    equal = Estimate(np.array([3.0, 3, 3]))
    assert np.isnan(equal.interval()).all()
    assert np.isnan(difference(equal, equal).p)
    assert np.isnan(difference(equal, Estimate(np.array([9.0, 9, 9]))).p)
    assert np.isnan(t_interval(np.array([3.0, 3]))).all()
    assert math.isnan(from_zero(np.array([3.0, 3])))
    low, high = Estimate(np.array([3.0, 3, 3]), with_covariance(np.eye(3))).interval()
    assert low < 3 < high


@pytest.fixture(autouse=True)
def _quick_quantiles(monkeypatch):
    """Thousands of p-values: SciPy's t quantiles, to which test_t_distribution compares ours."""

    def quantile(df, level=0.95):
        return float(special.stdtrit(df, (1 + level) / 2))

    monkeypatch.setattr(intervals, "t_quantile", quantile, raising=False)


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(2, 9), st.integers(0, 999))
def test_without_noise_it_is_welch(n, m, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 2, n), rng.normal(2, 5, m)
    found, known = difference(Estimate(a), Estimate(b)), stats.ttest_ind(a, b, equal_var=False)
    interval = known.confidence_interval()
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.parts.df == pytest.approx(known.df)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    assert found.p == pytest.approx(known.pvalue, abs=1e-6)
    assert not found.paired
    turned = difference(Estimate(b), Estimate(a))
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


@settings(max_examples=25)
@given(st.integers(2, 9), st.integers(0, 999))
def test_paired_without_noise_it_is_students_test_in_any_order(n, seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(3, 2, n), rng.normal(2, 5, n)
    keys, order = tuple(rng.permutation(50)[:n].tolist()), rng.permutation(n)
    one = Estimate(a, keys=keys)
    other = Estimate(b[order], keys=tuple(keys[i] for i in order))
    found, known = difference(one, other, paired=True), stats.ttest_rel(a, b)
    interval = known.confidence_interval()
    assert found.paired
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), rel=1e-6)
    assert found.p == pytest.approx(known.pvalue, abs=1e-6)
    assert from_zero(a - b) == pytest.approx(known.pvalue, abs=1e-6)


def test_units_with_other_seeds_are_not_paired():
    a, b = np.array([1.0, 2, 4]), np.array([2.0, 3, 9])
    for keys in (None, (0, 1, 3), (0, 1)):
        values = b[: len(keys or b)]
        found = difference(Estimate(a, keys=(0, 1, 2)), Estimate(values, keys=keys), paired=True)
        assert not found.paired
        assert found.p == pytest.approx(stats.ttest_ind(a, values, equal_var=False).pvalue, 1e-5)


@settings(max_examples=40)
@given(st.integers(2, 6), st.integers(0, 999), st.floats(0, 9), st.booleans(), st.booleans())
def test_p_is_below_5_percent_if_and_only_if_the_interval_excludes_0(n, seed, by, paired, noisy):
    rng = np.random.default_rng(seed)
    keys = tuple(range(n))
    a, b = (
        Estimate(
            rng.normal(m, 1, n), rng.normal(0, 0.7, (200, n)) if noisy else None, 0.1, keys, "x"
        )
        for m in (by, 0)
    )
    found = difference(a, b, paired)
    assert 0 < found.p <= 1
    assert (found.p < 0.05) == (not found.low <= 0 <= found.high)


def test_what_images_do_to_both_cancels():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 5, (200, 1))
    a, b = (
        Estimate(rng.normal(0, 1, 4), common + rng.normal(0, 0.5, (200, 4)), 0.0, (0, 1, 2, 3), "x")
        for _ in range(2)
    )
    elsewhere = Estimate(b.values, b.noise, 0.0, b.keys, "y")
    for paired in (True, False):
        same, other = difference(a, b, paired), difference(a, elsewhere, paired)
        assert same.parts.shared < 0.5
        assert other.parts.shared > 30
        assert other.high - other.low > 3 * (same.high - same.low)


def crossed(rng, replicates, n_sets, sd_set, sd_image, sd_own):
    """Return half widths and errors of the mean of n_sets, each with noise that is known.

    m_s = set_s + shared + own_s; the covariance of ``shared`` and ``own`` is what draws estimate.
    """
    sets = rng.normal(0, sd_set, (replicates, n_sets))
    own = rng.normal(0, sd_own, (replicates, n_sets))
    shared = rng.normal(0, sd_image, (replicates, 1))
    noise = with_covariance(sd_image**2 + sd_own**2 * np.eye(n_sets), 200)
    return sets + own + shared, noise


@pytest.mark.parametrize("n_sets", [2, 3, 5, 10])
@pytest.mark.parametrize(
    "sds", [(1, 0, 0.02), (0.02, 1, 0), (1, 0, 0.5), (1, 1, 1), (1, 3, 0.3), (2, 0.5, 0.1)]
)
def test_coverage_of_crossed_effects(n_sets, sds):
    replicates = 1200
    values, noise = crossed(np.random.default_rng(n_sets), replicates, n_sets, *sds)
    covered = 0
    for v in values:
        low, high = Estimate(v, noise).interval()
        covered += low <= 0 <= high
    share = covered / replicates
    assert share >= 0.93
    if min(sds[0], sds[1] + sds[2]) < 0.05:  # either part alone: exact (three standard errors)
        assert abs(share - 0.95) < 0.019
    else:  # few sets and much noise of their own: on the safe side
        assert share <= (0.995 if n_sets < 5 else 0.98)


@settings(max_examples=10)
@given(st.integers(2, 6), st.integers(0, 99))
def test_t_interval_of_arrays_is_that_of_each_entry(n, seed):
    values = np.random.default_rng(seed).normal(0, 1, (n, 2, 3))
    low, high = t_interval(values)
    for at in np.ndindex(2, 3):
        one = values[(slice(None), *at)]
        known = stats.ttest_1samp(one, 0)
        interval = known.confidence_interval()
        assert (low[at], high[at]) == pytest.approx((interval.low, interval.high), rel=1e-9)
        assert from_zero(one) == pytest.approx(known.pvalue, abs=1e-6)
