"""Names in figures are shown as they are, and lines end where their intervals do."""

import io

import numpy as np
import pytest
import torch
from matplotlib.legend import Legend
from matplotlib.text import Text

import fddkit as fdd
from fddkit import plots
from fddkit.plots.style import new, styled

BAD, VALID, HIDDEN = r"$\frac$", "$x_a$", "_hidden $1 $2"


@pytest.fixture(scope="module")
def train():
    cell = torch.arange(40) % 4
    images = torch.randint(256, (40, 3, 8, 8), dtype=torch.uint8)
    return fdd.GroupedDataset.from_arrays(
        images, cell // 2, cell % 2, "$a^$", [BAD, VALID], [HIDDEN, "$b$"]
    )


@pytest.fixture(scope="module")
def report():
    counts = np.array([[[[n, 100 - n], [9, 91]], [[n - 5, 105 - n], [5, 95]]] for n in (80, 88)])
    return fdd.FairnessReport(counts, ["convnet"] * 2)


def figures(train, report):
    s = fdd.distill(train, "random", ipc=2)
    features = fdd.features.extract({HIDDEN: train, BAD: s}, per_cell=5, progress=False)
    xy = fdd.projections.project(features, "pca")
    named = {BAD: report, VALID: report, HIDDEN: report}
    return {
        "group_table": plots.group_table(train),
        "stars": plots.stars(features, xy, [BAD], real=HIDDEN),
        "pairs": plots.pairs(features, {BAD: xy}, HIDDEN),
        "comparison": plots.comparison(named),
        "tradeoff": plots.tradeoff(named),
        "curve": plots.curve({name: {0.5: report, 0.9: report} for name in named}, VALID),
        "by_size": plots.by_size({name: {1: report, 10: report} for name in named}),
        "losses": plots.losses({name: torch.rand(9) + 1 for name in named}),
        "gallery": plots.gallery(train, 2),
    }


def test_every_name_is_shown_as_it_is(train, report):
    import matplotlib as mpl

    for name, figure in figures(train, report).items():
        with mpl.rc_context({"text.parse_math": True}):  # whatever the user's own settings
            figure.savefig(io.BytesIO(), format="svg")
        texts = [text for text in figure.findobj(Text) if text.get_text()]
        assert any("$" in text.get_text() for text in texts), name
        assert not any(text.get_parse_math() for text in texts), name


def test_ticks_that_are_made_when_drawn_are_literal():
    figure = styled(lambda: new(2, 2).subplots().figure)()
    ax = figure.axes[0]
    ax.xaxis.set_major_formatter(lambda x, _: f"{BAD}{x}")
    figure.savefig(io.BytesIO(), format="png")
    assert ax.get_xticklabels()[0].get_text().startswith(BAD)


def test_names_with_an_underscore_are_in_the_legend(train, report):
    drawn = figures(train, report)
    for name in ("stars", "pairs", "tradeoff", "curve", "by_size", "losses"):
        legends = drawn[name].findobj(Legend)
        shown = [text.get_text() for legend in legends for text in legend.get_texts()]
        assert HIDDEN in shown, name


def test_lines_end_where_their_intervals_do(train, report):
    drawn = figures(train, report)
    stats = fdd.theory.Signal(train, "dm").groups(5)
    drawn["targets"] = plots.targets(stats, train.group_names, (0, 1), train.target_names)
    for name, figure in drawn.items():
        for ax in figure.axes:
            assert {line.get_solid_capstyle() for line in ax.lines} <= {"butt"}, name
