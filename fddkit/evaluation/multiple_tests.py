"""Many tests at once: how p-values are corrected for their number."""

import math

import numpy as np

LEVEL = 0.05  # of every family of tests


def holm(p: np.ndarray) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure.

    If none of the differences is real, the probability of calling any of them real is at most the
    level, whatever their dependence.

    Parameters
    ----------
    p : float64 [n]
        NaN where nothing was tested.

    Returns
    -------
    list of float
        In the same order.

    References
    ----------
    Holm, Scandinavian Journal of Statistics 6 (1979).

    Examples
    --------
    >>> import numpy as np
    >>> holm(np.array([0.01, 0.04, 0.03, np.nan]))
    [0.03, 0.06, 0.06, nan]
    """
    adjusted, largest = [math.nan] * len(p), 0.0
    known = [i for i in np.argsort(p) if p[i] == p[i]]
    for rank, i in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * float(p[i])))
        adjusted[i] = largest
    return adjusted
