import pytest
import torch
from references import toy
from torch.nn import functional as F

from fddkit.core.rng import generator
from fddkit.distillers.dc import DC, DSA, DCSettings
from fddkit.rules.rules import RULES
from fddkit.training import augment


@pytest.fixture
def data():
    return toy(0, torch.full((3, 2), 4))


def build(data, kind=DC, **changed):
    chosen = {"batch": 4, "width": 4, "depth": 2, "outer": 3, "inner": 2, **changed}
    resolved = DCSettings(iterations=2, **chosen).resolve(2, data)
    return kind(data, 2, resolved, 0, dtype=torch.float64)


@pytest.mark.parametrize("strategy", ["none", "color_crop_scale"])
def test_the_network_is_trained_on_the_synthetic_images_between_steps(data, strategy):
    m = build(data, DSA, augment=strategy, net_batch=4)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    target = torch.tensor([0, 0, 1, 1, 2, 2])
    slow = m.fresh(0).requires_grad_(True)
    rng = generator(0, "train", 0)
    for _ in range(2):
        for rows in torch.randperm(6, generator=rng).split(4):
            seen = images[rows]
            if strategy != "none":
                draws = augment.draw(len(rows), augment.parse(strategy), rng, shared_family=True)
                seen = augment.apply(seen, draws)
            loss = F.cross_entropy(slow(seen), target[rows])
            for p, g in zip(
                slow.parameters(),
                torch.autograd.grad(loss, list(slow.parameters())),
                strict=True,
            ):
                p.data -= 0.01 * g
    assert m.after(images, 0) == 1
    for p, q in zip(m.network(1).parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q.detach())
        assert not p.requires_grad


def test_a_network_is_fresh_after_its_last_step_and_not_trained_in_it(data):
    m = build(data)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    for step in range(3):
        m.gradient(images, RULES["cobra"], step)
        net = m.network(step)
        before = [p.clone() for p in net.parameters()]
        m.after(images, step)
        now = net if step == 2 else m.network(step + 1)
        same = [torch.equal(p, q) for p, q in zip(before, now.parameters(), strict=True)]
        assert all(same) == (step == 2)
    fresh = m.fresh(1)
    for p, q in zip(m.network(3).parameters(), fresh.parameters(), strict=True):
        assert torch.equal(p, q)


def test_the_vanilla_step_is_one_backward_pass_and_fairdd_no_more(data, monkeypatch):
    """What a rule costs, counted: passes through the network, not seconds."""
    m = build(data)
    passes = []
    net = m.network(0)
    net.register_forward_hook(lambda *_: passes.append(1))
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    counts = {}
    for rule in RULES:
        m.sampler.log_weights = torch.zeros(len(data), dtype=torch.float64)
        passes.clear()
        m.gradient(images, RULES[rule], 0)
        counts[rule] = len(passes)
    assert set(counts.values()) == {2}  # the real images once, the synthetic ones once
