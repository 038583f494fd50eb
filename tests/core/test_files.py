import contextlib
import errno
import os

import pytest

from fddkit.core import files
from fddkit.core.errors import FddkitError
from fddkit.core.reading import read_json


def test_atomic_leaves_the_old_file_and_no_litter_on_failure(tmp_path):
    path = tmp_path / "a" / "x.txt"
    with files.atomic(path) as temporary:
        temporary.write_text("old")
    with contextlib.suppress(RuntimeError), files.atomic(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert os.listdir(path.parent) == ["x.txt"]


def test_atomic_gives_the_usual_permissions(tmp_path):
    with files.atomic(tmp_path / "x"):
        pass
    (tmp_path / "y").write_text("")
    assert (tmp_path / "x").stat().st_mode == (tmp_path / "y").stat().st_mode


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(FddkitError, match=r"cannot write .*No space left.*free some space"):
        files.write_json(tmp_path / "x.json", {})
    assert os.listdir(tmp_path) == []


def test_a_folder_that_is_a_file_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FddkitError, match="cannot write"):
        files.write_json(tmp_path / "file" / "x.json", {})


def test_json_round_trip_and_its_errors(tmp_path):
    path = tmp_path / "x.json"
    files.write_json(path, {"ä": [1, None]})
    assert read_json(path) == {"ä": [1, None]}
    with pytest.raises(ValueError, match="JSON"):
        files.write_json(path, float("nan"))
    path.write_text("{")
    with pytest.raises(FddkitError, match="not valid JSON"):
        read_json(path)
    with pytest.raises(FddkitError, match="cannot read"):
        read_json(tmp_path / "none.json")


def test_digest_frames_its_parts():
    assert files.digest("ab", "c") != files.digest("a", "bc")
    assert files.digest("ab") == files.digest(b"ab")
