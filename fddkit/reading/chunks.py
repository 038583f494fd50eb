"""Some image files decoded one after another."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ..core.errors import FddkitError
from .decoding import decode
from .faults import Transient
from .frame import Frame


class Chunk(NamedTuple):
    """Decoded files.

    Attributes
    ----------
    pixels : ndarray
        uint8 [N, C, H, W]; zeros for a file that could not be read.
    faults : dict of str to str
        Why not, for each of those, by its position: a text, as JSON has it.
    notes : dict of str to int
        What was done to how many others.
    passing : bool
        Whether one of the faults may not be there the next time.
    """

    pixels: np.ndarray
    faults: dict[str, str]
    notes: dict[str, int]
    passing: bool = False


def decode_chunk(paths: Sequence[str], frame: Frame) -> Chunk:
    """Decode files, see `fddkit.reading.decoding.decode`; those that cannot be read are said."""
    pixels = np.zeros((len(paths), *frame.shape), dtype=np.uint8)
    faults: dict[str, str] = {}
    notes: Counter[str] = Counter()
    passing = False
    for i, path in enumerate(paths):
        try:
            pixels[i], said = decode(path, frame)
            notes.update(said)
        except FddkitError as error:
            faults[str(i)] = str(error)
            passing |= isinstance(error, Transient)
    return Chunk(pixels, faults, dict(notes), passing)
