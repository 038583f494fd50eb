import json
import shutil
import warnings
from pathlib import Path

import pytest

from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json
from fddkit.experiments import matrix
from fddkit.experiments.matrix import markdown


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("matrix")
    cells = matrix.matrix(
        methods=["dm", "mtt"], rules=["vanilla", "fairdd"], seeds=2, repeats=1, ipc=1,
        preset="smoke", folder=folder, progress=False,
    )  # fmt: skip
    return folder, cells


def test_cells_hold_numbers_or_a_reason(made):
    _, cells = made
    assert [(c.method, c.rule) for c in cells] == [
        (m, r) for m in ("dm", "mtt") for r in ("vanilla", "fairdd")
    ]
    *there, lacking = cells
    assert lacking.numbers is None
    assert "cobra" in lacking.lacks
    for cell in there:
        assert (cell.seeds, cell.networks) == (2, 1)
        assert 0 <= cell.numbers["accuracy"]["mean"] <= 100
        assert cell.numbers["accuracy"]["ci95"][0] <= cell.numbers["accuracy"]["mean"]
        assert cell.seconds > 0


def test_finished_cells_are_found_again(made, monkeypatch):
    folder, cells = made
    monkeypatch.setattr(matrix, "evaluate", lambda *_, **__: pytest.fail("evaluated again"))
    again = matrix.matrix(
        methods=["dm", "mtt"], rules=["vanilla", "fairdd"], seeds=2, repeats=1, ipc=1,
        preset="smoke", folder=folder, progress=False,
    )  # fmt: skip
    assert again == cells


def test_the_table_is_markdown(made):
    lines = markdown(made[1]).splitlines()
    assert lines[0] == "| accuracy / DEO_M / DEO_A | DM | MTT |"
    assert lines[1] == "|---|---|---|"
    assert lines[3].startswith("| fairdd | ")
    assert lines[3].endswith("| - |")
    assert lines[2].count(" / ") == 4


def test_the_command_writes_the_cells(made, tmp_path, capsys):
    folder, _ = made
    path = tmp_path / "matrix.json"
    words = "matrix --methods dm,mtt --rules vanilla,fairdd --seeds 2 --repeats 1 --ipc 1"
    options = ["--preset", "smoke", "--folder", str(folder), "--json", str(path)]
    assert main([*words.split(), *options]) == 0
    assert "mtt has no fairdd: only the plain mean" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["cells"]) == 4


def test_mistakes_are_told_before_any_work(tmp_path):
    with pytest.raises(FddkitError, match="did you mean 'cobra'"):
        matrix.matrix(rules=["cobras"], folder=tmp_path)
    with pytest.raises(FddkitError, match="at least 1"):
        matrix.matrix(seeds=0)
    assert not list(tmp_path.iterdir())


# --- one bad file does not spoil the rest ------------------------------------------------------


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("computed")
    small = {"methods": ["dm"], "rules": ["vanilla", "cobra"], "seeds": 1, "repeats": 1, "ipc": 1}
    small |= {"preset": "smoke", "progress": False}
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
