"""Anybody's predictions become a report."""

import numpy as np
import pytest

from fddkit.core.errors import FddkitError
from fddkit.evaluation.report import FairnessReport

of = FairnessReport.from_predictions
Y, P, G = [0, 0, 1, 1], [0, 1, 1, 1], [0, 1, 0, 1]


def test_numbers_and_text_give_the_same_counts():
    numbers = of(Y, P, G)
    text = of(["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", "dog"], list("rgrg"))
    given = of(Y, P, G, target_names=["cat", "dog"], group_names=["r", "g"])
    other = of(np.array(Y, float), np.array(P, bool), np.array(G, "U1"))
    expected = [[[[1, 0], [0, 1]], [[0, 1], [0, 1]]]]
    for report in (numbers, given, other):
        np.testing.assert_array_equal(report.counts, expected)
    np.testing.assert_array_equal(text.counts[:, ::-1], expected)  # g comes before r
    assert text.config["group_names"] == ["g", "r"]
    assert given.config == {"target_names": ["cat", "dog"], "group_names": ["r", "g"]}
    assert numbers.networks == ["model 1"]


def test_labels_are_sorted_as_what_they_are():
    report = of([10, 2, 2], [10, 10, 2], [0, 1, 0])
    assert report.config["target_names"] == ["2", "10"]
    assert report.counts[0, 0].tolist() == [[1, 0], [0, 1]]


def test_names_give_order_and_room():
    report = of(["b", "a"], ["b", "b"], ["y", "y"], target_names="cba", group_names=["x", "y"])
    assert report.counts.shape == (1, 2, 3, 3)
    assert report.counts[0, 1].tolist() == [[0, 0, 0], [0, 1, 0], [0, 1, 0]]
    assert report.empty_cells == [(0, 0), (0, 1), (0, 2), (1, 0)]


def test_a_class_that_is_only_predicted_is_a_class():
    assert of([0, 1], [2, 1], [0, 0]).counts.shape == (1, 1, 3, 3)


def test_several_models_scores_and_originals():
    report = of(Y, [P, Y], G, ["a", "b"], original=["i", "i", "j", "j"], score=[[1, 0.5, 0, 1]] * 2)
    assert report.networks == ["a", "b"]
    assert report.outcomes.paired
    assert report.outcomes.score.tolist() == [[255, 128, 0, 255]] * 2
    assert report.metric("flips").values.tolist() == [50, 0]
    assert report.accuracy.values.tolist() == [75, 100]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"y_pred": [0, 1]}, "give one of each per test image"),
        ({"group": [0, 1]}, "give one of each per test image"),
        ({"y_pred": [[[0, 1, 1, 1]]]}, "give one of each per test image"),
        ({"y_true": []}, "y_true has shape"),
        ({"y_true": [Y]}, "y_true has shape"),
        ({"y_true": [0, 0, 1, np.nan]}, "NaN or infinity"),
        ({"y_pred": [0, 0, 1, np.inf]}, "NaN or infinity"),
        ({"y_true": [None, 0, 1, 1]}, "must hold numbers or text"),
        ({"names": ["a", "b"]}, "2 network names for 1 repeats"),
        ({"original": [0, 1]}, "original has shape"),
        ({"score": [1, 1]}, "score has shape"),
        ({"score": [1, 1, 1, 1.5]}, "from 0 to 1"),
        ({"score": [1, 1, 1, np.nan]}, "from 0 to 1"),
        ({"target_names": ["a"]}, "class 1 is not one of a"),
        ({"target_names": ["a", "b"], "y_true": list("abcb")}, "class c is not one of a, b"),
        ({"group_names": ["a"]}, "group 1 is not one of a"),
        ({"target_names": ["a", "b"], "y_pred": [0, -1, 1, 1]}, "class -1 is not one of"),
    ],
)
def test_what_does_not_fit_is_refused(changes, sentence):
    with pytest.raises(FddkitError, match=sentence):
        of(**({"y_true": Y, "y_pred": P, "group": G} | changes))
