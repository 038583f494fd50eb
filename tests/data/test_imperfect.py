"""Imperfect group labels: noise, partly known and unknown groups, and their recovery."""

import math

import numpy as np
import pytest
import torch
from sklearn.cluster import KMeans

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data import recovery
from fddkit.data.label_changes import check_changes
from fddkit.data.loading import reload
from fddkit.data.recovery import lloyd
from fddkit.rules.rules import RULES

QUICK = {"preset": "smoke", "iterations": 2, "progress": False, "device": "cpu"}


@pytest.fixture(scope="module")
def train():
    return fdd.load("digits")[0]


def toy(apart, n=400, classes=2, groups=2, br=0.75, seed=0):
    """Return a set whose features are [N, 2], and those: groups at corners ``apart`` apart."""
    rng = np.random.default_rng(seed)
    target = np.repeat(np.arange(classes), n)
    minority = rng.integers(1, groups, len(target))
    group = np.where(rng.random(len(target)) < br, 0, minority)
    corners = np.stack([np.cos(np.arange(groups)), np.sin(np.arange(groups))], 1)
    points = apart * corners[group] + rng.normal(size=(len(target), 2))
    images = np.zeros((len(target), 1, 4, 4), dtype=np.uint8)
    names = [f"group {a}" for a in range(groups)]
    return fdd.GroupedDataset.from_arrays(images, target, group, group_names=names), points


# --- noise -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "groups"), [("any", 2), ("any", 10), ("wrong", 2), ("wrong", 10)])
def test_the_share_of_changed_labels_is_that_of_the_papers(kind, groups):
    n = 20_000
    images = np.zeros((n, 1, 1, 1), dtype=np.uint8)
    group = np.arange(n) % groups
    data = fdd.GroupedDataset.from_arrays(images, np.zeros(n, int), group)
    noisy = fdd.noisy_groups(data, 0.2, kind)
    changed = int((noisy.group != data.group).sum())
    record = noisy.source["group_labels"][0]
    assert record["drawn"] == 4000
    if kind == "wrong":  # COBRA: another label, so every draw changes one
        assert changed == 4000
    else:  # FairDD: any label, so one draw in A changes nothing; within four standard deviations
        expected = 4000 * (1 - 1 / groups)
        assert abs(changed - expected) < 4 * math.sqrt(expected / groups)
    assert record["changed"] == changed == np.sum(record["by_cell"])


@pytest.mark.parametrize("kind", ["any", "wrong"])
def test_new_labels_are_uniform_over_those_possible(kind):
    n = 30_000
    images = np.zeros((n, 1, 1, 1), dtype=np.uint8)
    data = fdd.GroupedDataset.from_arrays(
        images, np.zeros(n, int), np.ones(n, int), group_names=list("abcd")
    )
    found = fdd.noisy_groups(data, 1, kind).group.bincount(minlength=4)
    possible = [0, 2, 3] if kind == "wrong" else [0, 1, 2, 3]
    assert found.sum() == n
    for a in range(4):
        expected = n / len(possible) if a in possible else 0
        assert abs(int(found[a]) - expected) <= 4 * math.sqrt(expected)


def test_only_labels_change_and_the_record_says_where(train):
    noisy = fdd.noisy_groups(train, 0.3, "wrong", seed=3)
    assert noisy.images is train.images
    assert noisy.target is train.target
    moved = noisy.group != train.group
    by_cell = torch.zeros(10, 10, dtype=torch.int64)
    for y, a in zip(train.target[moved].tolist(), train.group[moved].tolist(), strict=True):
        by_cell[y, a] += 1
    assert noisy.source["group_labels"][-1]["by_cell"] == by_cell.tolist()
    assert not train.source.get("group_labels")  # the set itself is as it was


def test_noise_depends_on_the_seed_and_less_is_contained_in_more(train):
    for kind in ("any", "wrong"):
        less, more = (fdd.noisy_groups(train, share, kind) for share in (0.1, 0.5))
        moved = less.group != train.group
        assert torch.equal(less.group[moved], more.group[moved])
        assert torch.equal(less.group, fdd.noisy_groups(train, 0.1, kind).group)
        assert not torch.equal(less.group, fdd.noisy_groups(train, 0.1, kind, seed=1).group)
    assert torch.equal(fdd.noisy_groups(train, 0).group, train.group)


def test_noise_leaves_unknown_groups_unknown(train):
    partly = fdd.known_groups(train, 0.5)
    noisy = fdd.noisy_groups(partly, 1, "wrong")
    assert torch.equal(noisy.group < 0, partly.group < 0)
    assert (noisy.group != train.group).all()


# --- partly known and unknown groups ---------------------------------------------------------


def test_what_a_smaller_share_keeps_a_larger_one_keeps_too(train):
    before = torch.zeros(len(train), dtype=torch.bool)
    for share in (0, 0.05, 0.1, 0.25, 0.5, 0.75, 1):
        partly = fdd.known_groups(train, share, seed=2)
        known = partly.group >= 0
        assert torch.equal(partly.group[known], train.group[known])
        assert known[before].all()
        sizes = train.target.bincount().tolist()
        kept = train.target[known].bincount(minlength=10).tolist()
        assert kept == [math.ceil(round(share * n, 9)) for n in sizes]
        dropped = partly.source["group_labels"][-1]
        assert dropped["changed"] == len(train) - int(known.sum())
        assert np.array_equal(dropped["by_cell"], train.counts() - partly.counts())
        before = known
    assert not torch.equal(
        fdd.known_groups(train, 0.5, seed=2).group, fdd.known_groups(train, 0.5).group
    )


def test_no_class_is_without_a_known_group_unless_none_is_asked_for(train):
    for share, kept in ((1e-12, 1), (0.0, 0)):
        known = fdd.known_groups(train, share)
        classes = known.target[known.group >= 0].bincount(minlength=train.n_classes)
        assert classes.tolist() == [kept] * train.n_classes


def test_counts_are_of_known_groups(train):
    partly = fdd.known_groups(train, 0.25)
    known = partly.group >= 0
    assert torch.equal(partly.counts(), train.subset(torch.where(known)[0]).counts())
    assert fdd.unknown_groups(train).counts().sum() == 0


# --- recovery --------------------------------------------------------------------------------


def right(guessed, data, partly):
    return (guessed.group == data.group)[partly.group < 0].double().mean().item()


@pytest.mark.parametrize("share", [0.05, 0.25, 0.75])
@pytest.mark.parametrize("groups", [2, 5])
def test_separable_groups_are_recovered(share, groups):
    data, points = toy(apart=12, n=1000, groups=groups, br=0.5)  # else none may be known
    partly = fdd.known_groups(data, share)
    assert right(fdd.recovered_groups(partly, points), data, partly) > 0.99


@pytest.mark.parametrize("share", [0.25, 0.75])
def test_inseparable_groups_are_guessed_as_the_majority(share):
    data, points = toy(apart=0, br=0.9)
    partly = fdd.known_groups(data, share)
    guessed = fdd.recovered_groups(partly, points)
    hidden = partly.group < 0
    assert (guessed.group[hidden] == 0).all()
    majority = (data.group[hidden] == 0).double().mean().item()
    assert right(guessed, data, partly) == pytest.approx(majority)


def test_known_labels_stay_and_nothing_is_drawn(train):
    partly = fdd.known_groups(train, 0.25)
    one, two = (fdd.recovered_groups(partly) for _ in range(2))
    known = partly.group >= 0
    assert torch.equal(one.group, two.group)
    assert torch.equal(one.group[known], train.group[known])
    assert (one.group >= 0).all()
    assert one.source["group_labels"][-1]["changed"] == int((~known).sum())
    assert np.sum(one.source["group_labels"][-1]["by_cell"]) == int((~known).sum())


def test_colours_are_recovered_better_than_by_pixels(train):
    partly = fdd.known_groups(train, 0.1)
    pixels = right(fdd.recovered_groups(partly), train, partly)
    colour = fdd.recovered_groups(partly, lambda images: images.double().mean((2, 3)))
    assert right(colour, train, partly) > 0.98
    assert 0.75 < pixels < right(colour, train, partly)
    as_array = train.images.double().mean((2, 3)).numpy()
    assert torch.equal(fdd.recovered_groups(partly, as_array).group, colour.group)


def test_a_group_that_a_class_has_no_known_image_of_is_found_by_the_other_classes():
    data, points = toy(apart=12, groups=2, br=0.9)
    group = data.group.clone()
    group[(data.target == 1) & (data.group == 1)] = -1  # none of group 1 is known in class 1
    group[:50] = -1
    group[400:450] = -1
    partly = fdd.known_groups(data, 1)
    partly.group[:] = group
    assert right(fdd.recovered_groups(partly, points), data, partly) > 0.99


def converted_at_once(partly, features):
    """Return the recovered groups from a float64 copy of all features."""
    points = torch.as_tensor(features).double().flatten(1)
    group, guessed = partly.group, partly.group.clone()
    names = group[group >= 0].unique().tolist()
    for y in range(partly.n_classes):
        rows = torch.where(partly.target == y)[0]
        own, labels = points[rows], group[rows]
        starts = [
            own[labels == a].mean(0) if (labels == a).any() else points[group == a].mean(0)
            for a in names
        ]
        cluster = lloyd(own, torch.stack(starts))
        for i, a in enumerate(names):
            known = labels[(cluster == i) & (labels >= 0)]
            vote = known.bincount().argmax() if len(known) else torch.tensor(a)
            guessed[rows[(cluster == i) & (labels < 0)]] = vote
    return guessed


@pytest.mark.parametrize("numbers", [1, 2**21])
def test_converting_parts_changes_nothing(train, numbers, monkeypatch):
    monkeypatch.setattr(recovery, "_NUMBERS", numbers)
    partly = fdd.known_groups(train, 0.02)
    expected = converted_at_once(partly, train.images)
    assert torch.equal(fdd.recovered_groups(partly).group, expected)
    features = train.images.float().mean((2, 3))
    expected = converted_at_once(partly, features)
    assert torch.equal(fdd.recovered_groups(partly, features).group, expected)


def test_no_more_than_a_class_is_converted(train, monkeypatch):
    rows, double = [], torch.Tensor.double
    monkeypatch.setattr(recovery, "_NUMBERS", 50 * train.images[0].numel())
    monkeypatch.setattr(torch.Tensor, "double", lambda x: rows.append(len(x)) or double(x))
    fdd.recovered_groups(fdd.known_groups(train, 0.5))
    assert max(rows) <= int(train.target.bincount().max())


def test_lloyd_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(300, 4))
    starts = points[:5]
    found = lloyd(torch.from_numpy(points), torch.from_numpy(starts))
    theirs = KMeans(5, init=starts, n_init=1, max_iter=100, tol=0).fit(points)
    assert np.array_equal(found, theirs.labels_)


def test_an_empty_cluster_keeps_its_centre():
    points = torch.tensor([[0.0], [1.0], [10.0]]).double()
    centres = torch.tensor([[0.0], [1000.0], [9.0]]).double()
    assert lloyd(points, centres).tolist() == [0, 0, 2]


# --- what works on such sets -----------------------------------------------------------------


@pytest.mark.parametrize("rule", ["vanilla", "fairdd", "cobra", "kde"])
def test_rules_work_on_noisy_and_recovered_groups(train, rule):
    noisy = fdd.noisy_groups(train, 0.2)
    recovered = fdd.recovered_groups(fdd.known_groups(train, 0.25))
    for data in (noisy, recovered):
        s = fdd.distill(data, "dm", rule, 1, **QUICK)
        assert s.config["fingerprint"] == data.fingerprint() != train.fingerprint()
        assert s.images.isfinite().all()


@pytest.mark.parametrize("rule", list(RULES))
@pytest.mark.parametrize("share", [0, 0.5])
def test_rules_refuse_unknown_groups_before_any_work(train, rule, share, monkeypatch):
    partly = fdd.known_groups(train, share)
    if not RULES[rule].needs_groups:
        s = fdd.distill(partly, "dm", rule, 1, **QUICK)
        assert torch.equal(s.group, partly.group[s_index(partly)])
        return
    monkeypatch.setattr("fddkit.distillers.dm.DM.__init__", None)  # nothing may be made
    which = "all groups" if share == 0 else "672 of the 1,347 groups"
    with pytest.raises(FddkitError, match=f"{rule}' needs .*{which}.*use the rule kde") as error:
        fdd.distill(partly, "dm", rule, 1, **QUICK)
    assert ("recovered_groups" in str(error.value)) == (share > 0)


def s_index(train):
    from fddkit.distillers.start import drawn

    return drawn(train, 1, 0)


@pytest.mark.parametrize("rule", ["vanilla", "kde"])
@pytest.mark.parametrize("sampling", ["class", "group"])
def test_rules_without_groups_do_the_same_whether_or_not_groups_are_known(train, rule, sampling):
    found = [
        fdd.distill(data, "dm", rule, 1, sampling="class", **QUICK).images
        for data in (train, fdd.unknown_groups(train))
    ]
    torch.testing.assert_close(*found, rtol=1e-4, atol=1e-4)
    partly = fdd.known_groups(train, 0.5)
    s = fdd.distill(partly, "dm", rule, 1, sampling=sampling, batch=10**4, **QUICK)
    whole = fdd.distill(train, "dm", rule, 1, sampling="class", batch=10**4, **QUICK)
    torch.testing.assert_close(s.images, whole.images, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("method", ["mtt", "idc", "dream", "dc", "cafe"])
def test_every_method_refuses_unknown_groups(train, method, tmp_path):
    with pytest.raises(FddkitError, match="the rule 'cobra' needs the group of every image"):
        fdd.distill(fdd.unknown_groups(train), method, "cobra", 1, preset="smoke", cache=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["random-balanced", "herding-balanced", "whole-balanced"])
def test_balanced_baselines_refuse_unknown_groups(train, name):
    with pytest.raises(FddkitError, match="a balanced choice needs the group of every image"):
        fdd.distill(fdd.unknown_groups(train), name, ipc=1, progress=False)


def test_other_things_that_need_groups_refuse_too(train):
    unknown = fdd.unknown_groups(train)
    with pytest.raises(FddkitError, match="extractor='fair' needs the group"):
        fdd.distill(unknown, "dm", "vanilla", 1, extractor="fair", **QUICK)
    with pytest.raises(FddkitError, match="a statistic of groups needs the group"):
        fdd.theory.Signal(unknown, "dm", preset="smoke", device="cpu").groups()
    with pytest.raises(FddkitError, match="'cobra' needs the group"):
        fdd.theory.collinearity(unknown, ipc=1, preset="smoke")
    for use in (fdd.GroupedDataset.split, lambda data: data.biased(br=0.5)):
        with pytest.raises(FddkitError, match=r"unknown; use only images whose group is known$"):
            use(unknown)
        with pytest.raises(FddkitError, match=r"is known, or fdd\.recovered_groups to guess them"):
            use(fdd.known_groups(train))


def test_evaluation_is_on_the_true_groups(train):
    test = fdd.load("digits")[1]
    options = {"repeats": 1, "preset": "smoke", "progress": False, "device": "cpu"}
    reports = [
        fdd.evaluate(data, test, **options)
        for data in (train, fdd.noisy_groups(train, 0.5), fdd.unknown_groups(train))
    ]
    assert len({report.accuracy.mean for report in reports}) == 1  # no label of a group is used
    assert all(np.array_equal(report.counts, reports[0].counts) for report in reports)
    with pytest.raises(FddkitError, match="needs the groups of the training images"):
        fdd.evaluate(fdd.unknown_groups(train), test, objective="group-dro", **options)


def test_features_of_images_with_unknown_groups(train):
    test = fdd.load("digits")[1]
    partly = fdd.known_groups(train, 0.5)
    found = fdd.features.extract({"train": partly}, per_cell=2)
    cells = partly.target * 11 + partly.group + 1
    assert len(found.points) == sum(min(2, int(n)) for n in cells.bincount(minlength=1))
    with pytest.raises(FddkitError, match="belong to no group"):
        found.rows("train", grouped=True)
    assert len(test)


def test_a_set_file_keeps_unknown_groups_and_the_record(train, tmp_path):
    partly = fdd.known_groups(train, 0.5)
    partly.save(tmp_path / "s.fdd")
    from fddkit.data.grouped_file import read

    (again,) = read(tmp_path / "s.fdd").values()
    assert torch.equal(again.group, partly.group)
    assert again.source["group_labels"] == partly.source["group_labels"]


# --- loading ---------------------------------------------------------------------------------


def test_a_changed_set_can_be_loaded_again(train):
    changed = fdd.noisy_groups(train, 0.1, "wrong", seed=4)
    changed = fdd.recovered_groups(fdd.known_groups(changed, 0.25, seed=1))
    again, test = reload(changed.info)
    assert again.fingerprint() == changed.fingerprint()
    assert again.source == changed.source
    assert test.fingerprint() == fdd.load("digits")[1].fingerprint()
    steps = [{"change": "noise", "share": 0.1}]
    loaded = fdd.load("digits", group_labels=steps)[0]
    assert torch.equal(loaded.group, fdd.noisy_groups(train, 0.1).group)


def test_a_set_recovered_from_own_features_or_arrays_cannot_be_loaded_again(train):
    partly = fdd.known_groups(train, 0.25)
    colour = fdd.recovered_groups(partly, lambda images: images.double().mean((2, 3)))
    assert colour.info == {}
    data, _ = toy(apart=1)
    assert fdd.noisy_groups(data, 0.1).info == {}


def test_unbalanced_minorities_by_name():
    counts = fdd.load("digits", proportions="unbalanced")[0].counts()
    for y, row in enumerate(counts.tolist()):
        minorities = [n for a, n in enumerate(row) if a != y]
        assert minorities == sorted(minorities)
        exact = [sum(minorities) * i / 45 for i in range(1, 10)]
        assert max(abs(n - x) for n, x in zip(minorities, exact, strict=True)) <= 1
    named, numbers = (
        fdd.load("digits", proportions=given)[0] for given in ("unbalanced", range(1, 10))
    )
    assert named.fingerprint() == numbers.fingerprint()
    assert named.info == numbers.info


def test_mistakes_get_one_sentence(train):
    partly = fdd.known_groups(train, 0.5)
    alone = fdd.GroupedDataset.from_arrays(np.zeros((2, 1, 4, 4), np.uint8), [0, 1], [0, 0])
    step = {"change": "noise"}
    cases = {
        "share=2 is not a share": lambda: fdd.noisy_groups(train, 2),
        "share=True is not": lambda: fdd.known_groups(train, True),
        "share=nan is not": lambda: fdd.known_groups(train, math.nan),
        "'bad' is not a kind of group noise": lambda: fdd.noisy_groups(train, 0.1, "bad"),
        "has one group": lambda: fdd.noisy_groups(alone),
        "\\['noise'\\] is not a change of group labels": lambda: check_changes(
            [{"change": ["noise"]}]
        ),
        "features='hue' is not known": lambda: fdd.recovered_groups(partly, "hue"),
        "one row per image": lambda: fdd.recovered_groups(partly, np.zeros((3, 2))),
        "not an array of numbers": lambda: fdd.recovered_groups(partly, [["a"]] * len(train)),
        "NaN or infinity": lambda: fdd.recovered_groups(partly, np.full(len(train), np.nan)),
        "no group of digits is known": lambda: fdd.recovered_groups(fdd.unknown_groups(train)),
        "is not a list of changes": lambda: fdd.load("digits", group_labels="noise"),
        "is not a change of group": lambda: fdd.load("digits", group_labels=["noise"]),
        "'nose' is not a change": lambda: fdd.load("digits", group_labels=[{"change": "nose"}]),
        "is not a name of an argument of noise": lambda: fdd.load(
            "digits", group_labels=[step | {"n": 1}]
        ),
        "whole number": lambda: fdd.load("digits", group_labels=[step | {"seed": "a"}]),
        "'unbalnced' is not a name": lambda: fdd.load("digits", proportions="unbalnced"),
    }
    for message, call in cases.items():
        with pytest.raises(FddkitError, match=message):
            call()
