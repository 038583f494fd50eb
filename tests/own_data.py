"""Small sets with natural groups: as a person's own data are, and as odd as they get."""

import torch

from fddkit.data.grouped import GroupedDataset

#: Two classes by three groups.
PLAIN = [[60, 20, 10], [12, 45, 14]]
#: Eight groups by two columns, with cells of one and two images, and an empty one.
ODD = [[30, 12, 1, 2, 8, 9, 5, 0], [4, 25, 15, 1, 9, 2, 12, 7]]
_SIDE = 8


def own(counts=PLAIN, seed=0, name="own") -> GroupedDataset:
    """Return 8 x 8 images whose red says the class and whose green says the group."""
    counts = torch.tensor(counts)
    classes, groups = counts.shape
    rng = torch.Generator().manual_seed(seed)
    cell = torch.repeat_interleave(torch.arange(counts.numel()), counts.flatten())
    cell = cell[torch.randperm(len(cell), generator=rng)]
    y, a = cell // groups, cell % groups
    images = torch.randint(0, 60, (len(cell), 3, _SIDE, _SIDE), generator=rng)
    images[:, 0] += (y * 150 // max(1, classes - 1))[:, None, None]
    images[:, 1] += (a * 150 // max(1, groups - 1))[:, None, None]
    groups = "abc" if groups == 3 else [f"{c}, {s}" for c in "abcd" for s in ("f", "m")]
    return GroupedDataset.from_arrays(
        images.to(torch.uint8), y, a, name, ["cat", "dog"], list(groups), [0.4] * 3, [0.2] * 3
    )
