from dataclasses import replace

import pytest
import torch
from references import toy
from torch.nn import functional as F

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.data.traits import CLOTHES
from fddkit.distillers.dream import DREAM, DREAMSettings
from fddkit.distillers.idc import IDC, IDCSettings
from fddkit.rules.rules import RULES
from fddkit.training.networks import embed


@pytest.fixture
def data():
    """Real images whose normalisation differs from channel to channel."""
    made = toy(0, torch.full((3, 2), 20))
    return replace(made, mean=(0.2, 0.5, 0.7), std=(0.1, 0.25, 0.5))


def build(data, kind=IDC, ipc=2, dtype=torch.float64, **changed):
    settings = DREAMSettings if kind is DREAM else IDCSettings
    chosen = {"batch": 4, "width": 4, "depth": 2, "outer": 3, "net_data": 20, **changed}
    return kind(data, ipc, settings(iterations=2, **chosen).resolve(ipc, data), 0, dtype=dtype)


def pixels(m, images):
    mean, std = (torch.tensor(x)[:, None, None] for x in (m.train.mean, m.train.std))
    return images * std + mean


@pytest.mark.parametrize("factor", [2, 3])
def test_mix_shrinks_real_images_into_blocks(data, factor):
    m = build(data, factor=factor)
    s = m.start()
    assert s.factor == factor
    assert s.images.shape == (6, 3, 8, 8)
    assert s.target.tolist() == [0, 0, 1, 1, 2, 2]
    assert (s.group == -1).all()
    size = -(-8 // factor)
    reals = data.normalise(data.images)
    shrunk = F.interpolate(reals, size=(size, size), mode="nearest")
    for image, y in zip(s.images, s.target, strict=True):
        for i in range(factor):
            for j in range(factor):
                block = image[:, i * size : (i + 1) * size, j * size : (j + 1) * size]
                part = shrunk[:, :, : block.shape[1], : block.shape[2]]
                found = torch.isclose(part, block).flatten(1).all(1)
                assert found.any()
                assert data.target[found.nonzero()[0, 0]] == y


def test_a_factor_of_one_starts_from_the_real_images(data):
    s = build(data, factor=1).start()
    assert s.factor == 1
    assert (s.group >= 0).all()
    reals = data.normalise(data.images)
    assert all((reals == image).flatten(1).all(1).any() for image in s.images)


def test_too_few_images_to_mix_are_named(data):
    with pytest.raises(FddkitError, match="44 real images of each class are to be mixed"):
        build(data, ipc=11, factor=2).start()


def test_steps_are_those_on_pixels(data):
    """A step of lr on pixels, written out, is a step of rate(0) on normalised images."""
    m = build(data, factor=1)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    x = pixels(m, images).requires_grad_()
    mean, std = (torch.tensor(v)[:, None, None] for v in (data.mean, data.std))
    _, gradient = m.gradient(images, RULES["vanilla"], 0)
    weights = torch.randn_like(gradient)
    (slope,) = torch.autograd.grad((weights * ((x - mean) / std)).sum(), x)
    torch.testing.assert_close(slope, weights / std)  # the chain rule that rate rests on
    stepped = pixels(m, images) - m.settings.lr * gradient / std
    torch.testing.assert_close(pixels(m, images - m.rate(0) * gradient), stepped)


def test_pixels_are_clamped_when_a_network_ends(data):
    m = build(data, dtype=torch.float32)
    images = 5 * torch.randn(6, 3, 8, 8)
    wild = images.clone()
    m.after(images, 0)
    assert torch.equal(images, wild)
    m.after(images, 2)
    found = pixels(m, images)
    assert found.min() >= -1e-6
    assert found.max() <= 1 + 1e-6
    torch.testing.assert_close(found, pixels(m, wild).clamp(0, 1), rtol=1e-5, atol=1e-6)


def test_a_random_subset_of_many_decoded_images_is_seen(data):
    m = build(data, factor=2, batch_syn=5, augment="none", ipc=2)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    seen, labels = m.show(images, 0, m.draws(0), 0)
    assert labels.tolist() == [0] * 5 + [1] * 5 + [2] * 5
    whole, _ = build(data, factor=2, augment="none").show(images, 0, [], 0)
    assert len(whole) == 24
    for y in range(3):
        own, all_of_class = seen[5 * y : 5 * y + 5], whole[8 * y : 8 * y + 8]
        distances = torch.cdist(own.flatten(1), all_of_class.flatten(1))
        assert distances.min(1).values.max() == 0
        assert len(distances.argmin(1).unique()) == 5
    other, _ = m.show(images, 0, m.draws(1), 1)
    assert not torch.equal(seen, other)
    # a block of classes sees what it sees among all
    torch.testing.assert_close(m.show(images[2:], 1, m.draws(0), 0)[0], seen[5:])


def test_the_network_trains_on_real_images_with_momentum(data):
    m = build(data, augment="none", cutmix=0.0, net_batch=8)
    slow = m.fresh(0).requires_grad_(True)
    velocity = [torch.zeros_like(p) for p in slow.parameters()]
    for step in range(2):
        order = torch.randperm(len(data), generator=(rng := generator(0, "train", step)))[:20]
        for rows in order.split(8):
            torch.rand(4, generator=rng), torch.randperm(len(rows), generator=rng)
            loss = F.cross_entropy(slow(data.normalise(rows).double()), data.target[rows])
            gradients = torch.autograd.grad(loss, list(slow.parameters()))
            for p, v, g in zip(slow.parameters(), velocity, gradients, strict=True):
                v.mul_(0.9).add_(g + 5e-4 * p.data)
                p.data -= 0.01 * v
        m.after(torch.zeros(6, 3, 8, 8, dtype=torch.float64), step)
    for p, q in zip(m.network(2).parameters(), slow.parameters(), strict=True):
        torch.testing.assert_close(p, q.detach())


@pytest.mark.parametrize("sampling", ["class", "group"])
def test_representatives_are_the_nearest_to_their_centres_and_kept_for_an_interval(data, sampling):
    m = build(data, DREAM, sampling=sampling, interval=2)
    first, second, third = (m.batch(step) for step in range(3))
    assert torch.equal(first.index, second.index)
    assert first.counts.sum(1).tolist() == [4, 4, 4]
    if sampling == "group":
        assert (first.counts == 2).all()
    m.after(torch.zeros(6, 3, 8, 8, dtype=torch.float64), 0)
    assert third.counts.sum() == 12
    features = embed(m.fresh(0), data.images.double() / 255)
    spread = features.std(0).norm()
    for y in range(3):  # clusters cover a class better than chance
        own = features[data.target == y]
        chosen = features[first.index[first.target == y]]
        covered = torch.cdist(own, chosen).min(1).values.mean()
        assert covered < spread * 2


def test_paper_settings_follow_the_official_code():
    train = fdd.load("digits", seed=0)[0]
    images = torch.zeros(20, 3, 32, 32, dtype=torch.uint8)
    cifar = fdd.GroupedDataset.from_arrays(images, [0, 1] * 10, [0] * 20, name="cifar10-s")
    fashion = replace(cifar, traits=CLOTHES)
    paper = IDC.presets["paper"]
    c, f, d = (paper.resolve(10, one) for one in (cifar, fashion, train))
    assert (c.distance, c.lr, c.net_data, c.factor) == ("mse", 5e-3, 2000, 2)
    assert (f.distance, f.lr, f.net_data, f.cutmix) == ("l1", 1e-4, 500, 0.5)
    assert (d.distance, d.factor, d.augment) == ("l1", 1, "color+crop+cutout")
    assert d.lr == pytest.approx(1e-4 * (16 / 28) ** 2)
    two = IDCSettings(factor=2).resolve(50, train)
    assert (two.augment, two.cutmix) == ("color+crop", 0.0)
    assert two.lr == pytest.approx(5e-4 * (16 / 28) ** 2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"factor": 0}, "factor=0 is not a positive integer"),
        ({"cutmix": 1.5}, "cutmix=1.5 is not a probability"),
        ({"net_momentum": 1.0}, "net_momentum=1.0 is outside"),
        ({"distance": "l3"}, "not a value of distance"),
        ({"init": "mixed"}, "did you mean 'mix'"),
    ],
)
def test_mistakes_get_a_sentence(wrong, sentence):
    with pytest.raises(FddkitError, match=sentence):
        IDCSettings(**wrong)
