"""The training loop against a slow one that does what the papers' table says, step by step."""

import math

import pytest
import torch
from torch.nn import functional as F

from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.training import augment, networks
from fddkit.training.cutmix import cutmix
from fddkit.training.fit import PRESETS, Recipe, fit, recipe
from fddkit.training.sgd import Student

ALL = "color_crop_cutout_flip_scale_rotate"


def small(**changes):
    return Recipe(**{"epochs": 6, "max_steps": 1, "repeats": 1, "batch": 4, **changes})


def network(dtype=torch.float64):
    return networks.build("convnet", (3, 8, 8), 3, seed=5, width=4, depth=2).to(dtype)


def official_thirds(epochs):
    """The step sizes of torch's own schedule, as IDC's train.py builds it."""
    optimiser = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    # a single epoch (of a large set) is trained at the full step size, not at 0.04 of it
    milestones = [m for m in (2 * epochs // 3, 5 * epochs // 6) if m]
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimiser, milestones, 0.2)
    rates = []
    for _ in range(epochs):
        rates.append(schedule.get_last_lr()[0])
        optimiser.step()
        schedule.step()
    return rates


def slow_fit(net, images, target, r, seed):
    """Stochastic gradient descent by hand, with the schedule of the official evaluate_synset."""
    order, rng = generator(seed, "order"), generator(seed, "augment")
    weights = list(net.parameters())
    velocity = [torch.zeros_like(w) for w in weights]
    half = r.schedule == "half"
    for epoch in range(r.epochs + 1 if half else r.epochs):
        if half:
            lr = r.lr if epoch <= r.epochs // 2 + 1 else r.lr * 0.1
            if epoch == r.epochs // 2 + 2:
                velocity = [torch.zeros_like(w) for w in weights]
        else:
            lr = r.lr * official_thirds(r.epochs)[epoch]
        permutation = torch.randperm(len(images), generator=order)
        for first in range(0, len(images), r.batch):
            rows = permutation[first : first + r.batch]
            batch, labels = images[rows], target[rows]
            for families in augment.stages(r.augment):
                draws = augment.draw(len(rows), families, rng, shared_family=True)
                batch = augment.apply(batch, draws)
            if r.cutmix:
                batch, labels = cutmix(batch, labels, 3, r.cutmix, rng)
            gradients = torch.autograd.grad(F.cross_entropy(net(batch), labels), weights)
            with torch.no_grad():
                for w, v, g in zip(weights, velocity, gradients, strict=True):
                    v.mul_(r.momentum).add_(g + r.decay * w)
                    w.sub_(lr * v)


@pytest.mark.parametrize(
    "changes",
    [
        {"augment": "none"},
        {"augment": ALL},
        {"augment": "none", "epochs": 1},
        {"augment": "none", "epochs": 7, "batch": 256, "decay": 0.1, "lr": 0.05},
        {"augment": "flip+color+crop_scale_rotate", "cutmix": 0.5, "schedule": "thirds"},
        *({"augment": "none", "epochs": n, "schedule": "thirds"} for n in (1, 2, 3, 13)),
    ],
)
@pytest.mark.parametrize("chunk", [3, 100])
def test_fit_equals_a_slow_loop(changes, chunk, monkeypatch):
    monkeypatch.setattr("fddkit.training.sgd.chunk_size", lambda net, shape: chunk)
    r = small(**changes)
    seed = int(torch.randint(10**6, ()))
    images = torch.randn(10, 3, 8, 8, dtype=torch.float64)
    target = torch.arange(10) % 3
    fast, slow = network(), network()
    epochs = []
    fit(fast, images, target, r, seed, None, lambda: epochs.append(1))
    slow_fit(slow, images, target, r, seed)
    assert len(epochs) == r.epochs + (r.schedule == "half")
    for x, y, start in zip(
        fast.parameters(), slow.parameters(), network().parameters(), strict=True
    ):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-12)
        assert not torch.equal(x, start)


def test_pixels_are_normalised_batch_by_batch():
    pixels = torch.randint(256, (10, 3, 8, 8), dtype=torch.uint8)
    target = torch.arange(10) % 3

    def normalise(x):
        return x.double() / 255 - 0.5

    one, other = network(), network()
    fit(one, pixels, target, small(), 1, normalise)
    fit(other, normalise(pixels), target, small(), 1, None)
    for x, y in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(x, y)


def test_a_student_that_goes_on_leaves_the_state_it_took_up_alone():
    images, target = torch.randn(4, 3, 8, 8), torch.arange(4) % 3
    first = Student(network(torch.float32), 0.1, 0.9)
    first.step(images, target)
    state = first.state()
    kept = {name: value.clone() for name, value in state.items()}
    again = Student(network(torch.float32), 0.1, 0.9)
    again.load(state)
    for student in (first, again):
        student.step(images, target)
    assert all(torch.equal(state[name], kept[name]) for name in kept)
    for name, value in first.state().items():
        assert torch.equal(value, again.state()[name])


def test_training_that_diverges_is_told():
    images, target = torch.randn(6, 3, 8, 8), torch.arange(6) % 3
    with pytest.raises(FddkitError, match=r"diverged: the loss is .* smaller lr than 1e\+30"):
        fit(network(torch.float32), images, target, small(lr=1e30, epochs=20), 0, None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"epochs": 0}, "epochs=0 is not a positive integer"),
        ({"batch": 2.5}, "batch=2.5 is not a positive integer"),
        ({"repeats": True}, "repeats=True is not a positive integer"),
        ({"originals": 0}, "originals=0 is not a positive integer"),
        ({"lr": math.nan}, "lr=nan"),
        ({"lr": 0.0}, "lr=0.0"),
        ({"momentum": 1.0}, "momentum=1.0"),
        ({"decay": -1.0}, "decay=-1.0"),
        ({"augment": "colour"}, "color"),
        ({"epoch": 3}, "did you mean 'epochs'"),
        ({"schedule": "third"}, "did you mean 'thirds'"),
        ({"cutmix": 1.5}, "cutmix=1.5 is not a probability"),
        ({"objective": "dro"}, "known: erm, group-dro, tpr-gap"),
        ({"dro_step": -0.1}, "dro_step=-0.1 is not a strength"),
        ({"penalty": math.inf}, "penalty=inf is not a strength"),
    ],
)
def test_a_recipe_out_of_range_is_refused(changes, sentence):
    with pytest.raises(FddkitError, match=sentence):
        recipe("quick", **changes)


def test_presets():
    assert recipe("quick", epochs=None) == PRESETS["quick"]
    assert recipe("paper", lr=0.1) == Recipe(epochs=1000, max_steps=20_000, repeats=10, lr=0.1)
    with pytest.raises(FddkitError, match="'papers' is not a preset; did you mean 'paper'"):
        recipe("papers")


def test_the_paper_preset_is_the_published_protocol():
    r = PRESETS["paper"]
    assert (r.epochs, r.lr, r.momentum, r.decay, r.batch) == (1000, 0.01, 0.9, 5e-4, 256)
    assert (r.augment, r.width, r.depth, r.repeats, r.originals) == (ALL, 128, 3, 10, None)
