"""Differentiable siamese augmentation (Zhao and Bilen 2021): one random family per draw.

The random numbers are drawn once, as plain numbers in [0, 1), and passed to `apply`. Images that
share a row of them share the transformation: with one row per class, indexed by the labels of the
real and of the synthetic images, the augmentation is siamese; with one row per image it is not.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from ..core.errors import FddkitError, unknown
from .warp import warp

FAMILIES = ("color", "crop", "cutout", "flip", "scale", "rotate")
SCALE = 1.2
ANGLE = math.radians(15)
_NUMBERS = 3  # random numbers per row: colour needs three, the others fewer


@dataclass(frozen=True, eq=False)
class Draw:
    """The random choices for a batch, one row per image (or class).

    Attributes
    ----------
    family : Tensor
        int64 [n], always on the CPU, so that finding the rows of a family never waits for a GPU:
        a position in `FAMILIES`, or -1 if the strategy is empty.
    u : Tensor
        float32 [n, 3] in [0, 1), from which the transformation's parameters are computed.
    """

    family: Tensor
    u: Tensor

    def __len__(self) -> int:
        return len(self.family)

    def __getitem__(self, index: Tensor) -> "Draw":
        """Return the rows at ``index``: ``draws[labels]`` gives each image the draw of its class.

        Parameters
        ----------
        index : Tensor
            int64 [m], preferably on the CPU (an index on a GPU has to be waited for).
        """
        return Draw(self.family[index.cpu()], self.u[index.to(self.u.device)])


def automatic(mirrors: bool) -> str:
    """Return the strategy of all families, without ``flip`` if mirroring changes the class."""
    return "_".join(family for family in FAMILIES if mirrors or family != "flip")


def parse(strategy: str) -> tuple[str, ...]:
    """Return the families of a strategy.

    Parameters
    ----------
    strategy : str
        Names from `FAMILIES` joined by ``_``, e.g. ``"color_crop_flip"``, or ``"none"``.

    Returns
    -------
    tuple of str
        In the order given; empty for ``"none"``.

    Raises
    ------
    FddkitError
        For an unknown family, or one that is given twice.

    Examples
    --------
    >>> parse("color_crop")
    ('color', 'crop')
    """
    if strategy == "none":
        return ()
    families = tuple(strategy.split("_"))
    for family in families:
        if family not in FAMILIES:
            raise unknown("family of augmentations (joined by _, or none)", family, FAMILIES)
        if families.count(family) > 1:
            raise FddkitError(f"{family!r} is named twice in augment={strategy!r}; name it once")
    return families


def stages(strategy: str) -> tuple[tuple[str, ...], ...]:
    """Return the families of each stage of a strategy, to be applied one after the other.

    Parameters
    ----------
    strategy : str
        Stages joined by ``+``, each as in `parse`: ``"color_crop"`` applies one of two families,
        ``"color+crop"`` both (as IDC does).

    Returns
    -------
    tuple of tuple of str
        Empty for ``"none"``.

    Examples
    --------
    >>> stages("color+crop_flip")
    (('color',), ('crop', 'flip'))
    """
    return () if strategy == "none" else tuple(map(parse, strategy.split("+")))


def vary(images: Tensor, stages: tuple[tuple[str, ...], ...], generator: torch.Generator) -> Tensor:
    """Augment a mini-batch for training a network: one family per batch, numbers per image.

    Parameters
    ----------
    images : Tensor
        float [N, C, H, W], normalised.
    stages : tuple of tuple of str
        See `stages`.
    generator : torch.Generator
        On the CPU.

    Returns
    -------
    Tensor
        Like ``images``.
    """
    for families in stages:
        images = apply(images, draw(len(images), families, generator, shared_family=True))
    return images


def draw(
    n: int, families: tuple[str, ...], generator: torch.Generator, shared_family: bool = False
) -> Draw:
    """Draw a family, uniformly, and its random numbers for each of ``n`` rows.

    Parameters
    ----------
    n : int
        Rows: classes for siamese augmentation, images otherwise.
    families : tuple of str
        The families to choose from, see `parse`; may be empty.
    generator : torch.Generator
        On the CPU, so that the draw is the same for every device.
    shared_family : bool
        Use one family for all rows, still with numbers for each row, as the official code does
        when it trains or evaluates a network.

    Returns
    -------
    Draw
        On the CPU.

    Examples
    --------
    >>> draws = draw(4, ("flip", "crop"), torch.Generator().manual_seed(0))
    >>> [FAMILIES[i] for i in draws.family.tolist()]
    ['flip', 'crop', 'flip', 'flip']
    """
    u = torch.rand(n, _NUMBERS, generator=generator)
    if not families:
        return Draw(torch.full((n,), -1), u)
    known = torch.tensor([FAMILIES.index(family) for family in families])
    chosen = torch.randint(len(families), (1 if shared_family else n,), generator=generator)
    return Draw(known[chosen].expand(n), u)


def apply(images: Tensor, draw: Draw) -> Tensor:
    """Return the images, each transformed according to its row of the draw.

    Parameters
    ----------
    images : Tensor
        float [N, C, H, W], normalised (pixels from outside the image are 0). Fastest if rows of
        the same family are adjacent, as in a batch sorted by class.
    draw : Draw
        Of N rows.

    Returns
    -------
    Tensor
        Same shape, type and device; differentiable in ``images``. The images themselves if the
        strategy is empty.

    Raises
    ------
    FddkitError
        If the draw has another number of rows, or the images are not floating point.
    """
    if len(draw) != len(images):
        raise FddkitError(f"{len(draw)} draws for {len(images)} images; draw one row per image")
    if not images.is_floating_point():
        raise FddkitError(f"augmentation needs normalised images, not {images.dtype}; convert them")
    if not (draw.family >= 0).any():
        return images
    families, lengths = draw.family.unique_consecutive(return_counts=True)
    if len(families) > max(len(FAMILIES), len(images) // 16):
        # many short runs: sorting the rows costs two copies but saves most of the calls
        order = draw.family.argsort()
        back = order.argsort().to(images.device)
        return apply(images[order.to(images.device)], draw[order])[back]
    lengths = lengths.tolist()
    runs = zip(
        families.tolist(),
        images.split(lengths),
        draw.u.to(images.device).split(lengths),
        strict=True,
    )
    parts = [_TRANSFORMS[FAMILIES[family]](rows, u) for family, rows, u in runs]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


# Each transformation maps images [n, C, H, W] and random numbers float32 [n, 3] to images. Integers
# are computed from the float32 numbers whatever the type of the images: in a shorter type, 0.99999
# would become 1 and leave the range.


def _color(images: Tensor, u: Tensor) -> Tensor:
    """Apply brightness, saturation and contrast, in this order, in one pass over the pixels.

    Brightness adds ``b`` to every value, hence to the mean ``m`` of a pixel's channels and to the
    mean ``M`` of the image; saturation preserves both means. So the sequence is
    ``k s x + k (1 - s) m + (1 - k) M + b``.
    """
    u = u.to(images.dtype)[:, :, None, None, None]
    b, s, k = u[:, 0] - 0.5, 2 * u[:, 1], u[:, 2] + 0.5
    pixel = images.mean(1, keepdim=True)
    image = pixel.mean((2, 3), keepdim=True)
    return torch.addcmul(k * (1 - s) * pixel + (1 - k) * image + b, images, k * s)


def _crop(images: Tensor, u: Tensor) -> Tensor:
    """Shift by whole pixels, at most an eighth of the side (rounded) in each direction."""
    n, channels, height, width = images.shape
    dy, dx = int(height / 8 + 0.5), int(width / 8 + 0.5)
    padded = F.pad(images, (dx, dx, dy, dy)).flatten(2)
    y = _integers(u[:, :1], 2 * dy + 1) + torch.arange(height, device=u.device)
    x = _integers(u[:, 1:2], 2 * dx + 1) + torch.arange(width, device=u.device)
    source = (y[:, :, None] * (width + 2 * dx) + x[:, None]).view(n, 1, -1)
    return padded.gather(2, source.expand(-1, channels, -1)).view_as(images)


def _cutout(images: Tensor, u: Tensor) -> Tensor:
    """Set a rectangle with half the sides (rounded) to 0, centred anywhere in the image."""
    inside = []
    for i, side in enumerate(images.shape[2:]):
        size = int(side / 2 + 0.5)
        # an even size has its centre between two pixels, hence one more position, as in the
        # official code
        first = _integers(u[:, i : i + 1], side + 1 - size % 2) - size // 2
        offset = torch.arange(side, device=u.device) - first
        inside.append((offset >= 0) & (offset < size))
    keep = ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])
    return images * keep


def _flip(images: Tensor, u: Tensor) -> Tensor:
    """Mirror left and right with probability 1/2."""
    return torch.where((u[:, 0] < 0.5)[:, None, None, None], images.flip(3), images)


def _scale(images: Tensor, u: Tensor) -> Tensor:
    """Stretch the sampling grid by U[1/1.2, 1.2], height and width independently."""
    factor = 1 / SCALE + u[:, :2].to(images.dtype) * (SCALE - 1 / SCALE)
    return warp(images, torch.diag_embed(factor), reach=1.01 * SCALE)


def _rotate(images: Tensor, u: Tensor) -> Tensor:
    """Rotate the sampling grid by U[-15, 15] degrees, in units where each side has length 2."""
    angle = (2 * u[:, 0].to(images.dtype) - 1) * ANGLE
    cos, sin = angle.cos(), angle.sin()
    aspect = images.shape[2] / images.shape[3]
    rows = torch.stack((cos, aspect * sin), 1), torch.stack((-sin / aspect, cos), 1)
    # the inverse has row sums of cos + sin * aspect and cos + sin / aspect
    reach = 1 + math.sin(ANGLE) * max(aspect, 1 / aspect)
    return warp(images, torch.stack(rows, 1), reach)


_TRANSFORMS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "color": _color,
    "crop": _crop,
    "cutout": _cutout,
    "flip": _flip,
    "scale": _scale,
    "rotate": _rotate,
}


def _integers(u: Tensor, n: int) -> Tensor:
    """Return int64 in ``[0, n)``, uniform where ``u`` is uniform in [0, 1)."""
    return (u * n).long()
