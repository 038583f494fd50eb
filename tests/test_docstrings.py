"""The docstrings of the package: their examples are true, and what a user calls is described."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest
import torch

import fddkit
from fddkit.core import entries

PACKAGE = Path(fddkit.__file__).parent
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

#: Module, or room -> packages beyond the core dependencies that its examples need.
NEEDS = {
    "analysis.probes": ("sklearn",),
    "analysis.projections": ("sklearn",),
    "experiments": ("pandas", "papermill", "nbformat"),
    "plots": ("matplotlib", "pandas"),
    "widgets": ("ipywidgets", "anywidget"),
}
#: Module -> why its examples are for reading only; single ones are marked with doctest: +SKIP.
NOT_RUN = {"": "the first page at its real size: it takes minutes and shows no output"}
#: Public functions and classes that must have an example.
MAIN = {
    *("distill", "evaluate", "load", "register", "aim_at"),
    *("verdict", "against", "ranking", "from_zero"),
    *("GroupedDataset", "DistilledSet", "FairnessReport"),
    *("Rule", "Matching", "Metric", "Architecture", "Traits"),
}
PUBLIC = [
    name
    for name in fddkit.__all__
    if inspect.isfunction(getattr(fddkit, name)) or inspect.isclass(getattr(fddkit, name))
]


def with_examples():
    """Return module -> packages that its examples need; nothing is imported for that."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        text = path.read_text()
        if ">>> " in text:
            name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
            name = "" if name == "__init__" else name.removesuffix(".__init__")
            # the digits come with scikit-learn
            needs = NEEDS.get(name, NEEDS.get(name.split(".")[0], ()))
            found[name] = (*needs, *(["sklearn"] if 'load("digits"' in text else []))
    return found


MODULES = with_examples()


@pytest.fixture
def undisturbed(tmp_path, monkeypatch):
    """Run in an empty folder, with one torch thread, and forget what is registered meanwhile."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FDDKIT_CACHE", str(tmp_path / "cache"))
    before = [(table, dict(table), dict(table.own)) for table in entries._TABLES]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
    for table, known, own in before:
        for name in [name for name in table if name not in known]:
            del table[name]
        table.own.clear()
        table.own.update(own)


@pytest.mark.parametrize("name", [name for name in MODULES if name not in NOT_RUN])
def test_the_examples_of_a_module_are_true(name, undisturbed):
    for package in MODULES[name]:
        pytest.importorskip(package)
    module = importlib.import_module(f"fddkit.{name}")
    result = doctest.testmod(module, optionflags=OPTIONS)
    assert result.attempted
    assert not result.failed, "see what doctest has printed"
    left = [path.name for path in Path().iterdir() if path.name != "cache"]
    assert not left, "an example leaves files behind"


def test_what_is_not_run_has_examples():
    assert NOT_RUN.keys() <= MODULES.keys()


def sections(entry):
    """Return section -> text of a numpy docstring."""
    found, name = {"": []}, ""
    lines = inspect.getdoc(entry).splitlines()
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if line and following == "-" * len(line):
            name = line
            found[name] = []
        else:
            found[name].append(line)
    return {name: "\n".join(text) for name, text in found.items()}


@pytest.mark.parametrize("name", PUBLIC)
def test_what_a_user_calls_is_described(name):
    entry = getattr(fddkit, name)
    assert inspect.getdoc(entry), f"{name} has no docstring"
    if inspect.isclass(entry) and issubclass(entry, Exception):
        return
    found = sections(entry)
    described = found.get("Parameters", "")
    if inspect.isclass(entry):  # a dataclass or named tuple describes its fields
        described += found.get("Attributes", "")
    for parameter in inspect.signature(entry).parameters.values():
        assert parameter.name in described, f"{name} does not describe {parameter.name}"
    if inspect.isfunction(entry):
        assert "Returns" in found
    if name in MAIN:
        assert ">>> " in found.get("Examples", ""), f"{name} has no example"
