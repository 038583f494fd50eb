"""Image files of one folder whose labels are known, as a data set; what is left out is counted."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..reading.columns import Column
from ..reading.faults import NO_FILE, UNREADABLE, Faults
from ..reading.frame import Frame
from ..reading.image_cache import decoded
from .assembly import Options, Read, Rows, assemble
from .grouped import GroupedDataset
from .owned import Listing


def frame(size: int) -> Frame:
    """Return what photographs of faces are made into, after checking a size in pixels."""
    return Frame.of(size, "crop", "RGB")


@dataclass(frozen=True)
class Labelled:
    """Files with labels.

    Attributes
    ----------
    listing : Listing
        The files that are there.
    names : sequence of str
        One of them per row, or a name that is not among them.
    faults : Faults
        What is wrong with the rows so far.
    source : dict
        Where they come from.
    """

    listing: Listing
    names: Sequence[str]
    faults: Faults
    source: Mapping[str, Any]

    def read(
        self,
        name: str,
        size: int,
        target: Column,
        groups: list[Column],
        mean: tuple[float, ...],
        std: tuple[float, ...],
    ) -> GroupedDataset:
        """Decode the files and return those with every label.

        All files are decoded, whatever their labels, so that what is in the cache serves every
        choice of target and groups.

        Parameters
        ----------
        name : str
            What to call the set.
        size : int
            Side of an image in pixels.
        target, groups : Column, list of Column
            Numbers with names.
        mean, std : tuple of float
            Of each channel.

        Returns
        -------
        GroupedDataset
            Its ``source`` accounts for every row, see `fddkit.from_table`.

        Raises
        ------
        FddkitError
            If nothing is left.
        """
        into = frame(size)
        files = [one for one in dict.fromkeys(self.names) if one in self.listing.sizes]

        def images(rows: list[int]) -> Read:
            place = {one: i for i, one in enumerate(files)}
            found = decoded([str(Path(self.listing.folder, one)) for one in files], into)
            rows = [place.get(one, -1) for one in self.names]
            return Read(found, np.array(rows, dtype=np.int64), files)

        for row, one in enumerate(self.names):
            if one not in self.listing.sizes:
                self.faults.add(row, NO_FILE, one)
        options = Options(
            into, name, faulty="skip", duplicates="keep", intersections="all", mean=mean, std=std
        )
        made = assemble(
            Rows(target, groups, None, self.faults, images, dict(self.source)), options
        )["all"]
        lost = {k: n for k, n in made.source["skipped"].items() if k in (NO_FILE, UNREADABLE)}
        if lost:
            told = ", ".join(f"{reason}: {n:,}" for reason, n in lost.items())
            warnings.warn(
                f"{sum(lost.values()):,} of {len(self.names):,} images of {name} are left out "
                f"({told}); its source names them, and `fddkit datasets --check {name}` compares "
                "the rest with what is published",
                stacklevel=2,
            )
        return made
