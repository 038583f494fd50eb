"""Files that are damaged, or forged by somebody who knows their format, and all that reads one."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import mutants
import mutations
import pytest
from mutants import Harness
from readers import Ended, command, complaint, unfit

import fddkit as fdd  # before torch: it sets how OpenMP's threads wait

import torch  # isort: skip
from references import toy
from safetensors.torch import load

from fddkit.analysis.projections import PROJECTION
from fddkit.core import reading, tensors
from fddkit.core.cache import cached
from fddkit.core.errors import FddkitError
from fddkit.core.files import write_json
from fddkit.data import loading
from fddkit.data.distilled import SET, DistilledSet
from fddkit.distillers.dm import DM
from fddkit.distillers.registry import METHODS
from fddkit.evaluation.report import FairnessReport
from fddkit.experiments import notebooks
from fddkit.experiments.records import Record
from fddkit.experiments.report_cards import card
from fddkit.widgets.past import Past
from fddkit.workbench.choice import Choice
from fddkit.workbench.finished import finished

DEFAULT, ALL = 1500, 20_000


@pytest.fixture(scope="module")
def harness(tmp_path_factory):
    # of a machine eight times slower; the command line allows ten seconds
    return Harness(tmp_path_factory.mktemp("mutants"), seconds=80)


def test_every_mutant_is_refused_or_set_aside_or_sound(harness):
    found = harness.run(DEFAULT, seed=1)
    print(found)
    assert len(found.all) == DEFAULT
    assert not found.faults, str(found)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_all_mutants(harness):
    found = harness.run(ALL, seed=0)
    print(found)
    assert len(found.all) == ALL
    assert not found.faults, str(found)


def test_a_mutant_is_the_same_whenever_it_is_made(harness):
    plan = harness.plan(400, seed=3)
    for number in range(350, 400):
        one, again = (harness.mutant(*plan[number], number, 3) for _ in range(2))
        assert (one.kind, one.data) == (again.kind, again.data)


# --- the harness sees what it is to see ---------------------------------------------------------


def _gone(path, kind, sizes=None):
    os.unlink(path)
    raise FddkitError(f"cannot read {path}")


def _killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)


def _spin(*_):
    while True:
        pass


def _greedy(*_):
    return [torch.zeros(2**27) for _ in range(8)]


def _traceback(*_):
    raise KeyError("x")


def _wordy(path, *_):
    raise FddkitError(f"{path} {'is no good ' * 100}")


def _coloured(path, *_):
    raise FddkitError(f"{path} is \x1b[31mbad")


def _nameless(*_):
    raise FddkitError("a file is damaged")


PLANTED = {
    "no seal": (tensors, "seal", lambda t, header: header.get("sha256"), "than was written"),
    "no types": (tensors.Kind, "check", lambda *_: None, "was taken, and|Error at"),
    "a file removed": ("data.distilled", "read_tensors", _gone, "is gone"),
    "a crash": ("data.distilled", "read_tensors", _killed, "ended with SIGKILL"),
    "a long computation": ("data.distilled", "read_tensors", _spin, "took more than"),
    "waiting": ("data.distilled", "read_tensors", lambda *_: time.sleep(10**6), "waits for ever"),
    "memory": ("data.distilled", "read_tensors", _greedy, "RuntimeError at .*memory"),
    "a traceback": ("data.distilled", "read_tensors", _traceback, "KeyError at"),
    "a long sentence": ("data.distilled", "read_tensors", _wordy, "characters"),
    "colours": ("data.distilled", "read_tensors", _coloured, r"shows '\\x1b'"),
    "no name": ("data.distilled", "read_tensors", _nameless, "does not name the file"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_fault_is_reported(harness, monkeypatch, what):
    owner, name, instead, told = PLANTED[what]
    small = harness.asking("set")
    owner = sys.modules[f"fddkit.{owner}"] if isinstance(owner, str) else owner
    monkeypatch.setattr(owner, name, instead)
    monkeypatch.setattr(mutants, "PATIENCE", 10.0)
    small.seconds = 1 if what == "a long computation" else 80
    rare = ("no seal", "no types")  # which few mutants meet
    found = small.run(60 if what in rare else 1, seed=1)
    assert found.faults
    assert any(re.search(told, one.fault) for one in found.faults), str(found)


# --- as it is seen in a terminal ----------------------------------------------------------------


def _in_a_terminal(harness, folder, count, seed):
    """Give mutants to ``python -m fddkit``."""
    commands = {
        "set": ("evaluate", "FILE", "--preset", "smoke", "--repeats", "1"),
        "fddkit evaluate": ("evaluate", "FILE", "--preset", "smoke", "--repeats", "1"),
        "fddkit distill, a set there": (
            "distill", "--preset", "smoke", "--ipc", "1", "--set", "iterations=1", "--out", "FILE",
        ),
        "run.json": ("report", "--reports", "FOLDER"),
        "metrics.json": ("report", "--reports", "FOLDER"),
    }  # fmt: skip
    by_name = {one.name: one for one in harness.readers}
    for number in range(count):
        reader = by_name[list(commands)[number % len(commands)]]
        r = random.Random(f"terminal {seed} {number}")
        kind = r.choice(list(mutations.SPECIAL)) if r.random() < 0.2 else None
        mutant = harness.mutant(reader, kind, number, seed)
        place = folder / str(number)
        path = reader.lay_out(place, mutant)
        before = mutations.trace(path)
        words = commands[reader.name]
        words = [{"FILE": str(path), "FOLDER": str(place)}.get(word, word) for word in words]
        ended = subprocess.run(
            [sys.executable, "-m", "fddkit", *words], capture_output=True, text=True, timeout=280
        )
        ended = Ended(ended.returncode, ended.stdout, ended.stderr)
        wrong = complaint(ended, path)
        assert wrong is None, f"{number} {reader.name}, {mutant.kind}: {wrong}"
        assert mutations.trace(path) == before


def test_no_traceback_is_seen_in_a_terminal(harness, tmp_path):
    _in_a_terminal(harness, tmp_path, 3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_forty_in_a_terminal(harness, tmp_path):
    _in_a_terminal(harness, tmp_path, 40, seed=1)


NAMES = (b"two\nlines.safetensors", b"\x1b[31mred\x07.safetensors", b"\xff\xfe.safetensors")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_may_have_any_name(harness, tmp_path, name):
    whole = next(one for one in harness.readers if one.name == "set").data
    path = Path(os.fsdecode(os.path.join(os.fsencode(tmp_path), name)))
    path.write_bytes(whole)
    assert len(DistilledSet.load(path)) == 2
    path.write_bytes(whole[:-1] + b"\x01")
    with pytest.raises(FddkitError) as told:
        DistilledSet.load(path)
    assert unfit(str(told.value), path) is None


@pytest.mark.parametrize("read", [DistilledSet.load, FairnessReport.load, notebooks.read])
def test_a_name_with_a_nul_is_one_sentence(read):
    with pytest.raises(FddkitError) as told:
        read("a/\0b.ipynb")
    assert unfit(str(told.value), Path("a/\0b.ipynb")) is None


# --- what mutants have found, one by one ----------------------------------------------------------


@pytest.mark.parametrize("text", ["9" * 400, "-" + "9" * 400, "9" * 5000, "[1e999]"])
def test_numbers_that_no_float_can_hold_are_refused(text):
    with pytest.raises(FddkitError, match="not valid JSON"):
        reading.parse_json(text, "it")


def test_json_that_would_fill_the_memory_is_refused(monkeypatch):
    text = "[" + "[]," * (reading.LARGEST_JSON // 3) + "[]]"
    monkeypatch.setattr(json, "loads", lambda *_, **__: pytest.fail("it was parsed"))
    with pytest.raises(FddkitError, match=r"it has 33,554,43\d bytes"):
        reading.parse_json(text, "it")


@pytest.fixture
def a_set():
    g = torch.Generator().manual_seed(0)
    return {
        "images": torch.randn(4, 3, 4, 4, generator=g),
        "target": torch.tensor([0, 0, 1, 1]),
        "group": torch.tensor([0, 1, -1, 1]),
        "loss": torch.tensor([3.0, 1.0], dtype=torch.float64),
    }


HEADER = {
    "config": {}, "versions": {}, "mean": [0.5] * 3, "std": [0.5] * 3,
    "target_names": ["a", "b"], "group_names": ["c", "d"],
}  # fmt: skip


def _forge(path, held, **changes):
    """Write a set with a seal, whatever it says."""
    header = {"format": tensors.FORMAT, "kind": "set", **HEADER, **changes}
    path.write_bytes(mutations.signed(held, json.dumps(header)))
    return path


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 0}, "there is no format 0"),
        ({"format": -1}, "there is no format -1"),
        ({"std": [1e300] * 3}, "not for pixels from 0 to 1"),
        ({"std": [1e-300] * 3}, "not for pixels from 0 to 1"),
        ({"mean": [10**300] * 3}, "not for pixels from 0 to 1"),
        ({"factor": 10**9}, "no image holds 1000000000 others"),
        ({"lr": 10**400}, "a number is too large"),
    ],
)
def test_a_forged_header_is_refused(tmp_path, a_set, changes, told):
    with pytest.raises(FddkitError, match=told):
        DistilledSet.load(_forge(tmp_path / "s", a_set, **changes))


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"images": torch.zeros(4, 2, 4, 4)}, "cannot be shown"),
        ({"images": torch.zeros(4, 3, 0, 4)}, "cannot be shown"),
        ({"whitening.mean": torch.zeros(48)}, "half a whitening"),
        (
            {"whitening.mean": torch.zeros(7), "whitening.matrix": torch.eye(48)},
            "whitening does not fit",
        ),
    ],
)
def test_forged_tensors_are_refused(tmp_path, a_set, changes, told):
    with pytest.raises(FddkitError, match=told):
        DistilledSet.load(_forge(tmp_path / "s", a_set | changes))


def test_a_whitening_that_cannot_be_undone_is_one_sentence(tmp_path, a_set):
    white = {"whitening.mean": torch.zeros(48), "whitening.matrix": torch.zeros(48, 48)}
    s = DistilledSet.load(_forge(tmp_path / "s", a_set | white))
    with pytest.raises(FddkitError, match="cannot be undone"):
        s.pixels()


@pytest.mark.parametrize(
    "info",
    [
        {"dataset": ["x"]},
        {"dataset": {"x": 1}},
        {"dataset": None},
        {"dataset": "x" * 10**6},
        {"dataset": "\x1b[31m"},
        {"dataset": "digits", "root": "/etc"},
        {"dataset": "digits", "name": "digits"},
        {"dataset": "digits", "download": True},
        {"name": 1},
        {"dataset": "digits", "gap": 1e300},
        {"dataset": "digits", "gap": 10**30},
        {"dataset": "digits", "gap": "x" * 10**6},
        {"dataset": "digits", "seed": [1]},
        {"dataset": "digits", "seed": True},
        {"dataset": "digits", "br": float("nan")},
        {"dataset": "digits", "br": 10**400},
        {"dataset": "digits", "proportions": 5},
        {"dataset": "digits", "proportions": [1e308] * 9},
        {"dataset": "digits", "proportions": [[1]] * 9},
        {"dataset": "digits", "offset": 1e300},
        {"dataset": "digits", "gap": 2, "gap_width": 10**300},
        {"dataset": "digits", "gap": 2, "gap_sigma": 1e300},
        {"dataset": "digits", "gap": 2, "gap_line": ["x"]},
        {"dataset": "digits", "\x1b[31m": 1},
        {"dataset": "digits", "x" * 10**6: 1},
        {"dataset": "digits", "self": 1},
    ],
)
def test_what_a_set_says_of_its_data_is_data_or_one_sentence(info):
    told = ""
    try:
        assert loading.reload(info)[0].name == "digits"
    except FddkitError as error:
        told = str(error)
    assert unfit(told) is None


def test_a_set_that_does_not_name_its_data_is_not_evaluated(tmp_path, a_set):
    ended = command("evaluate", _forge(tmp_path / "s", a_set))
    assert ended.status == 2
    assert "was not loaded by name" in ended.err


def _report(**changes):
    given = {
        "format": "fddkit-report", "format_version": 1, "counts": [[[[1, 0], [0, 1]]] * 2],
        "networks": ["convnet"], "config": {}, "versions": {}, "sets": None,
        "counterfactual": None,
    }  # fmt: skip
    return given | changes


@pytest.mark.parametrize(
    "changes",
    [
        {"counts": []},
        {"counts": [[[]]]},
        {"counts": [[[[2**62, 0], [0, 2**62]]] * 2]},
        {"counts": [[[[1]]]] * 3000, "networks": ["convnet"] * 3000},
        {"counts": [[[[1]]] * 20] * 1000, "networks": [str(i) for i in range(1000)]},
        {"counts": [[[[1]]] * 20_000]},
    ],
)
def test_a_report_that_cannot_be_summed_up_is_refused(tmp_path, changes):
    write_json(tmp_path / "r.json", _report(**changes))
    with pytest.raises(FddkitError, match="is a damaged report"):
        FairnessReport.load(tmp_path / "r.json")


def test_a_report_shows_no_control_characters(tmp_path):
    write_json(tmp_path / "r.json", _report(networks=["\x1b]0;owned\x07" * 100]))
    for line in str(FairnessReport.load(tmp_path / "r.json")).splitlines():
        assert unfit(line) is None


@pytest.fixture
def begun(tmp_path):
    """Interrupt a run of each kind after two steps."""

    def begin(method, **more):
        def stop(now):
            if now.iteration >= 2:
                raise KeyboardInterrupt

        out = tmp_path / "s.safetensors"
        given = {"method": method, "preset": "smoke", "ipc": 1, "progress": False, "out": out}
        given |= {"cache": tmp_path / "cache", "width": 4, **more}
        data = toy(0, torch.tensor([[5, 3], [3, 5]]))
        with pytest.raises(KeyboardInterrupt):
            fdd.distill(data, callback=stop, every=1, **given)
        whole = fdd.distill(data, **{**given, "out": None})
        return lambda: fdd.distill(data, **given), whole, Path(f"{out}.part")

    return begin


CHECKPOINTS = {
    "a loss too few": ("dm", {"iterations": 4}, lambda held: held.update(loss=held["loss"][:1])),
    "a state that dm has not": (
        "dm", {"iterations": 4}, lambda held: held.update({"extra.network": torch.zeros(3)})
    ),
    "a longer network": (
        "dc", {"iterations": 1},
        lambda held: held.update({"extra.network": held["extra.network"].repeat(2)}),
    ),
    "a window of windows": (
        "cafe", {"iterations": 1},
        lambda held: held.update({"extra.window": torch.zeros(1, 1, dtype=torch.float64)}),
    ),
    "a step size too few": (
        "mtt", {"zca": False}, lambda held: held.update({"extra.alpha": held["extra.alpha"][:1]})
    ),
    "a step size below zero": (
        "mtt", {"zca": False}, lambda held: held.update({"extra.alpha": -held["extra.alpha"]})
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", CHECKPOINTS)
def test_a_forged_checkpoint_is_set_aside(begun, what):
    method, more, change = CHECKPOINTS[what]
    resume, whole, part = begun(method, **more)
    _, header, _ = mutations.split(part.read_bytes())
    held = load(part.read_bytes())
    change(held)
    header.pop("sha256")
    part.write_bytes(mutations.signed(held, json.dumps(header)))
    with pytest.warns(UserWarning, match="does not fit its own configuration.*it is kept as"):
        again = resume()
    assert torch.equal(again.images, whole.images)
    assert torch.equal(again.loss, whole.loss)


def test_what_was_computed_and_is_not_finite_is_one_sentence(tmp_path):
    points = {"points": torch.full((3, 2), torch.nan)}
    with pytest.raises(FddkitError, match=r"a projection cannot be saved in .*points holds NaN"):
        cached(tmp_path / "p", PROJECTION, {}, lambda part: points)
    assert os.listdir(tmp_path) == []


class Losing(DM):
    """DM with something to train, which is infinite after a step."""

    trained = 0.0

    def after(self, images, step):
        self.trained = float("inf")
        return step + 1

    def state(self):
        return {"trained": torch.tensor(self.trained)}


def test_a_state_that_is_no_longer_finite_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setitem(METHODS, "dm", Losing)
    data = toy(0, torch.tensor([[5, 3], [3, 5]]))
    given = {"preset": "smoke", "ipc": 1, "width": 4, "iterations": 1, "progress": False}
    with pytest.raises(FddkitError, match=r"no longer finite after step 0; choose a smaller lr"):
        fdd.distill(data, out=tmp_path / "s.safetensors", **given)
    assert os.listdir(tmp_path) == ["s.safetensors.part"]  # of before that step


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "02_distillation" / "one"
    folder.mkdir(parents=True)
    given = {"dataset": "digits", "br": None, "ipc": 1, "rules": ["../../secret"]}
    Record("n", "N", given, given, {}, "2026-11-20", 1.0, "finished", None, "ab").save(folder)
    return folder


def test_a_figure_whose_name_is_too_long_is_none(run):
    write_json(run / "figures" / "index.json", [{"name": "x" * 5000, "caption": ""}])
    assert card(run, run.parent.parent)["figures"] == []


def test_a_set_that_lacks_a_class_is_not_shown_in_the_explorer(harness, tmp_path):
    reader = next(one for one in harness.readers if one.name == "explorer, a set")
    path = reader.lay_out(tmp_path / "reports", None)
    _, header, _ = mutations.split(reader.data)
    held = load(reader.data)
    del header["sha256"]
    path.write_bytes(mutations.signed(held | {"target": held["target"] * 0}, json.dumps(header)))
    panel = Past(str(tmp_path / "reports"))
    panel.draw(Choice(ipc=1, preset="smoke"))
    panel.which.value = dict(panel.which.options)["vanilla"]
    assert "lacks images of some of 10 classes" in panel.table.value
    assert panel.images.png == b""


@pytest.mark.parametrize("rule", ["../../secret", "x" * 5000, "a\0b"])
def test_a_rule_does_not_lead_out_of_its_folder(run, rule):
    (run.parent.parent / "secret-seed0.safetensors").write_bytes(b"")
    parameters = {"dataset": "digits", "br": None, "ipc": 1, "rules": [rule]}
    Record("n", "N", parameters, {}, {}, "2026", 1.0, "finished", None, "ab").save(run)
    one = {"mean": 1.0}
    names = ("accuracy", "DEO_M", "DEO_A")
    write_json(run / "metrics.json", {"numbers": {f"{rule} {name}": one for name in names}})
    assert [one.out for one in finished(run.parent.parent)] == [None]


_CELL = {"cell_type": "code", "id": "a", "metadata": {}, "outputs": [], "execution_count": None}
CELLS = [
    {"cell_type": "markdown", "id": "a", "metadata": {}},
    {"cell_type": "raw", "id": "a", "metadata": {}},
    _CELL,
    _CELL | {"source": 1},
    _CELL | {"source": None},
    _CELL | {"source": "a = 1", "metadata": {"tags": 1}},
    _CELL | {"source": "a = '\ud800'"},
]
BOOKS = [
    *({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]} for cell in CELLS),
    {"nbformat": 4, "nbformat_minor": 5},
    {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [1]},
    {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": "code"}]},
    {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": "x"},
    {"nbformat": 3, "worksheets": 1},
    {"nbformat": 10**30},
    [],
    None,
]


@pytest.mark.parametrize("value", BOOKS)
def test_what_is_no_notebook_is_one_sentence(tmp_path, value, capfd):
    path = tmp_path / "n.ipynb"
    path.write_text(json.dumps(value))
    with pytest.raises(FddkitError) as told:
        notebooks.read(path)
    assert unfit(str(told.value), path) is None
    assert capfd.readouterr() == ("", "")


def _book(path, source):
    cell = _CELL | {"metadata": {"tags": ["parameters"]}, "source": source}
    book = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    path.write_text(json.dumps(book))
    return path


@pytest.mark.parametrize("source", ["a = " + "-" * 10**5 + "1", "a = '\ud800'", "a = 1\0"])
def test_parameters_that_python_cannot_parse_are_one_sentence(tmp_path, source):
    with pytest.raises(FddkitError):
        notebooks.read(_book(tmp_path / "n.ipynb", source))


def test_parameters_of_odd_syntax_warn_of_nothing(tmp_path):
    assert notebooks.read(_book(tmp_path / "n.ipynb", 'a = "\\d"')).defaults == {"a": "\\d"}


def test_a_link_to_nothing_is_not_replaced(tmp_path):
    current = fdd.experiments.Current(tmp_path, {})
    (tmp_path / "metrics.json").symlink_to("elsewhere")
    with pytest.warns(UserWarning, match=r"kept as metrics.json.damaged"):
        current.metrics({"numbers": {"a": 1}})
    assert os.readlink(tmp_path / "metrics.json.damaged") == "elsewhere"


def test_an_unknown_name_is_clipped():
    with pytest.raises(FddkitError) as told:
        fdd.load("x" * 10**6)
    assert unfit(str(told.value)) is None


def test_the_kind_of_a_set_is_still_what_it_was(tmp_path, a_set):
    s = DistilledSet.load(_forge(tmp_path / "s", a_set))
    assert torch.equal(s.images, a_set["images"])
    SET.check(a_set, HEADER)
