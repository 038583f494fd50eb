"""The papers' sets of real faces: entries of the catalogue, with options of their own.

What each is, who distributes it and what papers say of it: `docs/methods.md`, "Data sets".
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..core.errors import unknown
from . import bffhq, celeba, utkface
from .grouped import GroupedDataset
from .injection_options import resolve
from .natural import even
from .natural_sets import LOAD_OPTIONS, NaturalCanvas, NaturalInfo, Opening
from .owned import Splits
from .traits import PHOTOGRAPHS


@dataclass
class Opened:
    """An entry at a place on the disk; what is read is kept.

    Attributes
    ----------
    entry : RealInfo
        The entry.
    root : path-like
        Folder of the raw data.
    """

    entry: "RealInfo"
    root: str | Path
    _kept: dict[str, Splits] = field(default_factory=dict)

    def at(self, options: dict[str, Any]) -> Opening:
        """Return every split under some options; images are decoded when they are asked for."""
        chosen = {name: value for name, value in options.items() if name != "balanced"}
        key = repr(sorted(chosen.items()))
        if key not in self._kept:
            self.entry.require(self.root)
            given = {name: x for name, x in self.entry.given.items() if name != "balanced"}
            self._kept = {key: self.entry.splits(self.root, self.entry.name, **given, **chosen)}
        return Opening(self._kept[key], self._kept[key].sha256)

    @property
    def splits(self) -> Splits:
        """Every split under the default options."""
        return self.at(self.entry.options).splits

    @property
    def sha256(self) -> str:
        """Of what is read: labels in full, images by their names and sizes."""
        return self.at(self.entry.options).sha256


@dataclass(frozen=True)
class RealInfo(NaturalInfo):
    """One entry of the catalogue that is read as its owners distribute it.

    Attributes
    ----------
    name, title, target_names, group_names, shape, source
        As of `fddkit.DatasetInfo`, for the default options.
    splits : callable
        ``splits(root, name, **options) -> Splits``.
    check : callable
        ``check(**options)`` raises if a value is impossible, before any file is read.
    given : dict
        The options that the name stands for.
    options : dict
        Those that can be chosen, with defaults.
    per_cell : int or None
        Test images of each class and group by default, if there is no test split.
    level : bool
        Whether of the test split, each class and group gets as many as the smallest has.
    """

    check: Callable[..., None] = lambda **options: None
    given: dict[str, Any] = field(default_factory=dict)
    options: dict[str, Any] = field(default_factory=dict)
    choices: dict[str, tuple] = field(default_factory=dict)
    per_cell: int | None = None
    level: bool = False
    traits = PHOTOGRAPHS

    def read(self, root: str | Path, split: str = "train", seed: int = 0) -> Opened:
        """Return what reads it."""
        return Opened(self, root)

    def arguments(
        self,
        br: float | None,
        seed: int,
        gap: int | None,
        offset: float,
        proportions: Sequence[float] | None,
        options: dict[str, Any],
    ) -> dict[str, Any]:
        """Check the arguments of `fddkit.load`; return them for JSON."""
        own, rest = {}, {}
        for name, value in options.items():
            if name in self.options:
                joined = name == "group" and isinstance(value, list | tuple)
                own[name] = "+".join(map(str, value)) if joined else value
            elif name in LOAD_OPTIONS:
                rest[name] = value
            else:
                raise unknown(f"option of {self.name}", name, [*self.options, *LOAD_OPTIONS])
        own = resolve(own, self, None, 0.0)
        self.check(**self.given, **own)
        return {**super().arguments(br, seed, gap, offset, proportions, rest), "options": own}

    def _prepared(
        self, read: Opened, arguments: dict[str, Any]
    ) -> tuple[NaturalCanvas, GroupedDataset]:
        options, seed = arguments["options"], arguments["seed"]
        found = read.at(options)
        parts = {k: found.splits[k] for k in ("train", "all", "test") if k in found.splits}
        if (self.given | options).get("balanced"):
            parts["train"] = even(parts["train"], seed, "train")
        if self.level:
            parts["test"] = even(parts["test"], seed, "test")
        if "test" not in parts and arguments["per_cell"] is None:
            arguments = arguments | {"per_cell": self.per_cell}
        canvas, test = super()._prepared(Opening(parts, found.sha256), arguments)
        return replace(canvas, info={**canvas.info, **options}), test


_SHAPE = (3, 64, 64)
_CELEBA_FREE = {"target": "Attractive", "group": "Male", "balanced": False}
#: What FairDD's tables call these sets: title, target, group, and whether they are balanced.
_CELEBA = {
    "attractive-gender": ("attractive | gender", "Attractive", "Male", False),
    "young-gender": ("young | gender", "Young", "Male", False),
    "bignose-gender": ("big nose | gender", "Big_Nose", "Male", False),
    "blond-gender": ("blond hair | gender", "Blond_Hair", "Male", False),
    "attractive-blond": ("attractive | blond hair", "Attractive", "Blond_Hair", False),
    "fair": ("attractive | gender, balanced", "Attractive", "Male", True),
    "gender+necktie": (
        "attractive | gender and necktie",
        "Attractive",
        "Male+Wearing_Necktie",
        False,
    ),
    "gender+paleskin": ("attractive | gender and pale skin", "Attractive", "Male+Pale_Skin", False),
}
_UTKFACE_FREE = {"target": "age", "group": "race", "bins": utkface.AGES, "others": False}


def _celeba(name: str, title: str, given: dict[str, Any], free: dict[str, Any]) -> RealInfo:
    chosen = {**given, **free}
    return RealInfo(
        name,
        title,
        target_names=celeba.target_names(chosen["target"]),
        group_names=celeba.group_names(chosen["group"]),
        shape=_SHAPE,
        splits=celeba.splits,
        source=celeba.SOURCE,
        check=celeba.check,
        given=given,
        options={**free, "size": 64},
        level=True,
    )


def _utkface(name: str, title: str, given: dict[str, Any], free: dict[str, Any]) -> RealInfo:
    target_names, group_names = utkface.names(**given, **free)
    return RealInfo(
        name,
        title,
        target_names=target_names,
        group_names=group_names,
        shape=_SHAPE,
        splits=utkface.splits,
        source=utkface.SOURCE,
        check=utkface.check,
        given=given,
        options={**free, "size": 64},
        per_cell=100,
    )


ENTRIES: tuple[RealInfo, ...] = (
    _celeba("celeba", "CelebA, any attribute | others", {}, _CELEBA_FREE),
    *(
        _celeba(
            f"celeba-{name}", f"CelebA, {title}", dict(zip(_CELEBA_FREE, given, strict=True)), {}
        )
        for name, (title, *given) in _CELEBA.items()
    ),
    _utkface("utkface", "UTKFace, age, race and gender", {}, _UTKFACE_FREE),
    *(
        _utkface(
            f"utkface-age-{group}", f"UTKFace, age | {group}", _UTKFACE_FREE | {"group": group}, {}
        )
        for group in ("race", "gender")
    ),
    RealInfo(
        "bffhq-age-gender",
        "bFFHQ, age | gender",
        target_names=bffhq.TARGETS,
        group_names=bffhq.GROUPS,
        shape=_SHAPE,
        splits=bffhq.splits,
        source=bffhq.SOURCE,
        check=bffhq.check,
        options={"size": 64},
    ),
)
