"""Expert trajectories: how the weights of networks move while real images train them."""

import os
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from tqdm.auto import tqdm

from . import augment, networks
from .cache import artifact
from .errors import FddkitError
from .files import read_tensors, write_tensors
from .grouped import GroupedDataset
from .rng import derive, generator
from .student import descend


@dataclass(frozen=True)
class ExpertSettings:
    """How experts are trained (MTT's buffers: 100 experts, 50 epochs, SGD of 0.01).

    Attributes
    ----------
    experts : int
        Networks (of each group, for COBRA-MTT).
    epochs : int
        Epochs of each; the weights are kept at the start and after every epoch.
    lr : float
        Step size, constant, without momentum or weight decay.
    batch : int
        Images a step.
    augment : str
        Stages of `fddkit.augment`.
    network : str
        The architecture.
    width, depth : int
        Of the ConvNet.
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
    """Trained experts on the disk.

    Attributes
    ----------
    files : list of list of Path
        ``files[k]`` holds expert k: one file, or one for each group that has images.
    epochs : int
        Epochs of each.
    """

    files: list[list[Path]]
    epochs: int

    def pair(self, expert: int, start: int, length: int) -> tuple[Tensor, Tensor]:
        """Return the weights of an expert at two moments; nothing else is read.

        Parameters
        ----------
        expert : int
            Which one.
        start, length : int
            In epochs; ``start + length`` is at most `epochs`.

        Returns
        -------
        tuple of Tensor
            Two of float32 [P], averaged over the groups' experts where there are several (COBRA's
            treatment of trajectories: the barycentre of the checkpoints).
        """
        found = []
        for path in self.files[expert]:
            with safe_open(path, "pt") as file:
                rows = file.get_slice("weights")
                found.append((rows[start], rows[start + length]))
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
    """Train experts, or find them trained.

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    settings : ExpertSettings
        How.
    seed : int
        Of all weights, orders and augmentations.
    groups : bool
        Train experts of each group, on its images alone (COBRA-MTT). Those of number k start from
        the same weights: an average of networks that started apart would be smaller than each.
        A group may lack a class: its experts never see that class.
    cache : path-like, optional
        Folder of the trajectories, see `fddkit.cache`; one file an expert.
    device : torch.device or str
        Where to train.
    progress : bool
        Show a bar.

    Returns
    -------
    Experts
    """
    present = torch.where(train.counts().sum(0).cpu() > 0)[0].tolist() if groups else [None]
    files: list[list[Path]] = []
    total = settings.experts * len(present) * settings.epochs
    with tqdm(total=total, desc="experts", unit="epoch", disable=not progress) as bar:
        for k in range(settings.experts):
            files.append([])
            for group in present:
                identity = {
                    "fingerprint": train.fingerprint(),
                    "zca": train.whitening is not None,
                    "group": group,
                    "settings": {n: v for n, v in asdict(settings).items() if n != "experts"},
                    "seed": seed,
                    "expert": k,
                }
                path = artifact(cache, "expert", identity)
                if not path.exists():
                    _train(train, settings, seed, k, group, path, identity, device, bar)
                else:
                    bar.update(settings.epochs)
                files[-1].append(path)
    return Experts(files, settings.epochs)


def _train(
    train: GroupedDataset,
    settings: ExpertSettings,
    seed: int,
    expert: int,
    group: int | None,
    path: Path,
    identity: dict,
    device: torch.device | str,
    bar: tqdm,
) -> None:
    """Train one expert and write its trajectory; a checkpoint of every epoch lies beside it."""
    size = networks.own_size(settings.network, settings.width, settings.depth)
    start = derive(seed, "expert", expert)
    net = networks.build(settings.network, train.shape, train.n_classes, start, *size).to(device)
    part = path.with_name(path.name + ".part")
    done = []
    if part.exists():
        tensors, header = read_tensors(part)
        if header["identity"] == identity:
            done = list(tensors["weights"])
            vector_to_parameters(done[-1].to(device), net.parameters())
    if not done:
        done = [parameters_to_vector(net.parameters()).detach().cpu()]
    bar.update(len(done) - 1)
    pool = torch.arange(len(train))
    if group is not None:
        pool = torch.where(train.group.cpu() == group)[0]
    on_device, stages = train.to(device), augment.stages(settings.augment)
    optimiser = torch.optim.SGD(net.parameters(), settings.lr)
    for epoch in range(len(done), settings.epochs + 1):
        chance = generator(seed, "expert epoch", expert, group, epoch)
        for rows in pool[torch.randperm(len(pool), generator=chance)].split(settings.batch):
            index = rows.to(device)
            images = augment.vary(on_device.normalise(index), stages, chance)
            loss = descend(net, optimiser, images, on_device.target[index])
        if not loss < float("inf"):
            raise FddkitError(
                f"an expert diverged in epoch {epoch}; choose a smaller expert_lr than "
                f"{settings.lr:g}"
            )
        done.append(parameters_to_vector(net.parameters()).detach().cpu())
        last = epoch == settings.epochs
        write_tensors(
            path if last else part, {"weights": torch.stack(done)}, {"identity": identity}
        )
        bar.update()
    part.unlink(missing_ok=True)
