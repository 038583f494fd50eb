"""Units against arithmetic in float64, and against what a person would say of black and white."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from references import toy

from fddkit.data import whitening
from fddkit.data.units import Units

MEAN, STD = (0.1, 0.5, 0.9), (0.2, 0.25, 1.0)


def raw(n=12, side=4, seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (n, 3, side, side), generator=g, dtype=torch.uint8)


def by_hand(pixels, mean=MEAN, std=STD):
    """(x - mean) / std of pixels from 0 to 1, one number at a time, in float64."""
    found = np.empty(pixels.shape)
    for place, x in np.ndenumerate(pixels.double().numpy()):
        channel = place[1]
        found[place] = (x - mean[channel]) / std[channel]
    return found


@pytest.fixture
def white():
    units = Units(MEAN, STD)
    return Units(MEAN, STD, whitening.fit(units.normalise(raw(300, 2))))


def test_black_and_white_are_known_numbers():
    units = Units((0.5, 0.25, 0.0), (0.5, 0.25, 1.0))
    pixels = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None, None].expand(2, 3, 1, 1)
    expected = [[-1.0, -1.0, 0.0], [1.0, 3.0, 1.0]]
    np.testing.assert_allclose(units.normalise(pixels).flatten(1), expected, atol=1e-6)
    for value, level in ((0.0, expected[0]), (1.0, expected[1]), (0.5, [0.0, 1.0, 0.5])):
        assert units.level(value).shape == (3, 1, 1)
        assert units.level(value).flatten().tolist() == level


def test_bytes_are_normalised_as_in_float64():
    seen = Units(MEAN, STD).normalise(raw())
    assert seen.dtype == torch.float32
    np.testing.assert_allclose(seen, by_hand(raw() / 255), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_pixels_from_0_to_1_are_normalised_as_in_float64_and_keep_their_dtype(dtype):
    pixels = raw().to(dtype) / 255
    seen = Units(MEAN, STD).normalise(pixels)
    assert seen.dtype == dtype
    tolerance = 1e-6 if dtype == torch.float32 else 1e-15
    np.testing.assert_allclose(seen, by_hand(pixels), rtol=tolerance, atol=tolerance)


def test_pixels_undo_the_normalisation_and_are_not_clipped():
    units, z = Units(MEAN, STD), torch.linspace(-9, 9, 96, dtype=torch.float64).view(2, 3, 4, 4)
    found = units.pixels(z)
    for (i, c, y, x), value in np.ndenumerate(z.numpy()):
        assert found[i, c, y, x].item() == pytest.approx(value * STD[c] + MEAN[c], abs=1e-15)
    assert found.min() < 0
    assert found.max() > 1
    np.testing.assert_allclose(by_hand(found), z, atol=1e-13)


def test_a_whitening_comes_after_the_normalisation_and_is_undone_first(white):
    pixels = raw(5, 2, seed=1)
    mean, matrix = (part.double().numpy() for part in white.whitening)
    expected = (by_hand(pixels / 255).reshape(5, -1) - mean) @ matrix
    seen = white.normalise(pixels)
    np.testing.assert_allclose(seen.flatten(1), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(white.pixels(seen), pixels / 255, atol=1e-5, rtol=0)


def test_converting_keeps_what_is_seen(white):
    other = Units((0.2, 0.3, 0.4), (0.5, 0.6, 0.7))
    pixels = raw(5, 2, seed=1)
    expected = by_hand(pixels / 255, other.mean, other.std)
    for units in (Units(MEAN, STD), white):
        found = units.convert(units.normalise(pixels), other)
        np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
    back = other.convert(other.normalise(pixels), white)
    torch.testing.assert_close(back, white.normalise(pixels), rtol=1e-4, atol=1e-4)
    assert torch.equal(white.convert(pixels, other), other.normalise(pixels))  # bytes have no units


def test_images_in_the_same_units_are_left_alone(white):
    images = white.normalise(raw(5, 2))
    copy = replace(white, whitening=whitening.Whitening(*(x.clone() for x in white.whitening)))
    assert white.convert(images, copy) is images
    another = whitening.Whitening(white.whitening.mean + 1, white.whitening.matrix)
    for other in (
        replace(white, whitening=another),
        replace(white, whitening=None),
        replace(white, mean=(0.1, 0.5, 0.8)),
        replace(white, std=(0.2, 0.25, 0.5)),
    ):
        assert not white.same(other)
        assert not other.same(white)


def test_a_set_of_images_says_its_units(white):
    data = toy(0, torch.full((3, 2), 8))
    assert data.units.same(Units(tuple(data.mean), tuple(data.std)))
    assert torch.equal(data.normalise(torch.arange(4)), data.units.normalise(data.images[:4]))
    white = whitening.fit(data.normalise(data.images))
    assert replace(data, whitening=white).units.whitening is white
