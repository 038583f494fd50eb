"""The readable twins in examples/: each gives the package's numbers, and runs by itself."""

import ast
import math
import subprocess
import sys

import numpy as np
import pytest
import torch
from references import EXAMPLES, dc, dm, example, toy

from fddkit.core.rng import derive, generator
from fddkit.data.grouped import GroupedDataset
from fddkit.distillers.dc import DC, DCSettings
from fddkit.distillers.dm import DM, DMSettings
from fddkit.distillers.loop import Run
from fddkit.evaluation import evaluate as package_evaluate
from fddkit.evaluation import metrics
from fddkit.rules.rules import RULES
from fddkit.training import networks
from fddkit.training.fit import fit, recipe

evaluate = example("evaluate")
COUNTS = torch.tensor([[9, 1, 0], [3, 5, 2], [0, 1, 4]])  # absent and single-image groups
TINY = {"batch": 6, "width": 4, "depth": 2, "augment": "none"}
SCRIPTS = {
    "dm": ["--steps", "2"],
    "dc": ["--steps", "2"],
    "evaluate": ["--steps", "2", "--epochs", "2"],
}


def begun(method, chosen, rule, seed, ipc=2):
    """Return a run of the package in float64, before its first step."""
    data = toy(seed, COUNTS)
    matching = method(data, ipc, chosen.resolve(ipc, data), seed, dtype=torch.float64)
    run = Run(matching, RULES[rule], {})
    images, momentum = run.now.images.double(), run.now.momentum.double()
    run.now = run.now._replace(images=images, momentum=momentum)
    return run


def batches(run, steps):
    """Yield the real images that the package sees in each step, with classes and groups."""
    data = run.matching.train
    for step in range(steps):
        index = run.matching.batch(step).index
        yield data.normalise(index).double(), data.target[index], data.group[index]


def with_weights(net, weights):
    """Return an example's network in float64 with the package's weights, and none left over."""
    net = net.double()
    for p, q in zip(net.parameters(), weights, strict=True):
        p.data = q.detach().clone()
    return net


def same(found, expected):
    assert found.dtype == expected.dtype == torch.float64
    assert (found - expected).norm() <= 1e-10 * expected.norm()


# --- against the package ----------------------------------------------------------------------


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra"])
def test_dm_takes_the_steps_of_the_package(rule, seed):
    run = begun(DM, DMSettings(iterations=6, lr=5.0, **TINY), rule, seed)
    start, fresh = run.now.images, run.matching.fresh
    phis = (
        with_weights(dm.random_network(4, 2), fresh(step).features.parameters())
        for step in range(6)
    )
    labels = torch.arange(3).repeat_interleave(2)
    images, losses = dm.distil(rule, start, labels, batches(run, 6), phis, lr=5.0)
    for _ in range(6):
        run.advance()
    assert losses == pytest.approx(run.losses, rel=1e-10, abs=0)
    same(images, run.now.images)
    assert (images - start).norm() > 0.1 * start.norm()  # the steps were no trifles


@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra"])
def test_dc_takes_the_steps_of_the_package_and_trains_its_networks(rule):
    chosen = DCSettings(iterations=2, outer=3, inner=2, net_batch=256, lr=0.1, **TINY)
    run = begun(DC, chosen, rule, seed=0)
    start = run.now.images
    nets = [
        with_weights(dc.random_network(8, 3, 4, 2), run.matching.fresh(i).parameters())
        for i in range(2)
    ]
    chances = (generator(0, "train", step) for step in (0, 1, 3, 4))  # not after the last of three
    orders = ([torch.randperm(6, generator=rng) for _ in range(2)] for rng in chances)
    labels = torch.arange(3).repeat_interleave(2)
    images, losses = dc.distil(rule, start, labels, nets, batches(run, 6), orders, outer=3)
    assert next(orders, None) is None
    for _ in range(5):
        run.advance()
    for p, q in zip(nets[1].parameters(), run.matching.network(5).parameters(), strict=True):
        same(p.detach(), q)
    run.advance()
    assert losses == pytest.approx(run.losses, rel=1e-10, abs=0)
    same(images, run.now.images)
    assert (images - start).norm() > 0.01 * start.norm()


def test_dc_trains_in_small_batches_as_the_package_does():
    run = begun(DC, DCSettings(outer=2, inner=3, net_batch=4, **TINY), "vanilla", seed=0)
    m, images, labels = run.matching, run.now.images, torch.arange(3).repeat_interleave(2)
    net = with_weights(dc.random_network(8, 3, 4, 2), m.fresh(0).parameters())
    rng = generator(0, "train", 0)
    dc.train(net, images, labels, [torch.randperm(6, generator=rng) for _ in range(3)], batch=4)
    m.after(images, 0)
    for p, q, r in zip(
        net.parameters(), m.network(1).parameters(), m.fresh(0).parameters(), strict=True
    ):
        same(p.detach(), q)
        assert p.ndim == 1 or not p.equal(r)  # (biases before a normalisation learn nothing)


EPOCHS = 5


def trained(data, seed, **changed):
    """Return an example's network, trained on a set, in the order that the package takes."""
    own = derive(seed, "evaluate", "convnet", 0)
    fresh = networks.build("convnet", data.shape, data.n_classes, own, 4, 2)
    net = with_weights(evaluate.random_network(8, 3, 4, 2), fresh.double().parameters())
    order = generator(own, "order")
    orders = [torch.randperm(len(data), generator=order) for _ in range(EPOCHS + 1)]
    images = data.normalise(data.images).double()
    evaluate.train(net, images, data.target, orders, batch=10, lr=0.03, **changed)
    return net


def test_evaluate_trains_the_network_of_the_package():
    data = toy(0, COUNTS)
    chosen = recipe("smoke", epochs=EPOCHS, batch=10, augment="none", width=4, depth=2)
    own = derive(0, "evaluate", "convnet", 0)
    expected = networks.build("convnet", data.shape, 3, own, 4, 2).double()
    fit(expected, data.normalise(data.images).double(), data.target, chosen, own, data.normalise)
    net = trained(data, 0)
    for p, q in zip(net.parameters(), expected.parameters(), strict=True):
        same(p.detach(), q.detach())


@pytest.mark.parametrize("seed", [0, 1])
def test_evaluate_counts_what_the_package_counts(seed, monkeypatch):
    data, test = toy(seed, COUNTS), toy(seed + 10, 8 * COUNTS)  # two cells without test images
    pixels, fresh = GroupedDataset.normalise, networks.fresh
    with monkeypatch.context() as m:  # the package's evaluation, in float64
        m.setattr(GroupedDataset, "normalise", lambda self, x: pixels(self, x).double())
        m.setattr(package_evaluate, "fresh", lambda *a: fresh(*a).double())
        chosen = {"epochs": EPOCHS, "batch": 10, "augment": "none", "width": 4, "depth": 2}
        report = package_evaluate.evaluate(
            data, test, repeats=1, seed=seed, preset="smoke", progress=False, **chosen
        )
    net, images = trained(data, seed), test.normalise(test.images).double()
    accuracy, worst, mean, rates = evaluate.evaluate(net, images, test.target, test.group, 3, 3)
    expected = metrics.tpr(report.counts)[0].T
    np.testing.assert_allclose(rates, expected, rtol=1e-10, atol=0)
    assert rates.isnan().sum() == 2
    assert len(set(rates[~rates.isnan()].tolist())) > 2  # not one class for all
    expected = [summary.mean for summary in (report.accuracy, report.deo_m, report.deo_a)]
    assert [accuracy, worst, mean] == pytest.approx(expected, rel=1e-10, abs=0)


@pytest.mark.parametrize("seed", range(20))
def test_deo_of_any_predictions_is_that_of_the_package(seed):
    rng = torch.Generator().manual_seed(seed)
    target, group, wrong = (torch.randint(n, (40,), generator=rng) for n in (4, 5, 4))
    predicted = torch.where(torch.rand(40, generator=rng) < 0.6, target, wrong)
    group[target == 0] = 2  # a class that cannot be compared
    rates = evaluate.true_positive_rates(predicted, target, group, 4, 5)
    counts = metrics.count(target.numpy(), group.numpy(), predicted.numpy(), 4, 5)
    expected = metrics.tpr(counts)
    np.testing.assert_allclose(rates, expected.T, rtol=1e-10, atol=0)
    worst, mean, per_class = metrics.deo(expected)
    assert math.isnan(per_class[0])
    assert evaluate.deo(rates) == pytest.approx((float(worst), float(mean)), rel=1e-10, abs=0)


# --- by themselves ----------------------------------------------------------------------------


def test_random_batches_hold_so_many_images_of_each_class():
    data = toy(0, COUNTS)
    found = list(dm.random_batches(data.images, data.target, data.group, 3, size=6))
    assert len(found) == 3
    for images, target, group in found:
        assert target.bincount().tolist() == [6, 6, 5]
        rows = [int((data.images == image).flatten(1).all(1).nonzero()) for image in images]
        assert len(set(rows)) == 17
        assert data.target[rows].equal(target)
        assert data.group[rows].equal(group)
    assert not found[0][0].equal(found[1][0])


@pytest.mark.parametrize("module", [dm, dc])
def test_a_rule_of_another_name_is_refused(module):
    x = torch.zeros(2, 3, 8, 8)
    labels = torch.zeros(2, dtype=torch.int64)
    rest = (dc.random_network(8, 2, 4, 2), x, labels) if module is dc else (x.flatten(1),)
    with pytest.raises(ValueError, match="cobar is not a rule"):
        module.class_loss("cobar", *rest, labels, x.flatten(1))


def test_every_file_is_tested_here():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == SCRIPTS.keys()
    assert len((EXAMPLES / "README.md").read_text().splitlines()) <= 15


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_file_is_short_and_imports_torch_alone(name):
    text = (EXAMPLES / f"{name}.py").read_text()
    assert len(text.splitlines()) <= 120
    *body, script = ast.parse(text).body
    assert ast.unparse(script.test) == "__name__ == '__main__'"
    wanted = set()
    for node in (inner for outer in body for inner in ast.walk(outer)):
        if isinstance(node, ast.Import):
            wanted |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            wanted.add(node.module)
    assert {one.split(".")[0] for one in wanted} == {"torch"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_file_runs_as_a_script(name, tmp_path):
    result = subprocess.run(
        [sys.executable, EXAMPLES / f"{name}.py", *SCRIPTS[name]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=250,
    )
    assert (result.returncode, result.stderr) == (0, "")
    said = [line.split()[0] for line in result.stdout.splitlines()]
    assert said[-3:] == ["vanilla", "fairdd", "cobra"]
    assert not list(tmp_path.iterdir())
