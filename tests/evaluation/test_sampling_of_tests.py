"""Changes by other test images: their covariance is the analytic one of multinomial shares."""

import numpy as np
import pytest

from fddkit.evaluation.metrics import tpr
from fddkit.evaluation.outcomes import Outcomes
from fddkit.evaluation.sampling import changes_of_counts, changes_of_rates

DRAWS = 8000


def changes(outcomes, classes, groups, draws=DRAWS, seed=0):
    """The changes of the shares, float64 [B, R, A, C, C]."""
    counts = outcomes.counts(classes, groups)
    size = np.maximum(counts.sum(-1, keepdims=True), 1)
    blocks = changes_of_counts(outcomes, counts, draws, seed)
    return np.concatenate(list(blocks)).astype(float) / size


def world(n=400, classes=3, groups=2, networks=3, paired=False, seed=0):
    """Networks that make the same errors often."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(classes), n * groups)
    group = np.tile(np.arange(groups), classes * n)
    hard = rng.random(len(target))
    if paired:
        hard = np.repeat(hard[::groups], groups) * 0.9 + 0.1 * hard
    noise = 0.4 * rng.random((networks, len(target)))
    other = (target + rng.integers(1, classes, noise.shape)) % classes
    predicted = np.where(hard + noise < 0.8 + 0.1 * group, target, other)
    original = np.repeat(np.arange(classes * n), groups) if paired else None
    return Outcomes(target, group, predicted, original)


def covariance(x, y):
    return ((x - x.mean(0)) * (y - y.mean(0))).mean(0)


def tolerance(variance_x, variance_y):
    """Four standard errors of a covariance over the draws, and the two pseudo-images."""
    return 4 * np.sqrt(2 * variance_x * variance_y / DRAWS) + 1e-5


def test_changes_have_no_mean_and_keep_the_size_of_a_cell():
    found = changes(world(), 3, 2)
    assert found.shape == (DRAWS, 3, 2, 3, 3)
    np.testing.assert_allclose(found.sum(-1), 0, atol=1e-5)
    assert np.abs(found.mean(0)).max() < 5 * found.std() / np.sqrt(DRAWS) + 1e-4


@pytest.mark.parametrize("paired", [False, True])
def test_changes_of_rates_are_those_of_the_counts(paired):
    one = world(n=40, paired=paired)
    fast = changes_of_rates(one, one.counts(3, 2), 50)
    slow = changes(one, 3, 2, 50)
    for y in range(3):
        np.testing.assert_allclose(fast[..., y], slow[..., y, y], atol=1e-5)
    assert np.shape(fast) == (50, *tpr(one.counts(3, 2)).shape)


def test_within_a_cell_it_is_multinomial():
    one = world()
    found, counts = changes(one, 3, 2), one.counts(3, 2)
    share, n = counts / counts.sum(-1, keepdims=True), 400
    for r, a, y in np.ndindex(3, 2, 3):
        p = share[r, a, y]
        for k in range(3):
            for j in range(3):
                expected = (p[k] * (k == j) - p[k] * p[j]) / n
                seen = covariance(found[:, r, a, y, k], found[:, r, a, y, j])
                bound = tolerance(p[k] * (1 - p[k]) / n, p[j] * (1 - p[j]) / n)
                # the pseudo-images add about 2 / n of it
                assert abs(seen - expected) < bound + 0.03 * abs(expected) + 4 / n**2


@pytest.mark.parametrize("paired", [False, True])
def test_between_networks_and_groups_it_is_that_of_the_images(paired):
    """Covariance of two shares: the mean over images of the product of their residuals, / n."""
    one, n = world(paired=paired), 400
    found = changes(one, 3, 2)
    right = (one.predicted == one.target).astype(float)
    largest = 0.0
    for y in range(3):
        for r, s in ((0, 1), (0, 2), (1, 1)):
            for a, b in ((0, 0), (0, 1), (1, 1)):
                # images of a cell lie in the order of their originals
                x = right[r][(one.target == y) & (one.group == a)]
                z = right[s][(one.target == y) & (one.group == b)]
                expected = np.mean((x - x.mean()) * (z - z.mean())) / n
                expected *= paired or a == b
                seen = covariance(found[:, r, a, y, y], found[:, s, b, y, y])
                assert abs(seen - expected) < tolerance(x.var() / n, z.var() / n) + 4 / n**2
                largest = max(largest, abs(expected)) if a != b else largest
        other = covariance(found[:, 0, 0, y, y], found[:, 0, 0, (y + 1) % 3, 0])
        assert abs(other) < tolerance(0.25 / n, 0.25 / n)  # other classes are other images
    assert (largest > 1e-5) == paired


@pytest.mark.parametrize("n", [4, 20, 100])
@pytest.mark.parametrize("right", [True, False])
def test_a_cell_of_equals_claims_no_certainty(n, right):
    target, group = np.repeat([0, 1], 2 * n), np.tile([0, 1], 2 * n)
    predicted = np.stack([target if right else 1 - target] * 2)
    found = changes(Outcomes(target, group, predicted), 2, 2)
    spread = found[:, 0, 0, 0, 0].std()
    assert 0.5 / n < spread < 1.5 / n  # sqrt(p (1 - p) / n) says 0, the rule of three 3 / n / 1.96


def test_an_empty_cell_does_not_change():
    one = world()
    kept = (one.target != 1) | (one.group != 0)
    some = Outcomes(one.target[kept], one.group[kept], one.predicted[:, kept])
    found = changes(some, 3, 2, 300)
    assert (found[:, :, 0, 1] == 0).all()
    assert np.isfinite(found).all()


def test_equal_tests_get_equal_weights():
    one, other = world(seed=0), world(seed=1)
    both = Outcomes(one.target, one.group, np.concatenate([one.predicted, other.predicted]))
    a, b, c = (changes(o, 3, 2, 100) for o in (one, other, both))
    np.testing.assert_allclose(c[:, :3], a, atol=1e-6)
    np.testing.assert_allclose(c[:, 3:], b, atol=1e-6)
    assert np.abs(changes(one, 3, 2, 100, seed=1) - a).max() > 0.01


def test_equal_tests_get_equal_weights_with_any_number_of_networks():
    """Blocks of draws must not depend on what was trained."""
    rng = np.random.default_rng(0)
    many = Outcomes(
        rng.integers(0, 30, 400), rng.integers(0, 2, 400), rng.integers(0, 30, (30, 400))
    )
    few = many.of(range(3))
    a, b = (changes(o, 30, 2, 200) for o in (many, few))
    np.testing.assert_allclose(a[:, :3], b, atol=1e-6)
