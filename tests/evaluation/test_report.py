"""The report: what it derives from its counts, how it is shown, and how it is kept."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json
from fddkit.evaluation.measures import METRICS
from fddkit.evaluation.report import FairnessReport

ARTIFACTS = Path(__file__).resolve().parent.parent / "artifacts"


def one_against_rest(correct, size):
    """Counts [1, A, C, C] with the given right answers; the errors go to the next class."""
    correct, size = np.asarray(correct), np.asarray(size)
    classes = correct.shape[1]
    right = np.eye(classes, dtype=np.int64)
    wrong = np.roll(right, 1, axis=1)
    return (right * correct[:, :, None] + wrong * (size - correct)[:, :, None])[None]


TWO_BY_TWO = one_against_rest([[8, 5], [6, 9]], [[10, 10], [10, 10]])


def test_an_empty_cell_is_left_out_and_reported():
    size = np.array([[10, 10], [10, 10], [0, 10]])
    values = one_against_rest([[8, 5], [6, 5], [0, 5]], size)
    report = FairnessReport(values, ["convnet"], {"group_names": "rgb", "target_names": "01"})
    assert np.isnan(report.group_tpr.mean[2, 0])
    assert report.deo_m.mean == pytest.approx(20)  # counted as rate 0, it would be 80
    assert report.deo_a.mean == pytest.approx(10)
    assert report.empty_cells == [(2, 0)]
    assert "no test image: b 0" in str(report)


def test_without_a_class_to_compare_the_gaps_are_unknown():
    report = FairnessReport(one_against_rest([[8, 5]], [[10, 10]]), ["convnet"])
    assert math.isnan(report.deo_m.mean)
    assert math.isnan(report.deo_a.noise_floor)
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    for name in ("deo_m", "deo_a"):
        found = data[name]
        assert (found.pop("unit"), found.pop("n")) == ("networks", 1)
        assert found.pop("ci95") == found.pop("corrected_ci95") == [None, None]
        assert set(found.values()) == {None}


def test_one_repeat_has_no_spread():
    report = FairnessReport(TWO_BY_TWO, ["convnet"])
    data = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    accuracy = data["accuracy"]
    assert (accuracy["mean"], accuracy["std"], accuracy["ci95"]) == (70.0, None, [None, None])
    assert accuracy["noise_floor"] is None
    assert accuracy["unit"] == "networks"
    assert data["deo_m"]["mean"] == pytest.approx(40)
    assert data["deo_m"]["noise_floor"] > 0
    assert re.search(r"^accuracy +70\.0 +- +-$", str(report), re.M)


def test_networks_are_reported_apart_and_the_floor_is_their_mean():
    rough = one_against_rest(np.full((2, 2), 60), np.full((2, 2), 100))
    fine = one_against_rest(np.full((2, 2), 99), np.full((2, 2), 100))
    values = np.concatenate([rough, fine, rough])
    report = FairnessReport(values, ["a", "b", "a"], counterfactual=None)
    parts = report.by_network()
    assert list(parts) == ["a", "b"]
    assert parts["b"].by_network()["b"] is parts["b"]  # whose numbers are not computed again
    np.testing.assert_array_equal(parts["a"].counts, values[[0, 2]])
    assert parts["b"].accuracy.mean == pytest.approx(99)
    expected = (2 * parts["a"].deo_m.noise_floor + parts["b"].deo_m.noise_floor) / 3
    assert report.deo_m.noise_floor == pytest.approx(expected)
    assert "a: accuracy" in str(report)


def test_pooled_reports_count_each_training_set_once(tmp_path):
    values = [one_against_rest([[x, 50], [50, 50]], np.full((2, 2), 100)) for x in (50, 60, 70, 90)]
    one, two = (
        FairnessReport(part, ["a"] * 2, counterfactual=FairnessReport(2 * part, ["a"] * 2))
        for part in (np.concatenate(values[:2]), np.concatenate(values[2:]))
    )
    pooled = FairnessReport.pool([one, two])
    # DEO_M is 0, 10 on the first set and 20, 40 on the second: the sets' means are 5 and 30
    np.testing.assert_allclose(pooled.deo_m.values, [5, 30])
    assert pooled.deo_m.std == pytest.approx(25 / math.sqrt(2))
    assert pooled.counts.shape[0] == 4
    assert len(pooled.counterfactual.deo_m.values) == 2
    assert "4 networks (a) on 2 training sets" in str(pooled)
    assert len(pooled.by_network()["a"].accuracy.values) == 2
    pooled.save(tmp_path / "pooled.json")
    loaded = FairnessReport.load(tmp_path / "pooled.json")
    assert loaded.deo_m.to_dict() == pooled.deo_m.to_dict()
    with pytest.warns(UserWarning, match="counterfactual test of 1 of 2 reports is left out"):
        lost = FairnessReport.pool([one, FairnessReport(two.counts, ["a"] * 2)])
    assert lost.counterfactual is None


def test_reports_of_other_tests_are_not_pooled(report):
    for others in ([], [report, FairnessReport(TWO_BY_TWO[:, :1], ["convnet"])]):
        with pytest.raises(FddkitError, match="pool"):
            FairnessReport.pool(others)
    with pytest.raises(FddkitError, match="same test images"):
        FairnessReport.pool([report, report.counterfactual])
    with pytest.raises(FddkitError, match="set numbers"):
        FairnessReport(TWO_BY_TWO, ["convnet"], sets=[0, 1])


@pytest.fixture
def report():
    values = np.concatenate([TWO_BY_TWO, TWO_BY_TWO[:, ::-1]])
    names = {"target_names": ["<0>", "1"], "group_names": ["red", "blue"]}
    paired = FairnessReport(3 * values, ["convnet"] * 2, names)
    return FairnessReport(values, ["convnet"] * 2, names, {"torch": "2"}, paired)


def test_report_survives_saving(report, tmp_path):
    path = tmp_path / "report.json"
    report.save(path)
    loaded = FairnessReport.load(path)
    assert loaded.to_dict() == report.to_dict()
    np.testing.assert_array_equal(loaded.counterfactual.counts, 3 * report.counts)
    assert loaded.counts.dtype == np.int64
    assert (loaded.config, loaded.versions) == (report.config, report.versions)
    data = read_json(path)
    keys = {"mean", "std", "ci95", "noise_floor", "most_by_chance", "p", "corrected"}
    keys |= {"corrected_ci95", "unit", "n"}
    for metric in METRICS:
        assert set(data[metric]) == set(data["counterfactual"][metric]) == keys


def test_report_is_shown_to_people(report):
    text = str(report)
    assert "2 networks (convnet); tested on 40 images, 2 classes x 2 groups; percent" in text
    assert "DEO_M (counterfactual)" in text
    table = [line for line in text.splitlines() if re.search(r"\d\.\d  ", line)]
    assert len(table) > 10
    assert max(map(len, table)) <= 110
    assert "<td>DEO_M</td><td>40.0</td>" in report._repr_html_()
    assert "<0>" not in report._repr_html_()


def _truncated(path, data):
    path.write_text(json.dumps(data)[:-40])


def _changed(**changes):
    def write(path, data):
        path.write_text(json.dumps(data | changes))

    return write


def _older(**changes):
    """As written before reports had a seal."""

    def write(path, data):
        del data["sha256"]
        _changed(format_version=1, **changes)(path, data)

    return write


def test_a_report_of_before_there_was_a_seal_is_read(report, tmp_path):
    path = tmp_path / "report.json"
    report.save(path)
    _older()(path, read_json(path))
    assert FairnessReport.load(path).to_dict() == report.to_dict()


def test_a_digit_that_was_changed_is_noticed(report, tmp_path):
    path = tmp_path / "report.json"
    report.save(path)
    text, noticed = path.read_text(), 0
    before, begin = json.loads(text), text.index('"format_version"')
    for at in [i for i in range(begin, len(text)) if text[i].isdigit()][::23]:
        changed = text[:at] + str((int(text[at]) + 1) % 10) + text[at + 1 :]
        if json.loads(changed) == before:
            continue  # the last of 17 digits of a number may not matter
        path.write_text(changed)
        with pytest.raises(FddkitError, match=r"damaged report|update fddkit|not valid JSON"):
            FairnessReport.load(path)
        noticed += 1
    assert noticed > 30


@pytest.fixture
def kept():
    """Two networks and their outcomes, on both tests, with scores; two sets."""
    rng = np.random.default_rng(0)
    target, group = np.repeat([0, 1], 40), np.tile([0, 1], 40)
    original = np.arange(80) // 2
    predicted = np.where(rng.random((2, 80)) < 0.8, target, 1 - target)
    score = rng.random((2, 80))
    parts = [
        FairnessReport.from_predictions(target, predicted, group, ["a", "b"], o, score)
        for o in (None, original)
    ]
    return replace(parts[0], counterfactual=replace(parts[1], sets=[3, 8]), sets=[3, 8])


@pytest.mark.parametrize("compress", [True, False])
def test_outcomes_and_every_number_survive_saving(kept, tmp_path, compress):
    path = tmp_path / "report.json"
    kept.save(path, compress=compress)
    loaded = FairnessReport.load(path)
    for mine, theirs in ((kept, loaded), (kept.counterfactual, loaded.counterfactual)):
        assert mine.outcomes.same_test(theirs.outcomes)
        np.testing.assert_array_equal(mine.outcomes.predicted, theirs.outcomes.predicted)
        np.testing.assert_array_equal(mine.outcomes.score, theirs.outcomes.score)
        assert mine.to_dict() == theirs.to_dict()
        np.testing.assert_array_equal(mine.metric("flips").values, theirs.metric("flips").values)
    assert loaded.sets == [3, 8]
    data = read_json(path)
    assert data["counterfactual"]["flips"]["mean"] is not None
    assert data["format_version"] == 3


def test_derived_numbers_are_recomputed(kept, tmp_path):
    path = tmp_path / "report.json"
    kept.save(path)
    data = read_json(path)
    _older(accuracy={"mean": 100.0})(path, data)
    assert FairnessReport.load(path).accuracy.mean == pytest.approx(kept.accuracy.mean)


@pytest.mark.parametrize(
    "spoil",
    [
        {"images": 79},
        {"networks": 1},
        {"zlib": 1},
        {"predicted": None},
        {"predicted": {"dtype": "u1", "data": ""}},
        {"target": {"dtype": "u1"}},
        {"score": {"dtype": "<u2", "data": "AAAA"}},
    ],
)
def test_damaged_outcomes_are_refused(kept, tmp_path, spoil):
    path = tmp_path / "report.json"
    kept.save(path)
    data = read_json(path)
    _older(outcomes=data["outcomes"] | spoil)(path, data)
    with pytest.raises(FddkitError, match="damaged report"):
        FairnessReport.load(path)


def test_outcomes_that_are_not_those_of_the_counts_are_refused(kept, tmp_path):
    path = tmp_path / "report.json"
    kept.save(path)
    data = read_json(path)
    other = kept.counterfactual.outcomes.of([1, 0]).encode()
    _older(outcomes=data["outcomes"] | {"predicted": other["predicted"]})(path, data)
    with pytest.raises(FddkitError, match=r"damaged report .*counts and outcomes differ"):
        FairnessReport.load(path)


@pytest.mark.parametrize("name", ["format-1/dm.json", "flat/dm.json"])
def test_reports_of_older_versions_are_read(name, tmp_path):
    data = read_json(ARTIFACTS / name)
    report = FairnessReport.load(ARTIFACTS / name)
    assert report.outcomes is None
    for test, old in ((report, data), (report.counterfactual, data["counterfactual"])):
        for metric in ("accuracy", "deo_m", "deo_a"):
            assert test.metric(metric).mean == pytest.approx(old[metric]["mean"])
    assert report.deo_m.chance.how == "binomial"
    assert str(report)
    report.save(tmp_path / "new.json")
    again = FairnessReport.load(tmp_path / "new.json")
    np.testing.assert_array_equal(again.counts, report.counts)
    assert again.to_dict() == report.to_dict()


def test_pooling_keeps_outcomes_and_seeds(kept):
    one, two = (
        replace(
            (each := kept.by_network()[name]),
            counterfactual=replace(each.counterfactual, sets=None),
            sets=None,
            config=each.config | {"data": {"seed": seed}},
        )
        for name, seed in (("a", 8), ("b", 3))
    )
    pooled = FairnessReport.pool([one, two])
    assert pooled.sets == [8, 3]
    np.testing.assert_array_equal(pooled.outcomes.predicted, kept.outcomes.predicted)
    assert pooled.counterfactual.outcomes.paired
    without = replace(two, outcomes=None)
    with pytest.warns(UserWarning, match="what networks predicted of 1 of 2 reports is left out"):
        assert FairnessReport.pool([one, without]).outcomes is None
    same = FairnessReport.pool([one, one])
    assert same.sets == [0, 1]


def test_a_counterfactual_of_nothing_is_refused(report, tmp_path):
    path = tmp_path / "report.json"
    report.save(path)
    _older(counterfactual={})(path, read_json(path))
    with pytest.raises(FddkitError, match="damaged report"):
        FairnessReport.load(path)


def test_only_a_report_is_replaced(report, tmp_path):
    path = tmp_path / "thesis.tex"
    path.write_text("years of work")
    with pytest.raises(FddkitError, match="is kept; choose another name"):
        report.save(path)
    assert path.read_text() == "years of work"
    report.save(tmp_path / "report.json")
    report.save(tmp_path / "report.json")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (_truncated, "not valid JSON"),
        (lambda path, data: path.write_bytes(bytes(range(256))), "not valid JSON"),
        (lambda path, data: path.write_text("[1, 2]"), "is not a fairness report"),
        (lambda path, data: path.write_text('{"format": 1}'), "is not a fairness report"),
        (_changed(format_version=4), "update fddkit"),
        (_changed(networks=["alexnet", "convnet"]), "not what was written"),
        (_changed(format_version=1), "not what was written"),
        (_older(counts=[[1], [2, 3]]), "damaged report"),
        (_older(counts=[1.5]), "damaged report"),
        (_older(counts=None), "damaged report"),
        (_older(networks=["convnet"]), "damaged report"),
        (_older(config=3), "damaged report"),
        (_older(sets=[0]), "damaged report"),
        (_older(counts=[[[[2**70]]]]), "damaged report"),
        (_older(sets=["a", "b"]), "damaged report"),
        (_older(config={"target_names": ["0", "1"], "group_names": ["red"]}), "does not fit"),
        (_older(counterfactual=7), "counterfactual is a whole number, not"),
        (lambda path, data: path.unlink(), "cannot read"),
    ],
)
def test_a_file_that_is_not_a_whole_report_is_refused(report, tmp_path, spoil, sentence):
    path = tmp_path / "report.json"
    report.save(path)
    spoil(path, read_json(path))
    with pytest.raises(FddkitError, match=sentence) as caught:
        FairnessReport.load(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "values",
    [
        TWO_BY_TWO.astype(float),
        TWO_BY_TWO[0],
        TWO_BY_TWO[:, :, :1],
        -TWO_BY_TWO,
        0 * TWO_BY_TWO,
        TWO_BY_TWO[:0],
        np.concatenate([TWO_BY_TWO, 2 * TWO_BY_TWO]),
    ],
)
def test_impossible_counts_are_refused(values):
    with pytest.raises(FddkitError, match="counts"):
        FairnessReport(values, ["convnet"] * len(values))
