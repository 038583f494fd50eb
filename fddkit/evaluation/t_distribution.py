"""Student's t distribution with any degrees of freedom, for intervals and tests."""

import math

import numpy as np

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(256)
_STEPS = 200  # of Newton's method; about ten are needed
ENDLESS = 1e6  # degrees of freedom from which it is the normal distribution to 1e-6


def inside(t: float, df: float) -> float:
    """Return the probability that Student's t lies in [-t, t].

    With theta = atan(t / sqrt(df)) its density becomes proportional to cos(theta)^(df - 1), a
    smooth function on a bounded interval (Abramowitz and Stegun 26.7.1), which Gauss-Legendre
    quadrature integrates to rounding.

    Parameters
    ----------
    t : float
        Not negative.
    df : float
        Degrees of freedom, at least 1; not necessarily whole (Welch, Satterthwaite).

    Returns
    -------
    float

    Examples
    --------
    >>> round(inside(12.706, 1), 4), round(inside(2.0, 4.5), 4)
    (0.95, 0.8917)
    """
    if df >= ENDLESS:
        return math.erf(t / math.sqrt(2))
    # a wide distribution reaches far: the part beyond |theta| = pi / 2 is none
    theta = math.atan(t / math.sqrt(df)) * (1 + _NODES) / 2
    logs = (df - 1) * np.log(np.cos(theta))
    integral = math.atan(t / math.sqrt(df)) / 2 * float(_WEIGHTS @ np.exp(logs))
    return min(1.0, 2 * math.exp(_log_constant(df)) * integral)


def p_value(t: float, df: float) -> float:
    """Return the two-sided p-value of a t statistic.

    Parameters
    ----------
    t, df : float
        As for `inside`; the sign of ``t`` does not matter.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> round(p_value(-2.776, 4), 3)
    0.05
    """
    return 1 - inside(abs(t), df)


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return the t such that Student's t lies in [-t, t] with probability ``level``.

    Parameters
    ----------
    df : float
        Degrees of freedom, at least 1.
    level : float
        In (0, 1).

    Returns
    -------
    float

    Examples
    --------
    >>> round(t_quantile(1), 3), round(t_quantile(9), 3), round(t_quantile(2.5), 3)
    (12.706, 2.262, 3.575)
    """
    # in theta the probability is concave, so Newton's steps from 0 never go too far
    theta, root = 0.0, math.sqrt(df)
    slope = 2 * math.exp(_log_constant(df))
    for _ in range(_STEPS):
        step = (level - inside(root * math.tan(theta), df)) / (slope * math.cos(theta) ** (df - 1))
        theta += step
        if step < 1e-15 * theta:
            break
    return root * math.tan(theta)


def _log_constant(df: float) -> float:
    return math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(math.pi) / 2
