"""bFFHQ as DFA's authors distribute it: folders of faces, with the labels in their names.

A name is ``id_target_bias.png``; training images lie in ``0.5pct/align`` and ``0.5pct/conflict``,
in a folder per class (github.com/kakaoenterprise/Learning-Debiased-Disentangled and SelecMix).
"""

import re
from collections.abc import Callable
from pathlib import Path

from ..core.files import digest
from ..reading.columns import Column
from ..reading.faults import Faults
from .grouped import GroupedDataset
from .labelled_files import Labelled, frame
from .owned import Listing, Owned, Splits, listing, some

SOURCE = Owned(
    "bFFHQ",
    "",
    "bffhq",
    (),
    counts={"train": 19_200, "valid": 1_000, "test": 1_000},
    counted_by="bFFHQ's release",
    folders=("0.5pct", "valid", "test"),
)
TARGETS, GROUPS = ("young", "old"), ("female", "male")
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
_SPLITS = ("train", "valid", "test")
_NAME = re.compile(r".*_([0-9]+)_([0-9]+)\.[A-Za-z]+")


def check(size: int) -> None:
    """Raise an error unless this is a size."""
    frame(size)


def splits(root: str | Path, name: str, size: int) -> Splits:
    """Return bFFHQ's three splits, each in the order of the files' names.

    Parameters
    ----------
    root : path-like
        Folder of the raw data.
    name : str
        What to call the set.
    size : int
        Side of an image in pixels.

    Returns
    -------
    Splits
        The labels are those in the names, as in all code that we read; ``source["misplaced"]``
        counts images that lie among the aligned ones and conflict, or the reverse.
    """
    folders = dict(zip(_SPLITS, map(listing, SOURCE.trees(root)), strict=True))
    readers = {split: _reader(name, split, there, size) for split, there in folders.items()}
    return Splits(readers, digest(*(there.sha256 for there in folders.values())))


def _reader(name: str, split: str, there: Listing, size: int) -> Callable[[], GroupedDataset]:
    def read() -> GroupedDataset:
        files = list(there.sizes)
        faults = Faults(str(there.folder), files, "image")
        target: list[int | None] = []
        group: list[int | None] = []
        misplaced = []
        for i, file in enumerate(files):
            found = _NAME.fullmatch(file.rpartition("/")[2])
            y, a = map(int, found.groups()) if found else (None, None)
            if found is None:
                faults.add(i, "not all labels in its name")
            elif max(y, a) > 1:
                faults.add(i, "bad label", f"{y}_{a}")
                y = a = None
            elif file.split("/")[0] == ("align" if y != a else "conflict"):
                misplaced.append(file)
            target.append(y)
            group.append(a)
        source = {"kind": "bFFHQ", "from": str(there.folder), "target": "age", "group": ["gender"]}
        source |= {"split": split, "misplaced": some(misplaced), "other_files": some(there.others)}
        columns = Column("age", target, names=TARGETS), Column("gender", group, names=GROUPS)
        return Labelled(there, files, faults, source).read(
            name, size, columns[0], [columns[1]], MEAN, STD
        )

    return read
