from functools import partial

import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.data.grouped import GroupedDataset
from fddkit.distillers.start import baseline, initial


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


def test_random_is_where_dm_starts(train):
    random = baseline(train, "random", 3, 5)
    assert random.images.dtype == torch.uint8
    assert torch.equal(random.normalised(), initial(train, 3, 5).images)


def test_whole_is_everything(train):
    s = baseline(train, "whole", 1, 0)
    assert torch.equal(s.images, train.images)
    assert torch.equal(s.group, train.group)


def test_noise_and_hybrid(train):
    noise = initial(train, 20, 0, "noise")  # more than a class has
    assert noise.group.tolist() == [-1] * 40
    assert abs(noise.images.mean()) < 0.05
    assert abs(noise.images.std() - 1) < 0.05
    hybrid = initial(train, 5, 0, "hybrid")
    assert (hybrid.group >= 0).view(2, 5).tolist() == [[True, True, True, False, False]] * 2


def test_seeds_differ(train):
    first, second = (initial(train, 3, seed).images for seed in (0, 1))
    assert not torch.equal(first, second)


@pytest.mark.parametrize("make", [initial, partial(baseline, name="random")])
def test_more_images_than_a_class_has(train, make):
    with pytest.raises(FddkitError, match=r"ipc=7 is larger than class '.*' of toy \(6 images\)"):
        make(train, ipc=7, seed=0)


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
