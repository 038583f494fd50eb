"""The distillation loop: one seed in, one distilled set out, whatever interrupts it."""

import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm.auto import tqdm

from .distilled import DistilledSet
from .errors import FddkitError, unknown
from .files import read_tensors, write_tensors
from .grouped import GroupedDataset
from .initial import BASELINES, initial
from .matching import Matching, Rule
from .settings import settings
from .targets import RULES
from .versions import choose_device, versions

METHODS = {
    "dm": "distribution matching: mean embeddings of random networks (Zhao and Bilen 2023)",
    **BASELINES,
}


@dataclass(frozen=True)
class Progress:
    """What a callback sees.

    Attributes
    ----------
    iteration, iterations : int
        Steps done, and to do in all.
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
    progress: bool = True,
    callback: Callable[[Progress], object] | None = None,
    every: int = 100,
    checkpoint_seconds: float = 30.0,
    **overrides: object,
) -> DistilledSet:
    """Condense a training set into a few synthetic images per class.

    Parameters
    ----------
    train : GroupedDataset
        The real set, with its groups.
    method : {"dm", "random", "whole"}
        The distiller, or a baseline.
    fairness : {"vanilla", "fairdd", "cobra"}
        The rule that turns group statistics into targets; the baselines have none.
    ipc : int
        Images per class; ``whole`` ignores it.
    seed : int
        Every random choice derives from it.
    preset : {"smoke", "quick", "paper"}
        Hyper-parameters, see `fddkit.settings.settings`.
    out : path-like, optional
        Where the set is saved. While the run lasts, ``OUT.part`` holds a checkpoint: the same
        call goes on from there and ends with the same bits as an uninterrupted run on the same
        machine. A finished set of the same configuration is loaded, not computed again.
    overwrite : bool
        Replace a file at ``out`` that belongs to another configuration.
    device : torch.device or str, optional
        By default a GPU where there is one.
    progress : bool
        Show a bar: iteration, loss, time left.
    callback : callable, optional
        Called with `Progress` every ``every`` iterations and after the last.
    every : int
        Iterations between two calls.
    checkpoint_seconds : float
        Seconds between two checkpoints.
    **overrides
        Fields of `fddkit.settings.Settings`, e.g. ``iterations=2000``.

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
    chosen = settings(preset, **overrides)
    if method not in METHODS:
        raise unknown("method", method, METHODS)
    if fairness not in RULES:
        raise unknown("fairness rule", fairness, RULES)
    device = choose_device(device)
    chosen = chosen.resolve(ipc, train)
    iterative = method not in BASELINES
    config = {
        "dataset": dict(train.info),
        "fingerprint": train.fingerprint(),
        "method": method,
        "fairness": fairness if iterative else None,
        "ipc": None if method == "whole" else ipc,
        "seed": seed,
        "preset": preset,
        "settings": asdict(chosen) if iterative else {},
    }
    config = json.loads(json.dumps(config))  # as a file will hold it
    part = None if out is None else Path(f"{out}.part")
    if part is not None and Path(out).exists() and not overwrite:
        done = DistilledSet.load(out)
        _same(Path(out), done.config, config, "choose another output file, or overwrite it")
        part.unlink(missing_ok=True)
        return done
    result = initial(train, method, ipc, seed, chosen.init)
    result = replace(result, config=config, versions=versions(device))
    if iterative:
        matching = Matching(train, ipc, chosen, seed, device)
        run = _Run(matching, result.images, RULES[fairness])
        if part is not None and part.exists():
            run.resume(part, config, overwrite)
        images, loss = run.finish(part, config, progress, callback, every, checkpoint_seconds)
        result = replace(result, images=images, loss=loss)
    if part is not None:
        result.save(out)
        part.unlink(missing_ok=True)
    return result


class _Run:
    """The state of one run: images, momentum and losses; all else derives from the seed."""

    def __init__(self, matching: Matching, images: Tensor, rule: Rule):
        self.matching, self.rule, self.settings = matching, rule, matching.settings
        self.images = images.to(matching.device)
        self.momentum = torch.zeros_like(self.images)
        self.losses: list[float] = []

    def step(self, iteration: int) -> float:
        """Take one step of gradient descent with momentum and return the loss."""
        loss, gradient = self.matching.gradient(self.images, self.rule, iteration)
        self.momentum.mul_(self.settings.momentum).add_(gradient)
        self.images.sub_(self.momentum, alpha=self.settings.lr)
        return loss

    def finish(self, part, config, progress, callback, every, seconds) -> tuple[Tensor, Tensor]:
        """Take the steps that are left and return the images and all losses."""
        done, total = len(self.losses), self.settings.iterations
        if part is not None:
            self.checkpoint(
                part, config
            )  # a folder that takes no files is told now, not at the end
        saved = time.monotonic()
        title = f"{config['method']} {config['fairness']} ipc {config['ipc']}"
        with tqdm(total=total, initial=done, desc=title, disable=not progress) as bar:
            try:
                for iteration in range(done, total):
                    loss = self.step(iteration)
                    if not loss < float("inf"):
                        raise FddkitError(
                            f"the loss is {loss} at iteration {iteration}; "
                            f"choose a smaller lr than {self.settings.lr:g}"
                        )
                    self.losses.append(loss)
                    bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
                    bar.update()
                    if callback and ((iteration + 1) % every == 0 or iteration + 1 == total):
                        callback(Progress(iteration + 1, total, loss, self._copy()))
                    if part is not None and time.monotonic() - saved >= seconds:
                        self.checkpoint(part, config)
                        saved = time.monotonic()
            except KeyboardInterrupt:
                if part is not None:
                    self.checkpoint(part, config)
                raise
        return self._copy(), torch.tensor(self.losses, dtype=torch.float64)

    def _copy(self) -> Tensor:
        return self.images.cpu().clone()

    def checkpoint(self, part: Path, config: dict) -> None:
        """Write the state; only what cannot be derived from the seed."""
        losses = torch.tensor(self.losses, dtype=torch.float64)
        tensors = {"images": self.images, "momentum": self.momentum, "loss": losses}
        write_tensors(part, tensors, {"config": config})

    def resume(self, part: Path, config: dict, overwrite: bool) -> None:
        """Take up the state of a checkpoint of the same configuration."""
        tensors, header = read_tensors(part)
        try:
            _same(part, header["config"], config, "choose another output file, or overwrite it")
        except FddkitError:
            if overwrite:
                return
            raise
        self.images.copy_(tensors["images"])
        self.momentum.copy_(tensors["momentum"])
        self.losses = tensors["loss"].tolist()


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
