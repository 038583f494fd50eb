"""The arithmetic of fairness: from counts [repeat, group, true, predicted] to every number.

Nearly every number follows from these counts, so anyone can recompute it from a report. This
module needs only numpy. `docs/methods.md`, "Metrics", has the formulae.
"""

import numpy as np

_UNKNOWN = float("nan")


def count(
    target: np.ndarray, group: np.ndarray, predicted: np.ndarray, n_classes: int, n_groups: int
) -> np.ndarray:
    """Return the confusion matrix of every group.

    Parameters
    ----------
    target, group, predicted : array of int [N]
        True class, group and predicted class of each test image.
    n_classes, n_groups : int
        The numbers C and A.

    Returns
    -------
    int64 [A, C, C]
        Images by group, true and predicted class; the sum is N.

    Examples
    --------
    >>> import numpy as np
    >>> target, group = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    >>> count(target, group, predicted=np.array([0, 1, 1, 1]), n_classes=2, n_groups=2)
    array([[[1, 0],
            [0, 1]],
           [[0, 1],
            [0, 1]]])
    """
    cell = (group.astype(np.int64) * n_classes + target) * n_classes + predicted
    counts = np.bincount(cell, minlength=n_groups * n_classes**2)
    return counts.reshape(n_groups, n_classes, n_classes).astype(np.int64)


def tpr(counts: np.ndarray) -> np.ndarray:
    """Return the true-positive rate TPR(y, a) = P(predicted y | true y, group a).

    The official FairDD code counts a cell without test images as rate 0 (`docs/methods.md`,
    "Metrics"); here the rate is unknown, so it cannot be mistaken for unfairness.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R, A, C]
        Shares in [0, 1]; NaN where a cell (group, class) has no test image.

    Examples
    --------
    Group 1 has no test image of class 1:

    >>> import numpy as np
    >>> counts = np.array([[[[9, 1], [4, 6]], [[3, 1], [0, 0]]]])
    >>> tpr(counts)
    array([[[0.9 , 0.6 ],
            [0.75,  nan]]])
    """
    return _share(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(-1))


def rates(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return what equalised odds, parity and sufficiency compare between groups.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    dict of str to float64 [R, A, C]
        For each class, one against the rest: ``tpr``, P(predicted y | true y); ``fpr``,
        P(predicted y | another class is true); ``selection``, P(predicted y); ``precision``,
        P(true y | predicted y). NaN where there is nothing to divide by.

    Examples
    --------
    >>> import numpy as np
    >>> found = rates(np.array([[[[9, 1], [4, 6]]]]))
    >>> {name: np.round(rate[0, 0], 2).tolist() for name, rate in found.items()}
    {'tpr': [0.9, 0.6], 'fpr': [0.4, 0.1], 'selection': [0.65, 0.35], 'precision': [0.69, 0.86]}
    """
    true, predicted = counts.sum(-1), counts.sum(-2)
    hits = np.diagonal(counts, axis1=-2, axis2=-1)
    everything = np.broadcast_to(true.sum(-1, keepdims=True), true.shape)
    return {
        "tpr": tpr(counts),
        "fpr": _share(predicted - hits, everything - true),
        "selection": _share(predicted, everything),
        "precision": _share(hits, predicted),
    }


def gaps(rate: np.ndarray) -> np.ndarray:
    """Return the gap of each class: its highest rate over groups minus its lowest.

    Parameters
    ----------
    rate : float [..., A, C]
        Shares in [0, 1], NaN where unknown.

    Returns
    -------
    float64 [..., C]
        Percent; NaN for a class in which fewer than two groups are known.
    """
    known = ~np.isnan(rate)
    highest = np.where(known, rate, -np.inf).max(-2)
    lowest = np.where(known, rate, np.inf).min(-2)
    with np.errstate(invalid="ignore"):
        return np.where(known.sum(-2) >= 2, 100 * (highest - lowest), _UNKNOWN)


def worst(values: np.ndarray) -> np.ndarray:
    """Return the largest number of the last axis, without NaN; NaN if there is no other."""
    known = ~np.isnan(values)
    return np.where(known.any(-1), np.where(known, values, -np.inf).max(-1), _UNKNOWN)


def least(values: np.ndarray) -> np.ndarray:
    """Return the smallest number of the last axis, without NaN; NaN if there is no other."""
    return -worst(-values)


def mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the last axis, without NaN; NaN if there is no other."""
    known = ~np.isnan(values)
    return _share(np.where(known, values, 0).sum(-1), known.sum(-1))


def deo(rates: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the difference of equalised odds: gaps in true-positive rate between groups.

    DEO_M = max_y (max_a TPR(y,a) - min_a TPR(y,a)), and DEO_A is the mean of the same gap over y
    (FairDD; EOD_M and EOD_A in COBRA). Empty cells are left out, and so are classes in which fewer
    than two groups have test images.

    Parameters
    ----------
    rates : float [..., A, C]
        True-positive rates in [0, 1], NaN where unknown.

    Returns
    -------
    deo_m, deo_a : float64 [...]
        Percent; NaN where no class can be compared.
    per_class : float64 [..., C]
        The gap of each class in percent; NaN where it cannot be compared.

    References
    ----------
    `docs/methods.md`, "Metrics": FairDD prints DEO_A with the formula of DEO_M; its code
    averages over classes, as is done here.

    Examples
    --------
    Two groups, two classes, with gaps of 25 and 50 percent:

    >>> import numpy as np
    >>> deo_m, deo_a, per_class = deo(np.array([[1.0, 0.5], [0.75, 1.0]]))
    >>> print(deo_m, deo_a, per_class)
    50.0 37.5 [25. 50.]
    """
    per_class = gaps(rates)
    return worst(per_class), mean(per_class), per_class


def accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of test images that are classified correctly.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R]
        Percent.

    Examples
    --------
    >>> import numpy as np
    >>> accuracy(np.array([[[[9, 1], [4, 6]], [[3, 1], [0, 0]]]]))
    array([75.])
    """
    correct = np.trace(counts, axis1=-2, axis2=-1).sum(-1)
    return 100 * correct / counts.sum((-3, -2, -1))


def class_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of each class that is recognised, over all groups.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R, C]
        Percent; NaN for a class without test images.
    """
    return 100 * tpr(counts.sum(-3, keepdims=True))[..., 0, :]


def group_accuracy(counts: np.ndarray) -> np.ndarray:
    """Return the share of each group that is classified correctly.

    Parameters
    ----------
    counts : int [R, A, C, C]
        Images by repeat, group, true and predicted class.

    Returns
    -------
    float64 [R, A]
        Percent; NaN for a group without test images.

    Examples
    --------
    >>> import numpy as np
    >>> group_accuracy(np.array([[[[9, 1], [4, 6]], [[3, 1], [0, 0]]]]))
    array([[75., 75.]])
    """
    return 100 * _share(np.trace(counts, axis1=-2, axis2=-1), counts.sum((-2, -1)))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole, NaN where the whole is 0."""
    return part / np.where(whole > 0, whole, _UNKNOWN)
