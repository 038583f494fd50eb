"""What the file of a distilled set holds: its tensors, and the story in its header."""

from ..core.kinds import Array, Kind
from .whitening import Whitening

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
        # sets of before these existed have none of them
        "factor?": int,
        "lr?": (float, None),
        "sources?": {str: str},
        "health?": {"verdict?": str, "notes?": [str]},
    },
)
