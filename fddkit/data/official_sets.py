"""Sets distilled by the official codes, read without trusting the files.

Three formats are known, distinguished by their structure:

- DC, DSA, DM, CAFE and FairDD: a dictionary whose ``data`` lists ``[images, labels]`` for each
  experiment; images normalised by the mean and standard deviation of the data set.
- MTT: a tensor of images, with the labels in a separate file (``images_best.pt`` and
  ``labels_best.pt``); normalised, and whitened if ZCA was on.
- IDC and DREAM: a list ``[images, labels]``; pixels in [0, 1], several small images in each.

A file is read in a separate process, see `fddkit.data.official_process`.
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
    """Read a set that the official code of a method distilled.

    Parameters
    ----------
    path : path-like
        A ``.pt`` file.
    train : GroupedDataset
        The training set it was distilled from; it determines classes, shape and normalisation.
    labels : path-like, optional
        The labels of an MTT set; by default the file next to it whose name has ``labels`` in place
        of ``images``.
    experiment : int
        Which of several sets in the file to read.
    factor : int, optional
        Side of the grid of small images in each image; by default 2 for IDC and DREAM, else 1.
    zca : bool
        Whether the images are whitened; the whitening is recomputed from ``train``.
    lr : float, optional
        The step size that was learnt along with the images.
    method, fairness : str
        What to call the set in tables.

    Returns
    -------
    DistilledSet
        Ready for `fddkit.evaluate`; no image has a group.

    Raises
    ------
    FddkitError
        For a file that is missing, damaged, unsafe or of unknown format, or that does not fit the
        training set.

    See Also
    --------
    fddkit.DistilledSet.load : Read a set that fddkit saved.
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
    result = DistilledSet(
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
        result.check()
    except ValueError as error:
        raise FddkitError(f"{path} cannot be imported: {error}") from error
    return result


def _read(
    path: Path, labels: str | os.PathLike | None, experiment: int
) -> tuple[str, Tensor, Tensor, bytes]:
    """Return the format, the images, the labels and the bytes of the file."""
    first = contents(path, experiment)
    if first.format != "mtt":
        return first.format, *first.arrays, first.data
    beside = Path(labels) if labels else path.with_name(path.name.replace("images", "labels"))
    if beside == path or not beside.exists():
        raise FddkitError(
            f"{path} holds only images, as MTT's files do, and there is no {beside.name} "
            "with their labels; name it with --labels FILE"
        )
    target = contents(beside)
    if target.format != "mtt":
        raise FddkitError(
            f"{beside} holds more than the labels of {path}; name MTT's file of labels with "
            "--labels FILE"
        )
    return "mtt", *first.arrays, *target.arrays, first.data


def _normalised(pixels: Tensor, train: GroupedDataset, path: Path) -> Tensor:
    """Return IDC's pixels in the units of the training set; refuse what are not pixels."""
    if pixels.min() < -0.01 or pixels.max() > 1.01:
        raise FddkitError(
            f"the pixels of {path} reach from {pixels.min():.3g} to {pixels.max():.3g}, but "
            "IDC's lie in [0, 1]; this is another format"
        )
    return Units(tuple(train.mean), tuple(train.std)).normalise(pixels)


def _checked(
    images: Tensor, target: Tensor, train: GroupedDataset, path: Path
) -> tuple[Tensor, Tensor]:
    """Return the images as floats and the labels as int64, if they fit the training set."""
    shape = "x".join(map(str, train.shape))
    if images.ndim != 4 or tuple(images.shape[1:]) != train.shape or not len(images):
        size = "x".join(map(str, images.shape[1:])) or "no shape"
        raise FddkitError(
            f"the images of {path} are {size}, those of {train.name} {shape}; "
            "name the data set that they were distilled from"
        )
    if target.ndim == 2:
        raise FddkitError(f"the labels of {path} are soft; fddkit trains on one class per image")
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
