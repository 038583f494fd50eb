"""The distilled set: a few images per class, with a record of how they were made."""

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import TensorDataset

from ..core import files
from ..core.errors import Damaged, FddkitError
from ..core.reading import clip
from ..core.tensors import only, read_tensors, write_tensors
from .distilled_file import SET, check_parts
from .multi_formation import decode
from .png_folder import write_pngs
from .units import Units
from .whitening import Whitening


@dataclass(frozen=True, eq=False)
class DistilledSet:
    """A small training set: distilled, or drawn from the real one (the baselines).

    Attributes
    ----------
    images : Tensor
        float32 [M, C, H, W], normalised, if they were optimised; uint8 if they are real images
        (methods ``random`` and ``whole``).
    target : Tensor
        int64 [M], the class of each image.
    group : Tensor
        int64 [M], the group of the real image that each one started from; -1 if it started from
        noise. A distilled image itself belongs to no group.
    mean, std : tuple of float
        Normalisation of the training set per channel, for pixels in [0, 1].
    target_names, group_names : tuple of str
        Names of the classes and groups.
    config : dict
        ``dataset`` (the arguments of `fddkit.load`), ``fingerprint`` (of the training set),
        ``method``, ``fairness``, ``ipc``, ``seed``, ``preset`` and ``settings``.
    versions : dict
        Software and machine, see `fddkit.core.versions.versions`.
    loss : Tensor
        float64 [iterations], the matching loss of each step; empty for the baselines.
    factor : int
        Side of the grid of small images in each image (IDC's multi-formation), from which networks
        get ``factor ** 2`` images of full size, see `decoded`.
    lr : float, optional
        The step size for training on the images, learnt along with them (MTT).
    whitening : Whitening, optional
        Applied to the normalised images (MTT's ZCA), and to be applied to test images too.
    sources : dict of str to str
        Name and sha256 of each cached file that the set depends on (MTT's experts, encoders, fair
        extractors).
    health : dict
        ``verdict`` and ``notes``, see `fddkit.distillers.health`; empty if nothing was optimised.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, method="random", ipc=1, progress=False)
    >>> s
    DistilledSet(random of digits: 10 images 3x16x16, ipc=1)
    >>> s.pixels().shape
    torch.Size([10, 3, 16, 16])
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
        """Return one line: method, data set, number and shape of the images."""
        c = self.config
        made = clip(" ".join(str(c[k]) for k in ("method", "fairness") if c.get(k)))
        name = clip(c.get("dataset", {}).get("dataset", "?"))
        shape = "x".join(map(str, self.images.shape[1:]))
        return f"DistilledSet({made} of {name}: {len(self)} images {shape}, ipc={c.get('ipc')})"

    @property
    def units(self) -> Units:
        """The units of the images, if they are normalised."""
        return Units(tuple(self.mean), tuple(self.std), self.whitening)

    def normalised(self) -> Tensor:
        """Return the images as networks see them.

        Returns
        -------
        Tensor
            float32 [M, C, H, W].
        """
        if self.images.dtype != torch.uint8:
            return self.images
        return self.units.normalise(self.images)

    def decoded(self) -> tuple[Tensor, Tensor]:
        """Return what networks train on: every small image of a multi-formation at full size.

        Returns
        -------
        images : Tensor
            [M * factor**2, C, H, W]; `images` itself if the factor is 1.
        target : Tensor
            int64 [M * factor**2].
        """
        if self.factor == 1:
            return self.images, self.target
        gray = self.units.level(0.5).to(self.images.device)
        target = self.target.repeat_interleave(self.factor**2)
        return decode(self.images, self.factor, gray), target

    def seen(self) -> tuple[Tensor, Tensor, Tensor]:
        """Return `decoded` and the group of each image, int64 [M * factor**2]; -1 if none."""
        return *self.decoded(), self.group.repeat_interleave(self.factor**2)

    def pixels(self) -> Tensor:
        """Return the images as people see them.

        Returns
        -------
        Tensor
            float32 [M, C, H, W] in [0, 1]; values that the optimisation drove outside are clipped.

        Raises
        ------
        FddkitError
            If a whitening cannot be undone.
        """
        if self.images.dtype == torch.uint8:
            return self.images.float() / 255
        with suppress(torch.linalg.LinAlgError):
            pixels = self.units.pixels(self.images)
            if self.whitening is None or pixels.isfinite().all():
                return pixels.clamp(0, 1)
        raise FddkitError(f"the whitening of {self!r} cannot be undone; use another set")

    def to_dataset(self) -> TensorDataset:
        """Return a torch data set of (normalised image, class) pairs, for any training code.

        Returns
        -------
        torch.utils.data.TensorDataset
            Of the `decoded` images.
        """
        return TensorDataset(*replace(self, images=self.normalised()).decoded())

    def to_images(self, folder: str | os.PathLike) -> Path:
        """Write one PNG per image and ``labels.csv`` (file, target, class, initial group).

        Parameters
        ----------
        folder : path-like
            Created if it is missing.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        FddkitError
            If the folder cannot be written to, or contains other files with these names.
        """
        labels = [
            (y, self.target_names[y], self.group_names[a] if a >= 0 else "")
            for y, a in zip(self.target.tolist(), self.group.tolist(), strict=True)
        ]
        return write_pngs(folder, self.pixels(), labels)

    def save(self, path: str | os.PathLike, look: files.Look | None = None) -> Path:
        """Write the set as one safetensors file, atomically.

        Parameters
        ----------
        path : path-like
            The file.
        look : callable, optional
            See `fddkit.core.files.atomic`; by default only another distilled set is replaced.

        Returns
        -------
        Path
            The file.

        Raises
        ------
        FddkitError
            If it cannot be written, its parts do not fit together, or a pixel is not finite.

        Examples
        --------
        >>> import tempfile
        >>> import fddkit as fdd
        >>> s = fdd.distill(fdd.load("digits")[0], method="random", ipc=1, progress=False)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fdd.DistilledSet.load(s.save(f"{folder}/s.safetensors"))
        DistilledSet(random of digits: 10 images 3x16x16, ipc=1)
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
            self.check()
            return write_tensors(path, SET, tensors, header, look or only(SET))
        except FddkitError:
            raise
        except (TypeError, ValueError) as error:
            raise FddkitError(f"{self!r} cannot be saved: {clip(error)}") from error

    @classmethod
    def load(cls, path: str | os.PathLike) -> "DistilledSet":
        """Read a set that `save` wrote (with an example there).

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
            If the file is missing, damaged, not a distilled set, or of a newer format.
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
            # older sets lack these
            factor=header.get("factor", 1),
            lr=header.get("lr"),
            sources=header.get("sources", {}),
            health=header.get("health", {}),
            whitening=None if whitening[0] is None else Whitening(*whitening),
        )
        try:
            loaded.check()
        except ValueError as error:
            raise Damaged(
                f"{path} is not a distilled set of fddkit ({clip(error)})", SET.advice
            ) from error
        return loaded

    def check(self) -> None:
        """Raise ValueError if the parts do not fit together."""
        check_parts(self)
