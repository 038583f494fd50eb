"""Hostile files, read by `fddkit import`: a sentence each, and no harm."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest
from hostile_pt import (
    NEW,
    SEED,
    build,
    call,
    code_files,
    crash,
    cut_files,
    dtype,
    helpers,
    hostile,
    scalar,
    state,
)

ROOT = Path(__file__).resolve().parents[2]
TESTS = Path(__file__).resolve().parents[1]

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes as Linux shows them"),
    pytest.mark.timeout(600),
]


def python(*arguments, seconds=300, **how):
    """Run Python, where it finds fddkit and the tests."""
    path = os.pathsep.join(map(str, (ROOT, TESTS)))
    return subprocess.run(
        [sys.executable, *map(str, arguments)],
        **{"stdin": subprocess.DEVNULL, "capture_output": True, "text": True, "timeout": seconds},
        env=os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        **how,
    )


def outcomes(what, folder, seconds, *names, limit=300):
    done = python(TESTS / "hostile_pt.py", what, folder, seconds, *names, seconds=limit)
    assert done.returncode == 0, done.stderr
    return {row["full"]: row for row in map(json.loads, done.stdout.splitlines())}


# --- what files did that were read by torch.load --------------------------------------------

READ = """
import resource, sys
import fddkit as fdd
from fddkit.data.official_sets import read_foreign

train = fdd.load("digits", seed=0)[0]

def read(path):
    try:
        return read_foreign(path, train)
    except fdd.FddkitError as error:
        print(error)
"""


def test_a_forged_dtype_does_not_crash(tmp_path):
    path = tmp_path / "x.pt"
    path.write_bytes(NEW.file(crash()))
    done = python("-c", READ + "read(sys.argv[1])", path)
    assert done.returncode == 0, f"ended with status {done.returncode}"
    assert done.stdout.count("\n") == 1
    assert "is not a set of the official" in done.stdout


def test_no_address_is_told(tmp_path):
    """A dtype that claims to be a pointer was given one of the process as its number."""
    path = tmp_path / "x.pt"
    path.write_bytes(NEW.file(scalar(build(dtype("f8"), state(4)), bytes(8))))
    done = python("-c", READ + "read(sys.argv[1])", path)
    assert "it is damaged" in done.stdout


@pytest.mark.parametrize("how", ["bytearray", "numpy"])
def test_a_small_file_takes_little_memory(tmp_path, how):
    path = tmp_path / "x.pt"
    value = {
        "bytearray": call("builtins:bytearray", 3 * 10**9),
        "numpy": call("numpy.core.multiarray:scalar", dtype("V1500000000")),
    }[how]
    path.write_bytes(NEW.file(value, numbers={}))
    assert path.stat().st_size < 800
    script = """
who = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
read(sys.argv[1])
print(max(resource.getrusage(one).ru_maxrss for one in who) - before)
"""
    done = python("-c", READ + script, path)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.splitlines()[-1]) < 500_000  # KiB


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: path.symlink_to("/dev/zero")])
def test_a_pipe_or_a_device_is_not_waited_for(tmp_path, make):
    path = tmp_path / "x.pt"
    make(path)
    done = python("-c", READ + "read(sys.argv[1])", path, seconds=120)
    assert done.stdout.startswith("cannot read")


# --- many files -----------------------------------------------------------------------------

SHORT = {  # what a sentence says about them
    "code/os.system-zip": "more than plain data, os.system",
    "code/builtins.getattr-old": "more than plain data, builtins.",
    "code/torch.storage._load_from_bytes-zip": "more than plain data, torch.storage",
    "code/torch.hub.load-old": "more than plain data, functools.partial",
    "tensor/offset=-1-zip": "damaged",
    "tensor/beyond-old": "damaged",
    "tensor/short-storage-zip": "damaged",
    "tensor/huge-stride-0-old": "repeat themselves",
    "tensor/qtensor-zip": "more than plain data, torch.per_tensor_affine",
    "tensor/QInt8-old": "not a plain tensor",
    "tensor/untyped-zip": "more than plain data, torch.storage.UntypedStorage",
    "numpy/crash": "damaged",
    "numpy/array-object": "more than plain data, numpy.core.multiarray._reconstruct",
    "numpy/void": "damaged",
    "memory/bytearray8": "GiB of memory",
    "memory/memo-900M": "GiB of memory",
    "memory/deep-key": "crashed its reader (SIGSEGV)",
    "time/hash-zip": "more than 8 s",
    "pickle/own-os": "more than plain data, __main__.os.system",
    "pickle/build-globals": "damaged",
    "cut/zip-30": "damaged",
    "archive/bomb": "unpacks to more than it holds",
    "archive/torchscript": "more than plain data, __torch__.M",
    "archive/pickle-then-zip": "more than plain data, os.system",
    "format/tar-evil": "torch.save did not write it",
    "format/npy-objects": "torch.save did not write it",
    "format/empty": "torch.save did not write it",
    "place/fifo": "not a regular file",
    "place/zero": "not a regular file",
    "place/sparse": "bytes",
    "place/folder": "cannot read",
}
GOOD = ["good/good-zip", "good/good-old", "labels/good-labels"]


def told(row):
    """Check what every hostile file must come to."""
    assert row["outcome"] == "refused", row
    assert "\n" not in row["sentence"], row
    assert not row["fired"], row


def test_files_of_every_kind_do_no_harm(tmp_path):
    found = outcomes("read", tmp_path, 8, *SHORT, *GOOD)
    assert [found.pop(one)["outcome"] for one in GOOD] == ["read"] * 3
    assert list(found) == [one.full for one in hostile(SEED, tmp_path) if one.full in SHORT]
    for full, row in found.items():
        told(row)
        assert SHORT[full] in row["sentence"], row


def test_the_code_in_them_works_where_it_is_let(tmp_path):
    names = [full for full in SHORT if full.startswith("code/")] + ["archive/pickle-then-zip"]
    found = outcomes("run", tmp_path, 100, *names)
    assert sorted(found) == sorted(names)
    assert all(row["fired"] for row in found.values()), found


def test_the_same_seed_makes_the_same_files(tmp_path):
    def digests(seed):
        rng, found = random.Random(seed), []
        for one in (*code_files(rng, tmp_path / "canary"), *cut_files(rng)):
            one.make(tmp_path / "x.pt")
            found.append(hashlib.sha256((tmp_path / "x.pt").read_bytes()).digest())
        return found

    assert digests(SEED) == digests(SEED)
    assert digests(SEED) != digests(SEED + 1)


@pytest.mark.slow
def test_all_files_do_no_harm(tmp_path):
    found = outcomes("read", tmp_path, 10, limit=3000)
    assert [found.pop(one)["outcome"] for one in GOOD] == ["read"] * 3
    assert len(found) >= 300
    for row in found.values():
        told(row)
    kinds = Counter(
        (full.split("/")[0], next((w for w in WORDS if w in row["sentence"]), row["sentence"]))
        for full, row in found.items()
    )
    print(f"\n{len(found)} files")
    for (kind, words), count in sorted(kinds.items()):
        print(f"{kind:8} {count:4}  {words}")


WORDS = [
    *("more than plain data", "it is damaged", "torch.save did not write it", "not a plain tensor"),
    *("repeat themselves", "as any known code saves them", "GiB of memory", "it took more than"),
    *("crashed its reader", "unpacks to more", "not a regular file", "cannot read", "no such file"),
]


@pytest.mark.slow
def test_all_code_in_them_works_where_it_is_let(tmp_path):
    found = outcomes("run", tmp_path, 100, limit=3000)
    assert len(found) > 150
    assert [full for full, row in found.items() if not row["fired"]] == []


# --- the command ----------------------------------------------------------------------------

FEW = ["code/os.system-zip", "numpy/crash", "place/fifo"]


def command(tmp_path, names):
    helpers(tmp_path / "canary")
    files = {one.full: one for one in hostile(SEED, tmp_path / "canary")}
    for at, full in enumerate(names):
        path, out = tmp_path / f"{at}.pt", tmp_path / "out" / "set.safetensors"
        files[full].make(path)
        done = python("-m", "fddkit", "import", path, "--out", out)
        assert (done.returncode, done.stdout) == (2, ""), (full, done)
        assert done.stderr.count("\n") == 1, (full, done.stderr)
        assert "Traceback" not in done.stderr
        assert not out.parent.exists()
        assert not (tmp_path / "canary").exists()


def test_the_command_says_a_sentence(tmp_path):
    command(tmp_path, FEW)


@pytest.mark.slow
def test_the_command_says_a_sentence_about_more(tmp_path):
    kinds = ("code", "tensor", "numpy", "memory", "pickle", "cut", "archive", "format", "place")
    rng = random.Random(SEED)
    every = [one.full for one in hostile(SEED, tmp_path / "canary") if one.kind in kinds]
    command(tmp_path, rng.sample(every, 20))


# --- a reader that is left alone ------------------------------------------------------------


@pytest.mark.parametrize("word", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_the_reader_ends_with_its_parent(tmp_path, word):
    path = tmp_path / "x.pt"
    one = next(each for each in hostile(SEED, tmp_path) if each.full == "time/hash-zip")
    one.make(path)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    arguments = [sys.executable, "-c", READ + "read(sys.argv[1])", path]
    parent = subprocess.Popen(arguments, env=environment, stderr=subprocess.DEVNULL)

    def until(condition):
        limit = time.monotonic() + 100  # less than its own limit of time
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.05)

    def busy():
        readers = psutil.Process(parent.pid).children()
        return readers and readers[0].cpu_times().user > 0.5

    try:
        until(busy)
        reader = psutil.Process(parent.pid).children()[0]
        assert "official_reader.py" in " ".join(reader.cmdline())
        parent.send_signal(word)
        parent.wait(100)
        until(lambda: not reader.is_running() or reader.status() == psutil.STATUS_ZOMBIE)
    finally:
        parent.kill()
        parent.wait()
