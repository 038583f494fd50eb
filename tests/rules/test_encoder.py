from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import toy

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.tensors import read_tensors
from fddkit.rules import encoder
from fddkit.rules.encoder import EncoderSettings, encode, gsc_loss

TINY = EncoderSettings(epochs=3, batch=16, width=2)


@pytest.fixture
def data():
    return toy(0, torch.full((3, 2), 6))


def by_loops(z, target, temperature, q, frozen):
    """The loss image by image; with ``frozen`` as written, without it the plain -p^q."""
    z = torch.stack([row / row.norm() for row in z])
    total, counted = 0.0, 0
    for i in range(len(z)):
        others = [k for k in range(len(z)) if k != i]
        scores = {k: torch.exp(z[i] @ z[k] / temperature) for k in others}
        positives = [k for k in others if target[k] == target[i]]
        if not positives:
            continue
        counted += 1
        own = 0.0
        for j in positives:
            p = scores[j] / sum(scores.values())
            own = own + (q * p.detach() ** q * torch.log(p) if frozen else p**q)
        total = total - own / len(positives)
    return total / max(counted, 1)


@given(seed=st.integers(0, 10**6))
def test_the_loss_and_its_gradient_equal_the_loops(seed):
    g = torch.Generator().manual_seed(seed)
    z = torch.randn(7, 4, generator=g, dtype=torch.float64, requires_grad=True)
    target = torch.randint(0, 3, (7,), generator=g)
    target[-1] = 9  # alone in its class
    fast = gsc_loss(z, target, 0.3, 0.6)
    slow = by_loops(z, target, 0.3, 0.6, frozen=True)
    plain = by_loops(z, target, 0.3, 0.6, frozen=False)
    if not isinstance(slow, torch.Tensor):
        assert fast == 0
        return
    assert fast.item() == pytest.approx(slow.item(), rel=1e-9)
    (gradient,) = torch.autograd.grad(fast, z)
    for reference in (slow, plain):  # the stop-gradient makes it that of -p^q
        (expected,) = torch.autograd.grad(reference, z)
        torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("optimiser", ["adam", "sgd"])
@pytest.mark.parametrize("where", ["gsc_loss", "backward", "features"])
def test_an_interrupted_training_ends_with_the_same_bits(
    data, tmp_path, monkeypatch, optimiser, where
):
    """Stop in the middle of the second of three epochs of three batches, or after the last."""
    chosen = replace(TINY, optimiser=optimiser)
    whole = encode(data, chosen, 0, cache=tmp_path / "whole", progress=False)[0]
    assert whole.shape == (36, 128)
    assert whole.dtype == torch.float32
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(36))
    calls, original = [], encoder.gsc_loss

    def counted(*arguments):
        calls.append(1)
        if len(calls) != 5 or where == "features":
            return original(*arguments)
        if where == "gsc_loss":  # the running statistics have moved on
            raise KeyboardInterrupt
        return interrupts(original(*arguments))

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(encoder, "gsc_loss", counted)
    with monkeypatch.context() as patch:
        if where == "features":
            patch.setattr(encoder._Training, "features", interrupted)
        with pytest.raises(KeyboardInterrupt):
            encode(data, chosen, 0, cache=tmp_path / "cut", progress=False)
    assert [p.suffix for p in (tmp_path / "cut").iterdir()] == [".part"]
    again = encode(data, chosen, 0, cache=tmp_path / "cut", progress=False)[0]
    assert torch.equal(again, whole)
    # nothing but the step that was cut was computed again
    assert len(calls) == (9 if where == "features" else 10)
    assert [p.suffix for p in (tmp_path / "cut").iterdir()] == [".safetensors"]
    files = [next((tmp_path / name).iterdir()) for name in ("whole", "cut")]
    first, second = (read_tensors(file, encoder.ENCODER)[0]["losses"] for file in files)
    assert first.shape == (3,)
    assert torch.equal(first, second)


def interrupts(loss):
    """The loss, whose gradient is never finished."""

    def stop(_):
        raise KeyboardInterrupt

    loss.register_hook(stop)
    return loss


def test_an_interrupt_inside_an_update_leaves_the_last_checkpoint(data, tmp_path, monkeypatch):
    whole = encode(data, TINY, 0, cache=tmp_path / "whole", progress=False)[0]
    steps, original = [], torch.optim.Adam.step

    def step(self):
        original(self)
        steps.append(1)
        if len(steps) == 5:  # the weights are a step ahead of the count
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(torch.optim.Adam, "step", step)
        with pytest.raises(KeyboardInterrupt):
            encode(data, TINY, 0, cache=tmp_path / "a", progress=False, checkpoint_seconds=0)
    (part,) = (tmp_path / "a").iterdir()
    assert len(read_tensors(part, encoder.BEGUN)[0]["losses"]) == 4
    assert torch.equal(encode(data, TINY, 0, cache=tmp_path / "a", progress=False)[0], whole)


def test_a_finished_encoder_is_loaded(data, tmp_path, monkeypatch):
    whole = encode(data, TINY, 0, cache=tmp_path, progress=False)[0]
    monkeypatch.setattr(encoder, "gsc_loss", lambda *_: pytest.fail("trained again"))
    assert torch.equal(encode(data, TINY, 0, cache=tmp_path, progress=False)[0], whole)


def test_what_the_features_depend_on_names_the_file(data, tmp_path):
    others = [
        (data, TINY, 1),
        (data, replace(TINY, lr=0.02), 0),
        (data.subset(torch.arange(30)), TINY, 0),
        (replace(data, mean=(0.1, 0.2, 0.3)), TINY, 0),  # seen by the network alone
    ]
    for i, (train, chosen, seed) in enumerate([(data, TINY, 0), *others]):
        encode(train, replace(chosen, epochs=1), seed, cache=tmp_path, progress=False)
        assert len(list(tmp_path.iterdir())) == i + 1


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("side", [8, 28])
def test_the_network_takes_gray_and_colour_of_any_size(channels, side):
    net = encoder.build(channels, 2, 0)
    assert net(torch.rand(2, channels, side, side + 1)).shape == (2, 128)
    assert torch.equal(net[0].weight, encoder.build(channels, 2, 0)[0].weight)
    assert not torch.equal(net[0].weight, encoder.build(channels, 2, 1)[0].weight)


def test_the_published_network_is_resnet18():
    net = encoder.build(3, 64, 0)
    convs = [m for m in net.modules() if isinstance(m, torch.nn.Conv2d)]
    linears = [m for m in net.modules() if isinstance(m, torch.nn.Linear)]
    assert len(convs) == 17 + 3  # and three shortcuts
    assert [(m.in_features, m.out_features) for m in linears] == [(512, 512), (512, 128)]


def test_groups_are_not_looked_at(data, tmp_path):
    blind = replace(data, group=torch.zeros_like(data.group))
    a = encode(data, TINY, 0, cache=tmp_path / "a", progress=False)[0]
    b = encode(blind, TINY, 0, cache=tmp_path / "b", progress=False)[0]
    assert torch.equal(a, b)


def test_sgd_and_one_last_image_work(data, tmp_path):
    chosen = EncoderSettings(epochs=2, batch=35, width=2, optimiser="sgd", lr=0.01)
    assert encode(data, chosen, 0, cache=tmp_path, progress=False)[0].isfinite().all()


def test_kde_is_distilled_from_the_class_mean_that_the_weights_give(data, tmp_path):
    options = {"preset": "smoke", "progress": False, "iterations": 2, "batch": 100, "width": 4,
               "depth": 2, "cache": tmp_path}  # fmt: skip
    plain = fdd.distill(data, "dm", "vanilla", 2, **options)
    weighted = fdd.distill(data, "dm", "kde", 2, kde_form="inverse", **options)
    assert not torch.equal(plain.images, weighted.images)
    assert len(list(tmp_path.glob("encoder-*.safetensors"))) == 1


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"lr": 0}, "lr=0 is not positive"),
        ({"lr": float("nan")}, "lr=nan is not positive"),
        ({"optimiser": "adamw"}, "did you mean 'adam'"),
        ({"epochs": 1.5}, "epochs=1.5 is not a positive integer"),
        ({"batch": 1}, "nothing to compare with"),
        ({"q": 2}, "q=2 is outside"),
        ({"momentum": 1}, "momentum=1 is outside"),
        ({"decay": -1}, "decay=-1 is negative"),
    ],
)
def test_mistakes_get_a_sentence(wrong, sentence):
    with pytest.raises(FddkitError, match=sentence):
        EncoderSettings(**{"epochs": 1, **wrong})


def test_images_too_small_and_a_diverging_loss_are_told(data, tmp_path):
    small = toy(0, torch.full((2, 2), 4), side=7)
    with pytest.raises(FddkitError, match="at least 8x8 pixels"):
        encode(small, TINY, 0, cache=tmp_path, progress=False)
    wild = replace(TINY, optimiser="sgd", lr=1e30)
    with pytest.raises(FddkitError, match="an lr smaller than 1e"):
        encode(data, wild, 0, cache=tmp_path, progress=False)
    with pytest.raises(FddkitError, match="cannot be used here"):
        encode(data, TINY, 0, cache=tmp_path, device="abacus", progress=False)
