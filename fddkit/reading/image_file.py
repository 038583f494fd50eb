"""Decoded images on the disk: a file of pixels and a journal, and how much of them is whole.

The pixels (``images-<key>.u8``) are mapped, not read. The journal's first line says what they are
of; each further one is of a chunk: what its files were like, the checksum of its pixels, what could
not be read, and what was done to the rest. A chunk counts only if its files are still like that and
its pixels have that checksum.
"""

import re
import zlib
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ..core.errors import FddkitError
from ..core.locks import is_locked
from ..core.reading import clip, conform, parse_json, read_bytes
from .frame import Frame

FORMAT = 2
NAME = re.compile(r"images-[0-9a-f]{16}\.(u8|jsonl)")
MOST_IN_A_CHUNK = 256  # images
_LARGEST_CHUNK = 16 * 2**20  # bytes
_LINE = {"chunk": int, "files": str, "crc": int, "faults": {str: str}, "notes": {str: int}}
_FIRST = {"format": int, "n": int, "folder": str}
_FIRST["frame"] = {"height": int, "width": int, "fit": str, "channels": str}


@dataclass(frozen=True)
class Layout:
    """Where images are in a file.

    Attributes
    ----------
    n : int
        How many there are.
    frame : Frame
        What each is like.
    """

    n: int
    frame: Frame

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (N, C, H, W) of all."""
        return (self.n, *self.frame.shape)

    @property
    def per_chunk(self) -> int:
        """How many images are decoded, and found to be whole or not, together."""
        return max(1, min(MOST_IN_A_CHUNK, _LARGEST_CHUNK // prod(self.frame.shape)))

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.n // self.per_chunk)

    def part(self, chunk: int) -> slice:
        """Return the images of a chunk."""
        return slice(chunk * self.per_chunk, min(self.n, (chunk + 1) * self.per_chunk))


class Stored(NamedTuple):
    """What is on the disk.

    Attributes
    ----------
    pixels : ndarray or None
        uint8 [N, C, H, W], memory-mapped (changes are not written to the file).
    lines : dict of int to dict
        The journal's line of each chunk that is whole.
    """

    pixels: np.ndarray | None
    lines: dict[int, dict[str, Any]]


def journal(file: Path) -> Path:
    """Return the path of the journal that stands beside pixels."""
    return file.with_suffix(".jsonl")


def read(
    file: Path, first: dict[str, Any], layout: Layout, like: Sequence[str] | None = None
) -> Stored:
    """Return what is whole of decoded images.

    Parameters
    ----------
    file : Path
        The pixels.
    first : dict
        What the first line of the journal must be.
    layout : Layout
        Where they are.
    like : sequence of str, optional
        What the files of each chunk are like now. None: whatever they were like.

    Returns
    -------
    Stored
        With nothing in it, if they are something else.
    """
    lines: dict[int, dict[str, Any]] = {}
    try:
        head, *rest = read_bytes(journal(file)).splitlines()
        if parse_json(head, file) != first or file.stat().st_size != prod(layout.shape):
            return Stored(None, {})
        pixels = np.memmap(file, dtype=np.uint8, mode="c", shape=layout.shape)
    except (FddkitError, OSError, ValueError):
        return Stored(None, {})
    for text in rest:
        with suppress(ValueError):  # the last one may be cut off
            line = parse_json(text, file)
            conform(line, _LINE)
            chunk = line["chunk"]
            if not 0 <= chunk < layout.chunks or (like and line["files"] != like[chunk]):
                continue
            part = layout.part(chunk)
            inside = all(part.start <= int(i) < part.stop for i in line["faults"])
            if inside and zlib.crc32(pixels[part]) == line["crc"]:
                lines[chunk] = line
    return Stored(pixels, lines)


def state(file: Path) -> tuple[str, str]:
    """Return whether decoded images are whole, and what they were made from, both in words.

    Parameters
    ----------
    file : Path
        The pixels.

    Returns
    -------
    state : str
        ``"whole"``, ``"interrupted"``, ``"in use"`` (by a process that completes them) or
        ``"damaged"``; the next load makes again whatever is missing or damaged.
    made : str
        How many images of which folder.
    """
    if is_locked(file):
        return "in use", ""
    try:
        head, *rest = read_bytes(journal(file)).splitlines() or [b""]
        first = parse_json(head, file)
        conform(first, _FIRST)
        frame = Frame.of(
            (first["frame"]["height"], first["frame"]["width"]),
            first["frame"]["fit"],
            first["frame"]["channels"],
        )
        layout = Layout(first["n"], frame)
        stored = read(file, first, layout)
    except ValueError:  # FddkitError is one
        return "damaged", ""
    made = f"{layout.n:,} image{'s' * (layout.n != 1)} of {clip(first['folder'], 60)}"
    if len(stored.lines) == layout.chunks:
        return "whole", made
    return "damaged" if stored.pixels is None or len(rest) >= layout.chunks else "interrupted", made
