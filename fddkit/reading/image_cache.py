"""Many image files decoded at once, into a memory-mapped file that the next load finds.

Work that was killed goes on where it stopped; changed files and damage are made again, each with
its chunk only. How the file looks is in `image_file`, who decodes in `decoding_pool`.
"""

import json
import os
import shutil
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from ..core import files
from ..core.cache import code, folder_of
from ..core.errors import FddkitError
from ..core.locks import cannot_write, locked
from ..core.numbers import whole
from ..core.reading import clip
from . import chunks
from .decoding import pillow
from .decoding_pool import decode_chunks, default_workers
from .frame import Frame
from .image_file import FORMAT, Layout, journal, read

Line = dict[str, Any]  # of the journal
Store = Callable[[int, np.ndarray], None]  # of images, from a position on


@dataclass
class Images:
    """Decoded files.

    Attributes
    ----------
    pixels : ndarray
        uint8 [N, C, H, W], memory-mapped (changes are not written to the file); zeros for a file
        that could not be read.
    faults : dict of int to str
        Why not, for each of those.
    notes : dict of str to int
        What was done to how many others.
    """

    pixels: np.ndarray
    faults: dict[int, str] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)


@dataclass
class _Work:
    """What is to be decoded.

    Attributes
    ----------
    first : dict
        What the pixels depend on: the names of the files, the frame, our code, and Pillow.
    like : list of str
        What the files of each chunk are like now: their times and sizes.
    """

    paths: Sequence[str]
    layout: Layout
    first: dict[str, Any]
    like: list[str]


def decoded(
    paths: Sequence[str],
    frame: Frame,
    cache: str | os.PathLike | bool | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> Images:
    """Decode image files in parallel, or find them decoded.

    Parameters
    ----------
    paths : sequence of str
        The files.
    frame : Frame
        What to make of each.
    cache : path-like or False, optional
        The folder of the cache, see `fddkit.core.cache.folder_of`. False: decode into memory.
    workers : int, optional
        Number of processes (threads, if there are few files); by default one per core, at most
        16. 1: decode in this process.
    progress : bool
        Show a bar.

    Returns
    -------
    Images

    Raises
    ------
    FddkitError
        If the cache cannot be written.
    """
    if cache is not None and not isinstance(cache, bool | str | os.PathLike):
        raise FddkitError(f"cache={clip(repr(cache))} is no folder; give its path, or False")
    workers = default_workers() if workers is None else workers
    whole("workers", workers)
    pillow()
    if not paths:
        return Images(np.zeros((0, *frame.shape), dtype=np.uint8))
    work = _work(paths, frame)
    if cache is False:
        pixels = np.zeros(work.layout.shape, dtype=np.uint8)

        def store(start: int, block: np.ndarray) -> None:
            pixels[start : start + len(block)] = block

        return _gathered(
            pixels, list(_made(work, range(work.layout.chunks), workers, progress, store))
        )
    file = folder_of(None if cache is True else cache) / f"images-{work.first['key'][:16]}.u8"
    found, lines = read(file, work.first, work.layout, work.like)
    passing: dict[int, Line] = {}
    if len(lines) < work.layout.chunks:
        with locked(file):
            found, lines = read(file, work.first, work.layout, work.like)  # perhaps made meanwhile
            try:
                passing = _complete(file, work, lines, workers, progress)
            except OSError as error:
                raise cannot_write(file, error) from error
            found, lines = read(file, work.first, work.layout, work.like)
            lines |= passing
    if found is None or len(lines) < work.layout.chunks:
        raise FddkitError(f"{file} changes while it is read; check the disk, and try again")
    return _gathered(found, lines.values())


def _work(paths: Sequence[str], frame: Frame) -> _Work:
    from PIL import __version__

    layout = Layout(len(paths), frame)
    named = list(map(os.path.abspath, paths))
    first = {"format": FORMAT, "code": code(chunks.__name__), "pillow": __version__}
    first |= {"n": len(paths), "frame": asdict(frame)}
    first["folder"] = clip(os.path.commonpath(map(os.path.dirname, (min(named), max(named)))), 300)
    first["key"] = files.digest(json.dumps(first["frame"]), _valid("\0".join(named)))
    stamps = list(map(_stamp, paths))
    parts = map(layout.part, range(layout.chunks))
    return _Work(paths, layout, first, [files.digest(*stamps[part])[:16] for part in parts])


def _stamp(path: str) -> str:
    """Return what changes with a file; its right to be read changes the second time."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return "missing"
    return f"{status.st_mtime_ns} {status.st_ctime_ns} {status.st_size}"


def _complete(
    file: Path, work: _Work, lines: dict[int, Line], workers: int, progress: bool
) -> dict[int, Line]:
    """Decode the chunks that are missing; each is in the journal as soon as it is on the disk.

    Those with a fault that may pass are returned instead: the next load makes them again.
    """
    todo = [i for i in range(work.layout.chunks) if i not in lines]
    passing: dict[int, Line] = {}
    if not todo:
        return passing
    # into a new file: a data set that is in use has mapped the old one, and must not change
    if lines:
        with files.atomic(file) as copy:
            shutil.copyfile(file, copy)
    else:
        files.remove(file)
    # whole lines only, so that the next one does not continue one that was cut off
    with files.atomic(journal(file)) as temporary:
        texts = map(json.dumps, (work.first, *lines.values()))
        temporary.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    # written, not mapped: a full disk is then an error, where a mapping would end the process
    pixels = os.open(file, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        os.ftruncate(pixels, int(np.prod(work.layout.shape)))

        def store(start: int, block: np.ndarray) -> None:
            data, place = memoryview(block).cast("B"), start * block[0].size
            while data:
                done = os.pwrite(pixels, data, place)
                data, place = data[done:], place + done

        with open(journal(file), "a", encoding="utf-8") as told:
            for line in _made(work, todo, workers, progress, store):
                if line.pop("passing"):
                    passing[line["chunk"]] = line
                    continue
                told.write(json.dumps(line) + "\n")
                told.flush()
    finally:
        os.close(pixels)
    return passing


def _made(
    work: _Work, todo: Sequence[int], workers: int, progress: bool, store: Store
) -> Iterator[Line]:
    """Decode and store chunks in any order; yield the journal's line of each, and if it passes."""
    parts = [work.layout.part(i) for i in todo]
    done = work.layout.n - sum(part.stop - part.start for part in parts)
    bar = tqdm(total=work.layout.n, initial=done, desc="images", unit="image", disable=not progress)
    paths = [work.paths[part] for part in parts]
    with bar, closing(decode_chunks(paths, work.layout.frame, workers)) as made:
        for i, chunk in made:
            start = parts[i].start
            store(start, chunk.pixels)
            bar.update(len(chunk.pixels))
            yield {
                "chunk": todo[i],
                "files": work.like[todo[i]],
                "crc": zlib.crc32(chunk.pixels),
                "faults": {str(start + int(j)): _valid(said) for j, said in chunk.faults.items()},
                "notes": chunk.notes,
                "passing": chunk.passing,
            }


def _valid(text: str) -> str:
    """Return a text that JSON can hold: names of files may have bytes that are no characters."""
    return text.encode(errors="backslashreplace").decode()


def _gathered(pixels: np.ndarray, lines: Any) -> Images:
    images = Images(pixels)
    notes: Counter[str] = Counter()
    for line in lines:
        images.faults.update({int(i): reason for i, reason in line["faults"].items()})
        notes.update(line["notes"])
    images.notes = dict(sorted(notes.items()))
    return images
