"""The painters against slow float64 references, Pillow, and the properties they promise."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from fddkit.core.errors import FddkitError
from fddkit.core.rng import derive, normal
from fddkit.painting import bias

seeds = st.integers(0, 2**31)


def noise_images(*shape, seed=0):
    draw = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, shape, generator=draw, dtype=torch.uint8)


# ---- colour


def every_pair():
    """Every gray value (as a 16 x 16 image) with every value of a colour channel."""
    gray = torch.arange(256, dtype=torch.uint8).view(1, 16, 16).expand(256, -1, -1)
    colour = torch.arange(256, dtype=torch.uint8)[:, None].expand(-1, 3)
    return gray, colour


def exactly(formula):
    """Return [256 colours, 3, 16, 16] of an integer formula of gray value and colour."""
    values = [[formula(x, c) for x in range(256)] for c in range(256)]
    return torch.tensor(values, dtype=torch.uint8).view(256, 1, 16, 16).expand(-1, 3, -1, -1)


def test_foreground_is_exact_for_every_value():
    assert torch.equal(bias.colour_foreground(*every_pair()), exactly(lambda x, c: x * c // 255))


def test_background_is_exact_for_every_value():
    expected = exactly(lambda x, c: (255 - x) * c // 255)
    assert torch.equal(bias.colour_background(*every_pair()), expected)


def test_wrapped_background_is_exact_for_every_value():
    expected = exactly(lambda x, c: (255 * x + (255 - x) * c // 255) % 256)
    painted = bias.colour_background(*every_pair(), wrap=True)
    assert torch.equal(painted, expected)
    assert (painted[:, :, 15, 15] == 1).all()  # a white pixel becomes 1
    assert torch.equal(painted[:, 0, 0, 0].int(), torch.arange(256))  # a black one the colour


def test_the_published_float_formulas_agree_within_one():
    gray, colour = every_pair()
    ink, colour_1 = gray[:, None].float() / 255, colour.float()[:, :, None, None] / 255
    foreground = (ink * colour_1 * 255).int()
    assert (bias.colour_foreground(gray, colour) - foreground).abs().max() <= 1
    wrapped = (255 + (1 - ink) * (colour_1 - 255)) * 255  # up to 65 025
    apart = (bias.colour_background(gray, colour, wrap=True) - wrapped.int()) % 256
    assert set(apart.unique().tolist()) <= {0, 1, 255}


def test_colours_follow_a_loop_over_pixels():
    gray, group = noise_images(5, 3, 4), [0, 1, 3, 7, 9]
    painted = bias.colour_foreground(gray, bias.PALETTE[group])
    behind = bias.colour_background(gray, bias.PALETTE[group], threshold=128)
    for n, channel, i, j in np.ndindex(5, 3, 3, 4):
        x, c = int(gray[n, i, j]), int(bias.PALETTE[group[n], channel])
        assert painted[n, channel, i, j] == math.floor(x * c / 255)
        assert behind[n, channel, i, j] == (0 if x >= 128 else c)


def test_the_threshold_counts_128_as_ink():
    gray = torch.tensor([[[0, 127, 128, 255]]], dtype=torch.uint8)
    orange = bias.PALETTE[[1]]
    painted = bias.colour_foreground(gray, orange, threshold=128)
    assert painted[0, :, 0].T.tolist() == [[0, 0, 0], [0, 0, 0], [255, 128, 0], [255, 128, 0]]
    behind = bias.colour_background(gray, orange, threshold=128)
    assert behind[0, :, 0].T.tolist() == [[255, 128, 0], [255, 128, 0], [0, 0, 0], [0, 0, 0]]


def test_the_palette_is_the_published_one():
    assert bias.PALETTE.dtype == torch.uint8
    assert bias.PALETTE.tolist() == [
        [255, 0, 0], [255, 128, 0], [255, 255, 0], [255, 255, 128], [0, 255, 0],
        [0, 255, 255], [0, 0, 255], [128, 0, 255], [255, 0, 255], [255, 255, 255],
    ]  # fmt: skip


@pytest.mark.parametrize("paint", [bias.colour_foreground, bias.colour_background])
def test_what_is_no_gray_image_or_colour_is_told(paint):
    gray, colour = noise_images(4, 8, 8), bias.PALETTE[[0, 1, 2, 3]]
    with pytest.raises(FddkitError, match=r"float32 \[4, 8, 8\]; give uint8 \[N, H, W\]"):
        paint(gray.float(), colour)
    with pytest.raises(FddkitError, match=r"give uint8 \[N, H, W\]"):
        paint(gray[:, None], colour)
    with pytest.raises(FddkitError, match=r"give uint8 \[4, 3\]"):
        paint(gray, colour[:3])
    with pytest.raises(FddkitError, match=r"give uint8 \[4, 3\]"):
        paint(gray, colour.long())


# ---- gray


def test_grayscale_is_pillows_for_every_colour():
    levels = torch.arange(256, dtype=torch.uint8)
    for red in range(0, 256, 5):
        green, blue = torch.meshgrid(levels, levels, indexing="ij")
        image = torch.stack([torch.full_like(green, red), green, blue])
        pillow = np.asarray(Image.fromarray(image.permute(1, 2, 0).numpy()).convert("L"))
        ours = bias.grayscale(image[None])
        assert ours.shape == (1, 3, 256, 256)
        assert (ours == torch.tensor(pillow)).all()


def test_grayscale_of_gray_is_itself():
    gray = noise_images(3, 1, 8, 8).expand(-1, 3, -1, -1)
    assert torch.equal(bias.grayscale(gray), gray)


# ---- GAP


def gap_by_hand(image, level, index, seed, sigma):
    """COBRA's operations on one image, in float64 and in plain words; [3, H, W] to [3, H, W]."""
    red, green, blue = image.numpy()
    image, size = np.stack([green, blue, red]), image.shape[1]
    if level >= 2:
        for i in range(size):
            image[:, i, i] = 255
    for step in (3, 4):
        if level < step:
            break
        if step == 4:
            turned = np.stack([np.asarray(Image.fromarray(c).rotate(270)) for c in image])
            image = 255 - turned
        noise = normal(torch.tensor([index]), tuple(image.shape), derive(seed, "gap", step))[0]
        image = np.clip(np.rint(image + sigma * noise.double().numpy()), 0, 255).astype(np.uint8)
        if step == 3:
            for i in range(size):
                image[:, i, size - 1 - i] = 255
    return torch.tensor(image)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_gap_follows_its_description(level):
    images, index = noise_images(70, 3, 9, 9, seed=level), torch.randperm(70)  # in chunks
    moved = bias.gap(images, level, index, seed=5, sigma=40.0)
    expected = [gap_by_hand(x, level, int(i), 5, 40.0) for x, i in zip(images, index, strict=True)]
    apart = (moved.int() - torch.stack(expected).int()).abs()
    assert apart.max() <= 1  # a float32 sum may round the other way
    assert (apart > 0).float().mean() < 1e-3


def test_gap_0_changes_nothing():
    images = noise_images(4, 3, 8, 8)
    assert torch.equal(bias.gap(images, 0, torch.arange(4), seed=0), images)


def test_gap_levels_are_nested():
    images, index = noise_images(6, 3, 16, 16), torch.arange(6)
    level = [bias.gap(images, k, index, seed=1) for k in bias.GAP_LEVELS]
    diagonal = torch.eye(16, dtype=torch.bool)
    assert torch.equal(level[1], images[:, [1, 2, 0]])
    assert torch.equal(level[2][:, :, ~diagonal], level[1][:, :, ~diagonal])
    assert (level[2][:, :, diagonal] == 255).all()
    # noise without strength leaves the lines, the rotation and the inversion
    silent = [bias.gap(images, k, index, seed=1, sigma=0) for k in bias.GAP_LEVELS]
    crossed = torch.where(diagonal.flip(1), torch.tensor(255, dtype=torch.uint8), level[2])
    assert torch.equal(silent[3], crossed)
    assert torch.equal(silent[4], 255 - silent[3].rot90(3, (2, 3)))


def test_gap_noise_has_its_strength_and_is_drawn_afresh():
    gray = torch.full((200, 3, 16, 16), 128, dtype=torch.uint8)
    free = ~(torch.eye(16, dtype=torch.bool) | torch.eye(16, dtype=torch.bool).flip(1))
    third = bias.gap(gray, 3, torch.arange(200), seed=0, sigma=10).double() - 128
    assert third[:, :, free].mean().abs() < 0.1
    assert abs(third[:, :, free].std() - 10) < 0.1
    # inverting 128 gives 127; two independent noises add in variance
    fourth = bias.gap(gray, 4, torch.arange(200), seed=0, sigma=10).double() - 127
    assert abs(fourth[:, :, free].std() - math.sqrt(200)) < 0.15


@given(seeds, st.sampled_from(bias.GAP_LEVELS), st.data())
def test_gap_of_an_image_does_not_depend_on_its_batch(seed, level, data):
    images, index = noise_images(130, 3, 8, 8, seed=seed), torch.arange(130) * 7
    whole = bias.gap(images, level, index, seed)
    some = torch.tensor(data.draw(st.lists(st.integers(0, 129), min_size=1, max_size=100)))
    assert torch.equal(bias.gap(images[some], level, index[some], seed), whole[some])


def test_gap_noise_depends_on_index_and_seed():
    images = noise_images(1, 3, 8, 8).expand(2, -1, -1, -1)
    one = bias.gap(images, 3, torch.tensor([0, 1]), seed=0)
    assert not torch.equal(one[0], one[1])
    assert not torch.equal(one, bias.gap(images, 3, torch.tensor([0, 1]), seed=1))


def test_gap_works_on_few_images_at_a_time(monkeypatch):
    sizes = []

    def recorded(index, shape, seed):
        sizes.append(len(index))
        return normal(index, shape, seed)

    monkeypatch.setattr("fddkit.painting.shifts.normal", recorded)
    bias.gap(noise_images(1000, 3, 8, 8), 4, torch.arange(1000), seed=0)
    assert sum(sizes) == 2 * 1000
    assert max(sizes) <= 256  # 60 000 images would need gigabytes of float noise at once


def test_gap_lines_are_as_told():
    images = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    painted = bias.gap(images, 2, torch.zeros(1).long(), 0, line=(1, 2, 3), width=3)[0]
    assert painted[:, 4].T.tolist() == [[1, 2, 3] if 3 <= j <= 5 else [0] * 3 for j in range(8)]


def test_gap_1_to_3_take_oblong_images():
    oblong = noise_images(2, 3, 6, 12)
    index = torch.arange(2)
    assert bias.gap(oblong, 3, index, 0).shape == oblong.shape
    with pytest.raises(FddkitError, match="square, not 6 x 12"):
        bias.gap(oblong, 4, index, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"level": 5}, "gap=5 is not a GAP level; give 0, 1, 2, 3 or 4"),
        ({"level": -1}, "not a GAP level"),
        ({"level": 1.5}, "not a GAP level"),
        ({"level": True}, "not a GAP level"),
        ({"sigma": -1.0}, "sigma=-1.0"),
        ({"sigma": float("nan")}, "sigma=nan"),
        ({"line": (0, 0)}, "three values"),
        ({"line": (0, 0, 256)}, "three values"),
        ({"width": 0}, "a width of at least 1"),
        ({"index": torch.arange(3)}, r"give int64 \[2\]"),
        ({"images": torch.zeros(2, 1, 8, 8, dtype=torch.uint8)}, r"give uint8 \[N, 3, H, W\]"),
        ({"images": torch.zeros(2, 3, 8, 8)}, "float32"),
    ],
)
def test_gap_tells_what_does_not_fit(arguments, message):
    fitting = {"images": noise_images(2, 3, 8, 8), "level": 3, "index": torch.arange(2), "seed": 0}
    with pytest.raises(FddkitError, match=message):
        bias.gap(**fitting | arguments)


# ---- semantic offset


def test_offset_follows_a_loop_over_pixels():
    images, group = noise_images(6, 3, 4, 4), torch.tensor([0, 1, 2, 1, 0, 2])
    direction = torch.tensor([[9.0, 9.0, 9.0], [1.0, -0.5, 0.0], [-1.0, 0.3, 2.0]])
    moved = bias.semantic_offset(images, group, 1.5, scale=20.0, direction=direction)
    for n, channel, i, j in np.ndindex(*images.shape):
        a = int(group[n])
        shift = 0 if a == 0 else round(1.5 * 20 * float(direction[a, channel]))
        assert moved[n, channel, i, j] == min(255, max(0, int(images[n, channel, i, j]) + shift))


@given(seeds, st.floats(0, 4))
def test_offset_leaves_group_0_and_moves_the_others(seed, gamma):
    images, group = noise_images(24, 3, 4, 4, seed=seed), torch.arange(24) % 12
    moved = bias.semantic_offset(images, group, gamma)
    assert torch.equal(moved[group == 0], images[group == 0])
    if gamma == 0:
        assert torch.equal(moved, images)
    elif gamma * 16 >= 1:
        for a in range(1, 12):  # also groups beyond the palette
            assert not torch.equal(moved[group == a], images[group == a])


def test_offset_grows_with_gamma_and_shifts_every_pixel_alike():
    images = torch.full((1, 3, 4, 4), 128, dtype=torch.uint8)
    shifts = [bias.semantic_offset(images, torch.tensor([1]), g).int() - 128 for g in range(5)]
    for gamma, shift in enumerate(shifts):
        assert torch.equal(shift, gamma * shifts[1])
        assert torch.equal(shift, shift[:, :, :1, :1].expand_as(shift))
    assert shifts[1].abs().max() == 16


def test_offset_shows_on_a_set_painted_in_its_group_colour():
    gray, group = noise_images(9, 8, 8), torch.arange(1, 10)
    for paint in (bias.colour_foreground, bias.colour_background):
        images = paint(gray, bias.PALETTE[group], threshold=128)
        apart = bias.semantic_offset(images, group, 1.0).int() - images
        assert (apart.flatten(1).abs().amax(1) >= 15).all()


@pytest.mark.parametrize("gamma", [-1.0, float("nan"), float("inf")])
def test_offset_needs_a_strength(gamma):
    with pytest.raises(FddkitError, match=f"offset={gamma}"):
        bias.semantic_offset(noise_images(1, 3, 4, 4), torch.tensor([0]), gamma)


def test_offset_tells_what_does_not_fit():
    images = noise_images(2, 3, 4, 4)
    with pytest.raises(FddkitError, match="none negative"):
        bias.semantic_offset(images, torch.tensor([0, -1]), 1.0)
    with pytest.raises(FddkitError, match=r"give int64 \[2\]"):
        bias.semantic_offset(images, torch.tensor([0]), 1.0)
    with pytest.raises(FddkitError, match=r"give uint8 \[N, 3, H, W\]"):
        bias.semantic_offset(images[:, :1], torch.tensor([0, 1]), 1.0)
    with pytest.raises(FddkitError, match=r"direction is float32 \[1, 3\]; give float \[2, 3\]"):
        bias.semantic_offset(images, torch.tensor([0, 1]), 1.0, direction=torch.ones(1, 3))


# ---- all


def test_no_image_is_no_mistake():
    none, colour = torch.zeros(0, 8, 8, dtype=torch.uint8), bias.PALETTE[[]]
    images = bias.colour_foreground(none, colour)
    assert images.shape == (0, 3, 8, 8)
    nobody = torch.zeros(0, dtype=torch.int64)
    assert bias.gap(images, 4, nobody, 0).shape == (0, 3, 8, 8)
    assert bias.semantic_offset(images, nobody, 2.0).shape == (0, 3, 8, 8)
    assert bias.grayscale(images).shape == (0, 3, 8, 8)


def test_painting_leaves_its_input_alone():
    images, index = noise_images(4, 3, 8, 8), torch.arange(4)
    before = images.clone()
    bias.gap(images, 4, index, 0)
    bias.grayscale(images)
    bias.semantic_offset(images, index, 3.0)
    assert torch.equal(images, before)
