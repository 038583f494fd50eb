"""Evaluation: train a network on a set, and compare how well it recognises each group of a class.

The true-positive rate of class y in group a is the share of its test images that are recognised::

    TPR(y, a) = P(predicted y | true class y, group a)
    gap(y) = max over a of TPR(y, a) - min over a of TPR(y, a)
    DEO_M = max over y of gap(y),   DEO_A = mean over y of gap(y)      (in percent)

This is equalised odds as FairDD (Zhou et al. 2025) measures it; COBRA (Moslemi et al. 2026) writes
EOD_M and EOD_A. 0 is fair, 100 is maximally unfair. On a small test set even a fair network shows
some gap, since gaps are never negative (see the noise floor in `fddkit.evaluation.metrics`).

Run it with ``python examples/evaluate.py``: it distils by dm.py under each rule, then evaluates. In
fddkit it is `fddkit.evaluation` with `fddkit.training.fit`.
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


def train(net, images, target, orders, batch=256, lr=0.01, momentum=0.9, decay=5e-4):
    """Train a network in place: an epoch for each order of the images, slower in the second half.

    As in the official codes: of E + 1 epochs, those from index E // 2 + 2 on use a tenth of the
    step size, and the momentum is reset.
    """
    optimiser = torch.optim.SGD(net.parameters(), lr, momentum, weight_decay=decay)
    epochs = len(orders) - 1
    for epoch, order in enumerate(orders):
        if epoch == epochs // 2 + 2:
            optimiser = torch.optim.SGD(net.parameters(), lr / 10, momentum, weight_decay=decay)
        for rows in order.split(batch):
            optimiser.zero_grad()
            F.cross_entropy(net(images[rows]), target[rows]).backward()
            optimiser.step()


def true_positive_rates(predicted, target, group, classes, groups):
    """Return TPR(y, a), [classes, groups]; nan for cells without a test image."""
    rates = torch.full((classes, groups), torch.nan, dtype=torch.float64)
    for y in range(classes):
        for a in range(groups):
            cell = (target == y) & (group == a)
            if cell.any():  # without images the rate is unknown, not 0
                rates[y, a] = (predicted[cell] == y).double().mean()
    return rates


def deo(rates):
    """Return DEO_M and DEO_A in percent."""
    gaps = []
    for of_class in rates:
        known = of_class[~of_class.isnan()]
        if len(known) >= 2:  # a single group has none to differ from
            gaps.append(100 * float(known.max() - known.min()))
    # DEO_M is the gap of the worst class; it jumps with single images. DEO_A is steadier.
    return max(gaps), sum(gaps) / len(gaps)


def evaluate(net, images, target, group, classes, groups):
    """Return accuracy, DEO_M and DEO_A on test images (percent), and the rates behind them."""
    with torch.no_grad():
        predicted = net(images).argmax(1)
    # Accuracy counts images, so a small group hardly affects it; the rates treat each group
    # separately. That is why a set can be accurate and unfair.
    accuracy = 100 * float((predicted == target).double().mean())
    rates = true_positive_rates(predicted, target, group, classes, groups)
    return accuracy, *deo(rates), rates


if __name__ == "__main__":
    import argparse

    import dm

    import fddkit

    torch.set_num_threads(1)  # networks as small as these are fastest on one core
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=100, help="of distillation")
    parser.add_argument("--epochs", type=int, default=150, help="of training")
    steps, epochs = vars(parser.parse_args()).values()
    data, test = fddkit.load("digits")  # 3 of 4 images of a digit have its own colour
    images, seen = data.normalise(data.images), test.normalise(test.images)
    for rule in ("real images", "vanilla", "fairdd", "cobra"):
        torch.manual_seed(0)  # same start, batches and networks for each rule
        s, labels, _ = next(dm.random_batches(images, data.target, data.group, 1, size=10))
        if rule != "real images":
            batches = dm.random_batches(images, data.target, data.group, steps)
            networks = (dm.random_network() for _ in range(steps))
            s, _ = dm.distil(rule, s, labels, batches, networks, lr=5.0)
        torch.manual_seed(1)
        net = random_network(16, 10)
        train(net, s, labels, [torch.randperm(len(s)) for _ in range(epochs + 1)], lr=0.03)
        accuracy, worst, mean, _ = evaluate(net, seen, test.target, test.group, 10, 10)
        print(f"{rule:11}  accuracy {accuracy:5.1f}   DEO_M {worst:5.1f}   DEO_A {mean:5.1f}")
