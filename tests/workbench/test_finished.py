"""Finished runs are found on the disk, and damaged files are skipped."""

import json

import pytest

import fddkit as fdd
from fddkit.core.files import write_json
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


def test_strange_numbers_are_no_result(tmp_path):
    odd = {"cobra accuracy": 3, "cobra DEO_M": {"mean": "<b>"}, "cobra DEO_A": None}
    _notebook(tmp_path, "one", odd)
    assert finished(tmp_path) == []


def test_a_folder_without_runs_is_empty(tmp_path):
    assert finished(tmp_path) == []
    assert finished(tmp_path / "nowhere") == []
