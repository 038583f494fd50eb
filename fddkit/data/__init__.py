"""Images with groups: the data sets, how bias is injected, and what is distilled from them.

Files and arrays come in; data sets come out.
"""

__all__ = [
    "catalogue",
    "checking",
    "collections",
    "description",
    "distilled",
    "file_sets",
    "grouped",
    "grouped_kind",
    "imperfect",
    "injection",
    "listed",
    "loading",
    "multi_formation",
    "natural_sets",
    "obtaining",
    "official_sets",
    "owned",
    "recovery",
    "sampling",
    "tables",
    "toml_sets",
    "traits",
    "units",
    "whitening",
]
