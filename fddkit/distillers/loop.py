"""The distillation loop: step after step, from the beginning or from a checkpoint."""

import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor
from tqdm.auto import tqdm

from ..core.errors import Damaged, FddkitError
from ..core.files import set_aside
from ..core.kinds import Array, Kind
from ..core.reading import clip
from ..core.tensors import may_replace, only, read_tensors, write_tensors
from ..core.versions import versions
from ..data.distilled import DistilledSet
from ..rules.targets import Rule
from . import health
from .matching import Matching

CHECKPOINT = Kind(
    "checkpoint",
    "a checkpoint of a distillation",
    "move it, choose another output file, or overwrite it",
    {
        "images": Array(("float32",), ("images", "channels", "height", "width")),
        "momentum": Array(("float32",), ("images", "channels", "height", "width")),
        "loss": Array(("float64",), ("steps",)),
        "extra.*": Array(("float32", "float64", "int64"), None),
    },
    {"config": dict, "step": int, "versions?": dict},
)
CHOOSE = "choose another output file, or overwrite it"


@dataclass(frozen=True)
class Progress:
    """What a callback receives.

    Attributes
    ----------
    iteration, iterations : int
        Steps on the images done, and their total (an upper bound: CAFE may skip some).
    loss : float
        The matching loss of the last step.
    images : Tensor
        float32 [M, C, H, W], a copy of the current synthetic images, in normalised units.
    """

    iteration: int
    iterations: int
    loss: float
    images: Tensor = field(repr=False)


class _State(NamedTuple):
    """The state between two steps; always replaced as a whole, so an interrupt never splits it."""

    step: int
    images: Tensor
    momentum: Tensor
    losses: int  # how many
    extra: dict[str, Tensor]  # what the distiller trains


class Run:
    """One run of a distiller under a rule."""

    def __init__(self, matching: Matching, rule: Rule, config: dict):
        self.matching, self.rule, self.config = matching, rule, config
        self.start = matching.start()
        self.losses: list[float] = []
        images = self.start.images.to(matching.device)
        self.now = _State(0, images, torch.zeros_like(images), 0, matching.state())
        self.total = matching.settings.iterations * matching.per_network
        self.versions = versions(matching.device)

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
        if not (images.isfinite().all() and momentum.isfinite().all()):
            raise FddkitError(
                f"the images are no longer finite after step {now.step}; "
                f"choose a smaller lr than {matching.settings.lr:g}"
            )
        step = matching.after(images, now.step)
        state = matching.state()
        if not all(x.isfinite().all() for x in state.values()):
            raise FddkitError(
                f"what is trained with the images is no longer finite after step {now.step}; "
                f"choose a smaller lr than {matching.settings.lr:g}"
            )
        self.losses.append(loss)
        self.now = _State(step, images, momentum, len(self.losses), state)

    def finish(self, part, progress, callback, every, seconds) -> DistilledSet:
        """Take the remaining steps and return the result."""
        total = self.total
        if part is not None:
            self.checkpoint(part)  # fails now if the folder cannot be written to
        saved, config = time.monotonic(), self.config
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
                        self.checkpoint(part)
                        saved = time.monotonic()
            except KeyboardInterrupt:
                if part is not None:
                    self.checkpoint(part)
                raise
        if part is not None:
            self.checkpoint(part)  # whatever happens to the output file, nothing is lost
        return self.result()

    def result(self) -> DistilledSet:
        """Return the result of the run so far.

        Raises
        ------
        FddkitError
            If a pixel is no longer finite.
        """
        images, matching = self.now.images.cpu(), self.matching
        if not images.isfinite().all():
            raise FddkitError(
                f"the images are no longer finite after {self.now.step} steps; "
                f"choose a smaller lr than {matching.settings.lr:g}"
            )
        loss = torch.tensor(self.losses, dtype=torch.float64)
        found = matching.finish(replace(self.start, images=images, loss=loss))
        rows = health.sample(torch.arange(len(matching.train)))
        real = matching.train.normalise(rows.to(matching.device)).cpu()
        return replace(
            found,
            config=self.config,
            versions=self.versions,
            sources=dict(matching.sources),
            health=health.assess(found.images, real, loss, matching.doubts(found)),
        )

    def checkpoint(self, part: Path) -> None:
        """Write the state, but only what cannot be derived from the seed."""
        now = self.now
        losses = torch.tensor(self.losses[: now.losses], dtype=torch.float64)
        tensors = {"images": now.images, "momentum": now.momentum, "loss": losses}
        tensors |= {f"extra.{name}": value for name, value in now.extra.items()}
        header = {"config": self.config, "step": now.step, "versions": self.versions}
        write_tensors(part, CHECKPOINT, tensors, header, only(CHECKPOINT))

    def resume(self, tensors: dict[str, Tensor], header: dict) -> None:
        """Restore the state of a checkpoint of the same configuration.

        Raises
        ------
        KeyError, IndexError, TypeError, ValueError, RuntimeError
            If the state is not one that such a run can be in.
        """
        device, step = self.matching.device, header["step"]
        losses = tensors["loss"].tolist()
        images, momentum = (tensors[name].to(device) for name in ("images", "momentum"))
        if images.shape != self.now.images.shape:
            raise ValueError(f"its images have the shape {list(images.shape)}")
        if not self.matching.fewest(step) <= len(losses) <= step <= self.total:
            raise ValueError(f"it has {len(losses)} losses at step {step} of {self.total}")
        extra = {k.removeprefix("extra."): x for k, x in tensors.items() if k.startswith("extra.")}
        self.matching.load(extra, step)
        if self.matching.state().keys() != extra.keys():
            raise ValueError("it holds a state that such a run does not have")
        self.losses = losses
        self.now = _State(step, images, momentum, len(losses), extra)
        self._note(header.get("versions") or self.versions)

    def _note(self, begun: dict) -> None:
        """Record, and warn, that a run was begun on another device or with other versions."""
        differs = [k for k in ("fddkit", "torch", "device") if begun.get(k) != self.versions[k]]
        earlier = begun.get("begun") or {k: begun.get(k) for k in differs}
        if earlier:
            self.versions = {**self.versions, "begun": earlier}
        if differs:
            was = ", ".join(f"{k} {clip(begun.get(k))}" for k in differs)
            warnings.warn(
                f"this run was begun with {was} and continues with another; its images may differ "
                "from those of a run with either alone",
                stacklevel=6,
            )


def continued(start: Callable[[], "Run"], part: Path, config: dict, overwrite: bool) -> "Run":
    """Return a run resumed from a checkpoint, or from the beginning if there is none."""
    run = start()
    if not os.path.lexists(part):
        return run
    try:
        tensors, header = read_tensors(part, CHECKPOINT)
    except Damaged as error:
        if not (overwrite or may_replace(part, CHECKPOINT)):
            raise
        set_aside(part, error)
        return run
    try:
        refuse_another(part, header["config"], config)
    except FddkitError:
        if overwrite:
            set_aside(part, f"{part} belongs to another run")
            return run
        raise
    try:
        run.resume(tensors, header)
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        set_aside(part, f"{part} does not fit its own configuration ({error})")
        return start()
    return run


def refuse_another(path: Path, found: dict, config: dict) -> None:
    """Refuse a file that belongs to another configuration, naming the first difference."""
    there, here = _flat(found), _flat(config)
    # a different preset name with the same values makes no difference
    for key in [k for k in here if k != "preset"]:
        if here[key] != there.get(key):
            raise FddkitError(
                f"{path} belongs to another run ({key}: {clip(repr(there.get(key)))} there, "
                f"{clip(repr(here[key]))} here); {CHOOSE}"
            )


def _flat(config: dict) -> dict[str, object]:
    """Flatten a configuration; prefixes keep a data set's seed apart from that of the run."""
    flat = {}
    for name, value in config.items():
        inner = value if isinstance(value, dict) else {}
        prefix = "" if name == "settings" else f"{name} "
        flat |= {f"{prefix}{key}": v for key, v in inner.items()} or {name: value}
    return flat
