"""Group counts and assignments against hand-counted cases and their defining properties."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.painting.group_assignment import assign_groups, group_counts, majority_group

groups = st.integers(2, 12)


@st.composite
def shares(draw):
    n_groups = draw(groups)
    return draw(st.floats(1 / n_groups, 1)), n_groups


@pytest.mark.parametrize(
    ("n", "br", "n_groups", "expected"),
    [
        (5923, 0.9, 10, [5330, *[66] * 8, 65]),  # C-MNIST, digit 0, training
        (1135, 0.1, 10, [113, *[114] * 8, 110]),  # C-MNIST, digit 1, test
        (6000, 0.9, 10, [5400, *[67] * 8, 64]),  # C-FMNIST, training
        (1000, 0.1, 10, [100] * 10),  # C-FMNIST, test
        (5000, 0.9, 2, [4500, 500]),  # CIFAR10-S, training
        (100, 0.29, 2 + 2, [29, 24, 24, 23]),  # in floats 0.29 * 100 is less than 29
        (10, 1.0, 3, [10, 0, 0]),
        (10, 0.5, 10, [5, 1, 1, 1, 1, 1, 0, 0, 0, 0]),
        (0, 0.5, 3, [0, 0, 0]),
    ],
)
def test_counts_by_hand(n, br, n_groups, expected):
    assert group_counts(n, br, n_groups) == expected


def test_even_minorities_by_hand():
    assert group_counts(20, 0.5, 5, even=True) == [10, 3, 3, 2, 2]
    assert group_counts(20, 0.5, 5) == [10, 3, 3, 3, 1]


def test_proportions_by_hand():
    # 10 images as 3 : 2 : 1 are 5, 3.33 and 1.67; the largest remainder is the last
    assert group_counts(20, 0.5, 4, proportions=(3, 2, 1)) == [10, 5, 3, 2]
    assert group_counts(20, 0.5, 3, proportions=(1, 0)) == [10, 10, 0]


@given(st.integers(0, 10_000), shares(), st.booleans())
def test_counts_sum_to_n_and_the_majority_has_its_share(n, share, even):
    br, n_groups = share
    counts = group_counts(n, br, n_groups, even=even)
    assert len(counts) == n_groups
    assert sum(counts) == n
    assert min(counts) >= 0
    assert br * n - 1 < counts[0] <= br * n + 1e-6
    if even:
        assert max(counts[1:]) - min(counts[1:]) <= 1


@given(st.integers(0, 5000), shares(), st.data())
def test_proportions_are_met_within_one_image(n, share, data):
    br, n_groups = share
    size = n_groups - 1
    proportions = data.draw(
        st.lists(st.floats(0, 10), min_size=size, max_size=size).filter(lambda p: sum(p) > 1e-3)
    )
    majority, *minorities = group_counts(n, br, n_groups, proportions)
    rest = n - majority
    assert sum(minorities) == rest
    for count, share in zip(minorities, proportions, strict=True):
        assert abs(count - rest * share / sum(proportions)) < 1 + 1e-6


@pytest.mark.parametrize("br", [1.3, 0.05, 0, -1, float("nan"), "0.9", None])
def test_a_br_outside_its_range_is_told(br):
    with pytest.raises(FddkitError, match=r"outside \[0.1, 1\] for 10 groups"):
        group_counts(10, br, 10)
    with pytest.raises(FddkitError, match="outside"):
        assign_groups(torch.zeros(3, dtype=torch.int64), br, 10, seed=0)


def test_a_third_is_in_range_for_three_groups():
    assert group_counts(9, 1 / 3, 3) == [3, 3, 3]


@pytest.mark.parametrize("proportions", [(1,), (1, 2, 3), (1, -1), (0, 0), (1, float("nan"))])
def test_proportions_that_do_not_fit_are_told(proportions):
    with pytest.raises(FddkitError, match="give 2 numbers"):
        group_counts(10, 0.5, 3, proportions)


def test_one_group_is_too_few():
    with pytest.raises(FddkitError, match="at least two groups"):
        group_counts(10, 1.0, 1)


@pytest.mark.parametrize(
    "target", [torch.tensor([0, -1]), torch.tensor([0.0, 1.0]), torch.zeros(2, 2).long()]
)
def test_labels_that_are_none_are_told(target):
    with pytest.raises(FddkitError, match="one class number per image"):
        assign_groups(target, 0.5, 2, seed=0)


def test_majorities():
    assert majority_group(10, 10).tolist() == list(range(10))
    assert majority_group(10, 2).tolist() == [0] * 5 + [1] * 5
    assert majority_group(3, 10).tolist() == [0, 3, 6]


@given(st.lists(st.integers(0, 4), max_size=300), shares(), st.integers(0, 2**31), st.booleans())
def test_every_class_is_dealt_its_counts(labels, share, seed, even):
    br, n_groups = share
    target = torch.tensor(labels, dtype=torch.int64)
    group = assign_groups(target, br, n_groups, seed, even=even)
    assert group.dtype == torch.int64
    assert group.shape == target.shape
    assert ((group >= 0) & (group < n_groups)).all()
    n_classes = max(labels, default=-1) + 1
    for y, majority in enumerate(majority_group(n_classes, n_groups).tolist()):
        dealt = group[target == y].bincount(minlength=n_groups).tolist()
        expected = group_counts(labels.count(y), br, n_groups, even=even)
        assert dealt.pop(majority) == expected[0]
        assert sorted(dealt) == sorted(expected[1:])


@given(st.integers(0, 2**31), st.floats(0.25, 1), st.floats(0.25, 1))
def test_the_majority_of_a_smaller_br_is_within_that_of_a_larger_one(seed, one, other):
    target = torch.arange(120) % 3
    small, large = (assign_groups(target, br, 4, seed) for br in sorted((one, other)))
    majority = majority_group(3, 4)[target]
    assert (large[small == majority] == majority[small == majority]).all()


def test_the_seed_alone_decides():
    target = torch.arange(1000) % 10
    state = torch.get_rng_state()
    group = assign_groups(target, 0.5, 10, seed=3)
    torch.manual_seed(99)
    assert torch.equal(group, assign_groups(target, 0.5, 10, seed=3))
    assert not torch.equal(group, assign_groups(target, 0.5, 10, seed=4))
    torch.set_rng_state(state)
    assign_groups(target, 0.5, 10, seed=3)
    assert torch.equal(state, torch.get_rng_state())  # the global generator is not touched


def test_which_minority_is_short_is_random_unless_told_not_to_be():
    target = torch.arange(230) % 10  # 23 a class: 12 left for 9 minorities at BR 0.5
    one, other = (assign_groups(target, 0.5, 10, seed)[target == 0] for seed in (0, 1))
    assert one.bincount(minlength=10).tolist() != other.bincount(minlength=10).tolist()
    plain = assign_groups(target, 0.5, 10, 0, shuffle_minorities=False)
    assert plain[target == 1].bincount(minlength=10).tolist() == [2, 11, 2, 2, 2, 2, 2, 0, 0, 0]


def test_proportions_belong_to_the_minorities_in_ascending_order():
    target = torch.arange(40) % 2  # majorities 0 and 2 of four groups
    group = assign_groups(target, 0.5, 4, 0, proportions=(5, 3, 2))
    assert group[target == 0].bincount(minlength=4).tolist() == [10, 5, 3, 2]
    assert group[target == 1].bincount(minlength=4).tolist() == [5, 3, 10, 2]
