"""Reading a data set from its own file (``.fdd``); writing is in `grouped_kind`."""

import os
import re

from ..core.errors import Damaged
from ..core.reading import clip, conform
from ..core.tensors import read_header, read_tensors
from .grouped import GroupedDataset
from .grouped_kind import DATA, check_header, check_parts
from .traits import Traits

_SHA256 = re.compile(r"[0-9a-f]{64}")  # it becomes part of file names


def read(path: str | os.PathLike) -> dict[str, GroupedDataset]:
    """Read a file that `GroupedDataset.save` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict of str to GroupedDataset
        Every split by name, on the CPU.

    Raises
    ------
    FddkitError
        If the file is missing, damaged, not a data set, or of a newer format.

    Examples
    --------
    >>> import tempfile
    >>> import torch
    >>> images = torch.zeros(4, 1, 8, 8, dtype=torch.uint8)
    >>> data = GroupedDataset.from_arrays(images, [0, 0, 1, 1], [0, 1, 0, 1], name="toy")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     read(data.save(f"{folder}/toy.fdd"))
    {'all': <GroupedDataset toy: 4 images 1x8x8, 2 classes, 2 groups>}
    """
    return read_sealed(path)[0]


def read_sealed(path: str | os.PathLike) -> tuple[dict[str, GroupedDataset], str]:
    """Read a file as `read` does, and return its sha256 as well.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    splits : dict of str to GroupedDataset
        By name.
    sha256 : str
        Of everything in it: 64 hexadecimal digits.
    """
    tensors, header = read_tensors(path, DATA)
    try:
        conform(header, {"sha256": str})
        check_parts(tensors, header)
    except ValueError as error:
        raise _damaged(path, error) from error
    common = {
        "name": header["name"],
        **{name: tuple(header[name]) for name in ("target_names", "group_names", "mean", "std")},
        "traits": Traits(**{name: header["traits"][name] for name in DATA.header["traits"]}),
    }
    splits = {
        split["name"]: GroupedDataset(
            **{part: tensors[f"{part}.{split['name']}"] for part in ("images", "target", "group")},
            **common,
            source=split["source"],
        )
        for split in header["splits"]
    }
    return splits, header["sha256"]


def header(path: str | os.PathLike) -> dict:
    """Return what a file says of itself, without reading its images.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    dict
        The header: ``name``, ``shape``, ``target_names``, ``group_names``, ``splits``,
        ``sha256`` and more. It is not checked against the seal.

    Raises
    ------
    FddkitError
        As `read`.
    """
    header = read_header(path, DATA)
    try:
        conform(header, {"sha256": str, **DATA.header})
        if not _SHA256.fullmatch(header["sha256"]):
            raise ValueError("its sha256 is not 64 hexadecimal digits")
        check_header(header)
    except ValueError as error:
        raise _damaged(path, error) from error
    return header


def _damaged(path: str | os.PathLike, error: ValueError) -> Damaged:
    return Damaged(f"{path} is not a data set of fddkit ({clip(error)})", DATA.advice)
