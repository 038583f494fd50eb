from dataclasses import replace

import pytest
import torch
from references import toy
from torch.nn import functional as F

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data.traits import DIGITS
from fddkit.distillers.registry import METHODS
from fddkit.training import networks
from fddkit.training.fit import fit, recipe
from fddkit.training.objectives import OBJECTIVES, GapPenalty, GroupDRO, objective


@pytest.fixture
def data():
    return toy(0, torch.tensor([[6, 3], [3, 6], [4, 0]]))


def test_group_dro_equals_the_loop(data):
    group = data.group.clone()
    group[:2] = -1  # known of nothing
    objective = GroupDRO(data.target, group)
    cells = sorted({(int(y), int(a)) for y, a in zip(data.target, group, strict=True) if a >= 0})
    weights = {cell: 1 / len(cells) for cell in cells}
    g = torch.Generator().manual_seed(0)
    for _ in range(4):
        rows = torch.randperm(len(data), generator=g)[:9]
        logits = torch.randn(9, 3, generator=g, dtype=torch.float64)
        losses = {}
        for row, logit in zip(rows.tolist(), logits, strict=True):
            if group[row] >= 0:
                one = logit.logsumexp(0) - logit[data.target[row]]
                losses.setdefault((int(data.target[row]), int(group[row])), []).append(one)
        means = {cell: sum(own) / len(own) for cell, own in losses.items()}
        for cell, mean in means.items():
            weights[cell] *= float(torch.exp(0.01 * mean))
        total = sum(weights.values())
        weights = {cell: w / total for cell, w in weights.items()}
        expected = sum(weights[cell] * mean for cell, mean in means.items())
        torch.testing.assert_close(objective.loss(logits, data.target[rows], rows), expected)


def test_the_gap_penalty_equals_the_loop(data):
    objective = GapPenalty(data.target, data.group)
    rows = torch.arange(len(data))
    logits = torch.randn(len(data), 3, dtype=torch.float64)
    gaps = []
    for y in range(3):
        rates = {}
        for i in rows.tolist():
            if data.target[i] == y:
                rates.setdefault(int(data.group[i]), []).append(logits[i].softmax(0)[y])
        means = [sum(r) / len(r) for r in rates.values()]
        gaps.append(max(means) - min(means))
    expected = F.cross_entropy(logits, data.target) + sum(gaps) / 3
    torch.testing.assert_close(objective.loss(logits, data.target, rows), expected)


@pytest.mark.parametrize("name", ["group-dro", "tpr-gap"])
def test_with_one_cell_a_fair_objective_is_the_mean_loss(name):
    target = torch.zeros(5, dtype=torch.int64)
    objective = OBJECTIVES[name](target, target)
    logits = torch.randn(5, 3, dtype=torch.float64)
    found = objective.loss(logits, target, torch.arange(5))
    torch.testing.assert_close(found, F.cross_entropy(logits, target))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_trains(name, data):
    net = networks.build("convnet", (3, 8, 8), 3, 0, 8, 2)
    optimiser = torch.optim.SGD(net.parameters(), 0.05)
    objective = OBJECTIVES[name](data.target, data.group)
    rows, x = torch.arange(len(data)), data.normalise(data.images)
    losses = [float(objective(net, optimiser, x, data.target, rows)) for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["group-dro", "tpr-gap"])
def test_with_one_group_a_fair_objective_gives_the_same_bits_as_the_mean_loss(name, data):
    group = torch.full_like(data.group, 1)
    group[3] = -1
    found = []
    for chosen in ("erm", name):
        net = networks.build("convnet", (3, 8, 8), 3, 0, 8, 2)
        r = recipe("smoke", objective=chosen, epochs=2, batch=8)
        fit(net, data.images, data.target, r, 0, data.normalise, group=group)
        found.append(torch.cat([p.flatten() for p in net.parameters()]))
    assert torch.equal(*found)


@pytest.mark.parametrize(("name", "knob"), [("group-dro", "dro_step"), ("tpr-gap", "penalty")])
def test_the_strength_of_a_fair_objective_can_be_chosen(name, knob, data):
    rows, logits = torch.arange(len(data)), torch.randn(len(data), 3, dtype=torch.float64)
    losses = []
    for strength in (0.0, 1.0, 2.0):
        knobs = {"dro_step": 0.5, "penalty": 0.5, knob: strength}
        one = objective(name, data.target, data.group, **knobs)
        losses.append(one.loss(logits, data.target, rows))
    assert losses[0] < losses[1] < losses[2]
    if name == "tpr-gap":
        torch.testing.assert_close(losses[0], F.cross_entropy(logits, data.target))


@pytest.mark.parametrize("name", ["group-dro", "tpr-gap"])
def test_a_batch_with_absent_cells_and_mixed_labels_still_has_a_gradient(name, data):
    one = objective(name, data.target, torch.where(data.target == 0, data.group, -1), 0.01, 1.0)
    rows = torch.where(data.target != 0)[0]  # no image of a known group
    logits = torch.randn(len(rows), 3, dtype=torch.float64, requires_grad=True)
    mixed = torch.rand(len(rows), 3, dtype=torch.float64).softmax(1)
    loss = one.loss(logits, mixed, rows)
    (gradient,) = torch.autograd.grad(loss, logits)
    assert gradient.isfinite().all()
    torch.testing.assert_close(
        loss.detach(), F.cross_entropy(logits, mixed).detach() * (name == "tpr-gap")
    )


def test_images_without_groups_are_refused(data):
    with pytest.raises(FddkitError, match=r"none has one .*objective=erm"):
        OBJECTIVES["group-dro"](data.target, torch.full_like(data.group, -1))
    noise = fdd.distill(data, "dm", "vanilla", 2, preset="smoke", iterations=1, init="noise",
                        progress=False)  # fmt: skip
    with pytest.raises(FddkitError, match="use objective=erm"):
        fdd.evaluate(noise, data, preset="smoke", objective="tpr-gap", progress=False, depth=2)


def test_protocols_are_those_of_the_methods(data):
    paper = {name: recipe("paper", method.protocol) for name, method in METHODS.items()}
    assert paper["dm"] == paper["dsa"] == recipe("paper")
    assert (paper["dc"].epochs, paper["dc"].augment) == (300, "none")
    assert (paper["cafe"].epochs, paper["cafe"].augment) == (600, "none")
    idc = paper["idc"]
    assert paper["dream"] == idc
    assert (idc.epochs, idc.batch, idc.schedule, idc.cutmix) == (1000, 64, "thirds", 0.5)
    assert idc.max_steps * idc.batch == paper["dm"].max_steps * paper["dm"].batch
    assert paper["mtt"].repeats == 5
    quick = recipe("quick", METHODS["dc"].protocol, width=8)
    assert (quick.epochs, quick.augment, quick.width) == (150, "none", 8)
    assert recipe("quick", METHODS["idc"].protocol, augment="none").augment == "none"
    with pytest.raises(FddkitError, match="did you mean 'idc'"):
        fdd.evaluate(data, data, protocol="idcc", progress=False)


def test_a_set_is_evaluated_by_the_protocol_of_its_method(data):
    s = fdd.distill(data, "dc", "cobra", 2, preset="smoke", progress=False, depth=2)
    options = {"preset": "smoke", "progress": False, "repeats": 1, "epochs": 2, "depth": 2}
    report = fdd.evaluate(s, data, **options)
    assert report.config["protocol"] == "dc"
    assert report.config["settings"]["augment"] == "none"
    other = fdd.evaluate(s, data, protocol="idc", **options)
    assert other.config["settings"]["schedule"] == "thirds"
    assert other.config["settings"]["cutmix"] == 0.5
    several, digits = replace(s, factor=2), replace(data, traits=DIGITS)
    assert fdd.evaluate(several, data, protocol="idc", **options).config["settings"]["cutmix"] > 0
    found = fdd.evaluate(several, digits, protocol="idc", **options)
    assert found.config["settings"]["cutmix"] == 0  # IDC mixes no digits of several formations
    foreign = replace(s, config={**s.config, "method": "something else"}, lr=0.05)
    found = fdd.evaluate(foreign, data, **options)
    assert found.config["protocol"] == "dm"
    assert found.config["settings"]["lr"] == 0.05  # learnt with the images
    assert fdd.evaluate(foreign, data, lr=0.02, **options).config["settings"]["lr"] == 0.02
