"""Sets that the official codes distilled, read without trusting them.

Three formats are known, told apart by their structure:

- DC, DSA, DM, CAFE and FairDD: a dictionary whose ``data`` lists ``[images, labels]`` of each
  experiment; images normalised by the mean and standard deviation of the data set.
- MTT: a tensor of images, their labels in a file of their own (``images_best.pt`` and
  ``labels_best.pt``); normalised, and whitened where ZCA was on.
- IDC and DREAM: a list ``[images, labels]``; pixels in [0, 1], several small images in each.

A file is read in a process of its own, see `fddkit.data.official_process`.
"""

import os
from pathlib import Path

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.files import digest
from ..core.versions import versions
from . import whitening
from .distilled import DistilledSet
from .grouped import GroupedDataset
from .official_process import contents
from .units import Units


def read_foreign(
    path: str | os.PathLike,
    train: GroupedDataset,
    *,
    labels: str | os.PathLike | None = None,
    experiment: int = 0,
    factor: int | None = None,
    zca: bool = False,
    lr: float | None = None,
    method: str = "foreign",
    fairness: str | None = None,
) -> DistilledSet:
    """Read a set distilled by the official code of another method.

    Parameters
    ----------
    path : path-like
        A ``.pt`` file.
    train : GroupedDataset
        The training set it was distilled from: gives classes, shape and normalisation.
    labels : path-like, optional
        The labels of an MTT set; by default the file beside it that is called ``labels`` where
        this is called ``images``.
    experiment : int
        Which of several sets in the file.
    factor : int, optional
        Side of the grid of small images in each; by default 2 for IDC and DREAM, else 1.
    zca : bool
        The images are whitened; the whitening is computed anew from ``train``.
    lr : float, optional
        The step size that was learnt with the images.
    method, fairness : str
        What to call the set in tables.

    Returns
    -------
    DistilledSet
        Ready for `fddkit.evaluation.evaluate`; no image has a group.

    Raises
    ------
    FddkitError
        For a file that is missing, damaged, unsafe or of no known format, or that does not fit
        the training set.
    """
    path = Path(path)
    kind, images, target, data = _read(path, labels, experiment)
    images, target = _checked(images, target, train, path)
    if kind == "idc":
        images = _normalised(images, train, path)
    white = None
    if zca:
        chunks = torch.arange(len(train)).split(4096)
        white = whitening.fit(torch.cat([train.normalise(rows).cpu() for rows in chunks]))
    sizes = target.bincount(minlength=train.n_classes)
    config = {
        "dataset": dict(train.info),
        "fingerprint": train.fingerprint(),
        "method": method,
        "fairness": fairness,
        "ipc": int(sizes[0]) if (sizes == sizes[0]).all() else None,
        "seed": None,
        "preset": None,
        "settings": {},
        "source": {
            "file": path.name,
            "sha256": digest(data),
            "format": kind,
            "experiment": experiment,
        },
    }
    found = DistilledSet(
        images=images,
        target=target,
        group=torch.full_like(target, -1),
        mean=tuple(train.mean),
        std=tuple(train.std),
        target_names=tuple(train.target_names),
        group_names=tuple(train.group_names),
        config=config,
        versions=versions(torch.device("cpu")),
        factor=factor if factor is not None else (2 if kind == "idc" else 1),
        lr=lr,
        whitening=white,
    )
    try:
        found.check()
    except ValueError as error:
        raise FddkitError(f"{path} cannot be imported: {error}") from error
    return found


def _read(
    path: Path, labels: str | os.PathLike | None, experiment: int
) -> tuple[str, Tensor, Tensor, bytes]:
    """Return format, images, labels, and the file that was read."""
    found = contents(path, experiment)
    if found.format != "mtt":
        return found.format, *found.arrays, found.data
    beside = Path(labels) if labels else path.with_name(path.name.replace("images", "labels"))
    if beside == path or not beside.exists():
        raise FddkitError(
            f"{path} holds images alone, as MTT's files do, and there is no {beside.name} "
            "with their labels; name it with --labels FILE"
        )
    target = contents(beside)
    if target.format != "mtt":
        raise FddkitError(
            f"{beside} holds more than the labels of {path}; name MTT's file of them with "
            "--labels FILE"
        )
    return "mtt", *found.arrays, *target.arrays, found.data


def _normalised(pixels: Tensor, train: GroupedDataset, path: Path) -> Tensor:
    """Return IDC's pixels in the units of the training set, if pixels they are."""
    if pixels.min() < -0.01 or pixels.max() > 1.01:
        raise FddkitError(
            f"the pixels of {path} reach from {pixels.min():.3g} to {pixels.max():.3g}, but "
            "IDC's lie in [0, 1]; this is another format"
        )
    return Units(tuple(train.mean), tuple(train.std)).normalise(pixels)


def _checked(
    images: Tensor, target: Tensor, train: GroupedDataset, path: Path
) -> tuple[Tensor, Tensor]:
    """Return images and labels in the kinds of numbers of a set, if they fit the training set."""
    shape = "x".join(map(str, train.shape))
    if images.ndim != 4 or tuple(images.shape[1:]) != train.shape or not len(images):
        found = "x".join(map(str, images.shape[1:])) or "no shape"
        raise FddkitError(
            f"the images of {path} are {found}, those of {train.name} {shape}; "
            "name the data set that they were distilled from"
        )
    if target.ndim == 2:
        raise FddkitError(f"the labels of {path} are soft; fddkit trains on one class an image")
    if target.shape != (len(images),):
        raise FddkitError(f"{path} has {len(images)} images and {target.numel()} labels")
    images, target = images.float(), target.double()
    bad = ~images.isfinite().flatten(1).all(1)
    if bad.any():
        raise FddkitError(f"image {int(bad.nonzero()[0])} of {path} holds NaN or infinity")
    if not ((target % 1 == 0) & (target >= 0) & (target < train.n_classes)).all():
        raise FddkitError(
            f"the labels of {path} are not the classes 0 to {train.n_classes - 1} of {train.name}; "
            "name the data set that it was distilled from"
        )
    target = target.long()
    missing = set(range(train.n_classes)) - set(target.tolist())
    if missing:
        names = ", ".join(train.target_names[y] for y in sorted(missing))
        raise FddkitError(f"{path} has no image of {names}; give a set that has all classes")
    return images, target
