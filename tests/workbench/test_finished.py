"""Finished runs are found on the disk, and damaged files are skipped."""

import json

import pytest

import fddkit as fdd
from fddkit.core.files import write_json
from fddkit.evaluation.measures import headline
from fddkit.experiments.records import Record
from fddkit.workbench.choice import Choice
from fddkit.workbench.finished import finished, nearest
from fddkit.workbench.worker import Order


def _summary(mean):
    return {"mean": mean, "std": 1.0, "ci95": [mean - 1, mean + 1], "noise_floor": 3.0}


def _notebook(reports, name, numbers, status="finished", **parameters):
    given = {"dataset": "digits", "br": None, "ipc": 10, "rules": ["vanilla", "cobra"]}
    folder = reports / "02_distillation" / name
    folder.mkdir(parents=True)
    given |= parameters
    record = Record(name, name, given, given, {}, "2026-11-20", 1.0, status, None, "ab")
    record.save(folder)
    write_json(folder / "metrics.json", {"numbers": numbers})
    return folder


def _numbers(rule, mean, where=""):
    return {f"{rule} {where}{m}": _summary(mean) for m in ("accuracy", "DEO_M", "DEO_A")}


@pytest.fixture
def reports(tmp_path):
    """Make one explored run and three of notebooks, with rubbish beside them."""
    order = Order(
        Choice(ipc=1, fairness="fairdd", preset="smoke"), "data", str(tmp_path / "explore"), 2
    )
    order.out.parent.mkdir()
    train, test = fdd.load("digits")
    s = fdd.distill(train, "dm", "fairdd", 1, preset="smoke", out=order.out, progress=False)
    fdd.evaluate(s, test, repeats=2, preset="smoke", progress=False).save(order.report)
    (tmp_path / "explore" / "broken.json").write_text("{")
    (tmp_path / "explore" / "other.json").write_text(json.dumps({"a": 1}))
    both = _numbers("vanilla", 20) | _numbers("vanilla", 30, "counterfactual ")
    _notebook(tmp_path, "default", both | _numbers("whole", 90))
    _notebook(tmp_path, "br", _numbers("cobra", 80), br=0.9)
    _notebook(tmp_path, "failed", _numbers("cobra", 1), status="failed")
    return tmp_path


def test_all_that_is_finished_is_found(reports):
    found = {(one.rule, one.br, one.ipc): one for one in finished(reports)}
    assert set(found) == {
        ("fairdd", 0.75, 1),
        ("vanilla", 0.75, 10),
        ("whole", 0.75, None),
        ("cobra", 0.9, 10),
    }
    own = found["fairdd", 0.75, 1]
    assert own.out is not None
    assert own.numbers["accuracy"]["mean"] > 0
    assert found["whole", 0.75, None].method == "whole"
    assert (own.preset, found["vanilla", 0.75, 10].preset) == ("smoke", "quick")


def test_the_counterfactual_test_counts_where_there_is_one(reports):
    vanilla = next(one for one in finished(reports) if one.rule == "vanilla")
    assert vanilla.numbers["accuracy"]["mean"] == 30


def test_the_nearest_is_of_one_bias_ratio_and_size(reports):
    found = finished(reports)
    near = nearest(found, Choice(br=0.8, ipc=10))
    assert {(one.rule, one.br) for one in near} == {("vanilla", 0.75), ("whole", 0.75)}
    assert {one.rule for one in nearest(found, Choice(br=0.95))} == {"cobra"}
    smoke = Choice(ipc=2, preset="smoke")
    assert {one.rule for one in nearest(found, smoke)} == {"fairdd"}  # not beside another preset
    assert {one.rule for one in nearest(found, Choice(ipc=2))} == {"vanilla", "whole"}
    assert nearest(found, Choice(gap=1, br=0.8)) == []
    assert nearest(found, Choice(method="dc")) != []  # baselines go with every method
    assert nearest([], Choice()) == []


def test_damaged_files_are_told_and_do_not_hide_the_others(reports):
    (reports / "02_distillation" / "br" / "metrics.json").write_text("[" * 5000)
    (reports / "02_distillation" / "odd").mkdir()
    (reports / "02_distillation" / "odd" / "run.json").write_text('{"notebook": 7}')
    told = []
    found = finished(reports, told.append)
    assert {one.rule for one in found} == {"fairdd", "vanilla", "whole"}
    assert [line.partition(": ")[0].split()[0].split("/")[-1] for line in told] == [
        "broken.json",
        "other.json",
        "metrics.json",
        "run.json",
    ]
    assert "nested too deeply" in told[2]


@pytest.mark.parametrize(
    "strange",
    [
        {"ipc": 0},
        {"ipc": "10"},
        {"rules": "vanilla"},
        {"rules": [["vanilla"]]},
        {"dataset": ["digits"]},
        {"dataset": "nowhere"},
        {"br": "0.9"},
        {"gap": [1]},
        {"preset": None},
    ],
)
def test_strange_parameters_are_of_another_kind_of_notebook(tmp_path, strange):
    _notebook(tmp_path, "one", _numbers("cobra", 80), **strange)
    assert finished(tmp_path) == []


def test_of_an_older_run_what_it_has_is_shown(reports):
    vanilla = next(one for one in finished(reports) if one.rule == "vanilla")
    assert vanilla.numbers.keys() == {"accuracy", "deo_m", "deo_a"}
    assert "p" not in vanilla.numbers["deo_m"]
    assert vanilla.doubt == ""


def test_a_newer_run_says_what_its_numbers_are_worth(tmp_path):
    newer = {"most_by_chance": 5.0, "p": 0.002, "unit": "sets", "n": 3}
    numbers = {key: one | newer for key, one in _numbers("cobra", 80).items()}
    folder = _notebook(tmp_path, "one", numbers | _numbers("vanilla", 40))
    kept = {"numbers": numbers | _numbers("vanilla", 40), "doubts": {"cobra": "near chance"}}
    write_json(folder / "metrics.json", kept)
    cobra, vanilla = sorted(finished(tmp_path), key=lambda one: one.rule)
    assert (cobra.doubt, vanilla.doubt) == ("near chance", "")
    assert newer.items() <= cobra.numbers["deo_m"].items()
    for strange in ([], {"cobra": 7}, "near"):
        write_json(folder / "metrics.json", kept | {"doubts": strange})
        assert [one.doubt for one in finished(tmp_path)] == ["", ""]


@pytest.mark.parametrize(
    "strange", [{"unit": 7}, {"n": "3"}, {"p": "0.5"}, {"most_by_chance": [1]}, {"ci95": [1]}]
)
def test_a_number_with_a_strange_part_is_none(tmp_path, strange):
    numbers = {key: one | strange for key, one in _numbers("cobra", 80).items()}
    _notebook(tmp_path, "one", numbers)
    assert finished(tmp_path) == []


def test_numbers_of_the_explorer_come_from_the_file_if_it_has_them(reports):
    own = next(one for one in finished(reports) if one.rule == "fairdd")
    report = fdd.FairnessReport.load(own.where)
    fresh = {name: report.shown.metric(name).to_dict() for name in headline()}
    assert own.numbers == json.loads(json.dumps(fresh))
    assert own.numbers["deo_m"]["unit"] == "networks"
    kept = json.loads(own.where.read_text())
    kept["format_version"] = 1  # which had no seal, and nothing of p-values
    for name in headline():
        kept["counterfactual"][name] = {"mean": 0.0, "ci95": [0.0, 0.0], "noise_floor": 0.0}
    own.where.write_text(json.dumps({k: v for k, v in kept.items() if k != "sha256"}))
    again = next(one for one in finished(reports) if one.rule == "fairdd")
    assert again.numbers == fresh  # what is missing is computed


def test_strange_numbers_are_no_result(tmp_path):
    odd = {"cobra accuracy": 3, "cobra DEO_M": {"mean": "<b>"}, "cobra DEO_A": None}
    _notebook(tmp_path, "one", odd)
    assert finished(tmp_path) == []


def test_a_folder_without_runs_is_empty(tmp_path):
    assert finished(tmp_path) == []
    assert finished(tmp_path / "nowhere") == []
