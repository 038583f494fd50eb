"""Chunks decoded by processes: as one by one, whatever ends, and nothing is left running."""

import os
import signal
import subprocess
import sys
import time
from contextlib import closing

import numpy as np
import psutil
import pytest
from mixed_images import KINDS, picture

from fddkit.reading import decoding_pool
from fddkit.reading.chunks import decode_chunk
from fddkit.reading.decoding import quiet
from fddkit.reading.decoding_pool import decode_chunks
from fddkit.reading.frame import Frame

FRAME = Frame(8, 8)


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Return six chunks of files of every kind; two are no images, and names are strange."""
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    names, found = list(KINDS), []
    for i in range(60):
        strange = ("", " \n", "\udcff", "é")[i % 4]
        found.append(f"{folder}/{i}{strange}.{names[i % len(names)]}")
        with open(found[-1], "wb") as file:
            file.write(KINDS[names[i % len(names)]](picture(draw), draw))
    os.truncate(found[13], 0)
    os.unlink(found[31])
    return [found[i : i + 10] for i in range(0, 60, 10)]


@pytest.fixture(scope="module")
def slowly(parts):
    with quiet():
        return [decode_chunk(paths, FRAME) for paths in parts]


@pytest.fixture
def children(monkeypatch):
    """Return the processes that are started; few files are enough for some."""
    started, popen = [], subprocess.Popen
    monkeypatch.setattr(decoding_pool, "FEW", 0)
    monkeypatch.setattr(
        subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    return started


def same(found, slowly):
    found = dict(found)
    assert sorted(found) == list(range(len(slowly)))
    for i, chunk in enumerate(slowly):
        assert np.array_equal(found[i].pixels, chunk.pixels)
        assert (found[i].faults, found[i].notes) == (chunk.faults, chunk.notes)


@pytest.mark.parametrize("workers", [1, 2, 9])
def test_they_are_what_one_by_one_gives(parts, slowly, children, workers):
    same(decode_chunks(parts, FRAME, workers), slowly)
    assert len(children) == {1: 0, 2: 2, 9: 6}[workers]
    assert all(child.returncode is not None for child in children)
    assert [i for i, chunk in enumerate(slowly) if chunk.faults] == [1, 3]


def test_few_files_start_no_process(parts, slowly, children, monkeypatch):
    monkeypatch.setattr(decoding_pool, "FEW", 60)
    same(decode_chunks(parts, FRAME, 2), slowly)
    assert children == []


def test_a_process_imports_no_torch():
    order = '{"path": %s, "parent": %d, "frame": {"height": 8, "width": 8}}\n'
    order %= (str(sys.path).replace("'", '"'), os.getpid())
    told = subprocess.run(
        [sys.executable, "-I", "-S", "-X", "importtime", decoding_pool._CHILD],
        input=order,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert told.stdout == "ready\n"
    assert "fddkit.reading.frame" in told.stderr
    assert "numpy" in told.stderr
    assert "torch" not in told.stderr


def test_a_killed_process_is_replaced(parts, slowly, children):
    found = []
    for i, chunk in decode_chunks(parts * 20, FRAME, 2):
        found.append((i, chunk))
        if len(found) in (10, 12):
            children[len(found) // 12].kill()  # each of the two, once
    same(found, slowly * 20)
    assert len(children) == 4


CRASHING = """
import json, os
real = {child!r}
source = open(real).read().replace(
    "    with decoding.quiet():",
    "    decode = chunks.decode\\n"
    "    chunks.decode = lambda path, frame: os.kill(os.getpid(), 11) if {mark!r} in path else "
    "decode(path, frame)\\n"
    "    with decoding.quiet():",
)
exec(compile(source, real, "exec"), dict(__name__="__main__", __file__=real))
"""


@pytest.fixture
def crashing(tmp_path, monkeypatch):
    """Make processes crash at some files."""

    def at(mark):
        script = tmp_path / "child.py"
        script.write_text(CRASHING.format(child=str(decoding_pool._CHILD), mark=mark))
        monkeypatch.setattr(decoding_pool, "_CHILD", script)

    return at


def test_a_file_that_ends_its_process_is_a_fault_and_the_others_are_not(
    parts, slowly, children, crashing
):
    crashing("/24.")
    wrong, position = dict(decode_chunks(parts, FRAME, 2)), "4"
    chunk = wrong[2]
    assert chunk.faults.pop(position) == (
        "decoding it ends the process that does (SIGSEGV); make it again"
    )
    assert not chunk.pixels[4].any()
    chunk.pixels[4] = slowly[2].pixels[4]
    others = [path for path in parts[2] if "/24." not in path]
    assert chunk.notes == decode_chunk(others, FRAME).notes
    wrong[2] = chunk._replace(notes=slowly[2].notes)
    same(wrong.items(), slowly)


@pytest.mark.parametrize("program", ["/nowhere/python", "/bin/false", "/bin/true", None])
def test_where_no_process_starts_this_one_decodes_and_says_so(
    parts, slowly, children, monkeypatch, program
):
    monkeypatch.setattr(sys, "executable", program)
    with pytest.warns(UserWarning, match="does not start .*; this one decoded"):
        same(decode_chunks(parts, FRAME, 2), slowly)


def test_who_stops_early_leaves_no_process_behind(parts, children):
    with closing(decode_chunks(parts * 50, FRAME, 2)) as found:
        next(found)
    assert children
    assert all(child.returncode is not None for child in children)


PARENT = """
import subprocess, sys
from fddkit.reading import decoding_pool
from fddkit.reading.frame import Frame
decoding_pool.FEW = 0
popen = subprocess.Popen
def told(*arguments, **options):
    child = popen(*arguments, **options)
    print(child.pid, flush=True)
    return child
subprocess.Popen = told
paths = [sys.argv[1]] * 10
for _ in decoding_pool.decode_chunks([paths] * 100_000, Frame(8, 8), 2):
    pass
"""


def alive(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_processes_end_with_the_one_that_started_them(parts, how):
    arguments = [sys.executable, "-c", PARENT, parts[0][0]]
    with subprocess.Popen(
        arguments, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        pids = [int(parent.stdout.readline()) for _ in range(2)]
        time.sleep(0.3)  # they decode
        os.kill(parent.pid, how)
        assert parent.wait(60) != 0
    until = time.monotonic() + 60
    while any(map(alive, pids)) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(map(alive, pids))
