"""What comparisons are asked is checked, and refused in one sentence."""

import numpy as np
import pytest

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.evaluation.report import FairnessReport
from fddkit.evaluation.summary import Summary


def report(*correct, names=("x", "y")):
    first = [[90, 10], [10, 90]]
    counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    return FairnessReport(counts, ["c"] * len(correct), {"target_names": list(names)})


A, B = report(50, 52, 51), report(89, 90, 91)
OTHER = report(50, 52, 51, names=("y", "x"))
TEN = FairnessReport(np.ones((3, 3, 10, 10), int), ["c"] * 3)
ONE, NEGATIVE = Summary(np.array([1.0, 2.0])), Summary(np.array([-5.0, -6.0, -7.0]))

BAD = {
    "no report": lambda: fdd.compare(A, None),
    "other classes": lambda: fdd.compare(A, TEN),
    "other names": lambda: fdd.compare(A, OTHER),
    "no metrics": lambda: fdd.compare(A, B, None),
    "no metric": lambda: fdd.compare(A, B, []),
    "an unknown metric": lambda: fdd.compare(A, B, "deo"),
    "three names": lambda: fdd.compare(A, B, names=("a", "b", "c")),
    "a list as a name": lambda: fdd.compare(A, B, names=(["a"], "b")),
    **{f"margin {m}": lambda m=m: fdd.compare(A, B, margin=m) for m in ("2", np.nan, -1, np.inf)},
    "a pair without a report": lambda: fdd.family({"a": A}, [("a", "b")]),
    "a list": lambda: fdd.verdict([A, B]),
    "a number": lambda: fdd.verdict({"vanilla": 5}),
    "nothing": lambda: fdd.verdict(None),
    "verdict of others": lambda: fdd.verdict({"vanilla": A, "whole": TEN}),
    "power of nothing": lambda: fdd.power(None, A),
    "power of others": lambda: fdd.power(A, TEN),
    "metrics of power": lambda: fdd.power(A, B, ["deo_a"]),
    **{
        f"power {key} {value}": lambda key=key, value=value: fdd.power(
            A, B, "accuracy", **{key: value}
        )
        for key in ("difference", "power", "level")
        for value in ("5", None, 1e-300, np.inf, np.nan)
    },
    "decompose nothing": lambda: fdd.decompose(None, "vanilla"),
    "decompose others": lambda: fdd.decompose({"whole": A, "random": TEN, "vanilla": B}, "vanilla"),
    "a list of rules": lambda: fdd.decompose({"whole": A, "random": B}, ["vanilla"]),
    "no lines": lambda: fdd.against({}, "BR"),
    "a list of lines": lambda: fdd.against([A, B], "BR"),
    "an empty line": lambda: fdd.against({"v": {1: A}, "c": {}}, "BR"),
    "another condition": lambda: fdd.against({"v": {1: A}, "c": {2: B}}, "BR"),
    "nothing to rank": lambda: fdd.ranking({}, "x"),
    "rank of floats": lambda: fdd.ranking({"a": 1.0}, "x"),
    "rank of tables": lambda: fdd.ranking({"a": Summary(np.ones((2, 2)))}, "x"),
    "no values": lambda: Summary(np.array([])),
    "values of text": lambda: Summary(np.array(["a"])),
    "an effect that is a float": lambda: fdd.from_zero(5.0, "it"),
    "an effect outside its bounds": lambda: fdd.from_zero(NEGATIVE, "it"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_makes_no_sense_is_refused(name):
    with pytest.raises(FddkitError) as caught:
        BAD[name]()
    assert len(str(caught.value)) < 400
    assert "\n" not in str(caught.value)


def test_one_name_is_a_list_of_one():
    assert [one.metric for one in fdd.compare(A, B, "accuracy")] == ["accuracy"]


def test_what_is_unknown_is_ranked_last():
    unknown = Summary(np.array([np.nan, 1.0]))
    text = fdd.ranking({"u": unknown, "low": ONE, "high": Summary(np.array([5.0, 6.0]))}, "x")
    assert text.index("high 5.5") < text.index("low 1.5") < text.index("u unknown")


def test_conditions_that_look_alike_are_not_the_same():
    [sentence] = fdd.against({"v": {1: A, "1": B}, "c": {1: B, "1": A}}, "BR", "accuracy")
    assert "is above v at BR 1" in sentence
    assert "is below v at BR 1" in sentence
