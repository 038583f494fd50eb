"""What the flat package left, before its modules moved into rooms, is read, and goes on."""

import json
import shutil
from pathlib import Path

import pytest
import torch

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json
from fddkit.core.tensors import read_tensors
from fddkit.distillers.mtt_experts import TRAJECTORY
from fddkit.experiments import checking, runs
from fddkit.experiments.records import Record
from fddkit.workbench.choice import Choice
from fddkit.workbench.finished import finished

FLAT = Path(__file__).parent / "artifacts" / "flat"
SMALL = {"preset": "smoke", "progress": False, "width": 2, "depth": 2}


@pytest.fixture(scope="module")
def digits():
    return fdd.load("digits")


def near(images, before):
    """Whether images are the same but for rounding, which is another on another processor."""
    return torch.allclose(images, before, rtol=0, atol=1e-3)


@pytest.mark.parametrize("name", ["dm", "dc", "kde", "mtt"])
def test_sets_are_what_they_say(name):
    s = fdd.DistilledSet.load(FLAT / f"{name}.safetensors")
    assert s.config["method"] == {"kde": "dm"}.get(name, name)
    assert len(s) == 10
    assert s.health["verdict"] in ("sound", "doubtful")


def test_the_same_command_finds_its_set(digits, tmp_path):
    shutil.copy(FLAT / "dm.safetensors", tmp_path)
    out = tmp_path / "dm.safetensors"
    before = out.read_bytes()
    found = fdd.distill(digits[0], "dm", "cobra", 1, out=out, **SMALL)
    assert torch.equal(found.images, fdd.DistilledSet.load(FLAT / "dm.safetensors").images)
    assert out.read_bytes() == before
    again = fdd.distill(digits[0], "dm", "cobra", 1, **SMALL)
    assert near(again.images, found.images)


def test_a_report_gives_the_same_numbers(digits):
    report = fdd.FairnessReport.load(FLAT / "dm.json")
    said = json.loads((FLAT / "dm.json").read_text())
    for name in ("accuracy", "deo_m", "deo_a"):
        now = report.metric(name).to_dict()
        for key in ("mean", "std"):  # what chance shows is simulated anew
            assert now[key] == pytest.approx(said[name][key])
        if now["std"]:  # equal values have no interval any more
            assert now["ci95"] == pytest.approx(said[name]["ci95"])
    s = fdd.DistilledSet.load(FLAT / "dm.safetensors")
    again = fdd.evaluate(s, digits[1], repeats=2, preset="smoke", progress=False)
    assert again.counts.tolist() == said["counts"]
    assert again.config == report.config


def test_a_checkpoint_goes_on(digits, tmp_path):
    shutil.copy(FLAT / "begun.safetensors.part", tmp_path)
    steps = []
    s = fdd.distill(
        digits[0],
        "dm",
        "fairdd",
        1,
        out=tmp_path / "begun.safetensors",
        callback=lambda progress: steps.append(progress.iteration),
        every=1,
        **SMALL,
    )
    assert steps[0] == 8
    assert near(s.images, fdd.distill(digits[0], "dm", "fairdd", 1, **SMALL).images)


def test_caches_are_read_but_not_served(digits, tmp_path):
    """They are of other code, so that a run makes its own."""
    cache = Path(shutil.copytree(FLAT / "cache", tmp_path / "cache"))
    (expert,) = cache.glob("expert-*")
    header = read_tensors(expert, TRAJECTORY)[1]
    few = {"iterations": 2, "experts": 1, "student_steps": 2, "max_start": 1, "expert_epochs": 2}
    s = fdd.distill(digits[0], "mtt", "vanilla", 1, cache=cache, **few, **SMALL)
    (new,) = set(cache.glob("expert-*")) - {expert}
    again = read_tensors(new, TRAJECTORY)[1]["identity"]
    assert {k: v for k, v in again.items() if k != "code"} == {
        k: v for k, v in header["identity"].items() if k != "code"
    }
    assert again["code"] != header["identity"]["code"]
    assert near(s.images, fdd.DistilledSet.load(FLAT / "mtt.safetensors").images)


def test_all_of_it_is_whole():
    found = checking.check(FLAT)
    assert {one.state for one in found} == {"whole", "interrupted"}
    assert len(found) == 14


def test_a_run_is_shown_and_is_executed_anew(tmp_path, monkeypatch):
    shutil.copytree(FLAT / "reports", tmp_path / "reports")
    shutil.copy(FLAT / "tiny.ipynb", tmp_path)
    monkeypatch.chdir(tmp_path)
    record = Record.load(next((tmp_path / "reports").glob("tiny/*")))
    assert (record.status, record.parameters) == ("finished", {"ipc": 2})
    fdd.report.build(tmp_path / "reports")
    assert "Tiny" in (tmp_path / "reports" / "index.html").read_text()
    ended = runs.run("tiny.ipynb", {"ipc": 2}, progress=False)
    assert ended.status == "finished"  # other code: it is another run
    assert read_json(ended.folder / "metrics.json")["numbers"] == {"twice": 4}
    assert len(list((tmp_path / "reports").glob("tiny/*"))) == 2


def test_the_explorer_lists_what_it_found():
    (one,) = finished(FLAT)
    assert (one.method, one.rule, one.ipc) == ("dm", "cobra", 1)
    assert one.distance(Choice(ipc=1)) == 0
    assert one.out is not None


def test_a_matrix_finds_its_cell(tmp_path):
    folder = Path(shutil.copytree(FLAT / "matrix", tmp_path / "matrix"))
    before = {path: path.read_bytes() for path in folder.iterdir()}
    sizes = {"seeds": 1, "repeats": 1, "ipc": 1, "preset": "smoke", "progress": False}
    (cell,) = fdd.matrix.matrix("digits", ["dm"], ["cobra"], folder=folder, baselines=(), **sizes)
    assert cell.error is None
    assert {path: path.read_bytes() for path in before} == before


def test_a_name_that_moved_is_told():
    with pytest.raises(ModuleNotFoundError):
        __import__("fddkit.methods")
    with pytest.raises(AttributeError, match="no attribute 'methods'"):
        fdd.methods  # noqa: B018
    with pytest.raises(FddkitError, match="did you mean"):
        fdd.distill(fdd.load("digits")[0], "dmm")
