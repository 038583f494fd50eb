"""Decodes chunks of image files, in a process that `decoding_pool` starts by this file's path.

It imports Pillow and numpy, and of the package only what decoding needs: the package's own face
imports torch, which takes longer than decoding ten thousand small images.

The first line of its input is what to make of each image, each further one a chunk's paths. Each
answer is a line with what `decode_chunk` said of the chunk, and then its pixels.
"""

import json
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType


def serve() -> None:
    """Answer until the input ends, or the process that started this one does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for the parent, which then ends us
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed is no answer
    order = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = order["path"]
    package = Path(__file__).parents[1]
    for name, place in (
        ("", package),
        (".core", package / "core"),
        (".reading", package / "reading"),
    ):
        face = ModuleType(f"fddkit{name}")  # an empty one
        face.__path__ = [str(place)]
        sys.modules[face.__name__] = face
    import_module("fddkit.core.processes").end_with(order["parent"])
    decoding = import_module("fddkit.reading.decoding")
    chunks = import_module("fddkit.reading.chunks")
    frame = import_module("fddkit.reading.frame").Frame(**order["frame"])
    answers.write(b"ready\n")
    answers.flush()
    with decoding.quiet():
        for line in sys.stdin.buffer:
            chunk = chunks.decode_chunk(json.loads(line), frame)
            answers.write(json.dumps(chunk[1:]).encode() + b"\n")
            answers.write(chunk.pixels)
            answers.flush()


if __name__ == "__main__":
    serve()
