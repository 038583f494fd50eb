"""Distillation: one seed in, one distilled set out, even if a run is interrupted."""

import json
import os
import warnings
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..core.entries import used
from ..core.errors import Damaged, FddkitError
from ..core.files import remove
from ..core.locks import is_locked, locked
from ..core.numbers import whole
from ..core.reading import clip
from ..core.tensors import only, read_header
from ..core.versions import choose_device, versions
from ..data.distilled import SET, DistilledSet
from ..data.grouped import GroupedDataset
from ..data.imperfect import require_groups
from ..rules.rules import RULES
from .baselines import BASELINES, baseline, sized
from .loop import CHECKPOINT, CHOOSE, Progress, Run, continued, refuse_another
from .registry import find, settings
from .settings import Settings

__all__ = ["Progress", "distill"]


def distill(
    train: GroupedDataset,
    method: str = "dm",
    fairness: str = "vanilla",
    ipc: int = 10,
    seed: int = 0,
    preset: str = "quick",
    *,
    out: str | os.PathLike | None = None,
    overwrite: bool = False,
    device: torch.device | str | None = None,
    cache: str | os.PathLike | None = None,
    progress: bool = True,
    callback: Callable[[Progress], object] | None = None,
    every: int = 100,
    checkpoint_seconds: float = 30.0,
    compile: bool = False,
    graph: bool = False,
    **overrides: object,
) -> DistilledSet:
    """Condense a training set into a few synthetic images per class.

    Parameters
    ----------
    train : GroupedDataset
        The real set, with its groups.
    method : str
        The distiller, one of `fddkit.distillers.registry.METHODS`, or one of
        `fddkit.distillers.baselines.BASELINES`, which choose real images.
    fairness : str
        The rule that turns group statistics into targets, one of `fddkit.rules.rules.RULES`;
        ignored by the baselines.
    ipc : int
        Images per class; ``whole`` and ``whole-balanced`` ignore it.
    seed : int
        Determines every random choice.
    preset : {"smoke", "quick", "paper"}
        Hyper-parameters, see `fddkit.distillers.registry.settings`.
    out : path-like, optional
        Where to save the set. During the run, ``OUT.part`` holds a checkpoint: the same call
        resumes from it and gives the same bits as an uninterrupted run on the same machine. A
        finished set of the same configuration is loaded, not computed again.
    overwrite : bool
        Replace a file at ``out`` that belongs to another configuration.
    device : torch.device or str, optional
        By default a GPU if there is one.
    cache : path-like, optional
        Folder of what runs share (MTT's experts, the encoder of ``kde``, fair extractors); by
        default that of `fddkit.core.cache`.
    progress : bool
        Show a progress bar: iteration, loss, time left.
    callback : callable, optional
        Called with `Progress` every ``every`` steps and after the last.
    every : int
        Steps between two calls of the callback.
    checkpoint_seconds : float
        Seconds between two checkpoints.
    compile : bool
        Compile the network (takes about half a minute, then two to three times faster on a CPU);
        where compilation is not available the run continues without it, with a warning. Results
        agree up to rounding, so a resumed run gives the same bits only with the same choice.
    graph : bool
        Also capture the network as CUDA graphs.
    **overrides
        Fields of the method's settings, e.g. ``iterations=2000``.

    Returns
    -------
    DistilledSet
        On the CPU.

    Raises
    ------
    FddkitError
        For an unknown name, a value out of range, a class with fewer than ``ipc`` images, a loss
        that is no longer finite, or a file at ``out`` that belongs to another configuration.

    See Also
    --------
    fddkit.evaluate : Train networks on the result and measure accuracy and fairness.
    fddkit.distillers.recorder.Recorder : A callback that keeps the images of a run.

    References
    ----------
    ``docs/methods.md`` ("The shared step", "Rules" and a section for each method) gives the
    sources of all methods and rules, with the papers' equations, and every departure from them.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> s = fdd.distill(train, "dm", fairness="cobra", ipc=2, preset="smoke", progress=False)
    >>> s
    DistilledSet(dm cobra of digits: 20 images 3x16x16, ipc=2)
    >>> s.health["verdict"], len(s.loss)
    ('sound', 20)

    Any setting of the method can be changed by name:

    >>> s = fdd.distill(
    ...     train, "dc", ipc=1, preset="smoke", iterations=2, outer=1, progress=False
    ... )
    >>> s.config["settings"]["outer"], len(s.loss)
    (1, 2)
    """
    _check_given(fairness, ipc, seed)
    distiller = None if method in BASELINES else find(method, fairness)
    # a baseline takes the same options, so a loop over methods need not treat it differently
    chosen = settings(preset, method if distiller else "dm", **overrides).resolve(ipc, train)
    if distiller:
        _check_groups(train, fairness, chosen)
    device = choose_device(device)
    config = _config(train, method, fairness, ipc, seed, preset, chosen)

    def start() -> Run:
        _mention_one_group(train, fairness)
        matching = distiller(train, ipc, chosen, seed, device, compile=compile, graph=graph)
        matching.prepare(RULES[fairness], cache, progress)
        return Run(matching, RULES[fairness], config)

    def make(part: Path | None) -> DistilledSet:
        if distiller is None:
            return replace(baseline(train, method, ipc, seed), config=config, versions=now)
        run = continued(start, part, config, overwrite) if part else start()
        return run.finish(part, progress, callback, every, checkpoint_seconds)

    now = versions(device)
    return make(None) if out is None else _saved(Path(out), make, config, overwrite)


def _saved(
    out: Path, make: Callable[[Path], DistilledSet], config: dict, overwrite: bool
) -> DistilledSet:
    """Return the set at a path; make and save it unless it is finished."""
    part = Path(f"{out}.part")
    if out.is_file() and not os.access(out.parent, os.W_OK) and not overwrite:
        return _finished(out, config, False)
    if is_locked(out):  # fail at once, not after the other run has ended
        _refuse_begun(part, config)
    with locked(out):
        if os.path.lexists(out):
            done = _finished(out, config, overwrite)
            if done is not None:
                _forget(part, config)
                return done
        result = make(part)
        result.save(out, look=only(SET) if overwrite else _appeared)
        _forget(part, config)
    return result


def _check_given(fairness: str, ipc: int, seed: int) -> None:
    """Refuse what is no rule or number, even if a baseline ignores it."""
    RULES[fairness]  # raises an error for an unknown rule
    whole("ipc", ipc)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FddkitError(f"seed={clip(seed, 40)} is not a whole number; give one")


def _check_groups(train: GroupedDataset, fairness: str, chosen: Settings) -> None:
    """Refuse unknown groups to what needs them."""
    if RULES[fairness].needs_groups:
        require_groups(train, f"the rule {fairness!r}")
    if chosen.extractor == "fair":
        require_groups(train, "extractor='fair'")


def _mention_one_group(train: GroupedDataset, fairness: str) -> None:
    if RULES[fairness].needs_groups and train.n_groups == 1:
        warnings.warn(
            f"{train.name} has one group, so {fairness} does what vanilla does; give the group of "
            "each image, or choose vanilla or kde",
            stacklevel=5,
        )


def _config(
    train: GroupedDataset,
    method: str,
    fairness: str,
    ipc: int,
    seed: int,
    preset: str,
    chosen: Settings,
) -> dict:
    """Return the configuration of a run, as it is read back from disk."""
    real = BASELINES.get(method)
    config = {
        "dataset": dict(train.info),
        "fingerprint": train.fingerprint(),
        "method": method,
        "fairness": None if real else fairness,
        "ipc": ipc if sized(method) else None,
        "seed": seed,
        "preset": preset,
        "settings": {} if real else asdict(chosen),
    }
    registered = used([config["dataset"], method, config["fairness"], config["settings"]])
    return json.loads(json.dumps(config | ({"registered": registered} if registered else {})))


def _finished(out: Path, config: dict, overwrite: bool) -> DistilledSet | None:
    """Return the finished set of this configuration, or None if it is to be replaced."""
    if overwrite:
        only(SET)(out)
        return None
    try:
        done = DistilledSet.load(out)
    except Damaged as error:
        raise Damaged(error.what, CHOOSE) from error
    refuse_another(out, done.config, config)
    return done


def _appeared(path: Path) -> None:
    raise FddkitError(
        f"{path} has appeared while this set was distilled, and is kept; repeat the same command "
        "with overwrite, or move the file: nothing will be computed again"
    )


def _refuse_begun(part: Path, config: dict) -> None:
    """Refuse a checkpoint of another configuration; an unreadable one is dealt with later."""
    try:
        found = read_header(part, CHECKPOINT)
    except FddkitError:
        return
    refuse_another(part, found.get("config", {}), config)


def _forget(part: Path, config: dict) -> None:
    """Remove the checkpoint of a finished run; keep any other file of that name."""
    with suppress(FddkitError):
        if read_header(part, CHECKPOINT).get("config") == config:
            remove(part)
