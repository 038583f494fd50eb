"""Quantiles of Student's t distribution, for the intervals of an evaluation."""

import math


def t_quantile(df: int, level: float = 0.95) -> float:
    """Return the t such that Student's t with ``df`` degrees lies in [-t, t] with P = ``level``.

    For whole degrees of freedom the distribution is a finite sum in theta = atan(t / sqrt(df))
    (Abramowitz and Stegun 26.7.3 and 26.7.4), which is inverted by bisection.

    Parameters
    ----------
    df : int
        Degrees of freedom, at least 1.
    level : float
        Probability inside the interval, in (0, 1).

    Returns
    -------
    float

    Examples
    --------
    >>> round(t_quantile(1), 3), round(t_quantile(9), 3)
    (12.706, 2.262)
    """
    odd = df % 2

    def inside(theta: float) -> float:
        cos, term = math.cos(theta), 1.0
        total = 0.0 if df == 1 else 1.0
        for k in range(2 + odd, df, 2):  # coefficients 1/2, 3/8.. (even) or 2/3, 8/15.. (odd)
            term *= (k - 1) / k * cos**2
            total += term
        if odd:
            return 2 / math.pi * (theta + math.sin(theta) * cos * total)
        return math.sin(theta) * total

    low, high = 0.0, math.pi / 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < level else (low, middle)
    return math.sqrt(df) * math.tan((low + high) / 2)
