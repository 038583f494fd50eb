"""Sentences: what they say of planted numbers, and that they change with them."""

from dataclasses import replace

import numpy as np
from planted import claims, contradictions, differences

from fddkit.evaluation.comparisons import compare
from fddkit.evaluation.conclusions import against, verdict
from fddkit.evaluation.intervals import Estimate
from fddkit.evaluation.report import FairnessReport
from fddkit.evaluation.statements import from_zero, ranking
from fddkit.evaluation.summary import Summary


def report(*gaps, n=200, sets=None):
    """Two classes, two groups; class 0 of group 0 is right in 90%, of group 1 by ``gap`` less."""
    counts = np.zeros((len(gaps), 2, 2, 2), dtype=np.int64)
    for r, gap in enumerate(gaps):
        for a, right in ((0, 0.9), (1, 0.9 - gap)):
            hits = round(right * n)
            counts[r, a] = [[hits, n - hits], [n // 10, n - n // 10]]
    return FairnessReport(counts, ["convnet"] * len(gaps), sets=sets)


FAIR, BIASED = report(0.1, 0.11, 0.12), report(0.6, 0.61, 0.62)


def said(text):
    return {(one.a, one.b): [] for one in claims(text)} | {
        (one.a, one.b): [
            other.word for other in claims(text) if (other.a, other.b) == (one.a, one.b)
        ]
        for one in claims(text)
    }


def test_distilled_and_repaired():
    text = verdict({"whole": FAIR, "vanilla": BIASED, "fairdd": FAIR, "cobra": FAIR})
    found = said(text)
    assert found["vanilla", "whole"] == ["less fair", "less accurate"]
    assert found["fairdd", "vanilla"] == found["cobra", "vanilla"] == ["fairer", "more accurate"]
    assert not {"fairer", "less fair"} & set(found["fairdd", "cobra"])
    assert "by 12.5 points" in text  # (0.61 - 0.11) of a quarter of the test images
    assert "3 networks of one set each" in text
    assert "Worst group 77.0 against 52.0" not in text.splitlines()[0]
    assert 'compare with "random"' in text
    assert contradictions(text) == []


def test_the_words_follow_the_numbers():
    assert said(verdict({"whole": BIASED, "vanilla": FAIR}))["vanilla", "whole"][0] == "fairer"
    turned = verdict({"vanilla": FAIR, "cobra": BIASED})
    assert said(turned) == {("cobra", "vanilla"): ["less fair", "less accurate"]}


def test_vanilla_beside_random_images():
    equal = verdict({"vanilla": FAIR, "random": FAIR, "whole": FAIR, "random-balanced": FAIR})
    assert differences(equal) == []
    assert set(said(equal)) == {
        ("random", "whole"),
        ("random", "random-balanced"),
        ("vanilla", "random"),
    }
    assert "It is not known what is due to distillation" not in equal
    assert said(verdict({"vanilla": BIASED, "random": FAIR}))["vanilla", "random"][0] == "less fair"


def test_one_repeat_claims_nothing():
    text = verdict({"whole": report(0.1), "vanilla": report(0.6), "cobra": report(0.1)})
    assert differences(text) == []
    assert "cannot be tested with these repeats" in text
    assert "Other sets made in the same way may differ" in text
    assert all(one.alone for one in claims(text))


def test_sets_are_not_called_networks_of_one_set():
    one, other = (report(*gaps, sets=[0, 1, 2]) for gaps in ((0.1, 0.11, 0.13), (0.6, 0.62, 0.61)))
    text = verdict({"vanilla": other, "cobra": one})
    assert "(3 sets each" in text
    assert "one set" not in text
    assert "sets alone" not in text
    assert not any(one.alone for one in compare(one, other))
    [sentence] = against({"vanilla": {1: other}, "cobra": {1: one}}, "IPC")
    assert sentence.startswith("By its DEO_A, cobra is fairer")
    # one of the two by itself is enough for the sentence to be about these alone
    mixed = verdict({"vanilla": BIASED, "cobra": one})
    assert claims(mixed)
    assert all(c.alone for c in claims(mixed))


def test_the_whole_training_set_is_the_only_one():
    trained = replace(FAIR, config={"data": {"dataset": {"dataset": "digits"}}})
    several = report(0.6, 0.61, 0.62, sets=[0, 1, 2])
    assert not trained.of_one_set
    assert FAIR.of_one_set
    assert not several.of_one_set
    assert "sets alone" not in verdict({"whole": trained, "vanilla": several})
    whole = replace(FAIR, config={"data": {"method": "whole", "dataset": {"dataset": "digits"}}})
    cut = replace(FAIR, config={"data": {"method": "whole-balanced", "dataset": {}}})
    assert not whole.of_one_set
    assert cut.of_one_set
    distilled = replace(BIASED, config={"data": {"method": "dm", "dataset": {}}})
    assert "Of these sets alone" in verdict({"whole": trained, "vanilla": distilled})


def test_other_sentences_about_networks_are_about_these_sets():
    values = {"a": np.array([1.0, 1.1]), "b": np.array([9.0, 9.1])}
    for unit, alone in (("networks", True), ("sets", False), ("seeds", False)):
        named = {name: Summary(v, unit=unit) for name, v in values.items()}
        assert ("of these sets alone" in ranking(named, "x")) == alone
        effect = Summary(np.array([-39.0, -40, -41]), (-100.0, 100.0), unit)
        assert ("of these sets alone" in from_zero(effect, "it")) == alone


def test_what_is_missing_is_not_spoken_of():
    assert verdict({"random": report(0.5)}) == ""
    assert claims(verdict({"cobra": FAIR})) == []


def test_any_rule_is_spoken_of():
    text = verdict({"vanilla": BIASED, "my-rule": FAIR, "other": BIASED})
    assert ("my-rule", "vanilla") in said(text)
    assert ("my-rule", "other") in said(text)


def test_every_rule_may_be_the_worse_one():
    text = verdict({"vanilla": FAIR, "cobra": BIASED, "fairdd": BIASED})
    assert said(text)["cobra", "vanilla"][0] == said(text)["fairdd", "vanilla"][0] == "less fair"
    assert contradictions(text) == []


def test_the_margin_is_named():
    one = report(0.100, 0.105, 0.110)
    text = verdict({"vanilla": one, "cobra": report(0.105, 0.105, 0.110)}, margin=20)
    assert "the same DEO_A within 20 points" in text


def test_nothing_is_said_of_a_model_that_has_learnt_nothing():
    counts = np.zeros((3, 2, 2, 2), dtype=np.int64)
    counts[..., 1] = 100
    constant = FairnessReport(counts, ["convnet"] * 3)
    text = verdict({"vanilla": BIASED, "cobra": constant})
    assert "nothing can be said of DEO_A, because cobra predicts one class" in text
    assert "fair" not in " ".join(one.word for one in differences(text))


def test_a_ranking_joins_what_overlaps():
    high, low, lower = (Summary(np.array(x)) for x in ([9.0, 9.1], [1.0, 2.0], [0.9, 1.9]))
    text = ranking({"lower": lower, "high": high, "low": low}, "MaxRes")
    assert text.startswith("MaxRes, of these sets alone: high 9.1 [")
    assert text.index("high") < text.index("low ") < text.index("lower")
    assert "~ lower" in text
    single = ranking({"a": Summary(np.array([1.0])), "b": Summary(np.array([3.0]))}, "x")
    assert "~ a" in single
    # equal values show no spread, which is not the same as having none
    equal = ranking({"a": Summary(np.array([1.0, 1.0])), "b": Summary(np.array([3.0, 3.0]))}, "x")
    assert "~ a" in equal
    apart = ranking({"a": Summary(np.array([1.0, 1.1])), "b": Summary(np.array([9.0, 9.1]))}, "x")
    assert "> a" in apart


def test_rules_against_a_reference_condition_by_condition():
    level = report(0.0, 0.01, 0.02, n=50)
    lines = {
        "vanilla": {0.5: FAIR, 0.9: BIASED, 0.1: BIASED},
        "cobra": {0.5: BIASED, 0.9: FAIR, 0.1: level},
        "fairdd": {0.5: FAIR, 0.9: BIASED, 0.1: BIASED},
    }
    cobra, fairdd = against(lines, "BR", "deo_m")
    by = "Of these sets alone: by its DEO_M, cobra is less fair than vanilla at BR 0.5 (3 networks"
    assert cobra.startswith(by)
    assert "is fairer than vanilla at BR 0.9, 0.1" in cobra
    assert cobra.endswith("Its gap exceeds what chance shows at BR 0.5, 0.9.")
    assert "cannot be told from vanilla at BR 0.5, 0.9, 0.1" in fairdd
    assert against({"vanilla": lines["vanilla"]}, "BR") == []


def test_accuracy_against_a_reference():
    lines = {"vanilla": {1: BIASED, 2: FAIR}, "cobra": {1: FAIR, 2: BIASED}}
    [sentence] = against(lines, "IPC", "accuracy")
    assert "cobra is above vanilla at IPC 1" in sentence or "is above vanilla at IPC 1" in sentence
    assert "is below vanilla at IPC 2" in sentence
    assert "chance" not in sentence


def test_no_effect_is_not_claimed_of_one_repeat():
    one = Summary(np.array([-30.0]), bounds=(-100.0, 100.0))
    assert "cannot be told from 0" in from_zero(one, "it")
    several = Summary(np.array([-39.0, -40, -41]), bounds=(-100.0, 100.0))
    assert from_zero(several, "it").startswith("it is -40.0 [")


def test_the_word_and_the_interval_of_an_effect_agree():
    values = np.array([4.0, 5.0, 6.0])
    noise = np.random.default_rng(0).normal(0, 9, (200, 1)) * np.ones((1, 3))
    bounds = (-100.0, 100.0)
    effect = Summary(values, bounds, measured=lambda: Estimate(values, noise))
    low, high = effect.ci95
    assert low < 0 < high
    assert "cannot be told from 0" in from_zero(effect, "it")
