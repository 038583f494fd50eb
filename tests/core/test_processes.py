"""What a command starts ends with it, however it ends, and nothing of it stays behind."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import nbformat
import psutil
import pytest

from fddkit.core import processes, temporary
from fddkit.experiments import this_run

ROOT = Path(__file__).resolve().parents[2]
SOON = 60  # seconds until all has ended; it takes two where nothing else runs
START = 120  # seconds until a kernel works

# It says which process it is, has a process of its own, and computes without an end.
BUSY = """\
import os, pathlib, subprocess
child = subprocess.Popen(["sleep", "1000"])
note = pathlib.Path(f"{os.getpid()}.note")
note.write_text(str(child.pid))
note.rename(f"{os.getpid()}.busy")
while True:
    pass
"""
MANY = """\
import os, sys
from fddkit.experiments import execution, notebook_page, runs
from fddkit.cli import main
pids = []
for i in range(20):
    pids.append(os.fork())
    if not pids[-1]:
        for stream in (1, 2):
            os.dup2(os.open(f"{i}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND), stream)
        status = main(sys.argv[1:])
        sys.stdout.flush()
        os._exit(status)
for pid in pids:
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
WAITING = """\
import time, joblib
from fddkit.core import processes
with processes.workers():
    print(*joblib.Parallel(2)(joblib.delayed(abs)(i) for i in range(2)), flush=True)
    time.sleep(1000)
"""


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def scratch(monkeypatch) -> Iterator[Path]:
    """A folder for temporary files whose name is as short as they are wont to be."""
    with tempfile.TemporaryDirectory(prefix="t", dir="/tmp") as folder:
        monkeypatch.setenv("TMPDIR", folder)
        monkeypatch.setattr(tempfile, "tempdir", None)
        yield Path(folder)


@pytest.fixture
def start(here, scratch):
    """Start Python with some arguments; kill what is left of it after the test."""
    started = []

    def start(*words: str, **options) -> psutil.Popen:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, *words]
        started.append(psutil.Popen(command, env=environment, start_new_session=True, **options))
        return started[-1]

    yield start
    for process in started:
        for one in (*family(process), process):
            kill(one)
        process.wait()
        for stream in filter(None, (process.stdin, process.stdout)):
            stream.close()


def notebook(name: str, *cells: str) -> None:
    tagged = {"tags": ["parameters"]}
    first = nbformat.v4.new_code_cell("n = 1", metadata=tagged)
    cells = [first, *map(nbformat.v4.new_code_cell, cells)]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), name)


def family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def kernels(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for one in family(process):
        with suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
            found += [one] if "kernel.json" in " ".join(one.cmdline()) else []
    return found


def kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def until(happened, process: psutil.Popen) -> None:
    deadline = time.monotonic() + START
    while not happened():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.05)


def assert_ended(several: list[psutil.Process]) -> None:
    deadline = time.monotonic() + SOON
    while left := [one for one in several if is_alive(one)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.05)


def is_alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # nobody may fetch what it returned
    except psutil.NoSuchProcess:
        return False


# --- the pieces -----------------------------------------------------------------------------

# The file is run by its path, as a kernel does it, since the package needs seconds to import.
CHAIN = f"""\
import os, runpy, subprocess, sys, time
end_with = runpy.run_path({processes.__file__!r})["end_with"]
if sys.argv[1] == "parent":
    command = [sys.executable, "-c", sys.argv[2], "child", str(os.getpid()), *sys.argv[3:]]
    subprocess.Popen(command, start_new_session="alone" not in sys.argv)
else:
    child = subprocess.Popen(["sleep", "1000"])
    if "late" in sys.argv:
        while os.getppid() == int(sys.argv[2]):
            time.sleep(0.01)
    end_with(int(sys.argv[2]), "private")
    open("ready", "w").close()
time.sleep(1000)
"""


@pytest.mark.parametrize("when", ["afterwards", "late"])
def test_a_process_ends_with_its_parent_and_takes_what_it_started(when, start, here):
    (here / "private").mkdir()
    parent = start("-c", CHAIN, "parent", CHAIN, when)
    if when == "late":  # the parent ends before anybody looks after it
        until(lambda: len(family(parent)) == 2, parent)
    else:
        until(Path("ready").exists, parent)
    others = family(parent)
    assert len(others) == 2
    parent.kill()
    assert_ended(others)
    assert not Path("private").exists()


def test_a_process_of_the_group_of_others_ends_alone(start, here):
    parent = start("-c", CHAIN, "parent", CHAIN, "alone")
    until(Path("ready").exists, parent)
    child, grandchild = sorted(family(parent), key=psutil.Process.create_time)
    parent.kill()
    assert_ended([child])
    assert grandchild.is_running()
    grandchild.kill()


def test_a_private_folder_is_short_private_and_removed(scratch):
    with temporary.private_folder() as folder:
        assert folder.parent == scratch
        assert folder.stat().st_mode & 0o777 == 0o700
        (folder / "file").write_text("")
    assert list(scratch.iterdir()) == []


def test_folders_whose_owners_are_gone_are_removed_and_no_others(scratch, tmp_path):
    keep = [scratch / name for name in ("fddkit-kernels", "fddkit-results", "other")]
    orphan, link = scratch / "fddkit-kernel-orphan", scratch / "fddkit-kernel-link"
    for folder in (*keep, orphan / "profile", tmp_path / "target"):
        folder.mkdir(parents=True)
    (scratch / "fddkit-kernel-file").write_text("")
    link.symlink_to(tmp_path / "target")
    with temporary.private_folder() as one, temporary.private_folder() as two:
        assert one.is_dir()
        assert two.is_dir()
        assert not orphan.exists()
    left = {path.name for path in scratch.iterdir()}
    assert left == {"fddkit-kernels", "fddkit-results", "other", link.name, "fddkit-kernel-file"}
    assert (tmp_path / "target").is_dir()


def test_a_folder_that_is_taken_for_an_orphan_while_it_is_made_is_made_again(scratch, monkeypatch):
    real, made = tempfile.mkdtemp, []

    def mkdtemp(**given):
        made.append(real(**given))
        if len(made) == 1:
            temporary.remove_orphans()
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", mkdtemp)
    with temporary.private_folder() as folder:
        assert str(folder) == made[1]
        assert folder.is_dir()


def test_a_long_name_of_the_temporary_folder_leaves_room_for_sockets(here, monkeypatch):
    long = here / ("x" * 100)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    notebook("one.ipynb", "1")
    assert this_run.run("one.ipynb").status == "finished"


def test_no_place_for_temporary_files_is_one_sentence(monkeypatch):
    def none():
        raise FileNotFoundError(2, "No usable temporary directory found in ['/tmp']")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with (
        pytest.raises(temporary.FddkitError, match="set TMPDIR to one that you may write to"),
        temporary.private_folder(),
    ):
        pass


# --- whole commands -------------------------------------------------------------------------


def test_a_killed_run_leaves_nothing(start, scratch):
    notebook("busy.ipynb", BUSY)
    process = start("-m", "fddkit", "run", "busy.ipynb")
    until(lambda: list(Path().glob("*.busy")), process)
    others = family(process)
    assert len(others) == 2  # the kernel and what it started
    process.kill()
    assert_ended(others)
    assert list(scratch.iterdir()) == []


@pytest.mark.skipif(sys.platform != "linux", reason="orphans of macOS always go to process 1")
def test_a_run_that_is_killed_while_its_kernel_starts_leaves_nothing(start, scratch):
    """Orphans go to the first process of a container, or to one that asks for them, as this."""
    notebook("busy.ipynb", BUSY)
    ask = "import ctypes, subprocess, sys; ctypes.CDLL(None).prctl(36, 1);"
    ask += "subprocess.call([sys.executable, *sys.argv[1:]]); sys.stdin.read()"
    outer = start("-c", ask, "-m", "fddkit", "run", "busy.ipynb", stdin=subprocess.PIPE)
    until(lambda: kernels(outer), outer)
    others = family(outer)
    others[0].kill()
    assert_ended(others)
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "group"),
    [
        ("SIGKILL", False),
        pytest.param("SIGINT", True, marks=pytest.mark.slow),
        pytest.param("SIGTERM", False, marks=pytest.mark.slow),
    ],
)
def test_an_ended_sweep_leaves_nothing(name, group, start, scratch):
    notebook("busy.ipynb", BUSY)
    words = "sweep busy.ipynb -p n=1,2 --jobs 2"
    with open("shown", "w") as shown:
        process = start("-m", "fddkit", *words.split(), stderr=shown)
    until(lambda: len(list(Path().glob("*.busy"))) == 2, process)
    others = family(process)
    assert len(others) >= 6  # two workers, their kernels, and what these started
    if group:  # as a terminal does
        os.killpg(process.pid, getattr(signal, name))
    else:
        process.send_signal(getattr(signal, name))
    number = getattr(signal, name)
    status = process.wait(SOON)
    assert_ended(others)
    assert list(scratch.iterdir()) == []
    assert status == (-number if name == "SIGKILL" else 128 + number)
    if name != "SIGKILL":
        (line,) = Path("shown").read_text().strip().splitlines()
        assert line.endswith("; the same command goes on from there")


def test_a_killed_matrix_leaves_no_workers(start):
    words = "matrix --methods dm --rules vanilla,cobra --seeds 1 --jobs 2 --folder m"
    process = start("-m", "fddkit", *words.split(), stderr=subprocess.DEVNULL)
    until(lambda: len(list(Path().glob("m/*.part"))) == 2, process)
    others = family(process)
    assert len(others) >= 2
    process.kill()
    assert_ended(others)


def test_workers_that_only_wait_end_too(start):
    process = start("-c", WAITING, stdout=subprocess.PIPE)
    assert process.stdout.readline().strip() == b"0 1"
    others = family(process)
    assert len(others) >= 2
    process.kill()
    assert_ended(others)


@pytest.mark.slow
def test_an_interrupted_run_is_one_sentence_and_leaves_nothing(start, scratch):
    notebook("busy.ipynb", BUSY)
    with open("shown", "w") as shown:
        process = start("-m", "fddkit", "run", "busy.ipynb", stderr=shown)
    until(lambda: list(Path().glob("*.busy")), process)
    others = family(process)
    process.send_signal(signal.SIGINT)
    assert process.wait(SOON) == 130
    assert_ended(others)
    assert list(scratch.iterdir()) == []
    assert Path("shown").read_text() == (
        "fddkit: interrupted; the same command goes on from there\n"
    )


def test_a_run_whose_kernel_is_killed_fails_and_leaves_nothing(here, scratch, capsys):
    from fddkit.cli import main

    notebook("dies.ipynb", BUSY.replace("while True", "os.kill(os.getpid(), 9)\nwhile True"))
    assert main(["run", "dies.ipynb"]) == 1
    err = capsys.readouterr().err
    assert "dies failed: the notebook's process died, perhaps for lack of memory" in err
    assert err.count("\n") == 1
    (note,) = Path().glob("*.busy")
    with suppress(psutil.NoSuchProcess):  # it may have ended by now
        assert_ended([psutil.Process(int(note.read_text()))])
    assert list(scratch.iterdir()) == []


@pytest.mark.slow
def test_the_same_run_many_times_at_once_is_executed_once(start):
    notebook("one.ipynb", "open('count', 'a').write('x')")
    process = start("-c", MANY, "run", "one.ipynb", stdout=subprocess.PIPE)
    statuses = Counter(process.stdout.read().split())
    assert process.wait(START) == 0
    assert set(statuses) <= {b"0", b"2"}
    assert Path("count").read_text() == "x"
    lines = [Path(f"{i}.log").read_text() for i in range(20)]
    assert all(line.count("\n") == 1 for line in lines)
    assert sum("finished" in line for line in lines) == statuses[b"0"]
    assert sum("another process is executing" in line for line in lines) == statuses[b"2"]
