"""Checks of a user's own arrays, returned as tensors if they are valid, and of their units."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.reading import clip

SPLIT = re.compile(r"[a-z][a-z0-9_]{0,39}")  # the name of one: it becomes part of file names
_LEAST_STD = 1e-6


def is_clean(name: str) -> bool:
    """Return whether a name is printable (no line ends, no escapes) and has no blank ends."""
    return name.isprintable() and name == name.strip()


def check_name(name: object) -> str:
    """Return what a set is called, or raise an error if it cannot be shown as it is."""
    if not isinstance(name, str) or not name or not is_clean(name):
        raise FddkitError(
            f"name={clip(repr(name))} is no name; give printable text without blanks at its ends"
        )
    return name


def split_names(names: Sequence[str], where: str) -> list[str]:
    """Return the names of splits, Train, TEST and Val in small letters."""
    found = [name.lower() if name.lower() in ("train", "test", "val") else name for name in names]
    for name in found:
        if not SPLIT.fullmatch(name):
            raise FddkitError(
                f"{clip(repr(name), 60)} in {clip(where, 60)} is no name of a split; call them "
                "train, test and val, or other names of small letters, digits and underscores"
            )
    return found


def check_images(images: np.ndarray | Tensor, name: str) -> Tensor:
    """Return a copy of the images as a tensor, or raise an error that says what is wrong."""
    if isinstance(images, Tensor):
        images = images.detach().clone()
    else:
        try:
            images = torch.tensor(np.asarray(images))
        except (TypeError, ValueError) as error:
            raise FddkitError(
                f"the images of {name} are not an array ({error}); give uint8 [N, C, H, W]"
            ) from error
    kind = f"{str(images.dtype).removeprefix('torch.')} {list(images.shape)}"
    if images.is_floating_point() and not images.isfinite().all():
        raise FddkitError(
            f"the images of {name} hold NaN or infinity; fix or drop those images and give uint8"
        )
    if images.dtype != torch.uint8:
        raise FddkitError(
            f"the images of {name} are {kind}; give uint8 from 0 to 255, for example "
            "(255 * images).round().astype('uint8')"
        )
    if images.ndim != 4 or images.shape[1] not in (1, 3):
        hint = ""
        if images.ndim == 3:
            hint = "; gray images need a channel axis: images[:, None]"
        elif images.ndim == 4 and images.shape[3] in (1, 3):
            hint = "; the channels are last: images.transpose(0, 3, 1, 2)"
        raise FddkitError(
            f"the images of {name} are {kind}; give [N, C, H, W] with 1 or 3 channels{hint}"
        )
    if not images.numel():
        raise FddkitError(f"{name} holds no image ({kind}); give at least one")
    return images.contiguous()


def check_labels(labels: Any, n: int, name: str, what: str) -> Tensor:
    """Return the labels as an int64 copy, or raise an error that says what is wrong."""
    array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
    if array.dtype.kind not in "iub":
        raise FddkitError(f"the {what} labels of {name} are {array.dtype}; give whole numbers")
    if array.shape != (n,):
        raise FddkitError(
            f"{name} has {n} images but {what} labels of shape {list(array.shape)}; give one each"
        )
    array = array.astype(np.int64)
    if array.min() < 0:
        raise FddkitError(
            f"{what} {array.min()} of {name} (image {array.argmin()}) is negative; number from 0"
        )
    return torch.from_numpy(array)


def check_names(
    names: Sequence[str] | None, labels: Tensor, name: str, what: str
) -> tuple[str, ...]:
    """Return the names of all labels; raise an error for a label without a name or image."""
    last = int(labels.max())
    if names is not None:
        if last >= len(names):
            raise FddkitError(
                f"{what} {last} of {name} (image {int(labels.argmax())}) is too large: there are "
                f"{len(names)} {what}_names, numbered from 0"
            )
        for one in map(str, names):
            if not is_clean(one):
                raise FddkitError(
                    f"{clip(repr(one), 60)} is no {what} name for {name}; give printable text "
                    "without blanks at its ends"
                )
        return tuple(map(str, names))
    present = labels.unique()
    if len(present) <= last:
        missing = next(i for i, label in enumerate(present.tolist()) if label != i)
        raise FddkitError(
            f"{what} {missing} of {name} has no image, though there is a {what} {last}; number "
            f"without gaps, or give {what}_names if it is meant to be empty"
        )
    return tuple(map(str, range(last + 1)))


def check_per_channel(
    values: Sequence[float] | None, channels: int, name: str, what: str
) -> tuple[float, ...]:
    """Return one number per channel, or raise an error if they do not fit."""
    if values is None:
        return (0.5,) * channels
    values = tuple(map(float, values))
    lowest = 0 if what == "mean" else _LEAST_STD
    if len(values) != channels or not all(lowest <= value <= 1 for value in values):
        raise FddkitError(
            f"{what}={values} does not fit {name}; give one number per channel ({channels}), "
            "in units where pixels go from 0 to 1"
        )
    return values


def check_units(mean: Sequence[float], std: Sequence[float], channels: int) -> None:
    """Raise ValueError unless a file's mean and std are one number per channel, in range."""
    if not len(mean) == len(std) == channels:
        raise ValueError("mean and std do not fit the channels")
    if not all(0 <= x <= 1 for x in mean) or not all(_LEAST_STD <= x <= 1 for x in std):
        raise ValueError("mean and std are not for pixels from 0 to 1")
