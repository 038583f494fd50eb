"""From a file to results: everything that takes the name of a data set takes a path."""

import json
import warnings
from pathlib import Path

import pytest
from own_data import ODD, own

import fddkit as fdd
from fddkit.cli import main
from fddkit.experiments.matrix import matrix
from fddkit.experiments.run_hash import data_hash
from fddkit.workbench.choice import Choice
from fddkit.workbench.finished import finished, nearest
from fddkit.workbench.scenes import Bench

pytestmark = pytest.mark.filterwarnings("ignore:the test set of")
SMOKE = {"preset": "smoke", "progress": False}


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = own().split(5)
    train.save("faces.fdd", test=test)
    own(ODD).save("odd.fdd")
    return tmp_path


def command(line):
    return main(line.split())


@pytest.mark.parametrize("method", ["dm", "dc"])
@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra", "kde"])
@pytest.mark.parametrize(("name", "br"), [("faces.fdd", None), ("odd.fdd", None), ("odd.fdd", 0.9)])
def test_every_rule_takes_natural_groups(here, name, br, method, rule):
    train, test = fdd.load(name, br=br)
    s = fdd.distill(train, method, rule, 1, preset="smoke", progress=False)
    report = fdd.evaluate(s, test, repeats=1, **SMOKE)
    assert report.counterfactual is None
    assert s.config["dataset"]["sha256"] == train.info["sha256"]
    assert report.counts.sum() == len(test)


def test_every_figure_and_statement(here):
    train, test = fdd.load("odd.fdd")
    sets = {r: fdd.distill(train, "dm", r, 1, **SMOKE) for r in ("vanilla", "cobra")}
    sets["random"] = fdd.distill(train, "random", ipc=1, progress=False)
    sets["random-balanced"] = fdd.distill(train, "random-balanced", ipc=1, progress=False)
    reports = {name: fdd.evaluate(s, test, repeats=2, **SMOKE) for name, s in sets.items()}
    plots = fdd.plots
    drawn = [
        plots.gallery(train), plots.group_table(train), plots.sets(sets), plots.rates(reports),
        plots.comparison(reports), plots.tradeoff(reports),
        plots.losses({"cobra": sets["cobra"].loss}),
    ]  # fmt: skip
    assert all(figure.axes for figure in drawn)
    said = str(fdd.verdict(reports))
    assert "counterfactual" not in said
    assert "cobra" in said


def test_the_commands(here, capsys):
    distill = "distill --dataset faces.fdd --fairness cobra --ipc 1 --preset smoke"
    assert command(f"{distill} --br 0.8 --out s.safetensors") == 0
    assert command("evaluate s.safetensors --repeats 1 --preset smoke --json r.json") == 0
    assert json.loads(Path("r.json").read_text())["counterfactual"] is None
    assert command(f"{distill} --gap 2 --out t.safetensors") == 2
    assert "are real, and no image of it can be given another one" in capsys.readouterr().err
    assert command("datasets --root .") == 0
    assert "natural" in capsys.readouterr().out
    assert command("datasets --describe odd.fdd --json d.json") == 0
    assert "smallest cell: cat | b, f, 1 images" in capsys.readouterr().out
    assert json.loads(Path("d.json").read_text())["splits"]["all"]["images"] == sum(map(sum, ODD))
    assert command("datasets --describe odd.fdd --json s.safetensors") == 2
    own(seed=4).save("faces.fdd")
    assert command("evaluate s.safetensors --repeats 1 --preset smoke") == 2
    assert "is not the data that this is about" in capsys.readouterr().err


def test_a_matrix(here):
    options = {"methods": ["dm"], "rules": ["cobra"], "baselines": ["random"], "folder": "m"}
    cells = matrix("faces.fdd", seeds=1, repeats=1, ipc=1, **options, **SMOKE)
    assert not [cell.error for cell in cells if cell.error]
    tag = fdd.data.catalogue.CATALOGUE["faces.fdd"].tag
    assert all(path.name.startswith(tag) for path in Path("m").glob("*.safetensors"))


def test_the_hash_of_a_run_is_that_of_the_content(here):
    values = {"dataset": "faces.fdd", "root": "data"}
    before = data_hash(values, here)
    assert data_hash({"dataset": ["faces.fdd"]}, here) == before
    Path("faces.fdd").touch()
    assert data_hash(values, here) == before
    own(seed=4).save("faces.fdd")
    assert data_hash(values, here) != before
    assert data_hash({"dataset": "gone.fdd"}, here) != data_hash({"dataset": "else.fdd"}, here)


def test_a_choice_without_a_bias_ratio_has_that_of_its_data(here):
    assert Choice(br=None).br == 0.75
    assert Choice("odd.fdd", br=None).br is None


def test_the_explorer_shows_natural_groups(here):
    choice = Choice().with_(dataset="odd.fdd", ipc=2)
    assert (choice.br, choice.gap, choice.balance) == (None, None, 0.125)
    assert choice.title == "cobra dm IPC 2, odd.fdd natural bias"
    assert "--br" not in choice.command()
    assert choice.with_(dataset="digits").br == 0.75
    with pytest.raises(fdd.FddkitError, match="paints groups, but those of"):
        choice.with_(gap=1)
    bench = Bench(".")
    for br in (None, 0.5, 0.9):
        scene = bench.scene(choice.with_(br=br))
        train, _ = fdd.load("odd.fdd", br=br)
        assert scene.counts.tolist() == train.counts().tolist()
        assert len(scene.images) == len(scene.group) == 4
        assert scene.stats.points.isfinite().all()


def test_the_controls_say_why_not(here):
    pytest.importorskip("ipywidgets")
    from fddkit.widgets.controls import Controls

    controls = Controls(Choice(), root=str(here))
    names = [name for _, name in controls.dataset.options]
    assert str(here / "odd.fdd") in names
    controls.dataset.value = str(here / "odd.fdd")
    assert (controls.choice.br, controls.choice.gap) == (None, None)
    assert controls.gap.disabled
    assert controls.br.disabled
    assert "real" in controls.gap.tooltip
    controls.bias.value = "thinned"
    controls.br.value = 0.9
    assert controls.choice.br == 0.9
    assert not controls.br.disabled
    controls.dataset.value = "digits"
    assert controls.choice.br is not None
    assert not controls.message.value
    controls.apply(Choice().with_(dataset="faces.fdd", br=0.8))  # not in the folder of the data
    assert controls.choice.dataset == "faces.fdd"
    assert controls.dataset.value == "faces.fdd"


def test_finished_runs_are_those_of_the_same_content(here):
    train, test = fdd.load("faces.fdd")
    choice = Choice(ipc=1, preset="smoke").with_(dataset="faces.fdd")
    s = fdd.distill(train, "dm", "cobra", 1, **SMOKE)
    folder = Path("reports", "explore")
    folder.mkdir(parents=True)
    fdd.evaluate(s, test, repeats=1, **SMOKE).save(folder / f"{choice.name}.x1.json")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = finished("reports")
    assert [(one.br, one.sha256) for one in found] == [(None, train.info["sha256"])]
    assert nearest(found, choice) == found
    own(seed=4).save("faces.fdd")
    assert nearest(found, choice) == []
