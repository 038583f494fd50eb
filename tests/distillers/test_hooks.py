"""What a distiller remembers between the steps is what it says, and its hooks remember nothing."""

from typing import NamedTuple

import pytest
import torch
from references import toy
from torch import Tensor

from fddkit import theory
from fddkit.distillers.registry import METHODS, settings
from fddkit.rules.rules import RULES

STEPS = 9
# a few steps with each network, and more than one of what else is chosen or counted
TINY = {
    "dm": {"warmup": 2, "distance": "l1"},
    "dc": {"outer": 3, "inner": 2},
    "dsa": {"outer": 4, "inner": 1},
    "idc": {"outer": 3, "factor": 2, "net_data": 24, "net_batch": 8},
    "dream": {"outer": 5, "interval": 2, "net_data": 24, "net_batch": 8},
    "cafe": {"outer": 4, "inner": 3, "window": 2, "watched": 4, "settled": 0.1},
    "mtt": {"lr": 1.0},
}
MATCHING = [method for method in METHODS if method != "mtt"]  # a statistic of images


@pytest.fixture
def data():
    return toy(0, torch.full((3, 2), 12))


class Moment(NamedTuple):
    """Where a run stands between two steps."""

    step: int
    images: Tensor
    momentum: Tensor
    loss: float  # of the step before
    state: dict[str, Tensor]


def build(method, data, folder, **changed):
    given = {"batch": 6, "width": 4, "depth": 2, **TINY[method], **changed}
    chosen = settings("smoke", method, **given)
    m = METHODS[method](data, 2, chosen.resolve(2, data), 0)
    m.prepare(RULES["cobra"], folder, progress=False)
    return m


def beginning(m):
    images = m.start().images
    return Moment(0, images, torch.zeros_like(images), 0.0, m.state())


def follow(m, now, disturb=lambda m, now: None):
    """Take the steps that are left as `fddkit.distillers.distill` does, and return every moment."""
    moments = [now]
    while now.step < STEPS:
        disturb(m, now)
        loss, gradient = m.gradient(now.images, RULES["cobra"], now.step)
        disturb(m, now)
        momentum = now.momentum * m.settings.momentum + gradient
        images = now.images - m.rate(now.step) * momentum
        step = m.after(images, now.step)
        disturb(m, now)
        now = Moment(step, images, momentum, loss, m.state())
        moments.append(now)
    return moments


def copied(state):
    return {name: tensor.clone() for name, tensor in state.items()}


def assert_same(found, expected):
    assert [one.step for one in found] == [one.step for one in expected]
    for one, other in zip(found, expected, strict=True):
        where = f"before step {one.step}"
        assert one.images.equal(other.images), where
        assert one.momentum.equal(other.momentum), where
        assert one.loss == other.loss, where
        assert one.state.keys() == other.state.keys(), where
        assert all(one.state[name].equal(other.state[name]) for name in one.state), where


@pytest.mark.parametrize("method", METHODS)
def test_a_run_that_stops_after_any_step_goes_on_the_same_way(method, data, tmp_path):
    whole = follow(m := build(method, data, tmp_path), beginning(build(method, data, tmp_path)))
    kept = [copied(one.state) for one in whole]
    for i, one in enumerate(whole):
        fresh = build(method, data, tmp_path)
        fresh.load(kept[i], one.step)
        m.load(kept[i], one.step)  # and one that has gone further goes back
        assert_same([Moment(*one[:4], fresh.state())], [one])
        assert_same(follow(fresh, one), whole[i:])
        assert_same(follow(m, one), whole[i:])


@pytest.mark.parametrize("method", METHODS)
def test_looking_at_other_steps_changes_no_run(method, data, tmp_path):
    expected = follow(build(method, data, tmp_path), beginning(build(method, data, tmp_path)))
    other = beginning(build(method, data, tmp_path)).images + 1

    def look(m, now):
        m.start()
        if method in MATCHING:
            for step in (now.step + 1, now.step + m.per_network, 0, now.step):
                m.network(step)
                m.batch(step)
        for step in (now.step + 2 * m.per_network, now.step):
            m.gradient(other, RULES["cobra"], step)
        m.gradient(now.images, RULES["cobra"], now.step)
        m.state()

    m = build(method, data, tmp_path)
    assert_same(follow(m, beginning(m), look), expected)


@pytest.mark.parametrize("method", MATCHING)  # mtt's alpha follows the gradient
def test_what_follows_a_step_follows_it_without_its_gradient(method, data, tmp_path):
    taken, skipped = (build(method, data, tmp_path) for _ in range(2))
    images, step = taken.start().images, 0
    while step < STEPS:
        taken.gradient(images, RULES["cobra"], step)
        copy = images.clone()
        following = taken.after(images, step)
        assert skipped.after(copy, step) == following
        step = following
        ends = [Moment(step, x, x, 0.0, m.state()) for m, x in ((taken, images), (skipped, copy))]
        assert_same(ends[:1], ends[1:])


@pytest.mark.parametrize("rule", ["cobra", "fairdd"])
@pytest.mark.parametrize("method", MATCHING)
def test_hooks_give_the_same_in_any_order_and_again(method, rule, data, tmp_path):
    rule, step = RULES[rule], 1
    m, wider = build(method, data, tmp_path), build(method, data, tmp_path, width=6, depth=3)
    images = m.start().images
    expected = m.gradient(images, rule, step)

    def elsewhere(one):
        """Other images, another network, and of what makes a loss only the first half."""
        net, batch, draws = one.network(7 * one.per_network), one.batch(7), one.draws(7)
        one.goal(net, batch.part(slice(1, 2)), draws, rule, 1)
        seen, labels = one.show(images[:2].clone().requires_grad_(), 0, draws, 7)
        one.synthetic(net, seen, labels, 1)

    net, batch, draws = m.warm(images, step), m.batch(step), m.draws(step)
    own = images.clone().requires_grad_()
    elsewhere(m)
    seen, labels = m.show(own, 0, draws, step)
    synthetic = m.synthetic(net, seen, labels, 3)
    elsewhere(wider)
    m.goal(net, batch, draws, rule, 0)
    goal, rows = m.goal(net, batch, draws, rule, 0)
    wider.gradient(images, rule, 0)
    elsewhere(m)
    m.loss(net, goal, synthetic, rows)
    loss = m.loss(net, goal, synthetic, rows)
    assert loss.item() == expected[0]
    assert torch.autograd.grad(loss, own)[0].equal(expected[1])


@pytest.mark.parametrize("method", MATCHING)
def test_measuring_a_signal_changes_no_step(method, data):
    signal = theory.Signal(data, method, preset="smoke", width=4, depth=2, **TINY[method])
    m = signal.matching
    images = torch.randn(3, *data.shape)
    expected = m.gradient(images, RULES["fairdd"], 0)
    signal.groups()
    signal.classes()
    found = m.gradient(images, RULES["fairdd"], 0)
    assert found[0] == expected[0]
    assert found[1].equal(expected[1])


@pytest.mark.parametrize("rule", ["vanilla", "minimax"])
@pytest.mark.parametrize("method", MATCHING)
def test_one_image_per_class_approaches_its_target_in_every_signal(method, rule):
    data = toy(0, torch.tensor([[9, 3], [3, 9], [8, 4]]))
    signal = theory.Signal(data, method, preset="smoke", width=4, depth=2, **TINY[method])
    found = theory.reach(signal, rule, steps=15)
    again = theory.reach(signal, rule, steps=15)  # nothing of the first is left
    assert again.images.images.equal(found.images.images)
    assert again.to_weighted.equal(found.to_weighted)
    assert found.to_weighted.shape == (16, 3)
    # the path is that of the sets' own statistics
    real, plain = signal.classes(), signal.groups().points.mean(1)
    for i, one in ((0, found.start), (-1, found.images)):
        own = signal.synthetic(one)
        for path, point in ((found.to_weighted, real), (found.to_mean, plain)):
            expected = (own - point).norm(dim=-1) / (real - plain).norm(dim=-1)
            torch.testing.assert_close(path[i], expected, rtol=1e-3, atol=1e-4)
    far, near = (
        signal.matching.distance(signal.net, real[:, None], signal.synthetic(one)[:, None])
        for one in (found.start, found.images)
    )
    assert rule != "vanilla" or (near < far).all()
