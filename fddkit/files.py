"""Files that appear whole or not at all, and fingerprints of what they hold."""

import hashlib
import json
import os
import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from torch import Tensor

from .errors import FddkitError

FORMAT = 1  # of the safetensors files; raised when an older fddkit could misread a newer file


@contextmanager
def atomic(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path that becomes ``path`` when the block succeeds.

    Parameters
    ----------
    path : path-like
        Where the file is to appear; missing parent folders are made.

    Yields
    ------
    Path
        A file beside ``path`` to write to. It is flushed to disk and renamed into place on
        success, and removed on any failure, so a reader never sees half a file.

    Raises
    ------
    FddkitError
        If the folder cannot be made or written to, or the disk is full.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
        os.close(handle)
        temporary = Path(name)
        yield temporary
        with open(temporary, "rb") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o666 & ~mask)  # mkstemp makes files private to the user
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise FddkitError(
            f"cannot write {path}: {error.strerror or error}; "
            "free some space or choose a folder that you may write to"
        ) from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def write_json(path: str | os.PathLike, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    value : Any
        Anything JSON can hold; NaN and infinity are refused, since other readers refuse them.
    """
    text = json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: str | os.PathLike) -> Any:
    """Read a JSON file.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    Any
        What it holds.

    Raises
    ------
    FddkitError
        If the file is missing, unreadable or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise FddkitError(f"{path} is not valid JSON ({error}); write it anew") from error


def digest(*parts: bytes | str | memoryview) -> str:
    """Return the sha256 of the parts, each framed by its length.

    Parameters
    ----------
    *parts : bytes, str or memoryview
        What to fingerprint, in order.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    state = hashlib.sha256()
    for part in parts:
        data = memoryview(part.encode() if isinstance(part, str) else part).cast("B")
        state.update(len(data).to_bytes(8, "big"))
        state.update(data)
    return state.hexdigest()


def write_tensors(path: str | os.PathLike, tensors: dict[str, Tensor], header: dict) -> Path:
    """Write tensors and a JSON header as one safetensors file, atomically.

    Parameters
    ----------
    path : path-like
        The file.
    tensors : dict of str to Tensor
        Any device.
    header : dict
        Anything JSON can hold.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FddkitError
        If it cannot be written.
    """
    from safetensors.torch import save

    data = save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()},
        metadata={"fddkit": json.dumps({"format": FORMAT, **header})},
    )
    with atomic(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def read_tensors(path: str | os.PathLike) -> tuple[dict[str, Tensor], dict]:
    """Read what `write_tensors` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    header : dict
        Its JSON header.

    Raises
    ------
    FddkitError
        If the file is missing, truncated, not one of fddkit's, or of a newer format.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise FddkitError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        tensors = load(data)
        size = struct.unpack("<Q", data[:8])[0]
        metadata = json.loads(data[8 : 8 + size]).get("__metadata__", {})
        header = json.loads(metadata["fddkit"])
        newer = header["format"] > FORMAT
    except (SafetensorError, KeyError, TypeError, ValueError, struct.error) as error:
        raise FddkitError(
            f"{path} is truncated or not a file of fddkit ({type(error).__name__}); "
            "write it anew with `fddkit distill`"
        ) from error
    if newer:
        raise FddkitError(
            f"{path} has format {header['format']}, but this fddkit reads up to {FORMAT}; "
            "update fddkit"
        )
    return tensors, header
