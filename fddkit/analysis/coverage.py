"""How well a synthetic set covers each group of the real images, as numbers.

Two caveats hold for all of them. They live in one network's features: compare sets under the same
`fddkit.analysis.features.Features` only. And neighbours lie closer where there are more images:
give every cell as many (``per_cell`` of `fddkit.analysis.features.extract`) where groups are
compared with each other.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.numbers import whole
from ..core.rng import generator
from .features import Features
from .neighbourhoods import measure

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True, eq=False)
class Coverage:
    """How a synthetic set covers the real images of each class and group.

    Numbers of a class with C classes and A groups are float64; NaN where there is no image to
    measure, or too few.

    Attributes
    ----------
    real, synthetic : str
        Names of the two sets.
    k : int
        Neighbours.
    radius, bandwidth : ndarray
        [C], of ``within``, and of the kernel of ``mmd``; distances between features.
    n_real, n_synthetic : ndarray
        int64 [C, A] and [C], the images measured.
    within : ndarray
        [C, A], percent of the group's real images with a synthetic image within ``radius``.
    coverage, expected : ndarray
        [C, A], percent of the group's real images with a synthetic image nearer than the k-th
        nearest image of their group; and what that is on average for as many synthetic images
        that are real ones of the group (Naeem et al. 2020, Lemma 2). It falls with the number of
        real images, so only the difference can be compared between groups.
    density : ndarray
        [C, A], in how many of the group's neighbourhoods a synthetic image of the class lies, over
        k: 1 on average where they are all real ones of the group, and 1 / A in each group where
        they are shared out among A groups that lie apart.
    distance : ndarray
        [C, A], mean distance of the group's real images to the nearest synthetic one.
    mmd : ndarray
        [C, A], squared kernel MMD between the group and the synthetic images, see `coverage`.
    target_names, group_names : tuple of str
        Names of the classes and groups.
    """

    real: str
    synthetic: str
    k: int
    radius: np.ndarray
    bandwidth: np.ndarray
    n_real: np.ndarray
    n_synthetic: np.ndarray
    within: np.ndarray
    coverage: np.ndarray
    expected: np.ndarray
    density: np.ndarray
    distance: np.ndarray
    mmd: np.ndarray
    target_names: tuple[str, ...]
    group_names: tuple[str, ...]

    def table(self) -> "pd.DataFrame":
        """Return the numbers of each class and group.

        Returns
        -------
        pandas.DataFrame
            A row a cell: ``class``, ``group``, ``real`` and ``synthetic`` (images), ``within``,
            ``coverage``, ``expected`` (percent), ``density``, ``distance`` and ``mmd``.
        """
        import pandas as pd

        classes, groups = self.n_real.shape
        columns = ("within", "coverage", "expected", "density", "distance", "mmd")
        return pd.DataFrame(
            {
                "class": np.repeat(self.target_names, groups),
                "group": np.tile(self.group_names, classes),
                "real": self.n_real.flatten(),
                "synthetic": np.repeat(self.n_synthetic, groups),
                **{name: getattr(self, name).flatten() for name in columns},
            }
        )


def by_size(named: Mapping[str, Coverage], counts: Tensor) -> "pd.DataFrame":
    """Return how majorities and minorities are covered, on average over cells.

    Parameters
    ----------
    named : mapping of str to Coverage
        Title, such as the rule, and how its set covers the real one.
    counts : Tensor
        int64 [classes, groups], images of the real set; the largest group of a class is its
        majority.

    Returns
    -------
    pandas.DataFrame
        Rows (title, ``majority`` | ``minority``); columns ``real`` (images of a cell),
        ``within``, ``above`` (coverage minus what as many real images would have), ``distance``
        and ``mmd``. The density is left out: it depends on how many images a cell has.
    """
    import pandas as pd

    largest = (counts == counts.amax(1, keepdim=True)).flatten().cpu().numpy()
    tables = []
    for title, one in named.items():
        table = one.table()
        table["above"] = table.coverage - table.expected
        table["set"] = title
        table["group is"] = np.where(largest, "majority", "minority")
        tables.append(table)
    columns = ["real", "within", "above", "distance", "mmd"]
    return pd.concat(tables).groupby(["set", "group is"], sort=False)[columns].mean()


def coverage(
    features: Features,
    real: str,
    synthetic: str,
    k: int = 5,
    radius: float | None = None,
    seed: int = 0,
) -> Coverage:
    """Measure how the synthetic images of each class cover the real ones of each group.

    Everything is computed within a class, in float64, of Euclidean distances. Since the features
    of one image in two batches differ by rounding, a distance below a millionth of the features'
    own size counts as none, and distances that differ by a millionth as equal.

    ``coverage`` and ``density`` are those of Naeem et al. 2020 (section 3) between the group's
    real images X and the class's synthetic images Y, with balls around the real images that reach
    to the k-th nearest of their group, themselves not counted, and without their border, as in the
    official code (prdc)::

        density  = 1 / (k |Y|) sum_j sum_i [Y_j in B(X_i, NND_k(X_i))]
        coverage = 1 / |X| sum_i [some Y_j in B(X_i, NND_k(X_i))]

    Where a group has no more than k images, k is one less than it has.

    ``mmd`` (Gretton et al. 2012, Lemma 6) is ``E k(x, x') - 2 E k(x, y) + E k(y, y')`` with
    ``k(a, b) = exp(-|a - b|^2 / (2 bandwidth^2))``. Its first mean is over pairs of different real
    images, which makes it unbiased in them: the biased one is larger in small groups, just those
    that are asked about. The last is over all pairs, equal ones too, for the synthetic set is no
    sample of anything: it is compared as it is, also where it has one image. So the value may be
    slightly negative, by about 1 / n where the synthetic images are the n of the group.

    Parameters
    ----------
    features : Features
        Of both sets.
    real : str
        Name of a real set, whose groups are asked about.
    synthetic : str
        Name of the set that should cover them: a distilled set, or a real one to compare with.
    k : int
        Neighbours.
    radius : float, optional
        Of ``within``, the same for all classes; by default that of each class is the median, over
        its real images, of the distance to the k-th nearest other real image of the class. Where
        most of these are of one group, it is that group's, and too small for the others: have as
        many images of each cell measured (a balanced test set, or ``per_cell``).
    seed : int
        Of the images whose pairs give the bandwidth: the median distance of different real images
        of the class (median heuristic), of at most 1000 of them.

    Returns
    -------
    Coverage
        A group without an image in a class is NaN. So is one with a single image where that has no
        neighbour (``coverage``, ``density``, ``mmd``). A class without synthetic images is not
        covered, 0; its ``density``, ``distance`` and ``mmd`` are NaN.

    Raises
    ------
    FddkitError
        For an unknown name, a ``real`` without groups, or a ``k`` or ``radius`` out of range.

    Notes
    -----
    Memory: beside one class's features in float64, blocks of 8 MiB of distances, at most six at a
    time; time: the square of the real images of each class.
    """
    whole("k", k)
    if radius is not None and not 0 <= radius < math.inf:
        raise FddkitError(f"radius={radius!r} is no distance; give 0 or more, or None")
    own, made = features.rows(real, grouped=True), features.rows(synthetic)
    classes, groups = len(features.target_names), len(features.group_names)
    found = []
    for y in range(classes):
        rows = own[features.target[own] == y]
        x, s = (features.points[i].double() for i in (rows, made[features.target[made] == y]))
        rng = generator(seed, "bandwidth", y)
        found.append(measure(x, features.group[rows], s, groups, k, radius, rng))
    columns = {name: torch.stack([one[name] for one in found]).numpy() for name in found[0]}
    names = {"target_names": features.target_names, "group_names": features.group_names}
    return Coverage(real=real, synthetic=synthetic, k=k, **columns, **names)
