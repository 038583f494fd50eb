"""A scene shows what the whole training set of that bias ratio is."""

import pytest
import torch

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.theory import Signal
from fddkit.workbench.choice import Choice
from fddkit.workbench.scenes import SAMPLE, Bench


@pytest.fixture(scope="module")
def bench():
    return Bench()


@pytest.mark.parametrize("gap", [None, 0, 3])
@pytest.mark.parametrize("br", [0.5, 0.8, 1.0])
def test_counts_are_those_of_the_loaded_set(bench, br, gap):
    scene = bench.scene(Choice(br=br, gap=gap, seed=2))
    train, _ = fdd.load("digits", br=br, gap=gap, seed=2)
    assert torch.equal(scene.counts, train.counts())
    assert scene.group_names == train.group_names


def test_images_are_those_of_the_loaded_set(bench):
    choice = Choice(br=0.6, ipc=3)
    scene, (train, _) = bench.scene(choice), fdd.load("digits", br=0.6)
    own = {image.numpy().tobytes() for image in train.images}
    assert len(scene.images) == 30
    assert all(image.numpy().tobytes() in own for image in scene.images)
    for image, group in zip(scene.images, scene.group, strict=True):
        same = (train.images == image).flatten(1).all(1)
        assert group in train.group[same]


def test_the_gallery_has_the_majoritys_share(bench):
    scene = bench.scene(Choice(br=0.8, ipc=10))
    majority = torch.arange(10).repeat_interleave(10)
    assert (scene.group == majority).view(10, 10).sum(1).tolist() == [8] * 10


def test_the_same_originals_at_every_bias_ratio(bench):
    low, high = (bench.scene(Choice(br=br)) for br in (0.2, 1.0))
    # a digit in another colour has the same shape: where it is black, it is black in both
    black = [(scene.images.amax(1) == 0) for scene in (low, high)]
    assert torch.equal(*black)


def test_the_groups_means_are_those_of_the_sampled_originals(bench):
    """Slow and obvious: paint the sample of one class in one group, and take its mean embedding."""
    scene = bench.scene(Choice(br=0.8))
    canvas = bench.canvas(Choice())
    index = canvas.deck.rows[4][:SAMPLE]
    part = canvas.painted(torch.full_like(index, 7), index)
    signal = Signal(part, "dm")
    with torch.no_grad():
        mean = signal.net.embed(part.normalise(part.images)).double().mean(0)
    assert torch.allclose(scene.stats.points[4, 7], mean, rtol=1e-5, atol=1e-6)


def test_points_stay_while_the_bias_ratio_moves(bench):
    one, other = (bench.scene(Choice(br=br)).stats for br in (0.2, 0.9))
    assert torch.equal(one.points, other.points)
    assert other.shares[0, 0] == pytest.approx(0.9, abs=0.01)
    alone = bench.scene(Choice(br=1.0)).stats
    assert alone.present.sum(1).tolist() == [1] * 10
    assert (alone.points[~alone.present] == 0).all()


def test_what_is_kept_is_bounded(bench):
    for seed in range(5):
        for gap in (None, 0, 1, 2, 3, 4):
            bench.scene(Choice(seed=seed, gap=gap, br=0.8, ipc=1))
    assert len(bench._originals) <= 2
    assert {(d, s) for d, s, _ in bench._canvases} <= set(bench._originals)
    assert len(bench._points) <= 32


def test_a_set_that_is_not_here_is_told():
    with pytest.raises(FddkitError, match="needs MNIST"):
        Bench("nowhere").scene(Choice("cmnist-fg", br=0.9))
