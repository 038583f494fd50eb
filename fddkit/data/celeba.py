"""CelebA as its owners distribute it: two lists of text and a folder of aligned faces.

Compared with torchvision's reader (``torchvision/datasets/celeba.py``), which this does not use: it
also wants three lists that nothing here needs, and keeps 40 labels in place of two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError, unknown
from ..core.files import digest
from ..core.reading import clip, read_bytes
from ..reading.columns import Column
from ..reading.faults import Faults
from ..reading.labels import crossed_names
from .grouped import GroupedDataset
from .labelled_files import Labelled, frame
from .owned import Listing, Owned, Splits, listing, some

SOURCE = Owned(
    "CelebA",
    "",
    "celeba",
    (
        "list_attr_celeba.txt|Anno/list_attr_celeba.txt",
        "list_eval_partition.txt|Eval/list_eval_partition.txt",
    ),
    counts={"train": 162_770, "valid": 19_867, "test": 19_962},
    counted_by="CelebA's list_eval_partition.txt",
    folders=("img_align_celeba|Img/img_align_celeba|img_align_celeba/img_align_celeba",),
    images=(202_599,),
    md5={
        "list_attr_celeba.txt": "75e246fa4810816ffd6ee81facbd244c",
        "list_eval_partition.txt": "d32c9cbf5e040fd4025c592c306e6668",
    },
)
_NAMES = (
    "5_o_Clock_Shadow Arched_Eyebrows Attractive Bags_Under_Eyes Bald Bangs Big_Lips Big_Nose "
    "Black_Hair Blond_Hair Blurry Brown_Hair Bushy_Eyebrows Chubby Double_Chin Eyeglasses Goatee "
    "Gray_Hair Heavy_Makeup High_Cheekbones Male Mouth_Slightly_Open Mustache Narrow_Eyes "
    "No_Beard Oval_Face Pale_Skin Pointy_Nose Receding_Hairline Rosy_Cheeks Sideburns Smiling "
    "Straight_Hair Wavy_Hair Wearing_Earrings Wearing_Hat Wearing_Lipstick Wearing_Necklace "
    "Wearing_Necktie Young"
)
ATTRIBUTES = tuple(_NAMES.split())
SPLITS = ("train", "valid", "test")
MEAN, STD = (0.5063, 0.4258, 0.3832), (0.2676, 0.2453, 0.2410)
_MOST_GROUPS = 6  # attributes whose intersections are the groups
_LARGEST = 256 * 2**20  # bytes of a list; that of the attributes has 27 million
_LABELS = {"-1": 0, "1": 1}


def target_names(attribute: str) -> tuple[str, str]:
    """Return what an attribute's labels -1 and 1 are called."""
    if attribute == "Male":
        return "female", "male"
    plain = attribute.replace("_", " ").lower()
    return f"not {plain}", plain


def group_names(group: str) -> tuple[str, ...]:
    """Return the names of the intersections of attributes, which are joined by ``+``."""
    return crossed_names([target_names(attribute) for attribute in group.split("+")])


def check(target: str, group: str, balanced: bool, size: int) -> None:
    """Raise an error unless these are attributes, each named once, and a size."""
    groups = group.split("+")
    for attribute in (target, *groups):
        if attribute not in ATTRIBUTES:
            raise unknown("CelebA attribute", attribute, ATTRIBUTES)
    if len({target, *groups}) <= len(groups) or len(groups) > _MOST_GROUPS:
        raise FddkitError(
            f"target={target} and group={group} name an attribute twice, or more than "
            f"{_MOST_GROUPS} of groups; give others, as in target=Smiling, group=Male+Young"
        )
    frame(size)


@dataclass
class _Row:
    """An image of the lists: its labels, or what is wrong with them."""

    name: str
    values: tuple[int, ...] | None
    fault: tuple[str, str] | None = None


def splits(root: str | Path, name: str, target: str, group: str, size: int) -> Splits:
    """Return CelebA's three splits.

    Parameters
    ----------
    root : path-like
        Folder of the raw data.
    name : str
        What to call the set.
    target, group : str
        Attributes; those of the group are joined by ``+``.
    size : int
        Side of an image in pixels, after the middle 178 x 178 have been cut out.

    Returns
    -------
    Splits
        ``source["lists"]`` says what the lists hold beyond the images of a split.

    Raises
    ------
    FddkitError
        If a list cannot be read or lacks a column.
    """
    attributes, partition = SOURCE.paths(root)
    there = listing(SOURCE.trees(root)[0])
    data, parts = read_bytes(attributes, _LARGEST), read_bytes(partition, _LARGEST)
    wanted = [target, *group.split("+")]
    rows, said = _attributes(_lines(data, attributes), attributes, wanted)
    place, wrong = _partition(_lines(parts, partition))
    known = {row.name for row in rows}
    rows += [_Row(one, None, ("no attributes", "")) for one in place if one not in known]
    unplaced = [row.name for row in rows if row.name not in place]
    named = {*known, *place}
    lists = {
        "rows": len(known),
        "rows_said": said,
        "in_no_split": some(unplaced),
        "bad_lines_of_the_partition": some(wrong),
        "images_in_no_list": some(one for one in there.sizes if one not in named),
        "other_files": some(there.others),
    }
    source = {"kind": "CelebA", "from": str(attributes), "target": target, "group": wanted[1:]}
    source["lists"] = lists

    def read(number: int) -> GroupedDataset:
        mine = [row for row in rows if place.get(row.name) == str(number)]
        facts = {**source, "split": SPLITS[number]}
        return _read(name, mine, there, wanted, size, facts)

    readers = {split: partial(read, i) for i, split in enumerate(SPLITS)}
    return Splits(readers, digest(data, parts, there.sha256))


def _read(
    name: str,
    rows: Sequence[_Row],
    there: Listing,
    wanted: list[str],
    size: int,
    source: dict[str, Any],
) -> GroupedDataset:
    names = [row.name for row in rows]
    if not names:
        raise FddkitError(
            f"the lists of CelebA have no image of the split {source['split']}; take "
            "list_eval_partition.txt as its owners distribute it"
        )
    faults = Faults(source["from"], names, "image")
    for i, row in enumerate(rows):
        if row.fault:
            faults.add(i, *row.fault)
    columns = [
        Column(
            attribute,
            [None if row.values is None else row.values[i] for row in rows],
            names=target_names(attribute),
        )
        for i, attribute in enumerate(wanted)
    ]
    return Labelled(there, names, faults, source).read(
        name, size, columns[0], columns[1:], MEAN, STD
    )


def _lines(data: bytes, path: Path) -> list[list[str]]:
    """Return the words of each line that has any; commas, too, stand between words."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FddkitError(f"{path} is not text ({error.reason}); copy it again") from error
    return [words for line in text.replace(",", " ").splitlines() if (words := line.split())]


def _attributes(
    lines: list[list[str]], path: Path, wanted: list[str]
) -> tuple[list[_Row], int | None]:
    """Return a row per image, and how many rows the first line says there are."""
    said = None
    if lines and len(lines[0]) == 1 and lines[0][0].isdecimal():
        said = int(clip(lines.pop(0)[0], 12))
    header = lines.pop(0) if lines else []
    header = header[1:] if header[:1] == ["image_id"] else header
    missing = [attribute for attribute in wanted if attribute not in header]
    if missing:
        raise FddkitError(
            f"{path} has no column {missing[0]}; take the file as its owners distribute it, see "
            "`fddkit datasets --how celeba`"
        )
    columns = [1 + header.index(attribute) for attribute in wanted]
    rows: dict[str, _Row] = {}
    for words in lines:
        row = _row(words, len(header), columns)
        first = rows.setdefault(row.name, row)
        if first.values != row.values:
            first.values, first.fault = None, ("contradicting labels", "listed twice")
    return list(rows.values()), said


def _row(words: list[str], width: int, columns: list[int]) -> _Row:
    name = clip(words[0])
    if len(words) != width + 1:
        return _Row(name, None, ("wrong number of labels", f"{len(words) - 1}, not {width}"))
    given = [words[i] for i in columns]
    bad = [word for word in given if word not in _LABELS]
    if bad:
        return _Row(name, None, ("bad label", f"{bad[0]}, neither -1 nor 1"))
    return _Row(name, tuple(_LABELS[word] for word in given))


def _partition(lines: list[list[str]]) -> tuple[dict[str, str], list[str]]:
    """Return the number of each image's split, and the lines that give none."""
    place: dict[str, str] = {}
    wrong = []
    for words in lines:
        if words[:1] == ["image_id"]:
            continue
        if (
            len(words) != 2
            or words[1] not in ("0", "1", "2")
            or place.setdefault(clip(words[0]), words[1]) != words[1]
        ):
            wrong.append(clip(" ".join(words)))
    return place, wrong
