"""IDC on representative real images: DREAM (Liu et al. 2023)."""

from dataclasses import dataclass, replace
from typing import ClassVar

import torch
from torch import Tensor

from ..core.rng import generator
from ..data.distilled import DistilledSet
from ..data.sampling import Batch
from ..training.networks import Network, embed
from .idc import IDC, IDCSettings
from .kmeans import representatives


@dataclass(frozen=True)
class DREAMSettings(IDCSettings):
    """Settings of DREAM.

    Attributes
    ----------
    batch : int
        Representatives per class; under ``group`` sampling they are divided among the groups and
        each group is clustered separately, because otherwise minorities vanish (the paper does
        not mention groups).
    interval : int
        Steps after which new representatives are chosen.
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

    _now: int = 0  # the step that the run has reached
    _chosen: Tensor | None = None  # the representatives of that step, once needed

    def batch(self, step: int) -> Batch:
        """See `Matching.batch`: the representatives, which change after every interval."""
        since = self._since(step)
        if since != self._since(self._now):  # another step, under its network as it is now
            return self.sampler.batch(self._choose(since))
        if self._chosen is None:
            self._chosen = self._choose(since)
        return self.sampler.batch(self._chosen)

    def _since(self, step: int) -> int:
        """Return the step at which the representatives of a step were chosen."""
        return step - step % self.per_network % self.settings.interval

    def _choose(self, since: int) -> Tensor:
        """Return the representatives from a step on, by the features of its network."""
        rng, net = generator(self.seed, "representatives", since), self.network(since)
        return torch.cat([self._cluster(net, pool, k, rng) for pool, k in self.sampler.pools])

    def after(self, images: Tensor, step: int) -> int:
        """See `Matching.after`."""
        self._come_to(step)
        self.batch(step)  # before its network changes, whether or not the step needed them
        following = super().after(images, step)
        self._come_to(following)
        return following

    def _come_to(self, step: int) -> None:
        if self._since(step) != self._since(self._now):
            self._chosen = None
        self._now = step

    def originals(self, ipc: int) -> DistilledSet:
        """See `IDC.originals`: the images nearest to the centres of ``ipc`` clusters."""
        small = super().originals(ipc)
        rng, net = generator(self.seed, "initial images"), self.fresh(0)
        target, index = self.train.target.cpu(), []
        for y in range(self.train.n_classes):
            index.append(self._cluster(net, torch.where(target == y)[0], ipc, rng))
        index = torch.cat(index).to(self.device)
        images = self.train.normalise(index).cpu()
        return replace(small, images=images, group=self.train.group[index].cpu())

    def _cluster(self, net: Network, pool: Tensor, k: int, rng: torch.Generator) -> Tensor:
        """Return k images of the pool, by the network's features of plain pixels in [0, 1]."""
        pixels = self.train.images[pool.to(self.device)]
        chunks = [embed(net, part.to(self.dtype) / 255) for part in pixels.split(1024)]
        return pool[representatives(torch.cat(chunks), k, rng)]

    def state(self) -> dict[str, Tensor]:
        """See `Matching.state`; the representatives are those of an earlier network state."""
        chosen = {"representatives": self._chosen} if self._now > self._since(self._now) else {}
        return super().state() | chosen

    def load(self, state: dict[str, Tensor], step: int) -> None:
        """See `Matching.load`."""
        super().load(state, step)
        self._now = step
        self._chosen = None
        if step > self._since(step):
            chosen = state["representatives"]
            sizes = [min(k, len(pool)) for pool, k in self.sampler.pools]
            if chosen.dtype != torch.int64 or chosen.shape != (sum(sizes),):
                raise ValueError(f"its representatives are {chosen.dtype} {list(chosen.shape)}")
            for (pool, _), part in zip(self.sampler.pools, chosen.split(sizes), strict=True):
                if not torch.isin(part, pool).all():
                    raise ValueError("its representatives are not among the images")
            self._chosen = chosen
