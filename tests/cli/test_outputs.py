"""Nothing of the user's is overwritten, and nothing is lost with exit status 0."""

import os
import sys
from pathlib import Path

import pytest

import fddkit as fdd
from fddkit.cli import main
from fddkit.core.reading import read_json
from fddkit.data.distilled import DistilledSet
from fddkit.evaluation.report import FairnessReport

EVALUATE = ["--preset", "smoke", "--repeats", "1"]


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Make two distilled sets."""
    folder = tmp_path_factory.mktemp("sets")
    train, _ = fdd.load("digits")
    for seed in range(2):
        fdd.distill(train, "random", ipc=1, seed=seed, out=folder / f"{seed}.st", progress=False)
    return folder


def evaluate(sets, seed, out, *more):
    return main(["evaluate", str(sets / f"{seed}.st"), *EVALUATE, "--json", str(out), *more])


def test_a_report_replaces_nothing_but_reports_of_its_own_set(sets, tmp_path, capsys):
    out = tmp_path / "r.json"
    assert evaluate(sets, 0, out) == 0
    assert evaluate(sets, 0, out) == 0
    assert evaluate(sets, 1, out) == 2
    assert "is the report of another set or evaluation (data differs)" in capsys.readouterr().err
    assert FairnessReport.load(out).config["data"]["seed"] == 0
    assert evaluate(sets, 1, out, "--overwrite") == 0
    assert FairnessReport.load(out).config["data"]["seed"] == 1


def test_a_report_of_more_networks_is_not_replaced_by_one_of_fewer(sets, tmp_path, capsys):
    out = tmp_path / "r.json"
    assert evaluate(sets, 0, out, "--repeats", "2") == 0
    assert evaluate(sets, 0, out) == 2
    assert "(settings differs)" in capsys.readouterr().err
    assert evaluate(sets, 0, out, "--repeats", "2", "--seed", "1") == 2
    assert "(seed differs)" in capsys.readouterr().err
    assert len(FairnessReport.load(out).networks) == 2
    out.write_text(out.read_text()[:-30])
    assert evaluate(sets, 0, out) == 2
    assert evaluate(sets, 0, out, "--overwrite") == 0
    assert len(FairnessReport.load(out).networks) == 1


def test_files_beside_the_output_that_are_somebody_elses_are_kept(tmp_path, capsys):
    distil = ["distill", "--method", "random", "--ipc", "1"]
    mine = tmp_path / ".s.mine.tmp"
    mine.write_text("precious")
    assert main([*distil, "--out", str(tmp_path / "s")]) == 0
    assert mine.read_text() == "precious"
    lock = tmp_path / ".t.lock"
    lock.write_text("precious")
    assert main([*distil, "--out", str(tmp_path / "t")]) == 2
    assert "is not a lock of fddkit, and is kept" in capsys.readouterr().err
    assert lock.read_text() == "precious"
    project = tmp_path / "p.toml"
    project.write_text('name = "fddkit"')
    assert main([*distil, "--out", str(project), "--overwrite"]) == 2
    assert project.read_text() == 'name = "fddkit"'


@pytest.mark.parametrize("out", ["", ".", "/", "sets/"])
def test_the_name_of_a_folder_is_one_sentence(out, capsys):
    assert main(["distill", "--method", "random", "--ipc", "1", "--out", out]) == 2
    assert "is the name of a folder; give" in capsys.readouterr().err


def test_a_checkpoint_replaces_no_file_that_has_come_meanwhile(tmp_path):
    train, _ = fdd.load("digits")
    part = tmp_path / "s.part"

    def meanwhile(progress):
        if progress.iteration == 2:
            part.unlink()
            part.write_text("half of a download")

    with pytest.raises(fdd.FddkitError, match=r"s.part is not a checkpoint .*is kept"):
        fdd.distill(
            train, ipc=1, preset="smoke", out=tmp_path / "s", progress=False, every=1,
            callback=meanwhile, checkpoint_seconds=0,
        )  # fmt: skip
    assert part.read_text() == "half of a download"


def test_a_finished_set_is_found_in_a_folder_that_takes_no_files(sets, monkeypatch):
    train, _ = fdd.load("digits")
    monkeypatch.setattr(os, "access", lambda *_: False)
    found = fdd.distill(train, "random", ipc=1, out=sets / "0.st", progress=False)
    assert len(found) == 10


@pytest.mark.parametrize("more", [[], ["--overwrite"]])
def test_a_report_replaces_no_other_file(sets, tmp_path, capsys, more):
    copy = tmp_path / "mine.st"
    copy.write_bytes((sets / "0.st").read_bytes())
    for path, content in (
        (copy, copy.read_bytes()),
        (tmp_path / "thesis.json", b'{"years": "of work"}'),
        (tmp_path / "notes.txt", b"years of work"),
    ):
        path.write_bytes(content)
        assert evaluate(sets, 0, path, *more) == 2
        assert "is not a fairness report, and is kept" in capsys.readouterr().err
        assert path.read_bytes() == content


def test_a_refusal_comes_before_the_work(sets, tmp_path, monkeypatch):
    (tmp_path / "notes.txt").write_text("years of work")
    evaluating = sys.modules[
        "fddkit.evaluation.evaluate"
    ]  # hidden by the function of the same name
    monkeypatch.setattr(evaluating, "fit", lambda *_: pytest.fail("networks were trained"))
    assert evaluate(sets, 0, tmp_path / "notes.txt") == 2


def test_an_empty_file_may_be_written_to(sets, tmp_path):
    (tmp_path / "r.json").write_text("")
    assert evaluate(sets, 0, tmp_path / "r.json") == 0


def test_images_go_where_nothing_of_the_same_name_is(sets, tmp_path, capsys):
    s, folder = DistilledSet.load(sets / "0.st"), tmp_path / "images"
    folder.mkdir()
    labels = folder / "labels.csv"
    labels.write_text("file,label\nmine.png,3\n")
    with pytest.raises(fdd.FddkitError, match=r"labels.csv exists, and is kept; choose an empty"):
        s.to_images(folder)
    assert labels.read_text() == "file,label\nmine.png,3\n"
    assert os.listdir(folder) == ["labels.csv"]
    labels.unlink()
    s.to_images(folder)
    before = {path: path.read_bytes() for path in folder.iterdir()}
    s.to_images(folder)  # the same again
    with pytest.raises(fdd.FddkitError, match="exists, and is kept"):
        DistilledSet.load(sets / "1.st").to_images(folder)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_cost_replaces_numbers_of_the_same_command_alone(tmp_path, capsys):
    out = tmp_path / "c.json"
    command = ["cost", "--methods", "dm", "--rules", "vanilla", "--groups", "2", "--side", "8"]
    command += ["--preset", "smoke", "--rounds", "1", "--json", str(out)]
    assert main([*command, "--ipc", "1"]) == 0
    assert main([*command, "--ipc", "1"]) == 0
    assert main([*command, "--ipc", "2"]) == 2
    assert "is of another command (fddkit cost" in capsys.readouterr().err
    assert "--ipc 1" in read_json(out)["command"]
    assert main([*command, "--ipc", "2", "--overwrite"]) == 0
    assert "--ipc 2" in read_json(out)["command"]


@pytest.mark.parametrize("name", ["pipe", "folder", "/dev/zero", "/dev/full"])
def test_what_is_no_plain_file_is_neither_read_nor_written(sets, tmp_path, capsys, name):
    path = Path(name) if name.startswith("/") else tmp_path / name
    if name == "pipe":
        os.mkfifo(path)
    elif name == "folder":
        path.mkdir()
    assert main(["evaluate", str(path)]) == 2
    assert "it is " in capsys.readouterr().err
    assert evaluate(sets, 0, path) == 2
    assert "cannot write" in capsys.readouterr().err
    command = ["distill", "--dataset", "digits", "--method", "random", "--ipc", "1"]
    assert main([*command, "--out", str(path)]) == 2
    assert "it is " in capsys.readouterr().err


def test_a_set_that_diverged_is_said_to_have_and_is_not_exit_status_0(tmp_path, capsys):
    out, report = tmp_path / "s", tmp_path / "r.json"
    command = ["distill", "--method", "dc", "--preset", "smoke", "--ipc", "1", "--set", "lr=1e9"]
    assert main([*command, "--out", str(out)]) == 3
    assert "the distilled set is diverged" in capsys.readouterr().err
    assert DistilledSet.load(out).health["verdict"] == "diverged"
    assert main([*command, "--out", str(out)]) == 3  # found finished, and as bad as before
    assert "the distilled set is diverged" in capsys.readouterr().err
    assert main(["evaluate", str(out), *EVALUATE, "--json", str(report)]) == 0
    assert "the distilled set is diverged" in capsys.readouterr().out
    assert "is diverged" in str(FairnessReport.load(report))
