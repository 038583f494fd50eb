"""What can befall a command: one sentence, a status that fits, and no work lost."""

import errno
import io
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import nbformat
import pytest
import torch
from safetensors.torch import load_file

from fddkit.cli import disk, main, studies
from fddkit.experiments import execution

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
TINY = "distill --preset smoke --ipc 1 --set iterations=2 --out s.safetensors"
LIMITED = """
import resource, sys
from fddkit.cli import main
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 2**28,) * 2)
sys.exit(main(sys.argv[1:]))
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def fddkit(words, redirect="", before="", **options) -> subprocess.CompletedProcess:
    """Run a command as a shell does, with its redirections."""
    line = f'{before} exec "$0" -m fddkit "$@" {redirect}'
    options = {"capture_output": True, "env": ENVIRONMENT, "timeout": 120, **options}
    words = words.split() if isinstance(words, str) else words
    return subprocess.run(["sh", "-c", line, sys.executable, *words], text=True, **options)


def raising(error: BaseException):
    def command(_):
        raise error

    return command


def surrogate() -> UnicodeEncodeError:
    try:
        "reports/\udcff".encode()
    except UnicodeEncodeError as error:
        return error


# --- exceptions -----------------------------------------------------------------------------

MEMORY = "there is not enough memory; use fewer jobs, a smaller batch"
TROUBLES = {
    "python's memory": (MemoryError(), 1, MEMORY),
    "torch on Linux": (RuntimeError("DefaultCPUAllocator: can't allocate memory: you"), 1, MEMORY),
    "torch on macOS": (RuntimeError("DefaultCPUAllocator: not enough memory: you"), 1, MEMORY),
    "a GPU": (torch.OutOfMemoryError("CUDA out of memory. Tried\nto allocate 2 GiB."), 1, MEMORY),
    "no memory for a process": (OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)), 1, MEMORY),
    "a killed worker": (BrokenProcessPool("It was terminated\nabruptly"), 1, "was killed, perhaps"),
    "files": (OSError(errno.EMFILE, os.strerror(errno.EMFILE), "a"), 1, "with `ulimit -n`"),
    "sockets": (Exception("Too many open files"), 1, "too many open files; allow more with"),
    "a package": (ModuleNotFoundError("No", name="papermill"), 2, "pip install 'fddkit[notebooks]"),
    "a name": (
        OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), "n"),
        2,
        "n: File name",
    ),
    "an encoding": (surrogate(), 2, "has a name that is not UTF-8 ('reports/\\udcff'); rename it"),
    "a mistake in fddkit": (ZeroDivisionError("by\nzero"), 70, "(ZeroDivisionError: by zero)"),
    "one of its modules": (ModuleNotFoundError("No", name="fddkit.x"), 70, "a fault of fddkit"),
}


@pytest.mark.parametrize("name", TROUBLES)
def test_trouble_is_one_sentence_and_a_status(name, monkeypatch, capsys):
    error, status, says = TROUBLES[name]
    monkeypatch.setattr(disk, "report", raising(error))
    assert main(["report"]) == status
    out, err = capsys.readouterr()
    assert err.startswith("fddkit: ")
    assert says in err
    assert err.count("\n") == 1
    assert out == ""


def test_a_fault_says_where_it_is_and_how_to_see_all_of_it(monkeypatch, capsys):
    monkeypatch.setattr(studies, "split", raising(KeyError("x")))
    assert main(["matrix", "--methods", "dm"]) == 70
    err = capsys.readouterr().err
    assert "itself at studies.py:" in err
    assert "FDDKIT_DEBUG=1 shows" in err
    monkeypatch.setenv("FDDKIT_DEBUG", "1")
    assert main(["matrix", "--methods", "dm"]) == 70
    err = capsys.readouterr().err
    assert err.startswith("Traceback (most recent call last):\n")
    assert err.splitlines()[-1].startswith("fddkit: a fault of fddkit itself at studies.py:")


def test_the_help_tells_the_statuses_and_how_to_see_a_traceback(capsys):
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    for number in ("0 done", "1 a notebook", "2 a mistake", "70 a", "130 inter", "143 ended by"):
        assert number in " ".join(out.split())
    assert "FDDKIT_DEBUG=1 shows the traceback" in out


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc, and macOS limits no memory")
def test_a_real_lack_of_memory_is_one_sentence(here):
    words = "cost --methods dm --rules vanilla --groups 2 --side 2048 --rounds 1 --ipc 1"
    command = [sys.executable, "-c", LIMITED, *words.split()]
    ended = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT, timeout=120)
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith(f"fddkit: {MEMORY}")
    assert ended.stderr.count("\n") == 1


# --- arguments and places -------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ["run", "a\0b"],
        ["run", "tiny", "-p", "ipc=1\x000"],
        ["sweep", "tiny", "-p", "a\0b=1"],
        ["distill", "--out", "a\0b"],
        ["distill", "--out", "s.safetensors", "--set", "iterations=\0"],
        ["evaluate", "\0"],
        ["datasets", "--root", "a\0b"],
        ["report", "--reports", "a\0b"],
        ["a\0b"],
    ],
)
def test_a_nul_character_is_refused(words, here, capsys):
    assert main(words) == 2
    err = capsys.readouterr().err
    assert "contains a NUL character" in err
    assert "\0" not in err
    assert list(here.iterdir()) == []


LONG = "x" * 300


@pytest.mark.parametrize(
    "words",
    [
        f"run {LONG}",
        f"run {LONG}.ipynb",
        f"report --reports {LONG}",
        f"evaluate {LONG}",
        f"datasets --root {LONG}",
        f"distill --preset smoke --ipc 1 --out {LONG}",
        f"distill --preset smoke --ipc 1 --out {LONG}/s.safetensors",
        "distill --preset smoke --ipc 1 --out file/s.safetensors",
        "evaluate .",
        "run .",
    ],
)
def test_a_place_that_cannot_be_used_is_a_mistake(words, here, capsys):
    Path("file").write_text("")
    assert main(words.split()) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["file"]


def test_a_deleted_working_directory_is_told(here, capsys):
    (here / "gone").mkdir()
    os.chdir(here / "gone")
    (here / "gone").rmdir()
    assert main(["datasets"]) == 2
    assert "the working directory has been deleted" in capsys.readouterr().err


def test_too_few_files_for_a_notebook_are_told_before_it_starts(here, monkeypatch, capsys):
    node = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(node, "one.ipynb")
    monkeypatch.setattr(execution.resource, "getrlimit", lambda _: (20, 20))
    assert main(["run", "one.ipynb"]) == 2
    assert "a notebook needs 128 open files and 20 are allowed" in capsys.readouterr().err


# --- streams --------------------------------------------------------------------------------


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
@pytest.mark.parametrize("words", ["datasets", pytest.param("--help", marks=pytest.mark.slow)])
def test_a_full_stdout_is_told(words, here):
    ended = fddkit(words, "> /dev/full")
    assert ended.returncode == 1
    assert ended.stderr.startswith("fddkit: some output could not be written (No space left")
    assert ended.stderr.count("\n") == 1


def test_a_reader_that_has_seen_enough_is_no_trouble(here):
    reading, writing = os.pipe()
    os.close(reading)
    ended = fddkit("datasets", capture_output=False, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert (ended.returncode, ended.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("redirect", ["2> /dev/full", "< /dev/null 0<&- >&- 2>&-"])
def test_broken_streams_do_not_end_the_work(redirect, here):
    if "/dev/full" in redirect and not Path("/dev/full").exists():
        pytest.skip("a device of Linux")
    words = f"{TINY} --method dc --compile"  # which gives a warning, too
    assert fddkit(words, redirect).returncode == 0
    assert len(load_file("s.safetensors")["images"]) == 10
    assert not Path("s.safetensors.part").exists()


class Broken(io.StringIO):
    """A stream without a file behind it that takes nothing."""

    def write(self, text):
        raise OSError(errno.EIO, "Input/output error")


def test_what_cannot_be_shown_is_a_failure_and_a_mistake_stays_one(here, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdout", Broken())
    assert main(["datasets"]) == 1
    assert "could not be written (Input/output error)" in capsys.readouterr().err
    assert main(["report"]) == 2
    monkeypatch.setattr("sys.stderr", Broken())
    assert main(["report"]) == 2


@pytest.mark.skipif(sys.platform == "darwin", reason="its file names are UTF-8")
def test_names_that_no_encoding_knows_are_shown(here):
    environment = {**ENVIRONMENT, "PYTHONIOENCODING": "ascii"}
    words = [*TINY.split()[:-1], os.fsdecode(b"s\xff\xc3\xa9")]
    ended = fddkit(words, env=environment)
    assert ended.returncode == 0
    assert ended.stdout.endswith(" in s\\udcff\\xe9\n")
    assert "Traceback" not in ended.stderr
    assert os.listdir(b".") == [b"s\xff\xc3\xa9"]


@pytest.mark.parametrize("words", ["--help", "distill --help", "sweep --help", "datasets", "run"])
def test_a_narrow_terminal_is_no_trouble(words, here, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "1")
    assert main(words.split()) in (0, 2)
    assert "fault" not in capsys.readouterr().err


# --- signals --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP"])
def test_a_request_to_end_interrupts_once(name, monkeypatch, capsys):
    number, seen = getattr(signal, name), []

    def command(_):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            signal.raise_signal(number)
            seen.append("checkpoint")
            raise

    before = signal.getsignal(number)
    monkeypatch.setattr(disk, "report", command)
    assert main(["report"]) == 128 + number
    assert seen == ["checkpoint"]
    assert capsys.readouterr().err == (
        f"fddkit: ended by {name}; the same command goes on from there\n"
    )
    assert signal.getsignal(number) is before


def test_nohup_stays_in_force(monkeypatch):
    monkeypatch.setattr(disk, "report", lambda _: signal.raise_signal(signal.SIGHUP) or 0)
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert main(["report"]) == 0
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.parametrize("name", ["SIGTERM", pytest.param("SIGHUP", marks=pytest.mark.slow)])
def test_a_distillation_that_is_asked_to_end_goes_on_from_there(name, here):
    command = [sys.executable, "-m", "fddkit", *TINY.replace("=2", "=1000000").split()]
    with open("shown", "w") as shown:
        process = subprocess.Popen(command, env=ENVIRONMENT, stderr=shown)
    deadline = time.monotonic() + 120
    try:
        while not re.search(r"[1-9]\d*/1000000", Path("shown").read_text()):
            assert process.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process.send_signal(getattr(signal, name))
        assert process.wait(120) == 128 + getattr(signal, name)
    finally:
        process.kill()
        process.wait()
    last = Path("shown").read_text().splitlines()[-1]
    assert last == f"fddkit: ended by {name}; the same command goes on from there"
    assert len(load_file("s.safetensors.part")["loss"]) > 0
