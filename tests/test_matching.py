import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit import augment, networks
from fddkit.grouped import GroupedDataset
from fddkit.matching import Matching
from fddkit.rng import derive, generator
from fddkit.settings import Settings
from fddkit.targets import RULES

ALL = "_".join(augment.FAMILIES)


def toy(seed, counts):
    """Random images with the given number in each class and group."""
    g = torch.Generator().manual_seed(seed)
    groups = counts.shape[1]
    cell = torch.repeat_interleave(torch.arange(counts.numel()), counts.flatten())
    cell = cell[torch.randperm(len(cell), generator=g)]
    images = torch.randint(0, 256, (len(cell), 3, 8, 8), generator=g, dtype=torch.uint8)
    names = [str(a) for a in range(groups)]
    return GroupedDataset.from_arrays(
        images, cell // groups, cell % groups, name="toy", group_names=names
    )


def slow_loss(data, m, images, rule, iteration):
    """Distribution matching as the papers write it: one class, one group, one image at a time."""
    c = m.settings
    net = networks.build(
        c.network,
        data.shape,
        data.n_classes,
        derive(m.seed, "network", iteration),
        width=c.width,
        depth=c.depth,
    ).double()
    index, _ = m.sampler.draw(generator(m.seed, "batch", iteration))
    families = augment.parse(c.augment)
    draws = augment.draw(data.n_classes, families, generator(m.seed, "augment", iteration))

    def embed(image, y):
        return net.embed(augment.apply(image[None], draws[torch.tensor([y])]))[0]

    total = 0.0
    for y in range(data.n_classes):
        own = images[y * m.ipc : (y + 1) * m.ipc]
        synthetic = sum(embed(image, y) for image in own) / m.ipc
        batch = [int(i) for i in index if data.target[i] == y]
        phi = {i: embed(data.normalise(torch.tensor([i]))[0].double(), y).detach() for i in batch}
        groups = {}
        for i in batch:
            groups.setdefault(int(data.group[i]), []).append(phi[i])
        means = {a: sum(rows) / len(rows) for a, rows in groups.items()}
        if rule == "fairdd":
            total = total + sum(((mean - synthetic) ** 2).sum() for mean in means.values())
            continue
        if rule == "cobra":
            target = sum(means.values()) / len(means)
        elif c.sampling == "class":
            target = sum(phi.values()) / len(phi)
        else:  # the shares of the whole set: a balanced batch does not tell them
            mine = data.group[data.target == y]
            target = sum((mine == a).sum() / len(mine) * mean for a, mean in means.items())
        total = total + ((target - synthetic) ** 2).sum()
    return total


@pytest.mark.parametrize("sampling", ["class", "group"])
@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=6)
@given(seed=st.integers(0, 10**6))
def test_loss_and_gradient_equal_the_loops(rule, sampling, seed):
    counts = torch.tensor([[9, 1, 0], [3, 5, 2], [0, 1, 4]])  # absent and single-image groups
    data = toy(seed, counts)
    chosen = Settings(iterations=1, batch=6, width=4, depth=2, sampling=sampling, augment=ALL)
    m = Matching(data, 2, chosen, seed, dtype=torch.float64)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64, requires_grad=True)
    loss, gradient = m.gradient(images.detach(), RULES[rule], seed % 7)
    slow = slow_loss(data, m, images, rule, seed % 7)
    (expected,) = torch.autograd.grad(slow, images)
    assert loss == pytest.approx(slow.item(), rel=1e-6)
    assert (gradient - expected).norm() <= 1e-6 * expected.norm()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("groups", [2, 10])
def test_fairdd_is_cobra_times_the_number_of_groups(groups, dtype):
    data = toy(0, torch.randint(1, 9, (3, groups)))
    chosen = Settings(iterations=1, batch=1000, width=16, depth=2, augment=ALL)
    m = Matching(data, 4, chosen, 0, dtype=dtype)
    images = torch.randn(12, 3, 8, 8, dtype=dtype)
    fairdd, cobra = (m.gradient(images, RULES[r], 0)[1] for r in ("fairdd", "cobra"))
    assert (fairdd - groups * cobra).norm() <= 1e-5 * fairdd.norm()


def test_blocks_of_classes_do_not_change_the_step(monkeypatch):
    data = toy(1, torch.full((5, 2), 4))
    m = Matching(data, 3, Settings(iterations=1, batch=8, width=8, depth=2, augment="crop"), 0)
    images = torch.randn(15, 3, 8, 8)
    results = []
    for chunk in (1, 7, 1000):
        monkeypatch.setattr(networks, "chunk_size", lambda *_, size=chunk: size)
        results.append(m.gradient(images, RULES["vanilla"], 0))
    for loss, gradient in results[1:]:
        assert loss == pytest.approx(results[0][0], rel=1e-6)
        torch.testing.assert_close(gradient, results[0][1])
