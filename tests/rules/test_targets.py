import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.data.grouped import GroupedDataset
from fddkit.data.sampling import Sampler
from fddkit.distillers.signals import segment_sum
from fddkit.rules.rules import RULES
from fddkit.rules.targets import segments, targets


def case(seed, classes=3, groups=4, features=5):
    """A batch that is the whole of a random set, and features of its images."""
    g = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 6, (classes, groups), generator=g)
    counts[:, 0] += 1  # a class is never empty
    cell = torch.repeat_interleave(torch.arange(counts.numel()), counts.flatten())
    images = torch.zeros(len(cell), 3, 8, 8, dtype=torch.uint8)
    names = [str(a) for a in range(groups)]
    data = GroupedDataset.from_arrays(images, cell // groups, cell % groups, group_names=names)
    phi = torch.randn(len(cell), features, generator=g, dtype=torch.float64)
    density = torch.rand(len(cell), generator=g, dtype=torch.float64)
    return sampled(data, density), phi


def sampled(data, density):
    sampler = Sampler(data, len(data), "class")
    sampler.log_weights = density.log()
    return sampler.batch(torch.arange(len(data)))


def aimed(rule, phi, batch, divide=False):
    """The targets of a rule where the statistic of each image is known."""
    return targets(rule, segment_sum(phi, *segments(rule, batch)), batch, divide)


def squared(found, s):
    return (found.weights * (found.points - s[:, None]).square().sum(-1)).sum()


@given(seed=st.integers(0, 10**6))
def test_fairdd_is_cobra_times_the_groups_present(seed):
    batch, phi = case(seed)
    s = torch.zeros(3, 5, dtype=torch.float64, requires_grad=True)
    fairdd, cobra, divided = (
        torch.autograd.grad(squared(aimed(RULES[r], phi, batch, d), s), s)[0]
        for r, d in (("fairdd", False), ("cobra", False), ("fairdd", True))
    )
    present = (batch.counts > 0).sum(1, keepdim=True)
    torch.testing.assert_close(fairdd, present * cobra, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(divided, cobra, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("rule", [r for r in RULES if RULES[r].weigh])
@given(seed=st.integers(0, 10**6))
def test_weights_of_a_linear_rule_sum_to_one_in_each_class(rule, seed):
    batch, _ = case(seed)
    weight = RULES[rule].weigh(batch)
    total = torch.zeros(3, dtype=torch.float64).index_add(0, batch.target, weight)
    torch.testing.assert_close(total, torch.ones_like(total))
    assert (weight > 0).all()


def test_by_hand():
    # one class, two groups at 0 and 10 on a line, nine images and one; S at 2
    images = torch.zeros(10, 3, 8, 8, dtype=torch.uint8)
    group = torch.tensor([0] * 9 + [1])
    data = GroupedDataset.from_arrays(images, torch.zeros(10, dtype=torch.int64), group)
    density = torch.tensor([1.0] * 9 + [3.0], dtype=torch.float64)
    batch = sampled(data, density)
    phi = torch.tensor([[0.0]] * 9 + [[10.0]])
    found = {
        name: squared(aimed(rule, phi, batch), torch.tensor([[2.0]])).item()
        for name, rule in RULES.items()
    }
    # inverse weights: 1/0.9 to 1/0.1, which is 0.1 to 0.9 of their sum
    barycentres = {f"cobra-{d}": 9.0 for d in ("l1", "l2", "linf", "huber")}
    assert found == pytest.approx(
        {
            "vanilla": 1.0,
            "fairdd": 4.0 + 64.0,
            "fairdd-inverse": 2 * (0.1 * 4 + 0.9 * 64),
            "df": 0.1 * 4 + 0.9 * 64,
            "cobra": 9.0,
            **barycentres,
            "cobra-cosine": (10 / 2 - 2) ** 2,  # a zero vector has no direction
            "minimax": 9.0,
            "kde": (3 * 10 / 12 - 2) ** 2,
        },
        abs=1e-5,
    )


@pytest.mark.parametrize("rule", RULES)
def test_an_absent_group_never_counts(rule):
    images = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    data = GroupedDataset.from_arrays(images, [0, 0], [0, 0], group_names=["here", "absent"])
    density = torch.ones(2, dtype=torch.float64)
    batch = sampled(data, density)
    phi = torch.full((2, 1), 4.0)
    found = aimed(RULES[rule], phi, batch)
    assert squared(found, torch.tensor([[4.0]])) == pytest.approx(0, abs=1e-9)
    assert squared(found, torch.tensor([[5.0]])) == pytest.approx(1)


def test_kde_keeps_ratios_where_all_weights_of_a_batch_vanish():
    images = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    data = GroupedDataset.from_arrays(images, [0, 0, 0], [0, 0, 0])
    sampler = Sampler(data, 3, "class")
    sampler.log_weights = torch.tensor([-5000.0, -5000.0 + math.log(3), 0.0], dtype=torch.float64)
    weight = RULES["kde"].weigh(sampler.batch(torch.tensor([0, 1])))
    assert weight.tolist() == pytest.approx([0.25, 0.75])
