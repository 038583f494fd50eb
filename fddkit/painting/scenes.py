"""Gray objects over scenes: the KDE paper's Background-Fashion-MNIST.

The scenes are computed (`fddkit.painting.scenery`), or images in a folder of your own. Whole
numbers throughout, so that images are identical bit for bit on every machine.
"""

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.reading import clip
from ..reading.decoding import decode
from ..reading.frame import Frame
from .corruptions.fixed_point import Draws
from .pieces import check_rows, described, in_chunks
from .scenery import SCENE_NAMES, SIZE, computed_scenes

_SOLID = 24  # gray value from which a pixel shows the object alone
_MOST = 5000  # images of one scene


def over_scenes(gray: Tensor, group: Tensor, index: Tensor, seed: int, scenes: str = "") -> Tensor:
    """Put gray objects over scenes of their groups, one drawn for each image.

    A pixel x of the object shows ``a x + (1 - a) scene`` with ``a = min(1, x / 24)``: the object is
    opaque, and its dark edge soft.

    Parameters
    ----------
    gray : Tensor
        uint8 [N, 32, 32], a bright object on black.
    group : Tensor
        int64 [N], 0 to 9.
    index : Tensor
        int64 [N], the identity of each image.
    seed : int
        Names the draws.
    scenes : str
        A folder with a sub-folder of images for each group, see `read_scenes`; by default the
        computed scenes.

    Returns
    -------
    Tensor
        uint8 [N, 3, 32, 32].

    Raises
    ------
    FddkitError
        If the folder is not as described, or a shape or dtype is not as above.

    Examples
    --------
    >>> gray = torch.zeros(1, 32, 32, dtype=torch.uint8)
    >>> over_scenes(gray, torch.tensor([1]), torch.tensor([5]), seed=0).shape
    torch.Size([1, 3, 32, 32])
    """
    if gray.dtype != torch.uint8 or gray.shape[1:] != (SIZE, SIZE):
        raise FddkitError(f"gray images are {described(gray)}; give uint8 [N, {SIZE}, {SIZE}]")
    check_rows(len(gray), group, index, len(SCENE_NAMES))
    pools = read_scenes(scenes)[1] if scenes else computed_scenes()
    sizes = torch.tensor([len(pool) for pool in pools])
    first = sizes.cumsum(0) - sizes
    chosen = first[group] + Draws(index, seed).below(1 << 31, "scene") % sizes[group]
    pictures = torch.cat(pools) if len(pools) > 1 else pools[0]

    def paint(gray: Tensor, chosen: Tensor) -> Tensor:
        x, scene = gray.long(), pictures[chosen].long()
        solid = x.clamp(max=_SOLID)
        return ((solid * x + (_SOLID - solid) * scene) // _SOLID).to(torch.uint8)

    return in_chunks(paint, gray[:, None], chosen)


def scene_names(scenes: str = "") -> tuple[str, ...]:
    """Return the names of the groups: of the computed scenes, or of the folder's sub-folders."""
    return read_scenes(scenes)[0] if scenes else SCENE_NAMES


def read_scenes(folder: str) -> tuple[tuple[str, ...], tuple[Tensor, ...]]:
    """Read scenes from a folder: ten sub-folders, in order of their names, one for each group.

    Each image is cut to its middle square and brought to 32 x 32 pixels.

    Parameters
    ----------
    folder : path-like
        For instance ``scenes/00_bamboo_forest/*.jpg``; hidden files are left out.

    Returns
    -------
    names : tuple of str
        Of the sub-folders.
    scenes : tuple of Tensor
        uint8 [K, 3, 32, 32] for each.

    Raises
    ------
    FddkitError
        If there are not ten sub-folders, one has no image or too many, or a file is no image.
    """
    path, count = Path(folder), len(SCENE_NAMES)
    try:
        below = sorted(one for one in path.iterdir() if one.is_dir() and one.name[0] != ".")
        files = [
            sorted(f for f in one.iterdir() if f.is_file() and f.name[0] != ".") for one in below
        ]
        states = [(str(f), f.stat().st_mtime_ns, f.stat().st_size) for of in files for f in of]
    except OSError as error:
        raise FddkitError(
            f"scenes={clip(str(folder))!r} is no folder that can be read "
            f"({error.strerror or error}); give one with {count} sub-folders of images"
        ) from error
    if len(below) != count:
        raise FddkitError(
            f"scenes={clip(str(folder))!r} has {len(below)} sub-folders; give {count}, "
            "one for each class's scene"
        )
    for one, of in zip(below, files, strict=True):
        if not 1 <= len(of) <= _MOST:
            raise FddkitError(
                f"the scene {clip(str(one))} has {len(of)} images; give 1 to {_MOST:,}"
            )
    pictures = _pictures(tuple(states))
    sizes = [len(of) for of in files]
    return tuple(one.name for one in below), pictures.split(sizes)


@lru_cache(maxsize=1)
def _pictures(states: tuple[tuple[str, int, int], ...]) -> Tensor:
    """Return the pixels of files, read again only if one of them has changed."""
    frame = Frame.of(SIZE, "crop", "RGB")

    def pixels(file: str) -> np.ndarray:
        try:
            return decode(file, frame).pixels
        except FddkitError as error:
            raise FddkitError(f"the scene {clip(file)} cannot be read: {error}") from error

    return torch.from_numpy(np.stack([pixels(file) for file, _, _ in states]))
