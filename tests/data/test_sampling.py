import pytest
import torch

from fddkit.core.rng import generator
from fddkit.data.grouped import GroupedDataset
from fddkit.data.sampling import Sampler, cells, classes

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
    batch = sampler.draw(generator(0, "x"))
    index, cell = batch.index, batch.cell
    assert len(index.unique()) == len(index)
    assert torch.equal(cell, data.target[index] * data.n_groups + data.group[index])
    assert torch.equal(cell, cell.sort().values)
    assert torch.equal(batch.target, data.target[index])
    assert torch.equal(batch.counts, data.subset(index).counts())
    again = sampler.draw(generator(0, "x")).index
    other = sampler.draw(generator(1, "x")).index
    assert torch.equal(index, again)
    assert not torch.equal(index, other)


def test_class_sampling_draws_the_batch_from_each_class(data):
    index = Sampler(data, 12, "class").draw(generator(0, "x")).index
    assert torch.bincount(data.target[index]).tolist() == [12, 12]
    whole = Sampler(data, 1000, "class").draw(generator(0, "x")).index
    assert sorted(whole.tolist()) == list(range(len(data)))


def test_group_sampling_is_balanced_over_the_groups_there_are(data):
    for seed in range(20):
        counts = Sampler(data, 12, "group").draw(generator(seed, "x")).counts
        # 12 // 3 = 4 of each group of class 0 (2 where there are 2); 12 // 2 = 6 of class 1
        assert counts.tolist() == [[4, 4, 2], [5, 0, 6]]


def test_group_sampling_may_take_the_whole_batch_from_each_group(data):
    counts = Sampler(data, 12, "group", "whole").draw(generator(0, "x")).counts
    assert counts.tolist() == [[12, 8, 2], [5, 0, 12]]


def test_class_sampling_is_uniform_over_the_class(data):
    sampler = Sampler(data, 10, "class")
    drawn = sum(sampler.draw(generator(s, "u")).counts for s in range(2000))
    share = drawn / (2000 * 10)
    assert (share - COUNTS / COUNTS.sum(1, keepdim=True)).abs().max() < 0.01


def test_frequencies_are_those_of_the_batch_or_of_the_set(data):
    batch = Sampler(data, 12, "class").draw(generator(0, "x"))
    assert torch.equal(batch.frequency, batch.counts.double() / 12)
    whole = Sampler(data, 12, "group").draw(generator(0, "x"))
    assert whole.frequency[0].tolist() == pytest.approx([0.8, 0.16, 0.04])


def test_a_part_of_a_batch_is_the_batch_of_those_classes(data):
    density = torch.rand(len(data), dtype=torch.float64)
    sampler = Sampler(data, 12, "class")
    sampler.log_weights = density
    batch = sampler.draw(generator(0, "x"))
    part = batch.part(slice(1, 2))
    assert torch.equal(part.index, batch.index[12:])
    assert torch.equal(part.cell, batch.cell[12:] - 3)
    assert torch.equal(part.counts, batch.counts[1:])
    assert torch.equal(part.log_weights, density[part.index])
    assert part.target.unique().tolist() == [0]


def test_a_chosen_batch_may_hold_an_image_twice(data):
    index = torch.cat([torch.arange(10), torch.arange(10)])
    batch = Sampler(data, 12, "class").batch(index)
    assert batch.counts.sum() == 20
    assert torch.equal(batch.index.sort().values, index.sort().values)


def test_cells_and_classes_are_their_rows(data):
    data.group[torch.randperm(len(data))[:9]] = -1
    for y, (rows, pools) in enumerate(zip(classes(data), cells(data), strict=True)):
        assert rows.tolist() == [i for i in range(len(data)) if data.target[i] == y]
        for a, pool in enumerate(pools):
            assert pool.tolist() == [i for i in rows.tolist() if data.group[i] == a]


@pytest.mark.parametrize("group_batch", ["share", "whole"])
def test_pools_are_those_of_the_classes_or_of_the_cells_that_have_images(data, group_batch):
    assert [pool.tolist() for pool, _ in Sampler(data, 12, "class").pools] == [
        rows.tolist() for rows in classes(data)
    ]
    found = Sampler(data, 12, "group", group_batch).pools
    expected = [pool for pools in cells(data) for pool in pools if len(pool)]
    assert [pool.tolist() for pool, _ in found] == [pool.tolist() for pool in expected]
    quota = [4, 4, 4, 6, 6] if group_batch == "share" else [12] * 5  # 3 groups, then 2
    assert [n for _, n in found] == quota
