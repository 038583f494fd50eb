"""Where the raw data of each set come from, on what terms, how large they are, what goes where."""

from pathlib import Path
from typing import NamedTuple

from ..core.errors import FddkitError
from .listed import Listed


class Origin(NamedTuple):
    """Where raw data come from.

    Attributes
    ----------
    where : str
        The owners' page or address.
    licence : str
        What the owners say about use, in a few words; their text counts.
    size : str
        On the disk.
    images : str
        How many.
    put : tuple of str
        What to put where, below the root; empty where a download does it.
    """

    where: str
    licence: str
    size: str
    images: str
    put: tuple[str, ...] = ()


#: Title of a `fddkit.data.sources.Source` -> its origin.
ORIGINS = {
    "MNIST": Origin("yann.lecun.com/exdb/mnist", "none stated", "66 MB", "60,000 + 10,000"),
    "Fashion-MNIST": Origin(
        "github.com/zalandoresearch/fashion-mnist", "MIT", "83 MB", "60,000 + 10,000"
    ),
    "CIFAR-10": Origin(
        "cs.toronto.edu/~kriz/cifar.html", "none stated", "350 MB", "50,000 + 10,000"
    ),
    "CIFAR-100": Origin(
        "cs.toronto.edu/~kriz/cifar.html", "none stated", "350 MB", "50,000 + 10,000"
    ),
    "CelebA": Origin(
        "mmlab.ie.cuhk.edu.hk/projects/CelebA.html (its agreement leads to the files)",
        "non-commercial research only; no copies for others; the images belong to third parties",
        "1.5 GB, and 2.5 GB in the cache at 64 pixels",
        "202,599: 162,770 + 19,867 (valid) + 19,962 (test)",
        (
            "list_attr_celeba.txt (in Anno) -> celeba/list_attr_celeba.txt",
            "list_eval_partition.txt (in Eval) -> celeba/list_eval_partition.txt",
            "img_align_celeba.zip (in Img), unpacked -> celeba/img_align_celeba/000001.jpg ...",
            "(the owners' folders Anno, Eval and Img can also stay as they are)",
        ),
    ),
    "UTKFace": Origin(
        "susanqq.github.io/UTKFace",
        "non-commercial research only; the images belong to third parties",
        "120 MB, and 290 MB in the cache at 64 pixels",
        "23,708, of which 3 lack the race in their names",
        (
            "UTKFace.tar.gz (Aligned & Cropped Faces), unpacked -> "
            "UTKFace/26_1_3_20170117175041574.jpg.chip.jpg ...",
        ),
    ),
    "bFFHQ": Origin(
        "github.com/kakaoenterprise/Learning-Debiased-Disentangled (its README links the files)",
        "none stated; made of FFHQ (CC BY-NC-SA 4.0, photographs under their own licences)",
        "not published, and 260 MB in the cache at 64 pixels",
        "19,200 + 1,000 (valid) + 1,000 (test)",
        (
            "bffhq.zip, unpacked -> bffhq/0.5pct/align/<class>/*.png, "
            "bffhq/0.5pct/conflict/<class>/*.png, bffhq/valid/*.png, bffhq/test/*.png",
        ),
    ),
}


def origin(entry: Listed) -> Origin | None:
    """Return where the raw data of an entry come from; None if it is not known, or none are needed.

    Parameters
    ----------
    entry : Listed
        Of the catalogue.
    """
    return ORIGINS.get(entry.needs)


def in_short(entry: Listed) -> tuple[str, str]:
    """Return size and licence of an entry's raw data for a list; empty where none are needed."""
    known = origin(entry)
    if known is None:
        return "", ""
    return known.size.partition(",")[0], known.licence.partition(";")[0]


def how(entry: Listed, root: str | Path = "data") -> str:
    """Return how to get the raw data of an entry, in lines.

    Parameters
    ----------
    entry : Listed
        Of the catalogue.
    root : path-like
        The folder of the data.

    Returns
    -------
    str

    Raises
    ------
    FddkitError
        If nobody says where it comes from: a file of yours, or a registered entry.
    """
    if entry.source is None and not entry.natural:
        return f"{entry.name}: {entry.title}\nnothing to get: it needs no files"
    known = origin(entry)
    if known is None:
        raise FddkitError(f"{entry.name} is your own, so nothing is known about where to get it")
    lines = [
        f"{entry.name}: {entry.title}",
        f"from     {known.where}",
        f"licence  {known.licence}",
        f"size     {known.size}",
        f"images   {known.images}",
    ]
    if known.put:
        lines.append(f"fddkit neither holds nor fetches it; below {Path(root).resolve()}:")
        lines += [f"  {one}" for one in known.put]
        lines.append(f"then     fddkit datasets --check {entry.name} --root {root}")
    else:
        lines.append(f"get it   fddkit datasets --download {entry.name} --root {root}")
    if entry.options:
        given = ", ".join(f"{name}={_typed(value)}" for name, value in entry.options.items())
        lines.append(f"options  --option {given}")
    missing = entry.missing(root)
    lines.append(f"missing  {missing[0]}" if missing else "on disk  yes")
    return "\n".join(lines)


def _typed(value: object) -> str:
    """Return a value as it is typed."""
    return ",".join(map(str, value)) if isinstance(value, tuple | list) else str(value)
