"""Distribution matching: the mean embeddings of random networks (Zhao and Bilen 2023)."""

from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from torch import Tensor

from .grouped import GroupedDataset
from .matching import Matching
from .networks import Network, embed
from .settings import Settings
from .signals import segment_sum
from .targets import Statistic


@dataclass(frozen=True)
class DMSettings(Settings):
    """DM's; the step size is 1, and 10 from 100 images per class on (FairDD's script).

    400 iterations unless given, and 200 for images of up to 16 pixels (`digits`), whose
    embeddings have a quarter as many features to fit.
    """

    def derive(self, ipc: int, train: GroupedDataset) -> dict[str, object]:
        """See `Settings.derive`."""
        small = max(train.shape[1:]) <= 16
        return {"iterations": 200 if small else 400, "lr": 10.0 if ipc >= 100 else 1.0}


class DM(Matching):
    """A fresh, frozen, random network in every step; phi is its flattened last feature map."""

    title = "distribution matching: mean embeddings of random networks (Zhao and Bilen 2023)"
    compiles = True
    presets: ClassVar = {
        "smoke": DMSettings(iterations=20, batch=32, width=16, lr=10.0, encoder="smoke"),
        "quick": DMSettings(batch=64, width=32, lr=5.0),
        "paper": DMSettings(
            iterations=20_000, augment="color_crop_cutout_flip_scale_rotate", encoder="paper"
        ),
    }

    def statistic(self, net: Network, images: Tensor, target: Tensor) -> Statistic:
        """See `Matching.statistic`; DM, Eq. 4."""
        return partial(segment_sum, embed(net, images))

    def synthetic(self, net: Network, images: Tensor, target: Tensor, classes: int) -> Tensor:
        """See `Matching.synthetic`."""
        return net.embed(images).unflatten(0, (classes, -1)).mean(1)
