"""The contrastive encoder in whose feature space the ``kde`` rule estimates density."""

import math
import os
import time
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F
from tqdm.auto import tqdm

from ..core.cache import artifact, cached, identify, resumed
from ..core.errors import FddkitError
from ..core.kinds import Array, Kind
from ..core.rng import generator
from ..core.tensors import write_tensors
from ..core.versions import choose_device
from ..data.grouped import GroupedDataset
from ..training.networks import chunk_size
from .contrastive import build, gsc_loss
from .encoder_settings import EncoderSettings

_ADVICE = "remove it and it will be trained again"
ENCODER = Kind(
    "encoder",
    "the features of an encoder",
    _ADVICE,
    {
        "features": Array(("float32",), ("images", "features")),
        "losses": Array(("float64",), ("epochs",)),
    },
    {"identity": dict},
)
BEGUN = Kind(
    "encoder-part",
    "a checkpoint of an encoder",
    _ADVICE,
    {
        "net.*": Array(("float32", "int64"), None),
        "optimiser.*": Array(("float32",), None),
        "losses": Array(("float64",), ("steps",)),
    },
    {"identity": dict},
)
_LEAST = 8  # pixels: three strides of two leave one
PRESETS = {
    "smoke": EncoderSettings(epochs=1, width=4),
    "quick": EncoderSettings(epochs=10, width=16),
    "paper": EncoderSettings(epochs=200),
}


def encode(
    train: GroupedDataset,
    settings: EncoderSettings,
    seed: int,
    *,
    cache: str | os.PathLike | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    checkpoint_seconds: float = 30.0,
) -> tuple[Tensor, dict[str, str]]:
    """Return the features of the whole set, training the encoder first unless it is cached.

    During training a checkpoint is kept next to the file; an interrupted training resumes from it,
    even in the middle of an epoch, with bit-identical results on the same machine. The finished
    file also holds ``losses``, float64 [epochs], the mean loss of each epoch.

    Parameters
    ----------
    train : GroupedDataset
        The real set, with images of at least 8 x 8 pixels; its groups are ignored.
    settings : EncoderSettings
        How to train.
    seed : int
        For the weights and the order of the images.
    cache : path-like, optional
        Folder for the features, see `fddkit.core.cache`.
    device : torch.device or str, optional
        Where to compute; by default a GPU if there is one.
    progress : bool
        Show a progress bar.
    checkpoint_seconds : float
        Seconds between checkpoints.

    Returns
    -------
    features : Tensor
        float32 [N, 128] on the CPU, rows of length one.
    seals : dict of str to str
        Name and sha256 of the cached file.

    Raises
    ------
    FddkitError
        If the images are too few or too small, or the loss is no longer finite.
    """
    if len(train) < 2 or min(train.shape[1:]) < _LEAST:
        raise FddkitError(
            f"the encoder of the kde rule needs two images or more of at least {_LEAST}x{_LEAST} "
            f"pixels, but this is {train!r}; use a larger set"
        )
    device = choose_device(device)
    given = {
        "fingerprint": train.fingerprint(),
        # affects what the network sees, but not the fingerprint of the images
        "normalise": [list(train.mean), list(train.std), train.whitening is not None],
        "settings": asdict(settings),
        "seed": seed,
    }
    identity = identify(__name__, device, given)

    def compute(part: Path) -> dict[str, Tensor]:
        training = _Training(train, settings, seed, device, identity)
        return training.finish(part, progress, checkpoint_seconds)

    path = artifact(cache, "encoder", identity)
    sizes = {"images": len(train), "epochs": settings.epochs}
    tensors, seal = cached(path, ENCODER, identity, compute, sizes)
    return tensors["features"], {path.name: seal}


class _Training:
    """One training, step by step.

    Between steps, ``net``'s weights, the optimiser, ``buffers`` and ``losses`` are consistent. The
    buffers are a copy, because a forward pass changes those of the network, and interrupts mostly
    happen during one.
    """

    def __init__(
        self,
        train: GroupedDataset,
        settings: EncoderSettings,
        seed: int,
        device: torch.device,
        identity: dict,
    ):
        self.settings, self.seed, self.data = settings, seed, train.to(device)
        self.identity = identity
        self.net = build(train.shape[0], settings.width, seed).to(device)
        weights, lr, decay = self.net.parameters(), settings.lr, settings.decay
        if settings.optimiser == "adam":
            self.optimiser = torch.optim.Adam(weights, lr, weight_decay=decay)
        else:
            self.optimiser = torch.optim.SGD(weights, lr, settings.momentum, weight_decay=decay)
        # a single last image has nothing to be compared with, and no variance to normalise by
        self.per_epoch = len(train) // settings.batch + (len(train) % settings.batch > 1)
        self.total = self.per_epoch * settings.epochs
        self.losses: list[float] = []  # one per step
        self.order = (-1, torch.empty(0))  # the epoch and its permutation
        self.updating = False
        self.keep_buffers()

    def keep_buffers(self) -> None:
        """Copy the running statistics of batch normalisation."""
        self.buffers = {name: x.clone() for name, x in self.net.named_buffers()}

    def advance(self) -> None:
        """Take one step."""
        c, (epoch, at) = self.settings, divmod(len(self.losses), self.per_epoch)
        if self.order[0] != epoch:
            rng = generator(self.seed, "encoder", epoch)
            self.order = epoch, torch.randperm(len(self.data), generator=rng)
        rows = self.order[1][at * c.batch : (at + 1) * c.batch].to(self.data.images.device)
        z = self.net(self.data.normalise(rows))
        loss = gsc_loss(z, self.data.target[rows], c.temperature, c.q)
        self.optimiser.zero_grad()
        loss.backward()
        value = loss.item()
        if not math.isfinite(value):
            raise FddkitError(
                f"the loss of the kde rule's encoder is {value} in epoch {epoch + 1}; "
                f"choose another encoder preset, or an lr smaller than {c.lr:g}"
            )
        self.updating = True
        self.optimiser.step()
        self.losses.append(value)
        self.keep_buffers()
        self.updating = False

    def finish(self, part: Path, progress: bool, seconds: float) -> dict[str, Tensor]:
        """Take the remaining steps and return the features and the losses."""
        resumed(part, BEGUN, self.identity, self.take)
        self.checkpoint(part)  # fails now if the folder cannot be written to
        title, saved = "encoder of the kde rule", time.monotonic()
        self.net.train()
        with tqdm(
            total=self.total, initial=len(self.losses), desc=title, disable=not progress
        ) as bar:
            try:
                while len(self.losses) < self.total:
                    self.advance()
                    bar.set_postfix(loss=f"{self.losses[-1]:.4g}", refresh=False)
                    bar.update()
                    if time.monotonic() - saved >= seconds:
                        self.checkpoint(part)
                        saved = time.monotonic()
                features = self.features()
            except KeyboardInterrupt:
                if (
                    not self.updating
                ):  # else some weights are a step ahead: keep the last checkpoint
                    self.checkpoint(part)
                raise
        losses = torch.tensor(self.losses, dtype=torch.float64).view(-1, self.per_epoch)
        return {"features": features, "losses": losses.mean(1)}

    @torch.no_grad()
    def features(self) -> Tensor:
        """Return the normalised features of every image, float32 [N, 128] on the CPU."""
        self.net.eval()
        device = self.data.images.device
        parts = torch.arange(len(self.data)).split(chunk_size(self.net, self.data.shape))
        features = [self.net(self.data.normalise(rows.to(device))) for rows in parts]
        return F.normalize(torch.cat(features), dim=1).cpu()

    def checkpoint(self, part: Path) -> None:
        """Write everything that cannot be derived from the seed, as a flat dictionary."""
        tensors = {f"net.{name}": x for name, x in self.net.named_parameters()}
        tensors |= {f"net.{name}": x for name, x in self.buffers.items()}
        for i, state in self.optimiser.state_dict()["state"].items():
            # an entry without a value (SGD without momentum has one) will be recreated
            tensors |= {f"optimiser.{i}.{k}": x for k, x in state.items() if x is not None}
        tensors["losses"] = torch.tensor(self.losses, dtype=torch.float64)
        write_tensors(part, BEGUN, tensors, {"identity": self.identity})

    def take(self, tensors: dict[str, Tensor]) -> None:
        """Restore a checkpoint; ValueError if it does not belong to this training."""
        losses = tensors["losses"].tolist()
        if {name: x.shape for name, x in tensors.items()} != self._shapes(len(losses)):
            raise ValueError(f"its tensors are not those of this encoder after {len(losses)} steps")
        state: dict[int, dict] = {}
        for key in (name for name in tensors if name.startswith("optimiser.")):
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = tensors[key]
        if any(entry.get("step", len(losses)) != len(losses) for entry in state.values()):
            raise ValueError(f"its optimiser has not taken {len(losses)} steps")
        weights = {k.removeprefix("net."): x for k, x in tensors.items() if k.startswith("net.")}
        self.net.load_state_dict(weights)
        self.optimiser.load_state_dict({**self.optimiser.state_dict(), "state": state})
        self.losses = losses
        self.keep_buffers()

    def _shapes(self, steps: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each tensor of a checkpoint."""
        if steps > self.total:
            raise ValueError(f"it has taken {steps} steps of {self.total}")
        weights = list(self.net.parameters())
        kept = {"adam": ("step", "exp_avg", "exp_avg_sq"), "sgd": ("momentum_buffer",)}
        if self.settings.optimiser == "sgd" and not self.settings.momentum:
            kept["sgd"] = ()
        return {
            **{f"net.{name}": x.shape for name, x in self.net.state_dict().items()},
            **{
                f"optimiser.{i}.{name}": () if name == "step" else x.shape
                for i, x in enumerate(weights)
                for name in (kept[self.settings.optimiser] if steps else ())
            },
            "losses": (steps,),
        }
