"""The gap without the noise of the test images: its properties, and the bias that is gone."""

import numpy as np
import planted
import pytest
from planted import Method, images

from fddkit.evaluation.corrections import noise_kept, posterior
from fddkit.evaluation.metrics import deo, tpr


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("deo_a", [0.0, 20.0])
def test_the_bias_is_gone_or_nearly(deo_a, paired):
    """Mean over tests: what the papers print is too large by the noise, the corrected is not."""
    method = Method(0.8, level_sd=0.0, gap_sd=0.0).with_deo(deo_a)
    raw, corrected = [], []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        one = planted.report(rng, method, images(rng, n=40, paired=paired), sets=2)
        raw.append(one.deo_a.mean)
        corrected.append(one.deo_a.true.mean)
    assert np.mean(corrected) < np.mean(raw)
    left, before = np.mean(corrected) - deo_a, np.mean(raw) - deo_a
    if not deo_a:
        assert before > 2
    assert abs(left) < max(0.7 * before, 2.0)


@pytest.mark.parametrize("seed", range(3))
def test_draws_are_rates(seed):
    rng = np.random.default_rng(seed)
    one = planted.report(rng, Method(0.95, gap=1), images(rng, n=8, classes=3, groups=4))
    draws = posterior(one.counts, one.outcomes)
    assert draws.shape[1:] == tpr(one.counts).shape
    assert ((draws >= 0) & (draws <= 1)).all()
    np.testing.assert_array_equal(draws, posterior(one.counts, one.outcomes))


def test_empty_cells_stay_unknown():
    rng = np.random.default_rng(0)
    test = images(rng, n=30, classes=3, groups=3)
    full = planted.report(rng, Method(0.8, gap=1), test)
    kept = (test.target != 1) | (test.group == 0)
    some = planted.Test(test.target[kept], test.group[kept], None, test.shape, None)
    report = planted.made(some, full.outcomes.predicted[:, kept])
    draws = posterior(report.counts, report.outcomes)
    assert np.isnan(draws[..., 1:, 1]).all()
    assert np.isfinite(draws[..., [0, 2]]).all()
    assert np.isfinite(report.deo_a.true.mean)


def test_many_images_need_no_correction():
    rng = np.random.default_rng(0)
    one = planted.report(rng, Method(0.9, gap=1), images(rng, n=5000))
    assert one.deo_a.true.mean == pytest.approx(one.deo_a.mean, abs=0.7)
    assert one.deo_m.true.mean == pytest.approx(one.deo_m.mean, abs=0.7)


def test_a_corrected_gap_is_never_larger():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        one = planted.report(rng, Method(0.8, gap=0.3), images(rng, n=10, classes=3, groups=3))
        for name in ("deo_a", "deo_m", "equalised_odds", "demographic_parity"):
            summary = one.metric(name)
            assert summary.true.mean <= summary.mean + 1e-9
            assert summary.true.within(summary.bounds) >= 0


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_noise_that_a_difference_keeps(rho):
    """Errors of two groups on one original correlate by rho: 1 - rho of the variance is left."""
    rng = np.random.default_rng(0)
    n = 4000
    same = rng.random(n) < rho
    right = rng.random((n, 2)) < 0.7
    right[same, 1] = right[same, 0]
    target = np.repeat(np.arange(2), n)
    group, original = np.tile([0, 1], n), np.repeat(np.arange(n), 2)
    test = planted.Test(target, group, original, (2, 2), None)
    predicted = np.where(right.ravel(), target, 1 - target)[None]
    one = planted.made(test, predicted)
    kept = noise_kept(one.outcomes, tpr(one.counts))
    np.testing.assert_allclose(kept, max(1 - rho, 0.02), atol=0.06)
    # a gap of differences has just this variance
    apart = planted.made(planted.Test(target, group, None, (2, 2), None), predicted)
    np.testing.assert_array_equal(noise_kept(apart.outcomes, tpr(apart.counts)), 1)


def test_groups_may_have_any_name():
    """Exchanging groups, or classes, exchanges nothing in the gap."""
    rng = np.random.default_rng(0)
    one = planted.report(rng, Method(0.85, gap=0.8), images(rng, n=40))
    o = one.outcomes
    swapped = planted.made(planted.Test(o.target, 1 - o.group, None, (2, 2), None), o.predicted)
    assert deo(tpr(swapped.counts))[1] == pytest.approx(deo(tpr(one.counts))[1])
    assert swapped.deo_a.true.mean == pytest.approx(one.deo_a.true.mean, abs=1.0)
