"""Expert trajectories: the weights of networks during their training on real images."""

import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from tqdm.auto import tqdm

from ..core.cache import artifact, cached, identify, resumed
from ..core.errors import FddkitError
from ..core.kinds import Array, Kind
from ..core.reading import clip
from ..core.rng import derive, generator
from ..core.tensors import write_tensors
from ..data.grouped import GroupedDataset
from ..training import augment, networks
from ..training.sgd import descend

_HELD = {"weights": Array(("float32",), ("epochs", "parameters"))}
_ADVICE = "remove it, and it will be trained again"
TRAJECTORY = Kind("expert", "an expert", _ADVICE, _HELD, {"identity": dict})
BEGUN = Kind("expert-part", "a checkpoint of an expert", _ADVICE, _HELD, {"identity": dict})


@dataclass(frozen=True)
class ExpertSettings:
    """How experts are trained (in MTT: 100 experts, 50 epochs, SGD with step size 0.01).

    Attributes
    ----------
    experts : int
        Number of networks (of each group, for COBRA-MTT).
    epochs : int
        Epochs of each; the weights are kept at the start and after every epoch.
    lr : float
        Step size, constant, without momentum or weight decay.
    batch : int
        Batch size.
    augment : str
        Augmentation, see `fddkit.training.augment.stages`.
    network : str
        The architecture.
    width, depth : int
        Width and depth of the ConvNet.
    """

    experts: int = 100
    epochs: int = 50
    lr: float = 0.01
    batch: int = 256
    augment: str = "none"
    network: str = "convnet"
    width: int = 128
    depth: int = 3


@dataclass(frozen=True)
class Experts:
    """Trained experts on disk.

    Attributes
    ----------
    files : list of list of Path
        ``files[k]`` holds expert k: one file, or one for each group that has images.
    epochs : int
        Epochs of each.
    seals : dict of str to str
        Name and sha256 of each file.
    """

    files: list[list[Path]]
    epochs: int
    seals: dict[str, str] = field(default_factory=dict)

    def pair(self, expert: int, start: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the weights of an expert after two numbers of epochs; nothing else is read.

        Parameters
        ----------
        expert : int
            Which one.
        start, length : int
            Epochs before the first moment, and between the two; ``start + length`` is at most
            `epochs`.

        Returns
        -------
        tuple of Tensor
            Two vectors, float32 [P], averaged over the groups' experts if there are several (as
            COBRA treats trajectories: the barycentre of the checkpoints).
        """
        found = []
        for path in self.files[expert]:
            try:
                with safe_open(path, "pt") as file:
                    rows = file.get_slice("weights")
                    found.append((rows[start], rows[start + length]))
            except (OSError, SafetensorError) as error:
                raise FddkitError(
                    f"{path} was removed or changed while it was in use ({clip(error)}); give the "
                    "same command again"
                ) from error
        first, last = zip(*found, strict=True)
        return torch.stack(first).mean(0), torch.stack(last).mean(0)


def train_experts(
    train: GroupedDataset,
    settings: ExpertSettings,
    seed: int,
    *,
    groups: bool = False,
    cache: str | os.PathLike | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
) -> Experts:
    """Train experts, or load them from the cache.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    settings : ExpertSettings
        How to train them.
    seed : int
        Seed of all weights, orders and augmentations.
    groups : bool
        Train experts for each group, on its images alone (COBRA-MTT). The groups' experts of the
        same number start from the same weights: the average of networks that start apart has
        smaller weights than each. If a group lacks a class, its experts never see that class.
    cache : path-like, optional
        Folder of the trajectories, see `fddkit.core.cache`; one file per expert.
    device : torch.device or str
        Where to train.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Experts
    """
    size = settings.width, settings.depth
    like = networks.fresh(settings.network, train.shape, train.n_classes, 0, *size)
    sizes = {"epochs": settings.epochs + 1, "parameters": len(_weights(like))}
    present = torch.where(train.counts().sum(0).cpu() > 0)[0].tolist() if groups else [None]
    files: list[list[Path]] = []
    seals: dict[str, str] = {}
    total = settings.experts * len(present) * settings.epochs
    with tqdm(total=total, desc="experts", unit="epoch", disable=not progress) as bar:
        for k in range(settings.experts):
            files.append([])
            for group in present:
                given = {
                    "fingerprint": train.fingerprint(),
                    "normalise": [list(train.mean), list(train.std), train.whitening is not None],
                    "group": group,
                    "settings": {n: v for n, v in asdict(settings).items() if n != "experts"},
                    "seed": seed,
                    "expert": k,
                }
                identity = identify(__name__, device, given)
                path = artifact(cache, "expert", identity)
                training = _Training(train, settings, seed, k, group, identity, device, bar)
                seals[path.name] = cached(path, TRAJECTORY, identity, training.finish, sizes)[1]
                bar.update(settings.epochs * (len(seals)) - bar.n)
                files[-1].append(path)
    return Experts(files, settings.epochs, seals)


@dataclass
class _Training:
    """The training of one expert."""

    train: GroupedDataset
    settings: ExpertSettings
    seed: int
    expert: int
    group: int | None
    identity: dict
    device: torch.device | str
    bar: tqdm

    def finish(self, part: Path) -> dict[str, Tensor]:
        """Train the remaining epochs, each of which ends with a checkpoint."""
        c, train = self.settings, self.train
        start = derive(self.seed, "expert", self.expert)
        size = c.width, c.depth
        net = networks.fresh(c.network, train.shape, train.n_classes, start, *size).to(self.device)
        done = self._resume(part, net)
        self.bar.update(len(done) - 1)
        pool = torch.arange(len(train))
        if self.group is not None:
            pool = torch.where(train.group.cpu() == self.group)[0]
        on_device, stages = train.to(self.device), augment.stages(c.augment)
        optimiser = torch.optim.SGD(net.parameters(), c.lr)
        for epoch in range(len(done), c.epochs + 1):
            rng = generator(self.seed, "expert epoch", self.expert, self.group, epoch)
            for rows in pool[torch.randperm(len(pool), generator=rng)].split(c.batch):
                index = rows.to(self.device)
                images = augment.vary(on_device.normalise(index), stages, rng)
                loss = descend(net, optimiser, images, on_device.target[index])
            if not loss < float("inf"):
                raise FddkitError(
                    f"an expert diverged in epoch {epoch}; choose a smaller expert_lr than {c.lr:g}"
                )
            done.append(_weights(net))
            if epoch < c.epochs:
                held = {"weights": torch.stack(done)}
                write_tensors(part, BEGUN, held, {"identity": self.identity})
            self.bar.update()
        return {"weights": torch.stack(done)}

    def _resume(self, part: Path, net: networks.Network) -> list[Tensor]:
        """Return the weights after each epoch so far, and give the network the last of them."""
        fresh = _weights(net)

        def take(tensors: dict[str, Tensor]) -> list[Tensor]:
            rows, parameters = tensors["weights"].shape
            if not 0 < rows <= self.settings.epochs or parameters != len(fresh):
                raise ValueError(f"it has {rows} epochs of {parameters} weights")
            return list(tensors["weights"])

        done = resumed(part, BEGUN, self.identity, take)
        if done is None:
            return [fresh]
        # a copy: the parameters become views of the vector, and training writes to them
        vector_to_parameters(done[-1].to(self.device, copy=True), net.parameters())
        return done


def _weights(net: networks.Network) -> Tensor:
    return parameters_to_vector(net.parameters()).detach().cpu().clone()
