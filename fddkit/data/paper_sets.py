"""Sets of the papers beyond FairDD's main table: CIFAR100-S, and those by conflict ratio.

Facts for entries of the catalogue (`fddkit.data.catalogue.DatasetInfo`). In the sets of the KDE
paper a ratio r of the images conflicts with the bias, which is a bias ratio of 1 - r.
"""

from collections.abc import Callable
from typing import Any

from torch import Tensor

from ..painting.colouring import gray_or_colour
from ..painting.corruptions import SEVERITIES, corrupt
from ..painting.jitter import COLOUR_NAMES, colour_with_jitter
from ..painting.scenery import SCENE_NAMES
from ..painting.scenes import over_scenes, scene_names
from . import class_names, sources
from .traits import DIGITS, PHOTOGRAPHS

# LfF's types 0 and 1, in the order of the classes whose majorities they are
_TYPE_0 = ("snow", "frost", "fog", "brightness", "contrast")
_TYPE_0 += ("spatter", "elastic", "JPEG", "pixelate", "saturate")
_TYPE_1 = ("Gaussian noise", "shot noise", "impulse noise", "speckle noise", "Gaussian blur")
_TYPE_1 += ("defocus blur", "glass blur", "motion blur", "zoom blur", "original")


def _corrupted(names: tuple[str, ...]) -> Callable[..., Tensor]:
    """Return an injection whose group i is the corruption ``names[i]``."""

    def inject(images: Tensor, group: Tensor, index: Tensor, seed: int, severity: int) -> Tensor:
        return corrupt(images, names, group, severity, index, seed)

    return inject


_COLOUR = {"shape": (3, 32, 32), "traits": PHOTOGRAPHS}
_CONFLICT = {"default_br": 0.95, "even": True, "drawn": True}
_CIFAR10 = {
    **_COLOUR,
    **_CONFLICT,
    "target_names": class_names.OBJECTS,
    "source": sources.CIFAR10,
    "originals": sources.cifar10,
    "mean": (0.4914, 0.4822, 0.4465),
    "std": (0.2023, 0.1994, 0.2010),
    "options": {"severity": 5},
    "choices": {"severity": SEVERITIES},
}

FACTS: tuple[dict[str, Any], ...] = (
    {
        **_COLOUR,
        "name": "cifar100-s",
        "title": "CIFAR100-S, gray or in colour",
        "target_names": class_names.CIFAR100,
        "group_names": ("gray", "colour"),
        "source": sources.CIFAR100,
        "originals": sources.cifar100,
        "inject": gray_or_colour,
        "mean": (0.5071, 0.4866, 0.4409),
        "std": (0.2673, 0.2564, 0.2762),
        "plain": 1,
        "paired": True,
    },
    {
        **_CONFLICT,
        "name": "cmnist-conflict",
        "title": "C-MNIST by conflict ratio, colours that vary",
        "target_names": class_names.DIGITS,
        "group_names": COLOUR_NAMES,
        "shape": (3, 28, 28),
        "source": sources.MNIST,
        "originals": sources.mnist_unpadded,
        "inject": colour_with_jitter,
        "options": {"severity": 1},
        "choices": {"severity": SEVERITIES},
        "traits": DIGITS,
    },
    {
        **_CIFAR10,
        "name": "corrupted-cifar10-conflict",
        "title": "Corrupted CIFAR-10, type 0: weather, colour, detail",
        "group_names": _TYPE_0,
        "inject": _corrupted(_TYPE_0),
        "plain": _TYPE_0.index("brightness"),
    },
    {
        **_CIFAR10,
        "name": "corrupted-cifar10-noise-conflict",
        "title": "Corrupted CIFAR-10, type 1: noise, blur, original",
        "group_names": _TYPE_1,
        "inject": _corrupted(_TYPE_1),
        "plain": _TYPE_1.index("original"),
    },
    {
        **_COLOUR,
        **_CONFLICT,
        "name": "bgfmnist-conflict",
        "title": "Background-Fashion-MNIST, clothes over scenes",
        "target_names": class_names.CLOTHES,
        "group_names": SCENE_NAMES,
        "source": sources.FASHION,
        "originals": sources.fashion,
        "inject": over_scenes,
        "options": {"scenes": ""},
        "named": scene_names,
    },
)
