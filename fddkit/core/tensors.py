"""Tensor files: safetensors with a typed header, and a seal (a sha256) over both."""

import json
import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from .errors import Damaged, FddkitError, NewerFormat
from .files import Look, atomic, digest
from .kinds import Kind
from .reading import LARGEST, clip, conform, parse_json, read_bytes

FORMAT = 2  # raised when an older fddkit could misread a newer file; 1 had no seal and no kind

_MARK = b'{"fddkit":"{'  # near the beginning of each of our files, after {"__metadata__":
_LARGEST_HEADER = 64 * 2**20


def seal(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> str:
    """Return the sha256 of tensors and header.

    Parameters
    ----------
    tensors : mapping of str to Tensor
        Contiguous, on the CPU.
    header : mapping
        Anything JSON can hold; an entry ``sha256`` is ignored.

    Returns
    -------
    str
        64 hexadecimal digits.
    """
    rest = {k: v for k, v in header.items() if k != "sha256"}
    parts: list[Any] = [json.dumps(rest, sort_keys=True, allow_nan=False)]
    for name in sorted(tensors):
        tensor = tensors[name]
        content = tensor.reshape(-1).view(torch.uint8).numpy().data if tensor.numel() else b""
        parts += [name, str(tensor.dtype), str(list(tensor.shape)), content]
    return digest(*parts)


def write_tensors(
    path: str | os.PathLike,
    kind: Kind,
    tensors: Mapping[str, Tensor],
    header: Mapping[str, Any],
    look: Look | None = None,
) -> Path:
    """Write tensors and a header as one safetensors file, atomically, with their seal.

    Parameters
    ----------
    path : path-like
        The file.
    kind : Kind
        What kind of file to write.
    tensors : mapping of str to Tensor
        Any device.
    header : mapping
        Anything JSON can hold.
    look : callable, optional
        See `fddkit.core.files.atomic`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FddkitError
        If it cannot be written or is too large, or tensors or header do not match the kind.

    See Also
    --------
    read_tensors : The inverse.

    Examples
    --------
    >>> import tempfile
    >>> from fddkit.core.kinds import Array
    >>> toy = Kind("toy", "a toy", "give another file", {"x": Array(("float32",), ("n",))})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "toy.safetensors")
    ...     _ = write_tensors(path, toy, {"x": torch.ones(2)}, {"by": "me"})
    ...     tensors, header = read_tensors(path, toy)
    >>> tensors, header["by"]
    ({'x': tensor([1., 1.])}, 'me')
    """
    data = _content(path, kind, tensors, header)
    with atomic(path, look) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def _content(
    path: str | os.PathLike, kind: Kind, tensors: Mapping[str, Tensor], header: Mapping[str, Any]
) -> bytes:
    """Return the content of a file, after the checks that its reader will make."""
    from safetensors.torch import save

    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    given = {"format": FORMAT, "kind": kind.name, **header}
    text = json.dumps(given, allow_nan=False)
    parsed = parse_json(text, "its header")
    try:
        kind.check(plain, parsed)
    except ValueError as error:
        raise FddkitError(
            f"{kind.title} cannot be saved in {path}: {clip(error)}; if numbers are no longer "
            "finite, choose a smaller lr"
        ) from error
    text = json.dumps({**parsed, "sha256": seal(plain, parsed)})
    data = save(plain, metadata={"fddkit": text})
    try:
        _parsed(data)  # the text is longer there, because its quotation marks are escaped
        if len(data) > LARGEST:
            raise ValueError(f"it has {len(data):,} bytes")
    except ValueError as error:
        raise FddkitError(
            f"{kind.title} cannot be saved in {path}, because it could not be read again "
            f"({clip(error)}); give it less, or say less of it"
        ) from error
    return data


def read_tensors(
    path: str | os.PathLike, kind: Kind, sizes: Mapping[str, int] | None = None
) -> tuple[dict[str, Tensor], dict]:
    """Read a file that `write_tensors` wrote, and check that it is intact.

    Parameters
    ----------
    path : path-like
        The file.
    kind : Kind
        What it should be.
    sizes : mapping of str to int, optional
        Values of sizes named by the kind, as far as they are known.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    header : dict
        The header.

    Raises
    ------
    FddkitError
        If the file is missing, damaged, of another kind or of a newer format.

    See Also
    --------
    write_tensors : With an example of both.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    data = read_bytes(path)
    header = _header(data, path, kind)
    try:
        tensors = load(data)
        if "sha256" in header and header["sha256"] != seal(tensors, header):
            raise ValueError("its content is not what was written")
        kind.check(tensors, header, sizes)
    except (SafetensorError, ValueError, TypeError, KeyError, RuntimeError, OverflowError) as error:
        raise _damaged(path, kind, error) from error
    except MemoryError as error:
        raise FddkitError(
            f"cannot read {path}: not enough memory for its tensors; free some"
        ) from error
    return tensors, header


def read_header(path: str | os.PathLike, kind: Kind | None = None) -> dict:
    """Read the header of a tensor file, and nothing else.

    Parameters
    ----------
    path : path-like
        The file.
    kind : Kind, optional
        What it should be.

    Returns
    -------
    dict
        Not checked against the seal, which also covers the tensors.

    Raises
    ------
    FddkitError
        As `read_tensors`.
    """
    begin = read_bytes(path, first=8)
    size = int.from_bytes(begin, "little")
    return _header(read_bytes(path, first=8 + min(size, _LARGEST_HEADER)), path, kind)


def only(kind: Kind) -> Look:
    """Return a look (see `fddkit.core.files.atomic`) that lets files of one kind be replaced.

    Parameters
    ----------
    kind : Kind
        The kind; damaged and empty files may be replaced too.

    Returns
    -------
    callable
    """

    def look(path: Path) -> None:
        if not may_replace(path, kind):
            raise FddkitError(
                f"{path} is not {kind.title} of fddkit, and is kept; choose another name"
            )

    return look


def may_replace(path: Path, kind: Kind) -> bool:
    """Return whether a file is of a kind, or was one before it was damaged.

    Parameters
    ----------
    path : Path
        The file.
    kind : Kind
        What it should be.

    Returns
    -------
    bool
        Also True for an empty file, in which there is nothing to lose.
    """
    try:
        header = read_header(path)
    except NewerFormat:
        return False
    except FddkitError:
        return not read_bytes(path, first=1) or is_marked(path)
    try:
        conform(header, {"kind?": str, **kind.header})
    except ValueError:
        return False
    return header.get("kind", kind.name) == kind.name


def is_marked(path: Path) -> bool:
    """Return whether a file begins as ours do, even if it is damaged."""
    return _MARK in read_bytes(path, first=64)


def _header(data: bytes, path: str | os.PathLike, kind: Kind | None) -> dict:
    """Return the header from the content of a file, or from its beginning."""
    try:
        header = _parsed(data)
        conform(header, {"format": int}, "its header")
        if header["format"] < 1:
            raise ValueError(f"there is no format {header['format']:g}")
        if header["format"] > 1:
            conform(header, {"kind": str, "sha256": str}, "its header")
    except (ValueError, struct.error) as error:
        raise _damaged(path, kind, error) from error
    if header["format"] > FORMAT:
        raise NewerFormat(
            f"{path} has format {header['format']}, but this fddkit reads up to {FORMAT}; "
            "update fddkit"
        )
    if kind is not None and header.get("kind", kind.name) != kind.name:
        raise _damaged(path, kind, f"its kind is {clip(header['kind'], 40)!r}")
    return header


def _parsed(data: bytes) -> Any:
    """Return the header from the content of a file, whatever it says."""
    size = struct.unpack("<Q", data[:8])[0]
    if size > len(data) - 8:
        raise ValueError("it is truncated")
    outer = parse_json(data[8 : 8 + size], "its first part")
    conform(outer, {"__metadata__": {"fddkit": str}}, "its first part")
    return parse_json(outer["__metadata__"]["fddkit"], "its header")


def _damaged(path: str | os.PathLike, kind: Kind | None, error: object) -> FddkitError:
    reason = clip(str(error).splitlines()[0] if str(error) else type(error).__name__)
    title, advice = (kind.title, kind.advice) if kind else ("a file", "write it again")
    return Damaged(f"{path} is truncated or not {title} of fddkit ({reason})", advice)
