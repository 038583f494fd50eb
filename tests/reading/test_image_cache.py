"""The decoded folder: equal to decoding one by one, resumed after a kill, checked when read."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from mixed_images import KINDS, picture

from fddkit.core.errors import FddkitError
from fddkit.core.locks import locked
from fddkit.reading import chunks, decoding, decoding_pool, image_cache
from fddkit.reading.decoding import decode, quiet
from fddkit.reading.frame import Frame
from fddkit.reading.image_cache import decoded
from fddkit.reading.image_file import MOST_IN_A_CHUNK as CHUNK
from fddkit.reading.image_file import Layout, state

FRAME = Frame(8, 8)


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    """Return more than three chunks of files, of which one is no image and one is missing."""
    folder, draw = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    names, found = list(KINDS), []
    for i in range(3 * CHUNK + 30):
        found.append(folder / f"{i}.{names[i % len(names)]}")
        found[-1].write_bytes(KINDS[names[i % len(names)]](picture(draw), draw))
    found[5].write_bytes(b"nothing")
    found[2 * CHUNK].unlink()
    return list(map(str, found))


@pytest.fixture(scope="module")
def slowly(paths):
    pixels = np.zeros((len(paths), *FRAME.shape), np.uint8)
    with quiet():
        for i, path in enumerate(paths):
            if i not in (5, 2 * CHUNK):
                pixels[i] = decode(path, FRAME).pixels
    return pixels


@pytest.mark.parametrize("workers", [1, 3])
def test_it_is_what_one_by_one_gives(paths, slowly, tmp_path, workers):
    for cache in (False, tmp_path, tmp_path):
        found = decoded(paths, FRAME, cache, workers, progress=False)
        assert np.array_equal(found.pixels, slowly)
        assert found.faults.keys() == {5, 2 * CHUNK}
        assert found.notes["several frames: the first is taken"] > 40


def test_the_second_time_nothing_is_decoded(paths, slowly, tmp_path, monkeypatch):
    first = decoded(paths, FRAME, tmp_path, progress=False)
    monkeypatch.setattr(chunks, "decode", None)
    second = decoded(paths, FRAME, tmp_path, progress=False)
    assert isinstance(second.pixels, np.memmap)
    assert (second.faults, second.notes) == (first.faults, first.notes)
    assert np.array_equal(second.pixels, slowly)


def test_changes_in_memory_do_not_reach_the_file(paths, slowly, tmp_path):
    decoded(paths, FRAME, tmp_path, progress=False).pixels[:] = 7
    assert np.array_equal(decoded(paths, FRAME, tmp_path, progress=False).pixels, slowly)


def test_a_changed_file_or_frame_is_decoded_anew(paths, tmp_path):
    paths = paths[:20]
    before = decoded(paths, FRAME, tmp_path, progress=False).pixels.copy()
    assert decoded(paths, Frame(8, 8, "pad"), tmp_path, progress=False).pixels.shape == before.shape
    moved = str(tmp_path / "0.jpg")
    picture(np.random.default_rng(9)).save(moved)
    once = decoded([moved], FRAME, tmp_path, progress=False).pixels
    picture(np.random.default_rng(10)).save(moved)
    again = decoded([moved], FRAME, tmp_path, progress=False).pixels
    assert not np.array_equal(once, again)
    assert len(list(tmp_path.glob("images-*.u8"))) == 3  # the last one was replaced


def test_of_changed_files_only_their_chunks_are_made_again(paths, tmp_path, monkeypatch):
    copies = [str(shutil.copy(path, tmp_path)) for path in paths if os.path.exists(path)]
    held = decoded(copies, FRAME, tmp_path / "cache", progress=False).pixels
    before = held.copy()
    changed, same = CHUNK + 1, CHUNK + 5
    picture(np.random.default_rng(9)).save(copies[changed], "png")
    data = bytearray(Path(copies[same]).read_bytes())
    times = os.stat(copies[same])
    data[-1] ^= 1
    Path(copies[same]).write_bytes(data)  # as large as before, and made to look as old
    os.utime(copies[same], ns=(times.st_atime_ns, times.st_mtime_ns))
    os.unlink(copies[-1])
    made = counted(monkeypatch)
    after = decoded(copies, FRAME, tmp_path / "cache", progress=False)
    assert sorted(made) == sorted(copies[CHUNK : 2 * CHUNK] + copies[3 * CHUNK :])
    assert np.array_equal(after.pixels[changed], decode(copies[changed], FRAME).pixels)
    assert len(copies) - 1 in after.faults
    unlike = np.flatnonzero((after.pixels != before).any((1, 2, 3))).tolist()
    assert {changed, len(copies) - 1} <= set(unlike) <= {changed, same, len(copies) - 1}
    assert np.array_equal(held, before)  # a data set in use stays as it is
    files_of(tmp_path / "cache")  # one of each


def test_another_pillow_replaces_what_is_there(paths, tmp_path, monkeypatch):
    decoded(paths[:20], FRAME, tmp_path, progress=False)
    monkeypatch.setattr("PIL.__version__", "0")
    made = counted(monkeypatch)
    decoded(paths[:20], FRAME, tmp_path, progress=False)
    assert len(made) == 20
    files_of(tmp_path)


def test_names_that_are_no_text_may_be_faulty(tmp_path):
    names = [str(tmp_path / name) for name in ("\udcff.png", "a\0.png", "é\n.png")]
    for cache in (False, tmp_path, tmp_path):
        assert decoded(names, FRAME, cache, progress=False).faults.keys() == {0, 1, 2}


def test_processes_make_the_same_cache(paths, slowly, tmp_path, monkeypatch):
    monkeypatch.setattr(decoding_pool, "FEW", 0)
    found = decoded(paths, FRAME, tmp_path / "apart", 2, progress=False)
    here = decoded(paths, FRAME, tmp_path / "here", 1, progress=False)
    assert np.array_equal(found.pixels, slowly)
    assert (found.faults, found.notes) == (here.faults, here.notes)
    apart, one = ([f.read_bytes() for f in files_of(tmp_path / n)] for n in ("apart", "here"))
    assert apart[0] == one[0]
    assert sorted(apart[1].splitlines()) == sorted(one[1].splitlines())


def test_chunks_of_large_images_are_short():
    assert Layout(1000, Frame(32, 32)).per_chunk == 256
    large = Layout(1000, Frame(1024, 1024))
    assert large.per_chunk == 5
    parts = [large.part(i) for i in range(large.chunks)]
    assert [i for part in parts for i in range(1000)[part]] == list(range(1000))


def test_what_is_on_the_disk_can_be_listed(paths, tmp_path):
    with quiet():
        decoded(paths, FRAME, tmp_path, progress=False)
    pixels, journal = files_of(tmp_path)
    made = f"{len(paths):,} images of {os.path.dirname(paths[0])}"[:70]
    assert state(pixels)[0] == "whole"
    assert state(pixels)[1].startswith(made[:40])
    with locked(pixels):
        assert state(pixels)[0] == "in use"
    whole, lines = pixels.read_bytes(), journal.read_text()
    pixels.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert state(pixels)[0] == "damaged"
    pixels.write_bytes(whole[:-1])
    assert state(pixels)[0] == "damaged"
    pixels.write_bytes(whole)
    journal.write_text("".join(lines.splitlines(True)[:3]))
    assert state(pixels)[0] == "interrupted"
    for spoilt in ("", "{", "[]", lines.replace('"crop"', '"cut"'), lines.replace(": 8", ": 1e9")):
        journal.write_text(spoilt)
        assert state(pixels) == ("damaged", "")


def counted(monkeypatch):
    """Return a list of the files that are decoded from now on."""
    made = []
    monkeypatch.setattr(chunks, "decode", lambda p, f: made.append(p) or decode(p, f))
    return made


def files_of(folder):
    (pixels,), (journal,) = folder.glob("images-*.u8"), folder.glob("images-*.jsonl")
    return pixels, journal


def test_damage_is_found_and_only_that_chunk_made_again(paths, slowly, tmp_path, monkeypatch):
    decoded(paths, FRAME, tmp_path, progress=False)
    pixels, _ = files_of(tmp_path)
    data = bytearray(pixels.read_bytes())
    data[CHUNK * 192 + 1000] ^= 1
    pixels.write_bytes(data)
    made = counted(monkeypatch)
    assert np.array_equal(decoded(paths, FRAME, tmp_path, progress=False).pixels, slowly)
    assert sorted(made) == sorted(paths[CHUNK : 2 * CHUNK])


@pytest.mark.parametrize(
    "spoil",
    [
        lambda lines: lines[:2],
        lambda lines: [*lines[:3], lines[3][:20]],
        lambda lines: [],
        lambda lines: ["{}", *lines[1:]],
        lambda lines: [lines[0], '{"chunk": 99, "crc": 0, "faults": {}, "notes": {}}', *lines[1:]],
        lambda lines: [lines[0], '{"chunk": -1, "crc": 0, "faults": {}, "notes": {}}', *lines[1:]],
        lambda lines: [lines[0], '{"chunk": 0, "crc": 0, "faults": {"x": "y"}, "notes": {}}'],
        lambda lines: [lines[0], "[" * 100_000],
        lambda lines: [lines[0].replace("256", "257"), *lines[1:]],
    ],
)
def test_a_spoilt_journal_is_made_whole(paths, slowly, tmp_path, spoil):
    decoded(paths, FRAME, tmp_path, progress=False)
    _, journal = files_of(tmp_path)
    journal.write_text("\n".join(spoil(journal.read_text().splitlines())))
    found = decoded(paths, FRAME, tmp_path, progress=False)
    assert np.array_equal(found.pixels, slowly)
    assert found.faults.keys() == {5, 2 * CHUNK}
    lines = [json.loads(line) for line in journal.read_text().splitlines()]
    assert {line["chunk"] for line in lines[1:]} >= {0, 1, 2, 3}


def test_pixels_that_are_cut_off_are_made_again(paths, slowly, tmp_path):
    decoded(paths, FRAME, tmp_path, progress=False)
    pixels, _ = files_of(tmp_path)
    pixels.write_bytes(pixels.read_bytes()[:-1])
    assert np.array_equal(decoded(paths, FRAME, tmp_path, progress=False).pixels, slowly)


CHILD = """
import os, sys, time
from fddkit.reading import chunks, image_cache
from fddkit.reading.frame import Frame
real = chunks.decode
def slow(path, frame):
    time.sleep(0.002)
    return real(path, frame)
chunks.decode = slow
image_cache.decoded(open(sys.argv[1]).read().split("\\n"), Frame(8, 8), sys.argv[2], 1, False)
"""


def test_it_goes_on_after_a_kill(paths, slowly, tmp_path, monkeypatch):
    (tmp_path / "paths").write_text("\n".join(paths))
    arguments = [sys.executable, "-c", CHILD, str(tmp_path / "paths"), str(tmp_path)]
    child = subprocess.Popen(arguments)
    until = time.monotonic() + 120
    while time.monotonic() < until:
        journals = list(tmp_path.glob("images-*.jsonl"))
        if journals and len(journals[0].read_text().splitlines()) >= 3:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    made = counted(monkeypatch)
    found = decoded(paths, FRAME, tmp_path, progress=False)
    assert np.array_equal(found.pixels, slowly)
    assert 0 < len(made) <= len(paths) - 2 * CHUNK


APART = """
import sys
from fddkit.reading import decoding_pool, image_cache
from fddkit.reading.frame import Frame
image_cache.decoded(open(sys.argv[1]).read().split("\\n") * 20, Frame(8, 8), sys.argv[2], 2, False)
"""


def test_it_goes_on_after_a_kill_while_processes_decode(paths, slowly, tmp_path, monkeypatch):
    (tmp_path / "paths").write_text("\n".join(paths))
    child = subprocess.Popen([sys.executable, "-c", APART, str(tmp_path / "paths"), str(tmp_path)])
    until = time.monotonic() + 120
    while time.monotonic() < until:
        journals = list(tmp_path.glob("images-*.jsonl"))
        if journals and len(journals[0].read_text().splitlines()) >= 3:
            break
        time.sleep(0.01)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    _, journal = files_of(tmp_path)
    kept = {json.loads(line)["chunk"] for line in journal.read_text().splitlines()[1:-1]}
    asked = []
    real = image_cache.decode_chunks
    monkeypatch.setattr(
        image_cache, "decode_chunks", lambda c, *rest: asked.extend(c) or real(c, *rest)
    )
    found = decoded(paths * 20, FRAME, tmp_path, progress=False)
    assert np.array_equal(found.pixels, np.concatenate([slowly] * 20))
    assert len(found.faults) == 40
    assert 0 < len(asked) <= -(-20 * len(paths) // CHUNK) - len(kept)


def test_two_processes_make_it_once_each_gets_it_all(paths, slowly, tmp_path):
    (tmp_path / "paths").write_text("\n".join(paths))
    arguments = [sys.executable, "-c", CHILD, str(tmp_path / "paths"), str(tmp_path)]
    children = [subprocess.Popen(arguments) for _ in range(2)]
    assert [child.wait() for child in children] == [0, 0]
    _, journal = files_of(tmp_path)
    assert len(journal.read_text().splitlines()) == 5
    assert np.array_equal(decoded(paths, FRAME, tmp_path, progress=False).pixels, slowly)


def test_a_cache_that_cannot_be_written(paths, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(FddkitError, match="cannot write"):
        decoded(paths[:3], FRAME, tmp_path / "file", progress=False)
    with pytest.raises(FddkitError, match="workers=0"):
        decoded(paths[:3], FRAME, tmp_path, workers=0, progress=False)


def test_the_second_load_takes_no_time_to_speak_of(paths, tmp_path):
    many = [path for i in range(25) for path in paths]  # 20,000 names
    decoded(many, Frame(4, 4), tmp_path, progress=False)
    start = time.process_time()
    found = decoded(many, Frame(4, 4), tmp_path, progress=False)
    assert time.process_time() - start < 2  # 0.2 on a machine with nothing else to do
    assert len(found.pixels) == len(many)


@pytest.mark.parametrize(
    "error",
    [MemoryError(), OSError(errno.EMFILE, "Too many open files"), OSError(errno.EIO, "I/O error")],
)
@pytest.mark.parametrize("inside", ["open", "Pillow"])
def test_a_fault_that_passes_is_not_kept(paths, tmp_path, monkeypatch, error, inside):
    some = [path for path in paths[: CHUNK + 20] if not path.endswith("/5.png")]
    bad = CHUNK + 7
    wanted = decoded(some, FRAME, False, 1, progress=False)

    def failing(path, largest):
        if path != some[bad]:
            return real(path, largest)
        if inside == "Pillow":
            raise error
        try:
            raise error
        except (OSError, MemoryError) as cause:  # as read_bytes says it
            raise FddkitError(f"cannot read {path}: {cause}") from cause

    real = decoding.read_bytes
    monkeypatch.setattr(decoding, "read_bytes", failing)
    found = decoded(some, FRAME, tmp_path, 1, progress=False)
    assert found.faults.keys() - wanted.faults.keys() == {bad}
    monkeypatch.undo()
    made = counted(monkeypatch)
    again = decoded(some, FRAME, tmp_path, 1, progress=False)
    assert sorted(made) == sorted(some[CHUNK:])  # that chunk only
    assert again.faults == wanted.faults
    assert np.array_equal(again.pixels, wanted.pixels)
    made.clear()
    decoded(some, FRAME, tmp_path, 1, progress=False)
    assert not made


def test_a_missing_file_is_kept_as_missing(paths, tmp_path, monkeypatch):
    lost = [str(tmp_path / "lost.png"), f"{paths[0]}/below.png", str(tmp_path / ("x" * 300))]
    before = decoded(lost, FRAME, tmp_path, progress=False)
    made = counted(monkeypatch)
    assert decoded(lost, FRAME, tmp_path, progress=False).faults == before.faults
    assert not made


def test_the_cache_is_a_folder(paths):
    with pytest.raises(FddkitError, match="cache=5 is no folder"):
        decoded(paths[:3], FRAME, 5, progress=False)
