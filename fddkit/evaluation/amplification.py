"""Metrics that need more than counts: predictions of paired images, or a reference set."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .report import FairnessReport


def flips(report: "FairnessReport") -> np.ndarray:
    """Return the share of originals whose predicted class changes with the group alone.

    Parameters
    ----------
    report : FairnessReport
        On a counterfactual test, with its outcomes.

    Returns
    -------
    float64 [R]
        Percent of the originals for which a network does not predict the same class in every
        group; NaN if the test is not counterfactual or its outcomes were not kept.

    Examples
    --------
    The first network changes its mind about one of two originals:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> predicted = [[0, 1, 1, 1], [0, 0, 1, 1]]
    >>> report = fdd.FairnessReport.from_predictions(
    ...     [0, 0, 1, 1], predicted, group=[0, 1, 0, 1], original=[0, 0, 1, 1]
    ... )
    >>> flips(report)
    array([50.,  0.])
    """
    outcomes = report.outcomes
    if outcomes is None or not outcomes.paired:
        return np.full(len(report.counts), np.nan)
    order = np.lexsort((outcomes.group, outcomes.original))
    originals = len(np.unique(outcomes.original))
    together = outcomes.predicted[:, order].reshape(len(report.counts), originals, -1)
    return 100 * (together != together[..., :1]).any(-1).mean(-1)


def amplification(report: "FairnessReport") -> np.ndarray:
    """Return how much more the predictions go with the groups than the test's classes do.

    For every class y and group a, Delta = P(predicted y | a) - P(true y | a) on the test. Where y
    and a go together in the reference set, P(y, a) > P(y) P(a), a positive Delta carries the
    association on; where they do not, a negative one does. The metric is the mean over classes
    and groups of Delta, with that sign.

    Parameters
    ----------
    report : FairnessReport
        Evaluated with ``reference``, whose counts its ``config`` holds.

    Returns
    -------
    float64 [R]
        Percentage points; 0 for a model without errors. It is 0 on average for one whose errors
        do not depend on the group, if every class goes with equally many groups. NaN without a
        reference.

    References
    ----------
    BiasAmp from attribute to task: Wang and Russakovsky, "Directional bias amplification",
    ICML 2021, Eq. 3. There P(y | a) is that of the test as well.

    Examples
    --------
    In the reference, class 0 goes with group 0 and class 1 with group 1. The model predicts a
    class by the group alone:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> counts = np.array([[[[5, 0], [5, 0]], [[0, 5], [0, 5]]]])
    >>> config = {"reference": {"name": "train", "counts": [[9, 1], [1, 9]]}}
    >>> amplification(fdd.FairnessReport(counts, ["convnet"], config))
    array([50.])
    """
    counts = report.counts
    reference = report.config.get("reference")
    if not reference:
        return np.full(len(counts), np.nan)
    joint = np.asarray(reference["counts"], dtype=object)  # [C, A]; exact, however large
    together = (joint * joint.sum() > joint.sum(1, keepdims=True) * joint.sum(0)).astype(bool)
    size = counts.sum((-2, -1))[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        delta = (counts.sum(-2) - counts.sum(-1)) / size  # [R, A, C]
    return 100 * np.nanmean(np.where(together.T, delta, -delta), axis=(-2, -1))
