"""DM as the code released with COBRA runs it: networks warmed up, absolute differences."""

import contextlib

import pytest
import references
import torch
from references import toy
from torch.nn import functional as F

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.distillers.dm import DM, DMSettings
from fddkit.rules.rules import RULES
from fddkit.training import augment

COUNTS = torch.tensor([[9, 1, 0], [3, 5, 2], [0, 1, 4]])


def build(**options):
    data = toy(0, COUNTS)
    chosen = DMSettings(iterations=1, batch=6, width=4, depth=2, **options).resolve(2, data)
    return DM(data, 2, chosen, 0, dtype=torch.float64)


@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra"])
def test_the_step_against_loops(rule, monkeypatch):
    m = build(warmup=2, distance="l1", augment="color_crop")
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    loss, gradient = m.gradient(images, RULES[rule], 3)
    monkeypatch.setitem(references.SIGNALS, "dm", (references.embedding, references.absolute))
    images.requires_grad_()
    expected = references.loss("dm", m, images, rule, 3)
    assert loss == pytest.approx(expected.item(), rel=1e-9)
    assert torch.allclose(gradient, torch.autograd.grad(expected, images)[0], rtol=1e-6)
    again = m.gradient(images.detach(), RULES[rule], 3)  # the network is not trained once more
    assert again[0] == loss
    assert again[1].equal(gradient)
    for own, expected in zip(m.network(3).parameters(), m.fresh(3).parameters(), strict=True):
        assert own.equal(expected)  # nobody else sees it warm


def test_the_warm_up_is_gradient_descent_on_the_synthetic_images():
    m = build(warmup=2, net_lr=0.1, net_batch=100, augment="none")
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    net = m.fresh(5).requires_grad_(True)
    for _ in range(2):  # the whole set is one batch
        loss = F.cross_entropy(net(images), torch.tensor([0, 0, 1, 1, 2, 2]))
        for p, slope in zip(
            net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True
        ):
            p.data -= 0.1 * slope
    for own, expected in zip(m.warm(images, 5).parameters(), net.parameters(), strict=True):
        assert torch.allclose(own, expected, atol=1e-12)
        assert not own.requires_grad


def test_without_a_warm_up_the_network_is_random():
    m = build()
    m.gradient(torch.randn(6, 3, 8, 8, dtype=torch.float64), RULES["vanilla"], 1)
    for own, expected in zip(m.network(1).parameters(), m.fresh(1).parameters(), strict=True):
        assert own.equal(expected)
    with pytest.raises(FddkitError, match="warmup=-1"):
        DMSettings(warmup=-1)
    with pytest.raises(FddkitError, match="distance"):
        DMSettings(distance="cosine")


def test_an_epoch_sees_every_image_once_in_batches():
    from fddkit.training.networks import build as network
    from fddkit.training.sgd import Student

    net, seen = network("convnet", (3, 8, 8), 2, 0, 4, 2), []
    student = Student(net, 0.0)
    step = student.step
    student.step = lambda x, y: (seen.append((x, y)), step(x, y))
    images = torch.arange(5.0)[:, None, None, None].expand(5, 3, 8, 8)
    target = torch.tensor([0, 1, 0, 1, 0])
    student.epoch(images, target, 2, augment.stages("none"), generator(0, "x"))
    assert [len(x) for x, _ in seen] == [2, 2, 1]
    order = torch.cat([x[:, 0, 0, 0] for x, _ in seen]).long()
    assert order.sort().values.tolist() == [0, 1, 2, 3, 4]
    assert torch.cat([y for _, y in seen]).equal(target[order])


def test_a_warmed_run_goes_on_with_the_same_bits(tmp_path):
    data = toy(0, torch.full((3, 2), 8))
    options = {"preset": "smoke", "progress": False, "iterations": 4, "batch": 4, "width": 4,
               "depth": 2, "warmup": 2, "distance": "l1"}  # fmt: skip
    whole, out = fdd.distill(data, "dm", "cobra", 2, **options), tmp_path / "s.safetensors"

    def stop(progress):
        if progress.iteration == 2:
            raise KeyboardInterrupt

    with contextlib.suppress(KeyboardInterrupt):
        fdd.distill(data, "dm", "cobra", 2, out=out, callback=stop, every=1, **options)
    assert fdd.distill(data, "dm", "cobra", 2, out=out, **options).images.equal(whole.images)
