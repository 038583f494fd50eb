import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from references import loss as slow_loss
from references import toy

from fddkit.distillers import signals
from fddkit.distillers.dm import DM, DMSettings
from fddkit.distillers.registry import METHODS
from fddkit.distillers.signals import Statistic
from fddkit.rules.rules import RULES
from fddkit.training import augment, networks

ALL = "_".join(augment.FAMILIES)
COUNTS = torch.tensor([[9, 1, 0], [3, 5, 2], [0, 1, 4]])  # absent and single-image groups

# one small configuration of each method: every option that its step depends on is in use
TINY = {
    "dm": {"augment": ALL},
    "dc": {"outer": 2, "inner": 1},
    "dsa": {"augment": ALL, "outer": 2, "inner": 1},
    "idc": {"outer": 2, "factor": 2, "distance": "mse", "net_data": 16, "init": "noise"},
    "cafe": {"outer": 2, "inner": 1, "watched": 4, "augment": ALL},
    "dream": {"outer": 3, "factor": 1, "distance": "l1", "net_data": 16, "interval": 2},
}
CELLS = [(m, r) for m in METHODS for r in RULES if not METHODS[m].lacks(RULES[r]) and m in TINY]


def build(method, data, ipc=2, seed=0, **changed):
    distiller = METHODS[method]
    chosen = {"iterations": 1, "batch": 6, "width": 4, "depth": 2, **TINY[method], **changed}
    kind = type(distiller.presets["quick"])
    density = torch.rand(len(data), dtype=torch.float64)
    resolved = kind(**chosen).resolve(ipc, data)
    m = distiller(data, ipc, resolved, seed, dtype=torch.float64)
    m.sampler.log_weights = density.log()
    return m


@pytest.mark.parametrize("sampling", ["class", "group"])
@pytest.mark.parametrize(("method", "rule"), CELLS)
@settings(max_examples=3)
@given(seed=st.integers(0, 10**6))
def test_loss_and_gradient_equal_the_loops(method, rule, sampling, seed):
    data = toy(seed, COUNTS)
    normalise = "groups" if seed % 2 else "none"
    m = build(method, data, seed=seed, sampling=sampling, normalise=normalise)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    for step in range(m.per_network):  # the second step sees a network that was trained
        found, gradient = m.gradient(images, RULES[rule], step)
        own = images.clone().requires_grad_()
        slow = slow_loss(method, m, own, rule, step)
        (expected,) = torch.autograd.grad(slow, own)
        assert found == pytest.approx(slow.item(), rel=1e-6)
        assert (gradient - expected).norm() <= 1e-6 * expected.norm()
        m.after(images, step)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("groups", [2, 10])
def test_fairdd_is_cobra_times_the_number_of_groups(groups, dtype):
    data = toy(0, torch.randint(1, 9, (3, groups)))
    chosen = DMSettings(batch=1000, width=16, depth=2, augment=ALL).resolve(4, data)
    m = DM(data, 4, chosen, 0, dtype=dtype)
    images = torch.randn(12, 3, 8, 8, dtype=dtype)
    fairdd, cobra = (m.gradient(images, RULES[r], 0)[1] for r in ("fairdd", "cobra"))
    assert (fairdd - groups * cobra).norm() <= 1e-5 * fairdd.norm()


@pytest.mark.parametrize("method", TINY)
def test_blocks_of_classes_do_not_change_the_step(method, monkeypatch):
    data = toy(1, torch.full((5, 2), 4))
    m = build(method, data, ipc=3)
    images = torch.randn(15, 3, 8, 8, dtype=torch.float64)
    results = []
    for chunk in (1, 7, 1000):
        for module in (networks, signals):
            monkeypatch.setattr(module, "chunk_size", lambda *_, size=chunk: size)
        results.append(m.gradient(images, RULES["fairdd"], 0))
    for found, gradient in results[1:]:
        assert found == pytest.approx(results[0][0], rel=1e-9)
        torch.testing.assert_close(gradient, results[0][1])


@pytest.mark.parametrize("method", [m for m in TINY if "augment" in TINY[m]])
def test_augmentation_is_siamese(method, monkeypatch):
    """Equal images, real and synthetic, are still equal when the network sees them."""
    data = toy(2, torch.full((3, 2), 1))
    m = build(method, data, ipc=2, batch=2)
    seen = {"real": [], "synthetic": []}

    def statistic(net, images, target, segments):
        seen["real"].append((target, images))
        return Statistic(torch.zeros(segments.n, 1, dtype=torch.float64))

    def synthetic(net, images, target, classes):
        seen["synthetic"].append((target, images.detach()))
        return images.flatten(1).sum(1).view(classes, -1)[:, :1]

    monkeypatch.setattr(m, "statistic", statistic)
    monkeypatch.setattr(m, "synthetic", synthetic)
    monkeypatch.setattr(m, "loss", lambda net, goal, synthetic, rows: synthetic.sum())
    for step in range(8):
        index = m.batch(step).index
        images = data.normalise(index).double()
        m.gradient(images, RULES["fairdd"], step)
        (label, real), (other, own) = seen["real"][-1], seen["synthetic"][-1]
        assert torch.equal(label, other)
        torch.testing.assert_close(real, own)
        assert not torch.equal(real, images)


@pytest.mark.gpu
@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "minimax", "cobra-linf"])
@pytest.mark.parametrize("method", TINY)
def test_a_gpu_takes_the_same_step(method, rule):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    data = toy(3, COUNTS)
    images, found = torch.randn(6, 3, 8, 8, dtype=torch.float64), []
    for device in ("cpu", "cuda"):
        m = METHODS[method](data, 2, build(method, data).settings, 0, device, torch.float64)
        x = images.to(device)
        steps = []
        for step in range(m.per_network):
            loss, gradient = m.gradient(x, RULES[rule], step)
            steps.append((loss, gradient.cpu()))
            m.after(x, step)
        found.append(steps)
    for (a, g), (b, h) in zip(*found, strict=True):
        assert a == pytest.approx(b, rel=1e-7)
        torch.testing.assert_close(g, h, rtol=1e-6, atol=1e-9)
