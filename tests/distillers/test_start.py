import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.data.grouped import GroupedDataset
from fddkit.distillers.start import initial


@pytest.fixture
def train():
    g = torch.Generator().manual_seed(1)
    target = torch.tensor([0] * 6 + [1] * 9)
    return GroupedDataset.from_arrays(
        torch.randint(0, 256, (15, 3, 8, 8), generator=g, dtype=torch.uint8),
        target,
        torch.arange(15) % 2,
        name="toy",
    )


def test_real_images_of_each_class_with_their_groups(train):
    s = initial(train, 4, 0)
    assert s.target.tolist() == [0] * 4 + [1] * 4
    normalised = train.normalise(torch.arange(15))
    for image, y, a in zip(s.images, s.target, s.group, strict=True):
        same = (normalised == image).flatten(1).all(1).nonzero().flatten()
        assert train.target[same].tolist() == [y]
        assert train.group[same].tolist() == [a]
    assert len(s.images.flatten(1).unique(dim=0)) == 8


def test_noise(train):
    noise = initial(train, 20, 0, "noise")  # more than a class has
    assert noise.group.tolist() == [-1] * 40
    assert abs(noise.images.mean()) < 0.05
    assert abs(noise.images.std() - 1) < 0.05


def test_each_image_of_a_hybrid_is_real_or_noise(train):
    real, noise = (initial(train, 5, 3, kind) for kind in ("real", "noise"))
    hybrid = initial(train, 5, 3, "hybrid")
    drawn = hybrid.group >= 0
    assert drawn.any()
    assert not drawn.all()
    assert torch.equal(hybrid.images[drawn], real.images[drawn])
    assert torch.equal(hybrid.group[drawn], real.group[drawn])
    assert torch.equal(hybrid.images[~drawn], noise.images[~drawn])


def test_it_is_real_with_probability_one_half(train):
    seeds = 600
    drawn = torch.stack([initial(train, 2, seed, "hybrid").group >= 0 for seed in range(seeds)])
    assert (drawn.double().mean(0) - 0.5).abs().max() < 5 * 0.5 / seeds**0.5
    number = drawn.sum(1).bincount(minlength=5) / seeds  # independent: binomial
    wanted = torch.tensor([1, 4, 6, 4, 1]) / 16
    assert ((number - wanted).abs() < 5 * (wanted * (1 - wanted) / seeds).sqrt()).all()


def test_seeds_differ(train):
    first, second = (initial(train, 3, seed).images for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("init", ["real", "hybrid"])
def test_more_images_than_a_class_has(train, init, seed):
    with pytest.raises(FddkitError, match=r"ipc=7 is larger than class '.*' of toy \(6 images\)"):
        initial(train, 7, seed, init)


@pytest.mark.parametrize("ipc", [0, -1, 2.0, True])
def test_ipc_is_a_positive_integer(train, ipc):
    with pytest.raises(FddkitError, match="is not a positive integer"):
        initial(train, ipc, 0)


def test_an_empty_class_is_named():
    data = GroupedDataset.from_arrays(
        torch.zeros(4, 3, 8, 8, dtype=torch.uint8),
        torch.tensor([0, 0, 2, 2]),
        torch.zeros(4, dtype=torch.int64),
        name="gap",
        target_names=("0", "1", "2"),
    )
    with pytest.raises(FddkitError, match="class '1' of gap has no image"):
        initial(data, 1, 0)
