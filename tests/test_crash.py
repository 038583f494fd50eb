"""Whatever ends a piece of work, wherever: done again, it leaves what undisturbed work leaves."""

import itertools
import re
import subprocess
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import nbformat
import pytest
import torch
from crashing import KINDS, Outcome, Work, survive, survive_for_ever, worker
from references import toy
from torch.nn.utils import vector_to_parameters

import fddkit as fdd
from fddkit.analysis.features import Features
from fddkit.analysis.projections import project
from fddkit.cli import main
from fddkit.core.files import write_json
from fddkit.data import loading
from fddkit.distillers import loop, mtt_experts, registry
from fddkit.distillers.fair_extractors import fair_extractors
from fddkit.distillers.mtt_experts import ExpertSettings, train_experts
from fddkit.experiments import factorial, matrix, report_page, runs
from fddkit.experiments.records import Record
from fddkit.experiments.sweeps import sweep
from fddkit.rules import encoder
from fddkit.rules.encoder import EncoderSettings, encode
from fddkit.training import fit
from fddkit.workbench import worker as explorer
from fddkit.workbench.choice import Choice

pytestmark = pytest.mark.skipif(
    not Path("/proc/self/fd").is_dir(), reason="it forks, and looks into /proc"
)
KILLS = ("kill", "tear")
SIZES = {"iterations": 2, "batch": 2, "width": 2, "depth": 2}
#: Beside these sizes: few steps of each network, few networks.
OWN = {
    "dc": {"outer": 2, "inner": 1},
    "dsa": {"outer": 2, "inner": 1},
    "idc": {"outer": 2, "net_data": 4, "net_batch": 4},
    "dream": {"outer": 2, "net_data": 4, "net_batch": 4, "interval": 1},
    "cafe": {"outer": 2, "inner": 1, "watched": 2},
    "mtt": {"student_steps": 2, "max_start": 1, "experts": 1, "expert_epochs": 2},
}


# --- tiny settings, in the process that the others are forked from ----------------------------


@cache
def small() -> None:
    """Make whatever is called ``smoke`` smaller still, and let every step write a checkpoint."""
    torch.set_num_threads(1)
    for name, method in registry.METHODS.items():
        sizes = SIZES | OWN.get(name, {})
        method.presets["smoke"] = replace(method.presets["smoke"], **sizes)
    fit.PRESETS["smoke"] = replace(fit.PRESETS["smoke"], epochs=2, width=2, depth=2)
    full = loading.load

    @cache
    def load(*arguments, **options):
        train, test = full(*arguments, **options)
        return train.subset(torch.arange(60)), test.subset(torch.arange(20))

    loading.load = matrix.load = load
    hours = SimpleNamespace(monotonic=partial(next, itertools.count(0, 3600)))
    loop.time = encoder.time = hours
    matrix.time = SimpleNamespace(monotonic=lambda: 0.0)
    report_page.datetime = runs.datetime = SimpleNamespace(now=lambda: datetime(2026, 1, 2))


@cache
def data():
    return toy(0, torch.full((2, 2), 4))


@cache
def made():
    return fdd.distill(data(), ipc=1, preset="smoke", progress=False)


QUIET = {"preset": "smoke", "progress": False}


def distilled(folder, method="dm", rule="vanilla", **changes):
    out = folder / "s.safetensors"
    fdd.distill(data(), method, rule, 1, out=out, cache=folder / "cache", **QUIET, **changes)


def evaluated(folder):
    s = fdd.DistilledSet.load(folder / "s.safetensors")
    fdd.evaluate(s, data(), repeats=2, **QUIET).save(folder / "report.json")


def saved(folder):
    made().save(folder / "s.safetensors")


def trained(folder, groups=False, experts=2, epochs=3):
    chosen = ExpertSettings(experts, epochs, batch=6, width=2, depth=2)
    train_experts(data(), chosen, 0, groups=groups, cache=folder, progress=False)


def extracted(folder):
    chosen = registry.settings("smoke", "dc", extractors=2, extractor_steps=2).resolve(1, data())
    fair_extractors(data(), chosen, 0, cache=folder, progress=False)


def encoded(folder):
    encode(data(), EncoderSettings(2, batch=8, width=2), 0, cache=folder, progress=False)


def projected(folder):
    none = torch.zeros(9, dtype=torch.long)
    points = torch.randn(9, 4, generator=torch.Generator().manual_seed(0))
    project(Features(points, none, none, none, ("a",), ("0",), ("0",)), cache=folder)


def commanded(words, folder):
    return main(words.split())


def crossed(folder, methods=("dm", "mtt"), rules=("vanilla", "cobra")):
    sizes = {"seeds": 1, "repeats": 1, "ipc": 1, "baselines": ()}
    matrix.matrix("digits", methods, rules, folder=folder / "matrix", **sizes, **QUIET)


def combined(folder):
    factorial.factorial(data(), data(), ipc=1, seeds=1, folder=folder / "factorial", **QUIET)


def explored(folder, **choice):
    link = SimpleNamespace(send=lambda *_, **__: None, obey=lambda: None, due=lambda: True)
    choice = Choice(ipc=1, preset="smoke", **choice)
    explorer._work(link, explorer.Order(choice, "data", str(folder / "explore"), 1))


def recorded(folder):
    """Two runs that the report shows."""
    for ipc in (1, 2):
        values, here = {"ipc": ipc}, folder / "reports" / "tiny" / f"ipc{ipc}"
        (here / "figures").mkdir(parents=True)
        Record(
            "tiny", "Tiny", values, {"ipc": 1}, {}, "2026-01-02", 1.0, "finished", None, "ab" * 32
        ).save(here)
        write_json(here / "metrics.json", {"numbers": {"twice": 2 * ipc}})


def shown(folder):
    import matplotlib.figure

    current = fdd.experiments.Current(folder / "run", {})
    current.metrics({"numbers": {"one": 1}})
    for name in ("a", "b"):
        current.figure(matplotlib.figure.Figure((1, 1)), name, "Nothing.")
    current.metrics({"numbers": {"two": 2}})


def foreign(folder):
    pixels = torch.rand(10, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.save({"data": [[pixels, torch.arange(10)]]}, folder / "theirs.pt")


def notebook(folder):
    """A notebook that leaves a file."""
    code = """\
import json, os, pathlib
folder = pathlib.Path(os.environ["FDDKIT_RUN_DIR"])
(folder / "metrics.json").write_text(json.dumps({"numbers": {"ten times": 10 * ipc}}))
"""
    cells = [
        nbformat.v4.new_markdown_cell("# Tiny"),
        nbformat.v4.new_code_cell("ipc = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    for i, cell in enumerate(cells):
        cell["id"] = f"cell{i}"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "tiny.ipynb")


def timeless(content):
    return re.sub(TIMES, b"", content)


def ran(folder):
    assert runs.run("tiny.ipynb", {"ipc": 2}, progress=False).status == "finished"


def swept(folder):
    ended = sweep("tiny.ipynb", {"ipc": [1, 2]}, progress=False)
    assert [one.status for one in ended] == ["finished", "finished"]


# --- what is ended ------------------------------------------------------------------------------

DISTIL = "distill --dataset digits --preset smoke --ipc 1 --out s.safetensors --images images"
IMPORT = "import theirs.pt --dataset digits --out s.safetensors"
RULES = dict.fromkeys(registry.METHODS, ("vanilla", "cobra", "fairdd"))
RULES |= {"dm": ("vanilla", "cobra", "kde"), "dsa": ("vanilla", "cobra", "minimax")}
RULES |= {"idc": ("vanilla", "cobra", "df"), "mtt": ("vanilla", "cobra")}

#: How long a set took is not known where it was killed before that was written.
CLOCKS = ("matrix/*.seconds",)
TICKS = dict.fromkeys(CLOCKS, lambda content: b"a time")  # two runs do not take the same
WORKS = {
    f"{method} {rule}": Work(partial(distilled, method=method, rule=rule))
    for method, rules in RULES.items()
    for rule in rules
}
WORKS |= {
    "dm with warm-up": Work(partial(distilled, warmup=2)),
    "dc from fair extractors": Work(
        partial(distilled, method="dc", extractor="fair", extractors=2, extractor_steps=2)
    ),
    "random": Work(partial(distilled, method="random")),
    "whole": Work(partial(distilled, method="whole")),
    "experts": Work(trained),
    "experts of groups": Work(partial(trained, groups=True)),
    "extractors": Work(extracted),
    "encoder": Work(encoded),
    "projection": Work(projected),
    "evaluation": Work(evaluated, saved),
    "metrics and figures": Work(shown),
    "matrix": Work(crossed, may_lack=CLOCKS, masks=TICKS),
    "matrix of one cell": Work(
        partial(crossed, methods=["dm"], rules=["vanilla"]), may_lack=CLOCKS, masks=TICKS
    ),
    "factorial": Work(combined),
    "explorer": Work(explored),
    "explorer's baseline": Work(partial(explored, method="random")),
    "report": Work(lambda folder: report_page.build(folder / "reports"), recorded),
    "fddkit distill": Work(partial(commanded, DISTIL)),
    # it replaces nothing, and says so where it had come as far as that
    "fddkit import": Work(partial(commanded, IMPORT), foreign, again=(0, 2)),
}
#: When cells were executed, the name that papermill draws for a cell of its own, and what rests
#: on them: the digests of the pages.
TIMES = rb"""(?x) \d{4}-\d\d-\d\dT[\d:.]+ | "(duration|seconds)":\ [\d.]+
    | ("id":\ "|cell-id=)[0-9a-f]{8}\b | "notebook.(html|ipynb)":\ "[0-9a-f]{64}" """
MASKS = dict.fromkeys(("reports/*.ipynb", "reports/*.html", "reports/*.json"), timeless)
KERNELS = {
    "run": Work(ran, notebook, masks=MASKS, others=True),
    "sweep": Work(swept, notebook, masks=MASKS, others=True),
}


# --- faults, to see that they would be found ----------------------------------------------------


@contextmanager
def in_place(path, look=None):
    """Write a file where it is to be."""
    yield path


def carelessly(folder):
    with patch("fddkit.core.tensors.atomic", in_place):
        distilled(folder)


def forgetfully(folder):
    resume = mtt_experts._Training._resume

    def as_a_view(self, part, net):
        """Let the network train on the memory of the last checkpoint, as it once did."""
        done = resume(self, part, net)
        vector_to_parameters(done[-1], net.parameters())
        return done

    with patch.object(mtt_experts._Training, "_resume", as_a_view):
        trained(folder, experts=1, epochs=2)


def behind_its_back(folder):
    saved(folder)
    subprocess.run(["cp", "s.safetensors", "copy"], check=True)


def stubbornly(folder):
    with suppress(KeyboardInterrupt):
        distilled(folder)


FAULTY = {
    "careless": Work(carelessly),
    "forgetful": Work(forgetfully),
    "secret": Work(behind_its_back),
    "stubborn": Work(stubbornly),
}


# --- tests --------------------------------------------------------------------------------------

FEW = ("dm cobra", "dc fairdd", "mtt vanilla", "dm kde", "evaluation", "report")
FEW += ("explorer's baseline", "fddkit import")
INTERRUPTS = tuple(kind for kind in KINDS if kind not in (*KILLS, "terminate"))
# a command answers a signal itself, with its exit status
COMMANDED = tuple(kind for kind in KINDS if kind not in (*KILLS, "interrupt and go on"))


def explore(name: str, kinds: tuple[str, ...], most: int | None = None, only="") -> Outcome:
    """Let a piece of work survive; in the worker."""
    small()
    found = survive((WORKS | KERNELS | FAULTY)[name], kinds, most, only)
    print(f"{name}: {found}")
    return found


def explore_for_ever(name: str) -> Outcome:
    """Let a piece of work survive however often it is killed; in the worker."""
    small()
    found = survive_for_ever(WORKS[name], KILLS)
    print(f"{name}, killed again and again: {found}")
    return found


@pytest.fixture(scope="module")
def pool():
    with worker() as pool:
        yield pool


@pytest.fixture(scope="module")
def survived(pool):
    """Return a function that has the worker call `explore`."""
    return lambda *arguments: pool.submit(explore, *arguments).result()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in FEW else pytest.mark.slow) for name in WORKS]
)
def test_killed_at_any_write_and_done_again_it_leaves_the_same_files(name, survived):
    found = survived(name, KILLS)
    assert found.faults == []
    assert found.ended["kill"] == found.changes + 1
    assert found.ended["tear"] >= 1
    assert found.states > found.changes / 2


def test_interrupted_at_any_write_or_step_and_done_again_it_leaves_the_same_files(survived):
    found = survived("dm cobra", ("interrupt", "interrupt and go on", "interrupt in a step"))
    assert found.faults == []
    assert found.ended["interrupt in a step"] == found.steps == 2
    assert found.ended["interrupt and go on"] == found.ended["interrupt"] == found.changes


def test_nothing_is_left_of_the_time_that_a_killed_matrix_was_about_to_note(survived):
    found = survived("matrix of one cell", KILLS, None, "seconds")
    assert found.faults == []
    assert found.ended == {"kill": 4, "tear": 1}


@pytest.mark.parametrize(
    ("name", "kinds", "fault"),
    [
        ("careless", ("tear",), r"tear, content \d+ \(open s.safetensors.part\): .*ended with 1"),
        ("forgetful", KILLS, r"kill, change \d+ .*: expert-\w+.safetensors differs"),
        ("secret", KILLS, "copy changed unseen"),
        ("stubborn", ("interrupt",), r"it ended with 0, not 130"),
    ],
)
def test_a_fault_is_found(name, kinds, fault, survived):
    found = survived(name, kinds, 20)
    assert any(re.search(fault, one, re.DOTALL) for one in found.faults), found.faults


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", WORKS)
def test_interrupted_anywhere_and_done_again_it_leaves_the_same_files(name, survived):
    kinds = COMMANDED if name.startswith("fddkit") else INTERRUPTS
    found = survived(name, kinds, 25)
    assert found.faults == []
    assert found.ended["interrupt in a call"] == 25


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("name", ["dm cobra", "mtt vanilla", "experts", "encoder"])
def test_killed_again_and_again_it_leaves_the_same_files_in_the_end(name, pool):
    found = pool.submit(explore_for_ever, name).result()
    assert found.faults == []
    assert found.states > found.changes
    assert found.ended["kill"] > 3 * found.changes


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "most"), [("run", 100), ("sweep", 15)])
def test_a_notebook_whose_runner_is_ended_leaves_the_same_files_when_run_again(
    name, most, survived
):
    found = survived(name, (*KILLS, "interrupt"), most)
    assert found.faults == []
    assert found.ended["kill"] == min(most, found.changes + 1)
