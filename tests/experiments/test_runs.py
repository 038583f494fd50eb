"""Runs and sweeps of tiny notebooks: what is executed, what is kept, what is skipped."""

import errno
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json
from fddkit.core.versions import PACKAGE
from fddkit.experiments import (
    execution,
    notebook_page,
    notebooks,
    records,
    run_hash,
    runs,
    sweeps,
    this_run,
)

ROOT = Path(__file__).resolve().parents[2]
HEADING = "# A tiny notebook\nIt shows that $x^2$ is drawn."
PARAMETERS = """\
"What can be varied."
ipc = 10
br: float = 0.9
name = "a"
fail = False
seeds = [0, 1]
gap = None
"""
WORK = """\
import json, os, pathlib
folder = pathlib.Path(os.environ["FDDKIT_RUN_DIR"])
(folder / "metrics.json").write_text(json.dumps({"numbers": {"ten times": 10 * ipc}}))
(folder / "seen.json").write_text(json.dumps([ipc, br, name, fail, seeds, gap, os.getcwd()]))
print("threads", os.environ.get("OMP_NUM_THREADS"))
"""
FAILS = """\
class FddkitError(ValueError): pass
if fail: raise FddkitError("class 8 has 3 images; choose ipc=3")
"""


def write(path: Path, *code: str, parameters: str | None = PARAMETERS, heading=HEADING) -> Path:
    cells = [nbformat.v4.new_markdown_cell(heading)]
    if parameters is not None:
        tagged = {"tags": ["parameters"]}
        cells.append(nbformat.v4.new_code_cell(parameters, metadata=tagged))
    cells += [nbformat.v4.new_code_cell(source) for source in code]
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    return path


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """An empty folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(runs.FOLDER_VARIABLE, raising=False)
    return tmp_path


@pytest.fixture
def tiny(here) -> Path:
    return write(here / "notebooks" / "tiny.ipynb", WORK, FAILS)


@pytest.fixture
def instant(monkeypatch) -> list[dict]:
    """Replace the execution by one that notes its parameters; for tests of what surrounds it."""
    calls = []

    def execute(node, path, output, parameters, *_):
        calls.append(dict(parameters))
        nbformat.write(node, output)

    monkeypatch.setattr(execution, "execute", execute)
    monkeypatch.setattr(notebook_page, "write", lambda node, path, title: path.write_text(title))
    return calls


# --- parameters -----------------------------------------------------------------------------


def test_parameters_are_the_assignments_of_the_tagged_cell(tiny):
    known = {"ipc": 10, "br": 0.9, "name": "a", "fail": False, "seeds": [0, 1], "gap": None}
    assert this_run.parameters("tiny") == known
    assert this_run.parameters(tiny) == known


@pytest.mark.parametrize(
    ("given", "value"),
    [
        ({"ipc": "50"}, 50),
        ({"ipc": np.int64(50)}, 50),
        ({"br": "1"}, 1.0),
        ({"br": 1}, 1.0),
        ({"name": "1"}, "1"),
        ({"fail": "yes"}, True),
        ({"fail": "False"}, False),
        ({"seeds": "3"}, [3]),
        ({"seeds": "3,4"}, [3, 4]),
        ({"seeds": "[3, 4]"}, [3, 4]),
        ({"seeds": (3,)}, [3]),
        ({"gap": "2"}, 2),
        ({"gap": "None"}, None),
        ({"gap": "two"}, "two"),
    ],
)
def test_values_take_the_type_of_the_default(tiny, given, value):
    resolved = notebooks.read("tiny").resolve(given)
    (name,) = given
    assert resolved[name] == value
    assert type(resolved[name]) is type(value)
    assert list(resolved) == ["ipc", "br", "name", "fail", "seeds", "gap"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ipc": "ten"}, "ipc=ten: ipc is an integer, e.g. ipc=10"),
        ({"ipc": "1.5"}, "ipc=1.5: ipc is an integer"),
        ({"ipc": True}, "ipc=True: ipc is an integer"),
        ({"br": "x"}, "br=x: br is a number, e.g. br=0.9"),
        ({"br": float("nan")}, "br=nan: br is a number"),
        ({"name": 3}, "name=3: name is text"),
        ({"fail": "maybe"}, "fail=maybe: fail is true or false"),
        ({"seeds": "a,b"}, "seeds=a: seeds is an integer"),
        ({"seeds": 3}, "seeds=3: seeds is a list, e.g. seeds=0,1"),
        ({"gap": object}, "gap is a plain value"),
        ({"icp": 3}, "did you mean 'ipc'? Known: ipc, br, name, fail, seeds, gap"),
    ],
)
def test_a_wrong_parameter_is_one_sentence_and_nothing_is_made(tiny, given, says):
    with pytest.raises(FddkitError) as caught:
        this_run.run("tiny", given)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not Path("reports").exists()


def test_a_notebook_without_parameters_says_so(here):
    write(here / "bare.ipynb", "1", parameters=None)
    assert this_run.parameters("bare.ipynb") == {}
    with pytest.raises(FddkitError, match="bare takes no parameters"):
        this_run.run("bare.ipynb", {"ipc": 1})


@pytest.mark.parametrize("source", ["a = f(1)", "import os", "a.b = 1", "a = ", "a = 1e999"])
def test_a_parameters_cell_must_hold_plain_values(here, source):
    write(here / "odd.ipynb", parameters=source)
    with pytest.raises(FddkitError, match=r"odd.ipynb: the cell tagged 'parameters' must only"):
        this_run.parameters("odd.ipynb")


def test_an_unknown_notebook_lists_those_there_are(tiny):
    write(tiny.parent / "other.ipynb")
    with pytest.raises(FddkitError, match=r"did you mean 'tiny'\? Known: other, tiny"):
        this_run.run("tinny")
    with pytest.raises(FddkitError, match=r"there is no notebook x/y.ipynb"):
        this_run.run("x/y.ipynb")


def test_a_file_that_is_no_notebook_is_refused(here):
    (here / "broken.ipynb").write_text('{"cells": ')
    with pytest.raises(FddkitError, match=r"broken.ipynb is not a notebook"):
        this_run.run("broken.ipynb")


def test_split_keeps_brackets_and_quotes_together():
    assert notebooks.split("1, 10") == ["1", "10"]
    assert notebooks.split("[1, 2],[3]") == ["[1, 2]", "[3]"]
    assert notebooks.split("'a,b',c") == ["'a,b'", "c"]


# --- one run --------------------------------------------------------------------------------


def test_a_run_leaves_everything_in_its_folder(tiny, here):
    ended = this_run.run("tiny", {"ipc": "5", "name": "a\"\\ '; x {y}"}, threads=1)
    folder = ended.folder
    assert ended.status == "finished"
    assert ended.executed
    assert folder.parent == Path("reports/tiny")
    assert folder.name.startswith("5-a-x-y-") or folder.name.startswith("ipc5-a-x-y-")
    seen = read_json(folder / "seen.json")
    assert seen == [5, 0.9, "a\"\\ '; x {y}", False, [0, 1], None, str(here)]
    assert ended.metrics == {"numbers": {"ten times": 50}}
    record = read_json(folder / "run.json")
    assert record["status"] == "finished"
    assert record["parameters"]["ipc"] == 5
    assert record["defaults"]["ipc"] == 10
    assert record["title"] == "A tiny notebook"
    assert record["versions"]["torch"] == torch.__version__
    assert record["versions"]["threads"] == 1
    assert record["seconds"] > 0
    executed = nbformat.read(folder / "notebook.ipynb", as_version=4)
    assert "threads 1" in executed.cells[3].outputs[0].text
    page = (folder / "notebook.html").read_text()
    assert "<msup>" in page  # the formula is drawn without a script
    assert "<script src" not in page
    assert not (folder / "notebook.part.ipynb").exists()


def test_the_kernel_is_this_interpreter_whatever_is_installed(here, monkeypatch):
    spec = here / "share" / "kernels" / "python3"
    spec.mkdir(parents=True)
    argv = {"argv": ["/no/such/python"], "display_name": "bad", "language": "python"}
    (spec / "kernel.json").write_text(json.dumps(argv))
    monkeypatch.setenv("JUPYTER_PATH", str(here / "share"))
    code = "import sys, fddkit\nassert sys.executable == r'%s'\nprint(fddkit.__file__)"
    write(here / "who.ipynb", code % sys.executable, parameters=None)
    ended = this_run.run("who.ipynb")
    assert ended.error is None
    page = (ended.folder / "notebook.ipynb").read_text()
    assert str(PACKAGE / "__init__.py") in page  # and this very fddkit


def test_a_failing_notebook_is_kept_with_its_sentence(tiny):
    ended = this_run.run("tiny", {"fail": True})
    assert ended.status == "failed"
    assert ended.error == "class 8 has 3 images; choose ipc=3"
    assert read_json(ended.folder / "run.json")["error"] == ended.error
    executed = nbformat.read(ended.folder / "notebook.ipynb", as_version=4)
    assert any("threads" in str(cell.get("outputs")) for cell in executed.cells)
    assert "class 8 has 3 images" in (ended.folder / "notebook.html").read_text()


def test_a_kernel_that_dies_is_a_failed_run(here):
    write(here / "dies.ipynb", "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
    ended = this_run.run("dies.ipynb")
    assert ended.status == "failed"
    assert "process died" in ended.error


def test_sentence_names_foreign_exceptions():
    assert execution.sentence("FddkitError", "br is wrong") == "br is wrong"
    assert execution.sentence("KeyError", "'x'\nmore") == "KeyError: 'x'"
    assert execution.sentence("AssertionError", "") == "AssertionError"


# --- the same run ---------------------------------------------------------------------------


def test_a_finished_run_is_skipped_and_force_makes_it_anew(tiny, instant):
    first = this_run.run("tiny", {"ipc": 5})
    (first.folder / "artifact").write_text("from before")
    (first.folder / "notes.md").write_text("somebody's")
    record = records.Record.load(first.folder)
    replace(record, files={"artifact": "its sha256"}).save(first.folder)
    again = this_run.run("tiny", {"ipc": "5"})
    assert (again.folder, again.executed, again.status) == (first.folder, False, "finished")
    assert instant == [{"ipc": 5}]
    forced = this_run.run("tiny", {"ipc": 5}, force=True)
    assert forced.executed
    assert not (first.folder / "artifact").exists()  # the run had left it
    assert (first.folder / "notes.md").read_text() == "somebody's"
    assert len(instant) == 2


def test_a_run_that_another_process_has_just_finished_is_not_executed_again(
    tiny, instant, monkeypatch
):
    real = runs.alone

    def late(folder):  # between the look at the folder and the lock
        monkeypatch.setattr(runs, "alone", real)
        runs.run("tiny")
        return real(folder)

    monkeypatch.setattr(runs, "alone", late)
    assert not runs.run("tiny").executed
    assert len(instant) == 1


def test_a_failed_run_is_tried_again_in_the_same_folder(tiny, instant, monkeypatch):
    monkeypatch.setattr(runs, "_execute", lambda *_: "no")
    failed = this_run.run("tiny")
    assert failed.status == "failed"
    monkeypatch.undo()
    os.chdir(tiny.parent.parent)
    monkeypatch.setattr(runs, "_execute", lambda *_: None)
    again = this_run.run("tiny")
    assert (again.status, again.folder) == ("finished", failed.folder)


def test_damaged_or_missing_results_are_made_again(tiny, instant):
    folder = this_run.run("tiny").folder
    (folder / "run.json").write_text('{"status": "fin')
    assert this_run.run("tiny").executed
    (folder / "notebook.html").unlink()
    assert this_run.run("tiny").executed
    assert not this_run.run("tiny").executed


def test_changed_parameters_make_another_run(tiny, instant):
    folders = {this_run.run("tiny", {"ipc": n}).folder for n in (1, 10, 100)}
    assert len(folders) == 3
    assert this_run.run("tiny", {"ipc": 10}).folder == this_run.run("tiny").folder


def test_a_changed_notebook_makes_another_run_and_its_outputs_do_not(tiny, instant):
    first = this_run.run("tiny").folder
    node = nbformat.read(tiny, as_version=4)
    node.cells[2].outputs = [nbformat.v4.new_output("stream", text="shown")]
    node.cells[2].execution_count = 7
    nbformat.write(node, tiny)
    assert this_run.run("tiny").folder == first
    node.cells[2].source += "\n1 + 1"
    nbformat.write(node, tiny)
    assert this_run.run("tiny").folder != first


def test_changed_code_makes_another_run(tiny, instant, monkeypatch):
    first = this_run.run("tiny").folder
    monkeypatch.setattr(run_hash, "code_hash", lambda: "other")
    assert this_run.run("tiny").folder != first


def test_the_code_that_counts_is_the_package_without_its_displays(tmp_path, monkeypatch):
    def write(name, text):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
        return run_hash.code_hash()

    monkeypatch.setattr(run_hash, "PACKAGE", tmp_path)
    first = write("data/bias.py", "1")
    for shown in ("cli/program.py", "experiments/report_page.py", "__main__.py"):
        assert write(shown, "2") == first
    counts = ("data/bias.py", "data/report_page.py", "evaluation/report.py", "published/a.csv")
    found = {first, *(write(name, "2") for name in counts)}
    assert len(found) == 1 + len(counts)


def test_changed_data_makes_another_run_and_a_changed_date_does_not(here):
    values = {"dataset": "cmnist-fg", "root": "raw"}
    absent = run_hash.data_hash(values, here)
    raw = here / "raw" / "MNIST" / "raw" / "train-images-idx3-ubyte"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"1")
    first = run_hash.data_hash(values, here)
    os.utime(raw, (1, 1))
    assert run_hash.data_hash(values, here) == first
    raw.write_bytes(b"2")
    second = run_hash.data_hash(values, here)
    assert len({absent, first, second}) == 3
    assert run_hash.data_hash({"dataset": ["digits"], "root": "raw"}, here) not in (first, second)


def test_changed_results_make_another_run_of_a_notebook_that_shows_them(
    tiny, here, instant, monkeypatch
):
    monkeypatch.setattr(run_hash, "MEASURED", here / "measured")
    (here / "measured").mkdir()
    node = nbformat.read(tiny, 4)

    def run_with(text, name="controls-digits.json"):
        (here / "measured" / name).write_text(text)
        return this_run.run("tiny").folder

    silent = run_with("1")
    assert run_with("2") == silent  # it does not say that it shows them
    node.metadata["fddkit"] = {"measured": ["controls-*.json"]}
    nbformat.write(node, tiny)
    first = run_with("1")
    assert run_with("1") == first
    assert run_with("1", "health.json") == first
    folders = {silent, first, run_with("2"), run_with("3", "controls-cifar10-s.json")}
    assert len(folders) == 4


@pytest.mark.parametrize(
    "wrong", [["../secret.json"], ["a/b.json"], [""], "controls.json", [1], None]
)
def test_results_of_elsewhere_are_not_named(tiny, wrong):
    node = nbformat.read(tiny, 4)
    node.metadata["fddkit"] = {"measured": wrong}
    nbformat.write(node, tiny)
    with pytest.raises(FddkitError, match="name files of reports/measured"):
        this_run.run("tiny")


def test_a_run_that_another_process_executes_is_not_touched(tiny, instant):
    folder = this_run.run("tiny").folder
    (folder / "notebook.html").unlink()
    assert not records.is_active(folder)
    code = (
        "import sys, filelock\nwith filelock.FileLock(sys.argv[1]): print(1, flush=True); input()"
    )
    lock = [sys.executable, "-c", code, folder / records.LOCK]
    other = subprocess.Popen(lock, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        other.stdout.readline()
        assert records.is_active(folder)
        with pytest.raises(FddkitError, match="another process is executing"):
            this_run.run("tiny")
        other.communicate(b"\n")
    assert this_run.run("tiny").executed


def test_a_killed_run_goes_on_in_the_same_folder(here):
    work = """
import os, pathlib, time
part = pathlib.Path(os.environ["FDDKIT_RUN_DIR"]) / "s.safetensors.part"
if part.exists():
    (part.parent / "metrics.json").write_text('{"found": "%s"}' % part.read_text())
else:
    part.write_text("half")
    time.sleep(60)
"""
    write(here / "long.ipynb", work)
    # the package's parts rather than its command line: quicker to import
    code = "from fddkit.experiments.this_run import run; run('long.ipynb', progress=False)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", code], env=environment)
    deadline = time.monotonic() + 120
    while not (halves := list(here.glob("reports/long/*/s.safetensors.part"))):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    (folder,) = (path.parent for path in halves)
    assert read_json(folder / "run.json")["status"] == "running"
    assert not records.is_active(folder)
    ended = this_run.run("long.ipynb")
    assert ended.folder.resolve() == folder
    assert ended.status == "finished"
    assert ended.metrics == {"found": "half"}


# --- trouble with the disk ------------------------------------------------------------------


def test_a_folder_that_cannot_be_made_is_one_sentence(tiny, here):
    (here / "file").write_text("")
    for reports in ("file", "/proc/reports"):
        with pytest.raises(FddkitError, match=r"cannot write .*folder that you may write to"):
            this_run.run("tiny", reports=reports)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_one_sentence(tiny, here):
    (here / "reports").mkdir(mode=0o555)
    with pytest.raises(FddkitError, match=r"cannot write .*reports"):
        this_run.run("tiny")


def test_a_full_disk_is_one_sentence_and_the_run_is_not_finished(tiny, monkeypatch):
    import papermill.engines

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(papermill.engines, "write_ipynb", full)
    with pytest.raises(FddkitError, match=r"No space left on device; free some space"):
        this_run.run("tiny")
    monkeypatch.undo()
    (record,) = (tiny.parent.parent / "reports").glob("tiny/*/run.json")
    assert read_json(record)["status"] == "running"


# --- sweeps ---------------------------------------------------------------------------------


def test_a_sweep_runs_the_grid_records_failures_and_skips_what_is_finished(tiny):
    grid = {"ipc": [1, 2], "fail": [False, True]}
    ended = this_run.sweep("tiny", grid, jobs=2, progress=False)
    assert [(r.parameters["ipc"], r.parameters["fail"], r.status) for r in ended] == [
        (1, False, "finished"),
        (1, True, "failed"),
        (2, False, "finished"),
        (2, True, "failed"),
    ]
    assert ended[1].error == "class 8 has 3 images; choose ipc=3"
    assert ended[2].metrics == {"numbers": {"ten times": 20}}
    page = (ended[0].folder / "notebook.ipynb").read_text()
    expected = os.environ.get("OMP_NUM_THREADS") or max(1, len(os.sched_getaffinity(0)) // 2)
    assert f"threads {expected}" in page
    again = this_run.sweep("tiny", {"ipc": [1, 2]}, progress=False)
    assert [r.executed for r in again] == [False, False]


def test_a_grid_is_every_combination_once(tiny):
    source = notebooks.read("tiny")
    points = sweeps.combinations(source, {"ipc": ["1", 1, 2], "br": 0.5, "name": ["x", "y"]})
    assert [(p["ipc"], p["br"], p["name"]) for p in points] == [
        (1, 0.5, "x"),
        (1, 0.5, "y"),
        (2, 0.5, "x"),
        (2, 0.5, "y"),
    ]


def test_a_sweep_refuses_mistakes_before_it_executes_anything(tiny, instant):
    for grid, says in (
        ({"ipc": [1, "x"]}, "ipc=x: ipc is an integer"),
        ({"icp": [1]}, "did you mean 'ipc'"),
        ({"ipc": []}, "ipc has no value"),
    ):
        with pytest.raises(FddkitError, match=says):
            this_run.sweep("tiny", grid)
    with pytest.raises(FddkitError, match="jobs=0"):
        this_run.sweep("tiny", {"ipc": [1]}, jobs=0)
    with pytest.raises(FddkitError, match="no dask scheduler answers at nonsense"):
        this_run.sweep("tiny", {"ipc": [1]}, scheduler="nonsense")
    assert instant == []


def test_trouble_in_one_run_is_recorded_and_the_others_go_on(tiny, instant, monkeypatch):
    real = runs.run

    def run(notebook, point, *rest):
        if point["ipc"] == 1:
            raise FddkitError("the disk is full")
        if point["ipc"] == 2:
            raise ZeroDivisionError("by zero")
        return real(notebook, point, *rest)

    monkeypatch.setattr("fddkit.experiments.sweeps.run", run)
    ended = this_run.sweep("tiny", {"ipc": [1, 2, 3]}, progress=False)
    assert [r.status for r in ended] == ["failed", "failed", "finished"]
    assert [r.error for r in ended] == ["the disk is full", "ZeroDivisionError: by zero", None]


def test_a_sweep_can_be_sent_to_a_dask_scheduler(tiny):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        ended = this_run.sweep(
            "tiny",
            {"ipc": [1, 2], "fail": True},
            scheduler=cluster.scheduler_address,
            progress=False,
        )
    assert [r.status for r in ended] == ["failed", "failed"]
    assert [read_json(r.folder / "seen.json")[0] for r in ended] == [1, 2]


# --- inside a notebook ----------------------------------------------------------------------


@pytest.fixture
def headless(here, monkeypatch):
    record = records.Record("n", "N", {"ipc": 1}, {"ipc": 1}, {}, "", None, "running", None, "h")
    record.save(here)
    monkeypatch.setenv(runs.FOLDER_VARIABLE, str(here))
    return this_run.current()


def test_by_hand_nothing_is_kept(here):
    run = this_run.current(parameters={"ipc": 3})
    assert not run.headless
    assert run.parameters == {"ipc": 3}
    assert run.path("s.safetensors") is None
    assert run.metrics({"numbers": {"x": np.float32(0.5)}}) == {"numbers": {"x": 0.5}}
    figure = Figure()
    assert run.figure(figure, "name") is figure
    assert list(here.iterdir()) == []


def test_headless_figures_and_captions_are_kept_in_order(headless, here):
    import matplotlib.pyplot as plt

    for name in ("b", "a", "b"):
        figure, axes = plt.subplots(figsize=(1, 1))
        axes.plot([0, 1])
        assert headless.figure(figure, name, f"The {name}.") is figure
        assert plt.get_fignums() == []
    index = read_json(here / "figures" / "index.json")
    assert index == [{"name": "b", "caption": "The b."}, {"name": "a", "caption": "The a."}]
    names = {path.name for path in (here / "figures").iterdir()}
    assert names == {"a.png", "a.pdf", "b.png", "b.pdf", "index.json"}
    assert (here / "figures" / "a.png").read_bytes()[:4] == b"\x89PNG"
    assert headless.parameters == {"ipc": 1}
    assert headless.path("s.safetensors") == here / "s.safetensors"


def test_metrics_are_merged_and_made_plain(headless, here):
    import pandas as pd

    from fddkit.evaluation.summary import Summary

    headless.metrics({"numbers": {"a": np.float64(0.1), "b": torch.tensor(2)}})
    table = pd.DataFrame({"x": [1, 2], "y": [0.5, float("nan")]})
    headless.metrics({"numbers": {"b": Summary(np.array([1.0, 3.0]))}, "tables": {"T": table}})
    kept = read_json(here / "metrics.json")
    assert kept["numbers"]["a"] == 0.1
    assert kept["numbers"]["b"]["mean"] == 2.0
    assert kept["numbers"]["b"]["noise_floor"] is None
    assert (kept["numbers"]["b"]["n"], kept["numbers"]["b"]["unit"]) == (2, "networks")
    assert kept["tables"] == {"T": [{"x": 1, "y": 0.5}, {"x": 2, "y": None}]}
    with pytest.raises(FddkitError, match=r"metrics\['numbers'\]\['z'\] is a set"):
        headless.metrics({"numbers": {"z": {1}}})


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a b", "<script>"])
def test_names_must_be_file_names(headless, name):
    with pytest.raises(FddkitError, match="is not a file name"):
        headless.path(name)
    with pytest.raises(FddkitError, match="is not a file name"):
        headless.figure(None, name)


# --- the page of a notebook -----------------------------------------------------------------


def test_formulas_become_mathml_and_unknown_ones_stay_readable():
    assert "<mfrac>" in notebook_page.mathml(r"\frac{1}{A}", "inline")
    assert 'display="block"' in notebook_page.mathml(r"\sum_a \Phi_a", "block")
    assert notebook_page.mathml(r"\unknown{x} < 1", "inline") == r"<code>\unknown{x} &lt; 1</code>"


def test_the_page_needs_no_network_and_shows_no_dead_widgets(here):
    node = nbformat.v4.new_notebook()
    widget = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "50%|#"}
    shown = nbformat.v4.new_output("display_data", {"text/plain": "kept"})
    cell = nbformat.v4.new_code_cell("x")
    cell.outputs = [nbformat.v4.new_output("display_data", widget), shown]
    node.cells = [nbformat.v4.new_markdown_cell("$a$ costs \\$5"), cell]
    node.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {"state": {}}}
    notebook_page.write(node, here / "page.html", "<script>alert(1)</script>")
    page = (here / "page.html").read_text()
    assert "kept" in page
    assert "50%|#" not in page
    assert "costs $5" in page
    assert "<script" not in page
    assert len(cell.outputs) == 2  # the notebook itself is left as it was
