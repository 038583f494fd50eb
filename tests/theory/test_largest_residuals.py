"""COBRA's Table 5: the squared residuals of targets, and beside it the distances to images."""

import itertools
import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fddkit as fdd
from fddkit import theory
from fddkit.core.errors import FddkitError
from fddkit.rules.rules import RULES
from fddkit.rules.targets import aim_at

ORDERED = ("vanilla", "fairdd", "cobra", "cobra-linf", "minimax")


def random_stats(seed=0, classes=3, groups=4, features=5):
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(classes, groups, features, generator=g, dtype=torch.float64)
    shares = torch.rand(classes, groups, generator=g, dtype=torch.float64) ** 3 + 0.01
    return theory.GroupStatistics(points, shares / shares.sum(1, keepdim=True))


def least_of_all(stats):
    """Whether minimax's target has the least largest residual in every class."""
    found = theory.maxres_of_targets(stats, ORDERED)
    least = torch.stack([found[rule].per_class for rule in ORDERED]).amin(0)
    return bool((found["minimax"].per_class <= least * (1 + 1e-6)).all())


def two_group_law(stats):
    """Whether vanilla's number is that of the plain mean times (2 p)^2, p the larger share."""
    found = theory.maxres_of_targets(stats, ["vanilla", "cobra"])
    expected = (2 * stats.shares.amax(1)) ** 2 * found["cobra"].per_class
    return torch.allclose(found["vanilla"].per_class, expected)


@pytest.fixture(scope="module")
def train():
    return fdd.load("digits", br=0.75)[0]


@pytest.fixture(scope="module")
def distilled(train):
    return fdd.distill(train, "dm", "cobra", 1, preset="smoke", progress=False)


def test_by_hand():
    # class 0: groups at 0, 1 and 5; class 1: two groups, at (0, 0) and (6, 8)
    points = torch.zeros(2, 3, 2, dtype=torch.float64)
    points[0, :, 0] = torch.tensor([0.0, 1.0, 5.0])
    points[1, 1] = torch.tensor([6.0, 8.0])
    shares = torch.tensor([[0.8, 0.1, 0.1], [0.9, 0.1, 0.0]], dtype=torch.float64)
    stats = theory.GroupStatistics(points, shares)
    found = theory.maxres_of_targets(stats, ["vanilla", "fairdd", "cobra", "minimax"])
    expected = {
        "vanilla": [4.4**2, 9.0**2],  # targets 0.6, and a tenth of the way
        "fairdd": [3.0**2, 5.0**2],  # targets 2, and half of the way
        "cobra": [3.0**2, 5.0**2],
        "minimax": [2.5**2, 5.0**2],
    }
    for rule, squares in expected.items():
        assert found[rule].per_class.tolist() == pytest.approx(squares, rel=1e-6)
        assert found[rule].mean == pytest.approx(sum(squares) / 2, rel=1e-6)
        assert found[rule].worst == pytest.approx(max(squares), rel=1e-6)


@given(st.integers(0, 10_000))
def test_against_loops(seed):
    stats = random_stats(seed, groups=2 + seed % 4)
    found = theory.maxres_of_targets(stats, ["vanilla", "cobra"])
    classes, groups, features = stats.points.shape
    for y in range(classes):
        for rule in found:
            largest = 0.0
            for a in range(groups):
                square = 0.0
                for f in range(features):
                    m = sum(
                        (stats.shares[y, b].item() if rule == "vanilla" else 1 / groups)
                        * stats.points[y, b, f].item()
                        for b in range(groups)
                    )
                    square += (stats.points[y, a, f].item() - m) ** 2
                largest = max(largest, square)
            assert found[rule].per_class[y].item() == pytest.approx(largest)


@given(st.integers(0, 10_000))
def test_minimax_has_the_least_and_theorem_4_1_holds_of_squares(seed):
    stats = random_stats(seed, groups=2 + seed % 6)
    assert least_of_all(stats)
    found = theory.maxres_of_targets(stats, ["vanilla", "fairdd", "cobra"])
    assert torch.allclose(found["fairdd"].per_class, found["cobra"].per_class)
    holds = theory.condition(stats)
    more = found["cobra"].per_class - found["vanilla"].per_class
    assert (more[holds] <= 1e-9).all()


@given(st.integers(0, 10_000))
def test_with_two_groups_the_network_decides_the_size_but_not_the_ratio(seed):
    stats = random_stats(seed, groups=2)
    found = theory.maxres_of_targets(stats, ["cobra", "minimax"])
    assert torch.allclose(found["cobra"].per_class, found["minimax"].per_class)
    half = (stats.points[:, 0] - stats.points[:, 1]).norm(dim=-1) / 2
    assert torch.allclose(found["cobra"].per_class, half**2)
    assert two_group_law(stats)


def test_wrong_targets_are_noticed(monkeypatch):
    first = replace(RULES["minimax"], aim=aim_at(lambda points, present: points[:, 0]))
    monkeypatch.setitem(RULES, "minimax", first)
    assert not least_of_all(random_stats())
    monkeypatch.setitem(RULES, "cobra", first)
    assert not two_group_law(random_stats(groups=2))


def test_a_class_with_one_group_is_skipped_and_kde_has_no_target():
    stats = random_stats()
    shares = stats.shares.clone()
    shares[1] = torch.tensor([1.0, 0, 0, 0])
    found = theory.maxres_of_targets(theory.GroupStatistics(stats.points, shares), ["kde", "cobra"])
    assert list(found) == ["cobra"]
    assert found["cobra"].per_class.isnan().tolist() == [False, True, False]
    assert math.isfinite(found["cobra"].mean)
    with pytest.raises(FddkitError):
        theory.maxres_of_targets(stats, ["cobre"])


def test_the_network_is_trained_on_the_set(train, distilled):
    found = theory.maxres_of_set(train, distilled, per_cell=5)
    net = theory.converged(distilled, preset="smoke", width=16)
    signal = theory.Signal(train, "dm", net, preset="smoke")
    stats = signal.groups(5)
    for rule, one in theory.maxres_of_targets(stats).items():
        assert torch.equal(found.targets[rule].per_class, one.per_class)
    assert torch.equal(found.images.per_class, theory.worst(stats, signal.synthetic(distilled)))
    given_net = theory.maxres_of_set(train, distilled, net, per_cell=5)
    assert torch.equal(given_net.images.per_class, found.images.per_class)
    others = (
        theory.maxres_of_set(train, distilled, "random", per_cell=5),
        theory.maxres_of_set(train, distilled, per_cell=5, seed=1),
        theory.maxres_of_set(train, distilled, per_cell=5, max_steps=1),
        theory.maxres_of_set(train, distilled, per_cell=5, method="dc"),
    )
    for one, other in itertools.combinations((found, *others), 2):
        assert one.targets["cobra"].mean != other.targets["cobra"].mean
    with pytest.raises(FddkitError, match="did you mean 'own'"):
        theory.maxres_of_set(train, distilled, "ow")


def test_images_change_the_one_number_and_not_the_other(train, distilled):
    net = theory.converged(distilled, preset="smoke", width=16)
    moved = replace(distilled, images=distilled.images + 1)
    here, there = (theory.maxres_of_set(train, s, net, per_cell=5) for s in (distilled, moved))
    assert here.targets["cobra"].mean == there.targets["cobra"].mean
    assert here.images.mean != there.images.mean
    whole = theory.Signal(train, "dm", net, preset="smoke")
    alone = theory.maxres(whole, {"cobra": distilled})["cobra"]
    uncut = theory.maxres_of_set(train, distilled, net)
    assert torch.equal(alone.per_class, uncut.images.per_class)
