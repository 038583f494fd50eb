"""What a folder holds, what each file was made from, and whether it can be trusted."""

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.locks import is_held, is_locked
from .file_states import STATES, Item, look


def check(folder: str | os.PathLike, caches: Iterable[str | os.PathLike] = ()) -> list[Item]:
    """Read every fddkit file below a folder and check that it is still what was written.

    Parameters
    ----------
    folder : path-like
        Holds sets, reports, runs, or the files that runs share.
    caches : iterable of path-like
        Other folders that may hold what the sets rest on, such as experts.

    Returns
    -------
    list of Item
        In the order of their paths. Other files are skipped, and so are folders whose name
        begins with a dot.

    Raises
    ------
    FddkitError
        If there is no such folder.

    See Also
    --------
    summary : How many files are in each state.
    clean : Remove what killed processes left behind.

    Examples
    --------
    >>> import tempfile
    >>> import fddkit as fdd
    >>> from fddkit.experiments.checking import check
    >>> train, _ = fdd.load("digits")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     s = fdd.distill(train, "random", ipc=1)
    ...     path = s.save(f"{folder}/random.safetensors")
    ...     [item] = check(folder)
    >>> item.what, item.state
    ('distilled set', 'whole')
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
    """Yield every file below a folder, and then the folders that cannot be opened."""
    closed: list[Path] = []
    for where, folders, names in os.walk(folder, onerror=lambda e: closed.append(Path(e.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(where) / name for name in sorted(names))
    yield from closed


def _rests_on(item: Item, shared: dict[str, list[Item]]) -> Item:
    """Return the item of a set, as doubtful if anything that it rests on is bad."""
    if item.what != "distilled set" or not STATES[item.state]:
        return item
    reasons = []
    for name, sha256 in item.header.get("sources", {}).items():
        sources = shared.get(name, [])  # none: removed since, which is harmless
        if any(STATES[s.state] and s.header.get("sha256") == sha256 for s in sources):
            continue
        for source in sources[:1]:
            bad = not STATES[source.state]
            other = "has been made again since, with other content"
            reasons.append(f"{name} {f'is {source.state}' if bad else other}")
    if "sources" not in item.header:  # an old set, which does not say what it rests on
        config = item.header["config"]
        origin = (config.get("fingerprint"), config.get("seed"))
        settings = config.get("settings", {})
        for name, source in ((name, one) for name, some in shared.items() for one in some):
            of = source.header.get("identity", {})
            same = origin == (of.get("fingerprint"), of.get("seed"))
            same = same and any(key.startswith(name.partition("-")[0]) for key in settings)
            if same and not STATES[source.state]:
                reasons.append(f"{name} is {source.state}, and may be what it was made from")
    if not reasons:
        return item
    problem = f"{item.path} rests on a bad file ({'; '.join(reasons)}); distil it again"
    return replace(item, state="doubtful", problem=problem)


def _of_a_set(item: Item, sets: list[Item]) -> Item:
    """Return the item of a report with the set that it evaluates, doubtful if the set is bad."""
    if item.what != "report":
        return item
    tested = next((s for s in sets if s.header.get("config") == item.header["config"]), None)
    if tested is None:
        return item
    item = replace(item, made=f"{item.made} ({tested.path.name})")
    if STATES[tested.state]:
        return item
    problem = f"{item.path} is of {tested.path.name}, which is {tested.state}; evaluate it again"
    return replace(item, state="doubtful", problem=problem)


def clean(items: Iterable[Item], agreed: Callable[[str, list[Item]], bool]) -> list[Item]:
    """Remove what killed processes left behind, once the caller has agreed.

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
        ("leftover", "temporary files that no process uses any more"),
        ("interrupted", "checkpoints of interrupted runs, which would then start over"),
    ):
        some = [one for one in items if one.state == state and one.what != "run"]
        if some and agreed(question, some):
            for one in some:
                if not _busy(one.path):
                    one.path.unlink(missing_ok=True)
                    removed.append(one)
    return removed


def _busy(path: Path) -> bool:
    """Return whether a process has started to use a file since it was checked."""
    return is_held(path) or is_locked(path.with_name(path.name.removesuffix(".part")))


def summary(items: Iterable[Item]) -> dict[str, int]:
    """Return how many files are in each state, in the order of `STATES`."""
    states: list[Any] = [one.state for one in items]
    return {state: states.count(state) for state in STATES if state in states}
