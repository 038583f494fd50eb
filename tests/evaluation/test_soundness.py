"""What is no sound report is refused in one sentence; what is, cannot be spoilt."""

import base64
import json
import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.evaluation import report_file
from fddkit.evaluation.outcomes import MOST_IMAGES, Outcomes
from fddkit.evaluation.report import FairnessReport

COUNTS = np.array([[[[9, 1], [2, 8]], [[6, 4], [3, 7]]]] * 2)
NAMES = ["a", "b"]


def made(seed=None, n=1, names=True, **changes):
    config = {"data": {"seed": seed}} if seed is not None else {}
    config |= {"target_names": ["x", "y"], "group_names": ["f", "m"]} if names else {}
    return FairnessReport(**{"counts": COUNTS[:1].repeat(n, 0), "networks": ["c"] * n} | {
        "config": config
    } | changes)  # fmt: skip


def predicted(seed=0, target=(0, 0, 1, 1) * 5, group=(0, 1) * 10, **more):
    rng = np.random.default_rng(seed)
    y = np.where(rng.random(len(target)) < 0.8, target, 0)
    return FairnessReport.from_predictions(
        target, y, group, target_names=["x", "y"], group_names=["f", "m"], **more
    )


BAD = {
    "no counts": ({"counts": None}, "counts must be whole numbers"),
    "ragged": ({"counts": [[[[1]], [[1, 2]]]]}, "counts must be whole numbers"),
    "a tensor of floats": ({"counts": torch.ones(1, 2, 2, 2)}, "counts must be whole numbers"),
    "no networks": ({"networks": None}, "networks must be a list of network names"),
    "one text": ({"networks": "c"}, "networks must be a list of network names"),
    "numbers": ({"networks": [1, 2]}, "networks must be a list of network names"),
    "nothing": ({"networks": [None, None]}, "networks must be a list of network names"),
    "sets of text": ({"sets": "ab"}, "sets must be a list of set numbers"),
    "sets of bool": ({"sets": [True, False]}, "sets must be a list of set numbers"),
    "no config": ({"config": None}, "config must be a dictionary"),
    "versions": ({"versions": 3}, "versions must be a dictionary"),
    "no data": ({"config": {"data": None}}, r"config\['data'\] must be a dictionary"),
    "health": ({"config": {"health": "well"}}, r"config\['health'\] must be a dictionary"),
    "names": ({"config": {"group_names": ["a"]}}, "does not fit the counts"),
    "no names": ({"config": {"target_names": [1, 2]}}, "must be the list of the names"),
    "a ragged reference": (
        {"config": {"reference": {"name": "t", "counts": [[1, 2], [1]]}}},
        "numbers of images",
    ),
    "a negative reference": (
        {"config": {"reference": {"name": "t", "counts": [[1, 2], [1, -1]]}}},
        "numbers of images",
    ),
    "outcomes": ({"outcomes": 5}, "outcomes must be Outcomes"),
    "counterfactual": ({"counterfactual": 5}, "counterfactual must be a report"),
}


@pytest.mark.parametrize("name", BAD)
def test_parts_that_are_none_are_refused(name):
    changes, sentence = BAD[name]
    with pytest.raises(FddkitError, match=sentence) as caught:
        FairnessReport(**{"counts": COUNTS, "networks": NAMES} | changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("shape", "networks"),
    [((2001, 1, 1, 1), 1), ((1, 5001, 2, 2), 1), ((1, 1, 1500, 1500), 1), ((40, 5, 60, 60), 40)],
)
def test_what_could_not_be_read_again_is_refused(shape, networks):
    names = [f"n{i % networks}" for i in range(shape[0])]
    with pytest.raises(FddkitError, match="more than a report takes"):
        FairnessReport(np.ones(shape, dtype=int), names)


def test_a_counterfactual_report_is_of_the_same_networks_and_has_none_itself():
    other = made(n=2)
    good = made(n=2, counterfactual=other)
    for bad in (made(n=1), replace(other, networks=NAMES), replace(other, sets=[1, 2]), good):
        with pytest.raises(FddkitError, match="counterfactual"):
            made(n=2, counterfactual=bad)
    with pytest.raises(FddkitError, match="another test"):
        made(counterfactual=FairnessReport(np.ones((1, 2, 3, 3), int), ["c"]))


def test_what_was_counted_cannot_be_changed_and_is_nobody_elses():
    given = COUNTS.copy()
    report = FairnessReport(given, NAMES)
    given += 1
    np.testing.assert_array_equal(report.counts, COUNTS)
    kept = predicted().outcomes
    for array in (report.counts, kept.target, kept.group, kept.predicted):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_numpys_whole_numbers_are_set_numbers(tmp_path):
    made(n=2, sets=np.arange(2)).save(tmp_path / "r.json")
    assert FairnessReport.load(tmp_path / "r.json").sets == [0, 1]


def test_seeds_too_large_for_an_array_stay_apart():
    sets = [2**63 + 1, 2**63, -1]
    values = COUNTS[:1].repeat(3, 0)
    values[1] = values[1, :, ::-1, ::-1]
    report = FairnessReport(values, ["c"] * 3, sets=sets)
    assert len(report.accuracy.values) == 3


def test_pooled_reports_keep_their_sets_when_they_are_pooled_again():
    pool = FairnessReport.pool
    parts = [made(seed) for seed in (1, 2, 3, 4)]
    assert pool([pool(parts[:2]), pool(parts[2:])]).sets == [1, 2, 3, 4]
    assert pool([pool(parts[:2]), parts[3]]).sets == [1, 2, 4]
    # without seeds, equal numbers are of different sets
    plain = pool([made(), made()])
    assert pool([plain, plain]).sets == [0, 1, 2, 3]
    assert pool([made(True), made(False)]).sets == [0, 1]
    assert pool(each for each in parts).sets == pool(dict(enumerate(parts)).values()).sets


OTHER_TESTS = {
    "names": lambda: [made(), made(config={"target_names": ["y", "x"]})],
    "images": lambda: [predicted(), predicted(target=(1, 1, 0, 0) * 5)],
    "prints": lambda: [made(config={"test_fingerprint": c}) for c in "ab"],
    "text": lambda: "ab",
    "one report": lambda: made(),
    "a dictionary": lambda: {"a": made()},
    "nothing": lambda: None,
    "numbers": lambda: [1, 2],
}


@pytest.mark.parametrize("name", OTHER_TESTS)
def test_reports_that_do_not_belong_together_are_not_pooled(name):
    with pytest.raises(FddkitError, match="pool takes"):
        FairnessReport.pool(OTHER_TESTS[name]())


def test_numbers_are_no_names():
    numbered = made(config={"target_names": ["0", "1"]})
    assert FairnessReport.pool([made(), numbered, made(names=False)]).sets == [0, 1, 2]


@pytest.mark.parametrize(
    "value", [float("nan"), np.int64(2), torch.ones(2), {1, 2}, "\ud800"], ids=str
)
def test_a_config_that_cannot_be_kept_is_named(value, tmp_path):
    with pytest.raises(FddkitError, match=r"cannot write .*keep the config to what JSON holds"):
        made(config={"x": value}).save(tmp_path / "r.json")
    assert not list(tmp_path.iterdir())


def test_a_large_report_is_written_so_that_it_can_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(report_file, "LARGEST_JSON", 6000)
    made(n=2).save(tmp_path / "r.json")
    assert len((tmp_path / "r.json").read_text().splitlines()) == 1
    made(n=2).save(tmp_path / "r.json")  # which is a report, and may be replaced
    assert FairnessReport.load(tmp_path / "r.json").networks == ["c", "c"]


@pytest.mark.parametrize("version", [0, -1])
def test_there_are_no_formats_before_the_first(version, tmp_path):
    path = tmp_path / "r.json"
    made().save(path)
    data = json.loads(path.read_text()) | {"format_version": version}
    path.write_text(json.dumps(data | {"sha256": report_file._seal(data)}))
    with pytest.raises(FddkitError, match=f"there is no format {version}"):
        FairnessReport.load(path)


def test_a_small_file_does_not_become_a_large_test(tmp_path):
    path, n = tmp_path / "r.json", 4 * MOST_IMAGES
    predicted().save(path)
    data = json.loads(path.read_text())
    zeros = base64.b64encode(zlib.compress(bytes(n), 9)).decode()
    data["outcomes"] |= {"images": n} | {
        name: {"dtype": "u1", "data": zeros} for name in ("target", "group", "predicted")
    }
    path.write_text(json.dumps(data | {"sha256": report_file._seal(data)}))
    with pytest.raises(FddkitError, match="outcomes of 1 networks for 8,388,608 images"):
        FairnessReport.load(path)
    assert path.stat().st_size < 100_000


def test_more_images_than_a_report_takes_are_refused_at_once():
    many = np.broadcast_to(np.zeros(1, int), MOST_IMAGES + 1)
    with pytest.raises(FddkitError, match="more than a report takes"):
        Outcomes(many, many, many[None])


def test_the_names_of_what_was_predicted_are_needed():
    for config in ({}, None, {"target_names": 5, "group_names": 5}):
        with pytest.raises(FddkitError, match="must be the list of the names"):
            FairnessReport.of(predicted().outcomes, ["c"], config)
