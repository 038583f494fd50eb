"""Distilling: one seed in, one distilled set out, whatever interrupts it."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

import torch

from ..core.entries import used
from ..core.errors import Damaged, FddkitError
from ..core.files import remove
from ..core.locks import is_locked, locked
from ..core.tensors import only, read_header
from ..core.versions import choose_device, versions
from ..data.distilled import SET, DistilledSet
from ..data.grouped import GroupedDataset
from ..rules.rules import RULES
from .loop import CHECKPOINT, CHOOSE, Progress, Run, continued, refuse_another
from .registry import find, settings
from .start import BASELINES, baseline

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
        The distiller, one of `fddkit.distillers.registry.METHODS`, or a baseline, ``"random"`` or
        ``"whole"``.
    fairness : str
        The rule that turns group statistics into targets, one of `fddkit.rules.rules.RULES`; the
        baselines have none.
    ipc : int
        Images per class; ``whole`` ignores it.
    seed : int
        Every random choice derives from it.
    preset : {"smoke", "quick", "paper"}
        Hyper-parameters, see `fddkit.distillers.registry.settings`.
    out : path-like, optional
        Where the set is saved. While the run lasts, ``OUT.part`` holds a checkpoint: the same
        call goes on from there and ends with the same bits as an uninterrupted run on the same
        machine. A finished set of the same configuration is loaded, not computed again.
    overwrite : bool
        Replace a file at ``out`` that belongs to another configuration.
    device : torch.device or str, optional
        By default a GPU where there is one.
    cache : path-like, optional
        Folder of what runs share and find again (MTT's experts, the encoder of ``kde``, fair
        extractors); by default that of `fddkit.core.cache`.
    progress : bool
        Show a bar: iteration, loss, time left.
    callback : callable, optional
        Called with `Progress` every ``every`` steps and after the last.
    every : int
        Steps between two calls.
    checkpoint_seconds : float
        Seconds between two checkpoints.
    compile : bool
        Compile the network (about half a minute, then two to three times faster on a CPU); where
        that cannot be had the run goes on without, with a warning. Results agree to rounding, so
        that a resumed run has the same bits only with the same choice.
    graph : bool
        Also capture it as CUDA graphs.
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
        that is no longer finite, or a file at ``out`` of another configuration.
    """
    distiller = None if method in BASELINES else find(method, fairness)
    # a baseline takes the same options, so that a loop over methods need not tell them apart
    chosen = settings(preset, method if distiller else "dm", **overrides).resolve(ipc, train)
    device = choose_device(device)
    config = {
        "dataset": dict(train.info),
        "fingerprint": train.fingerprint(),
        "method": method,
        "fairness": fairness if distiller else None,
        "ipc": ipc if distiller or BASELINES[method].sized else None,
        "seed": seed,
        "preset": preset,
        "settings": asdict(chosen) if distiller else {},
    }
    mine = used([config["dataset"], method, config["fairness"], config["settings"]])
    config = json.loads(json.dumps(config | ({"registered": mine} if mine else {})))  # as on disk

    def start() -> Run:
        matching = distiller(train, ipc, chosen, seed, device, compile=compile, graph=graph)
        matching.prepare(RULES[fairness], cache, progress)
        return Run(matching, RULES[fairness], config)

    def made(part: Path | None) -> DistilledSet:
        if distiller is None:
            return replace(baseline(train, method, ipc, seed), config=config, versions=now)
        run = continued(start, part, config, overwrite) if part else start()
        return run.finish(part, progress, callback, every, checkpoint_seconds)

    now = versions(device)
    if out is None:
        return made(None)
    out, part = Path(out), Path(f"{out}.part")
    if out.is_file() and not os.access(out.parent, os.W_OK) and not overwrite:
        return _finished(out, config, False)
    if is_locked(out):  # told at once, and not after another run has ended
        _refuse_begun(part, config)
    with locked(out):
        if os.path.lexists(out):
            done = _finished(out, config, overwrite)
            if done is not None:
                _forget(part, config)
                return done
        result = made(part)
        result.save(out, look=only(SET) if overwrite else _appeared)
        _forget(part, config)
    return result


def _finished(out: Path, config: dict, overwrite: bool) -> DistilledSet | None:
    """Return the set of this configuration that is there, None where it is to be replaced."""
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
        f"{path} has appeared while this set was distilled, and is kept; give the same command "
        "with overwrite, or move the file: nothing is computed again"
    )


def _refuse_begun(part: Path, config: dict) -> None:
    """Refuse a checkpoint of another configuration; what cannot be read is looked at later."""
    try:
        found = read_header(part, CHECKPOINT)
    except FddkitError:
        return
    refuse_another(part, found.get("config", {}), config)


def _forget(part: Path, config: dict) -> None:
    """Remove the checkpoint of what is finished; any other file of that name is kept."""
    with suppress(FddkitError):
        if read_header(part, CHECKPOINT).get("config") == config:
            remove(part)
