"""One fddkit file: what it is, what it was made from, and whether it is still intact."""

import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from ..analysis import projections
from ..core.errors import Damaged, FddkitError
from ..core.files import fingerprint
from ..core.kinds import Array, Kind
from ..core.locks import is_held, is_locked
from ..core.reading import clip, read_bytes, read_json
from ..core.tensors import is_marked, read_header, read_tensors
from ..data import distilled
from ..distillers import fair_extractors, loop, mtt_experts
from ..evaluation.report import FairnessReport
from ..evaluation.report_file import FORMAT
from ..reading import image_file
from ..rules import encoder
from .records import LOCK, Record, is_active

#: State of a file -> whether that is fine.
STATES = {
    "whole": True,  # it matches its seal
    "unsealed": True,  # older than seals: readable, but there is nothing to compare with
    "interrupted": True,  # the same command continues from it
    "in use": True,
    "set aside": True,  # damaged, and made again since
    "leftover": True,  # from a process that was killed
    "unreadable": False,
    "doubtful": False,  # whole, but what it rests on is not
    "damaged": False,
}
KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        distilled.SET,
        loop.CHECKPOINT,
        mtt_experts.TRAJECTORY,
        mtt_experts.BEGUN,
        encoder.ENCODER,
        encoder.BEGUN,
        fair_extractors.EXTRACTOR,
        projections.PROJECTION,
    )
}
_ANY = Array(("float32", "float64", "int64", "uint8"), None)
_TEMPORARY = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
_LOCK = re.compile(r"\.(.+)\.lock")


@dataclass(frozen=True)
class Item:
    """One fddkit file.

    Attributes
    ----------
    path : Path
        The file.
    what : str
        What it is, in words.
    state : str
        One of `STATES`.
    made : str
        What it was made from, in words.
    problem : str
        What is wrong with it.
    header : dict
        Its header, where it has one.
    """

    path: Path
    what: str
    state: str
    made: str = ""
    problem: str = ""
    header: dict = field(default_factory=dict, repr=False)


def look(path: Path) -> list[Item]:
    """Return what can be said about a file.

    Parameters
    ----------
    path : Path
        A file, or a folder that cannot be opened.

    Returns
    -------
    list of Item
        One, or none if the file is not fddkit's. Problems are reported in it, not raised.
    """
    if path.is_dir():
        return [Item(path, "folder", "unreadable", problem=f"cannot look into {path}")]
    if not path.is_file():
        return []
    lock = _LOCK.fullmatch(path.name)
    try:
        if _TEMPORARY.fullmatch(path.name) or lock:
            what = "lock" if lock else "temporary file"
            if lock and path.stat().st_size:
                return []  # someone else's: ours are empty
            return [Item(path, what, "in use" if is_held(path) else "leftover")]
        if ".damaged" in path.name:
            return [Item(path, "damaged file", "set aside")]
        if path.suffix == ".json":
            return _json(path)
        if image_file.NAME.fullmatch(path.name):
            return _decoded(path)
        return [_tensors(path)] if is_marked(path) else []
    except Damaged as error:
        return [Item(path, *_damaged(path), problem=str(error), header=_header(path))]
    except FddkitError as error:
        return [Item(path, "file", "unreadable", problem=str(error))]


def _damaged(path: Path) -> tuple[str, str, str]:
    """Return what a damaged file was, its state, and what it was made from."""
    header = _header(path)
    kind = KINDS.get(header.get("kind", ""))
    what = kind.title.partition(" ")[2] if kind else "file of fddkit"
    return what, "damaged", _made(header)


def _header(path: Path) -> dict:
    """Return the header that a damaged file still has."""
    with suppress(FddkitError):
        return read_header(path)
    return {}


def _tensors(path: Path) -> Item:
    header = read_header(path)
    # files that are older than named kinds are recognised by what is in the header
    guess = "set" if "mean" in header else "checkpoint" if "step" in header else None
    kind = KINDS.get(header.get("kind", guess))
    if kind is None:
        return Item(path, "file of an older fddkit", *_old_trajectory(path, header), header)
    read_tensors(path, kind)
    what = kind.title.partition(" ")[2]
    made = _made(header)
    if path.name.endswith(".part"):
        busy = is_locked(path.with_name(path.name.removesuffix(".part")))
        return Item(path, what, "in use" if busy else "interrupted", made, "", header)
    return Item(path, what, "whole" if header["format"] > 1 else "unsealed", made, "", header)


def _old_trajectory(path: Path, header: dict) -> tuple[str, str, str]:
    """Return state, origin and problem of an artifact that is older than named kinds.

    Experts resumed by that version hold the last weights in the row where they were resumed.
    """
    anything = Kind("", "a file", "", {"*": _ANY}, {})
    weights = read_tensors(path, anything)[0].get("weights")
    if weights is not None and weights.ndim == 2 and len(weights) > 2:
        again = [i for i, row in enumerate(weights[:-1]) if row.equal(weights[-1])]
        if again:
            return (
                "damaged",
                _made(header),
                f"{path} is wrong: the weights after epoch {again[0]} are those after the last, "
                "because an older fddkit was interrupted there; remove it, and it is trained again",
            )
    return "unsealed", _made(header), ""


def _made(header: dict) -> str:
    """Return what a file was made from, in words."""
    config, identity = header.get("config"), header.get("identity")
    if isinstance(config, dict):
        return _of_configuration(config)
    if isinstance(identity, dict):
        of = f"of the set {clip(identity.get('fingerprint', '?'), 8)}"
        known = ("expert", "extractor", "group", "seed")
        parts = [f"{k} {clip(identity[k], 20)}" for k in known if identity.get(k) is not None]
        return ", ".join([*parts, of])
    return ""


def _of_configuration(config: dict) -> str:
    data = config.get("dataset")
    data = data if isinstance(data, dict) else {}
    words = [config.get(k) for k in ("method", "fairness")]
    if config.get("ipc") is not None:
        words.append(f"IPC {config['ipc']}")
    words.append(f"of {data.get('dataset', 'own arrays')}")
    words += [f"{k.upper()} {data[k]}" for k in ("gap", "br") if data.get(k) is not None]
    words += [f"seed {config['seed']}"] if config.get("seed") is not None else []
    return clip(" ".join(str(word) for word in words if word))


def _json(path: Path) -> list[Item]:
    if path.name == "run.json":
        return _run(path)
    if f'"{FORMAT}"'.encode() not in read_bytes(path, first=200):
        return []
    report = FairnessReport.load(path)
    state = "whole" if "sha256" in read_json(path) else "unsealed"
    data = report.config.get("data", {})
    return [Item(path, "report", state, _of_configuration(data), "", {"config": data})]


def _decoded(path: Path) -> list[Item]:
    """Return the pixels and their journal, which stay or go together."""
    pixels, journal = path.with_suffix(".u8"), path.with_suffix(".jsonl")
    if not pixels.is_file():
        return [Item(journal, "journal of decoded images", "leftover")]
    state, made = image_file.state(pixels)
    if path == journal:
        return [Item(path, "journal of decoded images", state, made)]
    problem = f"{path} is damaged; it is made again when it is needed" * (state == "damaged")
    return [Item(path, "decoded images", state, made, problem)]


def _run(path: Path) -> list[Item]:
    folder = path.parent
    try:
        record = Record.load(folder)
    except FddkitError as error:
        ours = any((folder / name).exists() for name in ("notebook.html", "notebook.ipynb", LOCK))
        return [Item(path, "run", "damaged", problem=str(error))] if ours else []
    made = clip(f"{record.notebook}, {record.status}")
    if is_active(folder):
        return [Item(path, "run", "in use", made)]
    if record.status == "running":
        return [Item(path, "run", "interrupted", made)]
    changed = [
        name
        for name, sha256 in record.files.items()
        if not (folder / name).is_file() or fingerprint(folder / name) != sha256
    ]
    if changed:
        names = clip(", ".join(changed))
        problem = f"{path}: since the run ended, these have changed or are gone: {names}"
        return [Item(path, "run", "damaged", made, problem)]
    return [Item(path, "run", "whole" if record.files else "unsealed", made)]
