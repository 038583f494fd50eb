"""Sets of images with groups: what there is, how bias gets in, and what is distilled from them.

Files, numbers and images come in; sets come out.
"""

__all__ = [
    "bias",
    "catalogue",
    "distilled",
    "grouped",
    "injection",
    "loading",
    "multi_formation",
    "official_sets",
    "sampling",
    "traits",
    "units",
    "whitening",
]
