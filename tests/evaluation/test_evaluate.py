"""Training on a set and counting on a test set, with a toy whose colour is a shortcut."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.core.rng import derive
from fddkit.data.distilled import DistilledSet
from fddkit.data.grouped import GroupedDataset
from fddkit.data.loading import load
from fddkit.distillers.distill import distill
from fddkit.evaluation.evaluate import evaluate
from fddkit.evaluation.report import FairnessReport
from fddkit.training import networks
from fddkit.training.fit import fit, recipe

FAST = {
    "preset": "smoke",
    "progress": False,
    "epochs": 4,
    "lr": 0.03,
    "depth": 2,
    "augment": "none",
    "repeats": 1,
}


def toy(n=40, br=0.5, seed=0, size=8):
    """Two classes (a faint stripe, lying or standing) of n images in two groups (red, green).

    The first group of a class has the share ``br`` of its images; the first group of class 0 is
    red, that of class 1 green.
    """
    draw = torch.Generator().manual_seed(seed)
    target = torch.arange(2).repeat_interleave(n)
    gray = torch.randint(90, 140, (2 * n, size, size), generator=draw)
    gray[:n, size // 2] += 30
    gray[n:, :, size // 2] += 30

    def paint(index, group):
        images = torch.zeros(len(index), 3, size, size, dtype=torch.uint8)
        images[torch.arange(len(index)), group] = gray[index].byte()
        return images

    majority = torch.arange(n).repeat(2) < br * n
    group = torch.where(majority, target, 1 - target)
    index = torch.arange(2 * n)
    return GroupedDataset(
        images=paint(index, group),
        target=target,
        group=group,
        name="toy",
        target_names=("lying", "standing"),
        group_names=("red", "green"),
        mean=(0.5,) * 3,
        std=(0.25,) * 3,
        info={"dataset": "toy"},
        index=index,
        paint=paint,
    )


def distilled(data, images, **changes):
    return DistilledSet(
        **{
            "images": images,
            "target": data.target,
            "group": data.group,
            "mean": data.mean,
            "std": data.std,
            "target_names": data.target_names,
            "group_names": data.group_names,
            "config": {"method": "toy"},
            **changes,
        }
    )


def slow_counts(data, test, seed=0, name="convnet", repeat=0):
    """One network, tested image by image."""
    r = recipe("smoke", **{k: v for k, v in FAST.items() if k not in ("preset", "progress")})
    own = derive(seed, "evaluate", name, repeat)
    net = networks.build(name, test.shape, test.n_classes, own, width=r.width, depth=r.depth)
    fit(net, data.images, data.target, r, own, data.normalise)
    counts = np.zeros((test.n_groups, test.n_classes, test.n_classes), dtype=np.int64)
    with torch.no_grad():
        for i in range(len(test)):
            logits = net(data.normalise(test.images[i : i + 1]))[0]
            counts[test.group[i], test.target[i], logits.argmax()] += 1
    return counts


def test_a_shortcut_is_seen_and_a_balanced_set_is_fair():
    test = toy(n=100, seed=1)
    settings = {**FAST, "epochs": 60, "repeats": 3}
    biased = evaluate(toy(n=20, br=1.0), test, **settings)
    fair = evaluate(toy(n=20, br=0.5), test, **settings)
    assert biased.deo_m.mean > 90
    assert biased.deo_m.mean > 4 * biased.deo_m.noise_floor
    assert fair.accuracy.mean > 90
    assert fair.deo_m.mean < 15
    assert biased.counterfactual.deo_m.mean > 90 > 15 > fair.counterfactual.deo_m.mean


@pytest.mark.parametrize("seed", [0, 7])
def test_counts_equal_a_slow_loop(seed):
    data, test = toy(), toy(seed=1)
    report = evaluate(data, test, seed=seed, originals=6, **FAST)
    assert 50 < report.accuracy.mean < 100
    np.testing.assert_array_equal(report.counts[0], slow_counts(data, test, seed))
    paired = slow_counts(data, test.counterfactual(6), seed)
    np.testing.assert_array_equal(report.counterfactual.counts[0], paired)
    assert paired.sum() == 2 * 2 * 6


@settings(max_examples=8)
@given(st.integers(1, 30), st.integers(0, 99), st.sampled_from([None, 1, 7, 100]))
def test_every_test_image_is_counted_once(n, seed, originals):
    test = toy(n=n, br=0.7, seed=seed)
    report = evaluate(toy(n=4), test, originals=originals, **{**FAST, "epochs": 1})
    assert report.counts.sum() == len(test)
    cells = report.counterfactual.counts[0].sum(-1)
    # the smoke preset's own limit is 20; None leaves it
    assert (cells == min(n, originals or 20)).all()
    whole = evaluate(toy(n=4), test, **{**FAST, "preset": "paper", "epochs": 1, "width": 4})
    assert whole.counterfactual.counts.sum() == test.n_groups * len(test)


def test_same_seed_same_counts_and_repeats_can_be_extended():
    data, test = toy(), toy(seed=1)
    before = torch.get_rng_state()
    short = evaluate(data, test, **{**FAST, "repeats": 2})
    assert torch.equal(torch.get_rng_state(), before)
    long = evaluate(data, test, networks=("alexnet", "convnet"), **{**FAST, "repeats": 3})
    assert long.networks == ["alexnet"] * 3 + ["convnet"] * 3
    np.testing.assert_array_equal(long.by_network()["convnet"].counts[:2], short.counts)
    other = evaluate(data, test, **{**FAST, "repeats": 2, "seed": 1})
    assert (other.counts != short.counts).any()
    assert (short.counts[0] != short.counts[1]).any()


def test_what_the_set_is_made_of_does_not_matter():
    data, test = toy(), toy(seed=1)
    reports = [
        evaluate(one, test, **FAST)
        for one in (
            data,
            distilled(data, data.images),
            distilled(data, data.normalise(data.images)),
        )
    ]
    for report in reports[1:]:
        np.testing.assert_array_equal(report.counts, reports[0].counts)
    assert reports[0].config["data"] == {"dataset": {"dataset": "toy"}}
    assert reports[1].config["data"] == {"method": "toy"}


def test_the_test_images_are_normalised_as_the_training_images():
    data, test = toy(), toy(seed=1)
    brighter = replace(test, mean=(0.1,) * 3, std=(0.9,) * 3)
    one, other = (evaluate(data, t, **FAST) for t in (test, brighter))
    np.testing.assert_array_equal(one.counts, other.counts)
    np.testing.assert_array_equal(one.counterfactual.counts, other.counterfactual.counts)


def test_without_injected_groups_there_is_no_counterfactual_test():
    data, test = toy(), toy(seed=1)
    natural = replace(test, paint=None, index=None)
    assert evaluate(data, natural, **FAST).counterfactual is None
    assert evaluate(data, test, counterfactual=False, **FAST).counterfactual is None


def test_large_sets_train_fewer_epochs():
    data, test = toy(n=40), toy(n=5)
    for epochs, max_steps, expected in ((8, 1000, 8), (8, 9, 3), (8, 1, 1), (2, 40, 2)):
        changes = {"epochs": epochs, "max_steps": max_steps, "batch": 20}  # 4 steps an epoch
        report = evaluate(data, test, **{**FAST, **changes})
        assert report.config["settings"]["epochs"] == expected


def test_the_report_tells_how_it_was_made(tmp_path):
    test = toy(seed=1)
    report = evaluate(toy(), test, **FAST)
    config = report.config
    assert config["test_fingerprint"] == test.fingerprint()
    assert config["target_names"] == ["lying", "standing"]
    assert (config["seed"], config["preset"], config["settings"]["width"]) == (0, "smoke", 8)
    assert report.versions["device"] == "cpu"
    report.save(tmp_path / "report.json")
    assert FairnessReport.load(tmp_path / "report.json").to_dict() == report.to_dict()


def test_progress_is_on_stderr_or_nowhere(capsys):
    evaluate(toy(), toy(), **FAST)
    assert capsys.readouterr() == ("", "")
    evaluate(toy(), toy(), **{**FAST, "progress": True, "repeats": 2})
    out, err = capsys.readouterr()
    assert out == ""
    assert "convnet 2/2" in err
    assert "10/10" in err


GOOD = toy(n=4)
FLOATS = GOOD.normalise(GOOD.images)


def _nan():
    images = FLOATS.clone()
    images[5, 1, 2, 3] = torch.nan
    return distilled(GOOD, images)


@pytest.mark.parametrize(
    ("data", "test", "changes", "sentence"),
    [
        (FLOATS, GOOD, {}, "takes a DistilledSet or GroupedDataset"),
        (GOOD, distilled(GOOD, FLOATS), {}, "not GroupedDataset and DistilledSet"),
        (GOOD, toy(size=16), {}, r"shape \(3, 8, 8\), the test images \(3, 16, 16\)"),
        (GOOD, replace(GOOD, target_names=("a", "b")), {}, "not those of the test set"),
        (GOOD, replace(GOOD, target_names=("a", "b", "c")), {}, "not those of the test set"),
        (GOOD.subset(torch.arange(4)), GOOD, {}, "class 'standing' has no image to train on"),
        (GOOD.subset(torch.arange(0)), GOOD, {}, "no image to train or to test on"),
        (GOOD, GOOD.subset(torch.arange(0)), {}, "no image to train or to test on"),
        (_nan(), GOOD, {}, "image 5 .* NaN"),
        (distilled(GOOD, FLOATS, target=GOOD.target + 1), GOOD, {}, "target 2 is not a class"),
        (GOOD, GOOD, {"networks": "convent"}, "did you mean 'convnet'"),
        (GOOD, GOOD, {"networks": []}, "each network once"),
        (GOOD, GOOD, {"networks": ["vgg11", "vgg11"]}, "each network once"),
        (GOOD, GOOD, {"networks": ["vgg11"]}, "at least 32x32"),
        (GOOD, GOOD, {"preset": "slow"}, "not a preset"),
        (GOOD, GOOD, {"epoch": 3}, "did you mean 'epochs'"),
        (GOOD, GOOD, {"repeats": 0}, "repeats=0"),
        (GOOD, GOOD, {"device": "gpu"}, "device 'gpu' cannot be used here"),
        (GOOD, GOOD, {"lr": 1e30}, "diverged"),
    ],
)
def test_what_cannot_be_evaluated_is_refused(data, test, changes, sentence):
    with pytest.raises(FddkitError, match=sentence):
        evaluate(data, test, **{**FAST, **changes})


def test_an_empty_test_cell_is_reported():
    test = toy(n=6)
    kept = test.subset(torch.where((test.target != 1) | (test.group != 0))[0])
    report = evaluate(toy(n=6), kept, **FAST)
    assert report.empty_cells == [(0, 1)]
    assert "no test image: red standing" in str(report)
    assert report.counts.sum() == len(kept) == 9


def test_a_callback_sees_every_epoch_and_the_report_so_far():
    train, test = load("digits")
    s = distill(train, "random", ipc=2)
    seen = []
    whole = evaluate(s, test, repeats=2, preset="smoke", progress=False, callback=seen.append)
    assert [t.epoch for t in seen if t.report is None] == list(range(1, seen[-1].epochs + 1))
    one, both = (t.report for t in seen if t.report is not None)
    assert np.array_equal(one.counts, whole.counts[:1])
    assert np.array_equal(both.counterfactual.counts, whole.counterfactual.counts)
