"""The distilled set: a few images per class, with the story of how they came to be."""

import csv
import io
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from ..core import files
from ..core.errors import Damaged, FddkitError
from .grouped import normalise
from ..core.reading import clip, read_bytes
from ..core.tensors import Array, Kind, only, read_tensors, write_tensors
from .whitening import Whitening

SET = Kind(
    "set",
    "a distilled set",
    "give a file that `fddkit distill` wrote",
    {
        "images": Array(("float32", "uint8"), ("images", "channels", "height", "width")),
        "target": Array(("int64",), ("images",)),
        "group": Array(("int64",), ("images",)),
        "loss": Array(("float64",), ("steps",)),
        **{f"whitening.{name}": Array(("float32",), None, True) for name in Whitening._fields},
    },
    {
        "config": {
            "dataset?": {str: (str, int, float, bool, list, dict, None)},
            "fingerprint?": str,
            "method?": str,
            "fairness?": (str, None),
            "ipc?": (int, None),
            "seed?": (int, None),
            "preset?": (str, None),
            "settings?": dict,
        },
        "versions": dict,
        "mean": [float],
        "std": [float],
        "target_names": [str],
        "group_names": [str],
        # sets of before these existed have none of them
        "factor?": int,
        "lr?": (float, None),
        "sources?": {str: str},
        "health?": {"verdict?": str, "notes?": [str]},
    },
)


@dataclass(frozen=True, eq=False)
class DistilledSet:
    """A small training set, as distilled (or as drawn, for the baselines).

    Attributes
    ----------
    images : Tensor
        float32 [M, C, H, W] in normalised units where they were optimised, or uint8 where they
        are real images (methods ``random`` and ``whole``).
    target : Tensor
        int64 [M], the class of each image.
    group : Tensor
        int64 [M], the group of the real image that each one started from; -1 where it started
        from noise. A distilled image itself belongs to no group.
    mean, std : tuple of float
        Normalisation of the training set per channel, for pixels in [0, 1].
    target_names, group_names : tuple of str
        Names of the classes and groups.
    config : dict
        ``dataset`` (the arguments of `fddkit.load`), ``fingerprint`` (of the training set),
        ``method``, ``fairness``, ``ipc``, ``seed``, ``preset`` and ``settings``.
    versions : dict
        Versions and machine, see `fddkit.core.versions.versions`.
    loss : Tensor
        float64 [iterations], the matching loss of each step; empty for the baselines.
    factor : int
        Side of the grid of small images that each image holds (IDC's multi-formation): networks
        see ``factor ** 2`` images of full size in each, see `decoded`.
    lr : float, optional
        The step size that was learnt with the images (MTT), for training on them.
    whitening : Whitening, optional
        What the normalised images went through (MTT's ZCA); test images must, too.
    sources : dict of str to str
        Name and sha256 of each file of the cache that the set rests on (MTT's experts, encoders,
        fair extractors).
    health : dict
        ``verdict`` and ``notes``, see `fddkit.distillers.health`; empty where nothing was optimised.
    """

    images: Tensor
    target: Tensor
    group: Tensor
    mean: tuple[float, ...]
    std: tuple[float, ...]
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    config: dict
    versions: dict = field(default_factory=dict)
    loss: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.float64))
    factor: int = 1
    lr: float | None = None
    whitening: Whitening | None = None
    sources: dict = field(default_factory=dict)
    health: dict = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        """Return one line: what, of which set, how many images of which shape."""
        c = self.config
        made = clip(" ".join(str(c[k]) for k in ("method", "fairness") if c.get(k)))
        name = clip(c.get("dataset", {}).get("dataset", "?"))
        shape = "x".join(map(str, self.images.shape[1:]))
        return f"DistilledSet({made} of {name}: {len(self)} images {shape}, ipc={c.get('ipc')})"

    def _channels(self, values: tuple[float, ...]) -> Tensor:
        return torch.tensor(values, device=self.images.device).view(-1, 1, 1)

    def normalised(self) -> Tensor:
        """Return the images as networks see them.

        Returns
        -------
        Tensor
            float32 [M, C, H, W].
        """
        if self.images.dtype != torch.uint8:
            return self.images
        seen = normalise(self.images, self.mean, self.std)
        return seen if self.whitening is None else self.whitening.apply(seen)

    def decoded(self) -> tuple[Tensor, Tensor]:
        """Return what networks train on: every small image of a multi-formation at full size.

        Returns
        -------
        images : Tensor
            [M * factor**2, C, H, W]; `images` itself where the factor is 1.
        target : Tensor
            int64 [M * factor**2].
        """
        if self.factor == 1:
            return self.images, self.target
        gray = (0.5 - self._channels(self.mean)) / self._channels(self.std)
        target = self.target.repeat_interleave(self.factor**2)
        return decode(self.images, self.factor, gray), target

    def pixels(self) -> Tensor:
        """Return the images as people see them.

        Returns
        -------
        Tensor
            float32 [M, C, H, W] in [0, 1]; what the optimisation drove outside is clipped.

        Raises
        ------
        FddkitError
            If a whitening cannot be undone.
        """
        if self.images.dtype == torch.uint8:
            return self.images.float() / 255
        seen = self.images if self.whitening is None else self._unwhitened()
        return (seen * self._channels(self.std) + self._channels(self.mean)).clamp(0, 1)

    def _unwhitened(self) -> Tensor:
        with suppress(torch.linalg.LinAlgError):
            seen = self.whitening.invert(self.images)
            if seen.isfinite().all():
                return seen
        raise FddkitError(f"the whitening of {self!r} cannot be undone; take another set")

    def to_dataset(self) -> TensorDataset:
        """Return a torch data set of (normalised image, class), for any training code.

        Returns
        -------
        torch.utils.data.TensorDataset
            Of the `decoded` images.
        """
        return TensorDataset(*replace(self, images=self.normalised()).decoded())

    def to_images(self, folder: str | os.PathLike) -> Path:
        """Write one PNG an image and ``labels.csv`` (file, target, class, initial group).

        Parameters
        ----------
        folder : path-like
            Made where it is missing.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FddkitError
            If the folder cannot be written to, or holds another file of one of these names.
        """
        from PIL import Image

        folder = Path(folder)
        pixels = (self.pixels() * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        table = io.StringIO()
        writer = csv.writer(table, lineterminator="\n")
        writer.writerow(("file", "target", "class", "initial_group"))
        made: dict[str, bytes] = {}
        for i, (image, y, a) in enumerate(
            zip(pixels, self.target.tolist(), self.group.tolist(), strict=True)
        ):
            name, buffer = f"{i:05d}_class{y}.png", io.BytesIO()
            Image.fromarray(np.squeeze(image)).save(buffer, format="png")
            made[name] = buffer.getvalue()
            group = self.group_names[a] if a >= 0 else ""
            writer.writerow((name, y, self.target_names[y], group))
        made["labels.csv"] = table.getvalue().encode()
        for name, content in made.items():
            _same_as(folder / name, content)  # before the first of them is written
        for name, content in made.items():
            with files.atomic(folder / name, partial(_same_as, content=content)) as temporary:
                temporary.write_bytes(content)
        return folder

    def save(self, path: str | os.PathLike, look: files.Look | None = None) -> Path:
        """Write the set as one safetensors file, atomically.

        Parameters
        ----------
        path : path-like
            The file.
        look : callable, optional
            See `fddkit.core.files.atomic`; by default another distilled set is replaced, and no other
            file is.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        FddkitError
            If it cannot be written, its parts do not fit each other, or a pixel is not finite.
        """
        header = {
            "config": self.config,
            "versions": self.versions,
            "mean": self.mean,
            "std": self.std,
            "target_names": self.target_names,
            "group_names": self.group_names,
            "factor": self.factor,
            "lr": self.lr,
            "sources": self.sources,
            "health": self.health,
        }
        tensors = {name: getattr(self, name) for name in ("images", "target", "group", "loss")}
        if self.whitening is not None:
            tensors |= {f"whitening.{k}": v for k, v in self.whitening._asdict().items()}
        try:
            self._check()
            return write_tensors(path, SET, tensors, header, look or only(SET))
        except FddkitError:
            raise
        except (TypeError, ValueError) as error:
            raise FddkitError(f"{self!r} cannot be saved: {clip(error)}") from error

    @classmethod
    def load(cls, path: str | os.PathLike) -> "DistilledSet":
        """Read a set that `save` wrote.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        DistilledSet
            On the CPU.

        Raises
        ------
        FddkitError
            If the file is missing, damaged, not one of fddkit's, or of a newer format.
        """
        tensors, header = read_tensors(path, SET)
        names = ("mean", "std", "target_names", "group_names")
        whitening = [tensors.pop(f"whitening.{name}", None) for name in Whitening._fields]
        if len({part is None for part in whitening}) > 1:
            raise Damaged(f"{path} holds half a whitening", SET.advice)
        loaded = cls(
            **tensors,
            **{name: tuple(header[name]) for name in names},
            config=header["config"],
            versions=header["versions"],
            # sets written before these existed have none of them
            factor=header.get("factor", 1),
            lr=header.get("lr"),
            sources=header.get("sources", {}),
            health=header.get("health", {}),
            whitening=None if whitening[0] is None else Whitening(*whitening),
        )
        try:
            loaded._check()
        except ValueError as error:
            raise Damaged(
                f"{path} is not a distilled set of fddkit ({clip(error)})", SET.advice
            ) from error
        return loaded

    def _check(self) -> None:
        """Raise ValueError where the parts do not fit each other."""
        n = len(self.images)
        if self.images.ndim != 4 or self.target.shape != (n,) or self.group.shape != (n,):
            raise ValueError("images, target and group differ in length")
        if not self.images.numel() or self.images.shape[1] not in (1, 3):
            raise ValueError(f"images of shape {list(self.images.shape)} cannot be shown")
        if n and not 0 <= int(self.target.min()) <= int(self.target.max()) < len(self.target_names):
            raise ValueError("a target has no name")
        if n and not -1 <= int(self.group.min()) <= int(self.group.max()) < len(self.group_names):
            raise ValueError("a group has no name")
        if not len(self.mean) == len(self.std) == self.images.shape[1]:
            raise ValueError("mean and std do not fit the channels")
        if not all(0 <= x <= 1 for x in self.mean) or not all(1e-6 <= x <= 1 for x in self.std):
            raise ValueError("mean and std are not of pixels from 0 to 1")
        if isinstance(self.factor, bool) or not isinstance(self.factor, int) or self.factor < 1:
            raise ValueError("the factor is not a positive integer")
        if self.factor > min(self.images.shape[2:]):
            raise ValueError(f"no image holds {self.factor} others side by side")
        if self.factor > 1 and not self.images.is_floating_point():
            raise ValueError("several images in one must be normalised")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise ValueError("the learnt step size is not positive")
        size = self.images.shape[1:].numel()
        if self.whitening is not None:
            shapes = [tuple(part.shape) for part in self.whitening]
            if shapes != [(size,), (size, size)]:
                raise ValueError("the whitening does not fit the images")


def _same_as(path: Path, content: bytes) -> None:
    """Refuse a file that is there, unless it is the one that would be written."""
    if os.path.lexists(path) and read_bytes(path) != content:
        raise FddkitError(f"{path} is there, and is kept; choose an empty folder for the images")


def decode(images: Tensor, factor: int, fill: Tensor) -> Tensor:
    """Cut each image into ``factor x factor`` blocks and enlarge each to the full size.

    Multi-formation (Kim et al. 2022, IDC): bilinear, edges not aligned. Where the side is not a
    multiple of the factor, rows and columns are added first, as in the official code.

    Parameters
    ----------
    images : Tensor
        float [M, C, H, W].
    factor : int
        Blocks per side.
    fill : Tensor
        float [C, 1, 1], what is added: a pixel of 0.5 in the units of the images.

    Returns
    -------
    Tensor
        [M * factor**2, C, H, W], block after block in reading order, image after image;
        differentiable.
    """
    if factor == 1:
        return images
    height, width = images.shape[2:]
    whole = F.pad(images - fill, (0, -width % factor, 0, -height % factor)) + fill
    h, w = (side // factor for side in whole.shape[2:])
    blocks = whole.unfold(2, h, h).unfold(3, w, w)  # [M, C, factor, factor, h, w]
    blocks = blocks.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return F.interpolate(blocks, size=(height, width), mode="bilinear", align_corners=False)
