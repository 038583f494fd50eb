"""Gradient matching (DC) under three rules: vanilla, FairDD and COBRA. Read dm.py first.

Run it with ``python examples/dc.py``; in fddkit it is `fddkit.distillers.dc`. DC pulls the gradient
of a network on a few synthetic images S towards its gradient on the real images R of their class,
throughout the training of many networks (Zhao et al. 2021; D is its Eq. 10)::

    loss = sum over classes y of D(g(R_y), g(S_y)),   g(X) = gradient of the mean loss on X
    D(g, h) = sum over layers and their outputs i of 1 - g_i . h_i / (||g_i|| ||h_i||)

With g_a = g(R_y in group a), and share_a the group's share of the class, the losses are::

    vanilla   D(sum_a share_a g_a, g(S_y))    the gradient as it is
    FairDD    sum_a D(g_a, g(S_y))            every group (Zhou et al. 2025, Eq. 7)
    COBRA     D(1/A sum_a g_a, g(S_y))        their mean (Moslemi et al. 2026, Eq. 7-9)
"""

import torch
from torch import nn
from torch.nn import functional as F


def random_network(side, classes, width=32, depth=3):
    """Return a ConvNet for images of ``side`` pixels: blocks, then a linear layer."""
    layers, channels = [], 3
    for _ in range(depth):
        layers += [nn.Conv2d(channels, width, 3, padding=1), nn.GroupNorm(width, width)]
        layers += [nn.ReLU(), nn.AvgPool2d(2)]
        channels = width
    head = nn.Linear(width * (side // 2**depth) ** 2, classes)
    return nn.Sequential(*layers, nn.Flatten(), head)


def gradients(net, images, target, graph=False):
    """Return the gradient of the mean cross-entropy for each weight, without biases and norms."""
    weights = [p for p in net.parameters() if p.ndim > 1]
    loss = F.cross_entropy(net(images), target)
    return torch.autograd.grad(loss, weights, create_graph=graph)  # to differentiate again


def distance(first, second):
    """Return D: it compares the angles of rows, a row being the weights that lead to one output."""
    total = 0.0
    for g, h in zip(first, second, strict=True):
        g, h = g.flatten(1), h.flatten(1)  # [outputs, rest]
        cosine = (g * h).sum(1) / (g.norm(dim=1) * h.norm(dim=1) + 1e-6)
        total = total + (1 - cosine).sum()
    return total


def class_loss(rule, net, images, target, group, synthetic):
    """Return the loss of one class: its real images [N, ...] in groups [N], and g(S_y)."""
    if rule == "vanilla":
        # The gradient of a mean over images: a group with 9 of 10 of them determines its direction.
        return distance(gradients(net, images, target), synthetic)
    by_group = []
    for a in group.unique():  # those in the batch; the mean in each is independent of its size
        by_group.append(gradients(net, images[group == a], target[group == a]))
    if rule == "fairdd":
        # D sees only angles, so a group pulls the same whether its gradients are long or short.
        return sum(distance(gradient, synthetic) for gradient in by_group)
    if rule == "cobra":
        # A plain mean, layer by layer. Unlike in DM, this differs from FairDD: groups that the
        # network still gets wrong have longer gradients, and dominate the mean.
        layers = zip(*by_group, strict=True)
        return distance([sum(layer) / len(by_group) for layer in layers], synthetic)
    raise ValueError(f"{rule} is not a rule; choose vanilla, fairdd or cobra")


def train(net, images, target, orders, lr=0.01, batch=256):
    """Train a network in place, one epoch for each order of the images."""
    optimiser = torch.optim.SGD(net.parameters(), lr)
    for order in orders:
        for rows in order.split(batch):
            optimiser.zero_grad()
            F.cross_entropy(net(images[rows]), target[rows]).backward()
            optimiser.step()


def distil(rule, synthetic, labels, networks, batches, orders, outer, lr=0.1, momentum=0.5):
    """Return the images after ``outer`` steps with each network, and the losses of all steps."""
    losses, velocity = [], torch.zeros_like(synthetic)
    for net in networks:
        for step in range(outer):
            images, target, group = next(batches)
            synthetic = synthetic.detach().requires_grad_(True)
            loss = 0.0
            for y in labels.unique():
                real = [x[target == y] for x in (images, target, group)]
                ours = gradients(net, synthetic[labels == y], labels[labels == y], graph=True)
                loss = loss + class_loss(rule, net, *real, ours)
            (gradient,) = torch.autograd.grad(loss, synthetic)
            velocity = momentum * velocity + gradient
            synthetic = (synthetic - lr * velocity).detach()
            losses.append(loss.item())
            if step < outer - 1:  # on the current images, so that gradients match throughout
                train(net, synthetic, labels, next(orders))
    return synthetic, losses


if __name__ == "__main__":
    import argparse

    from dm import random_batches

    import fddkit

    torch.set_num_threads(1)  # networks as small as these are fastest on one core
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=10, help="on the images, for each network")
    outer, inner, networks = parser.parse_args().steps, 5, 3
    data, _ = fddkit.load("digits")  # 3 of 4 images of a digit have its own colour
    images = data.normalise(data.images)
    for rule in ("vanilla", "fairdd", "cobra"):
        torch.manual_seed(0)  # same start, batches and networks for each rule
        start, labels, _ = next(random_batches(images, data.target, data.group, 1, size=5))
        nets = (random_network(16, 10) for _ in range(networks))
        batches = random_batches(images, data.target, data.group, outer * networks)
        orders = ([torch.randperm(len(start)) for _ in range(inner)] for _ in range(1000))
        _, losses = distil(rule, start, labels, nets, batches, orders, outer, lr=0.3)
        print(f"{rule:8} loss with each fresh network:", *(f"{x:.1f}" for x in losses[::outer]))
