"""Time one DM iteration: each rule against vanilla, and vanilla against a loop over classes.

    .venv/bin/python reports/measured/dm_step.py --rounds 7

C-MNIST's shape (ten classes, ten groups, 32x32), IPC 10, the paper preset (width 128, 256 real
images a class, all six augmentations). The loop is what the official code does: one class at a
time through the network, one graph over all classes, one backward pass. All variants take turns
within each round, on the same random network and batch, so that the noise of a shared machine
falls on all of them; ratios are medians over rounds of the ratio within a round.
"""

import argparse
import statistics
import time
from pathlib import Path

import torch

import fddkit as fdd
from fddkit import augment
from fddkit.matching import Matching
from fddkit.files import write_json
from fddkit.rng import generator
from fddkit.settings import settings
from fddkit.targets import RULES

CLASSES = GROUPS = IPC = 10


def data() -> fdd.GroupedDataset:
    """Return 20,000 random images in C-MNIST's cells; the time does not depend on what they show."""
    g = generator(0, "timing")
    target = torch.arange(CLASSES).repeat_interleave(2000)
    majority = torch.rand(len(target), generator=g) < 0.9
    other = torch.randint(0, GROUPS, target.shape, generator=g)
    images = torch.randint(0, 256, (len(target), 3, 32, 32), generator=g, dtype=torch.uint8)
    return fdd.GroupedDataset.from_arrays(images, target, torch.where(majority, target, other))


def loop_over_classes(matching: Matching, images: torch.Tensor, iteration: int) -> torch.Tensor:
    """Return the vanilla gradient the way the official code computes it."""
    train = matching.train
    net = matching._network(iteration)
    families = augment.parse(matching.settings.augment)
    draws = augment.draw(CLASSES, families, generator(0, "augment", iteration))
    index, cell = matching.sampler.draw(generator(0, "batch", iteration))
    own = images.detach().requires_grad_()
    loss = 0.0
    for y in range(CLASSES):
        batch = index[cell // GROUPS == y]
        row = torch.full((len(batch),), y)
        real = augment.apply(train.normalise(batch), draws[row])
        synthetic = augment.apply(own[y * IPC : (y + 1) * IPC], draws[row[:IPC]])
        phi = net.embed(real).detach().mean(0)
        loss = loss + (phi - net.embed(synthetic).mean(0)).square().sum()
    return torch.autograd.grad(loss, own)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path, default=Path(__file__).with_suffix(".json"))
    rounds, path = vars(parser.parse_args()).values()
    train = data()
    matching = Matching(train, IPC, settings("paper").resolve(IPC, train), seed=0)
    images = torch.randn(CLASSES * IPC, *train.shape, generator=generator(0, "start"))
    steps = {r: lambda i, r=r: matching.gradient(images, RULES[r], i)[1] for r in RULES}
    steps["loop over classes"] = lambda i: loop_over_classes(matching, images, i)
    difference = steps["vanilla"](0) - steps["loop over classes"](0)  # and a warm-up
    relative = (difference.norm() / steps["loop over classes"](0).norm()).item()
    assert relative < 1e-4, f"the loop and the fast path differ by {relative}"
    seconds = {name: [] for name in steps}
    for n in range(rounds):
        names = list(steps)
        for name in names[n % len(names) :] + names[: n % len(names)]:  # no fixed order
            start = time.perf_counter()
            steps[name](n)
            seconds[name].append(time.perf_counter() - start)
        print(n, {k: round(v[-1], 3) for k, v in seconds.items()}, flush=True)

    def ratio(a: str, b: str) -> float:
        pairs = zip(seconds[a], seconds[b], strict=True)
        return round(statistics.median(x / y for x, y in pairs), 3)

    result = {
        "what": "one DM iteration, paper preset, IPC 10, ten classes, ten groups, 3x32x32",
        "command": f"python reports/measured/dm_step.py --rounds {rounds}",
        "rounds": rounds,
        "seconds_median": {k: round(statistics.median(v), 4) for k, v in seconds.items()},
        "ratio_to_vanilla": {r: ratio(r, "vanilla") for r in RULES},
        "vanilla_to_loop_over_classes": ratio("vanilla", "loop over classes"),
        "gradient_difference_to_loop": relative,
        "versions": fdd.versions(),
    }
    write_json(path, result)
    print(result)


if __name__ == "__main__":
    main()
