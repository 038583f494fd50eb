"""The command line as a person uses it: what it prints, where, and its exit status."""

import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from fddkit import __version__
from fddkit.cli import disk, main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def notebook(here) -> Path:
    """A notebook that fails where it is told to."""
    tagged = {"tags": ["parameters"]}
    cells = [
        nbformat.v4.new_code_cell("ipc = 10\nname = 'a'", metadata=tagged),
        nbformat.v4.new_code_cell("if ipc == 13: raise ValueError('thirteen')"),
    ]
    path = here / "notebooks" / "tiny.ipynb"
    path.parent.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture(scope="module")
def distilled(tmp_path_factory) -> Path:
    """A set distilled by the command line."""
    path = tmp_path_factory.mktemp("sets") / "s.safetensors"
    words = f"distill --preset smoke --ipc 1 --set iterations=2 --fairness cobra --out {path}"
    assert main(words.split()) == 0
    return path


def mistakes() -> dict[str, str]:
    """Return wrong command lines and what the sentence must say."""
    run = "run tiny"
    distill = "distill --out s.safetensors --preset smoke"
    return {
        "": "required: COMMAND; see `fddkit --help`",
        "frobnicate": "invalid choice: 'frobnicate'",
        "run": "required: notebook; see `fddkit run --help`",
        "run tinny": "did you mean 'tiny'",
        "run no/such.ipynb": "there is no notebook no/such.ipynb",
        f"{run} -p icp=3": "did you mean 'ipc'? Known: ipc, name",
        f"{run} -p ipc=ten": "ipc=ten: ipc is an integer, e.g. ipc=10",
        f"{run} -p ipc": "-p ipc: write NAME=VALUE, e.g. -p ipc=10",
        f"{run} -p ipc=1 -p ipc=2": "use `fddkit sweep` for several values",
        f"{run} --reports /proc/x": "cannot write",
        "sweep tiny -p ipc=1,x": "ipc=x: ipc is an integer",
        "sweep tiny -p ipc=1 --jobs 0": "jobs=0",
        "sweep tiny -p ipc=1 --jobs two": "argument --jobs: invalid int value: 'two'",
        "sweep tiny -p ipc=1 --scheduler nonsense": "no dask scheduler answers at nonsense",
        "report": "there are no runs in reports; make one first",
        "datasets --download digitz": "did you mean 'digits'",
        "distill": "required: --out",
        f"{distill} --dataset digitz": "did you mean 'digits'",
        f"{distill} --dataset cmnist-fg --root nowhere": "nowhere",
        f"{distill} --br 1.3": "br",
        f"{distill} --gap 9": "gap",
        f"{distill} --ipc 9999": "ipc",
        f"{distill} --ipc 0": "ipc",
        f"{distill} --method dmm": "did you mean 'dm'",
        f"{distill} --fairness cobrra": "did you mean 'cobra'",
        f"{distill} --preset smok": "did you mean 'smoke'",
        f"{distill} --device warp9": "device",
        f"{distill} --set iteration=3": "did you mean 'iterations'",
        f"{distill} --set iterations=many": "iterations=many: iterations is an integer",
        f"{distill} --set iterations": "--set iterations: write NAME=VALUE",
        "evaluate missing.safetensors": "cannot read missing.safetensors",
        "evaluate notebooks/tiny.ipynb": "tiny.ipynb",
    }


@pytest.mark.parametrize("words", mistakes())
def test_a_mistake_is_one_sentence_on_stderr_and_status_2(words, notebook, capsys):
    assert main(words.split()) == 2
    out, err = capsys.readouterr()
    assert err.startswith("fddkit: ")
    assert mistakes()[words] in err
    assert err.count("\n") == 1
    assert out == ""
    assert not Path("s.safetensors").exists()


COMMANDS = ["", "datasets", "distill", "import", "evaluate", "run", "sweep", "cost", "matrix"]
COMMANDS += ["report", "check"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_and_gives_examples(command, capsys):
    assert main([*command.split(), "--help"]) == 0
    out = capsys.readouterr().out
    assert "fddkit" in out
    assert "example" in out or "where to start" in out
    assert max(map(len, out.splitlines())) <= 100


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"fddkit {__version__}\n"


def test_datasets_are_listed_with_what_is_on_disk(here, capsys):
    raw = here / "raw" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    assert main(["datasets", "--root", "raw"]) == 0
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines() if line}
    assert "none needed" in lines["digits"]
    assert "missing (MNIST)" in lines["cmnist-fg"]
    assert "missing (CIFAR-10)" in lines["cifar10-s"]
    from fddkit.data.loading import catalogue

    for entry in catalogue():
        assert entry.title in lines[entry.name]
        for path in entry.files(here / "raw"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        for folder in entry.trees(here / "raw"):
            folder.mkdir(parents=True, exist_ok=True)
    main(["datasets", "--root", "raw"])
    assert "missing" not in capsys.readouterr().out.rpartition("\n\n")[0]


def test_download_asks_for_the_data_set(here, monkeypatch, capsys):
    asked = []
    monkeypatch.setattr("fddkit.data.loading.download", lambda *given: asked.append(given))
    assert main(["datasets", "--download", "cmnist-fg", "--root", "raw"]) == 0
    assert asked == [("cmnist-fg", "raw")]
    assert capsys.readouterr().out == "cmnist-fg is in raw\n"


def test_distill_writes_the_set_and_its_images(distilled, here, capsys):
    from fddkit import DistilledSet

    kept = DistilledSet.load(distilled).config
    assert (kept["fairness"], kept["ipc"], kept["dataset"]["dataset"]) == ("cobra", 1, "digits")
    assert kept["settings"]["iterations"] == 2
    words = f"distill --preset smoke --ipc 1 --set iterations=2 --fairness cobra --out {distilled}"
    assert main([*words.split(), "--images", "png"]) == 0
    assert "DistilledSet(dm cobra of digits: 10 images" in capsys.readouterr().out
    assert len(list(Path("png").glob("*.png"))) == 10
    other = words.replace("--ipc 1", "--ipc 2").split()
    assert main(other) == 2
    assert "belongs to another run (ipc: 1 there, 2 here)" in capsys.readouterr().err
    assert main([*other, "--overwrite", "--seed", "3"]) == 0
    assert len(DistilledSet.load(distilled)) == 20


def test_evaluate_prints_and_saves_a_report(distilled, here, capsys):
    words = f"evaluate {distilled} --preset smoke --repeats 2 --set epochs=1 --json report.json"
    assert main(words.split()) == 0
    out = capsys.readouterr().out
    assert "DEO_M" in out
    assert "by chance" in out
    saved = json.loads(Path("report.json").read_text())
    for name in ("accuracy", "deo_m", "deo_a"):
        assert {"mean", "std", "ci95", "noise_floor"} <= set(saved[name])
    assert len(saved["counts"]) == 2
    assert saved["config"]["settings"]["epochs"] == 1
    assert saved["counterfactual"]["accuracy"]["mean"] is not None
    assert main(f"evaluate {distilled} --networks convnet,resnet --preset smoke".split()) == 2
    assert "resnet18" in capsys.readouterr().err


def test_run_then_report(notebook, here, capsys):
    assert main(["run", "tiny", "-p", "ipc=5"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("tiny finished in ")
    assert first.rstrip().endswith("/notebook.html")
    assert Path(first.split(": ")[1].strip()).is_file()
    assert main(["run", "tiny", "-p", "ipc=5"]) == 0
    assert "was finished already" in capsys.readouterr().out
    assert main(["run", "tiny", "-p", "ipc=13"]) == 1
    assert "tiny failed: ValueError: thirteen; see reports/tiny/" in capsys.readouterr().err
    assert main(["report"]) == 0
    assert capsys.readouterr().out.startswith("reports/index.html: open it in a browser (file://")
    page = Path("reports/index.html").read_text()
    assert "thirteen" in page


def test_sweep_prints_how_each_run_ended(notebook, monkeypatch, capsys):
    from fddkit.experiments.runs import Run

    asked = {}

    def sweep(name, grid, **options):
        asked.update(name=name, grid=grid, **options)
        reports = Path("reports").resolve()
        made = Run(reports / "a", name, {"ipc": 1, "name": "x"}, "finished", 3.2)
        old = Run(reports / "b", name, {"ipc": 2, "name": "x"}, "finished", 9.9, None, False)
        bad = Run(reports / "c", name, {"ipc": 3, "name": "x"}, "failed", 1.0, "too small")
        return [made, old, bad][: len(grid["ipc"])]

    monkeypatch.setattr("fddkit.experiments.sweeps.sweep", sweep)
    words = "sweep tiny -p ipc=1,2 -p ipc=3 -p name=x --jobs 2 --scheduler tcp://h:1 --force"
    assert main(words.split()) == 1
    assert asked == {
        "name": "tiny",
        "grid": {"ipc": ["1", "2", "3"], "name": ["x"]},
        "jobs": 2,
        "scheduler": "tcp://h:1",
        "reports": "reports",
        "force": True,
    }
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines[1:4]] == [
        ["1", "x", "finished", "3", "reports/a"],
        ["2", "x", "was", "finished", "10", "reports/b"],
        ["3", "x", "failed", "1", "too", "small"],
    ]
    assert lines[-1] == "3 runs: 2 finished (1 before), 1 failed"
    assert main(["sweep", "tiny", "-p", "ipc=1,2", "-p", "name=x"]) == 0


def test_an_interruption_is_status_130(monkeypatch, capsys):
    def interrupted(_):
        raise KeyboardInterrupt

    monkeypatch.setattr(disk, "report", interrupted)
    assert main(["report"]) == 130
    assert "interrupted; the same command goes on from there" in capsys.readouterr().err


def test_the_module_is_the_command(here):
    command = [sys.executable, "-m", "fddkit", "report"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr == (
        "fddkit: there are no runs in reports; make one first, e.g. `fddkit run 00_start_here`\n"
    )


def test_a_warning_is_one_sentence(here):
    command = [sys.executable, "-m", "fddkit", "distill", "--method", "dc", "--preset", "smoke"]
    options = ["--ipc", "1", "--compile", "--out", "s.safetensors", "--set", "iterations=1"]
    ended = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    found = [line for line in ended.stderr.splitlines() if "compile" in line]
    assert len(found) == 1
    assert found[0].startswith("fddkit: compile and graph have no effect on this method")
    assert ".py:" not in ended.stderr
