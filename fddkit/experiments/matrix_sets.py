"""One set of a matrix: distilled and evaluated, or found finished."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from ..core.entries import receive
from ..core.errors import FddkitError
from ..core.files import keep_whole, set_aside, write_json
from ..core.locks import locked, tidy
from ..core.reading import conform, read_json
from ..data.catalogue import entry_of
from ..data.distilled import DistilledSet
from ..data.loading import load
from ..distillers.baselines import BASELINES, sized
from ..distillers.distill import distill
from ..evaluation.evaluate import evaluate
from ..evaluation.report import FairnessReport

_LONGEST = 1e9  # seconds


@dataclass(frozen=True)
class Ended:
    """The outcome of one set.

    Attributes
    ----------
    report : FairnessReport or None
        Of the networks trained on it.
    seconds : float or None
        Time to distil it, if it is known.
    error : str or None
        Why there is no report.
    """

    report: FairnessReport | None = None
    seconds: float | None = None
    error: str | None = None


def one_set(mine: bytes, task: tuple) -> Ended:
    """Distil and evaluate one set; an error is returned, so that the others go on.

    Parameters
    ----------
    mine : bytes
        What is registered, see `fddkit.core.entries.ship`.
    task : tuple
        Dataset, method, rule, seed, repeats, ipc, preset, root and folder, as for
        `fddkit.experiments.matrix.matrix`; a baseline has an empty rule.

    Returns
    -------
    Ended
    """
    receive(mine)
    try:
        return _computed(*task)
    except Exception as error:
        kind = "" if isinstance(error, FddkitError) else f"{type(error).__name__}: "
        return Ended(error=f"{kind}{error}")


def _computed(
    dataset: str,
    method: str,
    rule: str,
    seed: int,
    repeats: int,
    ipc: int,
    preset: str,
    root: str | os.PathLike,
    folder: Path,
) -> Ended:
    """Distil and evaluate one set, unless its report already exists."""
    train, test = load(dataset, root=root)
    words = [entry_of(dataset, root).tag, method, rule, f"ipc{ipc}", preset, seed]
    name = "-".join(str(word) for word in words if word != "")
    ends = (".safetensors", f".x{repeats}.json", ".seconds")  # of as many networks
    out, report, clock = (folder / f"{name}{end}" for end in ends)
    protocol = "dm" if method in BASELINES else method  # as everywhere
    kept = sized(method)  # the others may be as large as the training set
    if kept:
        keep_whole(out, DistilledSet.load)
    fresh, began = kept and not out.exists(), time.monotonic()
    s = distill(
        train, method, rule or "vanilla", ipc, seed, preset,
        out=out if kept else None, cache=folder / "cache", progress=False,
    )  # fmt: skip
    if fresh:
        write_json(clock, round(time.monotonic() - began, 1))
    seconds = _seconds(clock)
    with locked(report):
        done = keep_whole(report, FairnessReport.load)
        if done is not None:
            same = done.config.get("data") == s.config and done.config.get("protocol") == protocol
            if same and len(done.networks) == repeats:
                return Ended(done, seconds)
            set_aside(report, f"{report} is of another set or evaluation")
        found = evaluate(
            s, test, repeats=repeats, seed=seed, preset=preset, protocol=protocol, progress=False
        )
        found.save(report)
    return Ended(found, seconds)


def _seconds(clock: Path) -> float | None:
    """Return how long a set took; None where its run was killed before it could record it."""
    tidy(clock)  # it is not written again
    try:
        found = read_json(clock)
        conform(found, float)
    except ValueError:  # FddkitError is one
        return None
    return found if 0 <= found < _LONGEST else None
