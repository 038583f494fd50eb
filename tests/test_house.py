"""The set-up, the pins, the packaging, what a committed notebook looks like, and the pages."""

import ast
import pkgutil
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
WANTED = [*PROJECT["dependencies"], *(name for extra in EXTRAS.values() for name in extra)]
LOCK = [
    line
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if not line.startswith("#")
]
PINS = {canonicalize_name(pin.split("==")[0]): pin.split("==")[-1] for pin in LOCK}


# --- the pins -------------------------------------------------------------------------------


def test_lock_is_sorted_exact_pins_one_a_line():
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][A-Za-z0-9.]*", pin) for pin in LOCK)
    assert sorted(LOCK, key=str.lower) == LOCK
    assert len(PINS) == len(LOCK)


def test_lock_holds_the_torch_of_the_project_and_leaves_its_build_open():
    assert PINS["torch"] == "2.13.0"
    assert PINS["torchvision"] == "0.28.0"
    assert not [name for name in PINS if re.match("nvidia|triton|cuda", name)]


def test_environment_yml_holds_the_pins_of_the_lock():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert environment["name"] == "fddkit"
    assert [re.split("[<>=]", entry)[0] for entry in conda] == ["python", "pip"]
    assert pip["pip"] == ["-e .", *LOCK]


def test_dependencies_of_the_project_are_satisfied_by_the_lock():
    for requirement in map(Requirement, WANTED):
        pinned = PINS[canonicalize_name(requirement.name)]
        assert requirement.specifier.contains(pinned), f"{requirement} but {pinned} is pinned"


@pytest.mark.parametrize("platform", ["linux", "darwin"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_nothing_is_left_unpinned_on_a_supported_machine(python, platform):
    """Follow every requirement of every pinned package, as pip would on that machine."""
    installed = {canonicalize_name(each.name) for each in metadata.distributions()}
    machine = {
        **default_environment(),
        "python_version": python,
        "python_full_version": f"{python}.0",
        "sys_platform": platform,
        "platform_system": platform.title(),
    }
    seen = set()

    def follow(line: str, asked_by_extra: str) -> None:
        wanted = Requirement(line)
        name = canonicalize_name(wanted.name)
        if wanted.marker and not wanted.marker.evaluate({**machine, "extra": asked_by_extra}):
            return
        if re.match("nvidia|triton|cuda", name):  # torch's own metadata pins those
            return
        assert name in PINS, line
        assert wanted.specifier.contains(PINS[name]), f"{line} but {PINS[name]} is pinned"
        for extra in {"", *wanted.extras}:
            if (name, extra) not in seen and name in installed:
                seen.add((name, extra))
                for needed in metadata.requires(name) or []:
                    follow(needed, extra)

    for line in WANTED:
        follow(line, "")


# --- the package ----------------------------------------------------------------------------


def test_version_is_that_of_pyproject():
    import fddkit

    assert fddkit.__version__ == PROJECT["version"]


def test_importing_fddkit_brings_in_only_the_core():
    command = [sys.executable, "-X", "importtime", "-c", "import fddkit"]
    result = subprocess.run(command, check=True, capture_output=True, text=True, cwd=ROOT)
    imported = {
        line.rpartition("|")[2].strip().partition(".")[0] for line in result.stderr.splitlines()
    }
    assert {"fddkit", "torch"} <= imported
    heavy = {"torchvision", "sklearn", "scipy", "pandas", "PIL", "matplotlib", "seaborn", "umap"}
    heavy |= {"jupyterlab", "jupyter_client", "jupyter_core", "IPython", "ipywidgets", "papermill"}
    heavy |= {"nbconvert", "nbformat", "jinja2", "joblib", "dask", "distributed"}
    assert not imported & heavy


# --- set-up ---------------------------------------------------------------------------------

TOOLS = ["awk", "cat", "cksum", "df", "dirname", "grep", "mkdir", "rm", "sed", "sh", "tail"]

# Stands in for python3, and for the .venv/bin/python that it makes. What it is asked goes to a
# file beside it; the variables FAKE_* make it answer as a broken machine does.
FAKE_PYTHON = r"""#!/bin/sh
echo "$*" >>"$FAKE_CALLS"
case "$*" in
*version_info*) echo "${FAKE_VERSION:-3.11.7}" ;;
*ensurepip*) [ -z "${FAKE_NO_VENV:-}" ] ;;
"-m venv"*)
    mkdir -p .venv/bin
    cat "$0" >.venv/bin/python
    chmod +x .venv/bin/python
    echo "${FAKE_VENV_SAYS:-}"
    [ -z "${FAKE_VENV_SAYS:-}" ]
    ;;
*"pip "*)
    echo "${FAKE_PIP_SAYS:-Successfully installed}"
    [ -z "${FAKE_PIP_SAYS:-}" ]
    ;;
esac
"""


class House:
    """A copy of what the set-up needs, on a machine where only a fake Python is installed."""

    def __init__(self, folder: Path):
        self.project = folder / "a project"
        self.bin = folder / "bin"
        self.calls = folder / "calls"
        (self.project / "tools").mkdir(parents=True)
        shutil.copy(ROOT / "tools/setup.sh", self.project / "tools")
        for name in ("requirements.lock", "pyproject.toml"):
            shutil.copy(ROOT / name, self.project)
        self.bin.mkdir()
        for tool in [*TOOLS, "chmod"]:
            (self.bin / tool).symlink_to(shutil.which(tool))
        self.command("python3", FAKE_PYTHON)

    def command(self, name: str, script: str) -> None:
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(script)
        (self.bin / name).chmod(0o755)

    def setup(self, **environment: str) -> subprocess.CompletedProcess:
        self.calls.write_text("")
        return subprocess.run(
            [self.bin / "sh", self.project / "tools/setup.sh"],
            env={"PATH": str(self.bin), "FAKE_CALLS": str(self.calls), **environment},
            cwd=self.project.parent,
            capture_output=True,
            text=True,
            timeout=60,
        )

    def done(self) -> str:
        """Return what the last set-up did, beside asking for versions."""
        calls = self.calls.read_text()
        words = {"venv": "-m venv", "packages": "requirements.lock", "project": "--editable"}
        return " ".join(word for word, sign in words.items() if sign in calls)


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def test_setup_happens_once_and_then_nothing(house):
    first = house.setup()
    assert (first.returncode, first.stderr) == (0, "")
    assert "Setting up .venv with Python 3.11.7" in first.stdout
    assert house.done() == "venv packages project"
    second = house.setup()
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert house.done() == ""


def test_setup_follows_the_lock_the_project_the_folder_and_the_named_python(house):
    house.setup()
    with open(house.project / "pyproject.toml", "a") as file:
        file.write("# changed\n")
    house.setup()
    assert house.done() == "project"

    with open(house.project / "requirements.lock", "a") as file:
        file.write("# changed\n")
    house.setup()
    assert house.done() == "venv packages project"

    house.project = house.project.rename(house.project.with_name("moved"))
    house.setup()
    assert house.done() == "venv packages project"

    house.command("python3.11", FAKE_PYTHON)
    house.setup(PYTHON="python3.11")
    assert house.done() == ""
    house.command("python3.12", FAKE_PYTHON.replace(":-3.11.7", ":-3.12.1"))
    house.setup(PYTHON="python3.12")
    assert house.done() == "venv packages project"
    house.setup()
    assert house.done() == ""  # an unnamed Python is the one that .venv was made with


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PYTHON": "python3.99"}, ["no working python3.99", "install Python 3.11 or newer"]),
        ({"FAKE_VERSION": "3.10.13"}, ["python3 is Python 3.10.13", "PYTHON=python3.12"]),
        ({"FAKE_VERSION": "3.6.15"}, ["python3 is Python 3.6.15", "3.11 or newer"]),
        ({"FAKE_VERSION": "2.7.18"}, ["python3 is Python 2.7.18", "3.11 or newer"]),
        ({"FAKE_NO_VENV": "1"}, ["no venv module", "apt install python3-venv"]),
        (
            {"FAKE_PIP_SAYS": "ERROR: [Errno 28] No space left on device"},
            ["the disk is full", "free 3 GB"],
        ),
        (
            {
                "FAKE_PIP_SAYS": "WARNING: Retrying after connection broken by "
                "'NewConnectionError(...)'\nERROR: No matching distribution found for anyio==4"
            },
            ["cannot be reached", "check the network"],
        ),
        (
            {"FAKE_PIP_SAYS": "ERROR: No matching distribution found for torch==2.13.0"},
            ["torch==2.13.0 is not offered for Python 3.11.7", "use another Python"],
        ),
    ],
)
def test_setup_says_in_one_sentence_what_to_do(house, environment, words):
    result = house.setup(**environment)
    assert result.returncode == 1
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("set-up stopped: ")
    assert all(word in result.stderr for word in words), result.stderr
    again = house.setup()  # nothing half done is taken for finished
    assert (again.returncode, house.done()) == (0, "venv packages project")


def test_setup_without_any_python(house):
    (house.bin / "python3").unlink()
    result = house.setup()
    assert result.returncode == 1
    assert "there is no working python3" in result.stderr


def test_setup_shows_the_log_of_an_unknown_failure(house):
    result = house.setup(FAKE_PIP_SAYS="ERROR: the moon is full")
    assert result.returncode == 1
    assert "ERROR: the moon is full" in result.stderr
    result = house.setup(FAKE_VENV_SAYS="Error: the sun is down")
    assert result.returncode == 1
    assert "Error: the sun is down" in result.stderr


def test_setup_looks_at_the_free_space_before_it_starts(house):
    house.command("df", "#!/bin/sh\necho Filesystem\necho /dev/a b 9000000 8 102400 99% /a b\n")
    result = house.setup()
    assert result.returncode == 1
    assert "only 100 MB are free" in result.stderr
    assert house.done() == ""


@pytest.mark.parametrize("in_the_way", [".venv/setup.log/", ".venv"])
def test_setup_in_a_folder_that_cannot_be_written(house, in_the_way):
    path = house.project / in_the_way  # root may write wherever nothing is in the way
    if in_the_way.endswith("/"):
        path.mkdir(parents=True)
    else:
        path.touch()
    result = house.setup()
    assert result.returncode == 1
    assert "cannot write to" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_make_reproduce_runs_every_notebook_and_reports_though_one_fails(house):
    shutil.copy(ROOT / "Makefile", house.project)
    (house.project / "notebooks").mkdir()
    for name in ("01_b.ipynb", "00_a.ipynb", "draft.ipynb"):
        (house.project / "notebooks" / name).touch()
    house.setup()
    house.command("fddkit", '#!/bin/sh\necho "did $*"\ncase "$*" in *00_a*) exit 1 ;; esac\n')
    (house.project / ".venv/bin/fddkit").symlink_to(house.bin / "fddkit")
    result = subprocess.run(
        [shutil.which("make"), "reproduce"],
        env={"PATH": str(house.bin), "FAKE_CALLS": str(house.calls)},
        cwd=house.project,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode != 0
    assert re.findall("did (.*)", result.stdout) == [
        "run notebooks/00_a.ipynb",
        "run notebooks/01_b.ipynb",
        "report",
    ]
    assert f"The report: {house.project}/reports/index.html" in result.stdout


# --- the notebooks --------------------------------------------------------------------------

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_committed_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert not [cell for cell in code if cell.outputs or cell.execution_count is not None]
    assert sum("parameters" in cell.metadata.get("tags", []) for cell in code) == 1
    assert notebook.metadata.kernelspec.name == "python3"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_leave_the_computing_to_the_package(path):
    definitions = [
        node
        for cell in nbformat.read(path, as_version=4).cells
        if cell.cell_type == "code"
        for node in ast.walk(ast.parse(re.sub(r"^\s*[%!].*$", "", cell.source, flags=re.MULTILINE)))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    ]
    assert len(definitions) <= 1


# --- the pages ------------------------------------------------------------------------------

README = ROOT / "README.md"
PAGES = [README, *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = [ROOT / name / "README.md" for name in ("data", "examples", "notebooks", "reports")]
OWN = r"`((?:fddkit|tests|tools|docs|notebooks|examples|reports/measured)/[\w./*-]*)`"


def name(path):
    return str(path.relative_to(ROOT))


def prose(path):
    """Return a page without its code in blocks."""
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return re.sub(r"^    .*", "", text, flags=re.M)


def headings(path):
    return re.findall(r"^#+ (.+)", prose(path), flags=re.M)


def anchor(heading):
    """Return what a link to a heading ends in, as GitHub makes it."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize("path", [*PAGES, *FOLDERS], ids=name)
def test_every_link_and_picture_of_a_page_is_there(path):
    links = re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]*`", "", prose(path)))
    for link in links:
        if re.match(r"https?:", link):
            continue
        file, _, place = link.partition("#")
        target = path.parent / file if file else path
        assert target.exists(), link
        if place:
            assert place in map(anchor, headings(target)), link


@pytest.mark.parametrize("path", [*PAGES, *FOLDERS], ids=name)
def test_what_a_page_names_is_there(path):
    text = path.read_text(encoding="utf-8")
    for found in re.findall(r"`(?:fddkit|fdd)((?:\.\w+)+)(?:\([^`]*\))?`", text):
        pkgutil.resolve_name(f"fddkit{found}")
    for found in re.findall(OWN, text):
        assert list(ROOT.glob(found.rstrip("/"))), found


def test_every_heading_that_the_code_cites_is_in_the_methods():
    known = headings(ROOT / "docs" / "methods.md")
    assert len(known) == len(set(known))
    cited = {}
    for path in [*(ROOT / "fddkit").rglob("*.py"), *(ROOT / "tests").rglob("*.py")]:
        text = re.sub(r"\s+(?:# )?", " ", path.read_text(encoding="utf-8"))
        mentions = text.count("`docs/methods.md`") if path != Path(__file__) else 0
        found = re.findall(r'`docs/methods\.md`+[,: (]+"([^"]+)"', text) if mentions else []
        assert len(found) == mentions, path
        cited |= dict.fromkeys(found, path)
    assert cited
    assert not {heading: path for heading, path in cited.items() if heading not in known}


def test_the_readme_is_short_and_names_every_room_and_notebook():
    text = README.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 130
    rooms = {path.parent.name for path in (ROOT / "fddkit").glob("*/__init__.py")}
    assert set(re.findall(r"^\| - `(\w+)` \|", text, flags=re.M)) == rooms
    assert set(re.findall(r"^\| `(\d\d_\w+)` \|", text, flags=re.M)) == {p.stem for p in NOTEBOOKS}


def test_the_tables_of_the_results_are_the_measured_ones():
    checked = subprocess.run(
        [sys.executable, ROOT / "tools" / "tables.py", "--check"], capture_output=True, text=True
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
