"""The plan of the house: which room may import which, and what a room shows to the others."""

import ast
import importlib
import pkgutil
from functools import cache
from pathlib import Path

import pytest

import fddkit

PACKAGE = Path(fddkit.__file__).parent

#: Room -> the rooms that it imports, along the way of the data: each is named before.
PLAN = {
    "core": "",
    "reading": "core",
    "painting": "core reading",
    "data": "core reading painting",
    "training": "core",
    "rules": "core data training",
    "distillers": "core data training rules",
    "evaluation": "core data training rules distillers",
    "analysis": "core painting data training rules distillers",
    "theory": "core data training rules distillers evaluation",
    "experiments": "core reading data rules distillers evaluation analysis",
    "plots": "core data rules distillers evaluation analysis theory",
    "workbench": "core data rules distillers evaluation theory experiments",
    "widgets": "core data rules distillers evaluation analysis theory plots workbench",
    "cli": "core data training rules distillers evaluation analysis experiments plots",
}
MOST_LINES, MOST_OF_A_FUNCTION = 300, 60  # docstrings of functions apart
#: What is longer, and why.
LONGER: dict[str, str] = {
    "data.official_reader": "a child process runs it as one file, with the standard library alone",
}


@cache
def modules():
    """Return module -> (its tree, what it imports of the package)."""
    found = {}
    for path in PACKAGE.rglob("*.py"):
        name = ".".join(path.relative_to(PACKAGE).with_suffix("").parts)
        tree = ast.parse(path.read_text())
        found[name.removesuffix(".__init__")] = tree, imported(path, tree)
    return found


def imported(path, tree):
    """Return the modules of the package that a module names in its imports."""
    here = ["fddkit", *path.relative_to(PACKAGE).parts[:-1]]
    wanted, only_types = set(), set()
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            only_types |= set(ast.walk(node))
    for node in set(ast.walk(tree)) - only_types:
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = [*here[: len(here) - node.level + 1], *(node.module or "").split(".")]
        base = ".".join(part for part in base[1:] if part)
        for alias in node.names:
            inner = f"{base}.{alias.name}".strip(".")
            file = PACKAGE / f"{inner.replace('.', '/')}.py"
            wanted.add(inner if file.is_file() or file.with_suffix("").is_dir() else base)
    return wanted


def arrows():
    """Return each import of one room by another, or by the package's own face: who, what."""
    for name, (_, wanted) in modules().items():
        room = name.split(".")[0]
        yield from ((name, other) for other in wanted if other.split(".")[0] != room)
    yield from (("__init__", other) for other in fddkit._LAZY.values())


def test_every_module_has_a_room():
    assert {name.split(".")[0] for name in modules()} == {*PLAN, "__init__", "__main__"}


@pytest.mark.parametrize("room", PLAN)
def test_a_room_imports_what_the_plan_says_and_no_arrow_runs_back_up(room):
    found = {other.split(".")[0] for name, other in arrows() if name.split(".")[0] == room}
    assert found == set(PLAN[room].split())
    assert found <= set(list(PLAN)[: list(PLAN).index(room)])


def test_no_modules_import_each_other():
    waiting = {name: wanted & modules().keys() for name, (_, wanted) in modules().items()}
    for room in PLAN:  # that a room's face names its modules is no dependence of theirs
        for name in waiting:
            if name.startswith(f"{room}."):
                waiting[name] = waiting[name] - {room}
    while waiting:
        free = {name for name, wanted in waiting.items() if not wanted & waiting.keys()}
        assert free, waiting
        waiting = {name: wanted for name, wanted in waiting.items() if name not in free}


@pytest.mark.parametrize("room", PLAN)
def test_a_room_says_what_it_is_for_and_shows_what_others_use(room):
    module = importlib.import_module(f"fddkit.{room}")
    first, blank, *rest = module.__doc__.strip().splitlines()
    assert first.endswith(".")
    assert not blank
    assert rest
    used = {other for _, other in arrows() if other.startswith(f"{room}.")}
    shown = {f"{room}.{name}" for name in module.__all__} & modules().keys()
    assert shown == used  # whatever else there is, is the room's own


@pytest.mark.parametrize("name", ["", *PLAN])
def test_no_module_is_hidden_by_a_function_of_its_name(name):
    package = importlib.import_module(f"fddkit.{name}".strip("."))
    for one in pkgutil.iter_modules(package.__path__):
        if one.name != "__main__":
            module = importlib.import_module(f"{package.__name__}.{one.name}")
            assert getattr(package, one.name) is module


def test_modules_and_functions_are_short_or_say_why_not():
    longer = set()
    for name, (tree, _) in modules().items():
        path = PACKAGE / f"{name.replace('.', '/')}.py"
        path = path if path.is_file() else path.with_suffix("") / "__init__.py"
        if len(path.read_text().splitlines()) > MOST_LINES:
            longer.add(name)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = node.end_lineno - node.lineno + 1
                if ast.get_docstring(node):
                    lines -= node.body[0].end_lineno - node.body[0].lineno + 1
                if lines > MOST_OF_A_FUNCTION:
                    longer.add(f"{name}.{node.name}")
    assert longer == LONGER.keys()


#: Module -> the entries' names that it compares something with, and why that is no question of
#: what the entry is.
COMPARED = {
    "data.official_process": {"dc", "idc", "mtt"},  # formats of official files
    "data.official_sets": {"idc", "mtt"},
    "distillers.mtt": {"random"},  # a value of extractor
    "distillers.cafe": {"convnet"},  # whose layers it reads: it has no other
    "evaluation.conclusions": {"random", "whole"},  # what its sentences are about
    "experiments.papers": {"vanilla"},  # of printed times, to which the others are ratios
    "experiments.published_tables": {"deo_m"},  # whose granularity is tested
    "plots.costs": {"vanilla"},  # likewise
    "theory.geometry": {"minimax"},  # what the theorem is about
}


def names():
    from fddkit.data.catalogue import CATALOGUE
    from fddkit.distillers.baselines import BASELINES
    from fddkit.distillers.registry import METHODS
    from fddkit.evaluation.measures import METRICS
    from fddkit.rules.rules import RULES
    from fddkit.training.architectures import NETWORKS

    return {*CATALOGUE, *METHODS, *BASELINES, *METRICS, *RULES, *NETWORKS}


def asked(tree):
    """Return the strings that something is compared with, or is asked to begin or end with."""
    for node in ast.walk(tree):
        parts = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        if isinstance(node, ast.Match):
            parts = [case.pattern for case in node.cases]
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            parts = node.args[:1] if node.func.attr in ("startswith", "endswith", "get") else []
        for part in parts:
            if isinstance(part, ast.Constant | ast.Tuple | ast.List | ast.Set | ast.pattern):
                yield from (c.value for c in ast.walk(part) if isinstance(c, ast.Constant))


def test_nobody_asks_for_an_entry_by_name():
    found = {name: set(asked(tree)) & names() for name, (tree, _) in modules().items()}
    assert {name: some for name, some in found.items() if some} == COMPARED


def test_a_question_by_name_would_be_found():
    code = """
if method == "mtt" or rule in ("kde", "df") or name.startswith(("digits", "cmnist")):
    pass
"""
    assert set(asked(ast.parse(code))) == {"mtt", "kde", "df", "digits", "cmnist"}
