import io

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from PIL import Image

import fddkit as fdd
from fddkit import plots
from fddkit.evaluation.measures import headline
from fddkit.plots import images as grids
from fddkit.rules.rules import RULES


@pytest.fixture(scope="module")
def data():
    return fdd.load("digits")


@pytest.fixture(scope="module")
def report(data):
    s = fdd.distill(data[0], "random", ipc=2)
    return fdd.evaluate(s, data[1], preset="smoke", progress=False)


def test_a_mosaic_puts_every_pixel_where_it_belongs():
    images = torch.randint(0, 256, (6, 3, 4, 5), dtype=torch.uint8)
    sheet = plots.mosaic(images, columns=3, gap=2, fill=0.5)
    assert sheet.shape == (2 * 4 + 2, 3 * 5 + 2 * 2, 3)
    for i in range(6):
        row, column = divmod(i, 3)
        part = sheet[row * 6 : row * 6 + 4, column * 7 : column * 7 + 5]
        np.testing.assert_allclose(part, images[i].permute(1, 2, 0) / 255, atol=1e-6)
    assert (sheet[4:6] == 0.5).all()
    gray = plots.mosaic(torch.ones(1, 1, 2, 2), 1)
    assert gray.shape == (2, 2, 3)


def figures(data, report):
    train, _ = data
    s = fdd.distill(train, "random", ipc=3)
    big = fdd.distill(train, "random", ipc=12)
    images = train.images[:4]
    return {
        "sets": plots.sets({"a": s, "b": big}),
        "one set": plots.sets({"a": s}),
        "gallery": plots.gallery(train),
        "strip": plots.strip({"x": images, "y": images}, "rows"),
        "group_table": plots.group_table(train),
        "rates": plots.rates({str(i): report for i in range(4)}),
        "losses": plots.losses({"vanilla": torch.rand(40) + 1, "short": torch.rand(2) + 1}),
        "comparison": plots.comparison({"whole": report, "random": report}),
        "curve": plots.curve({"whole": {0.5: report, 0.9: report}}, "BR"),
        "tradeoff": plots.tradeoff({"cobra": report, "vanilla": report}, "deo_m"),
    }


def test_every_figure_draws_something_and_shows_itself(data, report):
    for name, figure in figures(data, report).items():
        assert isinstance(figure, Figure), name
        width, height = figure.get_size_inches()
        assert width <= plots.WIDTH + 0.01, name
        assert 1 < height < 9, name
        with Image.open(io.BytesIO(figure._repr_png_())) as image:
            pixels = np.asarray(image.convert("RGB"))
        assert (pixels != 255).any(2).mean() > 0.01, name  # not an empty page
        assert all(ax.get_title() for ax in figure.axes[:1]), name


def test_figures_say_what_they_measure(data, report):
    drawn = figures(data, report)
    labels = [
        text.get_text() for text in drawn["rates"].findobj(match=lambda t: hasattr(t, "get_text"))
    ]
    assert any("DEO_M" in text and "by chance" in text for text in labels)
    assert drawn["losses"].axes[0].get_xlabel() == "iteration"
    ticks = drawn["curve"].axes[0].get_xticklabels()
    assert [tick.get_text() for tick in ticks] == ["0.5", "0.9"]  # where something was measured
    assert drawn["curve"].axes[0].get_ylabel() == "DEO_M (%)"
    titles = [metric.title for metric in headline().values()]
    assert [ax.get_title() for ax in drawn["comparison"].axes] == titles


def test_the_comparison_shows_the_numbers_of_the_report(report):
    accuracy = plots.comparison({"whole": report}).axes[0]
    shown = [line.get_xdata()[0] for line in accuracy.lines if line.get_marker() == "o"]
    assert shown == pytest.approx([report.accuracy.mean, report.counterfactual.accuracy.mean])


def test_what_chance_shows_is_drawn_for_gaps_and_for_each_report_its_own(report):
    grey = {}
    for ax, (name, metric) in zip(
        plots.comparison({"whole": report}).axes, headline().items(), strict=True
    ):
        lines = [line for line in ax.lines if line.get_linewidth() == 9]
        assert len(lines) == 2 * metric.between_groups  # on either test
        grey[name] = [list(line.get_xdata()) for line in lines]
    tests = (report, report.counterfactual)
    assert grey["deo_m"] == [[t.deo_m.noise_floor, t.deo_m.most_by_chance] for t in tests]


def test_the_tradeoff_shows_the_counterfactual_test_where_there_is_one(report):
    from dataclasses import replace

    for shown in (report, replace(report, counterfactual=None)):
        used = shown.shown
        ax = plots.tradeoff({"cobra": shown}).axes[0]
        (point,) = (line for line in ax.lines if line.get_marker() == "o")
        assert point.get_xydata().tolist() == [[used.accuracy.mean, used.deo_a.mean]]
        (chance,) = (line for line in ax.lines if line.get_marker() == "_")
        assert chance.get_xydata().tolist() == [[used.accuracy.mean, used.deo_a.most_by_chance]]
        assert ax.get_ylabel() == "DEO_A (%)"


def test_methods_keep_their_colours_and_the_users_style_stays():
    import matplotlib as mpl

    assert plots.colour("FairDD") == RULES["fairdd"].colour
    assert plots.colour("vanilla (ipc 1)") == RULES["vanilla"].colour
    assert plots.colour("BR 0.5") == plots.colour("BR 0.5")
    before = dict(mpl.rcParams)
    plots.losses({"x": torch.rand(9) + 1})
    assert dict(mpl.rcParams) == before


def test_a_gallery_shows_the_set_as_it_is(data):
    index = grids._pick(data[0].target, 10, 200, torch.Generator().manual_seed(0))
    assert len(index) == 2000  # more than a class has: its images come again
    assert data[0].target[index].tolist() == sorted([*range(10)] * 200)
