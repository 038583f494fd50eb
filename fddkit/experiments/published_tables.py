"""Table 1 of FairDD and of COBRA, and what must be known about it to test anything.

The number of networks behind a cell and the size of the test set decide what its digits can say.
COBRA prints ten runs; FairDD prints no number, and its scripts train ten networks on one set. But
where a cell of the test set has exactly m images, the DEO_M of a network is a whole multiple of
100 / m percent, and the mean over n networks a multiple of 100 / (m n). That rules out ten networks
for at least half of the printed means of which it can be told (`possible_networks`).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import unknown
from ..data.catalogue import CATALOGUE
from .comparable import ARCHITECTURE
from .papers import published

if TYPE_CHECKING:
    import pandas as pd

#: Paper -> the tables in which the cells of its Table 1 stand. Our files hold each cell once: where
#: an appendix repeats it with its standard deviation, it stands under that table.
TABLE_1 = {"fairdd": ("T1", "T21", "T22"), "cobra": ("T1", "T7", "T8", "T9")}
#: Paper -> networks per cell where it prints no number, from the released scripts (zqhang/FairDD,
#: scripts/main_DM.sh: num_exp=1, num_eval=10).
RELEASED = {"fairdd": 10}
#: What identifies a cell, apart from its metric.
KEY = ("dataset", "distiller", "fairness", "ipc")
MOST_NETWORKS = 20  # that are tried


@dataclass(frozen=True)
class Sizes:
    """The size of a published test set.

    Attributes
    ----------
    classes, groups : int
        The numbers C and A.
    cell : int
        Test images of one class and group.
    exact : bool
        Whether all cells have that size; otherwise it is about that.
    source : str
        Who says so.
    """

    classes: int
    groups: int
    cell: int
    exact: bool
    source: str


def _of(dataset: str, cell: int, exact: bool, source: str) -> Sizes:
    entry = CATALOGUE[dataset]
    return Sizes(entry.classes, entry.groups, cell, exact, source)


_MNIST = "10,000 images in ten colours; FairDD's data_handler/colour_mnist.py"
_FASHION = "1,000 images of each class in ten colours; FairDD's data_handler"
#: Data set -> size of its test set.
SIZES = {
    "cmnist-fg": _of("cmnist-fg", 100, False, _MNIST),
    "cmnist-bg": _of("cmnist-bg", 100, False, _MNIST),
    "cfmnist-fg": _of("cfmnist-fg", 100, True, _FASHION),
    "cfmnist-bg": _of("cfmnist-bg", 100, True, _FASHION),
    "cifar10-s": _of("cifar10-s", 1000, True, "10,000 images, gray and in colour; data_handler"),
    "utkface-age-race": Sizes(3, 4, 100, True, "1,200 images; FairDD's data_handler/utkface.py"),
    "bffhq-age-gender": Sizes(2, 2, 250, False, "1,000 images, taken to be even; bFFHQ's release"),
    "celeba-attractive-gender": Sizes(2, 2, 1914, True, "7,656 images; FairDD's data_handler"),
}


def table_1(paper: str, networks: int | None = None) -> "pd.DataFrame":
    """Return the cells of a paper's Table 1, with deviations where an appendix prints them.

    Parameters
    ----------
    paper : str
        ``fairdd`` or ``cobra``.
    networks : int, optional
        Networks behind every cell, instead of what is printed: to see what depends on it.

    Returns
    -------
    pandas.DataFrame
        Columns as in `fddkit.experiments.papers`, with ``n`` (networks; Int64, missing where
        unknown) and ``n_from`` (``printed``, ``released scripts`` or ``given``) instead of
        ``seeds``.

    Raises
    ------
    FddkitError
        For another paper.
    """
    if paper not in TABLE_1:
        raise unknown("paper with a Table 1 of gaps", paper, TABLE_1)
    cells = published(paper=paper, architecture=ARCHITECTURE)
    mine = cells["table"].isin(TABLE_1[paper]) & (cells["condition"] == "")
    cells = cells[mine].reset_index(drop=True)
    told = cells.pop("seeds")
    if networks is not None:
        return cells.assign(n=told.fillna(networks) * 0 + networks, n_from="given")
    source = np.where(told.isna(), "released scripts", "printed")
    return cells.assign(n=told.fillna(RELEASED.get(paper)), n_from=source)


def possible_networks(cells: "pd.DataFrame") -> "pd.DataFrame":
    """Return how many networks, from 1 to 20, may stand behind each printed DEO_M.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `table_1`.

    Returns
    -------
    pandas.DataFrame
        The cells of ``deo_m`` about which two digits tell anything: on test sets whose cells all
        have one size, at most 100 images, and without those (such as 100%) that every number
        explains. Two columns more: ``numbers`` (tuple of int, the numbers of networks whose mean
        may be printed so) and ``possible`` (whether ``n`` is one of them).

    References
    ----------
    The granularity test of Brown and Heathers (2017). The rounding is taken generously: a mean
    that is cut after two digits passes as well.

    Examples
    --------
    What COBRA prints for FairDD with DM on C-FMNIST (BG), as the mean of ten runs:

    >>> cells = table_1("cobra").query("dataset == 'cfmnist-bg' and distiller == 'dm'")
    >>> found = possible_networks(cells).query("fairness == 'fairdd' and ipc == 10")
    >>> found[["mean", "n", "numbers", "possible"]].values.tolist()
    [[44.67, 10, (3, 6, 9, 12, 15, 18), False]]
    """
    telling = [name for name, sizes in SIZES.items() if sizes.exact and sizes.cell <= 100]
    found = cells[cells["dataset"].isin(telling) & (cells["metric"] == "deo_m")]
    numbers, n = [], np.arange(1, MOST_NETWORKS + 1)
    for cell in found.itertuples():
        images = SIZES[cell.dataset].cell * n
        total = cell.mean / 100 * images  # how many images the gap has, summed over networks
        off = np.abs(total - np.round(total)) * 100 / images
        numbers.append(tuple(n[off < 0.0101].tolist()))
    possible = [n in some for n, some in zip(found["n"], numbers, strict=True)]
    found = found.assign(numbers=numbers, possible=possible)
    return found[found["numbers"].map(len) < MOST_NETWORKS].reset_index(drop=True)
