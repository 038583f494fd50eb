"""Distribution matching (DM) under three rules: vanilla, FairDD and COBRA.

DM pulls the mean embedding of a few synthetic images S towards that of the real images R of their
class, under many random networks phi (Zhao and Bilen 2023, Eq. 4)::

    loss = sum over classes y of || mean phi(R_y) - s_y ||^2,   s_y = mean phi(S_y)

The images of a class belong to groups a (here: colours). With m_a the mean embedding of group a,
and share_a its share of the class, the loss of a class under each rule is::

    vanilla   || sum_a share_a m_a - s_y ||^2    the mean as it is (FairDD, Eq. 4-6)
    FairDD    sum_a || m_a - s_y ||^2            every group (Zhou et al. 2025, Eq. 7)
    COBRA     || 1/A sum_a m_a - s_y ||^2        their barycentre (Moslemi et al. 2026, Eq. 7-9)

Run it with ``python examples/dm.py``. In fddkit it is `fddkit.distillers.dm`.
"""

import torch
from torch import nn


def random_network(width=32, depth=3):
    """Return phi: a ConvNet without its last, linear layer. Its random weights stay fixed."""
    layers, channels = [], 3
    for _ in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(width, width)]
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = width
    return nn.Sequential(*layers, nn.Flatten())


def squared(a, b):
    """Return the squared distance between two embeddings: a sum over features, not a mean."""
    return ((a - b) ** 2).sum()


def class_loss(rule, real, group, synthetic):
    """Return the loss of one class: real embeddings [N, D] in groups [N], synthetic ones [M, D]."""
    s = synthetic.mean(0)
    if rule == "vanilla":
        # Every image of the batch counts the same, so a group with 9 of 10 images makes up nine
        # tenths of this mean: the majority dominates, and s ends up far from all other groups.
        return squared(real.mean(0), s)
    means = []
    for a in group.unique():  # those in the batch: a rare group is sometimes absent
        means.append(real[group == a].mean(0))  # divided by its own size, which then has no effect
    if rule == "fairdd":
        # One distance for each group, all with weight one: three images of a rare group pull s as
        # hard as fifty of the majority. It is a sum, so with A groups the step is A times that of
        # COBRA; apart from that, for squared distances, the two are the same.
        return sum(squared(m, s) for m in means)
    if rule == "cobra":
        # First the one point that is nearest to all groups together, then the distance to it. For
        # squared distances that point is their plain mean: no group counts more than another.
        return squared(sum(means) / len(means), s)
    raise ValueError(f"{rule} is not a rule; choose vanilla, fairdd or cobra")


def distil(rule, synthetic, labels, batches, networks, lr=1.0, momentum=0.5):
    """Return the synthetic images after a step for each batch and network, and the losses."""
    losses, velocity = [], torch.zeros_like(synthetic)
    for (images, target, group), phi in zip(batches, networks, strict=True):
        synthetic = synthetic.detach().requires_grad_(True)
        with torch.no_grad():  # the real images are the target: nothing about them is learnt
            real = phi(images)
        embedded = phi(synthetic)
        loss = 0.0
        for y in labels.unique():
            of_class = target == y
            loss = loss + class_loss(rule, real[of_class], group[of_class], embedded[labels == y])
        (gradient,) = torch.autograd.grad(loss, synthetic)
        velocity = momentum * velocity + gradient  # gradient descent with momentum, on the pixels
        synthetic = synthetic - lr * velocity
        losses.append(loss.item())
    return synthetic.detach(), losses


def random_batches(images, target, group, steps, size=64):
    """Yield for each step ``size`` real images of every class, whatever their groups."""
    for _ in range(steps):
        rows = [(target == y).nonzero()[:, 0] for y in target.unique()]
        rows = torch.cat([r[torch.randperm(len(r))[:size]] for r in rows])
        yield images[rows], target[rows], group[rows]


def group_distances(phi, images, target, group, synthetic, labels):
    """Return the distance of s_y to its majority and, on average, to the other groups."""
    real, embedded, majority, others = phi(images), phi(synthetic), [], []
    for y in labels.unique():
        largest = group[target == y].mode().values
        for a in group[target == y].unique():
            m = real[(target == y) & (group == a)].mean(0)
            distance = squared(m, embedded[labels == y].mean(0)).sqrt()
            (majority if a == largest else others).append(distance)
    return sum(majority) / len(majority), sum(others) / len(others)


if __name__ == "__main__":
    import argparse

    import fddkit

    torch.set_num_threads(1)  # networks as small as these are fastest on one core
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100)
    steps = parser.parse_args().steps
    train, _ = fddkit.load("digits")  # 3 of 4 images of a digit have its own colour
    images = train.normalise(train.images)
    for rule in ("vanilla", "fairdd", "cobra"):
        torch.manual_seed(0)  # same start, batches and networks for each rule
        start, labels, _ = next(random_batches(images, train.target, train.group, 1, size=10))
        batches = random_batches(images, train.target, train.group, steps)
        networks = (random_network() for _ in range(steps))
        synthetic, losses = distil(rule, start, labels, batches, networks, lr=5.0)
        with torch.no_grad():
            near, far = group_distances(
                random_network(), images, train.target, train.group, synthetic, labels
            )
        print(f"{rule:8} loss {losses[0]:7.1f} -> {losses[-1]:7.1f}", end="   ")
        print(f"distance to the majority {near:.2f}, to the other groups {far:.2f}")
