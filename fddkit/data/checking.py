"""Whether raw data are those that their owners publish: checksums, counts, what was left out."""

import hashlib
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

from ..core.reading import read_bytes
from .grouped import GroupedDataset
from .listed import Listed
from .loading import load
from .owned import Owned, listing
from .real_sets import RealInfo
from .sources import Source
from .torchvision_import import torchvision


class Finding(NamedTuple):
    """One thing that was checked.

    Attributes
    ----------
    what : str
        In words.
    found, expected : str
        What is there, and what is published; ``expected`` is empty where nothing is.
    by : str
        Who publishes it.
    """

    what: str
    found: str
    expected: str = ""
    by: str = ""

    @property
    def agrees(self) -> bool:
        """Whether it is as published, or nothing is published."""
        return self.expected in ("", self.found)

    def __str__(self) -> str:
        if not self.expected:
            return f"-      {self.what}: {self.found}"
        verdict = "ok   " if self.agrees else "WRONG"
        told = "" if self.agrees else f", not {self.expected} ({self.by})"
        return f"{verdict}  {self.what}: {self.found}{told}"


_TORCHVISION = "torchvision"
_FAIRDD = "FairDD's code"
_DRO = "Sagawa et al. 2020, Group DRO, appendix C.1"
#: Entry -> split -> published images of each class and group, and who publishes them.
_CELLS = {
    "celeba-blond-gender": (
        {
            "train": [[71_629, 66_874], [22_880, 1_387]],
            "valid": [[8_535, 8_276], [2_874, 182]],
            "test": [[9_767, 7_535], [2_480, 180]],
        },
        _DRO,
    )
}
#: Entry -> published images of the training and the test set that networks see.
_SEEN = {
    "celeba-attractive-gender": ((162_770, 7_656), _FAIRDD),
    "utkface-age-race": ((20_813, 1_200), _FAIRDD),
    "bffhq-age-gender": ((19_200, 1_000), _FAIRDD),
}


def check(entry: Listed, root: str | Path = "data") -> Iterator[Finding]:
    """Compare the raw data of an entry with what is published about them.

    Parameters
    ----------
    entry : Listed
        Of the catalogue.
    root : path-like
        The folder of the data.

    Yields
    ------
    Finding
        One by one; images are decoded first where they are files.

    Raises
    ------
    FddkitError
        If something is missing, or a file is damaged.
    """
    entry.require(root)
    if isinstance(entry, RealInfo):
        yield from _real(entry, root)
    elif isinstance(entry.source, Source):
        yield from _raw(entry.source, root)
    yield from _seen(entry, root)


def _raw(source: Source, root: str | Path) -> Iterator[Finding]:
    """Check files that torchvision downloads."""
    reader = getattr(torchvision().datasets, source.reader)
    sums = dict([*getattr(reader, "train_list", []), *getattr(reader, "test_list", [])])
    for path in source.paths(root):
        if path.name in sums:
            yield _sum(path, sums[path.name])
    for split, expected in source.counts.items():
        images = len(source.read(root, split)[0])
        yield Finding(f"images of {split}", f"{images:,}", f"{expected:,}", source.counted_by)


def _sum(path: Path, expected: str) -> Finding:
    found = hashlib.md5(read_bytes(path), usedforsecurity=False).hexdigest()
    return Finding(f"md5 of {path.name}", found, expected, _TORCHVISION)


def _real(entry: RealInfo, root: str | Path) -> Iterator[Finding]:
    """Check files as their owners distribute them."""
    source: Owned = entry.source
    for path in source.paths(root):
        if path.name in source.md5:
            yield _sum(path, source.md5[path.name])
    for tree, images in zip_longest(source.trees(root), source.images):
        there = listing(tree)
        published = f"{images:,}" if images else ""
        yield Finding(f"images in {tree}", f"{len(there.sizes):,}", published, "its owners")
        if there.others:
            yield Finding(f"other files in {tree}", f"{len(there.others):,}")
    cells, author = _CELLS.get(entry.name, ({}, ""))
    for split, data in entry.read(root).splits.items():
        expected = f"{source.counts[split]:,}" if split in source.counts else ""
        yield Finding(f"usable images of {split}", f"{len(data):,}", expected, source.counted_by)
        for reason, n in data.source["skipped"].items():
            yield Finding(f"left out of {split}, {reason}", f"{n:,}")
        yield from _cells(data, split, cells.get(split), author)


def _cells(
    data: GroupedDataset, split: str, expected: list[list[int]] | None, author: str
) -> Iterator[Finding]:
    for y, row in enumerate(data.counts().tolist()):
        for a, n in enumerate(row):
            what = f"{split}, {data.target_names[y]} | {data.group_names[a]}"
            yield Finding(what, f"{n:,}", f"{expected[y][a]:,}" if expected else "", author)


def _seen(entry: Listed, root: str | Path) -> Iterator[Finding]:
    """Compare what `fddkit.load` returns with what networks saw in the papers."""
    sizes, who = _SEEN.get(entry.name, (("", ""), ""))
    for split, data, size in zip(
        ("train", "test"), load(entry.name, root=root), sizes, strict=True
    ):
        expected = f"{size:,}" if size else ""
        yield Finding(f"images that fdd.load gives for {split}", f"{len(data):,}", expected, who)
