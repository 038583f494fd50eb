"""Images with groups: the data sets, how bias is injected, and what is distilled from them.

Files and arrays come in; data sets come out.
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
