"""Locks: who waits, who is refused, and that nothing is left behind."""

import os
import subprocess
import sys
import warnings

import pytest

from fddkit.core import locks
from fddkit.core.errors import FddkitError
from fddkit.core.files import atomic
from fddkit.core.locks import is_held, is_locked, locked, tidy

HOLD = """
import sys
from fddkit.core.locks import locked
with locked(sys.argv[1]):
    print("held", flush=True)
    sys.stdin.readline()
"""


@pytest.fixture
def held(tmp_path):
    """Let another process hold ``tmp_path / "x"`` until a line is written to it."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "x")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_lock_leaves_nothing_behind(tmp_path):
    with locked(tmp_path / "new" / "x"):
        assert is_locked(tmp_path / "new" / "x")
        assert os.listdir(tmp_path / "new") == [".x.lock"]
    assert os.listdir(tmp_path / "new") == []
    assert not is_locked(tmp_path / "new" / "x")


def test_who_does_not_wait_is_refused(tmp_path, held):
    assert is_locked(tmp_path / "x")
    with (
        pytest.raises(FddkitError, match=r"another process is working on .*x; wait for it"),
        locked(tmp_path / "x", wait=False),
    ):
        pass
    with locked(tmp_path / "y", wait=False):
        pass


def test_who_waits_is_told_and_comes_next(tmp_path, held, monkeypatch):
    monkeypatch.setattr(locks, "_QUIET", 0.1)

    def told(message, *_, **__):
        assert "another process is working on" in str(message)
        held.stdin.write(b"\n")
        held.stdin.flush()

    monkeypatch.setattr(warnings, "warn", told)
    with locked(tmp_path / "x"):
        held.wait(60)
        assert is_locked(tmp_path / "x")
    assert os.listdir(tmp_path) == []


def test_the_system_frees_what_a_killed_process_held(tmp_path, held):
    held.kill()
    held.wait(60)
    assert os.listdir(tmp_path) == [".x.lock"]
    assert not is_locked(tmp_path / "x")
    with locked(tmp_path / "x", wait=False):
        pass
    assert os.listdir(tmp_path) == []


def test_only_stale_temporary_files_of_the_path_are_removed(tmp_path):
    stale, other = tmp_path / ".x.abcdefgh.tmp", tmp_path / ".y.abcdefgh.tmp"
    for path in (stale, other, tmp_path / "x.tmp", tmp_path / ".x.mine.tmp"):
        path.write_text("")
    with atomic(tmp_path / "x") as temporary:
        assert is_held(temporary)
        assert not stale.exists()
        assert tidy(tmp_path / "x") == []  # the one that is being written stays
        assert temporary.exists()
    assert sorted(os.listdir(tmp_path)) == [".x.mine.tmp", ".y.abcdefgh.tmp", "x", "x.tmp"]


def test_a_name_with_wildcards_is_taken_as_it_is(tmp_path):
    (tmp_path / ".ab.abcdefgh.tmp").write_text("")
    with atomic(tmp_path / "[a]*?"):
        pass
    assert sorted(os.listdir(tmp_path)) == [".ab.abcdefgh.tmp", "[a]*?"]


def test_a_temporary_file_that_was_tidied_away_before_it_was_held_is_made_again(
    tmp_path, monkeypatch
):
    from fddkit.core import files

    original, made = files.hold, []

    def late(handle):
        made.append(1)
        if len(made) == 1:
            (path,) = tmp_path.glob(".x.*.tmp")
            path.unlink()
        return original(handle)

    monkeypatch.setattr(files, "hold", late)
    with atomic(tmp_path / "x") as temporary:
        temporary.write_text("whole")
    assert (tmp_path / "x").read_text() == "whole"
    assert len(made) == 2


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_takes_no_files_is_one_sentence(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(FddkitError, match="cannot write"), locked(tmp_path / "x"):
        pass


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FddkitError, match="cannot write"), locked(tmp_path / "file" / "x"):
        pass
