"""Two processes at once on one thing: right or refused, and nothing left behind."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
MANY = 20


def rounds(scenario, tmp_path, n):
    """Return how n rounds of a scenario ended."""
    command = [sys.executable, HERE / "together.py", scenario, str(n), tmp_path / "rounds"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=HERE.parent)
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(found) == n
    for one in found:
        assert not [said for kind, said in one["ended"] if kind in ("raised", "died")], one
    return found


def both_right(found):
    for one in found:
        (a, said), (b, other) = one["ended"]
        assert (a, b) == ("right", "right"), one
        assert said == other


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "n", [pytest.param(4), pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
)
class TestTwoAtOnce:
    def test_the_same_set(self, tmp_path, n):
        found = rounds("same_set", tmp_path, n)
        both_right(found)
        assert {tuple(one["left"]) for one in found} == {("s",)}
        assert len({one["ended"][0][1] for one in found}) == 1

    def test_two_seeds_to_one_file(self, tmp_path, n):
        for one in rounds("two_seeds", tmp_path, n):
            assert sorted(kind for kind, _ in one["ended"]) == ["refused", "right"], one
            right = next(said for kind, said in one["ended"] if kind == "right")
            assert re.fullmatch(r"seed (\d) of \1", right)
            (refused,) = (said for kind, said in one["ended"] if kind == "refused")
            assert "belongs to another run (seed:" in refused
            assert one["left"] == ["s"]

    def test_one_expert(self, tmp_path, n):
        found = rounds("one_expert", tmp_path, n)
        both_right(found)
        assert len({one["ended"][0][1] for one in found}) == 1
        assert {len(one["left"]) for one in found} == {1}

    def test_one_extractor(self, tmp_path, n):
        found = rounds("one_extractor", tmp_path, n)
        both_right(found)
        assert {len(one["left"]) for one in found} == {1}

    def test_reports_of_two_sets_to_one_file(self, tmp_path, n):
        for one in rounds("one_report", tmp_path, n):
            assert sorted(one["ended"]) == [["right", "0"], ["right", "2"]], one
            assert one["left"] == ["0", "1", "r.json"]

    def test_one_matrix(self, tmp_path, n):
        found = rounds("one_matrix", tmp_path, n)
        both_right(found)
        assert {len(one["left"]) for one in found} == {6}
        assert len({one["ended"][0][1] for one in found}) == 1

    def test_a_page_while_a_run_writes(self, tmp_path, n):
        for one in rounds("report_while_writing", tmp_path, n):
            assert one["ended"] == [["right", "written"], ["right", "built"]], one


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "n", [pytest.param(1), pytest.param(MANY, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_one_sweep_folder(tmp_path, n):
    for i, one in enumerate(rounds("one_sweep", tmp_path, n)):
        for kind, said in one["ended"]:
            assert kind == "right"
            for status in json.loads(said.replace("'", '"')):
                assert status == "finished" or "another process is executing" in status
        ran = (tmp_path / "rounds" / str(i) / "ran").read_text().split()
        assert sorted(ran) == ["1", "2"]  # nothing twice, nothing lost
