"""What a data set's own file (``.fdd``) holds, what its parts must be, and how it is written."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ..core.errors import FddkitError
from ..core.kinds import Array, Kind
from ..core.reading import clip, conform
from ..core.tensors import FORMAT, only, seal, write_tensors
from .traits import Traits
from .validation import SPLIT, check_units, is_clean

if TYPE_CHECKING:
    from .grouped import GroupedDataset

SUFFIX = ".fdd"
DATA = Kind(
    "data",
    "a data set",
    "give a .fdd file that `GroupedDataset.save` wrote",
    {
        "images.*": Array(("uint8",), None),
        "target.*": Array(("int64",), None),
        "group.*": Array(("int64",), None),
    },
    {
        "name": str,
        "shape": [int],
        "target_names": [str],
        "group_names": [str],
        "mean": [float],
        "std": [float],
        "traits": dict.fromkeys(asdict(Traits()), bool),
        "splits": [{"name": str, "images": int, "source": dict}],
    },
)
#: What of a split's ``source`` is read again.
_SOURCE = {"skipped?": {str: int}, "vanished?": [str], "group_labels?": [dict]}
_MOST_FAULTS = 10_000  # that are kept of a split; what is said of a file must fit its header
_LONGEST = 200  # characters of a name
_LARGEST = 4096  # pixels along a side
_MOST_CELLS = 10**6  # classes times groups: counts of them are held in full


def save(data: "GroupedDataset", path: str | os.PathLike, **others: "GroupedDataset") -> Path:
    """Write the set, and further splits of it, as one file that is valid wherever a name is.

    Images, labels, names, units, traits and `source` are kept, sealed by a sha256. Groups that were
    painted are written as they are seen, and are natural from then on.

    Parameters
    ----------
    data : GroupedDataset
        The training set if there are others, otherwise all there is, which `fddkit.load` splits.
    path : path-like
        A name that ends in ``.fdd``; another data set there is replaced, any other file is kept.
    **others : GroupedDataset
        Further splits by name; ``test`` is what `fddkit.load` returns as the test set.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    FddkitError
        If the splits do not belong together, or the file cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = train.save(f"{folder}/mine.fdd", test=test)
    ...     fdd.load(path)[0]
    <GroupedDataset digits train: 1,347 images 3x16x16, 10 classes, 10 groups>
    """
    if "train" in others:
        raise FddkitError("train is the set that is saved; give the others other names")
    return write(path, {"train" if others else "all": data, **others})


def write(path: str | os.PathLike, splits: "Mapping[str, GroupedDataset]") -> Path:
    """Write the splits of a data set as one file, see `save`.

    Parameters
    ----------
    path : path-like
        A name that ends in ``.fdd``.
    splits : mapping of str to GroupedDataset
        By name, in the order in which they are kept.

    Returns
    -------
    Path
        The file: the same bytes for the same content on any machine.

    Raises
    ------
    FddkitError
        As `save`.
    """
    if Path(path).suffix != SUFFIX:
        raise FddkitError(f"{path} does not end in {SUFFIX}; choose a name that does")
    tensors, header = packed(splits)
    try:
        check_parts(tensors, header)
    except ValueError as error:
        raise FddkitError(f"the data set cannot be saved in {path}: {clip(error)}") from error
    return write_tensors(path, DATA, tensors, header, only(DATA))


def packed(splits: "Mapping[str, GroupedDataset]") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return what a file holds of some splits: tensors on the CPU, and the header.

    Raises
    ------
    FddkitError
        If there is none, or they differ in names, shape or units.
    """
    if not splits:
        raise FddkitError("there is no split to save; give at least one")
    first, tensors, storages, listed, common = next(iter(splits)), {}, set(), [], {}
    faults: list[Any] = []
    for name, data in splits.items():
        if data.whitening is not None:
            raise FddkitError(f"{data.name} is whitened; save the set as it was before")
        for part in ("images", "target", "group"):
            tensor = getattr(data, part).detach().cpu().contiguous()
            held = tensor.untyped_storage().data_ptr()
            tensors[f"{part}.{name}"] = tensor.clone() if held in storages else tensor
            storages.add(held)  # the format holds no tensor that shares memory with another
        source = data.source if data.paint is None else {**data.source, "painted": data.info}
        listed.append({"name": name, "images": len(data), "source": _briefly(source, faults)})
        own = {
            "shape": list(data.shape),
            "target_names": list(data.target_names),
            "group_names": list(data.group_names),
            "mean": [float(x) for x in data.mean],
            "std": [float(x) for x in data.std],
            "traits": asdict(data.traits),
        }
        common = common or own
        for part, value in own.items():
            if value != common[part]:
                raise FddkitError(
                    f"the splits {first} and {name} differ in {part}; give splits of one data set"
                )
    return tensors, {"name": splits[first].name, **common, "splits": listed}


def _briefly(source: dict[str, Any], before: list[Any]) -> dict[str, Any]:
    """Return a source without the faults that another split lists, and with not too many."""
    faults = source.get("faults")
    if not isinstance(faults, list):
        return source
    if any(faults == other for other in before):  # they are those of the whole table
        return {k: v for k, v in source.items() if k not in ("faults", "faults_in_all")}
    before.append(faults)
    if len(faults) <= _MOST_FAULTS:
        return source
    return source | {"faults": faults[:_MOST_FAULTS], "faults_in_all": len(faults)}


def content_hash(splits: "Mapping[str, GroupedDataset]") -> str:
    """Return the sha256 of splits that are not in a file: of all but where they come from."""
    tensors, header = packed(splits)
    listed = [{**split, "source": {}} for split in header["splits"]]
    return seal(tensors, {"format": FORMAT, "kind": DATA.name, **header, "splits": listed})


def check_parts(tensors: Mapping[str, Tensor], header: Mapping[str, Any]) -> None:
    """Raise ValueError if the parts of a file do not fit together."""
    check_header(header)
    wanted = [
        f"{part}.{s['name']}" for s in header["splits"] for part in ("images", "target", "group")
    ]
    if sorted(wanted) != sorted(tensors):
        raise ValueError("its tensors are not those of its splits")
    for split in header["splits"]:
        name, n = split["name"], split["images"]
        found = list(tensors[f"images.{name}"].shape)
        if found != [n, *header["shape"]]:
            raise ValueError(f"images.{name} has the shape {found}, not {[n, *header['shape']]}")
        for part, names in (("target", "target_names"), ("group", "group_names")):
            labels = tensors[f"{part}.{name}"]
            if tuple(labels.shape) != (n,):
                raise ValueError(f"{part}.{name} is not one label for each of {n} images")
            lowest = -1 if part == "group" else 0  # -1: unknown
            if not lowest <= int(labels.min()) <= int(labels.max()) < len(header[names]):
                raise ValueError(f"a label of {part}.{name} has no name")


def check_header(header: Mapping[str, Any]) -> None:
    """Raise ValueError if what a header says cannot be true of any data set."""
    shape, splits = header["shape"], header["splits"]
    if len(shape) != 3 or shape[0] not in (1, 3) or not all(1 <= n <= _LARGEST for n in shape[1:]):
        raise ValueError(f"its shape {clip(shape, 40)} is not that of images with 1 or 3 channels")
    names = [split["name"] for split in splits]
    if not names or len(set(names)) < len(names) or not all(map(SPLIT.fullmatch, names)):
        raise ValueError(f"{clip(names, 60)} are not names of splits: small letters and digits")
    if min(split["images"] for split in splits) < 1:
        raise ValueError("a split has no image")
    for split in splits:
        conform(split["source"], _SOURCE, "its source")
    for what in ("target_names", "group_names"):
        _check_names(header[what], what)
    if len(header["target_names"]) * len(header["group_names"]) > _MOST_CELLS:
        raise ValueError("it has too many classes and groups")
    if not 1 <= len(header["name"]) <= _LONGEST:
        raise ValueError("its name is empty or too long")
    if not is_clean(header["name"]):
        raise ValueError("its name is not printable, or has blanks at its ends")
    check_units(header["mean"], header["std"], shape[0])


def _check_names(names: list[str], what: str) -> None:
    if not names or len(set(names)) < len(names):
        raise ValueError(f"its {what} are none, or two are the same")
    for name in names:
        if not 1 <= len(name) <= _LONGEST:
            raise ValueError(f"one of its {what} is empty or has more than {_LONGEST} characters")
        if not is_clean(name):
            raise ValueError(f"one of its {what} is not printable, or has blanks at its ends")
