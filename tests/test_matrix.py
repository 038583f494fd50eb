import json

import pytest

from fddkit import cli, matrix
from fddkit.errors import FddkitError
from fddkit.matrix import markdown


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
    assert lacking.accuracy is None
    assert "take cobra" in lacking.lacks
    for cell in there:
        assert (cell.seeds, cell.networks) == (2, 1)
        assert 0 <= cell.accuracy["mean"] <= 100
        assert cell.accuracy["ci95"][0] <= cell.accuracy["mean"]
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
    assert cli.main([*words.split(), *options]) == 0
    assert "mtt has no fairdd: a student ends at one point" in capsys.readouterr().out
    assert len(json.loads(path.read_text())["cells"]) == 4


def test_mistakes_are_told_before_any_work(tmp_path):
    with pytest.raises(FddkitError, match="did you mean 'cobra'"):
        matrix.matrix(rules=["cobras"], folder=tmp_path)
    with pytest.raises(FddkitError, match="at least 1"):
        matrix.matrix(seeds=0)
    assert not list(tmp_path.iterdir())
