"""Importing torchvision, whatever torch it was compiled for."""

import subprocess
import sys
from types import ModuleType

import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.data import torchvision_import


def test_torchvision_can_be_imported_in_a_fresh_process():
    module = "fddkit.data.torchvision_import"
    code = f"from {module} import torchvision; print(torchvision().datasets.MNIST.__name__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "MNIST\n", done.stderr


def test_a_torchvision_that_fits_is_left_alone(monkeypatch):
    module = ModuleType("torchvision")
    monkeypatch.setattr(torchvision_import, "import_module", lambda name: module)
    monkeypatch.setattr(torch.library, "define", None)  # not to be called
    assert torchvision_import.torchvision() is module


def test_missing_operators_are_declared_and_the_import_tried_again(monkeypatch):
    module, calls = ModuleType("torchvision"), []

    def broken_once(name):
        calls.append(name)
        if len(calls) == 1:
            sys.modules["torchvision.half_imported"] = ModuleType("half_imported")
            raise RuntimeError("operator torchvision::nms does not exist")
        return module

    before = {n: m for n, m in sys.modules.items() if n.partition(".")[0] == "torchvision"}
    monkeypatch.setattr(torchvision_import, "import_module", broken_once)
    monkeypatch.setattr(
        torchvision_import, "_OPERATORS", {"fddkit_test::nms": "(Tensor x) -> Tensor"}
    )
    try:
        assert not hasattr(torch.ops.fddkit_test, "nms")
        assert torchvision_import.torchvision() is module
        assert "torchvision.half_imported" not in sys.modules
    finally:
        sys.modules.update(before)
    assert hasattr(torch.ops.fddkit_test, "nms")
    calls.clear()
    torchvision_import.torchvision()  # what exists is not declared again: torch would refuse
    sys.modules.update(before)


def test_another_failure_is_not_hidden(monkeypatch):
    def fail(name):
        raise RuntimeError("something else")

    monkeypatch.setattr(torchvision_import, "import_module", fail)
    with pytest.raises(RuntimeError, match="something else"):
        torchvision_import.torchvision()


def test_a_missing_torchvision_is_told(monkeypatch):
    def fail(name):
        raise ModuleNotFoundError("no", name="torchvision")

    monkeypatch.setattr(torchvision_import, "import_module", fail)
    with pytest.raises(FddkitError, match="needs torchvision, which is not installed; run `pip"):
        torchvision_import.torchvision()
