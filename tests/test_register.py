"""What anybody registers is there wherever the built-in entries are, and its source is named."""

import importlib
import json
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from functools import lru_cache, partial
from typing import ClassVar

import matplotlib as mpl
import numpy as np
import pytest
import torch
from references import toy
from torch import nn

import fddkit as fdd
from fddkit.cli import main, program
from fddkit.core import entries
from fddkit.core.entries import Table, receive, register, ship, used
from fddkit.core.errors import FddkitError
from fddkit.core.provenance import source_of
from fddkit.data.catalogue import CATALOGUE
from fddkit.distillers.baselines import BASELINES, Baseline
from fddkit.distillers.dm import DM, DMSettings
from fddkit.distillers.registry import METHODS
from fddkit.evaluation.measures import METRICS, Metric
from fddkit.rules.lbfgs import barycentre
from fddkit.rules.rules import RULES
from fddkit.training.architectures import NETWORKS
from fddkit.workbench.choice import Choice
from fddkit.workbench.jobs import ENDED
from fddkit.workbench.queue import Jobs

QUICK = {"preset": "smoke", "progress": False}


@pytest.fixture(autouse=True)
def fresh():
    """Forget what a test registers."""
    before = [(table, dict(table), dict(table.own)) for table in entries._TABLES]
    yield
    for table, own, sources in before:
        table.clear()
        table.update(own)
        table.own.clear()
        table.own.update(sources)


@pytest.fixture(scope="module")
def data():
    return toy(0, torch.full((2, 2), 6))


def midrange(means, present):
    low = means.masked_fill(~present[..., None], torch.inf).amin(1)
    return (low + means.masked_fill(~present[..., None], -torch.inf).amax(1)) / 2


RULE = fdd.Rule("the middle of the groups' range", aim=fdd.aim_at(midrange))


# --- a rule, a distiller, a data set, a network, a metric: each in ten lines at most ------------


def a_rule():
    register("midrange", RULE)


def a_distiller():
    @register("dm-short")
    class Short(DM):
        title = "DM with few steps"
        presets: ClassVar = dict.fromkeys(("smoke", "quick", "paper"), DMSettings(iterations=3))


def a_data_set():
    def stripes(root, split, seed):
        g = torch.Generator().manual_seed(seed)
        target = torch.arange(3).repeat_interleave(20 if split == "train" else 8)
        return torch.rand(len(target), 16, 16, generator=g) * 255, target

    def paint(gray, group):
        return (gray[:, None] * torch.eye(3)[group][..., None, None]).byte()

    facts = {"target_names": ("a", "b", "c"), "group_names": ("red", "green", "blue")}
    source = {"shape": (3, 16, 16), "source": None, "originals": stripes, "inject": paint}
    register("stripes", fdd.DatasetInfo("stripes", "noise in three colours", **facts, **source))


def a_network():
    def layers(channels):
        convolution = nn.Conv2d(channels, 6, 3, padding=1)
        return nn.Sequential(convolution, nn.ReLU(), nn.AdaptiveAvgPool2d(4))

    register("tiny-net", fdd.Architecture(layers, "one convolution"))


def a_metric():
    def worst_accuracy(counts):
        right = np.trace(counts, axis1=-2, axis2=-1)
        return 100 * (right / counts.sum((-2, -1))).min(-1)

    register("worst-group", fdd.Metric("worst group", worst_accuracy, "its accuracy", higher=True))


# --- where they are -----------------------------------------------------------------------------


def test_a_rule_is_wherever_rules_are(data, tmp_path):
    a_rule()
    s = fdd.distill(data, "dm", "midrange", 1, out=tmp_path / "s", **QUICK)
    (source,) = s.config["registered"].items()
    assert source == ("fairness rule midrange", source_of(RULE))
    assert torch.equal(fdd.DistilledSet.load(tmp_path / "s").images, s.images)
    assert "midrange" in str(fdd.evaluate(s, data, repeats=1, **QUICK).config["data"])
    stats = fdd.theory.Signal(data, "dm", preset="smoke", device="cpu").groups()
    aim = fdd.theory.aims(stats)["midrange"]
    torch.testing.assert_close(aim, midrange(stats.points, stats.present))
    marked = fdd.plots.targets(stats, data.group_names)
    assert any("midrange" in text.get_text() for text in marked.axes[0].get_legend().get_texts())
    assert mpl.colors.to_hex(RULES["midrange"].colour).upper() == fdd.plots.colour("midrange")
    assert RULES["midrange"].colour not in {r.colour for n, r in RULES.items() if n != "midrange"}
    assert fdd.theory.reach(fdd.theory.Signal(data, "dc", preset="smoke", device="cpu"), "midrange",
                            steps=1).images  # fmt: skip
    assert Choice(fairness="midrange").fairness == "midrange"
    with pytest.raises(FddkitError, match="mtt has no rule 'midrange'"):
        fdd.distill(data, "mtt", "midrange", 1, **QUICK)


def test_a_rule_that_needs_groups_says_so_where_there_is_one(data):
    alone = fdd.GroupedDataset.from_arrays(data.images, data.target, [0] * len(data))
    known = [name for name, rule in RULES.items() if not rule.needs_groups]
    assert known == ["vanilla", "kde"]
    with pytest.warns(UserWarning, match="one group, so cobra does what vanilla does"):
        s = fdd.distill(alone, "dm", "cobra", 1, iterations=2, **QUICK)
    assert torch.allclose(s.images, fdd.distill(alone, "dm", ipc=1, iterations=2, **QUICK).images)


def test_a_run_under_a_rule_goes_on_and_refuses_another_of_its_name(data, tmp_path):
    def stop(progress):
        if progress.iteration == 5:
            raise KeyboardInterrupt

    a_rule()
    whole = fdd.distill(data, "dm", "midrange", 1, **QUICK)
    given = {"out": tmp_path / "s", "every": 1, **QUICK}
    with pytest.raises(KeyboardInterrupt):
        fdd.distill(data, "dm", "midrange", 1, callback=stop, **given)
    register("midrange", fdd.Rule("another", aim=fdd.aim_at(lambda m, present: m.mean(1))))
    with pytest.raises(FddkitError, match="registered fairness rule midrange"):
        fdd.distill(data, "dm", "midrange", 1, **given)
    a_rule()
    assert torch.equal(fdd.distill(data, "dm", "midrange", 1, **given).images, whole.images)


def test_the_barycentre_of_ones_own_distance_is_a_rule(data):
    def cubed(points, centres):
        return (points - centres).norm(dim=-1) ** 3

    aim = fdd.aim_at(partial(barycentre, distance=cubed))
    register("cobra-cubed", fdd.Rule("barycentre under cubed distances", aim=aim))
    stats = fdd.theory.Signal(data, "dm", preset="smoke", device="cpu").groups()
    found = fdd.theory.aims(stats, ["cobra-cubed", "cobra"])
    # of two groups the middle is the barycentre under any of these
    torch.testing.assert_close(found["cobra-cubed"], found["cobra"], rtol=1e-5, atol=1e-5)
    assert len(fdd.distill(data, "dm", "cobra-cubed", 1, iterations=2, **QUICK)) == 2


def test_a_distiller_is_wherever_distillers_are(data):
    a_distiller()
    s = fdd.distill(data, "dm-short", "cobra", 1, **QUICK)
    assert len(s.loss) == 3
    assert list(s.config["registered"]) == ["distiller dm-short"]
    report = fdd.evaluate(s, data, repeats=1, **QUICK)
    assert report.config["protocol"] == "dm-short"
    assert len(fdd.theory.Signal(data, "dm-short", preset="smoke", device="cpu").groups().points)
    with pytest.raises(FddkitError, match="no preset smoke"):
        register("bad", type("Bad", (DM,), {"presets": {}}))


def test_a_data_set_is_wherever_data_sets_are(tmp_path, capsys):
    a_data_set()
    train, test = fdd.load("stripes", br=0.8)
    assert train.counts().sum(1).tolist() == [20, 20, 20]
    assert (train.name, test.info["dataset"]) == ("stripes", "stripes")
    s = fdd.distill(train, "random", ipc=1, out=tmp_path / "s", **QUICK)
    assert list(s.config["registered"]) == ["data set stripes"]
    assert fdd.evaluate(s, test, repeats=1, **QUICK).counterfactual is not None
    assert main(["datasets"]) == 0
    assert "stripes" in capsys.readouterr().out
    assert main(["evaluate", str(tmp_path / "s"), "--preset", "smoke", "--repeats", "1"]) == 0
    assert Choice(dataset="stripes").groups == 3
    from fddkit.workbench.scenes import Bench

    assert Bench().scene(Choice(dataset="stripes", ipc=1)).counts.shape == (3, 3)


def test_a_network_is_wherever_networks_are(data, tmp_path):
    a_network()
    s = fdd.distill(data, "dm", "cobra", 1, network="tiny-net", width=128, **QUICK)
    report = fdd.evaluate(s, data, ["tiny-net", "convnet"], 1, width=128, depth=3, **QUICK)
    assert report.networks == ["tiny-net", "convnet"]
    assert "network tiny-net" in report.config["registered"]
    experts = {"experts": 1, "expert_epochs": 2, "iterations": 1, "width": 128}
    experts |= {"network": "tiny-net", "student_steps": 1, "max_start": 1, "cache": tmp_path}
    fdd.distill(data, "mtt", "cobra", 1, **experts, **QUICK)
    before = set(tmp_path.glob("expert-*"))
    register("tiny-net", replace(NETWORKS["tiny-net"], features=lambda c: nn.Conv2d(c, 5, 3)))
    fdd.distill(data, "mtt", "cobra", 1, **experts, **QUICK)
    assert len(set(tmp_path.glob("expert-*"))) == 2 * len(before)  # of another network


def test_a_metric_is_wherever_metrics_are(data, tmp_path):
    a_metric()
    s = fdd.distill(data, "random", ipc=1, **QUICK)
    report = fdd.evaluate(s, data, repeats=2, **QUICK)
    found = report.metric("worst-group")
    right = np.trace(report.counts, axis1=-2, axis2=-1) / report.counts.sum((-2, -1))
    np.testing.assert_allclose(found.values, 100 * right.min(-1))
    assert "worst group" in str(report)
    assert "worst group" in report._repr_html_()
    report.save(tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["worst-group"] == found.to_dict()
    assert fdd.FairnessReport.load(tmp_path / "r.json").metric("worst-group").mean == found.mean
    assert "metric worst-group" in report.config["registered"]
    titles = [ax.get_title() for ax in fdd.plots.comparison({"random": report}).axes]
    assert "worst group" in titles
    assert fdd.plots.curve({"random": {1.0: report, 2.0: report}}, "BR", "worst-group")
    assert fdd.plots.tradeoff({"random": report}, "worst-group")
    table = fdd.experiments.Current(tmp_path, {}).reports({"random": report})
    assert "worst group" in table.columns
    METRICS.pop("worst-group")
    METRICS.own.pop("worst-group")
    assert fdd.FairnessReport.load(tmp_path / "r.json").accuracy.mean == report.accuracy.mean


def test_a_baseline_is_wherever_baselines_are(data):
    def pick(train, ipc, seed):
        return torch.cat([torch.where(train.target == y)[0][:ipc] for y in (0, 1)])

    first = Baseline("the first of each class", pick, "#123456")
    register("first", first)
    assert len(fdd.distill(data, "first", ipc=1, **QUICK)) == 2
    assert fdd.plots.colour("first") == "#123456"
    assert Choice(method="first").baseline
    assert "first" in BASELINES


def test_all_are_in_the_matrix_and_the_explorers_menus(tmp_path):
    a_rule()
    a_distiller()
    a_data_set()
    a_metric()
    sizes = {"seeds": 1, "repeats": 1, "ipc": 1, "preset": "smoke", "progress": False}
    made = {"folder": tmp_path / "m", "baselines": (), **sizes}
    (cell,) = fdd.matrix.matrix("stripes", ["dm-short"], ["midrange"], jobs=2, **made)
    assert cell.error is None
    assert 0 <= cell.numbers["worst-group"]["mean"] <= 100
    assert "worst group" in fdd.matrix.markdown([cell])
    assert fdd.matrix.from_json(fdd.matrix.as_json([cell])) == [cell]
    from fddkit.widgets.controls import Controls

    controls = Controls(Choice(ipc=1), "data")
    assert "midrange" in controls.fairness.options
    assert "dm-short" in controls.method.options
    assert "stripes" in [value for _, value in controls.dataset.options]


def test_the_command_line_names_them(capsys):
    a_rule()
    a_distiller()
    with pytest.raises(SystemExit):
        program.parser().parse_args(["distill", "--help"])
    told = capsys.readouterr().out
    assert "the middle of the groups' range" in told
    assert "DM with few steps" in told


def test_the_explorers_worker_knows_what_is_registered(tmp_path):
    a_rule()
    queue = Jobs(tmp_path, repeats=1)
    try:
        job = queue.submit(Choice(ipc=1, fairness="midrange", preset="smoke"))
        end = time.monotonic() + 240
        while job.state not in ENDED and time.monotonic() < end:
            time.sleep(0.05)
        assert (job.state, job.error) == ("finished", "")
        assert job.distilled().config["fairness"] == "midrange"
    finally:
        queue.close()


# --- names, sources, other processes ------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "A", "a b", "a/b", "-a", "a,b", "x" * 41, 3, "ä"])
def test_what_is_no_name_is_refused(name):
    with pytest.raises(FddkitError, match="is not a valid name for a fairness rule"):
        register(name, RULE)


def test_what_is_built_in_or_no_entry_is_refused():
    with pytest.raises(FddkitError, match="'cobra' is a built-in fairness rule"):
        register("cobra", RULE)
    with pytest.raises(FddkitError, match="a function, cannot be registered; give a"):
        register("mine", midrange)
    with pytest.raises(FddkitError, match="both weigh and aim, or neither"):
        register("mine", fdd.Rule("nothing"))
    with pytest.raises(FddkitError, match="shape \\[\\] for 2 repeats"):
        register("mine", Metric("mine", lambda counts: 1.0))
    with pytest.raises(FddkitError, match="is a part of every report"):
        register("counts", Metric("mine", lambda counts: np.ones(len(counts))))
    assert "mine" not in RULES | METRICS


def test_kinds_share_no_name():
    first = Baseline("the first", lambda t, ipc, s: torch.tensor([0]), "#123456")
    with pytest.raises(FddkitError, match="'dm' is already a distiller"):
        register("dm", first)
    with pytest.raises(FddkitError, match="'random' is already a baseline"):
        register("random", type("Own", (DM,), {}))


def test_a_cell_that_is_run_again_keeps_colours_apart():
    for name in ("aa", "bb", "aa"):
        register(name, RULE)
    assert RULES["aa"].colour != RULES["bb"].colour
    assert RULES["aa"].mark != RULES["bb"].mark


@pytest.mark.parametrize("kind", ["array", "cached", "static", "shape", "names"])
def test_a_change_of_any_part_changes_the_source(kind):
    def made(k):
        space = {"np": np, "torch": torch, "lru_cache": lru_cache}
        body = {
            "array": f"W = np.array([{k}])\ndef f(m, p): return m * W",
            "cached": f"@lru_cache\ndef h(x): return x + {k}\ndef f(m, p): return h(m)",
            "static": f"class f:\n @staticmethod\n def g(m): return m + {k}",
            "shape": f"W = torch.zeros({k}, 3 - {k})\ndef f(m, p): return m * W",
            "names": f"def f(m, p): return m.{['amin', 'amax'][k - 1]}(1)",
        }[kind]
        exec(body, space)
        return source_of(space["f"])

    assert made(1) == made(1)
    assert made(1) != made(2)


def test_built_in_entries_have_all_their_facts():
    colours = [rule.colour for rule in RULES.values()] + [one.colour for one in BASELINES.values()]
    marks = [rule.mark for rule in RULES.values()]
    assert len(set(colours)) == len(colours)
    assert len(set(marks)) == len(marks)
    for table in (RULES, METHODS, BASELINES, NETWORKS):
        assert all(entry.title for entry in table.values())
    assert all(entry.meaning for entry in METRICS.values())
    assert {entry.traits.mirrors for n, entry in CATALOGUE.items() if "cifar" in n} == {True}
    assert {entry.traits.mirrors for n, entry in CATALOGUE.items() if "digits" in n} == {False}


def scaled(means, present, factor=2.0):
    return helper(means.mean(1)) * factor


def helper(x):
    return x + 1


def test_the_source_is_that_of_all_that_an_entry_rests_on(monkeypatch):
    def rule(**facts):
        return fdd.Rule("scaled", aim=fdd.aim_at(scaled), **facts)

    first = source_of(rule())
    assert first == source_of(rule())
    assert len(first) == 16
    assert source_of(rule(colour="#000000")) != first
    monkeypatch.setitem(globals(), "helper", lambda x: x - 1)
    assert source_of(rule()) != first  # what it calls counts
    held = 3

    def closed(means, present):
        return means[:, 0] * held

    one = source_of(fdd.Rule("closed", aim=fdd.aim_at(closed)))
    held = 4
    assert source_of(fdd.Rule("closed", aim=fdd.aim_at(closed))) != one
    assert source_of([torch.zeros(2), {"a": {1}}]) != source_of([torch.ones(2), {"a": {1}}])


def test_the_source_of_what_was_typed_in():
    def made(body):
        space = {}
        exec(f"def centre(means, present):\n    return {body}", space)
        return source_of(fdd.Rule("typed", aim=fdd.aim_at(space["centre"])))

    assert made("means[:, 0]") == made("means[:, 0]")
    assert made("means[:, 0]") != made("means[:, 1]")


def test_what_is_named_is_found_wherever_it_is_named():
    a_rule()
    own = {"fairness rule midrange": source_of(RULE)}
    assert used({"a": [{"fairness": "midrange"}]}) == used(("midrange",)) == own
    assert used({"midrange": "cobra"}) == {}


def test_other_processes_get_what_is_registered(tmp_path):
    assert ship() == b""
    receive(b"")
    code = textwrap.dedent("""
        import sys, fddkit as fdd
        from fddkit.core.entries import ship
        def centre(means, present):
            return means[:, 0] * SCALE
        SCALE = 2
        fdd.register("mine", fdd.Rule("mine", aim=fdd.aim_at(centre)))
        sys.stdout.buffer.write(ship())
    """)
    sent = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    receive(sent)
    receive(sent)
    batch = type("B", (), {"counts": torch.ones(1, 2)})
    found = RULES["mine"].aim(torch.ones(1, 2, 3), batch).points
    assert found.tolist() == [[[2.0, 2.0, 2.0]]]


def test_what_cannot_be_sent_is_told_in_a_sentence(tmp_path):
    file = open(tmp_path / "x", "w")  # noqa: SIM115
    register("stuck", fdd.Rule("stuck", aim=fdd.aim_at(lambda m, p: (file, m)[1])))
    with file, pytest.raises(FddkitError, match=r"stuck.* cannot be sent to another process"):
        ship()


# --- packages -----------------------------------------------------------------------------------

PLUGIN = """\
import torch, fddkit as fdd
def first(means, present):
    return means[:, 0]
FIRST = fdd.Rule("the first group", aim=fdd.aim_at(first))
"""


@pytest.fixture
def installed(tmp_path):
    """Lay out an installed package that offers entries; return the environment that sees it."""
    (tmp_path / "my_rules.py").write_text(PLUGIN)
    about = tmp_path / "my_rules-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-rules\nVersion: 1.0\n")
    points = "[fddkit]\nfirst-group = my_rules:FIRST\nbroken = my_rules:NOTHING\n"
    (about / "entry_points.txt").write_text(points)
    return tmp_path


def test_a_package_adds_to_the_command_line(installed, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", f"{installed}:{entries.__file__.rsplit('/fddkit/', 1)[0]}")
    words = ["distill", "--fairness", "first-group", "--ipc", "1", "--preset", "smoke"]
    command = [sys.executable, "-m", "fddkit", *words, "--out", str(tmp_path / "s")]
    ended = subprocess.run(command, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "'broken' of the package my-rules cannot be used (AttributeError" in ended.stderr
    s = fdd.DistilledSet.load(tmp_path / "s")
    assert list(s.config["registered"]) == ["fairness rule first-group"]
    assert "first-group" in subprocess.run(
        [sys.executable, "-m", "fddkit", "distill", "--help"], capture_output=True, text=True
    ).stdout  # fmt: skip


def test_a_table_of_ones_own_kind():
    before = list(entries._TABLES)
    try:
        table = Table("number", lambda entry: isinstance(entry, complex), {"i": 1j})
        register("minus-i", -1j)
        assert table == {"i": 1j, "minus-i": -1j}
    finally:
        entries._TABLES[:] = before


def test_the_example_of_the_docstring_is_true():
    module = importlib.import_module("fddkit.core.entries")
    import doctest

    assert doctest.testmod(module).failed == 0
