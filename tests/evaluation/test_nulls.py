"""Nulls: permutations against slow loops and enumeration, and their p-values for fair models."""

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fddkit.evaluation import metrics, nulls
from fddkit.evaluation.metrics import count
from fddkit.evaluation.nulls import Null, binomial, permuted
from fddkit.evaluation.outcomes import Outcomes
from fddkit.evaluation.report import FairnessReport


def deo_a(counts):
    return metrics.deo(metrics.tpr(counts))[1]


def all_of(outcomes, classes, groups, draws=nulls.DRAWS, seed=0):
    return np.concatenate(list(permuted(outcomes, classes, groups, draws, seed)))


def random_outcomes(seed, n=40, networks=3, classes=3, groups=3, right=0.7):
    """Images of any class and group, whose difficulty the networks share."""
    rng = np.random.default_rng(seed)
    target, group = rng.integers(0, classes, n), rng.integers(0, groups, n)
    hard = rng.random(n) + 0.3 * rng.standard_normal((networks, n))
    other = rng.integers(0, classes, (networks, n))
    return Outcomes(target, group, np.where(hard < right, target, other))


def paired_outcomes(seed, originals=20, networks=3, classes=2, groups=3):
    rng = np.random.default_rng(seed)
    target = np.repeat(rng.integers(0, classes, originals), groups)
    order = rng.permutation(originals * groups)
    group, original = np.tile(np.arange(groups), originals), np.repeat(np.arange(originals), groups)
    hard = np.repeat(rng.random(originals), groups) + 0.8 * rng.random((networks, len(target)))
    predicted = np.where(hard < 0.9, target, (target + 1) % classes)
    return Outcomes(target[order], group[order], predicted[:, order], original[order])


def slow(outcomes, classes, groups, draws, seed=1):
    """Deal the groups of every block to its images, one by one."""
    rng = np.random.default_rng(seed)
    block = outcomes.original if outcomes.paired else outcomes.target
    found = []
    for _ in range(draws):
        group = outcomes.group.copy()
        for b in np.unique(block):
            group[block == b] = rng.permutation(group[block == b])
        found.append(
            [count(outcomes.target, group, p, classes, groups) for p in outcomes.predicted]
        )
    return np.array(found)


@pytest.mark.parametrize(
    ("make", "classes"), [(random_outcomes, 3), (paired_outcomes, 2)], ids=["classes", "images"]
)
def test_the_distribution_is_that_of_a_slow_loop(make, classes):
    one = make(0)
    draws = 2000
    fast, plain = all_of(one, classes, 3, draws), slow(one, classes, 3, draws)
    assert fast.shape == plain.shape
    # the mean of every count, and the metric of one network and of their mean
    spread = plain.std(0) * np.sqrt(2 / draws)
    assert (np.abs(fast.mean(0) - plain.mean(0)) <= 5 * spread + 1e-12).all()
    for values in (lambda c: deo_a(c[:, 0]), lambda c: np.mean([deo_a(x) for x in c], 1)):
        assert stats.ks_2samp(values(fast), values(plain)).pvalue > 1e-3
    together = [np.corrcoef(deo_a(c[:, 0]), deo_a(c[:, 1]))[0, 1] for c in (fast, plain)]
    assert together[0] == pytest.approx(together[1], abs=0.1)


def test_two_originals_in_two_groups_are_enumerated():
    """Right in group 0 and wrong in group 1: of four ways to deal, one each is as extreme."""
    target, group, original = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    predicted = np.array([[0, 1, 1, 0]])
    one = Outcomes(target, group, predicted, original)
    exact = {}
    for dealt in product(permutations([0, 1]), repeat=2):
        table = count(target, np.array(dealt).ravel(), predicted[0], 2, 2)
        exact[table.tobytes()] = exact.get(table.tobytes(), 0) + 0.25
    draws = 4000
    found = [block[0].tobytes() for block in all_of(one, 2, 2, draws)]
    assert set(found) == set(exact)
    for table, p in exact.items():
        assert found.count(table) / draws == pytest.approx(p, abs=4 * np.sqrt(p / draws))


def test_four_images_of_a_class_are_enumerated():
    target, group = np.zeros(4, int), np.array([0, 0, 1, 1])
    predicted = np.array([[0, 0, 1, 1], [0, 1, 0, 1]])
    one = Outcomes(target, group, predicted)
    exact = {}
    for dealt in permutations(group):
        key = np.stack([count(target, np.array(dealt), p, 2, 2) for p in predicted]).tobytes()
        exact[key] = exact.get(key, 0) + 1 / 24
    draws = 6000
    found = [block.tobytes() for block in all_of(one, 2, 2, draws)]
    assert set(found) == set(exact)
    for table, p in exact.items():
        assert found.count(table) / draws == pytest.approx(p, abs=4 * np.sqrt(p / draws))


@settings(max_examples=25)
@given(st.integers(0, 999), st.booleans())
def test_cells_keep_their_sizes_and_predictions_their_number(seed, pair):
    one = paired_outcomes(seed) if pair else random_outcomes(seed)
    counts = one.counts(3, 3)
    found = all_of(one, 3, 3, 20)
    np.testing.assert_array_equal(found.sum(-1), np.broadcast_to(counts.sum(-1), found.shape[:-1]))
    summed = counts.sum(1)
    np.testing.assert_array_equal(found.sum(2), np.broadcast_to(summed, (20, *summed.shape)))


def test_networks_that_agree_are_dealt_alike():
    one = random_outcomes(0, networks=1)
    twins = Outcomes(one.target, one.group, np.repeat(one.predicted, 3, 0))
    found = all_of(twins, 3, 3, 50)
    for r in (1, 2):
        np.testing.assert_array_equal(found[:, 0], found[:, r])
    assert found[:, 0].std(0).max() > 0


@pytest.mark.parametrize("pair", [False, True])
def test_images_that_cannot_matter_change_nothing(pair):
    """Blocks in which all predict one class are left out of the shuffle."""
    make = paired_outcomes if pair else random_outcomes
    one = make(3)
    block = one.original if pair else one.target
    certain = np.isin(block, np.unique(block)[::2])
    predicted = np.where(certain, one.target, one.predicted)
    easy = Outcomes(one.target, one.group, predicted, one.original)
    fast, plain = all_of(easy, 3, 3, 1500), slow(easy, 3, 3, 1500)
    kept = ~certain
    alone = Outcomes(
        one.target[kept],
        one.group[kept],
        predicted[:, kept],
        None if one.original is None else one.original[kept],
    )
    rest = [count(one.target[certain], one.group[certain], p[certain], 3, 3) for p in predicted]
    np.testing.assert_array_equal(fast, all_of(alone, 3, 3, 1500) + np.stack(rest))
    assert np.abs(fast.mean(0) - plain.mean(0)).max() < 5 * fast.std() / np.sqrt(1500) + 0.1
    sure = Outcomes(one.target, one.group, np.stack([one.target] * 2), one.original)
    np.testing.assert_array_equal(
        all_of(sure, 3, 3, 7), np.broadcast_to(sure.counts(3, 3), (7, 2, 3, 3, 3))
    )


def test_blocks_of_draws_do_not_matter_to_what_is_counted(monkeypatch):
    one = random_outcomes(1)
    whole = all_of(one, 3, 3, 40)
    monkeypatch.setattr(nulls, "_BLOCK", 3000)
    parts = list(permuted(one, 3, 3, 40))
    assert len(parts) >= 3
    assert np.concatenate(parts).shape == whole.shape
    np.testing.assert_array_equal(np.concatenate(parts), whole)


def fair_p(seed, pair, networks=6, n=24, classes=3, groups=2, unfair=0.0, draws=199):
    """The p-value of DEO_A, mean over networks that share their images, of a fair model."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(classes), n * groups)
    group, original = np.tile(np.arange(groups), classes * n), None
    d = rng.standard_normal(len(target))
    if pair:
        d = 0.9 * np.repeat(rng.standard_normal(classes * n), groups) + 0.45 * d
        original = np.repeat(np.arange(classes * n), groups)
    latent = 0.8 + d + 0.5 * rng.standard_normal((networks, len(target))) - unfair * group
    one = Outcomes(target, group, np.where(latent > 0, target, (target + 1) % classes), original)
    counts, weights = one.counts(classes, groups), np.full(networks, 1 / networks)
    draws_ = np.concatenate(
        [
            deo_a(b.reshape(-1, *counts.shape[1:])).reshape(len(b), -1) @ weights
            for b in permuted(one, classes, groups, draws)
        ]
    )
    return Null(draws_, "").p(deo_a(counts) @ weights), counts


@pytest.mark.parametrize("pair", [False, True])
def test_p_values_of_a_fair_model_are_uniform(pair):
    p = np.array([fair_p(seed, pair)[0] for seed in range(500)])
    assert (p < 0.05).mean() <= 0.06 + 0.01
    assert (p < 0.05).sum() <= stats.binom.ppf(0.999, 500, 0.05)
    for level in (0.1, 0.25, 0.5):  # equal draws count as larger, which costs a little
        low, high = stats.binom.ppf([0.001, 0.999], 500, level)
        assert 0.8 * low <= (p < level).sum() <= high


def test_the_binomial_floor_of_a_mean_would_not_do():
    """What six independent networks show is too little for six that share their images."""
    wrong = 0
    for seed in range(200):
        _, counts = fair_p(seed, False, draws=1)
        independent = np.mean([deo_a(binomial(counts, 199, seed=r)) for r in range(6)], 0)
        wrong += Null(independent, "").p(deo_a(counts).mean()) < 0.05
    assert wrong / 200 > 0.07
    # that of a single network, which `nulls` takes, is on the safe side
    safe = [
        Null(deo_a(binomial(counts, 199)), "").p(deo_a(counts).mean()) < 0.05
        for _, counts in (fair_p(seed, False, draws=1) for seed in range(200))
    ]
    assert sum(safe) <= stats.binom.ppf(0.999, 200, 0.05)


@pytest.mark.parametrize("pair", [False, True])
def test_an_unfair_model_is_found(pair):
    p = np.array([fair_p(seed, pair, unfair=0.7)[0] for seed in range(30)])
    assert (p < 0.05).mean() > 0.8


def test_binomial_equals_numpys_multinomial():
    counts = np.array([[[[30, 5, 5], [2, 20, 8], [0, 0, 0]], [[9, 6, 5], [1, 3, 6], [0, 0, 7]]]])
    draws = 4000
    found = binomial(counts, draws)
    size = counts[0].sum(-1)
    np.testing.assert_array_equal(found.sum(-1), np.broadcast_to(size, (draws, *size.shape)))
    pooled = counts.sum((0, 1))
    rng = np.random.default_rng(1)
    for a, y in np.ndindex(2, 3):
        known = rng.multinomial(size[a, y], pooled[y] / pooled[y].sum(), draws)
        for k in range(3):
            assert found[:, a, y, k].mean() == pytest.approx(
                known[:, k].mean(), abs=5 * known[:, k].std() * np.sqrt(2 / draws) + 1e-12
            )
        covariance = np.cov(found[:, a, y], rowvar=False) - np.cov(known, rowvar=False)
        assert np.abs(covariance).max() <= 0.12 * known.var(0).max() + 1e-12
    np.testing.assert_array_equal(found, binomial(counts, draws))
    assert (binomial(counts, draws, seed=1) != found).any()


@pytest.mark.parametrize(
    ("accuracy", "n", "groups", "classes", "expected"),
    [
        (0.966, 100, 10, 10, (7.9, 5.5)),  # C-MNIST
        (0.58, 1000, 2, 10, (4.2, 1.8)),  # CIFAR10-S
        (0.75, 100, 4, 3, (12, 8.9)),  # UTKFace
        (0.72, 250, 2, 2, (4.5, 3.2)),  # BFFHQ
    ],
)
def test_floors_of_the_published_protocols(accuracy, n, groups, classes, expected):
    # ten repeats whose pooled rate is the accuracy exactly, though one cell's cannot be
    right = np.full(10, int(accuracy * n))
    right[: round(10 * (accuracy * n - int(accuracy * n)))] += 1
    eye = np.eye(classes, dtype=int)
    tables = [eye * r + np.roll(eye, 1, 1) * (n - r) for r in right]
    counts = np.stack([np.stack([table] * groups) for table in tables])
    deo_m, mean, _ = metrics.deo(metrics.tpr(binomial(counts, 1000)))
    np.testing.assert_allclose((deo_m.mean(), mean.mean()), expected, atol=0.4)


def test_p_and_quantile_of_a_null_by_hand():
    null = Null(np.array([1.0, 2, 3, 4]), "binomial")
    assert (null.mean, null.most) == (2.5, pytest.approx(3.85))
    assert [null.p(x) for x in (0, 3, 3 + 1e-12, 3.5, 9)] == [1.0, 0.6, 0.6, 0.4, 0.2]
    assert np.isnan(null.p(float("nan")))
    assert np.isnan(Null(np.array([1.0, np.nan]), "").p(1))


def test_what_is_used_when():
    functions = {"deo_a": deo_a}
    weights = np.full(3, 1 / 3)
    for make, how in ((random_outcomes, "within classes"), (paired_outcomes, "within images")):
        one = make(0)
        found = nulls.nulls(functions, one.counts(3, 3), ["a"] * 3, one, weights)["deo_a"]
        assert (found.how, len(found.draws)) == (how, nulls.DRAWS)
    counts = random_outcomes(0).counts(3, 3)
    found = nulls.nulls(functions, counts, ["a", "b", "a"], None, weights)["deo_a"]
    assert found.how == "binomial"
    expected = (2 * deo_a(binomial(counts[[0, 2]])) + deo_a(binomial(counts[[1]]))) / 3
    np.testing.assert_allclose(found.draws, expected)


def test_beyond_all_draws_the_tail_of_a_gamma_distribution_is_taken():
    rng = np.random.default_rng(0)
    draws = rng.gamma(3.0, 2.0, 499)
    null, least = Null(draws, "within classes"), 1 / 500
    assert null.p(1000.0) == 1e-6
    for observed in (draws.max() + 0.5, 30.0, 40.0):
        true = stats.gamma.sf(observed, 3.0, scale=2.0)
        assert null.p(observed) <= least
        assert true / 30 < null.p(observed) < max(30 * true, least)
    # below the largest draw it is counted, as ever
    inside = np.sort(draws)[-3]
    assert null.p(inside) == 4 / 500
    # no tail from a handful of draws, nor from equal ones
    assert Null(draws[:20], "binomial").p(99.0) == 1 / 21
    assert Null(np.full(499, 2.0), "binomial").p(99.0) == least


@pytest.mark.parametrize("original", ["known", "not known"])
def test_copies_of_an_image_are_one_image(original):
    """Every image is shown five times: p-values of fair models are uniform, if that is known."""
    found = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        target, group = np.repeat([0, 1], 60), np.tile([0, 1, 2], 40)
        right = rng.random((2, 120)) < 0.7
        predicted = np.where(right, target, 1 - target)
        shown = np.repeat(np.arange(120), 5)
        which = shown if original == "known" else None
        one = Outcomes(target[shown], group[shown], predicted[:, shown], which)
        names = {"target_names": ["0", "1"], "group_names": ["0", "1", "2"]}
        found.append(FairnessReport.of(one, ["a"] * 2, names).metric("deo_a").p)
    false = (np.array(found) <= 0.05).sum()
    assert false <= 9 if original == "known" else false > 20


def test_originals_shown_unequally_often_keep_the_sizes_of_cells():
    rng = np.random.default_rng(0)
    original = np.repeat(np.arange(30), rng.integers(1, 4, 30))
    target, group = (original % 2), (original // 2) % 3
    outcomes = Outcomes(target, group, rng.integers(0, 2, (2, len(target))), original)
    expected = outcomes.counts(2, 3).sum(-1)
    for block in permuted(outcomes, 2, 3, draws=20):
        np.testing.assert_array_equal(block.sum(-1), np.broadcast_to(expected, block.shape[:-1]))
    other = next(permuted(outcomes, 2, 3, draws=20))
    assert len(np.unique(other.reshape(20, -1), axis=0)) > 10
