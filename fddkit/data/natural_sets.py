"""Catalogue entries whose groups are real: read, split, and thinned to a bias ratio."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from numbers import Integral, Real
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from ..core.errors import FddkitError, unknown
from .grouped import GroupedDataset
from .injection_options import check_number
from .listed import Listed
from .natural import thinned
from .sources import Source
from .thinning import Thinning, chosen

PER_CELL = 60  # test images of each class and group, where the set has no test split
#: What `fddkit.load` takes for any set with natural groups.
LOAD_OPTIONS = {"per_cell": None, "majority": "largest", "sha256": None}


class Opening(NamedTuple):
    """What an entry has read.

    Attributes
    ----------
    splits : dict of str to GroupedDataset
        By name: ``train`` (or ``all``), perhaps ``test``, and any others.
    sha256 : str
        Of the content; empty if it is not known.
    """

    splits: Mapping[str, GroupedDataset]
    sha256: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class NaturalCanvas:
    """A training set with natural groups: like `fddkit.data.injection.Canvas`, but not painted.

    A bias ratio chooses which images are kept; None keeps them all.

    Attributes
    ----------
    data : GroupedDataset
        All training images.
    target_names, group_names : tuple of str
        Names of the C classes and the A groups.
    info : dict
        The arguments of `fddkit.load`, without the bias ratio.
    """

    data: GroupedDataset
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    info: dict[str, Any]

    @cached_property
    def thinning(self) -> Thinning:
        """Which images a bias ratio keeps."""
        return Thinning(self.data, self.info.get("majority", "largest"), self.info["seed"])

    def at(self, br: float | None) -> GroupedDataset:
        """Return the training set at a bias ratio."""
        kept = self.data if br is None else thinned(self.data, self.thinning, br)
        return replace(kept, info=self.info | {"br": br})

    def counts(self, br: float | None) -> Tensor:
        """Return the number of images of each class and group, int64 [C, A]."""
        groups = len(self.group_names)
        counted = [
            self.data.group[rows].bincount(minlength=groups) for rows in self.thinning.rows(br)
        ]
        return torch.stack(counted)

    def rows(self, br: float | None) -> list[Tensor]:
        """Return the images of each class that are kept, those of the majority first."""
        return self.thinning.rows(br)

    def some(self, index: Tensor, br: float | None) -> GroupedDataset:
        """Return some of the images."""
        return self.data.subset(index)

    def of_every_group(self, count: int) -> GroupedDataset:
        """Return up to ``count`` images of each class and group."""
        return self.data.subset(torch.cat([rows[:count] for rows in self.thinning.cells]))


@dataclass(frozen=True)
class NaturalInfo(Listed):
    """One entry of the catalogue whose groups are real.

    Attributes
    ----------
    name, title, target_names, group_names, shape, source
        As of `fddkit.DatasetInfo`.
    splits : callable
        ``splits(root) -> {name: GroupedDataset}``: ``train`` or ``all``, ``test`` if there is one
        (otherwise `GroupedDataset.split` makes it), and any others.
    """

    name: str
    title: str
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]
    shape: tuple[int, int, int]
    splits: Callable[[str | Path], Mapping[str, GroupedDataset]]
    source: Source | None = None
    default_br = None
    natural = True

    def read(self, root: str | Path, split: str = "train", seed: int = 0) -> Opening:
        """Return every split."""
        return Opening(self.splits(root))

    def arguments(
        self,
        br: float | None,
        seed: int,
        gap: int | None,
        offset: float,
        proportions: Sequence[float] | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        """Check the arguments of `fddkit.load`; return them for JSON.

        Raises
        ------
        FddkitError
            If one is unknown, out of range, or only makes sense where groups are painted.
        """
        painted = {"gap": gap, "offset": offset or None, "proportions": proportions or None}
        for name, value in painted.items():
            if value is not None:
                raise FddkitError(
                    f"{name}={value} paints groups, but the groups of {self.name} are real, and "
                    "no image of it can be given another one; leave it out, and use br to thin "
                    "its groups"
                )
        for name in options:
            if name not in LOAD_OPTIONS:
                raise unknown(f"option of {self.name}", name, LOAD_OPTIONS)
        given = LOAD_OPTIONS | options
        if given["per_cell"] is not None:
            check_number("per_cell", given["per_cell"], Integral)
        if br is not None:
            check_number("br", br, Real)
            br = float(br)
        majority = given["majority"]
        if majority != "largest":
            if br is None:
                raise FddkitError("majority says which groups br favours; give br as well")
            named = chosen(majority, self.target_names, self.group_names)
            majority = {self.target_names[y]: self.group_names[a] for y, a in named.items()}
        return {"br": br, "seed": int(seed), **given, "majority": majority}

    def canvas(self, read: Opening, split: str, arguments: dict[str, Any]) -> NaturalCanvas:
        """Return what gives the training set at any bias ratio."""
        return self._prepared(read, arguments)[0]

    def load(
        self, root: str | Path, arguments: dict[str, Any]
    ) -> tuple[GroupedDataset, GroupedDataset]:
        """Return the training set and the test set."""
        canvas, test = self._prepared(self.read(root), arguments)
        br = arguments["br"]
        return canvas.at(br), replace(test, info=canvas.info | {"split": "test", "br": br})

    def _prepared(
        self, read: Opening, arguments: dict[str, Any]
    ) -> tuple[NaturalCanvas, GroupedDataset]:
        """Return the training set, ready to be thinned, and the test set."""
        if arguments["sha256"] not in (None, read.sha256):
            raise FddkitError(
                f"{self.name} is not the data that this is about: its sha256 is "
                f"{read.sha256[:16]}..., not {str(arguments['sha256'])[:16]}...; find the file as "
                "it was, or distil again"
            )
        per_cell, seed = arguments["per_cell"], arguments["seed"]
        train, test = self._whole(read), read.splits.get("test")
        if test is None:
            per_cell = PER_CELL if per_cell is None else int(per_cell)
            train, test = train.split(per_cell, seed)
        elif per_cell is not None:
            raise FddkitError(
                f"{self.name} has a test split of its own, so per_cell={per_cell} has nothing to "
                "split; leave it out"
            )
        info = {"dataset": self.name, "split": "train", "seed": seed, "per_cell": per_cell}
        if arguments["majority"] != "largest":
            info["majority"] = arguments["majority"]
        if read.sha256:
            info["sha256"] = read.sha256
        return NaturalCanvas(train, train.target_names, train.group_names, info), test

    def _whole(self, read: Opening) -> GroupedDataset:
        for name in ("train", "all"):
            if name in read.splits:
                return read.splits[name]
        raise FddkitError(
            f"{self.name} has no split train, only {', '.join(read.splits)}; name one of them train"
        )
