"""Raw data that only its owners distribute: where it must lie, and which files are there."""

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.files import digest
from .grouped import GroupedDataset
from .sources import Source

IMAGES = (".jpg", ".jpeg", ".png")
_SHOWN = 20  # names of files that a record of what was read keeps


@dataclass(frozen=True)
class Owned(Source):
    """Files and folders as their owners distribute them, which nothing downloads.

    Attributes
    ----------
    title, folder, files, classes, counts, counted_by
        As of `Source`; a file is given as the places where it may be, with ``|`` between them.
    reader : str
        Not used: there is no class of torchvision that reads it as it is read here.
    folders : tuple of str
        Folders of images, in the same way.
    images : tuple of int
        How many images each folder has, as its owners say; empty if they do not.
    md5 : mapping of str to str
        Name of a file -> its checksum, as torchvision has it.
    """

    folders: tuple[str, ...] = ()
    images: tuple[int, ...] = ()
    md5: Mapping[str, str] = field(default_factory=dict)

    def _found(self, root: str | Path, places: str, there: Callable[[Path], bool]) -> Path:
        """Return the first place that exists, or else the first."""
        paths = [Path(root, self.folder, place) for place in places.split("|")]
        return next((path for path in paths if there(path)), paths[0])

    def paths(self, root: str | Path) -> list[Path]:
        """Return where each file is, or should be."""
        return [self._found(root, file, Path.is_file) for file in self.files]

    def trees(self, root: str | Path) -> list[Path]:
        """Return where each folder is, or should be."""
        return [self._found(root, folder, _has_images) for folder in self.folders]

    def missing(self, root: str | Path) -> list[Path]:
        """Return the files and folders that are not there."""
        return super().missing(root) + [path for path in self.trees(root) if not path.is_dir()]

    def obtain(self, name: str, root: str | Path) -> str:
        """Return what to do if something is missing, in words."""
        return f"see `fddkit datasets --how {name}`"

    def download(self, root: str | Path) -> None:
        """Raise the error that says that only the owners distribute it."""
        raise FddkitError(
            f"{self.title} is distributed by its owners only; `fddkit datasets --how NAME` says "
            "where, and where to put it"
        )


def _has_images(folder: Path) -> bool:
    """Return whether a folder holds an image or a folder, but not only another of its own name."""
    try:
        with os.scandir(folder) as entries:
            return any(
                one.name.lower().endswith(IMAGES) or (one.name != folder.name and one.is_dir())
                for one in entries
            )
    except OSError:
        return False


@dataclass(frozen=True)
class Listing:
    """The files of a folder.

    Attributes
    ----------
    folder : Path
        The folder.
    sizes : dict of str to int
        Name of each image, relative to the folder and with ``/``, in order -> its bytes.
    others : tuple of str
        Files that are no images by their names.
    """

    folder: Path
    sizes: dict[str, int]
    others: tuple[str, ...]

    @cached_property
    def sha256(self) -> str:
        """The digest of names and sizes: contents of 200,000 files would take too long."""
        return digest("\0".join(f"{name}\0{size}" for name, size in self.sizes.items()))


def listing(folder: Path) -> Listing:
    """Return the files of a folder and of those in it, in the order of their names.

    Raises
    ------
    FddkitError
        If it cannot be read.
    """
    found, waiting = {}, [""]
    while waiting:
        here = waiting.pop()
        try:
            with os.scandir(Path(folder, here)) as entries:
                for one in entries:
                    if one.is_dir(follow_symlinks=False):
                        waiting.append(f"{here}{one.name}/")
                    else:
                        found[f"{here}{one.name}"] = one.stat().st_size if one.is_file() else 0
        except OSError as error:
            raise FddkitError(f"cannot read {folder}: {error.strerror or error}") from error
    images = {}, []
    for name in sorted(found):
        last = name.rpartition("/")[2]
        if last.lower().endswith(IMAGES) and not last.startswith("."):
            images[0][name] = found[name]
        else:
            images[1].append(name)
    return Listing(folder, images[0], tuple(images[1]))


def some(names: Any) -> dict[str, Any]:
    """Return how many names there are, and the first, for a record of what was read."""
    names = list(names)
    return {"count": len(names), "first": names[:_SHOWN]}


class Splits(Mapping[str, GroupedDataset]):
    """Data sets by name, each read when it is first asked for.

    Parameters
    ----------
    read : mapping of str to callable
        Name -> what reads that split.
    sha256 : str
        Of what they are read from.
    """

    def __init__(self, read: Mapping[str, Callable[[], GroupedDataset]], sha256: str):
        self._read, self.sha256 = dict(read), sha256
        self._known: dict[str, GroupedDataset] = {}

    def __getitem__(self, name: str) -> GroupedDataset:
        if name not in self._known:
            self._known[name] = self._read[name]()
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read)

    def __len__(self) -> int:
        return len(self._read)
