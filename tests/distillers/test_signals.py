import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from fddkit.distillers import signals
from fddkit.distillers.signals import Weights, segment_sum
from fddkit.training import networks

NETWORKS = {"convnet": (8, 8, 2), "alexnet": (16, 128, 3), "vgg11": (32, 128, 3)}


@given(cells=st.lists(st.integers(0, 6), min_size=1, max_size=30), seed=st.integers(0, 10**6))
def test_segment_sums_equal_the_loop(cells, seed):
    g = torch.Generator().manual_seed(seed)
    segment = torch.tensor(cells)
    features = torch.randn(len(segment), 4, generator=g, dtype=torch.float64)
    weight = torch.rand(len(segment), generator=g, dtype=torch.float64)
    sums = segment_sum(features, segment, weight, 8)  # segment 7 is always empty
    for c in range(8):
        rows = [weight[i] * features[i] for i, own in enumerate(cells) if own == c]
        expected = sum(rows) if rows else torch.zeros(4, dtype=torch.float64)
        torch.testing.assert_close(sums[c], expected, rtol=1e-12, atol=1e-14)


def build(name):
    side, width, depth = NETWORKS[name]
    net = networks.build(name, (3, side, side), 4, 0, width, depth).double().requires_grad_(False)
    return net, side


def slow(net, image, y, kinds):
    """The gradient of one image, by autograd in the parameters."""
    net.requires_grad_(True)
    weights = [p for p in net.parameters() if p.ndim in kinds]
    loss = F.cross_entropy(net(image[None]), torch.tensor([y]))
    found = torch.autograd.grad(loss, weights, create_graph=True)
    return torch.cat([g.flatten() for g in found])


@pytest.mark.parametrize("classifier", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("chunk", [1, 4, 100])
def test_real_gradients_of_segments_equal_autograd_image_by_image(
    name, classifier, chunk, monkeypatch
):
    monkeypatch.setattr(signals, "chunk_size", lambda *_: chunk)
    net, side = build(name)
    images = torch.randn(9, 3, side, side, dtype=torch.float64)
    target = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    segment = torch.tensor([0, 0, 2, 3, 3, 3, 4, 6, 6])
    weight = torch.rand(9, dtype=torch.float64)
    fast = Weights(net, classifier).real(images, target, segment, weight, 7)
    kinds = (2, 4) if classifier else (4,)
    one = torch.stack(
        [slow(net, x, int(y), kinds).detach() for x, y in zip(images, target, strict=True)]
    )
    expected = torch.zeros_like(fast).index_add(0, segment, weight[:, None] * one)
    assert not fast.requires_grad
    torch.testing.assert_close(fast, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", NETWORKS)
def test_synthetic_gradients_carry_the_gradient_of_the_loop(name):
    net, side = build(name)
    images = torch.randn(6, 3, side, side, dtype=torch.float64, requires_grad=True)
    target = torch.arange(3).repeat_interleave(2)
    fast = Weights(net).synthetic(images, target, 3)
    one = [slow(net, x, int(y), (2, 4)) for x, y in zip(images, target, strict=True)]
    loop = torch.stack([(one[2 * y] + one[2 * y + 1]) / 2 for y in range(3)])
    torch.testing.assert_close(fast, loop, rtol=1e-9, atol=1e-12)
    weights = torch.randn_like(fast)
    torch.testing.assert_close(
        *(torch.autograd.grad((weights * s).sum(), images)[0] for s in (fast, loop)),
        rtol=1e-7,
        atol=1e-11,
    )


def test_a_flat_gradient_is_split_into_its_layers():
    net, _ = build("convnet")
    weights = Weights(net)
    flat = torch.arange(2 * sum(a * b for a, b in weights.shapes)).view(2, -1)
    parts = weights.split(flat)
    assert [p.shape[1:] for p in parts] == [(8, 27), (8, 72), (4, 32)]
    assert torch.equal(torch.cat([p.flatten(1) for p in parts], 1), flat)
    assert len(Weights(net, classifier=False).layers) == 2
