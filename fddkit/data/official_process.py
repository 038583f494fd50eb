"""Reading foreign ``.pt`` files in a separate process, whose answer is not trusted either.

The process runs `official_reader`, isolated from the environment and from all packages, within
limits of memory and time (of time only where the system has no `resource` limits, as on Windows).
It ends with its parent. Whatever goes wrong in it becomes one sentence.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from math import prod
from pathlib import Path
from threading import Timer
from typing import Any, BinaryIO

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.reading import read_bytes

SECONDS = 120  # to start Python and read a file, with a margin for slow machines
MEMORY = 2**30  # bytes of address space, beyond four times the file
MOST = 2**31  # bytes of a file: fifty times the largest set of the official codes

KNOWN = "a set of the official DC, DSA, DM, CAFE, FairDD, MTT, IDC or DREAM code"
_READER = Path(__file__).with_name("official_reader.py")
_KEPT = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")  # Python may not start without these
_HEADER = 4096  # bytes
_DTYPES = {
    str(dtype).removeprefix("torch."): dtype
    for dtype in (
        *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
        *(torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8),
    )
}
_NOT = f"{{path}} is not {KNOWN}: %s; give a file that one of them saved"
_SENTENCES = {  # by the word that `official_reader` or `_ask` returns
    "other": _NOT % "torch.save did not write it",
    "damaged": _NOT % "it is damaged",
    "more": _NOT % "it holds more than plain data, {detail}",
    "memory": _NOT % "reading it took more than {memory:.2g} GiB of memory",
    "seconds": _NOT % "reading it took more than {seconds:g} s",
    "crash": _NOT % "it crashed its reader ({detail})",
    "answer": _NOT % "its reader gave no proper answer",
    "unpacks": "{path} unpacks to more than it holds ({detail} bytes of {size}), which no file of "
    "torch.save does; do not trust it",
    "experiment": "{path} holds {detail} sets, numbered from 0, and no experiment {experiment}; "
    "choose one of them",
    "structure": "{path} does not hold images and labels as any known code saves them; "
    f"it is not {KNOWN}",
    "special": "the {detail} of {path} are not a plain tensor; save them as one",
    "repeats": "the {detail} of {path} repeat themselves; save a plain tensor",
}


@dataclass(frozen=True)
class Contents:
    """The contents of a file.

    Attributes
    ----------
    format : {"dc", "mtt", "idc"}
        See `fddkit.data.official_sets`.
    arrays : list of Tensor
        Images and labels, or one of the two (MTT); of any shape and values.
    data : bytes
        The file.
    """

    format: str
    arrays: list[Tensor]
    data: bytes


def contents(path: Path, experiment: int = 0) -> Contents:
    """Read a file written by torch.save.

    Parameters
    ----------
    path : Path
        The file.
    experiment : int
        Which of several sets in it.

    Returns
    -------
    Contents

    Raises
    ------
    FddkitError
        If it is missing, not a regular file, or anything but a set in a known format.
    """
    data = read_bytes(path, MOST)
    memory = MEMORY + 4 * len(data)
    try:
        header, arrays = _ask(data, experiment, memory)
    except OSError as error:
        raise FddkitError(
            f"cannot start the process that reads {path}: {error.strerror or error}; "
            "end some other processes and try again"
        ) from error
    if "refused" not in header:
        return Contents(header["format"], arrays, data)
    sentence = _SENTENCES[header["refused"]].format(
        path=path,
        size=len(data),
        experiment=experiment,
        memory=memory / 2**30,
        seconds=SECONDS,
        detail=header.get("detail", "something else"),
    )
    raise FddkitError(sentence)


def _ask(data: bytes, experiment: int, memory: int) -> tuple[dict[str, Any], list[Tensor]]:
    """Have a process read a file; return the header, and the arrays unless it refused."""
    limits = [str(n) for n in (len(data), experiment, memory, SECONDS)]
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", _READER, *limits],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={name: os.environ[name] for name in _KEPT if name in os.environ},
    )
    end, late = time.monotonic() + SECONDS, Timer(SECONDS, process.kill)
    late.daemon = True
    try:
        late.start()
        with suppress(OSError):  # it has ended, perhaps after saying why
            process.stdin.write(data)
            process.stdin.flush()
        answer = _answer(process.stdout, len(data))
        if answer is not None:
            return answer
        code = process.wait()
    finally:
        late.cancel()
        process.kill()
        with suppress(OSError):
            process.stdin.close()
        process.stdout.close()
        process.wait()
    if time.monotonic() >= end:
        return {"refused": "seconds"}, []
    if code:
        return {"refused": "crash", "detail": _named(code)}, []
    return {"refused": "answer"}, []


def _named(code: int) -> str:
    """Return how a process ended."""
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"status {code}"


def _answer(stream: BinaryIO, most: int) -> tuple[dict[str, Any], list[Tensor]] | None:
    """Return the header and the arrays; None unless everything is valid."""
    try:
        header = json.loads(stream.readline(_HEADER))
        if "refused" in header:
            refusal = _refusal(header)
            return refusal and (refusal, [])
        kind, heads = header["format"], header["arrays"]
        if kind not in ("dc", "mtt", "idc") or len(heads) != (1 if kind == "mtt" else 2):
            return None
        types = [(_DTYPES[head["dtype"]], list(head["shape"])) for head in heads]
        if any(type(n) is not int or not 0 <= n <= most for _, shape in types for n in shape):
            return None
        sizes = [dtype.itemsize * prod(shape) for dtype, shape in types]
        if sum(sizes) > most:  # more than the file holds
            return None
        arrays = []
        for (dtype, shape), size in zip(types, sizes, strict=True):
            numbers = bytearray(size)
            if stream.readinto(numbers) != size:
                return None
            whole = torch.frombuffer(numbers, dtype=dtype) if size else torch.empty(0, dtype=dtype)
            arrays.append(whole.reshape(shape))
    except (ValueError, KeyError, TypeError, RuntimeError):  # RecursionError among the last
        return None
    return (header, arrays) if stream.read(1) == b"" else None


def _refusal(header: dict[str, Any]) -> dict[str, Any] | None:
    """Return a refusal with only the expected words in it."""
    if header["refused"] not in _SENTENCES:
        return None
    refusal, detail = {"refused": header["refused"]}, str(header["detail"])
    if re.fullmatch(r"[\w.]{1,100}", detail, re.ASCII):
        refusal["detail"] = detail
    return refusal
