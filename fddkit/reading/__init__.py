"""Files of images and tables of labels, read however irregular they are.

Paths and columns come in; uint8 pixels and numbered labels come out, and every fault is named.
"""

__all__ = [
    "columns",
    "decoding",
    "duplicates",
    "faults",
    "frame",
    "image_cache",
    "image_file",
    "labels",
    "table_file",
]
