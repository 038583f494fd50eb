"""The figures of theory, features and evolution draw what they are given."""

import io

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

import fddkit as fdd
from fddkit import plots, theory
from fddkit.analysis.features import Features
from fddkit.analysis.projections import project
from fddkit.evaluation.summary import Summary
from fddkit.plots.style import _DISTINCT


@pytest.fixture(scope="module")
def train():
    return fdd.load("digits", br=0.75)[0]


@pytest.fixture(scope="module")
def stats(train):
    return theory.Signal(train, "dm", preset="smoke").groups()


@pytest.fixture(scope="module")
def features():
    g = torch.Generator().manual_seed(0)
    target = torch.arange(60) % 3
    group = torch.cat([torch.arange(40) % 2, torch.full((20,), -1)])
    source = torch.tensor([0] * 40 + [1] * 10 + [2] * 10)
    points = torch.randn(60, 4, generator=g)
    return Features(
        points, target, group, source, ("real", "a", "b"), ("x", "y", "z"), ("left", "right")
    )


def texts(figure):
    return [t.get_text() for t in figure.findobj(match=lambda t: hasattr(t, "get_text"))]


def drawn(figure):
    width, height = figure.get_size_inches()
    assert width <= plots.WIDTH + 0.01
    assert 1 < height < 9.5
    with Image.open(io.BytesIO(figure._repr_png_())) as image:
        assert (np.asarray(image.convert("RGB")) != 255).any(2).mean() > 0.01
    return figure


def test_targets_lie_where_they_were_computed(train, stats):
    figure = drawn(plots.targets(stats, train.group_names, (0, 3), train.target_names))
    assert len(figure.axes) == 2
    found = theory.worst(stats, theory.aims(stats)["minimax"])
    assert f"minimax: worst residual {found[3]:.2f}" in texts(figure)
    scatter = figure.axes[0].collections[0]
    assert len(scatter.get_offsets()) == int(stats.present[0].sum())
    sizes = scatter.get_sizes()
    assert sizes.argmax() == int(stats.shares[0, stats.present[0]].argmax())
    # distances in the plane are no longer than in the space
    flat = np.asarray(scatter.get_offsets())
    space = stats.points[0, stats.present[0]].numpy()
    apart = [np.linalg.norm(x[:, None] - x[None], axis=-1) for x in (flat, space)]
    assert (apart[0] <= apart[1] + 1e-9).all()


def test_targets_of_two_groups_and_of_one():
    points = torch.randn(2, 2, 3, dtype=torch.float64)
    shares = torch.tensor([[0.9, 0.1], [1.0, 0.0]], dtype=torch.float64)
    drawn(plots.targets(theory.GroupStatistics(points, shares), ("gray", "colour"), (0, 1)))


def test_residuals_and_their_intervals():
    some = {"vanilla": Summary(np.array([3.0, 4.0])), "cobra": Summary(np.array([1.0]))}
    figure = drawn(plots.residuals({"DM": some, "DC": some}))
    means = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert means == [3.5, 1.0]


def test_maps_share_one_scale():
    maps = {"vanilla": torch.tensor([[0.0, 1.0], [2.0, 4.0]]), "cobra": torch.ones(2, 2)}
    figure = drawn(plots.amplification(maps, [0.5, 0.9], [0, 4]))
    images = [ax.images[0] for ax in figure.axes[:2]]
    assert [im.get_clim() for im in images] == [(0, 4), (0, 4)]
    assert "4.00" in texts(figure)
    assert figure.axes[0].get_xlabel() == "BR"


def test_effects_tell_zero_from_not_zero():
    index = ["rule", "step"]
    parts = {"mean": [0.1, 3.0], "low": [-1, 2], "high": [1, 4]}
    rows = {("accuracy", part): numbers for part, numbers in parts.items()}
    figure = drawn(plots.effects(pd.DataFrame(rows, index=index), ["accuracy"]))
    inks = [line.get_color() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert inks == ["0.6", "black"]


def test_paths_to_the_means():
    figure = drawn(plots.reach({"vanilla": (torch.rand(9, 3), torch.rand(9, 3))}))
    assert len(figure.axes[0].lines) == 3


def test_stars_and_clouds_hold_every_image(features):
    xy = project(features, "pca")
    figure = drawn(plots.stars(features, xy, ["a", "b"]))
    for ax, name in zip(figure.axes, ["a", "b"], strict=True):
        clouds, stars = ax.collections[:-1], ax.collections[-1]
        assert sum(len(c.get_offsets()) for c in clouds) == 40
        np.testing.assert_allclose(stars.get_offsets(), xy[features.rows(name)])
    one = plots.stars(features, xy, ["a"], target=1)
    assert len(one.axes[0].collections[-1].get_offsets()) == int(
        (features.target[features.rows("a")] == 1).sum()
    )


def test_pairs_show_the_same_points_twice(features):
    xy = project(features, "pca")
    figure = drawn(plots.pairs(features, {"pca": xy, "again": xy}, "real"))
    assert len(figure.axes) == 4
    for ax in figure.axes:
        assert sum(len(c.get_offsets()) for c in ax.collections) == 40
    assert "pca, by group (PA)" in texts(figure)


def test_cells_share_one_scale_and_leave_empty_ones_blank():
    values = {"a": np.array([[1.0, np.nan]]), "b": np.array([[3.0, 5.0]])}
    figure = drawn(plots.cells(values, ("l", "r"), ("x",), "distance"))
    assert [ax.collections[0].get_clim() for ax in figure.axes[:2]] == [(0, 5), (0, 5)]
    assert "b: mean 4" in texts(figure)


def test_a_film_and_its_gif(tmp_path):
    frames = {r: [torch.rand(4, 3, 8, 8) for _ in range(3)] for r in ("vanilla", "cobra")}
    figure = drawn(plots.film(frames, [0, 10, 20]))
    assert len(figure.axes) == 6
    path = plots.gif(tmp_path / "film.gif", frames["cobra"], columns=2)
    with Image.open(path) as film:
        assert film.n_frames == 3
        assert film.width >= 200


def test_colour_shares_under_their_images(train):
    s = fdd.distill(train, "random", ipc=1)
    figure = drawn(plots.colour_shares({"random": s, "again": s}, train.counts().argmax(1)))
    shares = fdd.colours.majority_share(s.pixels(), train.counts().argmax(1), s.group_names)
    assert f"{100 * shares[0]:.0f}%" in texts(figure)


def test_groups_wear_their_own_colours_or_ones_that_can_be_told_apart():
    assert plots.group_colours(("red", "white")) == ["#ff0000", "#ffffff"]
    assert plots.group_colours(("gray", "colour")) == list(_DISTINCT[:2])


@pytest.mark.parametrize("count", [1, 5, 7, 10])
def test_a_film_shows_any_number_of_images(count):
    figure = plots.film({"cobra": [torch.rand(count, 3, 8, 8)] * 2}, [1, 2])
    height, width, _ = figure.axes[0].images[0].get_array().shape
    assert (height + 1) * (width + 1) == count * 9 * 9  # each of them, and no gap
