"""The statements hold on random numbers and on real features, and fail where they are violated."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import fddkit as fdd
from fddkit import theory
from fddkit.core.errors import FddkitError
from fddkit.rules.rules import RULES
from fddkit.rules.targets import Segments, aim_at
from fddkit.theory import bounds, geometry, optima


def random_stats(seed=0, classes=3, groups=4, features=5, absent=True):
    g = torch.Generator().manual_seed(seed)
    points = torch.randn(classes, groups, features, generator=g, dtype=torch.float64)
    shares = torch.rand(classes, groups, generator=g, dtype=torch.float64) ** 3 + 0.01
    if absent:
        shares[0, 1] = 0
        points[0, 1] = 0
    return theory.GroupStatistics(points, shares / shares.sum(1, keepdim=True))


@pytest.fixture(scope="module")
def digits():
    train = fdd.load("digits", br=0.75)[0]
    return {method: theory.Signal(train, method).groups() for method in ("dm", "dc")}


@pytest.fixture(scope="module")
def cmnist(data_root):
    train = fdd.load("cmnist-fg", br=0.9, root=data_root)[0]
    return {m: theory.Signal(train, m, preset="smoke").groups(per_cell=40) for m in ("dm", "dc")}


HOLD = (
    lambda s: theory.vanilla_optimum(s, theory.weighted_mean(s)),
    theory.fairdd_optimum,
    theory.median_optimum,
    theory.cosine_optimum,
    theory.cosine_leaves_length,
    theory.squared_norm_barycentre,
    theory.residual_bound,
    theory.worst_case,
    theory.minimax_never_grows,
    *(lambda s, d=d: theory.upper_bound(s, d, draws=10) for d in optima.DISTANCES),
)


@pytest.mark.parametrize("check", HOLD)
@pytest.mark.parametrize("method", ["dm", "dc"])
def test_statements_hold_on_digits(digits, check, method):
    assert check(digits[method]).holds, check(digits[method])


@pytest.mark.data
@pytest.mark.parametrize("check", HOLD)
@pytest.mark.parametrize("method", ["dm", "dc"])
def test_statements_hold_on_cmnist(cmnist, check, method):
    assert check(cmnist[method]).holds, check(cmnist[method])


@pytest.mark.parametrize("check", HOLD)
def test_statements_hold_on_random_numbers_with_an_absent_group(check):
    assert check(random_stats()).holds, check(random_stats())


# --- and each of them can fail ------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dm", "dc", "cafe"])
def test_the_mean_over_all_images_is_the_weighted_mean_of_the_groups(method):
    signal = theory.Signal(fdd.load("digits", br=0.75)[0], method, preset="smoke")
    stats, whole = signal.groups(), signal.classes()
    check = theory.vanilla_optimum(stats, whole, tolerance=1e-4)  # of single precision
    assert check.holds, check
    assert not theory.vanilla_optimum(stats.at(0.9), whole, tolerance=1e-4).holds
    plain = theory.aims(stats)["cobra"]
    assert not theory.vanilla_optimum(stats, plain, tolerance=1e-4).holds


def test_a_loss_that_weighs_groups_is_noticed(monkeypatch, digits):
    tilt = torch.linspace(0.5, 1.5, 10, dtype=torch.float64)
    squared = optima.DISTANCES["squared"]
    monkeypatch.setitem(optima.DISTANCES, "squared", lambda u, s: tilt * squared(u, s))
    assert not theory.fairdd_optimum(digits["dm"]).holds


@pytest.mark.parametrize("distance", ["absolute", "cosine"])
@pytest.mark.parametrize("method", ["dm", "dc"])
def test_the_mean_is_no_optimum_under_other_distances(digits, distance, method):
    check = theory.fairdd_optimum(digits[method], distance)
    assert not check.holds
    assert check.gap > 1e-4


def test_where_the_mean_is_one_of_several_optima_it_passes():
    two = random_stats(groups=2, absent=False)
    assert theory.fairdd_optimum(two, "absolute").holds  # every point between two groups is one
    lengths = two.points.norm(dim=-1, keepdim=True)
    round_ = theory.GroupStatistics(two.points / lengths, two.shares)
    assert theory.fairdd_optimum(round_, "cosine").holds  # of equal length: along the mean


def test_a_wrong_median_is_noticed(monkeypatch, digits):
    monkeypatch.setattr(optima, "l1", optima.mean)
    assert not theory.median_optimum(digits["dm"]).holds


def test_a_distance_that_sees_lengths_is_noticed(monkeypatch, digits):
    monkeypatch.setitem(optima.DISTANCES, "cosine", optima.DISTANCES["squared"])
    assert not theory.cosine_leaves_length(digits["dm"]).holds
    assert not theory.cosine_optimum(digits["dm"]).holds


def test_a_barycentre_of_another_norm_is_noticed(monkeypatch):
    monkeypatch.setattr(optima, "mean", lambda points, present: points[:, 0])
    assert not theory.squared_norm_barycentre(random_stats(absent=False)).holds


def test_a_residual_beyond_the_bound_is_noticed(monkeypatch):
    monkeypatch.setattr(geometry, "weighted_mean", lambda s: 3 + s.points.mean(1))
    assert not theory.residual_bound(random_stats()).holds


def test_a_condition_that_always_holds_is_noticed(monkeypatch):
    # the largest of three groups sits at the far end: vanilla is near it, and the mean is not
    points = torch.tensor([[[0.0], [0.1], [1.0]]], dtype=torch.float64)
    stats = theory.GroupStatistics(points, torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64))
    assert not theory.condition(stats).any()
    assert theory.worst_case(stats).holds  # nothing is promised
    worst = theory.worst_case(stats).values
    assert worst["cobra"][0] > worst["vanilla"][0] >= worst["minimax"][0] - 1e-9
    monkeypatch.setattr(geometry, "condition", lambda s: torch.ones(1, dtype=torch.bool))
    assert not theory.worst_case(stats).holds


def test_a_centre_that_is_not_of_the_smallest_ball_is_noticed(monkeypatch, digits):
    wrong = replace(RULES["minimax"], aim=aim_at(lambda points, present: points[:, 0]))
    monkeypatch.setitem(RULES, "minimax", wrong)
    assert not theory.minimax_never_grows(digits["dm"]).holds


# --- Theorem 4.2 --------------------------------------------------------------------------------


@given(st.integers(0, 10_000), st.sampled_from(sorted(optima.DISTANCES)))
def test_fairdds_loss_bounds_vanillas_for_random_numbers(seed, distance):
    stats = random_stats(seed, groups=2 + seed % 5, features=1 + seed % 4, absent=False)
    assert theory.upper_bound(stats, distance, draws=10, seed=seed).holds


@given(st.integers(0, 10_000), st.sampled_from(sorted(set(optima.DISTANCES) - {"cosine"})))
def test_jensens_step_holds_for_convex_distances(seed, distance):
    assert theory.upper_bound(random_stats(seed), distance, weighted=True, draws=10).holds


def test_distances_that_are_not_convex():
    cosine, axis = theory.counterexample("cosine"), theory.counterexample("axis")
    assert not theory.upper_bound(cosine, "cosine", weighted=True).holds
    assert theory.upper_bound(cosine, "cosine").holds
    assert not theory.upper_bound(axis, "axis").holds
    with pytest.raises(FddkitError, match="counterexample"):
        theory.counterexample("squared")
    with pytest.raises(FddkitError, match="distance"):
        theory.upper_bound(axis, "manhattan")


def test_the_distances_by_hand():
    u = torch.tensor([[[3.0, 4.0]]], dtype=torch.float64)
    s = torch.tensor([[[0.0, 0.5]]], dtype=torch.float64)
    expected = {
        "squared": 9 + 3.5**2,
        "absolute": 6.5,
        "euclidean": (9 + 3.5**2) ** 0.5,
        "huber": (3 - 0.5) + (3.5 - 0.5),
        "maximum": 3.5,
        "cosine": 1 - 4 / 5,
        "axis": 1 - 4 / 5,
    }
    for name, distance in {**optima.DISTANCES, **bounds.OTHERS}.items():
        assert distance(u, s).item() == pytest.approx(expected[name]), name


# --- residuals ----------------------------------------------------------------------------------


def test_residuals_against_loops():
    stats = random_stats()
    aim = theory.aims(stats)
    for y in range(3):
        here = [a for a in range(4) if stats.shares[y, a] > 0]
        own = stats.points[y].numpy()
        by_hand = {
            "vanilla": sum(stats.shares[y, a].item() * own[a] for a in here),
            "cobra": sum(own[a] for a in here) / len(here),
        }
        for name, centre in by_hand.items():
            lengths = {a: np.linalg.norm(own[a] - centre) for a in here}
            found = theory.residuals(stats, aim[name])[y]
            for a in range(4):
                assert found[a].isnan() if a not in here else np.isclose(found[a], lengths[a])
            assert np.isclose(theory.worst(stats, aim[name])[y], max(lengths.values()))
    bound = theory.residual_bound(stats).values["bound"]
    y, a = 1, 2
    apart = [(stats.points[y, a] - stats.points[y, b]).norm() for b in range(4)]
    assert bound[y, a].item() == pytest.approx(
        sum(stats.shares[y, b] * d for b, d in enumerate(apart)).item()
    )
    assert bound[0, 1].isnan()


def test_a_class_with_one_group_is_skipped():
    stats = random_stats()
    shares = stats.shares.clone()
    shares[2] = torch.tensor([0, 0, 1.0, 0])
    stats = theory.GroupStatistics(stats.points, shares)
    assert theory.worst(stats, theory.aims(stats)["cobra"]).isnan().tolist() == [False, False, True]
    assert not theory.condition(stats)[2]


@given(st.integers(0, 10_000))
def test_the_theorem_and_minimax_for_random_groups(seed):
    stats = random_stats(seed, groups=2 + seed % 6, features=1 + seed % 5, absent=False)
    assert theory.worst_case(stats).holds
    assert theory.minimax_never_grows(stats).holds


def test_the_condition_in_a_q_norm_is_the_condition_of_turned_points():
    stats = random_stats(3)
    g = torch.Generator().manual_seed(1)
    root = torch.randn(5, 5, generator=g, dtype=torch.float64)
    turned = theory.GroupStatistics(stats.points @ root, stats.shares)
    assert theory.condition(stats, root @ root.T).equal(theory.condition(turned))


@given(st.integers(0, 10_000))
def test_with_two_groups_the_condition_always_holds(seed):
    stats = random_stats(seed, groups=2, absent=False)
    assert theory.condition(stats).all()
    found = theory.worst_case(stats)
    assert found.holds
    assert torch.allclose(found.values["cobra"], found.values["minimax"])


def test_a_survey_tells_every_class():
    stats = random_stats()
    lopsided = torch.tensor([[[0.0], [0.1], [1.0]]], dtype=torch.float64)
    shares = torch.tensor([[0.25, 0.25, 0.5]], dtype=torch.float64)
    table = theory.survey(
        {"random": [stats, stats], "line": [theory.GroupStatistics(lopsided, shares)]}
    )
    assert table.name.tolist() == ["random"] * 6 + ["line"]
    last = table.iloc[-1]
    assert (last["worst off"], last["majority"], last["holds"]) == (2, 2, False)
    assert last["cobra more"]
    assert not table["minimax more"].any()
    assert table.vanilla[:3].tolist() == theory.worst_case(stats).values["vanilla"].tolist()


def test_other_proportions_of_the_same_groups():
    stats = random_stats()
    found = stats.at(0.7).shares
    largest = stats.shares.argmax(1)
    for y, a in itertools.product(range(3), range(4)):
        others = int(stats.present[y].sum()) - 1
        expected = 0.7 if a == largest[y] else 0.3 / others * bool(stats.present[y, a])
        assert found[y, a].item() == pytest.approx(expected)


def test_some_of_the_groups():
    stats = random_stats()
    found = stats.among([1, 3], [3, 1])
    assert found.points.equal(stats.points[:, [1, 3]])
    assert found.shares.tolist() == [[0, 1], [0.75, 0.25], [0.75, 0.25]]  # class 0 has no group 1


def test_amplification_needs_both_imbalance_and_separation():
    stats = random_stats(absent=False)
    same = theory.GroupStatistics(stats.points[:, :1].expand_as(stats.points), stats.shares)
    found = theory.amplification({0: same, 1: stats}, [0.25, 0.9])
    assert found["vanilla"].shape == (2, 2)
    assert found["vanilla"][0].abs().max() < 1e-12  # groups that do not differ leave no residual
    assert found["vanilla"][1, 0].item() == pytest.approx(found["cobra"][1, 0].item())
    assert found["vanilla"][1, 1] > found["cobra"][1, 1]
    assert found["cobra"][1, 0].item() == pytest.approx(found["cobra"][1, 1].item())


# --- the signal ---------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["dm", "dc", "dsa", "idc", "dream", "cafe"])
def test_the_statistic_of_groups_against_loops(method):
    train = fdd.load("digits", br=0.5)[0]
    few = torch.cat([torch.where(train.target == y)[0][:7] for y in range(10)])
    train = train.subset(few)
    signal = theory.Signal(train, method, preset="smoke")
    stats = signal.groups()
    assert stats.shares.equal(train.counts().double() / train.counts().sum(1, keepdim=True))
    for y, a in [(0, int(train.group[0])), (3, int(train.group[21]))]:
        rows = torch.where((train.target == y) & (train.group == a))[0]
        total = 0.0
        for i in rows.tolist():  # the mean over images of the statistic of one image
            image = train.normalise(torch.tensor([i]))
            whole = Segments(torch.tensor([0]), torch.ones(1, dtype=torch.float64), 1)
            one = signal.matching.statistic(signal.net, image, torch.tensor([y]), whole)
            total = total + one.sums[0]
        assert torch.allclose(stats.points[y, a], (total / len(rows)).double(), atol=1e-5)
    absent = ~stats.present
    assert absent.any()
    assert stats.points[absent].abs().max() == 0


def test_synthetic_images_are_measured_as_real_ones():
    train = fdd.load("digits", br=0.75)[0]
    s = fdd.distill(train, "random", ipc=3)
    signal = theory.Signal(train, "dm")
    found = signal.synthetic(s)
    y = 4
    expected = signal.net.embed(s.normalised()[s.target == y]).mean(0)
    assert torch.allclose(found[y], expected.detach().double(), atol=1e-6)
    result = theory.maxres(signal, {"random": s})["random"]
    stats = signal.groups()
    lengths = [(stats.points[y, a] - found[y]).norm() for a in range(10) if stats.present[y, a]]
    assert result.per_class[y].item() == pytest.approx(max(lengths).item())
    assert result.mean <= result.worst


def test_fewer_images_keep_the_shares():
    train = fdd.load("digits", br=0.75)[0]
    signal = theory.Signal(train, "dm")
    few, whole = signal.groups(per_cell=3), signal.groups()
    assert few.shares.equal(whole.shares)
    assert not few.points.equal(whole.points)
    assert few.points.equal(theory.Signal(train, "dm").groups(per_cell=3).points)


def test_a_trained_network_replaces_the_random_one():
    train = fdd.load("digits", br=0.75)[0]
    net = theory.converged(train, preset="smoke", width=16)
    random, trained = (theory.Signal(train, "dm", n, preset="smoke") for n in (None, net))
    assert not random.groups().points.equal(trained.groups().points)
    with pytest.raises(FddkitError, match="width"):
        theory.Signal(train, "dm", net, preset="quick")


def test_a_network_converges_on_a_distilled_set():
    train, test = fdd.load("digits", br=0.1)
    s = fdd.distill(train, "random", ipc=5)
    net = theory.converged(s, preset="smoke", epochs=150, max_steps=150, width=16)
    hits = (net(s.normalised()).argmax(1) == s.target).float().mean()
    assert hits > 0.9  # of what it was trained on
    assert (net(test.normalise(test.images)).argmax(1) == test.target).float().mean() > 0.3


def test_what_has_no_statistic_is_refused():
    train = fdd.load("digits")[0]
    with pytest.raises(FddkitError, match="trajectories"):
        theory.Signal(train, "mtt")
    with pytest.raises(FddkitError, match="no image"):
        theory.Signal(train.subset(torch.empty(0, dtype=torch.int64)))
    other = fdd.load("digits-bg")[0]
    s = fdd.distill(other, "random", ipc=1)
    theory.Signal(train).synthetic(s)  # the same classes and shape are enough
    empty = fdd.distill(train, "random", ipc=1)
    object.__setattr__(empty, "target", torch.zeros_like(empty.target))
    with pytest.raises(FddkitError, match="no synthetic image"):
        theory.Signal(train).synthetic(empty)
    with pytest.raises(FddkitError, match="kde weights single images"):
        theory.reach(theory.Signal(train), "kde")
    with pytest.raises(FddkitError, match="did you mean 'cobra'"):
        theory.reach(theory.Signal(train), "cobre")


def test_one_image_per_class_goes_where_the_theorems_say():
    train = fdd.load("digits", br=0.75)[0]
    signal = theory.Signal(train, "dm")
    vanilla = theory.reach(signal, "vanilla", steps=60)
    cobra = theory.reach(signal, "cobra", steps=60)
    assert vanilla.to_weighted.shape == (61, 10)
    assert (vanilla.to_weighted[-1] < vanilla.to_mean[-1]).all()
    assert (cobra.to_mean[-1] < cobra.to_weighted[-1]).all()
    assert vanilla.to_weighted[-1].mean() < 0.5 * vanilla.to_weighted[0].mean()
    assert vanilla.start.images.equal(cobra.start.images)


def test_a_check_prints_its_outcome():
    good, bad = theory.Check("x is y", 0.0, 1e-6), theory.Check("x is y", float("nan"), 1e-6)
    assert str(good).startswith("holds: x is y")
    assert str(bad).startswith("FAILS: x is y")


@given(st.integers(0, 10_000), st.integers(1, 5))
def test_no_plane_through_the_mean_holds_more_of_the_groups_spread(seed, groups):
    stats = random_stats(seed, groups=groups, absent=groups > 2)
    middle, axes = theory.plane(stats, 0)
    delta = stats.points[0, stats.present[0]] - middle
    held = (delta @ axes.mT).square().sum()
    assert torch.allclose(delta.mean(0), torch.zeros(5, dtype=torch.float64), atol=1e-9)
    other = torch.linalg.qr(torch.randn(5, 2, dtype=torch.float64)).Q.mT
    assert held >= (delta @ other.mT).square().sum() - 1e-9
    if len(delta) < 3:  # all of it, and nothing along an axis that is none
        assert torch.allclose(held, delta.square().sum())
        assert (axes[max(0, len(delta) - 1) :] == 0).all()
    again = theory.plane(stats, 0)[1]
    assert torch.equal(axes, again)
