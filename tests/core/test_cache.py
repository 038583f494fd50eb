import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from fddkit.core.cache import artifact


def test_equal_identities_share_a_path_whatever_their_order():
    a = artifact("f", "expert", {"seed": 1, "settings": {"lr": 0.1, "width": 2}})
    b = artifact("f", "expert", {"settings": {"width": 2, "lr": 0.1}, "seed": 1})
    assert a == b
    assert a.parent == Path("f")
    assert re.fullmatch(r"expert-[0-9a-f]{16}\.safetensors", a.name)


def test_another_identity_or_kind_has_another_path():
    identities = [{"seed": 1}, {"seed": 2}, {"seed": "1"}, {"seed": 1.5}, {"seed": None}, {}]
    paths = {artifact("f", "expert", each) for each in identities}
    assert len(paths) == len(identities)
    assert artifact("f", "encoder", {"seed": 1}) not in paths


def test_the_folder_is_named_or_found_in_the_environment(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("FDDKIT_CACHE", raising=False)
    assert artifact(None, "x", {}).parent == Path("/home/somebody/.cache/fddkit")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert artifact(None, "x", {}).parent == Path("/xdg/fddkit")
    monkeypatch.setenv("FDDKIT_CACHE", "/mine")
    assert artifact(None, "x", {}).parent == Path("/mine")
    assert artifact("/named", "x", {}).parent == Path("/named")


def test_the_name_is_the_same_in_every_process():
    code = (
        "from fddkit.core.cache import artifact as a; print(a('f', 'x', {'a': [1, 'b'], 'c': {}}))"
    )
    root = Path(__file__).resolve().parents[2]
    environment = {**os.environ, "PYTHONHASHSEED": "7"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=root, env=environment
    )
    assert found.stdout.strip() == str(artifact("f", "x", {"a": [1, "b"], "c": {}}))


def test_nothing_is_made(tmp_path):
    assert not artifact(tmp_path / "new", "x", {}).exists()
    assert not (tmp_path / "new").exists()


def test_what_is_no_number_is_refused():
    with pytest.raises(ValueError, match="JSON compliant"):
        artifact("f", "x", {"lr": float("nan")})
