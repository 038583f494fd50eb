"""The distilled set: a few images per class, with the story of how they came to be."""

import csv
import os
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import TensorDataset

from . import files
from .errors import FddkitError
from .grouped import normalise
from .whitening import Whitening


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
        Versions and machine, see `fddkit.versions.versions`.
    loss : Tensor
        float64 [iterations], the matching loss of each step; empty for the baselines.
    factor : int
        Side of the grid of small images that each image holds (IDC's multi-formation): networks
        see ``factor ** 2`` images of full size in each, see `decoded`.
    lr : float, optional
        The step size that was learnt with the images (MTT), for training on them.
    whitening : Whitening, optional
        What the normalised images went through (MTT's ZCA); test images must, too.
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

    def __len__(self) -> int:
        """Return the number of images."""
        return len(self.images)

    def __repr__(self) -> str:
        """Return one line: what, of which set, how many images of which shape."""
        c = self.config
        made = " ".join(str(c[k]) for k in ("method", "fairness") if c.get(k))
        name = c.get("dataset", {}).get("dataset", "?")
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
        """
        if self.images.dtype == torch.uint8:
            return self.images.float() / 255
        seen = self.images if self.whitening is None else self.whitening.invert(self.images)
        return (seen * self._channels(self.std) + self._channels(self.mean)).clamp(0, 1)

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
            If the folder cannot be written to.
        """
        from PIL import Image

        folder = Path(folder)
        pixels = (self.pixels() * 255).round().byte().permute(0, 2, 3, 1).cpu().numpy()
        rows = []
        for i, (image, y, a) in enumerate(
            zip(pixels, self.target.tolist(), self.group.tolist(), strict=True)
        ):
            name = f"{i:05d}_class{y}.png"
            with files.atomic(folder / name) as temporary:
                Image.fromarray(np.squeeze(image)).save(temporary, format="png")
            rows.append((name, y, self.target_names[y], self.group_names[a] if a >= 0 else ""))
        with (
            files.atomic(folder / "labels.csv") as temporary,
            open(temporary, "w", newline="", encoding="utf-8") as file,
        ):
            writer = csv.writer(file)
            writer.writerow(("file", "target", "class", "initial_group"))
            writer.writerows(rows)
            file.flush()
        return folder

    def save(self, path: str | os.PathLike) -> Path:
        """Write the set as one safetensors file, atomically.

        Parameters
        ----------
        path : path-like
            The file.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        FddkitError
            If it cannot be written.
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
        }
        tensors = {name: getattr(self, name) for name in ("images", "target", "group", "loss")}
        if self.whitening is not None:
            tensors |= {f"whitening.{k}": v for k, v in self.whitening._asdict().items()}
        return files.write_tensors(path, tensors, header)

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
            If the file is missing, truncated, not one of fddkit's, or of a newer format.
        """
        tensors, header = files.read_tensors(path)
        names = ("mean", "std", "target_names", "group_names")
        whitening = [tensors.pop(f"whitening.{name}", None) for name in Whitening._fields]
        try:
            loaded = cls(
                **{name: tensors[name] for name in ("images", "target", "group", "loss")},
                **{name: tuple(header[name]) for name in names},
                config=dict(header["config"]),
                versions=dict(header["versions"]),
                # sets written before these existed have neither
                factor=header.get("factor", 1),
                lr=header.get("lr"),
                whitening=Whitening(*whitening) if all(t is not None for t in whitening) else None,
            )
            loaded._check()
        except (KeyError, TypeError, ValueError) as error:
            raise FddkitError(
                f"{path} is not a distilled set of fddkit ({error}); give a file that "
                "`fddkit distill` wrote"
            ) from error
        return loaded

    def _check(self) -> None:
        """Raise ValueError where the parts do not fit each other."""
        n = len(self.images)
        if self.images.ndim != 4 or self.target.shape != (n,) or self.group.shape != (n,):
            raise ValueError("images, target and group differ in length")
        if n and not 0 <= int(self.target.min()) <= int(self.target.max()) < len(self.target_names):
            raise ValueError("a target has no name")
        if n and not -1 <= int(self.group.min()) <= int(self.group.max()) < len(self.group_names):
            raise ValueError("a group has no name")
        if not len(self.mean) == len(self.std) == self.images.shape[1]:
            raise ValueError("mean and std do not fit the channels")
        if isinstance(self.factor, bool) or not isinstance(self.factor, int) or self.factor < 1:
            raise ValueError("the factor is not a positive integer")
        if self.factor > 1 and not self.images.is_floating_point():
            raise ValueError("several images in one must be normalised")
        if self.lr is not None and not 0 < self.lr < float("inf"):
            raise ValueError("the learnt step size is not positive")
        size = self.images.shape[1:].numel()
        if self.whitening is not None and self.whitening.matrix.shape != (size, size):
            raise ValueError("the whitening does not fit the images")


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
