"""How well a synthetic set covers each group of the real images, in numbers.

Two caveats apply to all of them. They refer to the features of one network: compare sets only under
the same `fddkit.analysis.features.Features`. And neighbours are closer where there are more images:
to compare groups with each other, use equally many images of each cell (``per_cell`` of
`fddkit.analysis.features.extract`).
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

    With C classes and A groups; all numbers are float64, NaN where there are no images to measure,
    or too few.

    Attributes
    ----------
    real, synthetic : str
        Names of the two sets.
    k : int
        Number of neighbours.
    radius, bandwidth : ndarray
        [C], the radius of ``within`` and the bandwidth of ``mmd``; distances between features.
    n_real, n_synthetic : ndarray
        int64 [C, A] and [C], the numbers of images.
    within : ndarray
        [C, A], percent of the group's real images with a synthetic image within ``radius``.
    coverage, expected : ndarray
        [C, A], percent of the group's real images with a synthetic image nearer than the k-th
        nearest image of their group; and its average if the synthetic images were as many real
        images of the group (Naeem et al. 2020, Lemma 2). The latter falls with the number of real
        images, so only the difference can be compared between groups.
    density : ndarray
        [C, A], number of the group's neighbourhoods that a synthetic image of the class lies in,
        divided by k: on average 1 if all are real images of the group, and 1 / A in each group if
        they are divided evenly among A groups that lie apart.
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
        """Return the numbers of each class and group as a table.

        Returns
        -------
        pandas.DataFrame
            One row per cell: ``class``, ``group``, ``real`` and ``synthetic`` (images), ``within``,
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
    """Return how well majorities and minorities are covered, on average over cells.

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
        ``within``, ``above`` (``coverage`` minus ``expected``), ``distance`` and ``mmd``. The
        density is left out, because it depends on the number of images of a cell.
    """
    import pandas as pd

    largest = (counts == counts.amax(1, keepdim=True)).flatten().cpu().numpy()
    tables = []
    for title, covered in named.items():
        table = covered.table()
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

    Everything is computed within a class, in float64, from Euclidean distances. Since the features
    of an image in two batches differ by rounding, a distance below a millionth of the features'
    size counts as zero, and distances that differ by a millionth as equal.

    ``coverage`` and ``density`` are those of Naeem et al. 2020 (section 3) between the group's
    real images X and the class's synthetic images Y. The balls around the real images reach to the
    k-th nearest other image of their group and do not include their border, as in the official
    code (prdc)::

        density  = 1 / (k |Y|) sum_j sum_i [Y_j in B(X_i, NND_k(X_i))]
        coverage = 1 / |X| sum_i [some Y_j in B(X_i, NND_k(X_i))]

    For a group of at most k images, k is one less than their number.

    ``mmd`` (Gretton et al. 2012, Lemma 6) is ``E k(x, x') - 2 E k(x, y) + E k(y, y')`` with
    ``k(a, b) = exp(-|a - b|^2 / (2 bandwidth^2))``. Its first mean is over pairs of different real
    images, which makes it unbiased in them: the biased one is larger in small groups, which are
    those of interest. The last is over all pairs, including equal ones, because the synthetic set
    is not a sample of anything: it is compared as it is, even if it has a single image. So the
    value may be slightly negative, by about 1 / n if the synthetic images are the n of the group.

    Parameters
    ----------
    features : Features
        Features of both sets.
    real : str
        Name of a real set, whose groups should be covered.
    synthetic : str
        Name of the set that should cover them: a distilled set, or a real one to compare with.
    k : int
        Number of neighbours.
    radius : float, optional
        Radius of ``within``, the same for all classes; by default it is, for each class, the
        median over its real images of the distance to the k-th nearest other real image of the
        class. If most of these belong to one group, it is that group's, and too small for the
        others: use equally many images of each cell (a balanced test set, or ``per_cell``).
    seed : int
        Draws the images whose pairs give the bandwidth: the median distance between different
        real images of the class (median heuristic), of which at most 1000 are used.

    Returns
    -------
    Coverage
        A group without images in a class is NaN; so is a group with a single image where a
        neighbour is needed (``coverage``, ``density``, ``mmd``). A class without synthetic images
        has coverage 0; its ``density``, ``distance`` and ``mmd`` are NaN.

    Raises
    ------
    FddkitError
        For an unknown name, a ``real`` without groups, or a ``k`` or ``radius`` out of range.

    Notes
    -----
    Memory: besides the features of one class in float64, at most six blocks of distances of 8 MiB;
    time: quadratic in the number of real images of each class.

    References
    ----------
    Naeem et al. 2020, "Reliable Fidelity and Diversity Metrics for Generative Models"; Gretton et
    al. 2012, "A Kernel Two-Sample Test".

    Examples
    --------
    Real images of one class on a line, group 0 on the left, group 1 on the right; the synthetic
    image lies in group 0:

    >>> import torch
    >>> import fddkit as fdd
    >>> from fddkit.analysis.features import Features
    >>> features = Features(
    ...     points=torch.tensor([[0.0], [1.0], [2.0], [10.0], [11.0], [12.0], [1.2]]),
    ...     target=torch.zeros(7, dtype=torch.int64),
    ...     group=torch.tensor([0, 0, 0, 1, 1, 1, -1]),
    ...     source=torch.tensor([0, 0, 0, 0, 0, 0, 1]),
    ...     sources=("real", "made"),
    ...     target_names=("digit",),
    ...     group_names=("left", "right"),
    ... )
    >>> covered = fdd.coverage.coverage(features, "real", "made", k=1)
    >>> covered.coverage.round(1), covered.distance.round(1)
    (array([[66.7,  0. ]]), array([[0.7, 9.8]]))
    """
    whole("k", k)
    if radius is not None and not 0 <= radius < math.inf:
        raise FddkitError(f"radius={radius!r} is not a distance; give 0 or more, or None")
    actual, made = features.rows(real, grouped=True), features.rows(synthetic)
    classes, groups = len(features.target_names), len(features.group_names)
    measured = []
    for y in range(classes):
        rows = actual[features.target[actual] == y]
        x, s = (features.points[i].double() for i in (rows, made[features.target[made] == y]))
        rng = generator(seed, "bandwidth", y)
        measured.append(measure(x, features.group[rows], s, groups, k, radius, rng))
    columns = {name: torch.stack([m[name] for m in measured]).numpy() for name in measured[0]}
    names = {"target_names": features.target_names, "group_names": features.group_names}
    return Coverage(real=real, synthetic=synthetic, k=k, **columns, **names)
