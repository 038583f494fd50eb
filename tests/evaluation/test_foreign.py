"""Anybody's predictions become a report."""

import numpy as np
import pandas as pd
import pytest
import torch

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
        ({"y_pred": ["0", "1", "1", "1"]}, "y_true and y_pred are text and numbers"),
        ({"y_true": [0, "0", 1, 1]}, "must hold numbers or text"),
        ({"y_true": np.ma.array(Y, mask=[0, 1, 0, 0])}, "masked values"),
        ({"y_true": np.array([2**63, 0, 1, 1], np.uint64)}, "too large"),
        ({"y_pred": [0.2, 0.9, 0.8, 0.7]}, "not probabilities"),
        ({"y_pred": [P, [0, 1]]}, "y_pred cannot be read as an array"),
        ({"score": list("abcd")}, "from 0 to 1"),
        ({"score": [P, [1]]}, "score cannot be read as an array"),
        ({"y_pred": torch.tensor([0.0, 1, 1, 1], requires_grad=True)}, "cannot be read"),
        ({"y_pred": torch.tensor(P, dtype=torch.bfloat16)}, "cannot be read"),
        ({"names": 5}, "must be a list of names"),
        ({"names": [None]}, "must be a list of names"),
        ({"target_names": 5}, "must be a list of names"),
        ({"target_names": ["a", "a"]}, "'a' is given twice"),
        ({"target_names": range(1001)}, "1,001 different classes"),
        ({"original": [np.nan, 0, 0, 0]}, "original holds NaN"),
    ],
)
def test_what_does_not_fit_is_refused(changes, sentence):
    with pytest.raises(FddkitError, match=sentence):
        of(**({"y_true": Y, "y_pred": P, "group": G} | changes))


def test_ids_in_the_place_of_groups_are_refused_at_once():
    with pytest.raises(FddkitError, match="3,000 different groups"):
        of(np.arange(3000) % 2, np.arange(3000) % 2, np.arange(3000))


@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_text_as_pandas_keeps_it(dtype):
    text = [pd.Series(list(x), dtype=dtype) for x in ("aabb", "abbb", "xyxy")]
    assert of(*text).config == {"target_names": ["a", "b"], "group_names": ["x", "y"]}
    assert of(*text).accuracy.mean == 75


def test_whole_floats_and_bytes_are_the_labels_that_they_stand_for():
    assert of([0.0, 0, 1, 1], P, G).accuracy.mean == 75
    assert of(np.array([b"a", b"a"]), ["a", "a"], [0, 1]).config["target_names"] == ["a"]
    assert of(pd.Series(Y, dtype="Int64"), P, G).accuracy.mean == 75
    large = np.array([2**62 + 1, 2**62, 2**62, 2**62], np.uint64)
    assert of(large, large.astype(np.int64), G).config["target_names"][0] == str(2**62)


def test_names_that_are_numbers_are_text(tmp_path):
    report = of(Y, [P, P], G, names=[1, 2])
    report.save(tmp_path / "r.json")
    assert FairnessReport.load(tmp_path / "r.json").networks == ["1", "2"]


def test_labels_that_have_nothing_in_common_are_mentioned():
    with pytest.warns(UserWarning, match="so the accuracy is 0; are they the same labels"):
        of([1, 2], [0, 0], [0, 1])
