"""How many sets it takes: against a simulation of the test itself."""

import re
from dataclasses import replace

import numpy as np
import planted
import pytest
from planted import Method, images
from scipy import stats

from fddkit.core.errors import FddkitError
from fddkit.evaluation.comparisons import PAIRED_FROM
from fddkit.evaluation.power import power
from fddkit.evaluation.report import FairnessReport


def pilot(*correct, n=1000):
    first = [[900, 100], [100, 900]]
    counts = np.array([[first, [[c, n - c], [n - c, c]]] for c in correct])
    return FairnessReport(counts, ["convnet"] * len(correct))


# of 1,000 images of half the test: 20 are one point of accuracy
A, B = pilot(500, 560, 530), pilot(590, 540, 610)
SPREAD = np.sqrt((np.var([25, 28, 26.5], ddof=1) + np.var([29.5, 27, 30.5], ddof=1)) / 2)


@pytest.mark.parametrize(
    ("by", "wanted", "level"), [(3, 0.8, 0.05), (3, 0.8, 0.01), (5, 0.9, 0.05)]
)
def test_sets_equal_a_simulation_of_the_test(by, wanted, level):
    found = power(A, B, "accuracy", by, wanted, level)
    rng = np.random.default_rng(0)

    def reached(n):
        x, y = rng.normal(by, SPREAD, (4000, n)), rng.normal(0, SPREAD, (4000, n))
        return (stats.ttest_ind(x, y, axis=1).pvalue < level).mean()

    assert reached(found.sets) > wanted - 0.03
    assert reached(found.sets - 1) < wanted + 0.03
    assert found.images == 1


@pytest.mark.parametrize("pilots", [(20, 2), (2, 20), (10, 3)])
def test_unequal_pilots_count_with_their_own_spread(pilots):
    """Of the two, one varies ten times as much as the other."""
    rng = np.random.default_rng(sum(pilots))
    spreads = 60.0, 6.0
    both = [
        pilot(*(550 + sd * stats.zscore(rng.standard_normal(n), ddof=1)).round().astype(int))
        for n, sd in zip(pilots, spreads, strict=True)
    ]
    found = power(*both, "accuracy", 5).sets

    def reached(n):
        x, y = (
            rng.normal(shift, sd / 20, (4000, n)) for shift, sd in zip((5, 0), spreads, strict=True)
        )
        return (stats.ttest_ind(x, y, axis=1, equal_var=False).pvalue < 0.05).mean()

    assert reached(found) > 0.77
    assert reached(found - 1) < 0.83


def test_from_enough_seeds_on_the_test_is_of_pairs():
    config = {"data": {"seed": 0}}
    x, y = (replace(one, sets=[0, 1, 2], config=config) for one in (A, B))
    seeded, plain = (power(*pair, "accuracy", 3, level=0.01).sets for pair in ((x, y), (A, B)))
    rng = np.random.default_rng(0)

    def reached(n):
        x, y = rng.normal(3, SPREAD, (4000, n)), rng.normal(0, SPREAD, (4000, n))
        return (stats.ttest_rel(x, y, axis=1).pvalue < 0.01).mean()

    assert seeded >= PAIRED_FROM
    assert seeded > plain
    assert reached(seeded) > 0.77
    assert reached(seeded - 1) < 0.83


def test_it_takes_more_sets_for_less():
    few, more, most = (power(A, B, "accuracy", d).sets for d in (5, 3, 1))
    assert few < more < most
    assert power(A, B, "accuracy", 3, 0.95).sets > power(A, B, "accuracy", 3, 0.5).sets
    assert power(A, B, "accuracy", 3, level=0.001).sets > power(A, B, "accuracy", 3).sets
    assert power(A, B, "accuracy", 100).sets >= 2


def test_where_the_images_are_the_limit_it_says_so():
    rng = np.random.default_rng(0)
    noisy = Method(0.8, level_sd=0.02)
    # on other images nothing cancels
    one, other = (planted.report(rng, noisy, images(rng, n=30 + k), sets=4) for k in range(2))
    found = power(one, other, "accuracy", 0.5)
    assert found.sets is None
    assert found.images > 3
    assert "No number of sets tells a difference of 0.5 points in accuracy" in str(found)
    assert "times as many images" in str(found)


def test_where_sets_are_the_limit_images_are_not_blamed():
    """More than a thousand sets, and images play no part."""
    found = power(A, B, "accuracy", 0.05)
    assert found.sets is None
    assert not re.search(r"it takes 1\.0 times as many images", str(found))


def test_a_sentence_with_its_pilots():
    text = str(power(A, B, "accuracy", 3))
    start = "To tell a difference of 3 points in accuracy with probability 80% in one comparison,"
    assert text.startswith(start)
    assert "distil at least " in text
    assert text.endswith("(spread from 3 networks of one set each, and sets differ more).")
    sets = [replace(one, sets=[0, 1, 2]) for one in (A, B)]
    assert str(power(*sets, "accuracy", 3)).endswith("(spread from 3 sets each).")


@pytest.mark.parametrize(
    "numbers",
    [(0, 0.8, 0.05), (-1, 0.8, 0.05), (3, 0, 0.05), (3, 1, 0.05), (3, 0.8, 0), (3, 0.8, 1)],
)
def test_numbers_out_of_range_are_refused(numbers):
    with pytest.raises(FddkitError, match="do not make a test"):
        power(A, B, "accuracy", *numbers)


def test_single_pilots_are_refused():
    for pair in ((pilot(500), pilot(600)), (pilot(500, 500), pilot(600, 600))):
        with pytest.raises(FddkitError, match="no spread of accuracy"):
            power(*pair, "accuracy")
