"""The figure of counts, from 2 to 100 classes and from 2 to 40 groups."""

import numpy as np
import pytest
import torch
from matplotlib.backends.backend_agg import FigureCanvasAgg

import fddkit as fdd
from fddkit import plots

SIZES = [(2, 2), (2, 40), (100, 2), (100, 40), (30, 40)]


def made(classes, groups, seed=0):
    """Return a set with natural groups, long names and an empty cell."""
    rng = torch.Generator().manual_seed(seed)
    counts = torch.randint(1, 400, (classes, groups), generator=rng)
    counts[0, -1] = 0
    cell = torch.repeat_interleave(torch.arange(classes * groups), counts.flatten())
    images = torch.zeros(len(cell), 1, 1, 1, dtype=torch.uint8)
    names = [[f"a {what} with a long name {i}" for i in range(n)] for what, n in
             (("class", classes), ("group", groups))]  # fmt: skip
    return fdd.GroupedDataset.from_arrays(
        images, cell // groups, cell % groups, "made", *names
    ), counts


def boxes(figure, texts):
    """Return where texts are, in pixels: left, bottom, right, top."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    return np.array([text.get_window_extent(renderer).extents for text in texts])


@pytest.mark.parametrize(("classes", "groups"), SIZES)
def test_it_fits_a_page_and_can_be_read(classes, groups):
    data, counts = made(classes, groups)
    figure = plots.group_table(data)
    FigureCanvasAgg(figure).draw()
    width, height = figure.get_size_inches()
    assert width <= plots.WIDTH + 0.01
    assert 1 < height < 9.3
    ax = figure.axes[0]
    rows, columns = ax.get_yticklabels(), ax.get_xticklabels()
    assert all(text.get_fontsize() >= 5 for text in (*rows, *columns))
    down, across = boxes(figure, rows), boxes(figure, columns)
    assert (np.abs(np.diff(down[:, [1, 3]].mean(1))) >= 0.95 * 5 / 72 * figure.dpi).all()
    assert (across[1:, 0] >= across[:-1, 2] - 1).all()  # no name over another
    inside = [figure.bbox.x0 - 1, figure.bbox.y0 - 1, figure.bbox.x1 + 1, figure.bbox.y1 + 1]
    assert (np.vstack([down, across])[:, :2] >= inside[:2]).all()
    assert (np.vstack([down, across])[:, 2:] <= inside[2:]).all()
    numbers = [text for text in ax.texts if text.get_text()]
    assert len(numbers) in (0, counts.numel())
    if numbers:
        assert sorted(int(text.get_text()) for text in numbers) == sorted(counts.flatten().tolist())
        assert all(text.get_fontsize() >= 4.5 for text in numbers)


def test_a_description_draws_what_its_data_do():
    data, counts = made(3, 4)
    drawn = [plots.group_table(one) for one in (data, fdd.describe(data))]
    numbers = [[text.get_text() for text in figure.axes[0].texts] for figure in drawn]
    assert numbers[0] == numbers[1] == [str(n) for n in counts.flatten().tolist()]
    labels = [text.get_text() for text in drawn[1].axes[0].get_yticklabels()]
    assert [label.split("(")[1] for label in labels] == [f"{n:,})" for n in counts.sum(1).tolist()]
    shares = drawn[0].axes[0].collections[0].get_array()
    assert np.ma.getmaskarray(np.ma.masked_invalid(shares)).tolist() == (counts == 0).tolist()
