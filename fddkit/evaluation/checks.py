"""Checks that sets can be trained and tested on, before the first network is trained."""

import torch

from ..core.errors import FddkitError
from ..core.reading import clip
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..training.architectures import NETWORKS


def check(data: DistilledSet | GroupedDataset, test: GroupedDataset, names: list[str]) -> None:
    """Raise an error for anything that cannot be evaluated.

    Parameters
    ----------
    data, test : DistilledSet or GroupedDataset, GroupedDataset
        What to train and to test on.
    names : list of str
        Architectures.

    Raises
    ------
    FddkitError
        If these are not sets, do not match each other, or lack images (of some class).
    """
    if not isinstance(data, DistilledSet | GroupedDataset) or not isinstance(test, GroupedDataset):
        raise FddkitError(
            "evaluate takes a DistilledSet or GroupedDataset to train on and a GroupedDataset to "
            f"test on, not {type(data).__name__} and {type(test).__name__}; load them first"
        )
    for name in names:
        NETWORKS[name]  # raises an error for an unknown name
    if not names or len(set(names)) < len(names):
        raise FddkitError(f"networks={names} must name each network once; give e.g. ['convnet']")
    if not len(data) or not len(test):
        raise FddkitError("there is no image to train or to test on; give a set with images")
    shape = tuple(data.images.shape[1:])
    if shape != test.shape:
        raise FddkitError(
            f"the images to train on have shape {shape}, the test images {test.shape}; "
            "give the test set of the same data set"
        )
    if tuple(data.target_names) != tuple(test.target_names):
        raise FddkitError(
            f"the classes to train on ({clip(', '.join(data.target_names))}) are not those of the "
            f"test set ({clip(', '.join(test.target_names))}); give the test set of the same data "
            "set"
        )
    counts = torch.bincount(data.target.cpu(), minlength=test.n_classes).tolist()
    if len(counts) > test.n_classes:
        raise FddkitError(f"target {len(counts) - 1} is not a class; there are {test.n_classes}")
    for name, size in zip(test.target_names, counts, strict=True):
        if not size:
            raise FddkitError(f"class {name!r} has no image to train on; give at least one")
    if data.images.is_floating_point():
        bad = ~data.images.isfinite().flatten(1).all(1)
        if bad.any():
            raise FddkitError(
                f"image {int(bad.nonzero()[0])} of the set to train on holds NaN or infinity; "
                "distil it again with a smaller lr"
            )
