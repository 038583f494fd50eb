"""IDC on representative real images: DREAM (Liu et al. 2023)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from .distilled import DistilledSet
from .idc import IDC, IDCSettings
from .kmeans import representatives
from .networks import Network, embed
from .rng import generator
from .sampling import Batch


@dataclass(frozen=True)
class DREAMSettings(IDCSettings):
    """DREAM's.

    Attributes
    ----------
    batch : int
        Representatives per class; under ``group`` sampling they are shared out to the groups and
        each is clustered by itself, for else minorities vanish (the paper says nothing of groups).
    interval : int
        Steps after which representatives are chosen anew.
    """

    batch: int = 128
    interval: int = 10

    whole: ClassVar[tuple[str, ...]] = (*IDCSettings.whole, "interval")


class DREAM(IDC):
    """IDC on representative images: those nearest to the centres of clusters (Liu et al. 2023)."""

    title = "IDC on representative real images, found by clustering (Liu et al. 2023)"
    presets: ClassVar = {
        "smoke": DREAMSettings(
            iterations=2, batch=16, width=16, outer=5, net_data=128, interval=3, encoder="smoke"
        ),
        "quick": DREAMSettings(
            iterations=5, batch=64, width=32, outer=20, net_data=256, lr_scale=600.0
        ),
        "paper": DREAMSettings(encoder="paper"),
    }

    _chosen: tuple[int, Tensor] | None = None  # since which step, and which images

    def batch(self, step: int) -> Batch:
        """See `Matching.batch`: the representatives, chosen anew after every interval."""
        since = step - step % self.per_network % self.settings.interval
        if self._chosen is None or self._chosen[0] != since:
            chance = generator(self.seed, "representatives", since)
            net = self.network(step)
            found = [self._cluster(net, pool, k, chance) for pool, k in self.sampler.pools]
            self._chosen = since, torch.cat(found)
        return self.sampler.batch(self._chosen[1])

    def originals(self, ipc: int) -> DistilledSet:
        """See `IDC.originals`: the nearest to the centres of as many clusters."""
        small = super().originals(ipc)
        chance, net = generator(self.seed, "initial images"), self.network(0)
        target, index = self.train.target.cpu(), []
        for y in range(self.train.n_classes):
            index.append(self._cluster(net, torch.where(target == y)[0], ipc, chance))
        index = torch.cat(index).to(self.device)
        images = self.train.normalise(index).cpu()
        return replace(small, images=images, group=self.train.group[index].cpu())

    def _cluster(self, net: Network, pool: Tensor, k: int, chance: torch.Generator) -> Tensor:
        """Return k of the pool, by the network's features of plain pixels in [0, 1]."""
        pixels = self.train.images[pool.to(self.device)]
        chunks = [embed(net, part.to(self.dtype) / 255) for part in pixels.split(1024)]
        return pool[representatives(torch.cat(chunks), k, chance)]

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`; the representatives are those of a network that has gone on."""
        chosen = {} if self._chosen is None else {"representatives": self._chosen[1]}
        return super().state() | chosen

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        super().load(state, step)
        within = step % self.per_network % self.settings.interval
        if within and step % self.per_network:
            self._chosen = step - within, state["representatives"]
