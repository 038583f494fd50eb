"""The explorer without a browser: one choice, and everything that follows from it."""

import gc
import os
import shutil
import subprocess
import sys
import threading
import time

import ipywidgets
import matplotlib.pyplot as plt
import pytest
import traitlets

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.distillers.baselines import BASELINES
from fddkit.evaluation.guard import doubt
from fddkit.rules.rules import RULES
from fddkit.widgets import CAPTIONS, Explorer, interactive
from fddkit.widgets.classroom import STEPS
from fddkit.widgets.controls import Controls
from fddkit.widgets.past import Past
from fddkit.widgets.turns import in_turn
from fddkit.workbench.choice import Choice


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    made = Explorer(
        Choice(preset="smoke", ipc=2),
        reports=tmp_path_factory.mktemp("reports"),
        repeats=1,
        live=True,
    )
    yield made
    made.close()


# --- controls -------------------------------------------------------------------------------


def test_controls_and_choice_say_the_same():
    wanted = Choice(br=0.6, gap=3, ipc=5, method="dc", fairness="fairdd", seed=4, preset="smoke")
    controls = Controls(Choice())
    heard = []
    controls.observe(lambda change: heard.append(change["new"]), "choice")
    controls.apply(wanted)
    assert heard == [wanted]  # one event for all
    assert controls.choice == wanted
    controls.br.value = 0.7
    assert controls.choice == wanted.with_(br=0.7)


def test_other_groups_raise_the_bias_ratio_to_their_balance():
    controls = Controls(Choice(br=0.2))
    controls.bias.value = "apart"
    assert (controls.choice.br, controls.br.min) == (0.5, 0.5)
    assert controls.choice.gap == 0
    controls.bias.value = "own"
    assert controls.br.min == 0.1


def test_a_slider_is_not_moved_back_for_a_rounding():
    """It would come back late, to a slider that has moved on."""
    controls = Controls(Choice())
    moved = []
    controls.br.observe(lambda change: moved.append(change["new"]), "value")
    controls.br.value = 0.7600000000000001
    assert moved == [0.7600000000000001]
    assert controls.choice.br == 0.76


def test_only_rules_that_the_method_has_are_offered():
    controls = Controls(Choice())
    assert list(controls.fairness.options) == list(RULES)
    controls.fairness.value = "fairdd"
    controls.method.value = "mtt"
    assert controls.choice.fairness == "vanilla"
    assert "fairdd" not in controls.fairness.options
    assert set(BASELINES) < set(controls.method.options)
    controls.method.value = "whole"
    assert controls.fairness.disabled
    assert controls.choice.baseline


def test_a_set_that_is_not_here_cannot_be_chosen():
    controls = Controls(Choice(), root="nowhere")
    assert [name for _, name in controls.dataset.options] == ["digits", "digits-bg"]
    with pytest.raises(FddkitError, match="not on this disk"):
        controls.apply(Choice("cmnist-fg", br=0.9))
    with pytest.raises(traitlets.TraitError):
        controls.dataset.value = "cmnist-fg"


def test_every_control_has_a_label_and_teaches():
    for widget in Controls(Choice())._widgets:
        assert widget.description
        assert len(widget.tooltip) > 10


# --- panels ---------------------------------------------------------------------------------


def test_every_panel_follows_the_choice(desk):
    before = (desk.panels.table.value, desk.panels.plane.value, desk.panels.gallery.png)
    desk.controls.br.value = 0.3
    after = (desk.panels.table.value, desk.panels.plane.value, desk.panels.gallery.png)
    assert all(a != b for a, b in zip(after, before, strict=True))
    assert "BR 0.30" in desk.panels.says.value
    desk.controls.br.value = 0.75


def test_what_there_is_to_see_is_said_in_words(desk):
    desk.controls.apply(Choice(gap=0, br=0.8, ipc=2, preset="smoke"))
    assert "look alike" in desk.panels.says.value
    desk.controls.apply(Choice(br=1.0, ipc=2, preset="smoke"))
    assert "No other group is left" in desk.panels.says.value
    desk.controls.apply(Choice(ipc=2, preset="smoke"))


def test_messages_on_two_threads_end_with_the_controls_and_the_panels_agreeing(desk):
    def drag(values):
        for value in values:
            desk.controls.br.value = value

    halves = [[0.2 + 0.01 * i for i in range(20)], [0.9 - 0.01 * i for i in range(20)]]
    threads = [threading.Thread(target=drag, args=(values,)) for values in halves]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    said = f"BR {desk.controls.br.value:.2f}"
    assert said in desk.panels.says.value
    assert desk.choice.br == pytest.approx(desk.controls.br.value)
    desk.controls.br.value = 0.75


def test_a_thousand_moves_leave_nothing_behind(desk):
    def widgets():
        gc.collect()
        return sum(issubclass(type(o), ipywidgets.Widget) for o in gc.get_objects())

    before = widgets()
    for i in range(200):
        desk.controls.br.value = 0.3 + 0.005 * (i % 100)
    desk.controls.br.value = 0.75
    assert widgets() - before < 20
    assert plt.get_fignums() == []


# --- runs -----------------------------------------------------------------------------------


def _wait(desk, count):
    limit = time.monotonic() + 120
    while len(desk.found) < count and time.monotonic() < limit:
        time.sleep(0.02)
    in_turn(lambda: None)()  # what follows from it is done, too


def test_a_run_joins_the_comparison_and_its_images_can_be_looked_at(desk):
    assert "cobra dm IPC 2 smoke, digits BR 0.75" in desk.distil.next.value
    desk.distil.start.click()
    _wait(desk, 1)
    assert [*desk.found] == ["cobra dm IPC 2 smoke, digits BR 0.75"]
    assert desk.distil.images.png
    assert "true-positive rate" in desk.distil.rates.value
    assert "cobra dm IPC 2" in desk.compare.value
    assert bytes(desk.scatter.value).startswith(b"\x89PNG")
    desk.distil.images.selected = 7
    assert "Synthetic image 2 of class 3" in desk.inspector.view.value
    assert desk.inspector.view.value.count("real image, ") == 6
    assert "% recognised" not in desk.inspector.view.value
    assert desk.distil.images.spoken == "class 3"


def test_figures_are_the_printed_twins(desk):
    assert set(desk.figures()) == set(CAPTIONS)
    bundle = desk._repr_mimebundle_()
    assert bundle["text/html"].count("<img") == len(CAPTIONS)
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_the_classroom_keeps_the_answer_back(desk):
    room = desk.classroom
    room.steps.value = 1
    assert room.reveal.disabled
    room.run.click()
    assert (desk.choice.fairness, desk.choice.br, desk.choice.ipc) == ("vanilla", 0.75, 10)
    desk.jobs.wait(seconds=120)
    limit = time.monotonic() + 20
    while room.reveal.disabled and time.monotonic() < limit:
        time.sleep(0.02)
    title = desk.choice.title
    assert title not in desk.found
    assert desk.distil.rates.value == ""
    room.guess.value = 60
    room.reveal.click()
    used = desk.found[title].counterfactual
    # so short a run learns nothing; a gap that is more than chance shows is told all the same
    nothing = used.deo_a.p >= 0.05 and doubt(used, "what was trained")
    assert (nothing or f"{used.deo_a.mean:.1f}") in room.answer.value
    assert "true-positive rate" in desk.distil.rates.value


def test_every_step_of_the_classroom_can_be_set_up():
    for step in STEPS:
        Choice(br=1.0).with_(**step.changes)


def test_what_was_found_is_looked_up_by_the_sliders(desk):
    desk.tabs.selected_index = 4
    desk.past.reload()
    desk.controls.apply(Choice(ipc=2, preset="smoke"))
    assert "exactly as chosen" in desk.past.table.value
    desk.controls.br.value = 0.9
    assert "the closest results there are" in desk.past.table.value
    assert desk.past.images.png
    desk.controls.method.value = "dc"
    assert "has no result for" in desk.past.table.value
    assert desk.past.images.png == b""
    desk.controls.apply(Choice(ipc=2, preset="smoke"))
    desk.tabs.selected_index = 0


def test_a_set_that_cannot_be_read_is_told_once_and_leaves_no_images(desk, tmp_path):
    reports = shutil.copytree(desk.past.reports, tmp_path / "reports")
    past = Past(str(reports))
    past.draw(Choice(ipc=2, preset="smoke"))
    assert past.images.png
    for path in reports.glob("explore/*.safetensors"):
        path.write_bytes(b"")
    for panel in (past, Past(str(reports))):
        for _ in range(2):
            panel.draw(Choice(ipc=2, preset="smoke"))
            assert panel.table.value.count(".safetensors is truncated") == 1
            assert panel.images.png == b""


def test_a_failed_run_is_told(desk):
    root, desk.jobs.root = desk.jobs.root, "nowhere"
    job = desk.jobs.submit(Choice("cmnist-bg", br=0.9, preset="smoke"))
    desk.jobs.root = root
    desk.jobs.wait([job], 60)
    desk.distil.runs.value = job
    assert "needs MNIST" in desk.distil.says.value
    assert desk.distil.pause.description == "Resume"


def test_a_newer_explorer_ends_the_older_ones_worker(tmp_path):
    first = Explorer(Choice(preset="smoke"), reports=tmp_path, live=True)
    worker = first.jobs._process
    second = Explorer(Choice(preset="smoke"), reports=tmp_path, live=True)
    worker.join(10)
    assert not worker.is_alive()
    first.distil.start.click()
    assert "run its cell again" in first.distil.says.value
    second.close()
    second.close()  # twice does no harm


# --- where it is shown ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({}, False),
        ({"JPY_SESSION_NAME": "/a.ipynb"}, True),
        ({"JPY_SESSION_NAME": "/a.ipynb", "FDDKIT_RUN_DIR": "/r"}, False),
        ({"VSCODE_PID": "1"}, True),
        ({"COLAB_RELEASE_TAG": "x"}, True),
        ({"FDDKIT_INTERACTIVE": "1", "FDDKIT_RUN_DIR": "/r"}, True),
        ({"FDDKIT_INTERACTIVE": "0", "VSCODE_PID": "1"}, False),
    ],
)
def test_a_front_end_is_recognised(monkeypatch, variables, expected):
    for name in ("JPY_SESSION_NAME", "VSCODE_PID", "VSCODE_CWD", "COLAB_RELEASE_TAG"):
        monkeypatch.delenv(name, raising=False)
    for name in ("FDDKIT_RUN_DIR", "FDDKIT_INTERACTIVE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert interactive() is expected


def test_a_headless_page_has_figures_and_no_broken_widget(tmp_path):
    """Run nbconvert as its users do, on a notebook that shows the explorer."""
    import nbformat

    code = (
        "import fddkit as fdd\n"
        "desk = fdd.widgets.Explorer(fdd.widgets.Choice(preset='smoke', ipc=1), repeats=1)\n"
        "desk.run('cobra')\n"
        "desk"
    )
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    nbformat.write(node, tmp_path / "page.ipynb")
    env = os.environ | {"PYTHONPATH": os.path.dirname(os.path.dirname(fdd.__file__))}
    for name in ("JPY_SESSION_NAME", "FDDKIT_INTERACTIVE", "VSCODE_PID", "VSCODE_CWD"):
        env.pop(name, None)
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--execute", "page.ipynb"]
    subprocess.run(command, cwd=tmp_path, env=env, check=True, capture_output=True)
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/png;base64') >= len(CAPTIONS)
    assert "Error displaying widget" not in page
    assert '<script type="application/vnd.jupyter.widget-view' not in page
