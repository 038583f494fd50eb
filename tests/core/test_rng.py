import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.rng import derive, generator, normal


def test_streams_are_told_apart_by_their_names():
    names = [(0,), (1,), (0, "a"), (0, "a", 1), (0, "a1"), (0, "a", "1 "), (0, "b", 1)]
    assert len({derive(*n) for n in names}) == len(names)
    assert torch.equal(
        torch.rand(4, generator=generator(3, "x")), torch.rand(4, generator=generator(3, "x"))
    )


@given(index=st.lists(st.integers(0, 10**7), min_size=1, max_size=20), seed=st.integers(0, 99))
def test_noise_belongs_to_the_image_not_to_the_batch(index, seed):
    batch = normal(torch.tensor(index), (3, 4, 4), seed)
    for row, i in zip(batch, index, strict=True):
        assert torch.equal(row, normal(torch.tensor([i]), (3, 4, 4), seed)[0])


def test_noise_is_standard_normal_and_uncorrelated():
    noise = normal(torch.arange(500), (1000,), 1)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs((noise**4).mean() - 3) < 0.05  # the kurtosis of a normal distribution
    below = [(noise < q).float().mean().item() for q in (-1.96, 0.0, 1.96)]
    assert all(abs(b - e) < 0.003 for b, e in zip(below, (0.025, 0.5, 0.975), strict=True))
    off = torch.corrcoef(noise) - torch.eye(500)
    assert off.abs().max() < 0.2  # expected maximum of 125 000 correlations of 1000 points: 0.15
    assert not torch.equal(noise, normal(torch.arange(500), (1000,), 2))
