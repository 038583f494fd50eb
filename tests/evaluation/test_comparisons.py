"""Comparisons: Holm's correction, pairing, kinds, units, and never one test against another."""

import json
import re
from dataclasses import replace

import numpy as np
import planted
import pytest
from hypothesis import given
from hypothesis import strategies as st
from planted import Method, images
from scipy import stats

from fddkit.core.errors import FddkitError
from fddkit.evaluation.comparisons import MARGIN, PAIRED_FROM, Comparison, compare, family
from fddkit.evaluation.conclusions import phrase
from fddkit.evaluation.intervals import difference
from fddkit.evaluation.multiple_tests import holm
from fddkit.evaluation.outcomes import Outcomes
from fddkit.evaluation.report import FairnessReport


def report(*correct, n=100, sets=None):
    """Two classes, two groups; 90% of group 0, and ``correct`` of n images of group 1."""
    first = [[90, 10], [10, 90]]
    counts = np.array([[first, [[c, n - c], [n - c, c]]] for c in correct])
    return FairnessReport(counts, ["convnet"] * len(correct), sets=sets)


def slow_holm(p):
    """As defined: the largest of (n - rank) p over all that are no larger, at most 1."""
    known = sorted((value, i) for i, value in enumerate(p) if value == value)
    found = [float("nan")] * len(p)
    for place, (_, i) in enumerate(known):
        found[i] = min(1.0, max((len(known) - k) * known[k][0] for k in range(place + 1)))
    return found


@given(st.lists(st.one_of(st.just(float("nan")), st.floats(0, 1)), max_size=12))
def test_holm_equals_a_slow_loop(p):
    np.testing.assert_allclose(holm(np.array(p)), slow_holm(p))


def test_holm_by_hand_and_its_decisions_are_stepwise():
    assert holm(np.array([])) == []
    np.testing.assert_allclose(holm(np.array([0.01, 0.02, 0.03, 0.5])), [0.04, 0.06, 0.06, 0.5])
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = rng.random(6) ** 3
        adjusted = np.array(holm(p))
        rejected, order = np.zeros(6, bool), np.argsort(p)
        for rank, i in enumerate(order):  # step down until one is not rejected
            if p[i] > 0.05 / (6 - rank):
                break
            rejected[i] = True
        np.testing.assert_array_equal(adjusted <= 0.05, rejected)
        assert (adjusted >= p).all()


def test_kinds():
    low, high = report(50, 52, 51), report(89, 90, 91)
    kinds = {
        "lower": compare(low, high, ["accuracy"]),
        "higher": compare(high, low, ["accuracy"]),
        "same": compare(high, report(90, 90, 91), ["accuracy"]),
        "unclear": compare(report(50, 90), report(60, 70), ["accuracy"]),
    }
    for kind, [one] in kinds.items():
        assert one.kind == kind
    [gap] = compare(low, high, ["deo_a"])
    assert gap.kind == "higher"
    constant = FairnessReport(np.array([[[[9, 0], [9, 0]], [[9, 0], [9, 0]]]] * 3), ["a"] * 3)
    [void] = compare(constant, low, ["deo_a"], ("it", "low"))
    assert void.kind == "void"
    assert void.doubt == "it predicts one class for nearly all images"
    assert compare(constant, low, ["accuracy"])[0].kind != "void"


def test_the_margin_decides_what_is_the_same():
    [one] = compare(report(88, 89, 90), report(90, 90, 91), ["accuracy"])
    low, high = one.difference.low, one.difference.high
    assert one.kind == "same"
    least = max(-low, high)
    for margin, same in ((least * 1.01, True), (least * 0.99, False)):
        [other] = compare(report(88, 89, 90), report(90, 90, 91), ["accuracy"], margin=margin)
        assert (other.kind == "same") == same
    assert one.margin == MARGIN


@pytest.mark.parametrize("metric", ["accuracy", "deo_a", "deo_m", "worst_group"])
def test_differences_are_those_of_the_values_without_noise(metric):
    a, b = report(50, 56, 53), report(59, 54, 61, 70)
    [one] = compare(a, b, [metric])
    x, y = (r.metric(metric).true for r in (a, b))
    known = stats.ttest_ind(x.values, y.values, equal_var=False)
    assert one.difference.value == pytest.approx(x.mean - y.mean)
    if metric != "accuracy":
        return
    assert one.p == pytest.approx(known.pvalue, abs=1e-6)
    np.testing.assert_allclose(x.values, a.accuracy.values)


def test_the_sign_turns_with_the_order():
    a, b = report(50, 56, 53), report(79, 74, 81)
    for metric in ("accuracy", "deo_a"):
        [one], [other] = compare(a, b, [metric]), compare(b, a, [metric])
        assert one.difference.value == pytest.approx(-other.difference.value)
        assert (one.difference.low, one.p) == pytest.approx((-other.difference.high, other.p))
        assert {one.kind, other.kind} == {"higher", "lower"}


def pooled(correct, seeds):
    return FairnessReport.pool(
        [
            FairnessReport(report(c).counts, ["convnet"], {"data": {"seed": s}})
            for c, s in zip(correct, seeds, strict=True)
        ]
    )


def test_sets_are_paired_by_seed_whatever_their_order():
    rng, n = np.random.default_rng(0), max(PAIRED_FROM, 4)
    seeds, order = rng.permutation(50)[:n], rng.permutation(n)
    x = rng.integers(40, 80, n)
    y = x + rng.integers(1, 9, n)
    one = compare(pooled(x, seeds.tolist()), pooled(y[order], seeds[order].tolist()), ["accuracy"])
    known = stats.ttest_rel(x, y)
    assert one[0].difference.paired
    assert one[0].units == f"{n} sets each, paired by seed"
    assert one[0].p == pytest.approx(known.pvalue, abs=1e-6)
    # of half the images
    assert one[0].difference.value == pytest.approx((x - y).mean() / 2)


def test_few_sets_are_not_paired():
    """Pairing costs degrees of freedom: how many sets it takes is fixed, not chosen by the data."""
    n = PAIRED_FROM - 1
    assert n >= 2
    seeds = list(range(n))
    [one] = compare(
        pooled([50 + 9 * s for s in seeds], seeds),
        pooled([52 + 9 * s for s in seeds], seeds),
        ["accuracy"],
    )
    assert not one.difference.paired
    assert one.units == f"{n} sets each"


def test_without_the_same_seeds_nothing_is_paired():
    a = pooled([50, 60, 70], [1, 2, 3])
    for other, units in (
        (pooled([55, 65, 76], [1, 2, 4]), "3 sets each"),
        (pooled([55, 65], [1, 2]), "3 sets against 2 sets"),
        (report(55, 65, 76), "3 sets against 3 networks of one set"),
        (pooled([55], [1]), "3 sets against 1 set"),
    ):
        [one] = compare(a, other, ["accuracy"])
        assert (one.units, one.difference.paired) == (units, False)
    [one] = compare(report(55), report(66), ["accuracy"])
    assert one.units == "1 network of one set each"
    assert one.kind == "unclear"
    # networks of one set share no seed, even if there are equally many
    assert not compare(report(55, 60), report(66, 70), ["accuracy"])[0].difference.paired


def test_the_family_is_corrected_together():
    named = {"a": report(50, 56, 53), "b": report(59, 54, 61), "c": report(70, 74, 73)}
    pairs = [("a", "b"), ("a", "c"), ("b", "c")]
    found = family(named, pairs, ("accuracy", "flips"))
    assert [(one.a, one.b, one.metric) for one in found][:3] == [
        ("a", "b", "accuracy"),
        ("a", "b", "flips"),
        ("a", "c", "accuracy"),
    ]
    raw = [compare(named[a], named[b], ["accuracy"])[0].p for a, b in pairs]
    np.testing.assert_allclose([one.p for one in found[::2]], slow_holm(raw))
    assert all(one.family == 3 for one in found)  # flips are unknown, and not tested
    assert all(np.isnan(one.p) and one.kind == "unclear" for one in found[1::2])
    json.dumps([one.to_dict() for one in found], allow_nan=False)
    assert found[1].to_dict()["p"] is None


def test_names_that_are_equal_are_told_apart():
    [one] = compare(report(50, 51), report(60, 61), ["accuracy"], ("x", "x"))
    assert (one.a, one.b) == ("x (1)", "x (2)")


def on_both(main, counterfactual):
    return replace(main, counterfactual=counterfactual)


def test_never_one_test_against_another():
    with_paired = on_both(report(50, 52, 51), report(85, 86, 87))
    other = on_both(report(60, 61, 62), report(85, 87, 86))
    plain = report(60, 61, 62)
    assert compare(with_paired, other, ["accuracy"])[0].difference.value == pytest.approx(0)
    for one in (
        compare(with_paired, plain, ["accuracy"]),
        compare(plain, with_paired, ["accuracy"]),
    ):
        assert abs(one[0].difference.value) == pytest.approx(5)


def test_what_an_image_does_to_both_cancels_on_the_same_test_only():
    rng = np.random.default_rng(0)
    test, elsewhere = images(rng, n=100), images(rng, n=100)
    method = Method(0.8, level_sd=0.02)
    a, b, c = (planted.report(rng, method, t) for t in (test, test, elsewhere))
    same, other = (difference(a.accuracy.true, r.accuracy.true) for r in (b, c))
    assert same.parts.shared < other.parts.shared / 2 or same.parts.shared == 0
    # the images are told by their classes, groups and originals
    assert a.accuracy.true.images == b.accuracy.true.images


def test_phrases():
    [one] = compare(report(50, 52, 51), report(89, 90, 91), ["accuracy"])
    assert phrase(one).startswith("less accurate, by 19.5 points [")
    [gap] = compare(report(50, 52, 51), report(89, 90, 91), ["deo_a"])
    assert phrase(gap).startswith("less fair, DEO_A ")
    [worst] = compare(report(50, 52, 51), report(89, 90, 91), ["worst_group"])
    assert re.match(r"(worse, )?worst group \d+\.\d points lower \[", phrase(worst))
    [alone] = compare(report(50), report(90), ["accuracy"])
    assert "cannot be tested" in phrase(alone)
    lost = replace(one, p=0.07, family=9)
    assert "after correction for 9 comparisons (p = 0.07" in phrase(lost)
    assert isinstance(lost, Comparison)


def test_an_interval_beside_fewer_is_of_the_distance():
    """From the smaller to the larger distance, with the sign that the words give."""
    [one] = compare(report(50, 52, 51), report(89, 90, 91), ["accuracy"])
    low, high = -one.difference.high, -one.difference.low
    assert f"[{low:.1f}, {high:.1f}]" in phrase(one)
    assert 0 < low < 19.5 < high


def test_unknown_numbers_are_not_printed():
    [one] = compare(report(50, 51), report(60, 61), ["flips"])
    assert "nan" not in phrase(one)


def on_images(*predicted, target, group, original=None, sets=None):
    outcomes = Outcomes(target, group, np.array(predicted), original)
    config = {"target_names": ["0", "1"], "group_names": ["0", "1"]}
    return FairnessReport.of(outcomes, ["convnet"] * len(predicted), config, sets=sets)


@pytest.mark.parametrize(("n", "same"), [(10, False), (1000, True)])
def test_agreement_on_few_images_is_no_certainty(n, same):
    """Two perfect models: the interval of their difference says how rarely they may disagree."""
    target, group = np.repeat([0, 1], 2 * n), np.tile([0, 1], 2 * n)
    one, other = (on_images(*[target] * 3, target=target, group=group) for _ in range(2))
    [found] = compare(one, other, ["accuracy"])
    assert found.difference.value == 0
    assert found.difference.high > 0
    assert (found.kind == "same") == same
    # as often as the rule of three allows at least: 3 of so many images
    assert found.difference.high >= 100 * 3 / len(target) / 2


def test_the_noise_that_two_models_share_still_cancels():
    rng = np.random.default_rng(0)
    target, group = np.repeat([0, 1], 2000), np.tile([0, 1], 2000)
    wrong = rng.random(4000) < 0.3
    one = on_images(*[np.where(wrong, 1 - target, target)] * 3, target=target, group=group)
    [found] = compare(one, one, ["accuracy"])
    single = one.metric("accuracy").true.mean
    both = 2 * single / 100 * (1 - single / 100) / 4000 * 100**2  # variance on separate images
    assert 0 < found.difference.parts.own + found.difference.parts.shared < 0.02 * both


def test_gaps_that_are_mostly_noise_are_not_ranked():
    """Two fair models in cells of four images: the less accurate one has the larger gap."""
    rng, void = np.random.default_rng(0), 0
    target, group = np.repeat(np.arange(10), 40), np.tile(np.arange(10), 40)
    for _ in range(10):
        both = []
        for rate in (0.6, 0.97):
            right = rng.random((10, 400)) < rate
            predicted = np.where(right, target, (target + rng.integers(1, 10, right.shape)) % 10)
            outcomes = Outcomes(target, group, predicted)
            names = {k: [str(i) for i in range(10)] for k in ("target_names", "group_names")}
            both.append(FairnessReport.of(outcomes, ["a"] * 10, names, sets=list(range(10))))
        [one] = compare(*both, ["deo_a"])
        assert one.kind not in ("higher", "lower")
        void += "mostly what so few test images show" in one.doubt
    assert void


def test_equivalence_is_corrected_for_the_family():
    named = {str(i): report(88 + i % 3, 89, 90) for i in range(12)}
    pairs = [(str(i), str(i + 1)) for i in range(11)]
    [alone] = family(named, pairs[:1], ["accuracy"], margin=1.3)
    together = family(named, pairs, ["accuracy"], margin=1.3)[0]
    assert alone.p_same < together.p_same
    assert together.difference == alone.difference
    again = Comparison.from_dict(json.loads(json.dumps(together.to_dict())))
    assert (again.kind, again.p_same) == (together.kind, together.p_same)
    older = {k: v for k, v in alone.to_dict().items() if k not in ("p_same", "alone")}
    assert Comparison.from_dict(older).kind == alone.kind


def test_reports_of_different_tests_are_not_compared():
    other = FairnessReport(np.ones((3, 2, 3, 3), dtype=int), ["convnet"] * 3)
    with pytest.raises(FddkitError, match="different tests"):
        compare(report(88, 89, 90), other)


def test_a_model_near_chance_is_not_the_same_as_a_good_one():
    guess = FairnessReport(np.array([[[[50, 50], [50, 50]]] * 2] * 3), ["a"] * 3)
    perfect = FairnessReport(np.array([[[[100, 0], [0, 100]]] * 2] * 3), ["a"] * 3)
    [one] = compare(perfect, guess, ["deo_a"])
    assert one.kind == "void"
    assert "near chance" in one.doubt
