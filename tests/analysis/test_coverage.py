import math
import statistics
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit.analysis import neighbourhoods
from fddkit.analysis.coverage import by_size, coverage
from fddkit.analysis.features import Features
from fddkit.analysis.levelling_down import levelling
from fddkit.analysis.probes import probe, purity
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator

FIELDS = ("within", "coverage", "expected", "density", "distance", "mmd")
CLASSES, GROUPS = 3, 2


def make(real, made, names=("real", "made")):
    """Features of two sets; each a list of (class, group, point)."""
    rows = [*real, *made]
    sizes = torch.tensor([len(real), len(made)])
    return Features(
        points=torch.stack([torch.as_tensor(p, dtype=torch.float32) for _, _, p in rows]),
        target=torch.tensor([y for y, _, _ in rows]),
        group=torch.tensor([a for _, a, _ in rows]),
        source=torch.arange(2).repeat_interleave(sizes),
        sources=names,
        target_names=tuple(f"class {y}" for y in range(CLASSES)),
        group_names=tuple(f"group {a}" for a in range(GROUPS)),
    )


def random(seed, least=0):
    """Cells of 0 to 9 real images and of 0 to 4 synthetic ones, in four dimensions."""
    g = generator(seed, "cloud")
    sizes = torch.randint(least, 10, (CLASSES, GROUPS), generator=g).tolist()
    many = torch.randint(least, 5, (CLASSES,), generator=g).tolist()
    real, made = [(0, 0, torch.zeros(4))], [(2, -1, torch.ones(4))]  # no set is empty
    for y in range(CLASSES):
        for a in range(GROUPS):
            real += [(y, a, torch.randn(4, generator=g) + a) for _ in range(sizes[y][a])]
        made += [(y, -1, 1.5 * torch.randn(4, generator=g)) for _ in range(many[y])]
    return make(real, made)


def distance(p, q):
    return math.dist(p.tolist(), q.tolist())


def of(f, source, y, a=None):
    return [
        f.points[i].double()
        for i in range(len(f))
        if f.sources[f.source[i]] == source and f.target[i] == y and a in (None, int(f.group[i]))
    ]


def nth(points, i, k):
    """The distance from a point to the k-th nearest of the others, or the last."""
    others = sorted(distance(points[i], q) for j, q in enumerate(points) if j != i)
    return others[min(k, len(others)) - 1] if others else math.nan


def mean(values):
    values = list(values)
    return sum(values) / len(values) if values else math.nan


def slow(f, y, a, k, radius):
    """Every number of one class and group, as its definition reads."""
    whole, own, made = of(f, "real", y), of(f, "real", y, a), of(f, "made", y)
    found = dict.fromkeys(FIELDS, math.nan)
    if not own:
        return found
    if radius is None and len(whole) > 1:
        radius = statistics.median(nth(whole, i, k) for i in range(len(whole)))
    if radius is not None:
        hits = [any(distance(x, s) <= radius for s in made) for x in own]
        found["within"] = 100 * mean(hits)
    if made:
        found["distance"] = mean(min(distance(x, s) for s in made) for x in own)
    if len(own) == 1:
        return found
    balls = [nth(own, i, k) for i in range(len(own))]
    inside = [[distance(x, s) < r for s in made] for x, r in zip(own, balls, strict=True)]
    found["coverage"] = 100 * mean(any(row) for row in inside)
    k = min(k, len(own) - 1)
    missed = 1.0
    for i in range(1, k + 1):
        missed *= (len(own) - i) / (len(made) + len(own) - i)
    found["expected"] = 100 * (1 - missed)
    if made:
        found["density"] = sum(map(sum, inside)) / (k * len(made))
        pairs = [distance(p, q) for i, p in enumerate(whole) for q in whole[:i]]
        sigma = statistics.median(pairs)

        def kernel(p, q):
            return math.exp(-(distance(p, q) ** 2) / (2 * sigma**2))

        real = mean(kernel(p, q) for i, p in enumerate(own) for j, q in enumerate(own) if i != j)
        across = mean(kernel(p, q) for p in own for q in made)
        found["mmd"] = real - 2 * across + mean(kernel(p, q) for p in made for q in made)
    return found


@settings(max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    k=st.sampled_from([1, 3, 12]),
    radius=st.sampled_from([None, 1.5]),
    held=st.sampled_from([1, 20, 2**20]),
)
def test_every_number_equals_its_definition(seed, k, radius, held):
    f = random(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbourhoods, "_HELD", held)
        found = coverage(f, "real", "made", k, radius)
    for y in range(CLASSES):
        for a in range(GROUPS):
            for name, value in slow(f, y, a, k, radius).items():
                expected = pytest.approx(value, rel=1e-6, abs=1e-9, nan_ok=True)
                assert getattr(found, name)[y, a] == expected, (name, y, a)
            assert found.n_real[y, a] == len(of(f, "real", y, a))
        assert found.n_synthetic[y] == len(of(f, "made", y))


def clusters(n=8):
    """Two groups of each class, ten apart and each about one across."""
    g = generator(0, "clusters")
    return [
        (y, a, torch.tensor([30.0 * y, 10.0 * a]) + 0.3 * torch.randn(2, generator=g))
        for y in range(CLASSES)
        for a in range(GROUPS)
        for _ in range(n)
    ]


def test_a_set_equal_to_the_images_of_one_group_covers_that_group_alone():
    real = clusters()
    found = coverage(make(real, [(y, -1, p) for y, a, p in real if a == 0]), "real", "made")
    for name, values in {
        "within": (100, 0),
        "coverage": (100, 0),
        "density": (1, 0),
        "distance": (0, 10),
    }.items():
        for a in range(GROUPS):
            near = 1e-12 if a == 0 else 1.5
            assert getattr(found, name)[:, a] == pytest.approx([values[a]] * CLASSES, abs=near)
    # off the diagonal the kernel is less than one: just under zero, by about 1 / n
    assert (found.mmd[:, 0] < 0).all()
    assert (found.mmd[:, 0] > -1 / 8).all()
    assert (found.mmd[:, 1] > 0.5).all()


def test_a_set_far_away_covers_nothing():
    far = [(y, -1, [1e3, 1e3]) for y in range(CLASSES)]
    found = coverage(make(clusters(), far), "real", "made")
    for name in ("within", "coverage", "density"):
        assert (getattr(found, name) == 0).all()
    assert (found.distance > 1000).all()


def test_four_points_by_hand():
    """Group 0 at 0 and 2, group 1 at 5, of class 0; one synthetic image at 1, another at 9."""
    real = [(0, 0, [0.0]), (0, 0, [2.0]), (0, 1, [5.0])]
    found = coverage(make(real, [(0, -1, [1.0]), (0, -1, [9.0])]), "real", "made", k=1)
    # neighbours at 2, 2 and 3; pairs at 2, 3 and 5
    assert found.radius[0] == 2
    assert found.bandwidth[0] == 3
    assert found.within[0].tolist() == [100, 0]
    assert found.distance[0].tolist() == [1, 4]
    assert found.coverage[0, 0] == 100
    assert found.density[0, 0] == 1  # both balls hold the first image, of two
    assert found.expected[0, 0] == pytest.approx(100 * 2 / 3)
    kernel = [math.exp(-(d**2) / 18) for d in (2, 1, 9, 7, 8)]
    across = (2 * kernel[1] + kernel[2] + kernel[3]) / 4
    assert found.mmd[0, 0] == pytest.approx(kernel[0] - 2 * across + (1 + kernel[4]) / 2)
    # the second group is alone, the second class empty
    assert all(np.isnan(getattr(found, name)[0, 1]) for name in ("coverage", "density", "mmd"))
    assert all(np.isnan(getattr(found, name)[1:]).all() for name in FIELDS)
    assert np.isnan(found.radius[1:]).all()
    assert found.n_real.tolist() == [[2, 1], [0, 0], [0, 0]]
    near = coverage(make(real, [(0, -1, [1.0])]), "real", "made", radius=1)
    assert near.within[0].tolist() == [100, 0]
    assert near.radius.tolist() == [1, 1, 1]
    table = found.table()
    assert list(table.columns[:4]) == ["class", "group", "real", "synthetic"]
    assert list(table.columns[4:]) == list(FIELDS)
    row = table[(table["class"] == "class 0") & (table["group"] == "group 1")].iloc[0]
    assert (row["real"], row["synthetic"], row["distance"]) == (1, 2, 4)
    assert len(table) == 6


def test_a_class_without_synthetic_images_is_not_covered():
    found = coverage(make(clusters(), [(0, -1, [0.0, 0.0])]), "real", "made")
    for name in ("within", "coverage", "expected"):
        assert (getattr(found, name)[1:] == 0).all()
    for name in ("density", "distance", "mmd"):
        assert np.isnan(getattr(found, name)[1:]).all()
    assert np.isfinite(found.mmd[0]).all()  # also of a single synthetic image


def test_expected_coverage_and_density_are_those_of_real_images():
    """Average over draws: as many other images of the group as the synthetic set has."""
    g, found = generator(0, "draws"), []
    for _ in range(300):
        cloud = torch.randn(16, 3, generator=g)
        real = [(0, 0, p) for p in cloud[:10]]
        found.append(coverage(make(real, [(0, -1, p) for p in cloud[10:]]), "real", "made", k=2))
    measured = np.mean([one.coverage[0, 0] for one in found])
    assert measured == pytest.approx(found[0].expected[0, 0], abs=3)
    assert np.mean([one.density[0, 0] for one in found]) == pytest.approx(1, abs=0.1)
    assert np.mean([one.mmd[0, 0] for one in found]) > 0


def test_equal_images_of_a_group_are_covered_by_the_image_they_are():
    real = [(0, 0, [1.0, 2.0])] * 4
    found = coverage(make(real, [(0, -1, [1.0, 2.0])]), "real", "made", k=2)
    assert (found.within[0, 0], found.coverage[0, 0], found.distance[0, 0]) == (100, 100, 0)
    assert np.isnan(found.bandwidth[0])
    assert np.isnan(found.mmd[0, 0])


def test_rounding_does_not_part_what_is_one_image():
    """Two batches give one image's features to rounding."""
    g = generator(0, "rounding")
    points = 1 + torch.rand(20, 50, generator=g)
    real = [(0, 0, p) for p in points]
    made = [(0, -1, p * (1 + 1e-7 * torch.randn(50, generator=g))) for p in points]
    found = coverage(make(real, made), "real", "made", radius=0)
    assert (found.within[0, 0], found.distance[0, 0]) == (100, 0)
    # each ball holds its own image and four neighbours; the fifth lies on the border
    assert found.density[0, 0] == pytest.approx(1, abs=1e-12)


def test_the_same_call_gives_the_same_bits_and_the_seed_draws_the_pairs(monkeypatch):
    monkeypatch.setattr(neighbourhoods, "_PAIRED", 10)
    f = make(clusters(30), [(0, -1, [0.0, 0.0]), (1, -1, [30.0, 9.0])])
    one, two, other = (coverage(f, "real", "made", seed=seed) for seed in (0, 0, 1))
    for name in (*FIELDS, "radius", "bandwidth"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert (one.bandwidth != other.bandwidth).all()


def folds_by_hand(f, rows, labels, rng, folds=5):
    """Hits of the probe, each label dealt out in turn."""
    from sklearn.linear_model import LogisticRegression

    order = torch.randperm(len(rows), generator=rng).tolist()
    dealt = [i for label in sorted(set(labels)) for i in order if labels[i] == label]
    dealt = [i for i in dealt if labels.count(labels[i]) > 1]
    hits = 0
    for fold in range(folds):
        test = [i for place, i in enumerate(dealt) if place % folds == fold]
        train = [i for i in dealt if i not in test]
        x = np.stack([f.points[rows[i]].double().numpy() for i in train])
        centre, scale = x.mean(0), x.std(0)
        model = LogisticRegression(max_iter=500)
        model.fit((x - centre) / scale, [labels[i] for i in train])
        for i in test:
            one = (f.points[rows[i]].double().numpy() - centre) / scale
            hits += int(model.predict(one[None])[0] == labels[i])
    return 100 * hits / len(dealt), len(dealt)


def test_the_probe_equals_its_folds():
    g = generator(3, "probe")
    sizes = ((12, 9), (7, 1), (20, 6))
    real = [
        (y, a, torch.randn(3, generator=g) + 0.8 * a + 0.5 * y)
        for y in range(CLASSES)
        for a in range(GROUPS)
        for _ in range(sizes[y][a])
    ]
    f = make(real, [(0, -1, [0.0] * 3)])
    found = probe(f, "real", "target")
    rows = list(range(len(real)))
    value, images = folds_by_hand(
        f, rows, [y for y, _, _ in real], generator(0, "probe", "target", 0)
    )
    assert (found.value, found.images) == (pytest.approx(value), images)
    assert found.chance == pytest.approx(100 * 26 / 55)
    assert found.by_class is None
    # of a class with a single image no probe can have learnt
    alone = make([row for row in real if row[0] != 1] + real[21:22], [(0, -1, [0.0] * 3)])
    assert real[21][0] == 1
    found = probe(alone, "real", "target")
    assert found.images == 47
    assert found.chance == pytest.approx(100 * 26 / 47)

    found = probe(f, "real")
    assert found.by_class.shape == (3, 2)
    assert np.isnan(found.by_class[1]).all()  # a single image of the second group
    for y, most in ((0, 12 / 21), (2, 20 / 26)):
        rows = [i for i, row in enumerate(real) if row[0] == y]
        labels = [real[i][1] for i in rows]
        value, _ = folds_by_hand(f, rows, labels, generator(0, "probe", "group", y))
        assert found.by_class[y] == pytest.approx([value, 100 * most])
    weighted = (21 * found.by_class[0] + 26 * found.by_class[2]) / 47
    assert [found.value, found.chance] == pytest.approx(weighted)
    assert found.images == 47


def test_a_probe_finds_what_is_there_and_nothing_else():
    real = clusters(20)
    f = make(real, [(0, -1, [0.0, 0.0])])
    assert probe(f, "real").value == probe(f, "real", "target").value == 100
    blind = replace(f, points=torch.randn(len(f), 2, generator=generator(0)))
    assert abs(probe(blind, "real").value - 50) < 15


def test_a_probe_of_nothing_to_tell_is_nan():
    real = [(0, 0, [0.0]), (0, 0, [1.0]), (1, 1, [2.0])]
    f = make(real, [(0, -1, [0.0]), (1, -1, [1.0])])
    for score in (probe(f, "real"), probe(f, "made", "target")):
        assert math.isnan(score.value)
        assert math.isnan(score.chance)
        assert score.images == 0


def test_purity_by_hand(monkeypatch):
    real = clusters(10)
    f = make(real, [(0, -1, [0.0, 0.0])])
    assert purity(f, "real").value == 100  # classes are thirty apart, groups ten
    assert purity(f, "real", "group", clusters=6).value == 100
    assert purity(f, "real", "target", clusters=6).value == 100
    assert purity(f, "real", "group").value < 70  # two clusters are not the two groups
    assert purity(f, "real", clusters=1).value == pytest.approx(100 / 3)
    assert purity(f, "real", clusters=1).chance == pytest.approx(100 / 3)
    score = purity(f, "real", clusters=20)
    assert 100 / 3 < score.chance < score.value == 100  # chance grows with the clusters
    assert score.images == 60
    assert purity(f, "real", clusters=20, seed=0).chance == score.chance
    # a mistake in every class: one image of the next one
    wrong = f.target.clone()
    for y in range(CLASSES):
        wrong[torch.where(f.target[:60] == y)[0][0]] = (y + 1) % CLASSES
    assert purity(replace(f, target=wrong), "real").value == pytest.approx(95)
    # a class that a set lacks makes no cluster
    two = make([row for row in real if row[0] < 2], [(0, -1, [0.0, 0.0])])
    assert purity(two, "real").value == 100
    same = make([(0, 0, [1.0]), (1, 1, [1.0])], [(0, -1, [0.0])])
    assert purity(same, "real").value == 50


def test_a_real_set_can_stand_for_the_synthetic_one():
    real = clusters()
    f = make(real, real[::2])
    found = coverage(f, "real", "made")
    assert (found.within > 80).all()
    assert (found.n_synthetic == 8).all()


def test_mistakes_get_a_sentence():
    f = make(clusters(), [(0, -1, [0.0, 0.0])])
    for call, words in [
        (lambda: coverage(f, "reel", "made"), "did you mean 'real'"),
        (lambda: coverage(f, "real", "mad"), "did you mean 'made'"),
        (lambda: coverage(f, "made", "real"), "'made' belong to no group; name a real set"),
        (lambda: coverage(f, "real", "made", k=0), "k=0 is not a positive integer"),
        (lambda: coverage(f, "real", "made", radius=-1), "radius=-1 is not a distance"),
        (lambda: coverage(f, "real", "made", radius=math.nan), "radius=nan is not a distance"),
        (lambda: probe(f, "made"), "'made' belong to no group"),
        (lambda: probe(f, "real", "groups"), "did you mean 'group'"),
        (lambda: probe(f, "real", folds=1), "folds=1 is not an integer of at least 2"),
        (lambda: purity(f, "nobody"), "'nobody' is not a set of these features"),
        (lambda: purity(f, "real", "class"), "'class' is not a label; known: group, target"),
        (lambda: purity(f, "real", clusters=99), "clusters=99 does not suit 48 images"),
        (lambda: purity(f, "real", clusters=0), "clusters=0 does not suit"),
    ]:
        with pytest.raises(FddkitError, match=words):
            call()


def test_majorities_and_minorities_apart():
    points, target = torch.randn(30, 3), torch.arange(30) % 2
    group = torch.tensor([0, 0, 1, 1, 0, 0] * 4 + [-1] * 6)
    source = torch.tensor([0] * 24 + [1] * 6)
    f = Features(points, target, group, source, ("real", "s"), ("x", "y"), ("big", "small"))
    one = coverage(f, "real", "s")
    found = by_size({"a": one}, torch.tensor([[8, 4], [8, 4]]))
    assert found.loc[("a", "majority"), "distance"] == pytest.approx(one.distance[:, 0].mean())
    assert found.loc[("a", "minority"), "mmd"] == pytest.approx(one.mmd[:, 1].mean())
    above = (one.coverage - one.expected)[:, 1].mean()
    assert found.loc[("a", "minority"), "above"] == pytest.approx(above)
    assert found.loc[("a", "minority"), "real"] == 4


@pytest.mark.parametrize(
    ("majority", "minority", "words"),
    [
        (1.0, 2.0, "More even because minorities are covered better."),
        (0.8, 2.0, "More even because minorities are covered better."),
        (2.9, 3.1, "More even only because majorities are covered worse (levelling down)."),
        (2.5, 3.0, "More even only because majorities are covered worse (levelling down)."),
        (1.5, 2.5, "50% of the change is that majorities are covered worse (levelling down), the"),
        (0.5, 3.0, "Not more even."),
        (4.0, 2.0, "Not more even."),  # as uneven as before, the other way round
        (1.0, 3.0, "Not more even."),
    ],
)
def test_equal_coverage_says_at_whose_expense(majority, minority, words):
    rows = [(title, who) for title in ("vanilla", "cobra") for who in ("majority", "minority")]
    values = {"distance": [1.0, 3.0, majority, minority], "mmd": [3.0, 1.0, minority, majority]}
    means = pd.DataFrame(values, index=pd.MultiIndex.from_tuples(rows))
    said = levelling(means, "cobra", "vanilla")
    assert said.endswith(words) or words in said
    assert f"{majority:.2f} for majorities and {minority:.2f} for minorities" in said
    # the same the other way round, where the majority is the worse covered
    mirrored = levelling(means, "cobra", "vanilla", "mmd")
    swapped = words.replace("minorities", "?").replace("majorities", "minorities")
    assert swapped.replace("?", "majorities") in mirrored
    with pytest.raises(FddkitError, match="column='within' is not one of distance, mmd"):
        levelling(means, "cobra", "vanilla", "within")
