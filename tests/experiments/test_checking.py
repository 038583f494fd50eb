"""What `fddkit check` says of a folder: files of today, files of before, and damaged ones."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from PIL import Image

import fddkit as fdd
from fddkit.cli import main
from fddkit.core.files import fingerprint
from fddkit.core.tensors import read_tensors
from fddkit.data.distilled import SET, DistilledSet
from fddkit.distillers import mtt_experts
from fddkit.distillers.loop import CHECKPOINT
from fddkit.experiments import checking
from fddkit.experiments.records import Record
from fddkit.experiments.runs import run
from fddkit.reading.frame import Frame
from fddkit.reading.image_cache import decoded

# made by commit 746b8e7: a set with its report, a checkpoint, and an MTT set on an expert whose
# training was interrupted in its second epoch
BEFORE = Path(__file__).parents[1] / "artifacts" / "format-1"
MTT = {"preset": "smoke", "width": 2, "experts": 2, "iterations": 2, "progress": False}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make a set, its report, a checkpoint, and a set that rests on experts."""
    folder = tmp_path_factory.mktemp("made")
    train, test = fdd.load("digits")
    out = {"out": folder / "dm.safetensors"}
    s = fdd.distill(train, "dm", "cobra", 1, preset="smoke", progress=False, **out)
    fdd.evaluate(s, test, repeats=1, preset="smoke", progress=False).save(folder / "dm.json")
    fdd.distill(train, "mtt", "vanilla", 1, out=folder / "mtt.st", cache=folder / "cache", **MTT)

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fdd.distill(
            train, "dm", "fairdd", 1, preset="smoke", progress=False, out=folder / "begun",
            callback=stop, every=3,
        )  # fmt: skip
    return folder


@pytest.fixture
def folder(made, tmp_path):
    return Path(shutil.copytree(made, tmp_path / "copy"))


def states(found):
    return {one.path.name: one.state for one in found}


def only_expert(folder):
    return sorted((folder / "cache").iterdir())[0]


def test_everything_that_is_whole_is_listed_with_what_it_was_made_from(folder):
    (folder / "notes.txt").write_text("mine")
    (folder / "numbers.json").write_text("[1, 2]")
    found = checking.check(folder)
    experts_ = sorted(path.name for path in (folder / "cache").iterdir())
    assert states(found) == {
        "begun.part": "interrupted",
        "dm.json": "whole",
        "dm.safetensors": "whole",
        "mtt.st": "whole",
        **dict.fromkeys(experts_, "whole"),
    }
    made = {one.path.name: one.made for one in found}
    assert made["dm.safetensors"] == "dm cobra IPC 1 of digits BR 0.75 seed 0"
    assert made["dm.json"] == "dm cobra IPC 1 of digits BR 0.75 seed 0 (dm.safetensors)"
    assert made[experts_[0]].startswith("expert ")
    assert DistilledSet.load(folder / "mtt.st").sources.keys() == set(experts_)


def test_a_damaged_file_is_found_and_what_rests_on_it_is_doubtful(folder):
    path = only_expert(folder)
    path.write_bytes(path.read_bytes()[:-4] + b"\0\0\1\0")
    (folder / "dm.json").write_text((folder / "dm.json").read_text().replace("smoke", "smokf"))
    found = checking.check(folder)
    assert states(found)[path.name] == "damaged"
    assert states(found)["mtt.st"] == "doubtful"
    assert states(found)["dm.json"] == "damaged"
    assert states(found)["dm.safetensors"] == "whole"
    (told,) = (one.problem for one in found if one.path.name == "mtt.st")
    assert f"rests on a bad file ({path.name} is damaged); distil it again" in told


def test_an_expert_that_was_made_anew_with_other_content_is_noticed(folder):
    path = only_expert(folder)
    tensors, header = read_tensors(path, mtt_experts.TRAJECTORY)
    tensors["weights"] += 1
    mtt_experts.write_tensors(
        path, mtt_experts.TRAJECTORY, tensors, {"identity": header["identity"]}
    )
    found = checking.check(folder)
    assert states(found)[path.name] == "whole"
    assert "made again since, with other content" in next(o.problem for o in found if o.problem)


def test_what_a_set_rests_on_may_lie_in_another_folder_or_be_gone(folder, tmp_path):
    path = only_expert(folder)
    other = folder.rename(tmp_path / "moved") / "cache"
    other = other.rename(tmp_path / "elsewhere")
    moved = other / path.name
    assert states(checking.check(tmp_path / "moved"))["mtt.st"] == "whole"
    moved.write_bytes(moved.read_bytes()[:-4] + b"\0\0\1\0")
    assert states(checking.check(tmp_path / "moved", [other]))["mtt.st"] == "doubtful"


def test_decoded_images_are_listed_and_half_decoded_ones_removed(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "a.png")
    for side in (8, 9):
        decoded([str(tmp_path / "a.png")], Frame(side, side), tmp_path / "cache", progress=False)
    found = checking.check(tmp_path / "cache")
    assert [one.state for one in found] == ["whole"] * 4
    assert {one.what for one in found} == {"decoded images", "journal of decoded images"}
    [made] = {one.made for one in found}
    assert f"1 image of {tmp_path}".startswith(made.removesuffix("..."))  # a long path is cut
    assert len(made) > 40
    half, other = sorted((tmp_path / "cache").glob("*.jsonl"))
    half.write_text(half.read_text().splitlines(True)[0])
    other.with_suffix(".u8").unlink()
    found = checking.check(tmp_path / "cache")
    assert [one.state for one in found if one.path.stem == half.stem] == ["interrupted"] * 2
    assert [one.state for one in found if one.path.stem == other.stem] == ["leftover"]
    assert len(checking.clean(found, lambda question, some: True)) == 3
    assert list((tmp_path / "cache").iterdir()) == []


def test_files_of_before_there_were_seals_are_read():
    s = DistilledSet.load(BEFORE / "dm.safetensors")
    assert len(s) == 10
    assert fdd.FairnessReport.load(BEFORE / "dm.json").config["data"] == s.config
    assert read_tensors(BEFORE / "begun.safetensors.part", CHECKPOINT)[1]["step"] == 7
    assert read_tensors(BEFORE / "mtt.safetensors", SET)[1]["lr"] > 0


def test_an_expert_that_an_older_fddkit_resumed_wrongly_is_found_and_so_is_its_set():
    found = checking.check(BEFORE)
    (expert,) = (path.name for path in (BEFORE / "cache").iterdir())
    assert states(found) == {
        "begun.safetensors.part": "interrupted",
        "dm.json": "unsealed",
        "dm.safetensors": "unsealed",
        "mtt.safetensors": "doubtful",
        expert: "damaged",
    }
    told = {one.path.name: one.problem for one in found}
    assert "the weights after epoch 1 are those after the last" in told[expert]
    assert expert in told["mtt.safetensors"]


def test_a_checkpoint_of_before_goes_on(tmp_path):
    train, _ = fdd.load("digits")
    shutil.copy(BEFORE / "begun.safetensors.part", tmp_path)
    out = tmp_path / "begun.safetensors"
    steps = []
    quick = {"preset": "smoke", "progress": False, "every": 1}
    again = fdd.distill(
        train, "dm", "fairdd", 1, out=out, callback=lambda p: steps.append(p.iteration), **quick
    )
    assert steps[0] == 8
    assert again.loss.shape == (20,)


# --- runs -------------------------------------------------------------------------------------


def test_a_run_whose_numbers_were_changed_is_found(tmp_path):
    folder = tmp_path / "nb" / "default"
    folder.mkdir(parents=True)
    (folder / "metrics.json").write_text('{"numbers": {}}')
    sha256 = fingerprint(folder / "metrics.json")
    record = Record("nb", "Nb", {}, {}, {}, "2026", 1.0, "finished", None, "ab",
                    {"metrics.json": sha256})  # fmt: skip
    record.save(folder)
    (one,) = checking.check(tmp_path)
    assert (one.what, one.state) == ("run", "whole")
    (folder / "metrics.json").write_text('{"numbers": {"a": 1}}')
    (one,) = checking.check(tmp_path)
    assert one.state == "damaged"
    assert "have changed or are gone: metrics.json" in one.problem
    (folder / "run.json").write_text("{}")
    assert checking.check(tmp_path) == []  # nothing says that it is ours
    (folder / "notebook.html").write_text("page")
    (one,) = checking.check(tmp_path)
    assert one.state == "damaged"
    assert "does not describe a run" in one.problem


# --- leftovers --------------------------------------------------------------------------------

HOLD = """
import sys, time
from fddkit.core.files import atomic
from fddkit.core.locks import locked
with locked(sys.argv[1]), atomic(sys.argv[1]) as temporary:
    print("held", flush=True)
    sys.stdin.read()
"""


def test_only_what_no_process_holds_is_removed_and_only_if_agreed(folder, monkeypatch, capsys):
    stale = [folder / name for name in (".old.abcd1234.tmp", ".old.lock")]
    for path in stale:
        path.write_text("")
    command = [sys.executable, "-c", HOLD, str(folder / "busy")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(fdd.__file__).parents[1]
    ) as process:
        try:
            assert process.stdout.readline() == b"held\n"
            found = states(checking.check(folder))
            busy = [name for name in found if name.startswith(".busy")]
            assert sorted(found[name] for name in busy) == ["in use", "in use"]
            assert [found[path.name] for path in stale] == ["leftover", "leftover"]
            status = main(["check", str(folder), "--cache", str(folder / "cache")])
            assert status == 0
            assert "Give --yes to do so" in capsys.readouterr().out
            assert all(path.exists() for path in stale)
            assert main(["check", str(folder), "--yes"]) == 0
            assert "3 removed" in capsys.readouterr().out  # and the checkpoint
            assert not any(path.exists() for path in (*stale, folder / "begun.part"))
            assert all((folder / name).exists() for name in busy)
        finally:
            process.communicate()


def test_what_was_set_aside_and_unreadable_files_are_named(folder, capsys):
    (folder / "x.safetensors.part.damaged").write_text("?")
    (folder / "empty.safetensors").write_text("")
    half = folder / "half.safetensors"
    half.write_bytes((folder / "dm.safetensors").read_bytes()[:900])
    assert main(["check", str(folder)]) == 1
    said = capsys.readouterr()
    assert "set aside" in said.out
    assert "half.safetensors is truncated or not" in said.err
    assert len(said.err.strip().splitlines()) == 1


def test_a_folder_that_is_none_is_one_sentence(tmp_path, capsys):
    assert main(["check", str(tmp_path / "nowhere")]) == 2
    assert "there is no folder" in capsys.readouterr().err


def test_files_of_others_are_passed_over(tmp_path):
    for name, content in (
        ("pyproject.toml", 'name = "fddkit"'),
        ("metrics.json", "[NaN]"),
        ("index.json", '{"npm": 1}'),
        ("run.json", '{"experiment": "of another"}'),
        (".notes.lock", "mine"),
    ):
        (tmp_path / name).write_text(content)
    with open(tmp_path / "disk.iso", "wb") as file:
        file.truncate(9 * 2**30)
    assert checking.check(tmp_path) == []


def test_two_caches_may_hold_other_bits_under_one_name(folder, tmp_path):
    path = only_expert(folder)
    other = Path(shutil.copytree(folder / "cache", tmp_path / "other"))
    tensors, header = read_tensors(path, mtt_experts.TRAJECTORY)
    tensors["weights"] += 1
    identity = {"identity": header["identity"]}
    mtt_experts.write_tensors(other / path.name, mtt_experts.TRAJECTORY, tensors, identity)
    assert states(checking.check(folder, [other]))["mtt.st"] == "whole"


def test_a_report_of_a_damaged_set_is_doubtful(folder):
    path = folder / "dm.safetensors"
    path.write_bytes(path.read_bytes()[:-9] + b"damaged!!")
    found = states(checking.check(folder))
    assert (found["dm.safetensors"], found["dm.json"]) == ("damaged", "doubtful")


def test_no_answer_is_no(folder, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))

    def nobody(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", nobody)
    assert main(["check", str(folder)]) == 0
    assert (folder / "begun.part").exists()


def test_links_and_special_files_are_passed_over(tmp_path):
    os.mkfifo(tmp_path / "pipe.safetensors")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    assert checking.check(tmp_path) == []
    assert checking.summary([]) == {}


def test_a_run_says_what_it_has_left_and_check_compares(tmp_path):
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell("1 + 1")]
    nbformat.write(notebook, tmp_path / "own.ipynb")
    ended = run(tmp_path / "own.ipynb", reports=tmp_path / "reports", progress=False)
    assert set(Record.load(ended.folder).files) == {"notebook.ipynb", "notebook.html"}
    (one,) = checking.check(tmp_path / "reports")
    assert one.state == "whole"
    page = ended.folder / "notebook.html"
    page.write_text(page.read_text() + " ")
    (one,) = checking.check(tmp_path / "reports")
    assert (one.state, "are gone: notebook.html" in one.problem) == ("damaged", True)
    page.unlink()
    assert checking.check(tmp_path / "reports")[0].state == "damaged"
