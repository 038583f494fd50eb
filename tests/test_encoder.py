from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import toy

import fddkit as fdd
from fddkit import encoder
from fddkit.encoder import EncoderSettings, encode, gsc_loss
from fddkit.errors import FddkitError

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


def test_an_interrupted_training_ends_with_the_same_bits(data, tmp_path, monkeypatch):
    whole = encode(data, TINY, 0, cache=tmp_path / "whole", progress=False)
    assert whole.shape == (36, 128)
    torch.testing.assert_close(whole.norm(dim=1), torch.ones(36))
    calls, original = [], encoder.gsc_loss

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 5:  # in the second epoch of three batches
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(encoder, "gsc_loss", interrupted)
    with pytest.raises(KeyboardInterrupt):
        encode(data, TINY, 0, cache=tmp_path / "cut", progress=False)
    assert [p.suffix for p in (tmp_path / "cut").iterdir()] == [".part"]
    again = encode(data, TINY, 0, cache=tmp_path / "cut", progress=False)
    assert torch.equal(again, whole)
    assert len(calls) == 5 + 6  # one epoch was not computed again
    monkeypatch.setattr(encoder, "gsc_loss", lambda *_: pytest.fail("trained again"))
    assert torch.equal(encode(data, TINY, 0, cache=tmp_path / "cut", progress=False), whole)
    assert [p.suffix for p in (tmp_path / "cut").iterdir()] == [".safetensors"]


def test_groups_are_not_looked_at(data, tmp_path):
    blind = replace(data, group=torch.zeros_like(data.group))
    a = encode(data, TINY, 0, cache=tmp_path / "a", progress=False)
    b = encode(blind, TINY, 0, cache=tmp_path / "b", progress=False)
    assert torch.equal(a, b)


def test_sgd_and_one_last_image_work(data, tmp_path):
    chosen = EncoderSettings(epochs=2, batch=35, width=2, optimiser="sgd", lr=0.01)
    assert encode(data, chosen, 0, cache=tmp_path, progress=False).isfinite().all()


def test_kde_is_distilled_from_the_class_mean_that_the_weights_give(data, tmp_path):
    options = {"preset": "smoke", "progress": False, "iterations": 2, "batch": 100, "width": 4,
               "depth": 2, "cache": tmp_path}  # fmt: skip
    plain = fdd.distill(data, "dm", "vanilla", 2, **options)
    weighted = fdd.distill(data, "dm", "kde", 2, kde_form="inverse", **options)
    assert not torch.equal(plain.images, weighted.images)
    assert len(list(tmp_path.glob("encoder-*.safetensors"))) == 1


def test_mistakes_get_a_sentence():
    with pytest.raises(FddkitError, match="lr=0 is not positive"):
        EncoderSettings(epochs=1, lr=0)
    with pytest.raises(FddkitError, match="did you mean 'adam'"):
        EncoderSettings(epochs=1, optimiser="adamw")
