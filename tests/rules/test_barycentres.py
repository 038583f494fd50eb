import contextlib
import math
import warnings

import cvxpy as cp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.rules.barycentres import CENTRES, huber, l1, l2, linf, mean, minimax
from fddkit.rules.lbfgs import barycentre

SEEDS = st.integers(0, 10**6)
KINDS = ["plain", "lattice", "copies", "line", "far", "unequal"]
UNIQUE = ["mean", "l1", "l2", "cosine", "huber", "minimax"]  # a formula or one optimum


def cells(seed, kind="plain", groups=None, features=None, dtype=torch.float64):
    """Three classes of up to six groups; the first has them all, the last may have none."""
    g = torch.Generator().manual_seed(seed)
    groups = groups or int(torch.randint(1, 7, (), generator=g))
    features = features or int(torch.randint(1, 6, (), generator=g))
    points = torch.randn(3, groups, features, generator=g, dtype=torch.float64)
    if kind == "lattice":  # ties and right angles
        points = (2 * points).round()
    elif kind == "copies":
        points = points[:, torch.randint(0, min(groups, 3), (groups,), generator=g)]
    elif kind == "line":
        points = points[:, :1] * torch.randint(-3, 4, (3, groups, 1), generator=g)
    elif kind == "far":
        points = points + 1e5
    elif kind == "unequal":
        points = points * 10.0 ** torch.randint(-4, 5, (3, groups, 1), generator=g)
    present = torch.rand(3, groups, generator=g) < torch.tensor([[2.0], [0.7], [0.4]])
    points = points.to(dtype)
    return points.masked_fill(~present[..., None], 0), present


def width_of(points):
    return ((points - points.mean(0)) ** 2).mean().sqrt()


def cost(name, points, centre):
    """The objective as the module states it, for the present groups of one class."""
    points, centre = points.double(), centre.double()
    away = points - centre
    if name == "mean":
        return (away**2).sum()
    if name == "cosine":
        lengths = points.norm(dim=1)
        unit = points[lengths > 0] / lengths[lengths > 0, None]
        return (1 - unit @ centre / centre.norm()).sum() if centre.norm() > 0 else len(unit)
    if name == "huber":
        d = width_of(points)
        return torch.where(away.abs() <= d, away**2, d * (2 * away.abs() - d)).sum()
    if name == "minimax":
        return away.norm(dim=1).max()
    return torch.linalg.vector_norm(away, {"l1": 1, "l2": 2, "linf": torch.inf}[name], dim=1).sum()


def solved(name, points):
    """The optimal cost according to an interior-point solver, of points around their mean."""
    points = points.double()
    if name == "cosine":
        lengths = points.norm(dim=1)
        unit = points[lengths > 0] / lengths[lengths > 0, None]
        m = cp.Variable(points.shape[1])
        value = cp.Minimize(len(unit) - unit.sum(0).numpy() @ m)
        return conic(cp.Problem(value, [cp.norm(m, 2) <= 1]))
    around = points - points.mean(0)
    scale = float(around.abs().max()) or 1.0
    around = around / scale
    m = cp.Variable(points.shape[1])
    away = [p.numpy() - m for p in around]
    power = 1
    if name == "mean":
        value, power = sum(cp.sum_squares(a) for a in away), 2
    elif name == "huber":
        value, power = sum(cp.sum(cp.huber(a, float(width_of(around)))) for a in away), 2
    elif name == "minimax":
        value = cp.maximum(*[cp.norm(a, 2) for a in away], 0)
    else:
        value = sum(cp.norm(a, {"l1": 1, "l2": 2, "linf": "inf"}[name]) for a in away)
    return conic(cp.Problem(cp.Minimize(value))) * scale**power


def conic(problem):
    """The best value found; it belongs to a centre, so it is never below the optimum."""
    for tolerance in (1e-9, 1e-8, 1e-7):  # it stalls on a few kinks
        tight = dict.fromkeys(("tol_gap_abs", "tol_gap_rel", "tol_feas"), tolerance)
        with contextlib.suppress(cp.error.SolverError), warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of a solution that is not that good
            problem.solve(solver=cp.CLARABEL, **tight)
            if problem.status == "optimal":
                break
    assert problem.status == "optimal"
    return problem.value


# --- against a convex solver ----------------------------------------------------------------


@pytest.mark.parametrize("name", CENTRES)
@settings(max_examples=30)
@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_no_solver_finds_a_cheaper_centre(name, seed, kind):
    points, present = cells(seed, kind)
    centres = CENTRES[name](points, present)
    assert centres.shape == (3, points.shape[2])
    assert centres.dtype == points.dtype
    for group, here, centre in zip(points, present, centres, strict=True):
        if here.sum() == 0:
            assert (centre == 0).all()
        elif here.sum() == 1:
            torch.testing.assert_close(centre, group[here][0], rtol=1e-14, atol=0)
        else:
            size = 1.0 if name == "cosine" else float(group.abs().max())
            rounding = 1e-30 * size**2 if name in ("mean", "huber") else 1e-13 * size
            best = solved(name, group[here]) * (1 + 1e-8)
            assert cost(name, group[here], centre) <= best + group.numel() * rounding


@pytest.mark.parametrize("name", CENTRES)
@settings(max_examples=15)
@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_single_precision_costs_only_its_rounding(name, seed, kind):
    points, present = cells(seed, kind, dtype=torch.float32)
    single = CENTRES[name](points, present)
    double = CENTRES[name](points.double(), present)
    assert single.dtype == torch.float32
    for group, here, one, two in zip(points, present, single, double, strict=True):
        if here.any():
            size = 1.0 if name == "cosine" else float(group.abs().max())
            slack = 3e-6 * size * len(here) * group.shape[1]
            a, b = (cost(name, group[here], centre) for centre in (one, two))
            if name in ("mean", "huber"):
                a, b = a**0.5, b**0.5
            assert a <= b + slack


@pytest.mark.parametrize("turn", [-1e-3, -1e-6, -1e-9, 0.0, 1e-9, 1e-6, 1e-3, 0.1])
def test_geometric_median_about_to_leave_a_corner(turn):
    angle = 2 * math.pi / 3 - turn
    corner = torch.tensor(
        [[0.0, 0.0], [1.0, 0.0], [math.cos(angle), math.sin(angle)]], dtype=torch.float64
    )
    centre = l2(corner[None], torch.ones(1, 3, dtype=torch.bool))[0]
    best = solved("l2", corner)
    assert cost("l2", corner, centre) <= best * (1 + 1e-9)
    # Fermat's point sees all sides under 120 degrees; a corner of more is the median itself
    assert centre.norm() == pytest.approx(max(turn, 0) / math.sqrt(3), rel=0.06, abs=1e-11)


@settings(max_examples=10)
@given(seed=SEEDS, delta=st.sampled_from([0.05, 0.5, 5.0]))
def test_huber_with_a_threshold(seed, delta):
    points, present = cells(seed, "plain")
    away = points[0] - huber(points, present, delta=delta)[0]
    found = torch.where(away.abs() <= delta, away**2, delta * (2 * away.abs() - delta)).sum()
    m = cp.Variable(points.shape[2])
    value = sum(cp.sum(cp.huber(p.numpy() - m, delta)) for p in points[0])
    assert found <= conic(cp.Problem(cp.Minimize(value))) * (1 + 1e-8) + 1e-12


# --- by hand --------------------------------------------------------------------------------


def centre_of(name, *points):
    points = torch.tensor([points], dtype=torch.float64)
    return CENTRES[name](points, torch.ones(points.shape[:2], dtype=torch.bool))[0].tolist()


@pytest.mark.parametrize(
    ("name", "points", "centre"),
    [
        ("minimax", [(0, 0), (2, 0), (1, 3**0.5)], (1, 3**-0.5)),  # equilateral
        ("minimax", [(0, 0), (10, 0), (4, 1)], (5, 0)),  # obtuse: the longest side's middle
        ("minimax", [(0, 0), (4, 0), (0, 2)], (2, 1)),  # right: likewise, the third on the circle
        ("minimax", [(0, 0), (2, 0), (0, 2), (2, 2), (1, 1)], (1, 1)),  # affinely dependent
        ("minimax", [(0, 0), (0, 0), (0, 0), (4, 2)], (2, 1)),
        ("mean", [(0, 0), (0, 0), (0, 0), (4, 2)], (1, 0.5)),
        ("l2", [(0, 0), (1, 0), (-1, 0.1)], (0, 0)),  # an angle above 120 degrees
        ("l2", [(0, 0), (2, 0), (1, 3**0.5)], (1, 3**-0.5)),
        ("l2", [(0, 0), (4, 4), (4, 0), (0, 4)], (2, 2)),
        ("l2", [(0, 0), (0, 0), (1, 0), (0, 1)], (0, 0)),  # a group that is there twice
        ("l2", [(0, 0), (0, 0), (0, 0), (3, 0), (4, 0), (5, 0)], (1.5, 0)),  # middle of [0, 3]
        ("l1", [(0, 0), (1, 5), (9, 6)], (1, 5)),
        ("l1", [(0, 0), (1, 5), (3, 6), (9, 7)], (2, 5.5)),
        ("linf", [(0, 0), (2, 2), (4, 0)], (2, 2)),  # sides 2, 4, 2: the radii are 2, 0 and 2
        ("linf", [(0, 0), (2, 0), (1, 2)], (1, 1)),  # sides 2: the radii are 1
        ("cosine", [(3, 0), (0, 1)], (2**0.5, 2**0.5)),
        ("cosine", [(3, 0), (0, 0), (0, 0)], (1, 0)),  # zeros: for the length only
        ("cosine", [(3, 0), (-1, 0)], (1, 0)),  # the directions cancel: the mean
        ("huber", [(0,), (0,), (0,), (12,)], (27**0.5 / 3,)),  # delta is sqrt(27): 3m = delta
    ],
)
def test_by_hand(name, points, centre):
    assert centre_of(name, *points) == pytest.approx(centre, abs=1e-7)


@pytest.mark.parametrize("name", ["mean", "l1", "l2", "linf", "huber", "minimax"])
@given(seed=SEEDS)
def test_two_groups_meet_in_the_middle(name, seed):
    points, _ = cells(seed, groups=2)
    middle = points[:1].mean(1)
    together = CENTRES[name](points[:1], torch.tensor([[True, True]]))
    torch.testing.assert_close(together, middle, rtol=1e-12, atol=1e-9)


def test_huber_between_two_far_crowds_takes_the_middle_of_the_flat_part():
    points = torch.tensor([[[0.0], [0.2], [10.0], [10.2], [-1.0], [10.8]]])
    centre = huber(points, torch.ones(1, 6, dtype=torch.bool), delta=0.5)
    torch.testing.assert_close(centre, torch.tensor([[5.1]]))  # flat from 0.7 to 9.5


@pytest.mark.parametrize("delta", [0.0, -1.0, math.nan])
def test_huber_refuses_a_threshold_that_is_none(delta):
    with pytest.raises(FddkitError, match="delta of the Huber loss must be positive"):
        huber(*cells(0), delta=delta)


def test_linf_refuses_what_is_not_finite():
    points, present = cells(0, groups=3)
    points[0, 0, 0] = torch.nan
    with pytest.raises(FddkitError, match="finite"):
        linf(points, present)


# --- properties -----------------------------------------------------------------------------


@given(seed=SEEDS, kind=st.sampled_from(KINDS), shares=st.integers(0, 10**6))
def test_the_worst_group_is_never_further_than_from_another_centre(seed, kind, shares):
    points, present = cells(seed, kind)
    g = torch.Generator().manual_seed(shares)
    weights = torch.rand(present.shape, generator=g).double() ** 4 * present
    weights = weights / weights.sum(1, keepdim=True).clamp(min=1e-300)
    others = [mean, l1, l2, lambda p, _: (weights[..., None] * p).sum(1)]

    def worst(centre):
        return ((points - centre[:, None]).norm(dim=-1) * present).amax(1)

    least = worst(minimax(points, present))
    for other in others:
        centre = other(points, present)
        assert (least <= worst(centre) * (1 + 1e-10) + 1e-14 * points.abs().max()).all()


@pytest.mark.parametrize("name", CENTRES)
@given(seed=SEEDS, kind=st.sampled_from(KINDS), power=st.sampled_from([-40, 3, 30]))
def test_scale_equivariance_to_the_last_bit(name, seed, kind, power):
    points, present = cells(seed, kind)
    factor = 2.0**power
    assert CENTRES[name](factor * points, present).equal(factor * CENTRES[name](points, present))


@pytest.mark.parametrize("name", [each for each in UNIQUE if each != "cosine"])
@given(seed=SEEDS)
def test_translation_equivariance(name, seed):
    points, present = cells(seed)
    present = present | ~present.any(1, keepdim=True)
    offset = torch.linspace(-50, 90, points.shape[2], dtype=points.dtype)
    moved = CENTRES[name]((points + offset) * present[..., None], present)
    torch.testing.assert_close(moved, CENTRES[name](points, present) + offset, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", UNIQUE)
@given(seed=SEEDS)
def test_the_order_of_the_groups_does_not_matter(name, seed):
    points, present = cells(seed)
    order = torch.randperm(points.shape[1], generator=torch.Generator().manual_seed(seed))
    shuffled = CENTRES[name](points[:, order], present[:, order])
    torch.testing.assert_close(shuffled, CENTRES[name](points, present), rtol=0, atol=1e-6)


@given(seed=SEEDS, kind=st.sampled_from(KINDS))
def test_the_order_of_the_groups_does_not_matter_to_the_cost_under_linf(seed, kind):
    points, present = cells(seed, kind)
    order = torch.randperm(points.shape[1], generator=torch.Generator().manual_seed(seed))
    one, two = linf(points, present)[0], linf(points[:, order], present[:, order])[0]
    torch.testing.assert_close(
        cost("linf", points[0], one), cost("linf", points[0], two), rtol=1e-9, atol=1e-9
    )


@pytest.mark.parametrize("name", CENTRES)
@given(seed=SEEDS)
def test_classes_and_absent_groups_have_no_say(name, seed):
    points, present = cells(seed, groups=5)
    centre = CENTRES[name](points, present)
    for row in range(3):
        alone = points[row : row + 1, present[row]]
        if alone.shape[1]:
            expected = CENTRES[name](alone, torch.ones(alone.shape[:2], dtype=torch.bool))[0]
            if name == "linf":  # one of many
                a, b = (cost(name, alone[0], m) for m in (centre[row], expected))
                torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)
            else:
                torch.testing.assert_close(centre[row], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", CENTRES)
def test_twice_the_same_and_the_input_untouched(name):
    points, present = cells(3, groups=6, features=40)
    before = points.clone()
    points.requires_grad_()
    centre = CENTRES[name](points, present)
    assert not centre.requires_grad
    assert centre.equal(CENTRES[name](points, present))
    assert points.equal(before)


# --- the general solver ---------------------------------------------------------------------


@given(seed=SEEDS)
@settings(max_examples=20)
def test_a_full_matrix_norm_has_its_barycentre_at_the_mean(seed):
    points, present = cells(seed)
    root = torch.randn(3, points.shape[2], points.shape[2], dtype=torch.float64)
    matrix = root @ root.mT + 0.01 * torch.eye(points.shape[2])

    def norm(points, centre):
        away = points - centre
        return torch.einsum("cad,cde,cae->ca", away, matrix, away)

    torch.testing.assert_close(
        barycentre(points, present, norm), mean(points, present), rtol=1e-7, atol=1e-7
    )


@pytest.mark.parametrize("exponent", [1.5, 2, 4])
@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_general_solver_against_a_convex_solver(exponent, factor):
    points = torch.randn(3, 5, 4, dtype=torch.float64)
    present = torch.tensor([[1, 1, 1, 1, 1], [1, 0, 1, 1, 1], [0, 1, 1, 0, 1]]) == 1
    points[2] = points[2, :1]  # all the same: a kink, which the other classes must not notice
    root = torch.randn(4, 4, dtype=torch.float64) + 3 * torch.eye(4)

    def distance(points, centre):
        return torch.linalg.vector_norm((points - centre) @ root, exponent, dim=-1)

    centres = barycentre(factor * points, present, distance) / factor
    assert centres[2].allclose(points[2, 0], rtol=1e-6)
    far = mean(points, present)
    for group, here, centre, start in list(zip(points, present, centres, far, strict=True))[:2]:
        m = cp.Variable(4)
        value = sum(cp.norm((p.numpy() - m) @ root.numpy(), exponent) for p in group[here])
        best = conic(cp.Problem(cp.Minimize(value)))
        assert distance(group[here][None], centre[None, None]).sum() <= best * (1 + 1e-8)
        assert distance(group[here][None], start[None, None]).sum() > best * (1 + 1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_general_solver_never_asks_about_an_absent_group(dtype):
    points, present = cells(5, groups=4, dtype=dtype)
    present[0], present[1, :], present[2] = True, torch.tensor([True, False, True, False]), False

    def cosine(points, centre):  # not a number at zero
        away = (points / points.norm(dim=-1, keepdim=True) - centre).square().sum(-1)
        return (1 + away).sqrt()

    centre = barycentre(points + 1 * present[..., None], present, cosine)
    assert centre.dtype == dtype
    assert centre.isfinite().all()
    assert (centre[2] == 0).all()
    assert barycentre(points, torch.zeros_like(present), cosine).count_nonzero() == 0


def test_general_solver_says_when_a_derivative_is_missing():
    points, present = torch.tensor([[[0.0], [1.0], [2.0]]]), torch.ones(1, 3, dtype=torch.bool)

    def norm(points, centre):
        return (points - centre).square().sum(-1).sqrt()  # the mean is a group: 0 / 0

    with pytest.raises(FddkitError, match="not finite"):
        barycentre(points, present, norm)
