"""What `fddkit.load`, the explorer and the listings ask of any data set in the catalogue."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ..core.errors import FddkitError
from .grouped import GroupedDataset
from .sources import Source


class Listed(ABC):
    """A data set by name: with painted groups (`DatasetInfo`) or natural ones (`NaturalInfo`).

    Attributes
    ----------
    name, title : str
        The name that `fddkit.load` takes, and a short description.
    target_names, group_names : tuple of str
        Names of the classes and groups.
    shape : tuple of int
        (C, H, W) of an image.
    source : Source or None
        The raw files it needs; None if there is nothing to download.
    default_br : float or None
        Bias ratio that `fddkit.load` uses by default; None for the natural bias.
    paired : bool
        Whether the test set has every image in every group.
    natural : bool
        Whether the groups are real, so that no image can change its group.
    sha256 : str
        Of the content, where the set is a file; otherwise empty.
    options : mapping
        Options of its own that `fddkit.load` takes, with defaults.
    """

    name: str
    title: str
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    shape: tuple[int, int, int]
    source: Source | None
    default_br: float | None
    paired: bool = False
    natural: bool = False
    sha256: str = ""
    options: Mapping[str, Any] = MappingProxyType({})

    @property
    def classes(self) -> int:
        """Number of classes."""
        return len(self.target_names)

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.group_names)

    @property
    def needs(self) -> str:
        """What must be on disk, in words; empty if nothing is needed."""
        return self.source.title if self.source else ""

    @property
    def tag(self) -> str:
        """The name as part of file names."""
        return self.name

    def files(self, root: str | Path = "data") -> list[Path]:
        """Return the paths of the raw files that it reads."""
        return self.source.paths(root) if self.source else []

    def trees(self, root: str | Path = "data") -> list[Path]:
        """Return the folders of images that it reads."""
        return self.source.trees(root) if self.source else []

    def missing(self, root: str | Path = "data") -> list[Path]:
        """Return the raw files and folders that do not exist."""
        return self.source.missing(root) if self.source else []

    def on_disk(self, root: str | Path = "data") -> bool:
        """Return whether all its raw files exist."""
        return not self.missing(root)

    def require(self, root: str | Path = "data", otherwise: str = "") -> None:
        """Raise an error that says how to get what is missing, if anything is."""
        missing = self.missing(root)
        if missing:
            raise FddkitError(
                f"{self.name} needs {self.needs}, but {missing[0].name} is not in "
                f"{missing[0].parent.resolve()}; {self.source.obtain(self.name, root)}{otherwise}"
            )

    @abstractmethod
    def arguments(
        self,
        br: float | None,
        seed: int,
        gap: int | None,
        offset: float,
        proportions: Sequence[float] | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        """Check the arguments of `fddkit.load` before reading any file; return them for JSON."""

    @abstractmethod
    def read(self, root: str | Path, split: str, seed: int) -> Any:
        """Return what is on the disk, for `canvas`."""

    @abstractmethod
    def canvas(self, read: Any, split: str, arguments: dict[str, Any]) -> Any:
        """Return what gives the training set at any bias ratio.

        It has ``at(br)``, ``counts(br)``, ``rows(br)``, ``some(index, br)`` and
        ``of_every_group(count)``, see `fddkit.data.injection.Canvas`.
        """

    @abstractmethod
    def load(
        self, root: str | Path, arguments: dict[str, Any]
    ) -> tuple[GroupedDataset, GroupedDataset]:
        """Return the training set and the test set."""
