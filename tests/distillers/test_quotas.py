from itertools import combinations

import pytest
import torch
from references import toy

from fddkit.distillers.quotas import quotas, share

SEEDS = 3000


def rng(seed):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("seed", range(20))
def test_as_equal_as_the_groups_allow(seed):
    g = rng(seed)
    available = torch.randint(0, 12, (6,), generator=g)
    for number in range(int(available.sum()) + 1):
        quota = share(available, number, g)
        assert quota.sum() == number
        assert (quota <= available).all()
        left = quota[quota < available]
        # whoever could give more gives at least as many as anybody, but for one
        assert number == available.sum() or left.min() >= quota.max() - 1


def test_a_small_group_gives_all_and_an_absent_one_nothing():
    assert share(torch.tensor([90, 2, 0, 30]), 10, rng(0)).tolist() == [4, 2, 0, 4]
    assert share(torch.tensor([0, 5, 0]), 5, rng(0)).tolist() == [0, 5, 0]
    assert share(torch.tensor([3, 3]), 0, rng(0)).tolist() == [0, 0]


def test_the_groups_themselves_are_untouched():
    available = torch.tensor([5, 1])
    share(available, 4, rng(0))
    assert available.tolist() == [5, 1]


@pytest.mark.parametrize(("groups", "ipc"), [(10, 1), (10, 3), (4, 6), (2, 5)])
def test_over_seeds_every_group_is_chosen_equally_often(groups, ipc):
    data = toy(0, torch.full((2, groups), 8))
    found = torch.stack([quotas(data, ipc, seed) for seed in range(SEEDS)])
    extra = (found - ipc // groups).double()
    assert set(extra.unique().tolist()) <= {0, 1}
    p = ipc % groups / groups
    # binomial: beyond 5 standard deviations once in two million
    assert ((extra.mean(0) - p).abs() < 5 * (p * (1 - p) / SEEDS) ** 0.5).all()
    # and every set of groups: chi-square, 0.9999 quantile by Wilson and Hilferty
    sets = list(combinations(range(groups), ipc % groups))
    seen = [tuple(row.nonzero().flatten().tolist()) for row in extra[:, 0]]
    expected = SEEDS / len(sets)
    statistic = sum((seen.count(one) - expected) ** 2 / expected for one in sets)
    free = len(sets) - 1
    assert statistic < free * (1 - 2 / (9 * free) + 3.72 * (2 / (9 * free)) ** 0.5) ** 3


def test_classes_draw_independently():
    found = torch.stack(
        [quotas(toy(0, torch.full((2, 4), 3)), 1, seed).argmax(1) for seed in range(SEEDS)]
    )
    both = (found[:, 0] == found[:, 1]).double().mean()
    assert abs(both - 1 / 4) < 5 * (3 / 16 / SEEDS) ** 0.5
