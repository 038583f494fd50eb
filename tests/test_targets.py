import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.targets import RULES, squared_error


def case(seed, classes=3, groups=4, features=5):
    g = torch.Generator().manual_seed(seed)
    counts = torch.randint(0, 6, (classes, groups), generator=g)
    counts[:, 0] += 1  # a class is never empty
    means = torch.randn(classes, groups, features, generator=g, dtype=torch.float64)
    means[counts == 0] = 0
    shares = counts.double() / counts.sum(1, keepdim=True)
    synthetic = torch.randn(classes, features, generator=g, dtype=torch.float64)
    return means, counts, shares, synthetic.requires_grad_()


def slow_loss(rule, means, counts, synthetic):
    """The three objectives as the papers write them, one class and one group at a time."""
    total = 0.0
    for y in range(len(means)):
        present = [a for a in range(means.shape[1]) if counts[y, a] > 0]
        n = sum(int(counts[y, a]) for a in present)
        if rule == "vanilla":
            target = sum(int(counts[y, a]) * means[y, a] for a in present) / n
            total = total + ((target - synthetic[y]) ** 2).sum()
        elif rule == "cobra":
            target = sum(means[y, a] for a in present) / len(present)
            total = total + ((target - synthetic[y]) ** 2).sum()
        else:
            for a in present:
                total = total + ((means[y, a] - synthetic[y]) ** 2).sum()
    return total


@pytest.mark.parametrize("rule", RULES)
@given(seed=st.integers(0, 10**6))
def test_loss_and_gradient_equal_the_loops(rule, seed):
    means, counts, shares, synthetic = case(seed)
    fast = squared_error(RULES[rule](means, counts > 0, shares), synthetic)
    slow = slow_loss(rule, means, counts, synthetic)
    torch.testing.assert_close(fast, slow, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(
        *(torch.autograd.grad(loss, synthetic)[0] for loss in (fast, slow)), rtol=1e-10, atol=1e-12
    )


@given(seed=st.integers(0, 10**6))
def test_fairdd_is_cobra_times_the_groups_present(seed):
    means, counts, shares, synthetic = case(seed)
    fairdd, cobra = (
        torch.autograd.grad(
            squared_error(RULES[r](means, counts > 0, shares), synthetic), synthetic
        )[0]
        for r in ("fairdd", "cobra")
    )
    present = (counts > 0).sum(1, keepdim=True)
    torch.testing.assert_close(fairdd, present * cobra, rtol=1e-9, atol=1e-11)


def test_by_hand():
    # one class, two groups at 0 and 10 on a line, shares 0.9 and 0.1, S at 2
    means = torch.tensor([[[0.0], [10.0]]])
    present, shares = torch.tensor([[True, True]]), torch.tensor([[0.9, 0.1]])
    s = torch.tensor([[2.0]])
    loss = {r: squared_error(RULES[r](means, present, shares), s).item() for r in RULES}
    assert loss == pytest.approx({"vanilla": 1.0, "fairdd": 4.0 + 64.0, "cobra": 9.0})


def test_an_absent_group_never_counts():
    means = torch.tensor([[[4.0], [0.0]]])
    present, shares = torch.tensor([[True, False]]), torch.tensor([[1.0, 0.0]])
    for rule in RULES.values():
        assert squared_error(rule(means, present, shares), torch.tensor([[4.0]])) == 0
