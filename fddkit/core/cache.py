"""The cache of results that runs share: trained experts, encoders and extractors."""

import ast
import json
import os
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from .entries import used
from .errors import Damaged, FddkitError
from .files import digest, keep_whole, remove
from .locks import locked
from .reading import clip, is_file
from .tensors import Kind, read_tensors, write_tensors
from .versions import PACKAGE

#: What torch and Python raise when tensors do not fit.
MISFITS = (KeyError, IndexError, TypeError, ValueError, RuntimeError)
T = TypeVar("T")


def artifact(folder: str | os.PathLike | None, kind: str, identity: dict[str, Any]) -> Path:
    """Return the path of a result that is identified by what it is computed from.

    Parameters
    ----------
    folder : path-like or None
        None means ``$FDDKIT_CACHE``, or else ``$XDG_CACHE_HOME/fddkit``, or
        ``~/.cache/fddkit``.
    kind : str
        What it is; the first part of the file's name.
    identity : dict
        Everything that the content depends on, see `identify`; anything JSON can hold.

    Returns
    -------
    Path
        ``<kind>-<16 hexadecimal digits>.safetensors`` in the folder; neither need exist.

    Examples
    --------
    >>> artifact("cache", "encoder", {"seed": 0}).name
    'encoder-6ca7568f713da1a1.safetensors'
    """
    name = digest(json.dumps(identity, sort_keys=True, allow_nan=False))[:16]
    return folder_of(folder) / f"{kind}-{name}.safetensors"


def folder_of(given: str | os.PathLike | None = None) -> Path:
    """Return the given folder, or else the default one; it need not exist."""
    named = given or os.environ.get("FDDKIT_CACHE")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CACHE_HOME")
    try:
        return (Path(home) if home else Path.home() / ".cache") / "fddkit"
    except RuntimeError as error:
        raise FddkitError("there is no home folder for the cache; set FDDKIT_CACHE") from error


def identify(module: str, device: torch.device | str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return an identity extended by what every result depends on.

    Parameters
    ----------
    module : str
        ``__name__`` of the module that computes it: its source counts, and so does that of every
        fddkit module that it imports, directly or indirectly.
    device : torch.device or str
        Where it is computed; for a GPU its name counts.
    given : mapping
        What it is computed from.

    Returns
    -------
    dict
        With ``code``, ``torch`` and ``device``, so that an upgrade never serves results of older
        code or another torch, and with the sources of the registered entries that it names.
    """
    device = torch.device(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    identity = {**given, "code": code(module), "torch": str(torch.__version__), "device": name}
    registered = used(identity)
    identity |= {"registered": registered} if registered else {}
    return json.loads(json.dumps(identity, allow_nan=False))  # as a file will hold it


@cache
def code(module: str) -> str:
    """Return the digest of a module's source and of everything it imports from the package.

    Parameters
    ----------
    module : str
        Its full name, such as ``fddkit.distillers.mtt_experts``.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    sources: dict[str, bytes] = {}
    waiting = [module]
    while waiting:
        name = waiting.pop()
        path = _source(name)
        if name in sources or path is None:
            continue
        sources[name] = path.read_bytes()
        waiting += _imported(name, path, sources[name])
    return digest(*(part for name in sorted(sources) for part in (name, sources[name])))[:16]


def _source(module: str) -> Path | None:
    """Return the file of a module; None for the package's own, which computes nothing."""
    parts = module.split(".")[1:]
    plain = PACKAGE.joinpath(*parts)
    files = (plain.with_suffix(".py"), plain / "__init__.py") if parts else ()
    return next((path for path in files if path.is_file()), None)


def _imported(module: str, path: Path, source: bytes) -> list[str]:
    """Return the names of everything a module imports from the package, modules or not."""
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = package.rsplit(".", node.level - 1)[0]
            base = f"{base}.{node.module}" if node.module else base
            names += [base, *(f"{base}.{alias.name}" for alias in node.names)]
    return names


def cached(
    path: Path,
    kind: Kind,
    identity: Mapping[str, Any],
    compute: Callable[[Path], dict[str, Tensor]],
    sizes: Mapping[str, int] | None = None,
) -> tuple[dict[str, Tensor], str]:
    """Return the result stored at a path; compute and store it first if there is none.

    Parameters
    ----------
    path : Path
        As returned by `artifact`.
    kind : Kind
        What it is.
    identity : mapping
        What the path was derived from; the file contains it too.
    compute : callable
        ``compute(part)`` returns the tensors; ``part`` is a path for checkpoints, which are
        removed at the end.
    sizes : mapping of str to int, optional
        See `fddkit.core.tensors.read_tensors`.

    Returns
    -------
    tensors : dict of str to Tensor
        On the CPU.
    sha256 : str
        The seal of the file, for the header of whatever depends on it.

    Raises
    ------
    FddkitError
        If the folder cannot be written to, unless it already holds the file.
    """
    if is_file(path) and not os.access(path.parent, os.W_OK):
        return _found(path, kind, identity, sizes)
    with locked(path):
        part = path.with_name(path.name + ".part")
        result = keep_whole(path, lambda path: _found(path, kind, identity, sizes))
        if result is not None:
            remove(part)  # left by a process that was killed just before removing it
            return result
        write_tensors(path, kind, compute(part), {"identity": dict(identity)})
        remove(part)
        return _found(path, kind, identity, sizes)


def _found(
    path: Path, kind: Kind, identity: Mapping[str, Any], sizes: Mapping[str, int] | None
) -> tuple[dict[str, Tensor], str]:
    tensors, header = read_tensors(path, kind, sizes)
    if header.get("identity") != identity:
        raise Damaged(f"{path} is not what its name says", "remove it and it will be made again")
    return tensors, header.get("sha256", "")


def resumed(
    part: Path,
    kind: Kind,
    identity: Mapping[str, Any],
    take: Callable[[dict[str, Tensor]], T] = lambda tensors: tensors,
) -> T | None:
    """Return the checkpoint of a computation, or None if there is no usable one.

    Parameters
    ----------
    part : Path
        See `cached`.
    kind : Kind
        What it is.
    identity : mapping
        Of the computation.
    take : callable, optional
        Restores the state from the tensors; raises one of `MISFITS` if they do not fit.

    Returns
    -------
    object
        What ``take`` returns; also None for a damaged checkpoint, which is set aside.
    """

    def load(path: Path) -> T:
        tensors = _found(path, kind, identity, None)[0]
        try:
            return take(tensors)
        except MISFITS as error:
            raise Damaged(f"{path} does not fit ({clip(error)})", kind.advice) from error

    return keep_whole(part, load)
