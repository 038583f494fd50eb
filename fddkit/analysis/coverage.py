"""How well a synthetic set covers each group of the real images, as numbers.

Two caveats hold for all of them. They live in one network's features: compare sets under the same
`fddkit.analysis.features.Features` only. And neighbours lie closer where there are more images:
give every cell as many (``per_cell`` of `fddkit.analysis.features.extract`) where groups are
compared with each other.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import generator
from .features import Features

if TYPE_CHECKING:
    import pandas as pd

_HELD = 2**20  # distances at a time: 8 MiB of float64, whatever the sets' sizes
_ROUNDING = 1e-6  # relative; distances below it, or differing by it, are none and equal
_PAIRED = 1000  # images of a class whose pairs give the bandwidth


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
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise FddkitError(f"k={k!r} is no number of neighbours; give at least 1")
    if radius is not None and not 0 <= radius < math.inf:
        raise FddkitError(f"radius={radius!r} is no distance; give 0 or more, or None")
    own, made = features.rows(real, grouped=True), features.rows(synthetic)
    classes, groups = len(features.target_names), len(features.group_names)
    found = []
    for y in range(classes):
        rows = own[features.target[own] == y]
        x, s = (features.points[i].double() for i in (rows, made[features.target[made] == y]))
        chance = generator(seed, "bandwidth", y)
        found.append(_one(x, features.group[rows], s, groups, k, radius, chance))
    columns = {name: torch.stack([one[name] for one in found]).numpy() for name in found[0]}
    names = {"target_names": features.target_names, "group_names": features.group_names}
    return Coverage(real=real, synthetic=synthetic, k=k, **columns, **names)


def _one(
    x: Tensor,
    group: Tensor,
    s: Tensor,
    groups: int,
    k: int,
    radius: float | None,
    chance: torch.Generator,
) -> dict[str, Tensor]:
    """Return the numbers of one class: real images x, each of a group, and synthetic ones s."""
    n, m, sizes = len(x), len(s), group.bincount(minlength=groups)
    bandwidth = _bandwidth(x, chance)
    near, ball, alike = (torch.full((n,), torch.nan, dtype=torch.float64) for _ in range(3))
    reach = (sizes[group] - 1).clamp(max=k)  # neighbours in the group, 0 where it is alone
    for rows, square in _squares(x, x):
        index = torch.arange(n)[rows]
        square[torch.arange(len(index)), index] = math.inf  # no image is its own neighbour
        if n > 1:
            near[rows] = square.kthvalue(min(k, n - 1)).values.sqrt()
        others = square.masked_fill_(group[rows, None] != group, math.inf)
        nearest = others.topk(min(k, n), largest=False).values
        ball[rows] = nearest.gather(1, (reach[rows, None] - 1).clamp(min=0))[:, 0]
        alike[rows] = others.div_(-2 * bandwidth**2).exp_().sum(1)
    inside, across, reached = (torch.full((n,), v, dtype=torch.float64) for v in (0, 0, math.inf))
    # squared; what lies on the border is out, and rounding must not bring it in
    inner = ball * (1 - _ROUNDING) ** 2
    for rows, square in _squares(x, s):
        if m:
            reached[rows] = square.amin(1).sqrt()
        inside[rows] = ((square < inner[rows, None]) | (square == 0)).sum(1).double()
        across[rows] = square.div_(-2 * bandwidth**2).exp_().sum(1) / m
    among = sum(part.div_(-2 * bandwidth**2).exp_().sum() for _, part in _squares(s, s))
    if radius is None:
        radius = float(np.median(near)) if n > 1 else math.nan
    lonely = reach == 0  # has no neighbour in its group

    def mean(values: Tensor) -> Tensor:  # of each group; none is 0 / 0
        return torch.zeros(groups, dtype=torch.float64).index_add_(0, group, values) / sizes

    covered = (inside > 0).double().masked_fill(lonely, torch.nan)
    hit = (reached <= radius * (1 + _ROUNDING)).double()
    depth = reach.double().masked_fill(lonely, torch.nan)
    return {
        "radius": torch.tensor(radius, dtype=torch.float64),
        "bandwidth": torch.tensor(bandwidth, dtype=torch.float64),
        "n_real": sizes,
        "n_synthetic": torch.tensor(m),
        "within": 100 * mean(hit if radius >= 0 else hit * torch.nan),
        "coverage": 100 * mean(covered),
        "expected": 100 * _expected(sizes, m, k),
        "density": mean(inside / depth) * sizes / m,
        "distance": mean(reached if m else reached * torch.nan),
        "mmd": mean(alike) / (sizes - 1) - 2 * mean(across) + among / (m * m if m else math.nan),
    }


def _expected(sizes: Tensor, m: int, k: int) -> Tensor:
    """Return the share that m real images of each group would cover (Naeem et al., Lemma 2).

    ``1 - (N - 1) ... (N - k) / ((M + N - 1) ... (M + N - k))``: the k nearest of an image's
    N - 1 + M others are all real.
    """
    step = torch.arange(1, k + 1)
    n = sizes.double()[:, None]
    ratio = torch.where(step < n, (n - step) / (m + n - step), 1.0)
    return torch.where(sizes > 1, 1 - ratio.prod(1), torch.nan)


def _bandwidth(x: Tensor, chance: torch.Generator) -> float:
    """Return the median distance of different images, NaN where there is none above zero."""
    x = x[torch.randperm(len(x), generator=chance)[:_PAIRED].sort().values]
    if len(x) < 2:
        return math.nan
    square = torch.cat([part for _, part in _squares(x, x)])
    pairs = torch.triu_indices(len(x), len(x), 1)
    return float(np.median(square[pairs[0], pairs[1]].sqrt())) or math.nan


def _squares(a: Tensor, b: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield squared distances of some rows of a to all of b, block by block, to be written to."""
    squares = b.square().sum(1)
    step = max(1, _HELD // max(1, len(b)))
    for start in range(0, len(a), step):
        part = a[start : start + step]
        scale = part.square().sum(1)[:, None] + squares
        found = torch.addmm(scale, part, b.T, alpha=-2)
        yield slice(start, start + step), found.masked_fill_(found < _ROUNDING**2 * scale, 0)
