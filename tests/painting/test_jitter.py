"""Colours that vary from image to image, against LfF's formula in floats."""

import hashlib

import numpy as np
import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.painting.corruptions.fixed_point import Draws
from fddkit.painting.jitter import MEAN_COLOURS, colour_with_jitter
from fddkit.painting.pieces import SEVERITIES

GRAY = torch.randint(0, 256, (70, 28, 28), dtype=torch.uint8, generator=torch.manual_seed(0))
GROUP, INDEX = torch.arange(70) % 10, torch.arange(70) * 31


@pytest.mark.parametrize("severity", SEVERITIES)
def test_it_follows_the_formula(severity):
    painted = colour_with_jitter(GRAY, GROUP, severity, INDEX, seed=4)
    z = Draws(INDEX, 4).normal("colour", 3).numpy() / 4096
    spread = (0.05, 0.02, 0.01, 0.005, 0.002)[severity - 1]
    colour = (MEAN_COLOURS[GROUP].numpy() / 255 + spread * z).clip(0, 1)
    expected = np.floor(colour[:, :, None, None] * GRAY.numpy()[:, None])
    apart = np.abs(painted.numpy() - expected)
    assert apart.max() <= 1
    assert (apart > 0).mean() < 1e-2


def test_the_colours_vary_as_said():
    white = torch.full((4000, 1, 1), 255, dtype=torch.uint8)
    group, index = torch.full((4000,), 2), torch.arange(4000)
    for severity, spread in zip(SEVERITIES, (0.05, 0.02, 0.01, 0.005, 0.002), strict=True):
        found = colour_with_jitter(white, group, severity, index, 0).flatten(1).double()
        assert (found.mean(0) + 0.5 - MEAN_COLOURS[2]).abs().max() < 0.7  # whole parts
        assert found.std(0).numpy() == pytest.approx(255 * spread, rel=0.1, abs=0.1)
    assert np.abs(np.corrcoef(found.T)[0, 1]) < 0.1  # channels vary apart


def test_an_image_alone_looks_as_in_any_batch():
    whole = colour_with_jitter(GRAY, GROUP, 1, INDEX, 9)
    for some in ([3], [60, 2, 2], list(range(69, -1, -1))):
        part = colour_with_jitter(GRAY[some], GROUP[some], 1, INDEX[some], 9)
        assert torch.equal(part, whole[some])
    assert not torch.equal(whole, colour_with_jitter(GRAY, GROUP, 1, INDEX, 10))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": 6}, "severity=6 is not a severity; give 1, 2, 3, 4 or 5"),
        ({"gray": GRAY[:, None]}, r"give uint8 \[N, H, W\]"),
        ({"group": GROUP[:3]}, r"group is int64 \[3\]; give int64 \[70\]"),
        ({"group": GROUP + 1}, "group must be from 0 to 9"),
        ({"index": INDEX.double()}, r"index is float64 \[70\]"),
    ],
)
def test_mistakes_are_told(change, message):
    given = {"gray": GRAY, "group": GROUP, "severity": 1, "index": INDEX, "seed": 0}
    with pytest.raises(FddkitError, match=message):
        colour_with_jitter(**(given | change))


def test_images_are_the_same_on_every_machine():
    gray = (torch.arange(40 * 28 * 28) * 2654435761 % 2**32 >> 24).to(torch.uint8)
    index = torch.arange(40)
    painted = colour_with_jitter(gray.view(40, 28, 28), index % 10, 1, index, seed=3)
    assert hashlib.sha256(painted.numpy().tobytes()).hexdigest()[:12] == "abea6f57af78"
