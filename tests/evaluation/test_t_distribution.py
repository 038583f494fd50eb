"""Student's t distribution against SciPy, fractional degrees of freedom included."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fddkit.evaluation.t_distribution import inside, p_value, t_quantile

DF = [1, 1.3, 2, 2.5, 3, 3.999, 7.7, 9, 19, 59.5, 199, 5000, 99999]


@pytest.mark.parametrize("df", DF)
@pytest.mark.parametrize("level", [0.1, 0.5, 0.95, 0.999])
def test_quantiles_equal_scipy(df, level):
    assert t_quantile(df, level) == pytest.approx(stats.t.ppf((1 + level) / 2, df), rel=1e-8)


@settings(max_examples=60)
@given(st.floats(1, 300), st.floats(0, 30))
def test_probabilities_equal_scipy(df, t):
    assert inside(t, df) == pytest.approx(1 - 2 * stats.t.sf(t, df), abs=1e-10)
    assert p_value(-t, df) == pytest.approx(2 * stats.t.sf(t, df), abs=1e-10)


@settings(max_examples=30)
@given(st.floats(1, 1e5), st.floats(0.001, 0.9999))
def test_a_quantile_is_the_inverse(df, level):
    assert inside(t_quantile(df, level), df) == pytest.approx(level, abs=1e-9)


def test_with_many_degrees_of_freedom_it_is_the_normal_distribution():
    for df in (1e6, 1e9, math.inf):
        assert inside(1.959963985, df) == pytest.approx(0.95, abs=1e-8)
    assert t_quantile(1e6) == pytest.approx(1.959963985, rel=1e-6)
    # where the normal distribution takes over there is no step
    below, above = np.nextafter(1e6, 0), 1e6
    assert inside(2.0, below) == pytest.approx(inside(2.0, above), abs=1e-6)


def test_what_lies_at_the_ends():
    assert inside(0, 3.3) == 0
    assert p_value(0, 3.3) == 1
    assert 0 <= p_value(1e9, 1) < 1e-8
    assert 0 <= p_value(1e9, 50.5) < 1e-12
