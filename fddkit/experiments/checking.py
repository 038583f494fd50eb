"""What a folder holds, what was made from what, and what to think of it then."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.locks import is_held, is_locked
from .file_states import STATES, Item, look


def check(folder: str | os.PathLike, caches: Iterable[str | os.PathLike] = ()) -> list[Item]:
    """Read every file of ours below a folder, and see whether it is what was written.

    Parameters
    ----------
    folder : path-like
        Of sets, reports, runs or what runs share.
    caches : iterable of path-like
        Other folders in which what the sets rest on may lie.

    Returns
    -------
    list of Item
        In the order of their paths. Other files are passed over, and folders whose name begins
        with a dot.

    Raises
    ------
    FddkitError
        If the folder is none.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FddkitError(f"there is no folder {folder}; name one that holds sets or runs")
    found = [item for path in _files(folder) for item in look(path)]
    elsewhere = [item for cache in caches for path in _files(Path(cache)) for item in look(path)]
    shared: dict[str, list[Item]] = {}
    for item in (*elsewhere, *found):
        shared.setdefault(item.path.name, []).append(item)
    found = [_rests_on(item, shared) for item in found]
    sets = [item for item in found if item.what == "distilled set"]
    return [_of_a_set(item, sets) for item in found]


def _files(folder: Path) -> Iterator[Path]:
    """Return every file below a folder, and the folders that cannot be looked into."""
    closed: list[Path] = []
    for where, folders, names in os.walk(folder, onerror=lambda e: closed.append(Path(e.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(names))
    yield from closed


def _rests_on(item: Item, shared: dict[str, list[Item]]) -> Item:
    """Return what becomes of a set when what it rests on is looked at."""
    if item.what != "distilled set" or not STATES[item.state]:
        return item
    reasons = []
    for name, sha256 in item.header.get("sources", {}).items():
        sources = shared.get(name, [])  # none: removed since, which does no harm
        if any(STATES[s.state] and s.header.get("sha256") == sha256 for s in sources):
            continue
        for source in sources[:1]:
            bad = not STATES[source.state]
            other = "has been made anew since, with other content"
            reasons.append(f"{name} {f'is {source.state}' if bad else other}")
    if "sources" not in item.header:  # of before sets said what they rest on
        config = item.header["config"]
        own, settings = (config.get("fingerprint"), config.get("seed")), config.get("settings", {})
        for name, source in ((name, one) for name, some in shared.items() for one in some):
            of = source.header.get("identity", {})
            same = own == (of.get("fingerprint"), of.get("seed"))
            same = same and any(key.startswith(name.partition("-")[0]) for key in settings)
            if same and not STATES[source.state]:
                reasons.append(f"{name} is {source.state}, and may be what it was made from")
    if not reasons:
        return item
    problem = f"{item.path} rests on a bad file ({'; '.join(reasons)}); distil it again"
    return replace(item, state="doubtful", problem=problem)


def _of_a_set(item: Item, sets: list[Item]) -> Item:
    """Return a report with the set that it is of, and what becomes of it."""
    if item.what != "report":
        return item
    own = next((s for s in sets if s.header.get("config") == item.header["config"]), None)
    if own is None:
        return item
    item = replace(item, made=f"{item.made} ({own.path.name})")
    if STATES[own.state]:
        return item
    problem = f"{item.path} is of {own.path.name}, which is {own.state}; evaluate it again"
    return replace(item, state="doubtful", problem=problem)


def clean(items: Iterable[Item], agreed: Callable[[str, list[Item]], bool]) -> list[Item]:
    """Remove what killed processes have left, where it is agreed to.

    Parameters
    ----------
    items : iterable of Item
        Of `check`.
    agreed : callable
        ``agreed(question, items)``, once for leftovers and once for checkpoints.

    Returns
    -------
    list of Item
        What was removed.
    """
    removed: list[Item] = []
    items = list(items)
    for state, question in (
        ("leftover", "temporary files that no process holds any more"),
        ("interrupted", "checkpoints of interrupted runs, which would then begin anew"),
    ):
        some = [one for one in items if one.state == state and one.what != "run"]
        if some and agreed(question, some):
            for one in some:
                if not _busy(one.path):
                    one.path.unlink(missing_ok=True)
                    removed.append(one)
    return removed


def _busy(path: Path) -> bool:
    """Return whether a process has taken up a file since it was looked at."""
    return is_held(path) or is_locked(path.with_name(path.name.removesuffix(".part")))


def summary(items: Iterable[Item]) -> dict[str, int]:
    """Return how many files are in each state, in the order of `STATES`."""
    states: list[Any] = [one.state for one in items]
    return {state: states.count(state) for state in STATES if state in states}
