import pytest
import torch

import fddkit as fdd
from fddkit.analysis import colours
from fddkit.core.errors import FddkitError
from fddkit.data.catalogue import COLOURS
from fddkit.painting import bias


def test_the_palette_is_that_of_the_injected_groups():
    found = colours.palette(COLOURS)
    assert torch.equal(found, bias.PALETTE.double() / 255)
    assert torch.equal(colours.palette(("blue", "red")), found[[6, 0]])
    assert colours.palette(("gray", "colour")) is None
    assert colours.palette(()) is None


def test_pixels_count_for_their_nearest_colour_by_brightness():
    image = torch.zeros(1, 3, 2, 2)
    image[0, :, 0, 0] = torch.tensor([1.0, 0.02, 0])  # red
    image[0, :, 0, 1] = torch.tensor([0.0, 0.0, 0.5])  # blue, half as bright
    shares = colours.nearest(image, COLOURS)[0]
    assert shares[COLOURS.index("red")].item() == pytest.approx(2 / 3)
    assert shares[COLOURS.index("blue")].item() == pytest.approx(1 / 3)
    assert shares.sum().item() == pytest.approx(1)
    assert colours.nearest(torch.zeros(1, 3, 2, 2), COLOURS).sum() == 0  # black has no colour


@pytest.mark.parametrize("share", [0.0, 0.1, 0.6, 1.0])
@pytest.mark.parametrize("side_by_side", [True, False])
def test_the_majoritys_share_of_a_known_mixture(share, side_by_side):
    palette = colours.palette(COLOURS)
    for majority in range(10):
        others = (palette.sum(0) - palette[majority]) / 9
        if side_by_side:  # 10 pixels in the majority's colour, 10 in the others' mean
            pixels = torch.stack([share * palette[majority], (1 - share) * others])
            image = 0.3 * pixels.T.repeat_interleave(10, 1)[None, :, :, None]
        else:
            mixed = 0.7 * (share * palette[majority] + (1 - share) * others)
            image = mixed[None, :, None, None].expand(1, 3, 4, 4)
        found = colours.majority_share(image, torch.tensor([majority]), COLOURS)
        assert found.item() == pytest.approx(share, abs=1e-9)


def test_a_colour_outside_the_mixtures_is_brought_to_the_nearest_one():
    # blue, where red is the majority: nothing of it is red, nor more of the others than all
    image = torch.zeros(1, 3, 1, 1)
    image[0, 2] = 1
    assert colours.majority_share(image, torch.tensor([0]), COLOURS).item() == 0
    assert colours.majority_share(image, torch.tensor([6]), COLOURS).item() == pytest.approx(1)


def test_real_sets_have_the_share_of_their_bias_ratio():
    train = fdd.load("digits", br=0.75)[0]
    majority = train.counts().argmax(1)
    pixels = torch.stack([train.images[train.target == y].float().mean(0) / 255 for y in range(10)])
    found = colours.majority_share(pixels, majority, train.group_names)
    assert (found - 0.75).abs().max() < 0.15  # digits of one class differ in how much ink they have
    assert (found - 0.75).abs().mean() < 0.06


def test_groups_that_are_no_colours_are_refused():
    with pytest.raises(FddkitError, match="not colours"):
        colours.nearest(torch.zeros(1, 3, 2, 2), ("gray", "colour"))
    with pytest.raises(FddkitError, match="no colour"):
        colours.majority_share(torch.zeros(1, 1, 2, 2), torch.tensor([0]), COLOURS)
