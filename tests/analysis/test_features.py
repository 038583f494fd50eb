import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from references import toy
from torch.nn import functional as F

from fddkit.analysis import features, projections
from fddkit.analysis.features import Features, extract
from fddkit.analysis.projections import project
from fddkit.core.errors import FddkitError
from fddkit.core.rng import derive, generator
from fddkit.data import whitening
from fddkit.data.multi_formation import decode
from fddkit.distillers.baselines import baseline
from fddkit.distillers.start import initial
from fddkit.training import networks
from fddkit.training.fit import recipe

SMALL = {"width": 4, "depth": 2, "progress": False}


def distilled(data, ipc=2, seed=0, **changes):
    """An optimisation's start stands in for its end; images that no set of pixels gives."""
    s = initial(data, ipc, seed)
    return replace(s, images=s.images + 0.1, **changes)


def cloud(n, d=6, seed=0):
    points = torch.randn(n, d, generator=generator(seed, "cloud"))
    zeros = torch.zeros(n, dtype=torch.int64)
    return Features(points, zeros, zeros, zeros, ("a",), ("0",), ("0",))


def one_by_one(net, images):
    """The last feature map, flattened, of one normalised image after the other."""
    return torch.stack([net.features(image[None].float())[0].flatten() for image in images])


@pytest.fixture
def data():
    return toy(0, torch.tensor([[9, 3], [4, 8], [2, 0]]))


def test_features_are_those_of_one_network_image_by_image(data):
    s = distilled(data)
    f = extract({"real": data, "made": s}, seed=3, per_cell=None, **SMALL)
    net = networks.build("convnet", data.shape, 3, derive(3, "features", "convnet"), 4, 2)
    with torch.no_grad():
        real = one_by_one(net, data.normalise(data.images))
        made = one_by_one(net, s.images)
    torch.testing.assert_close(f.points, torch.cat([real, made]))
    assert f.points.dtype == torch.float32
    assert f.sources == ("real", "made")
    assert f.source.tolist() == [0] * len(data) + [1] * len(s)
    assert f.target.tolist() == data.target.tolist() + s.target.tolist()
    assert f.group.tolist() == data.group.tolist() + [-1] * len(s)
    assert f.rows("made").tolist() == list(range(len(data), len(data) + len(s)))
    again = extract({"real": data, "made": s}, seed=3, per_cell=None, **SMALL)
    assert torch.equal(again.points, f.points)
    other = extract({"real": data, "made": s}, seed=4, per_cell=None, **SMALL)
    assert not torch.equal(other.points, f.points)


@given(seed=st.integers(0, 10**6), per_cell=st.integers(1, 5))
def test_a_real_set_gives_at_most_so_many_images_of_each_cell(seed, per_cell):
    counts = torch.randint(0, 8, (3, 2), generator=generator(seed))
    data = toy(seed, torch.full((3, 2), 8))
    cell = data.target * 2 + data.group
    kept = [torch.where(cell == c)[0][:n] for c, n in enumerate(counts.flatten().tolist())]
    data = data.subset(torch.cat(kept))
    index = features._choose(data, per_cell, generator(seed))
    assert index.tolist() == sorted(set(index.tolist()))
    found = [[0, 0] for _ in range(3)]
    for i in index.tolist():
        found[data.target[i]][data.group[i]] += 1
    assert found == counts.clamp(max=per_cell).tolist()


def test_the_images_of_a_cell_are_drawn_at_random_whatever_the_set_is_called(data):
    draws = torch.stack([features._choose(data, 1, generator(seed)) for seed in range(300)])
    first = draws[torch.isin(draws, torch.where((data.target == 0) & (data.group == 0))[0])]
    assert len(first) == 300
    assert first.unique(return_counts=True)[1].min() > 15  # 33 of each of nine on average
    f = extract({"a": data, "b": data}, per_cell=2, **SMALL)
    assert torch.equal(f.points[f.rows("a")], f.points[f.rows("b")])


def test_images_that_hold_several_count_as_those_they_decode_to(data):
    s = distilled(data, factor=2)
    f = extract({"made": s}, **SMALL)
    assert len(f) == 4 * len(s)
    assert f.target.tolist() == [y for y in s.target.tolist() for _ in range(4)]
    net = networks.build("convnet", data.shape, 3, derive(0, "features", "convnet"), 4, 2)
    quarter = F.interpolate(s.images[:1, :, :4, :4], scale_factor=2, mode="bilinear")
    with torch.no_grad():
        torch.testing.assert_close(f.points[:1], one_by_one(net, quarter))
    assert torch.equal(decode(s.images, 2, torch.zeros(3, 1, 1))[:1], quarter)


def test_all_images_are_seen_in_the_units_of_the_first_distilled_set(data):
    """Whatever units an image was distilled in, it is the same image: so are its features."""
    plain = distilled(data)
    white = whitening.fit(data.normalise(data.images))
    whitened = replace(plain, images=white.apply(plain.images), whitening=white)
    mean, std = (0.2, 0.3, 0.4), (0.5, 0.6, 0.7)
    channels = [torch.tensor(x)[:, None, None] for x in (plain.mean, plain.std, mean, std)]
    moved = (plain.images * channels[1] + channels[0] - channels[2]) / channels[3]
    moved = replace(plain, images=moved, mean=mean, std=std)
    sets = {"plain": plain, "whitened": whitened, "moved": moved, "real": data}
    f = extract(sets, per_cell=None, **SMALL)
    for name in ("whitened", "moved"):
        found = f.points[f.rows(name)]
        torch.testing.assert_close(found, f.points[f.rows("plain")], rtol=1e-3, atol=1e-4)
    net = networks.build("convnet", data.shape, 3, derive(0, "features", "convnet"), 4, 2)
    for first, seen in (
        (plain, data.normalise(data.images)),
        (whitened, white.apply(data.normalise(data.images))),
        (moved, (data.images / 255 - channels[2]) / channels[3]),
    ):
        f = extract({"real": data, "made": first}, per_cell=None, **SMALL)
        with torch.no_grad():
            found = torch.cat([one_by_one(net, seen), one_by_one(net, first.images)])
        torch.testing.assert_close(f.points, found, rtol=1e-4, atol=1e-5)
    # a copy of the whitening, as after loading, is the same one
    copy = replace(whitened, whitening=whitening.Whitening(*(t.clone() for t in white)))
    f = extract({"made": whitened, "copy": copy}, **SMALL)
    assert torch.equal(f.points[f.rows("made")], f.points[f.rows("copy")])


def test_a_baseline_of_real_images_is_seen_as_the_real_images(data):
    f = extract({"real": data, "whole": baseline(data, "whole", 1, 0)}, per_cell=None, **SMALL)
    torch.testing.assert_close(f.points[f.rows("whole")], f.points[f.rows("real")])
    assert (f.group[f.rows("whole")] == -1).all()


def test_training_starts_from_the_random_network_and_changes_it(data):
    options = {**SMALL, "preset": "smoke", "lr": 0.01}
    f = extract({"real": data}, trained_on=data, **options, epochs=3, batch=8)
    again = extract({"real": data}, trained_on=data, **options, epochs=3, batch=8)
    random = extract({"real": data}, **SMALL)
    assert torch.equal(f.points, again.points)
    assert not torch.allclose(f.points, random.points, rtol=1e-2)
    net = networks.build("convnet", data.shape, 3, derive(0, "features", "convnet"), 4, 2)
    chosen = recipe("smoke", width=4, depth=2, lr=0.01, epochs=3, batch=8)
    own = derive(0, "features", "convnet")
    features.fit(net, data.images, data.target, chosen, own, data.normalise)
    torch.testing.assert_close(f.points, networks.embed(net, data.normalise(data.images)))


def test_a_trained_network_sees_whitened_images_where_the_set_is_whitened(data, monkeypatch):
    white = whitening.fit(data.normalise(data.images))
    seen = []

    def fit(net, images, target, recipe, seed, normalise, tick, group):
        seen.append(normalise(images))
        assert recipe.epochs == 5  # of two steps each

    monkeypatch.setattr(features, "fit", fit)
    made = distilled(data, whitening=white)
    options = {"preset": "smoke", "batch": 16, "epochs": 20, "max_steps": 10}
    extract({"made": made}, trained_on=data, **options, **SMALL)
    torch.testing.assert_close(seen[0], white.apply(data.normalise(data.images)))


def test_a_network_can_be_trained_on_a_distilled_set(data, monkeypatch):
    seen = []

    def fit(net, images, target, recipe, seed, normalise, tick, group):
        seen.append((images, target, group))

    monkeypatch.setattr(features, "fit", fit)
    made = distilled(data)
    extract({"real": data}, trained_on=made, preset="smoke", **SMALL)
    images, target = made.decoded()
    torch.testing.assert_close(seen[0][0], images)
    assert seen[0][1].equal(target)
    assert len(seen[0][2]) == len(images)


def test_pca_equals_the_eigenvectors(tmp_path):
    f = cloud(40)
    x = f.points.double().numpy()
    x = x - x.mean(0)
    vectors = np.linalg.eigh(x.T @ x)[1][:, ::-1][:, :2]
    found = project(f, cache=tmp_path)
    assert found.shape == (40, 2)
    assert found.dtype == np.float32
    for axis in range(2):
        expected = x @ vectors[:, axis]
        sign = np.sign(expected @ found[:, axis])
        np.testing.assert_allclose(found[:, axis], sign * expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", projections.METHODS)
def test_the_same_call_gives_the_same_points_and_fits_once(method, tmp_path, monkeypatch, capfd):
    f = cloud(30)
    # two clusters far apart: a graph in two pieces
    f.points[:15] += 100
    first = project(f, method, seed=1, cache=tmp_path / "a")
    assert np.isfinite(first).all()
    assert np.array_equal(first, project(f, method, seed=1, cache=tmp_path / "b"))
    centres = first[:15].mean(0), first[15:].mean(0)
    near = [np.linalg.norm(first - centre, axis=1) for centre in centres]
    assert ((near[0] < near[1]) == (np.arange(30) < 15)).all()
    others = [project(f, method, seed=2, cache=tmp_path / "a")]
    moved = replace(f, points=f.points + torch.randn(30, 6))
    others.append(project(moved, method, seed=1, cache=tmp_path / "a"))
    assert capfd.readouterr() == ("", "")

    def fail(*_):
        raise AssertionError("fitted again")

    monkeypatch.setattr(projections, "_fit", fail)
    assert np.array_equal(first, project(f, method, seed=1, cache=tmp_path / "a"))
    assert np.array_equal(others[0], project(f, method, seed=2, cache=tmp_path / "a"))
    assert not np.array_equal(first, others[1])
    assert np.array_equal(first, others[0]) == (method != "umap")  # the only one of much chance
    narrow, short = (replace(f, points=points) for points in (f.points[:, :5], f.points[:29]))
    for changed, seed in ((narrow, 1), (short, 1), (f, 3)):
        with pytest.raises(AssertionError, match="again"):
            project(changed, method, seed=seed, cache=tmp_path / "a")
    monkeypatch.setattr(projections.metadata, "version", lambda name: "9.9")
    with pytest.raises(AssertionError, match="again"):
        project(f, method, seed=1, cache=tmp_path / "a")
    assert {path.suffix for path in (tmp_path / "a").iterdir()} == {".safetensors"}


@pytest.mark.parametrize("method", ["tsne", "umap"])
@pytest.mark.parametrize("n", [5, 12])
def test_a_few_points_have_a_projection_too(method, n, tmp_path):
    for d in (1, 6):
        found = project(cloud(n, d), method, cache=tmp_path)
        assert found.shape == (n, 2)
        assert np.isfinite(found).all()


def test_pca_of_less_than_a_plane(tmp_path):
    for n, d in ((1, 6), (2, 6), (5, 1)):
        found = project(cloud(n, d), cache=tmp_path)
        assert found.shape == (n, 2)
        assert np.isfinite(found).all()
    assert (found[:, 1] == 0).all()


def test_a_projection_found_again_needs_no_library(tmp_path):
    """Nor does extraction: umap takes ten seconds to load and compile."""
    zeros = torch.zeros(9, dtype=torch.int64)
    f = Features(torch.arange(27.0).view(9, 3) ** 2, zeros, zeros, zeros, ("a",), ("0",), ("0",))
    first = project(f, cache=tmp_path)
    command = """if True:
        import sys, torch
        from fddkit import coverage
        from fddkit.analysis.features import Features
        from fddkit.analysis.projections import project
        zeros = torch.zeros(9, dtype=torch.int64)
        points = torch.arange(27.0).view(9, 3) ** 2
        f = Features(points, zeros, zeros, zeros, ("a",), ("0",), ("0",))
        print(project(f, "pca", cache=sys.argv[1]).tobytes().hex())
        print(*{"sklearn", "umap", "pandas", "scipy"} & set(sys.modules))
    """
    run = [sys.executable, "-W", "error", "-c", command, tmp_path]
    output = subprocess.check_output(run, text=True, cwd=Path(__file__).parents[2])
    assert output.split() == [first.tobytes().hex()]


def test_mistakes_get_a_sentence(data, tmp_path, monkeypatch):
    s = distilled(data)
    bad = replace(s, images=s.images * torch.nan)
    other = toy(0, torch.full((3, 2), 2), side=12)
    for sets, options, words in [
        ({}, {}, "no set to extract features from"),
        ({"a": 3}, {}, "'a' is a int"),
        ({"a": data}, {"trained_on": 3}, "'trained_on' is a int"),
        ({"a": data.subset(torch.arange(0))}, {}, "'a' holds no image"),
        ({"a": data, "b": other}, {}, "'b' does not have the shape"),
        ({"a": data}, {"trained_on": other}, "'trained_on' does not have the shape"),
        ({"a": data, "b": replace(data, target_names=("x", "y", "z"))}, {}, "have the classes"),
        ({"s": s, "a": data, "b": replace(data, group_names=("x", "y"))}, {}, "have the groups"),
        ({"a": data}, {"per_cell": 0}, "per_cell=0 leaves no real image"),
        ({"a": data}, {"network": "convnets"}, "did you mean 'convnet'"),
        ({"a": data}, {"epochs": 3}, "'epochs' is a setting of the training"),
        ({"a": data}, {"trained_on": data, "epoch": 3}, "did you mean 'epochs'"),
        ({"a": bad}, {}, "features of 'a' are not finite"),
    ]:
        with pytest.raises(FddkitError, match=words):
            extract(sets, **{**SMALL, **options})
    # the groups of a distilled set are no one's
    extract({"s": replace(s, group_names=("x", "y")), "a": data}, **SMALL)
    f = cloud(4)
    with pytest.raises(FddkitError, match="did you mean 'tsne'"):
        project(f, "t-sne")
    with pytest.raises(FddkitError, match="umap needs at least 5 images, not 4"):
        project(f, "umap", cache=tmp_path)
    with pytest.raises(FddkitError, match="'b' is not a set of these features; known: a"):
        f.rows("b")

    def missing(name):
        raise projections.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(projections.metadata, "version", missing)
    with pytest.raises(FddkitError, match=r"umap needs umap-learn, .* `pip install umap-learn`"):
        project(cloud(9), "umap", cache=tmp_path)
