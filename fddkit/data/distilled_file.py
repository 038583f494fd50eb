"""What the file of a distilled set holds, and what its parts must be to fit together."""

from typing import TYPE_CHECKING

from ..core.kinds import Array, Kind
from ..core.numbers import is_whole
from .validation import check_units
from .whitening import Whitening

if TYPE_CHECKING:
    from .distilled import DistilledSet

SET = Kind(
    "set",
    "a distilled set",
    "give a file that `fddkit distill` wrote",
    {
        "images": Array(("float32", "uint8"), ("images", "channels", "height", "width")),
        "target": Array(("int64",), ("images",)),
        "group": Array(("int64",), ("images",)),
        "loss": Array(("float64",), ("steps",)),
        **{f"whitening.{name}": Array(("float32",), None, True) for name in Whitening._fields},
    },
    {
        "config": {
            "dataset?": {str: (str, int, float, bool, list, dict, None)},
            "fingerprint?": str,
            "method?": str,
            "fairness?": (str, None),
            "ipc?": (int, None),
            "seed?": (int, None),
            "preset?": (str, None),
            "settings?": dict,
        },
        "versions": dict,
        "mean": [float],
        "std": [float],
        "target_names": [str],
        "group_names": [str],
        # older sets lack these
        "factor?": int,
        "lr?": (float, None),
        "sources?": {str: str},
        "health?": {"verdict?": str, "notes?": [str]},
    },
)


def check_parts(s: "DistilledSet") -> None:
    """Raise ValueError if the parts of a distilled set do not fit together."""
    n = len(s.images)
    if s.images.ndim != 4 or s.target.shape != (n,) or s.group.shape != (n,):
        raise ValueError("images, target and group differ in length")
    if not s.images.numel() or s.images.shape[1] not in (1, 3):
        raise ValueError(f"images of shape {list(s.images.shape)} cannot be shown")
    if n and not 0 <= int(s.target.min()) <= int(s.target.max()) < len(s.target_names):
        raise ValueError("a target has no name")
    if n and not -1 <= int(s.group.min()) <= int(s.group.max()) < len(s.group_names):
        raise ValueError("a group has no name")
    check_units(s.mean, s.std, s.images.shape[1])
    if not is_whole(s.factor):
        raise ValueError("the factor is not a positive integer")
    if s.factor > min(s.images.shape[2:]):
        raise ValueError(f"no image holds {s.factor} others side by side")
    if s.factor > 1 and not s.images.is_floating_point():
        raise ValueError("several images in one must be normalised")
    if s.lr is not None and not 0 < s.lr < float("inf"):
        raise ValueError("the learnt step size is not positive")
    size = s.images.shape[1:].numel()
    if s.whitening is not None:
        shapes = [tuple(part.shape) for part in s.whitening]
        if shapes != [(size,), (size, size)]:
            raise ValueError("the whitening does not fit the images")
