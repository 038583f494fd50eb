import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit import networks
from fddkit.signals import cell_means, real_embeddings, synthetic_embeddings


@given(cells=st.lists(st.integers(0, 6), min_size=1, max_size=30), seed=st.integers(0, 10**6))
def test_cell_means_equal_the_loop(cells, seed):
    cell = torch.tensor(cells)
    features = torch.randn(
        len(cell), 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )
    means, counts = cell_means(features, cell, 8)  # cell 7 is always empty
    for c in range(8):
        rows = features[[i for i, own in enumerate(cells) if own == c]]
        assert counts[c] == len(rows)
        expected = rows.mean(0) if len(rows) else torch.zeros(4, dtype=torch.float64)
        torch.testing.assert_close(means[c], expected, rtol=1e-12, atol=1e-14)


def test_real_embeddings_have_no_graph_and_equal_one_image_at_a_time():
    net = networks.build("convnet", (3, 16, 16), 4, 0, width=8).double()
    images = torch.randn(70, 3, 16, 16, dtype=torch.float64)
    cell = torch.randint(0, 8, (70,))
    means, counts = real_embeddings(net, images, cell, 8)
    assert not means.requires_grad
    assert counts.sum() == 70
    for c in cell.unique():
        slow = torch.stack([net.embed(image[None])[0] for image in images[cell == c]]).mean(0)
        torch.testing.assert_close(means[c], slow.detach(), rtol=1e-10, atol=1e-12)


def test_synthetic_embeddings_carry_the_gradient_of_the_loop():
    net = networks.build("convnet", (3, 16, 16), 3, 1, width=8).double()
    images = torch.randn(6, 3, 16, 16, dtype=torch.float64, requires_grad=True)
    fast = synthetic_embeddings(net, images, 3)
    slow = torch.stack([net.embed(images[2 * y : 2 * y + 2]).mean(0) for y in range(3)])
    torch.testing.assert_close(fast, slow)
    weights = torch.randn_like(fast)
    torch.testing.assert_close(
        *(torch.autograd.grad((weights * s).sum(), images)[0] for s in (fast, slow))
    )
