"""A data set that is a file, ``.fdd`` or ``.toml``: an entry like those of the catalogue."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePath

from ..core.errors import FddkitError
from ..core.files import changed, digest
from ..core.reading import is_file
from . import grouped_file
from .grouped_kind import SUFFIX, content_hash
from .natural_sets import NaturalInfo, Opening

_TABLE = ".toml"  # describes a folder and a table
#: What was read to make an entry, by path and stamp, until its images are asked for.
_FRESH: dict[tuple[Path, str], Opening] = {}


@dataclass(frozen=True)
class FileInfo(NaturalInfo):
    """The entry of a file.

    Attributes
    ----------
    name : str
        The path as it was given.
    title, target_names, group_names, shape, splits, source
        As of `NaturalInfo`.
    path : Path
        Where the file was found.
    sha256 : str
        Of its content: 64 hexadecimal digits.
    """

    path: Path = Path()
    sha256: str = ""

    @property
    def tag(self) -> str:
        """The name as part of file names: that of the file, and the beginning of its hash."""
        stem = "".join(c if c.isalnum() else "_" for c in self.path.stem)[:40]
        return f"{stem}_{self.sha256[:8]}"

    def files(self, root: str | Path = "data") -> list[Path]:
        """Return the file."""
        return [self.path]

    def missing(self, root: str | Path = "data") -> list[Path]:
        """Return the file, if it is no longer there."""
        return [path for path in self.files(root) if not path.is_file()]

    def read(self, root: str | Path = "data", split: str = "train", seed: int = 0) -> Opening:
        """Return every split, and the hash of what was read."""
        return _FRESH.pop((self.path, _stamp(self.path)), None) or _read(self.path)


def is_path(name: object) -> bool:
    """Return whether a name is that of a file, rather than of the catalogue."""
    return isinstance(name, str | os.PathLike) and str(name).endswith((SUFFIX, _TABLE))


def find(
    name: str | os.PathLike, root: str | os.PathLike = "data", here: str | os.PathLike = ""
) -> Path:
    """Return where a file is: at its path, or else in the folder of the data.

    Parameters
    ----------
    name : str or path-like
        Its path, as it was given or recorded.
    root : path-like
        The folder of the data.
    here : path-like
        What relative paths are relative to.

    Returns
    -------
    Path

    Raises
    ------
    FddkitError
        If it is in neither place.
    """
    for path in (Path(name), Path(root, name), Path(root, PurePath(name).name)):
        if is_file(Path(here, path)):
            return Path(here, path)
    raise FddkitError(
        f"there is no file {name}, neither here nor in {root}; give its path, or the folder that "
        "holds it as root"
    )


def entry(
    name: str | os.PathLike, root: str | os.PathLike = "data", here: str | os.PathLike = ""
) -> FileInfo:
    """Return the entry of a file, without reading its images if it is an ``.fdd``.

    Parameters
    ----------
    name, root, here
        As of `find`.

    Returns
    -------
    FileInfo

    Raises
    ------
    FddkitError
        If there is no such file, or it is not a data set.
    """
    path = find(name, root, here).absolute()
    return _entry(str(name), path, _stamp(path))


def _stamp(path: Path) -> str:
    """Return what changes with any file that a data set is read from: sizes and dates."""
    if path.suffix == _TABLE:
        from .toml_sets import tables

        stamps = tuple(f"{file}\0{changed(file)}" for file in (path, *tables(path)))
        named = _images(path.absolute(), stamps)
        return digest(*stamps, *(f"{file}\0{changed(file)}" for file in named))
    return changed(path)


@lru_cache(8)
def _images(path: Path, stamps: tuple[str, ...]) -> list[str]:
    from .toml_sets import images

    return images(path)


@lru_cache(64)  # menus and sliders ask for it all the time
def _entry(name: str, path: Path, stamp: str) -> FileInfo:
    if path.suffix == SUFFIX:
        header = grouped_file.header(path)
        known = {key: tuple(header[key]) for key in ("target_names", "group_names", "shape")}
        title, sha256 = header["name"], header["sha256"]
    else:
        _FRESH.clear()  # of large sets not more than one
        splits, sha256 = _FRESH[path, stamp] = _read(path)
        first = next(iter(splits.values()))
        known = {key: getattr(first, key) for key in ("target_names", "group_names", "shape")}
        title = first.name
    return FileInfo(
        name, title, **known, splits=lambda root: _read(path).splits, path=path, sha256=sha256
    )


def _read(path: Path) -> Opening:
    if path.suffix == SUFFIX:
        return Opening(*grouped_file.read_sealed(path))
    from .toml_sets import read

    splits = read(path)
    return Opening(splits, content_hash(splits))


def found(
    root: str | os.PathLike, told: Callable[[str], object] = lambda _: None
) -> list[FileInfo]:
    """Return the ``.fdd`` files in a folder.

    Parameters
    ----------
    root : path-like
        The folder.
    told : callable, optional
        Called with a sentence for each that is not a data set, which is left out.

    Returns
    -------
    list of FileInfo
        In the order of their names.
    """
    entries = []
    for path in sorted(Path(root).glob(f"*{SUFFIX}")):
        try:
            entries.append(entry(path))
        except FddkitError as error:
            told(str(error))
    return entries
