import numpy as np

from fddkit.evaluation.conclusions import against, ranking, verdict
from fddkit.evaluation.metrics import Summary
from fddkit.evaluation.report import FairnessReport


def report(*gaps, n=200):
    """Two classes, two groups; class 0 of group 0 is right in 90%, of group 1 by ``gap`` less."""
    counts = np.zeros((len(gaps), 2, 2, 2), dtype=np.int64)
    for r, gap in enumerate(gaps):
        for a, right in ((0, 0.9), (1, 0.9 - gap)):
            hits = round(right * n)
            counts[r, a] = [[hits, n - hits], [n // 10, n - n // 10]]
    return FairnessReport(counts, ["convnet"] * len(gaps))


def test_amplified_and_repaired():
    text = verdict(
        {
            "whole": report(0.2, 0.21, 0.22),
            "vanilla": report(0.8, 0.81, 0.82),
            "fairdd": report(0.1, 0.11, 0.12),
            "cobra": report(0.1, 0.11, 0.12),
        }
    )
    assert "Vanilla distillation amplifies the bias of the whole set: DEO_A 40.5" in text
    assert "fairdd is fairer than vanilla: DEO_A 5.5" in text
    assert "17.5 points higher" in text  # (0.81 - 0.11) of a quarter of the test images
    assert "fairdd cannot be told from cobra" in text


def test_the_words_follow_the_numbers():
    fair, biased = report(0.1, 0.11, 0.12), report(0.8, 0.81, 0.82)
    assert "does not amplify" in verdict({"whole": biased, "vanilla": fair})
    assert "is less fair than vanilla" in verdict({"vanilla": fair, "cobra": biased})
    assert "lower" in verdict({"vanilla": fair, "cobra": biased})


def test_vanilla_beside_random_images():
    fair, biased = report(0.1, 0.11, 0.12), report(0.8, 0.81, 0.82)
    assert "cannot be told from as many real images" in verdict({"vanilla": fair, "random": fair})
    assert "is less fair than as many real" in verdict({"vanilla": biased, "random": fair})


def test_one_repeat_claims_nothing():
    text = verdict({"whole": report(0.1), "vanilla": report(0.8), "cobra": report(0.1)})
    assert "cannot be shown to amplify" in text
    assert "cobra cannot be told from vanilla" in text


def test_what_is_missing_is_not_spoken_of():
    assert verdict({"random": report(0.5)}) == ""


def test_a_ranking_joins_what_overlaps():
    high, low, lower = (Summary(np.array(x)) for x in ([9.0, 9.1], [1.0, 2.0], [0.9, 1.9]))
    text = ranking({"lower": lower, "high": high, "low": low}, "MaxRes")
    assert text.startswith("MaxRes: high 9.1 [")
    assert text.index("high") < text.index("low ") < text.index("lower")
    assert "~ lower" in text
    apart = ranking({"a": Summary(np.array([1.0, 1.0])), "b": Summary(np.array([3.0, 3.0]))}, "x")
    assert "> a" in apart
    single = ranking({"a": Summary(np.array([1.0])), "b": Summary(np.array([3.0]))}, "x")
    assert "~ a" in single


def test_rules_against_a_reference_condition_by_condition():
    fair, biased = report(0.1, 0.11, 0.12), report(0.8, 0.81, 0.82)
    rng = report(0.0, 0.01, 0.02, n=50)
    lines = {
        "vanilla": {0.5: fair, 0.9: biased, 0.1: biased},
        "cobra": {0.5: biased, 0.9: fair, 0.1: rng},
        "fairdd": {0.5: fair, 0.9: biased, 0.1: biased},
    }
    cobra, fairdd = against(lines, "BR", "deo_m")
    assert cobra.startswith("By its DEO_M, cobra is less fair than vanilla at BR 0.5;")
    assert "is fairer than vanilla at BR 0.9, 0.1" in cobra
    assert "cannot be told from a fair model at BR 0.1" in cobra
    assert fairdd == "By its DEO_M, fairdd cannot be told from vanilla at BR 0.5, 0.9, 0.1."
