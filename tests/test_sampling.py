import pytest
import torch

from fddkit.grouped import GroupedDataset
from fddkit.rng import generator
from fddkit.sampling import Sampler

COUNTS = torch.tensor([[40, 8, 2], [5, 0, 30]])  # one absent group, one tiny one


@pytest.fixture
def data():
    target = torch.repeat_interleave(torch.tensor([0, 0, 0, 1, 1, 1]), COUNTS.flatten())
    group = torch.repeat_interleave(torch.tensor([0, 1, 2, 0, 1, 2]), COUNTS.flatten())
    order = torch.randperm(len(target))
    images = torch.zeros(len(target), 3, 8, 8, dtype=torch.uint8)
    return GroupedDataset.from_arrays(images, target[order], group[order], name="toy")


@pytest.mark.parametrize("mode", ["class", "group"])
def test_a_draw_has_no_repeats_and_names_its_cells(data, mode):
    sampler = Sampler(data, 12, mode)
    index, cell = sampler.draw(generator(0, "x"))
    assert len(index.unique()) == len(index)
    assert torch.equal(cell, data.target[index] * data.n_groups + data.group[index])
    again, _ = sampler.draw(generator(0, "x"))
    other, _ = sampler.draw(generator(1, "x"))
    assert torch.equal(index, again)
    assert not torch.equal(index, other)


def test_class_sampling_draws_the_batch_from_each_class(data):
    index, _ = Sampler(data, 12, "class").draw(generator(0, "x"))
    assert torch.bincount(data.target[index]).tolist() == [12, 12]
    whole, _ = Sampler(data, 1000, "class").draw(generator(0, "x"))
    assert sorted(whole.tolist()) == list(range(len(data)))


def test_group_sampling_is_balanced_over_the_groups_there_are(data):
    for seed in range(20):
        _, cell = Sampler(data, 12, "group").draw(generator(seed, "x"))
        # 12 // 3 = 4 of each group of class 0 (2 where there are 2); 12 // 2 = 6 of class 1
        assert torch.bincount(cell, minlength=6).tolist() == [4, 4, 2, 5, 0, 6]


def test_class_sampling_is_uniform_over_the_class(data):
    sampler = Sampler(data, 10, "class")
    drawn = torch.cat([sampler.draw(generator(s, "u"))[1] for s in range(2000)])
    share = torch.bincount(drawn, minlength=6).view(2, 3) / (2000 * 10)
    assert (share - COUNTS / COUNTS.sum(1, keepdim=True)).abs().max() < 0.01


def test_vanilla_weights(data):
    counts = torch.tensor([[4, 4, 2], [5, 0, 6]])
    batch = Sampler(data, 12, "class").weights(counts)
    assert batch[0].tolist() == pytest.approx([0.4, 0.4, 0.2])
    population = Sampler(data, 12, "group").weights(counts)
    assert population[0].tolist() == pytest.approx([0.8, 0.16, 0.04])
