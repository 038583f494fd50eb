"""The contrastive encoder in whose space the ``kde`` rule estimates density."""

import math
import os
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm.auto import tqdm

from .cache import artifact
from .errors import FddkitError, unknown
from .files import read_tensors, write_tensors
from .grouped import GroupedDataset
from .rng import derive, generator

OPTIMISERS = ("adam", "sgd")
_DIMENSIONS = 128


@dataclass(frozen=True)
class EncoderSettings:
    """How the encoder is trained (SelecMix's settings; the KDE paper gives none).

    Attributes
    ----------
    epochs, batch : int
        Of the training.
    optimiser : {"adam", "sgd"}
        SGD with a momentum of 0.9.
    lr, decay : float
        Step size and weight decay.
    temperature, q : float
        Of the loss, see `gsc_loss`.
    width : int
        Channels of the first of the four stages; ResNet18's own is 64.
    """

    epochs: int
    batch: int = 256
    optimiser: str = "adam"
    lr: float = 0.01
    decay: float = 1e-4
    temperature: float = 0.2
    q: float = 0.7
    width: int = 64

    def __post_init__(self):
        """Check every value."""
        for name in ("epochs", "batch", "width", "lr", "temperature", "q"):
            if not 0 < getattr(self, name) < math.inf:
                raise FddkitError(f"the encoder's {name}={getattr(self, name)!r} is not positive")
        if self.optimiser not in OPTIMISERS:
            raise unknown("optimiser of the encoder", self.optimiser, OPTIMISERS)


PRESETS = {
    "smoke": EncoderSettings(epochs=1, width=4),
    "quick": EncoderSettings(epochs=10, width=16),
    "paper": EncoderSettings(epochs=200),
}


class _Block(nn.Module):
    """ResNet's basic block with batch normalisation."""

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(channels, width, 3, stride, 1, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, 1, 1, bias=False),
            nn.BatchNorm2d(width),
        )
        self.shortcut = nn.Sequential()
        if stride != 1 or channels != width:
            conv = nn.Conv2d(channels, width, 1, stride, bias=False)
            self.shortcut = nn.Sequential(conv, nn.BatchNorm2d(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(self.main(x) + self.shortcut(x))


def build(channels: int, width: int, seed: int) -> nn.Sequential:
    """Return ResNet18 with a small stem and a projection head to 128 dimensions, on the CPU.

    Parameters
    ----------
    channels : int
        Of the images.
    width : int
        Channels of the first stage.
    seed : int
        Names the weights.

    Returns
    -------
    nn.Sequential
        Maps [N, C, H, W] to [N, 128].
    """
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        torch.default_generator.manual_seed(derive(seed, "encoder"))
        layers = [nn.Conv2d(channels, width, 3, 1, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()]
        before = width
        for factor, stride in ((1, 1), (2, 2), (4, 2), (8, 2)):
            now = width * factor
            layers += [_Block(before, now, stride), _Block(now, now, 1)]
            before = now
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten()]
        layers += [nn.Linear(before, before), nn.ReLU(), nn.Linear(before, _DIMENSIONS)]
        return nn.Sequential(*layers)


def gsc_loss(z: Tensor, target: Tensor, temperature: float = 0.2, q: float = 0.7) -> Tensor:
    """Return the generalised supervised contrastive loss (SelecMix, Hwang et al. 2022).

    With ``p[i, j]`` the softmax over k != i of ``z_i . z_k / temperature``, an image's loss is the
    mean over the others of its class of ``-q * stopgrad(p^q) * log p``. Its gradient is that of
    ``-p^q``: pairs that are alike already pull more, so clusters form along the bias.

    Parameters
    ----------
    z : Tensor
        float [N, D], of any length; they are normalised here.
    target : Tensor
        int64 [N].
    temperature, q : float
        Of the softmax, and the exponent.

    Returns
    -------
    Tensor
        A scalar: the mean over the images whose class has another; zero where there is none.
    """
    z = F.normalize(z, dim=1)
    itself = torch.eye(len(z), dtype=torch.bool, device=z.device)
    logits = (z @ z.T / temperature).masked_fill(itself, -torch.inf)
    log_p = logits.log_softmax(1).masked_fill(itself, 0)
    positive = (target[:, None] == target) & ~itself
    terms = q * (q * log_p.detach()).exp() * log_p
    several = positive.sum(1)
    own = -(terms * positive).sum(1) / several.clamp(min=1)
    return own.sum() / (several > 0).sum().clamp(min=1)


def encode(
    train: GroupedDataset,
    settings: EncoderSettings,
    seed: int,
    *,
    cache: str | os.PathLike | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Tensor:
    """Train an encoder, or find it trained, and return the features of the whole set.

    A checkpoint of every epoch lies beside the file; an interrupted training goes on from it and
    ends with the same bits.

    Parameters
    ----------
    train : GroupedDataset
        The real set; its groups are not looked at.
    settings : EncoderSettings
        How to train.
    seed : int
        Of weights and order.
    cache : path-like, optional
        Folder of the features, see `fddkit.cache`.
    device : torch.device or str
        Where to compute.
    progress : bool
        Show a bar.

    Returns
    -------
    Tensor
        float32 [N, 128] on the CPU, rows of length one.

    Raises
    ------
    FddkitError
        If the loss is no longer finite.
    """
    identity = {"fingerprint": train.fingerprint(), "settings": asdict(settings), "seed": seed}
    path = artifact(cache, "encoder", identity)
    if path.exists():
        return read_tensors(path)[0]["features"]
    part = path.with_name(path.name + ".part")
    net = build(train.shape[0], settings.width, seed).to(device)
    if settings.optimiser == "adam":
        optimiser = torch.optim.Adam(net.parameters(), settings.lr, weight_decay=settings.decay)
    else:
        optimiser = torch.optim.SGD(net.parameters(), settings.lr, 0.9, weight_decay=settings.decay)
    done = _resume(part, identity, net, optimiser) if part.exists() else 0
    data = train.to(device)
    title = "encoder of the kde rule"
    with tqdm(total=settings.epochs, initial=done, desc=title, disable=not progress) as bar:
        for epoch in range(done, settings.epochs):
            net.train()
            order = torch.randperm(len(data), generator=generator(seed, "encoder", epoch))
            for rows in order.split(settings.batch):
                if len(rows) < 2:  # nothing to compare with, and no variance to normalise by
                    continue
                index = rows.to(device)
                z = net(data.normalise(index))
                loss = gsc_loss(z, data.target[index], settings.temperature, settings.q)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            if not math.isfinite(loss.item()):
                raise FddkitError(
                    f"the encoder of the kde rule diverged in epoch {epoch + 1}; "
                    "distil with another encoder preset"
                )
            write_tensors(part, _state(net, optimiser), {"identity": identity, "epoch": epoch + 1})
            bar.set_postfix(loss=f"{loss.item():.4g}", refresh=False)
            bar.update()
    net.eval()
    with torch.no_grad():
        index = torch.arange(len(data), device=device)
        chunks = [F.normalize(net(data.normalise(rows)), dim=1) for rows in index.split(512)]
    features = torch.cat(chunks).cpu()
    write_tensors(path, {"features": features}, {"identity": identity})
    part.unlink(missing_ok=True)
    return features


def _state(net: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Return weights, buffers and the optimiser's tensors, flat by name."""
    found = {f"net.{name}": tensor for name, tensor in net.state_dict().items()}
    for i, own in optimiser.state_dict()["state"].items():
        found |= {f"optimiser.{i}.{name}": torch.as_tensor(value) for name, value in own.items()}
    return found


def _resume(
    part: os.PathLike, identity: dict, net: nn.Module, optimiser: torch.optim.Optimizer
) -> int:
    """Take up a checkpoint and return the epochs that are done."""
    tensors, header = read_tensors(part)
    if header["identity"] != identity:
        return 0
    weights = {k[4:]: tensor for k, tensor in tensors.items() if k.startswith("net.")}
    net.load_state_dict(weights)
    state: dict[int, dict] = {}
    for key, tensor in tensors.items():
        if key.startswith("optimiser."):
            _, i, name = key.split(".")
            state.setdefault(int(i), {})[name] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": state})
    return header["epoch"]
