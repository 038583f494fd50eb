import json
import shutil
import warnings
from pathlib import Path

import pytest

from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json
from fddkit.evaluation.measures import headline
from fddkit.evaluation.report import FairnessReport
from fddkit.experiments import matrix, matrix_sets
from fddkit.experiments.matrix import markdown


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    cells = matrix.matrix(
        methods=["dm", "mtt"], rules=["vanilla", "fairdd"], seeds=2, repeats=1, ipc=1,
        preset="smoke", folder=folder, progress=False, baselines=["random-balanced", "whole"],
    )  # fmt: skip
    return folder, cells


def test_cells_hold_numbers_or_a_reason(made):
    _, cells = made
    pairs = [(m, r) for m in ("dm", "mtt") for r in ("vanilla", "fairdd")]
    pairs += [("random-balanced", ""), ("whole", "")]
    assert [(c.method, c.rule) for c in cells] == pairs
    *there, lacking, balanced, whole = cells
    there += [balanced, whole]
    assert lacking.numbers is None
    assert "cobra" in lacking.lacks
    for cell in there:
        assert (cell.seeds, cell.networks) == (2, 1)
        assert 0 <= cell.numbers["accuracy"]["mean"] <= 100
        assert cell.numbers["accuracy"]["ci95"][0] <= cell.numbers["accuracy"]["mean"]
        assert cell.seconds is None if cell is whole else cell.seconds >= 0
        assert cell.lacks is None


def test_finished_cells_are_found_again(made, monkeypatch):
    folder, cells = made
    monkeypatch.setattr(matrix_sets, "evaluate", lambda *_, **__: pytest.fail("evaluated again"))
    assert not list(folder.glob("*-whole-*.safetensors"))  # as large as the training set
    again = matrix.matrix(
        methods=["dm", "mtt"], rules=["vanilla", "fairdd"], seeds=2, repeats=1, ipc=1,
        preset="smoke", folder=folder, progress=False, baselines=["random-balanced", "whole"],
    )  # fmt: skip
    assert again == cells


def test_the_table_is_markdown(made):
    pairs, baselines = markdown(made[1]).split("\n\n")
    lines = pairs.splitlines()
    titles = " / ".join(metric.title for metric in headline().values())
    assert lines[0] == f"| {titles} | DM | MTT |"
    assert lines[1] == "|---|---|---|"
    assert lines[3].startswith("| fairdd | ")
    assert lines[3].endswith("| - |")
    assert lines[2].count(" / ") == 2 * titles.count(" / ")
    heading, rule, *rows = baselines.splitlines()
    assert heading == f"| baseline | {titles} |"
    assert rule == "|---|---|"
    assert [row.split(" | ")[0] for row in rows] == ["| random-balanced", "| whole"]
    assert markdown(made[1][:4]) == pairs
    assert markdown(made[1][4:]) == baselines


def test_a_metric_that_an_old_matrix_lacks_is_not_shown():
    numbers = {"accuracy": {"mean": 50.4}, "deo_a": {"mean": None}}
    cells = [matrix.Cell("dm", "cobra", numbers=numbers), matrix.Cell("whole", "", error="lost")]
    assert markdown(cells).splitlines() == [
        *("| accuracy / DEO_A | DM |", "|---|---|", "| cobra | 50 / - |", ""),
        *("| baseline | accuracy / DEO_A |", "|---|---|", "| whole | failed |"),
    ]


def test_cells_survive_json(made):
    text = json.dumps(matrix.as_json(made[1]), allow_nan=False)
    assert matrix.from_json(json.loads(text)) == made[1]


def test_baselines_are_evaluated_on_the_networks_of_the_methods(made):
    folder, _ = made
    configs = [
        FairnessReport.load(folder / f"digits-{name}-ipc1-smoke-1.x1.json").config
        for name in ("dm-vanilla", "random-balanced", "whole")
    ]
    assert {config["seed"] for config in configs} == {1}
    assert {config["protocol"] for config in configs} == {"dm"}
    alike = ("epochs", "max_steps")  # of which a large set has fewer
    rest = [{k: v for k, v in c["settings"].items() if k not in alike} for c in configs]
    assert rest[0] == rest[1] == rest[2]


def test_whole_has_the_same_set_for_every_seed(made):
    folder, _ = made
    first, second = (
        FairnessReport.load(folder / f"digits-whole-ipc1-smoke-{seed}.x1.json") for seed in (0, 1)
    )
    left_out = {"seed": None}
    assert first.config["data"] | left_out == second.config["data"] | left_out
    assert (first.counts != second.counts).any()  # the networks differ


def test_the_command_writes_the_cells(made, tmp_path, capsys):
    folder, _ = made
    path = tmp_path / "matrix.json"
    words = "matrix --methods dm,mtt --rules vanilla,fairdd --seeds 2 --repeats 1 --ipc 1"
    words += " --baselines random-balanced,whole"
    options = ["--preset", "smoke", "--folder", str(folder), "--json", str(path)]
    assert main([*words.split(), *options]) == 0
    assert "mtt has no fairdd: only the plain mean" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["cells"]) == 6


def test_mistakes_are_told_before_any_work(tmp_path):
    with pytest.raises(FddkitError, match="did you mean 'cobra'"):
        matrix.matrix(rules=["cobras"], folder=tmp_path)
    with pytest.raises(FddkitError, match="did you mean 'random'"):
        matrix.matrix(baselines=["randm"], folder=tmp_path)
    with pytest.raises(FddkitError, match="at least 1"):
        matrix.matrix(seeds=0)
    assert not list(tmp_path.iterdir())


# --- one bad file does not spoil the rest ------------------------------------------------------


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("computed")
    small = {"methods": ["dm"], "rules": ["vanilla", "cobra"], "seeds": 1, "repeats": 1, "ipc": 1}
    small |= {"preset": "smoke", "progress": False, "baselines": ()}
    return folder, small, matrix.matrix(folder=folder, **small)


def _numbers(cells):
    return [(c.method, c.rule, c.numbers, c.error) for c in cells]


@pytest.mark.parametrize("end", [".safetensors", ".x1.json", ".seconds"])
@pytest.mark.parametrize("spoil", ["cut", "changed", "nothing", "gone"])
def test_a_damaged_file_is_set_aside_and_made_anew(computed, tmp_path, end, spoil):
    made, small, cells = computed
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    path = folder / f"digits-dm-cobra-ipc1-smoke-0{end}"
    content = path.read_bytes()
    if spoil == "gone":
        path.unlink()
    else:
        changed = {"cut": content[:-3], "changed": content[:-3] + b"\1\2\3", "nothing": b""}
        path.write_bytes(changed[spoil])
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        again = matrix.matrix(folder=folder, **small)
    assert _numbers(again) == _numbers(cells)
    json.dumps(matrix.as_json(again), allow_nan=False)
    if end == ".seconds":
        assert again[1].seconds is None or spoil == "cut"
    else:
        assert path.read_bytes() == content
        kept = path.with_name(f"{path.name}.damaged")
        assert kept.exists() == bool(told) == (spoil != "gone")


def test_a_set_that_cannot_be_had_fails_alone(computed, tmp_path, capsys):
    made, small, cells = computed
    folder = Path(shutil.copytree(made, tmp_path / "copy"))
    foreign = folder / "digits-dm-cobra-ipc1-smoke-0.safetensors"
    foreign.write_bytes((folder / "digits-dm-vanilla-ipc1-smoke-0.safetensors").read_bytes())
    vanilla, cobra = matrix.matrix(folder=folder, **small)
    assert _numbers([vanilla]) == _numbers(cells[:1])
    assert cobra.numbers is None
    assert "belongs to another run (fairness: 'vanilla' there" in cobra.error
    assert "| cobra | failed |" in matrix.markdown([vanilla, cobra])
    command = ["matrix", "--methods", "dm", "--rules", "vanilla,cobra", "--seeds", "1"]
    command += ["--repeats", "1", "--ipc", "1", "--preset", "smoke", "--folder", str(folder)]
    command += ["--baselines", "none"]
    out = tmp_path / "m.json"
    assert main([*command, "--json", str(out)]) == 1
    assert "dm cobra failed: " in capsys.readouterr().err
    assert [cell["error"] is None for cell in read_json(out)["cells"]] == [True, False]


def test_numbers_of_another_command_are_not_replaced(tmp_path, capsys):
    out = tmp_path / "m.json"
    out.write_text('{"command": "fddkit cost"}')
    assert main(["matrix", "--json", str(out)]) == 2
    assert "m.json is of another command (fddkit cost)" in capsys.readouterr().err
    out.write_text("years of work")
    assert main(["matrix", "--json", str(out), "--overwrite"]) == 2
    assert out.read_text() == "years of work"


def test_controls_are_the_baselines_of_a_matrix(monkeypatch, tmp_path):
    tried = []

    def one_set(_, task):
        tried.append(task[1:4])
        return matrix_sets.Ended(error="not tried")

    monkeypatch.setattr(matrix, "one_set", one_set)
    cells = matrix.matrix(methods=["dm"], rules=["cobra"], seeds=2, folder=tmp_path, progress=False)
    names = ["random", "random-balanced", "whole", "whole-balanced"]
    assert [cell.title for cell in cells] == ["dm cobra", *names]
    assert tried[1:5] == [(name, "", 0) for name in names]
    assert {cell.error for cell in cells} == {"not tried"}
    assert "| whole-balanced | failed |" in markdown(cells)
