"""The distillation loop: one seed in, one distilled set out, whatever interrupts it."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .distilled import DistilledSet
from .errors import FddkitError
from .files import read_tensors, write_tensors
from .grouped import GroupedDataset
from .initial import BASELINES, initial
from .matching import Matching
from .methods import find, settings
from .targets import RULES, Rule
from .versions import choose_device, versions


@dataclass(frozen=True)
class Progress:
    """What a callback sees.

    Attributes
    ----------
    iteration, iterations : int
        Steps on the images done, and to do in all (at most: CAFE may end a network early).
    loss : float
        The matching loss of the last step.
    images : Tensor
        float32 [M, C, H, W], the synthetic images now (a copy), in normalised units.
    """

    iteration: int
    iterations: int
    loss: float
    images: Tensor = field(repr=False)


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
        The distiller, one of `fddkit.methods.METHODS`, or a baseline, ``"random"`` or
        ``"whole"``.
    fairness : str
        The rule that turns group statistics into targets, one of `fddkit.targets.RULES`; the
        baselines have none.
    ipc : int
        Images per class; ``whole`` ignores it.
    seed : int
        Every random choice derives from it.
    preset : {"smoke", "quick", "paper"}
        Hyper-parameters, see `fddkit.methods.settings`.
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
        extractors); by default that of `fddkit.cache`.
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
        "ipc": None if method == "whole" else ipc,
        "seed": seed,
        "preset": preset,
        "settings": asdict(chosen) if distiller else {},
    }
    config = json.loads(json.dumps(config))  # as a file will hold it
    part = None if out is None else Path(f"{out}.part")
    if part is not None and Path(out).exists() and not overwrite:
        done = DistilledSet.load(out)
        _same(Path(out), done.config, config, "choose another output file, or overwrite it")
        part.unlink(missing_ok=True)
        return done
    if distiller:
        matching = distiller(train, ipc, chosen, seed, device, compile=compile, graph=graph)
        matching.prepare(fairness, cache, progress)
        run = _Run(matching, RULES[fairness])
        if part is not None and part.exists():
            run.resume(part, config, overwrite)
        result = run.finish(part, config, progress, callback, every, checkpoint_seconds)
    else:
        result = initial(train, method, ipc, seed)
    result = replace(result, config=config, versions=versions(device))
    if part is not None:
        result.save(out)
        part.unlink(missing_ok=True)
    return result


class _State(NamedTuple):
    """Where a run stands between two steps; replaced whole, so an interrupt never splits it."""

    step: int
    images: Tensor
    momentum: Tensor
    losses: int  # how many
    extra: dict[str, Tensor]  # what the distiller trains


class _Run:
    """One run of a distiller under a rule."""

    def __init__(self, matching: Matching, rule: Rule):
        self.matching, self.rule = matching, rule
        self.start = matching.start()
        self.losses: list[float] = []
        images = self.start.images.to(matching.device)
        self.now = _State(0, images, torch.zeros_like(images), 0, matching.state())
        self.total = matching.settings.iterations * matching.per_network

    def advance(self) -> None:
        """Take one step of gradient descent with momentum."""
        matching, now = self.matching, self.now
        loss, gradient = matching.gradient(now.images, self.rule, now.step)
        if not loss < float("inf"):
            raise FddkitError(
                f"the loss is {loss} at step {now.step}; "
                f"choose a smaller lr than {matching.settings.lr:g}"
            )
        momentum = now.momentum * matching.settings.momentum + gradient
        images = now.images - matching.rate(now.step) * momentum
        step = matching.after(images, now.step)
        self.losses.append(loss)
        self.now = _State(step, images, momentum, len(self.losses), matching.state())

    def finish(self, part, config, progress, callback, every, seconds) -> DistilledSet:
        """Take the steps that are left and return the result."""
        total = self.total
        if part is not None:
            self.checkpoint(part, config)  # a folder that takes no files is told now
        saved = time.monotonic()
        title = f"{config['method']} {config['fairness']} ipc {config['ipc']}"
        with tqdm(total=total, initial=self.now.step, desc=title, disable=not progress) as bar:
            try:
                while self.now.step < total:
                    before = self.now.step
                    self.advance()
                    step, loss = self.now.step, self.losses[-1]
                    bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
                    bar.update(step - before)
                    if callback and (step // every > before // every or step == total):
                        callback(Progress(step, total, loss, self.now.images.cpu().clone()))
                    if part is not None and time.monotonic() - saved >= seconds:
                        self.checkpoint(part, config)
                        saved = time.monotonic()
            except KeyboardInterrupt:
                if part is not None:
                    self.checkpoint(part, config)
                raise
        losses = torch.tensor(self.losses, dtype=torch.float64)
        result = replace(self.start, images=self.now.images.cpu(), loss=losses)
        return self.matching.finish(result)

    def checkpoint(self, part: Path, config: dict) -> None:
        """Write the state; only what cannot be derived from the seed."""
        now = self.now
        losses = torch.tensor(self.losses[: now.losses], dtype=torch.float64)
        tensors = {"images": now.images, "momentum": now.momentum, "loss": losses}
        tensors |= {f"extra.{name}": value for name, value in now.extra.items()}
        write_tensors(part, tensors, {"config": config, "step": now.step})

    def resume(self, part: Path, config: dict, overwrite: bool) -> None:
        """Take up the state of a checkpoint of the same configuration."""
        tensors, header = read_tensors(part)
        try:
            _same(part, header["config"], config, "choose another output file, or overwrite it")
        except FddkitError:
            if overwrite:
                return
            raise
        device = self.matching.device
        images, momentum = (tensors.pop(name).to(device) for name in ("images", "momentum"))
        self.losses = tensors.pop("loss").tolist()
        extra = {name.removeprefix("extra."): tensor for name, tensor in tensors.items()}
        self.now = _State(header["step"], images, momentum, len(self.losses), extra)
        self.matching.load(extra, header["step"])


def _same(path: Path, found: dict, config: dict, advice: str) -> None:
    """Refuse a file that belongs to another configuration, naming the first difference."""
    flat = {**config, **config["settings"], **config["dataset"]}
    other = {**found, **found.get("settings", {}), **found.get("dataset", {})}
    for key in [k for k in flat if k not in ("preset", "settings", "dataset")]:
        if flat[key] != other.get(key):
            raise FddkitError(
                f"{path} belongs to another run ({key}: {other.get(key)!r} there, "
                f"{flat[key]!r} here); {advice}"
            )
