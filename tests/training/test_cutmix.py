import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.rng import generator
from fddkit.training.cutmix import cutmix


@given(seed=st.integers(0, 10**6))
def test_labels_weigh_as_the_pixels_that_are_left(seed):
    images = torch.arange(6.0)[:, None, None, None].expand(6, 3, 9, 7).contiguous()
    target = torch.tensor([0, 1, 2, 3, 4, 5])
    mixed, labels = cutmix(images, target, 6, 1.0, generator(seed))
    for image, label in zip(mixed, labels, strict=True):
        share = torch.stack([(image[0] == y).float().mean() for y in range(6)])
        torch.testing.assert_close(label, share)
    again = cutmix(images, target, 6, 1.0, generator(seed))
    assert torch.equal(mixed, again[0])


def test_rectangles_are_of_every_size():
    images = torch.arange(2.0)[:, None, None, None].expand(2, 1, 32, 32).contiguous()
    kept = []
    for seed in range(300):
        _, labels = cutmix(images, torch.tensor([0, 1]), 2, 1.0, generator(seed))
        kept.append(labels[0, 0].item())
    kept = torch.tensor(kept)
    assert kept.min() < 0.3
    assert kept.max() > 0.97
    assert 0.1 < kept.std() < 0.4


def test_a_batch_that_is_not_mixed_keeps_its_labels():
    images = torch.randn(4, 3, 8, 8)
    seen, labels = cutmix(images, torch.tensor([1, 0, 2, 2]), 3, 0.0, generator(0))
    assert seen is images
    assert labels.argmax(1).tolist() == [1, 0, 2, 2]
    mixed = sum(
        cutmix(images, torch.zeros(4, dtype=torch.int64), 3, 0.5, generator(s))[0] is not images
        for s in range(400)
    )
    assert 160 < mixed < 240
