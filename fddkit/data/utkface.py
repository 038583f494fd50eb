"""UTKFace as its owners distribute it: a folder of cropped faces, with the labels in their names.

A name is ``age_gender_race_date.jpg.chip.jpg`` (susanqq.github.io/UTKFace). Known irregular ones
(github.com/aicip/UTKFace/issues/1 and 2, and owners' archive): three lack the race, some have a
space or lack a dot after the date, which does no harm.
"""

import re
from itertools import pairwise
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError, unknown
from ..core.files import digest
from ..core.reading import clip
from ..reading.columns import Column
from ..reading.faults import Faults
from ..reading.labels import crossed_names
from .grouped import GroupedDataset
from .labelled_files import Labelled, frame
from .owned import Owned, Splits, listing, some

SOURCE = Owned(
    "UTKFace",
    "",
    "",
    (),
    counts={"all": 22_013},
    counted_by="FairDD's test of 1,200 and training set of 20,813",
    folders=("UTKFace|UTKFace/UTKFace|utkface",),
    images=(23_708,),
)
AGES = (0, 20, 40, 117)  # FairDD's code: under 20, under 40, and older
RACES = ("White", "Black", "Asian", "Indian", "others")
GENDERS = ("male", "female")
OLDEST = 116
MEAN, STD = (0.61359, 0.47225, 0.40703), (0.25493, 0.23054, 0.22835)
_KNOWN = ("age", "gender", "race")
_COPY = re.compile(r" ?(\([0-9]+\)|- Copy( \([0-9]+\))?)(?=\.|$)")


def check(target: str, group: str, bins: list[int], others: bool, size: int) -> None:
    """Raise an error unless these are attributes, each named once, bins of ages, and a size."""
    groups = group.split("+")
    for attribute in (target, *groups):
        if attribute not in _KNOWN:
            raise unknown("UTKFace attribute", attribute, _KNOWN)
    if len({target, *groups}) <= len(groups):
        raise FddkitError(
            f"target={target} and group={group} name an attribute twice; give others, as in "
            "target=age, group=race+gender"
        )
    if len(bins) < 2 or any(low >= high for low, high in pairwise(bins)):
        raise FddkitError(f"bins={list(bins)} are no bins; give ascending ages, as in 0,20,40,117")
    frame(size)


def names(
    target: str, group: str, bins: list[int] | tuple[int, ...], others: bool
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names of the classes and of the groups."""
    crossed = crossed_names([_names(attribute, bins, others) for attribute in group.split("+")])
    return _names(target, bins, others), crossed


def _names(attribute: str, bins: list[int] | tuple[int, ...], others: bool) -> tuple[str, ...]:
    if attribute == "age":
        return tuple(f"{low}-{high - 1}" for low, high in pairwise(bins))
    if attribute == "gender":
        return GENDERS
    return RACES if others else RACES[:-1]


def splits(
    root: str | Path,
    name: str,
    target: str,
    group: str,
    bins: list[int] | tuple[int, ...],
    others: bool,
    size: int,
) -> Splits:
    """Return all of UTKFace, which has no splits of its own, in the order of the files' names.

    Parameters
    ----------
    root : path-like
        Folder of the raw data.
    name : str
        What to call the set.
    target, group : str
        Of age, gender and race; those of the group are joined by ``+``.
    bins : sequence of int
        Edges of the ages: from each up to below the next.
    others : bool
        Keep the fifth race, "others". FairDD's and COBRA's code drop it, whatever the groups are.
    size : int
        Side of an image in pixels.

    Returns
    -------
    Splits
        Only ``all``.
    """
    there = listing(SOURCE.trees(root)[0])
    files = list(there.sizes)

    def read() -> GroupedDataset:
        faults = Faults(str(there.folder), files, "image")
        labels = {attribute: [] for attribute in _KNOWN}
        for i, file in enumerate(files):
            found = _labels(file, there.sizes, faults, i)
            if found and not others and found["race"] == len(RACES) - 1:
                faults.add(i, "race others", "left out as in FairDD's code")
            for attribute in _KNOWN:
                labels[attribute].append(found.get(attribute))
        labels["age"] = [_bin(age, bins, faults, i) for i, age in enumerate(labels["age"])]
        columns = [
            Column(one, labels[one], names=_names(one, bins, others))
            for one in (target, *group.split("+"))
        ]
        source = {"kind": "UTKFace", "from": str(there.folder), "target": target}
        source |= {"group": group.split("+"), "other_files": some(there.others)}
        return Labelled(there, files, faults, source).read(
            name, size, columns[0], columns[1:], MEAN, STD
        )

    return Splits({"all": read}, digest(there.sha256))


def _labels(file: str, sizes: dict[str, int], faults: Faults, row: int) -> dict[str, Any]:
    """Return the labels that a file's name gives; none, and a fault, if one of them is missing."""
    parts = file.rpartition("/")[2].split("_")
    if len(parts) != 4:
        faults.add(row, "not all labels in its name", "" if len(parts) > 4 else "no race")
        return {}
    numbers = [int(part) if re.fullmatch("[0-9]{1,3}", part) else -1 for part in parts[:3]]
    age, gender, race = numbers
    if not (0 <= age <= OLDEST and 0 <= gender < len(GENDERS) and 0 <= race < len(RACES)):
        faults.add(row, "bad label", clip("_".join(parts[:3])))
        return {}
    original = _COPY.sub("", file)
    if original != file and original in sizes:
        faults.add(row, "a copy", f"of {clip(original)}")
        return {}
    return {"age": age, "gender": gender, "race": race}


def _bin(age: int | None, bins: Any, faults: Faults, row: int) -> int | None:
    """Return the number of an age's bin."""
    if age is None:
        return None
    for i, (low, high) in enumerate(pairwise(bins)):
        if low <= age < high:
            return i
    faults.add(row, "outside the bins", f"age {age}")
    return None
