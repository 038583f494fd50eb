"""What chance alone makes of the published gaps: every DEO of a Table 1 beside a fair model's.

The papers print DEO without what an exactly fair model would show on the same test set. It follows
from two numbers: the accuracy, which they print, and the test images of a cell (class, group).
Assumed throughout:

- **One accuracy for all classes**, the printed one: rates by class are not printed. With uneven
  classes a fair model has a larger DEO_M and a smaller DEO_A; ``null_uneven`` shows how far that
  can go.
- **Shared test images.** The mean over n networks that are tested on the same images varies less
  than a single network, but nobody knows by how much. p-values use the distribution of one
  network, the widest possible; so they are on the safe side.
- **Pairing is ignored** where every image is tested in every group (CIFAR10-S): errors on the two
  versions of an image go together, so this null is only an upper bound there.
"""

from dataclasses import dataclass
from functools import cache, reduce
from typing import TYPE_CHECKING

import numpy as np

from ..data.catalogue import CATALOGUE
from ..evaluation.multiple_tests import holm
from .published_tables import KEY, SIZES, Sizes

if TYPE_CHECKING:
    import pandas as pd

_NEGLIGIBLE = 1e-18  # probability


_COLUMNS = ("accuracy", "above_guessing", "null", "null_95", "excess", "p")
_COLUMNS += ("null_uneven", "p_uneven", "paired")


@dataclass(frozen=True, eq=False)
class Chance:
    """The distribution of a gap under an exactly fair model.

    Attributes
    ----------
    values : float64 [K]
        Percent, ascending, with equal steps.
    probabilities : float64 [K]
        Of each of them.
    """

    values: np.ndarray
    probabilities: np.ndarray

    @property
    def mean(self) -> float:
        """The expected value."""
        return float(self.values @ self.probabilities)

    def quantile(self, level: float) -> float:
        """Return the smallest value that is not exceeded with this probability."""
        return float(self.values[np.searchsorted(self.probabilities.cumsum(), level)])

    def p(self, observed: float) -> float:
        """Return the probability of no less than ``observed``, a number printed to 0.01."""
        return float(min(1.0, self.probabilities[self.values >= observed - 0.005].sum()))


def fair(sizes: Sizes, accuracy: float, uneven: bool = False) -> dict[str, Chance]:
    r"""Return what an exactly fair model shows for DEO_M and DEO_A; computed, not simulated.

    The images recognised in the A cells of a class are A independent binomial numbers, whose range
    R has P(R <= r) = sum_k [(F(k + r) - F(k - 1))^A - (F(k + r) - F(k))^A] with F their common
    distribution function. The classes are independent: the distribution function of DEO_M is the
    product of theirs, and the probabilities of DEO_A are their convolution.

    Parameters
    ----------
    sizes : Sizes
        Of the test set.
    accuracy : float
        Percent, over all classes.
    uneven : bool
        Whether the classes are as uneven as that accuracy allows: as many as possible are
        recognised half of the time, where chance is largest, and the others always (below 50%:
        never). Otherwise all are recognised equally often.

    Returns
    -------
    dict of str to Chance
        ``deo_m`` and ``deo_a``.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import SIZES
    >>> found = fair(SIZES["cmnist-fg"], 96.6)
    >>> {name: round(chance.mean, 1) for name, chance in found.items()}
    {'deo_m': 7.9, 'deo_a': 5.4}
    """
    rates = _rates(accuracy / 100, sizes.classes, uneven)
    ranges = [_range(sizes.cell, sizes.groups, round(rate, 12)) for rate in rates]
    longest = max(len(one) for one in ranges)
    below = [np.pad(one, (0, longest - len(one))).cumsum() for one in ranges]
    largest = np.diff(np.prod(below, axis=0), prepend=0.0)
    total = reduce(np.convolve, ranges)
    step = 100 / sizes.cell
    return {
        "deo_m": Chance(step * np.arange(len(largest)), largest),
        "deo_a": Chance(step / sizes.classes * np.arange(len(total)), total),
    }


def _rates(accuracy: float, classes: int, uneven: bool) -> list[float]:
    """Return the rate at which each class is recognised."""
    if not uneven:
        return [accuracy] * classes
    other = float(accuracy > 0.5)
    left = classes * abs(other - accuracy)  # how far all rates together lie from 0 or 1
    return [abs(other - min(0.5, max(0.0, left - 0.5 * done))) for done in range(classes)]


@cache
def _range(n: int, groups: int, rate: float) -> np.ndarray:
    """Return the probabilities, from 0 on, of the range of A binomial numbers."""
    if rate in (0.0, 1.0):
        return np.ones(1)
    k = np.arange(1, n + 1)
    logs = np.r_[0.0, np.cumsum(np.log((n + 1 - k) / k * rate / (1 - rate)))]
    single = np.exp(logs - logs.max())
    likely = np.flatnonzero(single / single.sum() > _NEGLIGIBLE)
    single = single[likely[0] : likely[-1] + 1]
    below = np.r_[0.0, (single / single.sum()).cumsum()]
    lowest = np.arange(len(single))
    at_most = [
        ((high - below[lowest]) ** groups - (high - below[lowest + 1]) ** groups).sum()
        for high in (below[np.minimum(lowest + r + 1, len(single))] for r in lowest)
    ]
    found = np.clip(np.diff(at_most, prepend=0.0), 0, None)
    return found[: np.flatnonzero(found > _NEGLIGIBLE)[-1] + 1]


def against_chance(cells: "pd.DataFrame") -> "pd.DataFrame":
    """Return every published DEO beside what a fair model of the same accuracy would show.

    Parameters
    ----------
    cells : pandas.DataFrame
        From `fddkit.experiments.published_tables.table_1`: the accuracy of a cell is that of the
        same data set, distiller, rule and IPC.

    Returns
    -------
    pandas.DataFrame
        The rows of ``deo_m`` and ``deo_a``, with these columns more, in percent:

        - ``accuracy``, and ``above_guessing``, by how much it exceeds that of guessing among
          equally large classes;
        - ``null`` and ``null_95``, mean and 95% quantile of a fair model; ``excess``, the mean
          minus ``null``; ``p``, the probability that a fair model shows no less;
        - ``null_uneven`` and ``p_uneven``, the same for the most uneven classes;
        - ``p_holm`` and ``p_uneven_holm``, adjusted over the cells of one metric;
        - ``paired``, whether the null is an upper bound only.

        NaN where the paper has no accuracy, or `SIZES` no test set.

    See Also
    --------
    fddkit.experiments.published_differences.differences : Rules against each other.

    Examples
    --------
    >>> from fddkit.experiments.published_tables import table_1
    >>> cells = table_1("cobra").query("dataset == 'cmnist-fg' and ipc == 100")
    >>> found = against_chance(cells).query("distiller == 'dm' and fairness == 'cobra'")
    >>> found[["metric", "mean", "null", "p"]].round(2).values.tolist()
    [['deo_m', 7.62, 6.44, 0.13], ['deo_a', 4.12, 4.4, 0.73]]
    """
    accuracy = cells[cells["metric"] == "acc"].set_index(list(KEY))["mean"].to_dict()
    gaps = cells[cells["metric"] != "acc"].reset_index(drop=True)
    rows = []
    for cell in gaps.itertuples():
        known = accuracy.get(tuple(getattr(cell, name) for name in KEY), np.nan)
        rows.append(_one(cell, known))
    found = gaps.assign(**{name: [row[name] for row in rows] for name in _COLUMNS})
    return corrected(found, "p", "p_uneven")


def corrected(found: "pd.DataFrame", *names: str) -> "pd.DataFrame":
    """Return a table with p-values adjusted by Holm's procedure over the rows of each metric.

    Parameters
    ----------
    found : pandas.DataFrame
        With a column ``metric``.
    *names : str
        Columns of p-values, NaN where nothing was tested.

    Returns
    -------
    pandas.DataFrame
        With a column ``<name>_holm`` more for each.
    """
    families = found.groupby("metric")
    return found.assign(**{
        f"{name}_holm": families[name].transform(lambda p: holm(p.to_numpy(float)))
        for name in names
    })  # fmt: skip


@cache
def _fair(dataset: str, accuracy: float, uneven: bool = False) -> dict[str, Chance]:
    return fair(SIZES[dataset], accuracy, uneven)  # which both metrics of a cell need


def _one(cell: tuple, accuracy: float) -> dict:
    """Return the new columns of a cell."""
    if cell.dataset not in SIZES or np.isnan(accuracy):
        return dict.fromkeys(_COLUMNS, np.nan) | {"accuracy": accuracy, "paired": False}
    even = _fair(cell.dataset, accuracy)[cell.metric]
    uneven = _fair(cell.dataset, accuracy, uneven=True)[cell.metric]
    return {
        **{"accuracy": accuracy, "above_guessing": accuracy - 100 / SIZES[cell.dataset].classes},
        **{"null": even.mean, "null_95": even.quantile(0.95)},
        **{"excess": cell.mean - even.mean, "p": even.p(cell.mean)},
        **{"null_uneven": uneven.mean, "p_uneven": uneven.p(cell.mean)},
        "paired": cell.dataset in CATALOGUE and CATALOGUE[cell.dataset].paired,
    }
