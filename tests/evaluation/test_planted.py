"""Planted truth: what sentences say of methods whose true rates are known, and how often wrongly.

Rates of errors are compared with 5% plus what chance adds to it in so many simulations (the 99.9%
quantile of the binomial). `pytest -m slow tests/evaluation/test_planted.py -s` prints the rates.
"""

import re
from dataclasses import replace

import numpy as np
import planted
import pytest
from planted import Method, claims, contradictions, differences, images, report
from scipy import special, stats

from fddkit.evaluation import intervals
from fddkit.evaluation.comparisons import compare
from fddkit.evaluation.conclusions import against, verdict
from fddkit.evaluation.report import FairnessReport
from fddkit.evaluation.statements import from_zero, ranking
from fddkit.evaluation.summary import Summary

SHORT, FULL = 40, 1000  # verdicts of six comparisons each


@pytest.fixture(autouse=True)
def _quick_quantiles(monkeypatch):
    """Thousands of p-values: SciPy's t quantiles, to which test_t_distribution compares ours."""

    def quantile(df, level=0.95):
        return float(special.stdtrit(df, (1 + level) / 2))

    monkeypatch.setattr(intervals, "t_quantile", quantile, raising=False)


NAMES = ("vanilla", "fairdd", "cobra")
CONTROLS = ("whole", "random", "random-balanced")


def most(replicates, level=0.05):
    """How many errors at this level pass for chance."""
    return int(stats.binom.ppf(0.999, replicates, level))


def sizes(short=SHORT, full=FULL):
    return [pytest.param(short, id="short"), pytest.param(full, id="full", marks=pytest.mark.slow)]


def told(what, wrong, replicates):
    """Print the rate and check it."""
    print(f"\n{what}: {wrong} of {replicates} ({100 * wrong / replicates:.1f}%)")
    assert wrong <= most(replicates), f"{what}: {wrong} of {replicates}"


def simulate(seed, methods, sets=3, networks=1, one_set=False, rho=0.5, **test):
    """Return one report for each method, tested on the same images, seeds shared with rho."""
    rng = np.random.default_rng(seed)
    shown = images(rng, **test)
    common, found = rng.standard_normal((2, sets, 1, 1)), {}
    for name, method in methods.items():
        own = rng.standard_normal((2, sets, 1, 1))
        shared = rho**0.5 * common + (1 - rho) ** 0.5 * own
        found[name] = report(rng, method, shown, sets, networks, one_set, shared)
    return found


def equal(method, names=NAMES):
    return dict.fromkeys(names, method)


FAIR, BIASED = Method(0.85), Method(0.9, gap=1.0)


@pytest.mark.parametrize("replicates", sizes())
@pytest.mark.parametrize(
    ("name", "methods", "changes"),
    [
        ("unbiased data", equal(FAIR), {}),
        ("equal methods on biased data", equal(BIASED), {}),
        ("noisy", equal(Method(0.7, 0.8, level_sd=0.4, gap_sd=0.5)), {"n": 20}),
        ("paired test", equal(BIASED), {"paired": True, "n": 40}),
    ],
)
def test_equal_methods_are_not_told_apart(name, methods, changes, replicates):
    wrong = 0
    for seed in range(replicates):
        text = verdict(simulate(seed, methods, **changes))
        assert contradictions(text) == []
        wrong += bool(differences(text))
    told(f"verdict, {name}, any false difference", wrong, replicates)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "methods", "changes"),
    [
        ("with controls", equal(BIASED, (*NAMES, *CONTROLS)), {}),
        ("two sets", equal(BIASED), {"sets": 2}),
        ("ten sets", equal(BIASED), {"sets": 10, "n": 30}),
        ("sets of three networks", equal(BIASED), {"sets": 3, "networks": 3, "n": 30}),
        ("no seeds shared", equal(BIASED), {"rho": 0.0}),
        ("seeds that decide", equal(BIASED), {"rho": 0.95}),
        ("five classes, four groups", equal(BIASED), {"classes": 5, "groups": 4, "n": 30}),
        ("huge gap", equal(Method(0.97, gap=3.0)), {}),
        ("nearly perfect", equal(Method(0.995, gap=0.2)), {}),
        ("cells of five images", equal(BIASED), {"n": 5, "classes": 5, "groups": 4}),
    ],
)
def test_equal_methods_in_more_worlds(name, methods, changes):
    wrong = 0
    for seed in range(FULL // 3):
        text = verdict(simulate(seed, methods, **changes))
        assert contradictions(text) == []
        wrong += bool(differences(text))
    told(f"verdict, {name}, any false difference", wrong, FULL // 3)


@pytest.mark.parametrize("replicates", sizes())
@pytest.mark.parametrize("repeats", [1, 3])
def test_one_seed_only(repeats, replicates):
    wrong = 0
    for seed in range(replicates if repeats > 1 else 20):
        named = simulate(seed, equal(BIASED), sets=repeats, one_set=True)
        text = verdict(named)
        assert all(one.alone for one in claims(text))
        assert "Other sets made in the same way may differ" in text
        assert contradictions(text) == []
        wrong += bool(differences(text))
        assert repeats > 1 or not wrong  # one network cannot be told from another
    told(f"verdict, {repeats} networks of one set, any false difference", wrong, replicates)


@pytest.mark.parametrize("replicates", sizes())
@pytest.mark.parametrize("deo", [0.0, 15.0])
def test_equal_gaps_at_different_accuracy(deo, replicates):
    """Noise makes the gap of the less accurate larger: no merit of the other."""
    methods = {"vanilla": Method(0.75).with_deo(deo), "cobra": Method(0.95).with_deo(deo)}
    assert abs(methods["vanilla"].deo() - methods["cobra"].deo()) < 0.2
    wrong = missed = 0
    for seed in range(replicates):
        text = verdict(simulate(seed, methods))
        assert contradictions(text) == []
        words = {one.word for one in differences(text)}
        wrong += bool(words & {"fairer", "less fair", "less accurate"})
        missed += "more accurate" not in words
    told(f"verdict, equal DEO_A {deo}, accuracy 75 and 95, false", wrong, replicates)
    if not deo:  # else the accuracies are closer
        assert missed < 0.6 * replicates


@pytest.mark.parametrize("replicates", sizes(30, 300))
def test_huge_effects_are_found(replicates):
    methods = {"vanilla": Method(0.95, gap=1.6), "cobra": Method(0.93, gap=0.1)}
    found = 0
    for seed in range(replicates):
        text = verdict(simulate(seed, methods, sets=5))
        assert contradictions(text) == []
        words = {one.word for one in differences(text)}
        assert not words & {"less fair", "less accurate"}
        found += words == {"fairer", "more accurate"}
    assert found >= 0.9 * replicates


@pytest.mark.slow
def test_tiny_effects_are_not_called_the_wrong_way_round():
    methods = {"vanilla": Method(0.9, gap=1.0), "cobra": Method(0.9, gap=0.9)}
    wrong = 0
    for seed in range(FULL):
        words = {one.word for one in differences(verdict(simulate(seed, methods)))}
        wrong += bool(words & {"less fair", "less accurate"})
    told("verdict, tiny effect, wrong direction", wrong, FULL)
    assert wrong <= FULL // 25  # one side only


def test_a_planted_effect_that_is_taken_away_takes_its_sentence_away():
    with_effect = {"vanilla": Method(0.95, gap=2.5), "cobra": Method(0.93, gap=0.1)}
    texts = [verdict(simulate(3, m, sets=5)) for m in (with_effect, equal(FAIR))]
    here, gone = ([(c.a, c.b, c.word) for c in claims(text)] for text in texts)
    assert ("cobra", "vanilla", "fairer") in here
    assert not {c[2] for c in gone} & set(planted.DIFFERENT)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("kind", ["constant", "chance", "by the group"])
def test_who_has_learnt_nothing_is_never_fairer(kind, seed):
    rng = np.random.default_rng(seed)
    test = images(rng, n=100)
    shape = (3, len(test.target))
    useless = {
        "constant": np.ones(shape, dtype=int),
        "chance": rng.integers(0, 2, shape),
        "by the group": np.broadcast_to(test.group, shape),
    }[kind]
    named = {
        "vanilla": report(rng, Method(0.97, gap=2.0), test),
        "cobra": planted.made(test, useless, sets=[0, 1, 2]),
        "fairdd": report(rng, Method(0.95, gap=0.05), test),
    }
    text = verdict(named)
    fair = [c for c in claims(text) if c.word in ("fairer", "less fair")]
    assert not any((c.a == "cobra") == (c.word == "fairer") for c in fair if "cobra" in (c.a, c.b))
    assert "cobra predicts one class" in text or "cobra is near chance" in text
    [one] = compare(named["cobra"], named["vanilla"], ["deo_a"])
    if kind != "by the group":
        assert one.kind == "void"
        lines = {"vanilla": {0.9: named["vanilla"]}, "cobra": {0.9: named["cobra"]}}
        [sentence] = against(lines, "BR")
        assert "fair than" not in sentence.replace("fairer", "fair")
    else:
        assert one.kind == "higher"


def test_of_whom_a_small_gap_is_no_merit_a_large_one_may_be_told():
    rng = np.random.default_rng(0)
    test = images(rng, n=100)
    by_group = np.broadcast_to(test.group, (3, len(test.target)))
    named = {
        "vanilla": planted.made(test, by_group, sets=[0, 1, 2]),
        "cobra": report(rng, Method(0.95, gap=0.05), test),
    }
    text = verdict(named)
    assert contradictions(text) == []
    assert [c.word for c in differences(text)] == ["fairer", "more accurate"]
    praise = "cobra against vanilla (3 sets each): less fair, DEO_A 5.0 points higher [1.0, 9.0]; "
    praise += "the same accuracy within 2 points, 0.1 points higher [0.0, 0.2]. Worst group x."
    found = contradictions(f"Of vanilla: vanilla is near chance: it guesses.\n{praise}")
    assert len(found) == 1  # the check itself can fail


def test_reports_with_and_without_a_counterfactual_test_make_no_circle():
    def rates(*correct):
        first = [[90, 10], [10, 90]]
        counts = [[first, [[c, 100 - c], [100 - c, c]]] for c in correct]
        return FairnessReport(np.array(counts), ["convnet"] * len(correct))

    low, middle, high = rates(50, 51, 52), rates(65, 66, 67), rates(85, 86, 87)
    named = {
        "vanilla": replace(middle, counterfactual=low),
        "fairdd": replace(low, counterfactual=high),
        "cobra": rates(57, 58, 59),
    }
    assert contradictions(verdict(named)) == []


@pytest.mark.parametrize("replicates", sizes(15, 500))
def test_against_makes_few_errors(replicates):
    """Five conditions, two rules, equal to the reference and fair: any sentence is false."""
    different = exceeds = both = 0
    for seed in range(replicates):
        worlds = [simulate((seed, c), equal(FAIR), n=30) for c in range(5)]
        lines = {name: {c: world[name] for c, world in enumerate(worlds)} for name in NAMES}
        sentences = " ".join(against(lines, "BR"))
        first = "fairer than" in sentences or "less fair than" in sentences
        second = "Its gap exceeds" in sentences
        different, exceeds = different + first, exceeds + second
        both += first or second
    print(f"\nagainst: different {different}, exceeds {exceeds}, either {both} of {replicates}")
    told("against, any false difference", different, replicates)
    told("against, any false excess", exceeds, replicates)
    # the docstring: of all of them together
    told("against, any false statement", both, replicates)


def test_against_names_the_conditions_of_a_planted_effect():
    good, bad = Method(0.93, gap=0.1), Method(0.95, gap=2.5)
    worlds = {
        0.5: simulate(1, {"vanilla": good, "cobra": bad}, sets=5),
        0.9: simulate(2, {"vanilla": bad, "cobra": good}, sets=5),
    }
    lines = {name: {br: w[name] for br, w in worlds.items()} for name in ("vanilla", "cobra")}
    [sentence] = against(lines, "BR")
    assert "is less fair than vanilla at BR 0.5" in sentence
    assert "is fairer than vanilla at BR 0.9" in sentence
    assert "Its gap exceeds what chance shows at BR 0.5" in sentence


@pytest.mark.parametrize("replicates", sizes(400, 4000))
@pytest.mark.parametrize("n", [2, 3, 10])
def test_rankings_of_equals_have_no_order(n, replicates):
    rng, wrong = np.random.default_rng(n), 0
    for _ in range(replicates):
        named = {name: Summary(rng.normal(50, 5, n), unit="sets") for name in "abcd"}
        text = ranking(named, "x")
        wrong += ">" in text
        means = [named[part.split()[0]].mean for part in text[3:].replace(">", "~").split("~ ")]
        assert means == sorted(means, reverse=True)
    told(f"ranking of {n} equal repeats", wrong, replicates)


def test_rankings_find_large_differences():
    rng = np.random.default_rng(0)
    means = {"a": 20, "b": 60, "c": 40}
    named = {name: Summary(rng.normal(m, 1, 5), unit="sets") for name, m in means.items()}
    text = ranking(named, "x")
    assert [part.split()[0] for part in text[3:].split("> ")] == ["b", "c", "a"]


@pytest.mark.parametrize("replicates", sizes(400, 4000))
@pytest.mark.parametrize("n", [2, 3, 10])
def test_effects_of_nothing_are_not_told_from_zero(n, replicates):
    rng, wrong = np.random.default_rng(n), 0
    for _ in range(replicates):
        effect = Summary(rng.normal(0, 5, n), bounds=(-100.0, 100.0))
        text = from_zero(effect, "it")
        clear = "cannot be told from 0" not in text
        low, high = map(float, re.search(r"\[(\S+), (\S+)\]", text).groups())
        assert 0 in (low, high) or clear == (not low < 0 < high)  # the interval beside the word
        wrong += clear
    told(f"from_zero of {n} repeats", wrong, replicates)
    assert "cannot" not in from_zero(Summary(np.array([50.0, 51, 52]), (-100.0, 100.0)), "it")


@pytest.mark.parametrize("replicates", sizes(20, 400))
def test_equal_methods_are_found_the_same_only_if_they_are(replicates):
    """At the margin, "the same" is an error; without a difference it is found."""
    apart = {"vanilla": Method(0.9, 0.0, 0.02), "cobra": Method(0.86, 0.0, 0.02)}  # 4 points
    alike = equal(Method(0.9, 0.0, 0.02), ("vanilla", "cobra"))
    wrong = right = 0
    for seed in range(replicates):
        for methods in (apart, alike):
            named = simulate(seed, methods, sets=8, n=100)
            [one] = compare(named["cobra"], named["vanilla"], ["accuracy"], margin=4.0)
            if one.kind == "same":
                wrong, right = wrong + (methods is apart), right + (methods is alike)
    told('"the same" of 4 points', wrong, replicates)
    assert right > replicates / 2


def test_gaps_above_chance_are_found_among_many_tests():
    """30 tests of 499 draws each: the smallest share of draws would not survive the correction."""
    unfair = Method(0.9, gap=1.2)
    worlds = [
        simulate(seed, dict.fromkeys(("vanilla", "fairdd", "cobra", "minimax"), unfair), n=60)
        for seed in range(5)
    ]
    lines = {name: dict(enumerate(w[name] for w in worlds)) for name in worlds[0]}
    for sentence in against(lines, "GAP"):
        assert "Its gap exceeds what chance shows at GAP 0, 1, 2, 3, 4." in sentence


def test_nowhere_is_not_said_of_what_only_the_correction_hides():
    worlds = [simulate(seed, equal(Method(0.9, gap=0.35)), n=40) for seed in range(6)]
    lines = {name: dict(enumerate(w[name] for w in worlds)) for name in NAMES}
    chance = [report.shown.metric("deo_a").p for report in lines["cobra"].values()]
    [_, cobra] = against(lines, "GAP")
    if min(chance) < 0.05:
        assert "Nowhere" not in cobra
    else:
        assert "Nowhere" in cobra
