"""The table of metrics: by hand, against fairlearn and scikit-learn, and when one fails later."""

import json
import warnings

import numpy as np
import pytest
from fairlearn import metrics as fairlearn
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn import metrics as sklearn

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.evaluation.amplification import amplification, flips
from fddkit.evaluation.measures import METRICS, Metric, equal_opportunity, headline
from fddkit.evaluation.report import FairnessReport

#: Two groups, three classes; no image of class 2 in group 1. By hand:
COUNTS = np.array([[[[8, 2, 0], [1, 9, 0], [0, 5, 5]], [[6, 2, 2], [4, 6, 0], [0, 0, 0]]]])
BY_HAND = {
    "accuracy": 34 / 50,
    "balanced_accuracy": (14 / 20 + 15 / 20 + 5 / 10) / 3,
    "worst_group": 12 / 20,
    "best_group": 22 / 30,
    "worst_class": 5 / 10,
    "deo_m": 9 / 10 - 6 / 10,
    "deo_a": (2 / 10 + 3 / 10) / 2,
    # false positives: class 0 1/20, 4/10; class 1 7/20, 2/10; class 2 0/20, 2/20
    "equalised_odds": 8 / 20 - 1 / 20,
    "demographic_parity": 1 / 2 - 9 / 30,  # predicted 0: 9/30, 10/20; 1: 16/30, 8/20; 2: 5/30, 2/20
    "sufficiency": 1.0,  # predicted 2: 5/5 right, 0/2; class 0: 8/9, 6/10
}


def random_report(seed, classes=2, groups=3, n=600, networks=2):
    rng = np.random.default_rng(seed)
    y, a = rng.integers(0, classes, n), rng.integers(0, groups, n)
    right = rng.random((networks, n)) < 0.6 + 0.1 * (a == 0)
    predicted = np.where(right, y, rng.integers(0, classes, (networks, n)))
    return y, a, predicted, FairnessReport.from_predictions(y, predicted, a)


def test_by_hand():
    report = FairnessReport(COUNTS, ["convnet"])
    for name, expected in BY_HAND.items():
        assert report.metric(name).mean == pytest.approx(100 * expected), name
    unknown = {"equal_opportunity", "flips", "amplification"}
    assert set(METRICS) >= set(BY_HAND) | unknown
    assert all(np.isnan(report.metric(name).mean) for name in unknown)
    two = FairnessReport(np.array([[[[9, 1], [4, 6]], [[5, 5], [1, 9]]]]), ["convnet"])
    assert two.metric("equal_opportunity").mean == pytest.approx(30)
    assert equal_opportunity(1, "dog").function(COUNTS)[0] == pytest.approx(30)
    assert np.isnan(equal_opportunity(2).function(COUNTS)[0])
    assert equal_opportunity(1, "dog").title == "EO of dog"


@pytest.mark.parametrize("seed", range(4))
def test_two_classes_agree_with_fairlearn(seed):
    y, a, predicted, report = random_report(seed)
    known = {
        "demographic_parity": fairlearn.demographic_parity_difference,
        "equalised_odds": fairlearn.equalized_odds_difference,
        "equal_opportunity": fairlearn.equal_opportunity_difference,
    }
    for name, function in known.items():
        expected = [100 * function(y, p, sensitive_features=a) for p in predicted]
        np.testing.assert_allclose(report.metric(name).values, expected, err_msg=name)


@pytest.mark.parametrize("seed", range(3))
def test_more_classes_agree_with_fairlearn_one_against_the_rest(seed):
    y, a, predicted, report = random_report(seed, classes=4)
    for r, p in enumerate(predicted):
        frames = [
            fairlearn.MetricFrame(
                metrics={
                    "tpr": fairlearn.true_positive_rate,
                    "fpr": fairlearn.false_positive_rate,
                    "selection": fairlearn.selection_rate,
                    "precision": sklearn.precision_score,
                },
                y_true=(y == k).astype(int),
                y_pred=(p == k).astype(int),
                sensitive_features=a,
            ).difference()
            for k in range(4)
        ]
        largest = {k: 100 * max(f[k] for f in frames) for k in frames[0].index}
        expected = {
            "deo_m": largest["tpr"],
            "deo_a": 100 * np.mean([f["tpr"] for f in frames]),
            "equalised_odds": max(largest["tpr"], largest["fpr"]),
            "demographic_parity": largest["selection"],
            "sufficiency": largest["precision"],
        }
        for name, value in expected.items():
            assert report.metric(name).values[r] == pytest.approx(value), name


@pytest.mark.parametrize("seed", range(3))
def test_accuracies_agree_with_scikit_learn(seed):
    y, a, predicted, report = random_report(seed, classes=5)
    for r, p in enumerate(predicted):
        by_group = [sklearn.accuracy_score(y[a == g], p[a == g]) for g in range(3)]
        expected = {
            "accuracy": sklearn.accuracy_score(y, p),
            "balanced_accuracy": sklearn.balanced_accuracy_score(y, p),
            "worst_group": min(by_group),
            "best_group": max(by_group),
            "worst_class": sklearn.recall_score(y, p, average=None).min(),
        }
        for name, value in expected.items():
            assert report.metric(name).values[r] == pytest.approx(100 * value), name


@pytest.mark.filterwarnings("ignore:no predicted class")  # chance may predict the other one alone
@settings(max_examples=30)
@given(st.integers(1, 9), st.integers(2, 4), st.integers(0, 999))
def test_flips_equal_a_slow_loop(originals, groups, seed):
    rng = np.random.default_rng(seed)
    original, group = np.repeat(np.arange(originals), groups), np.tile(np.arange(groups), originals)
    order = rng.permutation(len(group))
    original, group = original[order], group[order]
    predicted = rng.integers(0, 2, (3, len(group)))
    report = FairnessReport.from_predictions(
        np.zeros(len(group), int), predicted, group, original=original
    )
    for p, found in zip(predicted, flips(report), strict=True):
        changed = [len(set(p[original == o].tolist())) > 1 for o in range(originals)]
        assert found == pytest.approx(100 * np.mean(changed))


def test_flips_need_a_counterfactual_test():
    assert np.isnan(random_report(0)[3].metric("flips").values).all()


def test_flips_with_a_group_that_is_not_shown():
    report = FairnessReport.from_predictions(
        [0, 0, 1, 1, 0, 0],
        [0, 1, 1, 1, 0, 0],
        [0, 1, 0, 1, 0, 1],
        original=[0, 0, 1, 1, 2, 2],
        target_names=["x", "y"],
        group_names=["a", "b", "c"],
    )
    found = report.metric("flips").mean
    assert np.isnan(found) or found == pytest.approx(100 / 3)


@settings(max_examples=30)
@given(st.integers(0, 999), st.integers(2, 4), st.integers(2, 3))
def test_amplification_equals_a_slow_loop(seed, classes, groups):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 9, (1, groups, classes, classes)) + 1
    reference = rng.integers(1, 20, (classes, groups))
    config = {"reference": {"name": "train", "counts": reference.tolist()}}
    total, n = 0.0, reference.sum()
    for y in range(classes):
        for a in range(groups):
            excess = reference[y, a] * n - reference[y].sum() * reference[:, a].sum()
            assume(excess)
            together = excess > 0
            size = counts[0, a].sum()
            delta = counts[0, a, :, y].sum() / size - counts[0, a, y].sum() / size
            total += delta if together else -delta
    [found] = amplification(FairnessReport(counts, ["convnet"], config))
    assert found == pytest.approx(100 * total / (classes * groups))


def test_an_independent_reference_goes_with_nothing():
    """Delta sums to 0 over the classes, so that with equal signs nothing is left."""
    counts = np.random.default_rng(0).integers(1, 30, (1, 3, 5, 5))
    # classes of different size, each with equally many images of every group
    config = {"reference": {"name": "even", "counts": [[y] * 3 for y in (1, 2, 3, 4, 5)]}}
    [found] = amplification(FairnessReport(counts, ["a"], config))
    assert found == pytest.approx(0, abs=1e-9)


def test_amplification_by_hand():
    """A model that makes no error amplifies nothing; one that reverses the classes undoes."""
    config = {"reference": {"name": "train", "counts": [[9, 1], [1, 9]]}}
    perfect = np.array([[[[5, 0], [0, 5]], [[5, 0], [0, 5]]]])
    reverse = np.array([[[[0, 5], [0, 5]], [[5, 0], [5, 0]]]])
    assert amplification(FairnessReport(perfect, ["a"], config))[0] == 0
    assert amplification(FairnessReport(reverse, ["a"], config))[0] == -50


def test_headline_and_reserved_names():
    assert set(headline()) == {"accuracy", "worst_group", "best_group", "deo_m", "deo_a"}
    for name in ("counts", "outcomes", "sha256"):
        with pytest.raises(FddkitError, match="part of every report"):
            fdd.register(name, Metric("x", lambda c: c[:, 0, 0, 0]))
    with pytest.raises(FddkitError, match="one number per repeat"):
        fdd.register("wrong", Metric("x", lambda c: c[:, 0]))
    assert "wrong" not in METRICS


@pytest.fixture
def later():
    """Register a metric that is replaced by a failing one once it is accepted."""
    names = []

    def make(function, **facts):
        accepted = [True]

        def outer(counts):
            return 1.0 * counts[:, 0, 0, 0] if accepted else function(counts)

        fdd.register("later", Metric("later", outer, **facts))
        names.append("later")
        accepted.clear()

    yield make
    for name in set(names):
        METRICS.pop(name)
        METRICS.own.pop(name)


def _raises(counts):
    raise ZeroDivisionError("of its own")


@pytest.mark.parametrize("outcomes", [False, True])
@pytest.mark.parametrize("between_groups", [False, True])
@pytest.mark.parametrize(
    "function",
    [
        _raises,
        lambda c: np.full(len(c), np.inf),
        lambda c: np.zeros((len(c), 3)),
        lambda c: np.zeros(7),
        lambda c: ["x"] * len(c),
        lambda c: 3.0,
    ],
    ids=["raises", "infinite", "matrix", "wrong length", "text", "one number"],
)
def test_a_metric_that_fails_later_costs_only_itself(
    later, tmp_path, function, between_groups, outcomes
):
    later(function, between_groups=between_groups)
    report = random_report(0)[3] if outcomes else FairnessReport(COUNTS, ["convnet"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert np.isnan(report.metric("later").values).all()
        assert "DEO_M" in str(report)
        report.save(tmp_path / "report.json")
        loaded = FairnessReport.load(tmp_path / "report.json")
        assert not np.isnan(loaded.deo_a.mean)
        data = json.loads((tmp_path / "report.json").read_text())
    assert data["later"]["mean"] is None
    assert data["deo_m"]["mean"] == pytest.approx(report.deo_m.mean)


def test_a_metric_that_fails_warns(later):
    later(_raises)
    with pytest.warns(UserWarning, match="the metric 'later' is unknown: of its own") as caught:
        assert np.isnan(FairnessReport(COUNTS, ["convnet"]).metric("later").mean)
    assert len(caught) == 1


def test_a_metric_that_fails_warns_once(later):
    later(_raises, between_groups=True)
    report = random_report(0)[3]
    with pytest.warns(UserWarning, match="'later' is unknown: of its own") as caught:
        str(report)
    assert len(caught) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        str(report)
    later(_raises)  # another metric, though of the same name
    with pytest.warns(UserWarning, match="'later' is unknown: of its own"):
        str(report)


def test_an_infinite_metric_is_unknown_there(later):
    later(lambda c: np.where(np.arange(len(c)) == 0, np.inf, 7.0))
    report = FairnessReport(np.concatenate([COUNTS, COUNTS]), ["convnet"] * 2 * len(COUNTS))
    with pytest.warns(UserWarning, match="'later' is unknown where it is infinite") as caught:
        values = METRICS["later"].values(report)
    assert len(caught) == 1
    assert np.isnan(values[0])
    assert (values[1:] == 7).all()


def test_a_metric_that_is_registered_later_is_known_to_older_reports(later):
    report = FairnessReport(COUNTS, ["convnet"])
    assert report.deo_m.noise_floor > 0
    later(lambda c: 1.0 * c[:, 0, 0, 0], between_groups=True)
    assert report.metric("later").mean == 8
    assert report.metric("later").true is not None
