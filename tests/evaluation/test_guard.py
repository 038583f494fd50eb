"""Who has learnt nothing has no fairness."""

from dataclasses import replace

import numpy as np
import pytest

from fddkit.evaluation.guard import NEAR, doubt, doubts_of, learnt_nothing
from fddkit.evaluation.report import FairnessReport


def report(*shares, classes=3, n=1000, groups=2):
    """Each network recognises this share of every class; errors go to the next class."""
    eye = np.eye(classes)
    tables = [eye * s + np.roll(eye, 1, 1) * (1 - s) for s in shares]
    counts = np.array([[table * n] * groups for table in tables]).round().astype(int)
    return FairnessReport(counts, ["convnet"] * len(shares))


@pytest.mark.parametrize("classes", [2, 3, 10])
def test_near_chance_begins_a_tenth_of_the_way_up(classes):
    chance = 1 / classes
    limit = chance + NEAR * (1 - chance)
    assert "near chance" in doubt(report(limit - 0.005, classes=classes))
    assert doubt(report(limit + 0.005, classes=classes)) == ""
    assert f"guessing {100 * chance:.1f}%" in doubt(report(chance, classes=classes), "it")


def test_the_network_of_the_issue_is_near_chance():
    text = doubt(report(0.345), "cobra")
    assert text.startswith("cobra is near chance: it recognises 34.5% of a class on average")


def test_chance_is_of_the_classes_that_are_tested():
    counts = np.zeros((1, 2, 4, 4), dtype=int)
    counts[0, :, :2, :2] = [[50, 50], [50, 50]]
    assert "guessing 50.0%" in doubt(FairnessReport(counts, ["a"]))


def test_constant_models_of_each_their_class():
    constant = np.zeros((2, 2, 3, 3), dtype=int)
    constant[0, :, :, 0] = constant[1, :, :, 2] = 30
    text = "it predicts one class for nearly all images"
    assert doubt(FairnessReport(constant, ["a", "a"])) == text
    nearly = constant.copy()
    nearly[:, 0, 1] = [[1, 29, 0][::-1], [0, 1, 29]]
    assert doubt(FairnessReport(constant[:1], ["a"]), "x").startswith("x predicts")
    # a test of one class mostly: a good model is no constant one
    most = np.array([[[[980, 0], [0, 20]], [[980, 0], [0, 20]]]])
    assert doubt(FairnessReport(most, ["a"])) == ""


def test_by_the_group_alone_is_near_chance():
    counts = np.array([[[[50, 0], [50, 0]], [[0, 50], [0, 50]]]])
    assert "near chance" in doubt(FairnessReport(counts, ["a"]))


def test_doubts_look_at_the_test_that_is_shown():
    good, bad = report(0.9), report(0.34)
    assert learnt_nothing(good, "b") == ""
    clause = learnt_nothing(replace(good, counterfactual=bad), "b")
    assert clause.startswith("b is near chance")
    assert clause.endswith("; a small gap would be no merit")
    assert learnt_nothing(replace(bad, counterfactual=good), "a") == ""


def test_the_set_is_doubted_as_well():
    unwell = {"health": {"verdict": "diverged", "notes": ["the loss has grown"]}}
    good, bad = replace(report(0.9), config=unwell), replace(report(0.34), config=unwell)
    [alone] = doubts_of(good)
    assert alone.startswith("the distilled set is diverged")
    assert doubts_of(good, "b") == [f"b: {alone}"]
    assert doubts_of(bad, "b") == [f"b: {alone}", learnt_nothing(bad, "b")]
    assert doubts_of(report(0.9), "b") == []
