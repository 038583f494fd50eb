"""Each corruption against a slow reference in floats, with the same draws, and what all promise."""

import colorsys
import hashlib
import io
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, stats

from fddkit.core.errors import FddkitError
from fddkit.painting.corruptions import CORRUPTIONS, SEVERITIES, corrupt, fixed_point, textures
from fddkit.painting.corruptions import spatter as drops
from fddkit.painting.corruptions.fixed_point import Draws
from fddkit.painting.corruptions.jpeg import compressed
from fddkit.painting.corruptions.noises import poisson

NAMES = [name for name in CORRUPTIONS if name != "original"]


def pictures(n=6, size=32, seed=0):
    """Smooth shapes with edges, noise and plain parts: uint8 [n, 3, size, size]."""
    draw = np.random.default_rng(seed)
    coarse = draw.integers(0, 256, (n, 3, 5, 5)).astype(float)
    smooth = ndimage.zoom(coarse, (1, 1, size / 5, size / 5), order=1)[:, :, :size, :size]
    smooth[:, :, 8:14, 10:20] = draw.integers(0, 256, (n, 3, 1, 1))
    smooth[0] += draw.normal(0, 30, smooth[0].shape)
    smooth[1] = draw.integers(0, 256)  # one gray
    return torch.from_numpy(smooth.clip(0, 255).astype(np.uint8))


IMAGES, INDEX, SEED = pictures(), torch.tensor([5, 0, 17, 40_000, 8, 3]), 11
DRAWS = Draws(INDEX, SEED)


def ours(name, severity, images=IMAGES, index=INDEX):
    zero = torch.zeros(len(images), dtype=torch.int64)
    return corrupt(images, [name], zero, severity, index, SEED)


def each(function):
    """Apply a function of one channel [n, n] in floats to all channels of all images."""
    x = IMAGES.numpy().astype(float)
    return np.stack([np.stack([function(channel) for channel in image]) for image in x])


def close(found, expected, apart=1.0, outliers=0.0):
    """Whole parts of floats may fall one lower; ``outliers`` may be anything."""
    gap = np.abs(found.numpy().astype(float) - np.clip(expected, 0, 255))
    assert (gap > apart + 0.02).mean() <= outliers, gap.max()


def normal(name, *shape):
    return DRAWS.normal(name, *shape).numpy() / 4096


# ---- draws


def test_draws_have_their_distributions():
    draws = Draws(torch.arange(300), 1)
    z = draws.normal("z", 700).flatten().numpy() / 4096
    assert stats.kstest(z, "norm").pvalue > 0.01
    assert np.bincount(draws.below(7, "n", 700).flatten(), minlength=7).std() < 400
    assert set(draws.below(7, "n", 700).unique().tolist()) == set(range(7))
    assert not torch.equal(draws.below(7, "n", 9), draws.below(7, "m", 9))


def test_no_weight_lies_where_another_library_might_round_it_the_other_way(monkeypatch):
    """Exact halves are rounded the same everywhere; what is nearly one would not be."""
    near = []

    def watched(values):
        values = list(values)
        near.extend(abs(v - math.floor(v) - 0.5) for v in values)
        return [round(value) for value in values]

    caches = [fixed_point._quantiles, fixed_point.gaussian, fixed_point._line, drops._roots]
    caches += [textures.frosted_window]
    for cached in caches:
        cached.cache_clear()
    for module in (fixed_point, drops, textures):
        monkeypatch.setattr(module, "rounded", watched)
    for name in NAMES:
        for severity in SEVERITIES:
            ours(name, severity)
    assert len(near) > 40_000
    assert all(gap == 0 or gap > 1e-9 for gap in near)
    for cached in caches:
        cached.cache_clear()


def test_no_count_of_photons_lies_between_two_levels():
    for photons in (500, 250, 100, 75, 50):
        table = poisson(photons).numpy()
        assert not table[0].any()
        for x in (1, 77, 255):
            mean = photons * x / 255
            levels = (np.arange(4096) + 0.5) / 4096
            assert np.array_equal(table[x], stats.poisson.ppf(levels, mean).astype(int).clip(0))
            share = stats.poisson.cdf(np.arange(2 * photons + 20), mean)
            apart = np.abs(share[:, None] * 4096 - 0.5 - np.rint(share[:, None] * 4096 - 0.5))
            assert apart[(share > 1e-4) & (share < 1 - 2e-4)].min() > 1e-9


# ---- each of them


@pytest.mark.parametrize("severity", SEVERITIES)
def test_noises(severity):
    x = IMAGES.numpy() / 255
    c = (0.04, 0.06, 0.08, 0.09, 0.10)[severity - 1]
    expected = np.floor(255 * x + 255 * c * normal("gaussian noise", 3, 32, 32) + 1e-9)
    close(ours("Gaussian noise", severity), expected)
    c = (0.06, 0.1, 0.12, 0.16, 0.2)[severity - 1]
    close(ours("speckle noise", severity), 255 * x * (1 + c * normal("speckle noise", 3, 32, 32)))
    amount = (0.01, 0.02, 0.03, 0.05, 0.07)[severity - 1]
    many = torch.full((80, 3, 32, 32), 100, dtype=torch.uint8)
    hit = ours("impulse noise", severity, many, torch.arange(80))
    for value in (0, 255):
        assert (hit == value).double().mean() == pytest.approx(amount / 2, rel=0.1)
    c = (500, 250, 100, 75, 50)[severity - 1]
    shot = ours("shot noise", severity, many, torch.arange(80)).double()
    assert shot.mean() == pytest.approx(100 - 0.5 * (c > 255), abs=0.6)  # whole parts
    assert shot.var() == pytest.approx(255 * 100 / c, rel=0.05)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_gaussian_and_defocus_blur(severity):
    sigma = (0.4, 0.6, 0.7, 0.8, 1)[severity - 1]
    close(
        ours("Gaussian blur", severity),
        each(lambda x: ndimage.gaussian_filter(x, sigma, mode="nearest", truncate=4)),
    )
    radius, soft = ((0.3, 0.4), (0.4, 0.5), (0.5, 0.6), (1, 0.2), (1.5, 0.1))[severity - 1]
    side = np.arange(-8, 9)
    disk = (side[:, None] ** 2 + side**2 <= radius**2).astype(float)
    small = np.exp(-0.5 * (np.arange(-1, 2) / soft) ** 2)
    small /= small.sum()
    disk = ndimage.correlate(disk / disk.sum(), np.outer(small, small), mode="constant")
    close(ours("defocus blur", severity), each(lambda x: ndimage.correlate(x, disk, mode="mirror")))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_glass_blur_copies_as_the_assignment_of_views_does(severity):
    sigma, rounds = ((0.05, 1), (0.25, 1), (0.4, 1), (0.25, 2), (0.4, 2))[severity - 1]
    expected = []
    for k, image in enumerate(IMAGES.numpy().astype(float)):
        x = np.stack([ndimage.gaussian_filter(c, sigma, mode="nearest") for c in image], 2)
        x = np.floor(x + 1e-6).astype(np.uint8)
        for step in range(rounds):
            move = DRAWS.below(2, f"glass blur {step}", 2, 32, 32)[k].numpy()
            for i in range(31, 1, -1):
                for j in range(31, 1, -1):
                    a, b = i - move[0, i, j], j - move[1, i, j]
                    x[i, j], x[a, b] = x[a, b], x[i, j]
        x = [ndimage.gaussian_filter(c, sigma, mode="nearest") for c in np.moveaxis(x, 2, 0) * 1.0]
        expected.append(np.stack(x))
    close(ours("glass blur", severity), np.stack(expected), apart=2)


def streak(x, radius, sigma, degree):
    """ImageMagick's motion blur of one channel, pixel by pixel."""
    length, angle = 2 * radius + 1, math.radians(degree + 0.5)
    weight = [math.exp(-(i**2) / (2 * sigma**2)) for i in range(length)]
    result, n = np.zeros_like(x), len(x)
    for i in range(n):
        for j in range(n):
            for k in range(length):
                a = min(max(i + math.ceil(k * math.sin(angle) - 0.5), 0), n - 1)
                b = min(max(j + math.ceil(k * math.cos(angle) - 0.5), 0), n - 1)
                result[i, j] += weight[k] / sum(weight) * x[a, b]
    return result


@pytest.mark.parametrize("severity", [1, 5])
def test_motion_blur(severity):
    radius, sigma = ((6, 1), (9, 2.5))[severity == 5]
    degree = DRAWS.below(90, "motion blur") - 45
    found = ours("motion blur", severity)
    for k in (0, 2):
        expected = [
            streak(c.astype(float), radius, sigma, int(degree[k])) for c in IMAGES[k].numpy()
        ]
        close(found[k], np.stack(expected), apart=0.6)


def zoomed(x, factor):
    """The authors' clipped zoom, of one channel."""
    n = len(x)
    crop = math.ceil(round(n / factor, 9))
    top = (n - crop) // 2
    x = ndimage.zoom(x[top : top + crop, top : top + crop], factor, order=1)
    trim = (len(x) - n) // 2
    return x[trim : trim + n, trim : trim + n]


@pytest.mark.parametrize("severity", SEVERITIES)
def test_zoom_blur(severity):
    factors = np.arange(1, (1.06, 1.11, 1.16, 1.21, 1.26)[severity - 1], 0.01)
    expected = each(lambda x: (x + sum(zoomed(x, f) for f in factors)) / (len(factors) + 1))
    close(ours("zoom blur", severity), expected)


def plasma(n, decay, k, name):
    """Diamonds and squares, point by point, in floats."""
    height, step, level = np.zeros((n, n)), n, 0
    while step > 1:
        half, count = step // 2, n // step
        u = DRAWS.below((1 << 16) + 1, f"{name} {level}", 3, count, count)[k].numpy()
        u = (u * 2 - (1 << 16)) / (1 << 16) * (100 / decay**level) ** 2

        def at(i, j, height=height):
            return height[i % n, j % n]

        for a in range(count):
            for b in range(count):
                i, j = a * step, b * step
                corners = at(i, j) + at(i + step, j) + at(i, j + step) + at(i + step, j + step)
                height[i + half, j + half] = corners / 4 + u[0, a, b]
        for a in range(count):
            for b in range(count):
                i, j = a * step, b * step
                beside = at(i - half, j + half) + at(i + half, j + half)
                height[i, j + half] = (beside + at(i, j) + at(i, j + step)) / 4 + u[1, a, b]
                beside = at(i + half, j - half) + at(i + half, j + half)
                height[i + half, j] = (beside + at(i, j) + at(i + step, j)) / 4 + u[2, a, b]
        step, level = half, level + 1
    height -= height.min()
    return height / height.max()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_fog(severity):
    c, decay = ((0.2, 3), (0.5, 3), (0.75, 2.5), (1, 2), (1.5, 1.75))[severity - 1]
    expected = []
    for k, image in enumerate(IMAGES.numpy() / 255):
        cloud = plasma(32, decay, k, "fog")
        expected.append((image + c * cloud) * image.max() / (image.max() + c) * 255)
    close(ours("fog", severity), np.stack(expected))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_frost_is_a_weighted_sum_with_a_piece_of_the_window(severity):
    image, ice = ((1, 0.2), (1, 0.3), (0.9, 0.4), (0.85, 0.4), (0.75, 0.45))[severity - 1]
    window = np.tile(textures.frosted_window().numpy(), (1, 2, 2))
    down, right = DRAWS.below(256, "frost", 2).T.tolist()
    pieces = [window[:, i : i + 32, j : j + 32] for i, j in zip(down, right, strict=True)]
    close(ours("frost", severity), image * IMAGES.numpy() + ice * np.stack(pieces))


@pytest.mark.parametrize("severity", SEVERITIES)
def test_snow(severity):
    c = (
        (0.1, 0.2, 1, 0.6, 8, 3, 0.95),
        (0.1, 0.2, 1, 0.5, 10, 4, 0.9),
        (0.15, 0.3, 1.75, 0.55, 10, 4, 0.9),
        (0.25, 0.3, 2.25, 0.6, 12, 6, 0.85),
        (0.3, 0.3, 1.25, 0.65, 14, 12, 0.8),
    )[severity - 1]
    degree, z = DRAWS.below(90, "snow falls") - 135, normal("snow", 1, 32, 32)[:, 0]
    found = ours("snow", severity)
    for k in (0, 3):
        layer = zoomed(c[0] + c[1] * z[k], c[2])
        layer[layer < c[3]] = 0
        layer = np.floor(layer.clip(0, 1) * 255)
        layer = np.rint(streak(layer, c[4], c[5], int(degree[k])))
        x = IMAGES[k].numpy() / 255
        gray = np.tensordot([0.299, 0.587, 0.114], x, 1)
        x = c[6] * x + (1 - c[6]) * np.maximum(x, gray * 1.5 + 0.5)
        # a flake at the threshold may be there or not
        close(found[k], 255 * x + layer + np.rot90(layer, 2), apart=2, outliers=0.03)


def by_hsv(change):
    """Change every pixel in HSV by Python's own colour functions."""
    result = np.zeros(IMAGES.shape)
    for k, i, j in np.ndindex(len(IMAGES), 32, 32):
        hsv = colorsys.rgb_to_hsv(*(IMAGES[k, :, i, j].numpy() / 255))
        result[k, :, i, j] = 255 * np.array(colorsys.hsv_to_rgb(*change(*hsv)))
    return result


@pytest.mark.parametrize("severity", SEVERITIES)
def test_colours(severity):
    c = (0.05, 0.1, 0.15, 0.2, 0.3)[severity - 1]
    close(ours("brightness", severity), by_hsv(lambda h, s, v: (h, s, min(v + c, 1))))
    a, b = ((0.3, 0), (0.1, 0), (1.5, 0), (2, 0.1), (2.5, 0.2))[severity - 1]
    close(ours("saturate", severity), by_hsv(lambda h, s, v: (h, min(a * s + b, 1), v)))
    c = (0.75, 0.5, 0.4, 0.3, 0.15)[severity - 1]
    close(ours("contrast", severity), each(lambda x: (x - x.mean()) * c + x.mean()))


def test_black_is_brightened_and_stays_black_when_saturated():
    black = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    assert ours("brightness", 5, black, INDEX[:1]).unique().tolist() == [76]
    for name in ("saturate", "fog", "speckle noise", "shot noise"):
        assert (ours(name, 5, black, INDEX[:1]) == 0).all()


@pytest.mark.parametrize("severity", SEVERITIES)
def test_elastic(severity):
    alpha, sigma, corner = ((0, 0, 0.08), (0.05, 0.2, 0.07), (0.08, 0.06, 0.06), (0.1, 0.04, 0.05),
                            (0.1, 0.03, 0.03))[severity - 1]  # fmt: skip
    reach = int(corner * 32 * 256)
    moved = (DRAWS.below(2 * reach + 1, "elastic corners", 3, 2) - reach).numpy() / 256
    field = DRAWS.below((1 << 16) + 1, "elastic field", 2, 32, 32).numpy() * 2 / (1 << 16) - 1
    corners = np.array([[26.0, 26], [26, 6], [6, 6]])
    rows, columns = np.mgrid[:32, :32].astype(float)
    expected = []
    for k, image in enumerate(IMAGES.numpy().astype(float)):
        back = np.linalg.solve(np.c_[corners + moved[k], np.ones(3)], corners)
        column, row = np.moveaxis(np.stack([columns, rows, np.ones((32, 32))], 2) @ back, 2, 0)
        x = [ndimage.map_coordinates(c, [row, column], order=1, mode="mirror") for c in image]
        if alpha:
            down, right = (
                32 * alpha * ndimage.gaussian_filter(f, 32 * sigma, mode="reflect", truncate=3)
                for f in field[k]
            )
            at = [rows + down, columns + right]
            x = [ndimage.map_coordinates(c, at, order=1, mode="reflect") for c in x]
        expected.append(np.stack(x))
    # positions are in 1/256 of a pixel: at an edge that is up to 2 gray values
    close(ours("elastic", severity), np.stack(expected), apart=3)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_pixelate_is_pillows(severity):
    small = int(32 * (0.95, 0.9, 0.85, 0.75, 0.65)[severity - 1])
    for image, found in zip(IMAGES, ours("pixelate", severity), strict=True):
        pillow = Image.fromarray(image.permute(1, 2, 0).numpy())
        pillow = pillow.resize((small, small), Image.Resampling.BOX)
        pillow = pillow.resize((32, 32), Image.Resampling.BOX)
        assert np.array_equal(np.asarray(pillow).transpose(2, 0, 1), found.numpy())


@pytest.mark.parametrize("quality", [80, 65, 58, 50, 40, 5])
def test_jpeg_is_pillows_up_to_the_rounding_within_its_transform(quality):
    images = pictures(40, seed=quality)
    found, apart = compressed(images.long(), quality), []
    for image, one in zip(images, found, strict=True):
        file = io.BytesIO()
        Image.fromarray(image.permute(1, 2, 0).numpy()).save(file, "JPEG", quality=quality)
        pillow = np.asarray(Image.open(file)).transpose(2, 0, 1)
        apart.append(np.abs(pillow - one.numpy()))
    # a coefficient near the middle of two multiples changes a block of 8 x 8 pixels
    assert np.mean(np.stack(apart) > 1) < 0.03
    assert np.mean(np.stack(apart) == 0) > 0.93


def test_jpeg_pads_by_repeating_the_edge():
    flat = torch.full((1, 3, 20, 20), 130)
    assert (compressed(flat, 80) - 130).abs().max() <= 2


# ---- spatter


@pytest.mark.parametrize("severity", [4, 5])
def test_mud(severity):
    threshold, blur, soft = ((0.69, 0.7, 0.6), (0.68, 0.5, 0.6))[severity - 4]
    liquid = 0.65 + 0.1 * normal("spatter", 32, 32)
    expected = []
    for image, drop in zip(IMAGES.numpy().astype(float), liquid, strict=True):
        drop = ndimage.gaussian_filter(drop, blur, mode="nearest", truncate=4)
        cover = ndimage.gaussian_filter(1.0 * (drop > threshold), soft, mode="nearest", truncate=4)
        cover[cover < 0.8] = 0
        expected.append(image * (1 - cover) + np.array([63, 42, 20])[:, None, None] * cover)
    close(ours("spatter", severity), np.stack(expected), outliers=0.005)


@pytest.mark.parametrize("severity", [1, 2, 3])
def test_water_only_brightens_and_most_of_the_image_is_dry(severity):
    found = ours("spatter", severity).int()
    assert (found >= IMAGES).all()
    wet = (found > IMAGES).any(1)
    assert 0.01 < wet.double().mean() < 0.6


def test_edges_are_the_border_of_a_square_and_its_distance_is_euclids():
    x = torch.zeros(2, 24, 24, dtype=torch.int64)
    x[0, 8:16, 8:16] = 200
    edge = drops.edges(x)
    assert not edge[1].any()  # nothing there
    ring = torch.zeros(24, 24, dtype=torch.bool)
    ring[6:18, 6:18] = True
    ring[10:14, 10:14] = False
    assert edge[0].any()
    assert not (edge[0] & ~ring).any()  # thin, and within two pixels of the border
    assert edge[0, 12].sum() == edge[0, :, 12].sum() == 2
    distance = drops._distance(edge)
    points = edge[0].nonzero().double()
    for i, j in ((0, 0), (12, 12), (23, 5), (10, 20)):
        nearest = (points - torch.tensor([i, j])).norm(dim=1).min()
        assert distance[0, i, j] / 256 == pytest.approx(min(float(nearest), 20), abs=0.003)
    assert (distance[1] == 20 * 256).all()


def test_weak_edges_stay_only_where_they_touch_strong_ones():
    x = torch.zeros(1, 32, 32, dtype=torch.int64)
    x[0, :, 16:] = torch.arange(32)[:, None] * 2 + 14  # the step grows from weak to strong
    x[0, 4:8, 4:8] = 18  # weak, on its own: a gradient of at most 72
    edge = drops.edges(x)[0]
    assert edge[:, 15:17].any(1)[2:].all()
    assert not edge[:12, :12].any()


def test_gray_values_are_equalised():
    x = torch.tensor([[[0, 0, 5], [9, 9, 9], [20, 20, 20]], [[7] * 3] * 3])
    spread = drops._equalised(x)
    # below or equal: 2, 3, 6, 9 of 9; so 0, 1/7, 4/7 and 7/7 of 255
    assert spread[0].tolist() == [[0, 0, 36], [146] * 3, [255] * 3]
    assert (spread[1] == 7).all()


# ---- all of them


@settings(max_examples=40)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(SEVERITIES),
    st.lists(st.integers(0, 69), min_size=1, max_size=40),
)
def test_an_image_alone_looks_as_in_any_batch(name, severity, some):
    images, index = pictures(70, seed=3), torch.arange(70) * 13
    whole = ours(name, severity, images, index)
    assert whole.dtype == torch.uint8
    assert whole.shape == images.shape
    assert torch.equal(ours(name, severity, images[some], index[some]), whole[some])


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_every_image_more_with_severity_and_leaves_what_it_was_given(name):
    images, before = pictures(20, seed=8), pictures(20, seed=8)
    index = torch.arange(20)
    apart = [
        (ours(name, s, images, index).double() - images).abs().flatten(1).mean(1) for s in (1, 5)
    ]
    assert torch.equal(images, before)
    if name not in ("elastic", "spatter"):  # by design other effects, not larger ones
        assert apart[1].mean() > apart[0].mean()
    assert (apart[1][2:] > 0).all()


def test_groups_have_their_own_corruption_and_the_original_none():
    names, group = list(CORRUPTIONS), torch.arange(20)
    images, index = pictures(20, seed=5), torch.arange(20) + 100
    mixed = corrupt(images, names, group, 4, index, SEED)
    for k, name in enumerate(names):
        assert torch.equal(mixed[k : k + 1], ours(name, 4, images[k : k + 1], index[k : k + 1]))
    assert torch.equal(mixed[names.index("original")], images[names.index("original")])


def test_other_seeds_and_indices_draw_other_noise():
    same = IMAGES[:1].expand(2, -1, -1, -1)
    for name in ("Gaussian noise", "fog", "snow", "frost", "elastic", "spatter", "glass blur"):
        one, other = ours(name, 5, same, torch.tensor([1, 2]))
        assert not torch.equal(one, other), name


#: Of all severities on the images of the test below.
FINGERPRINTS = {
    "Gaussian noise": "373da84ae27f",
    "shot noise": "7d713e5c7fe7",
    "impulse noise": "3bd945b5fa52",
    "speckle noise": "36d73155e20e",
    "Gaussian blur": "4800aecc46eb",
    "defocus blur": "80935630f677",
    "glass blur": "0d05ad6bca4f",
    "motion blur": "29e50fb2d7d2",
    "zoom blur": "3289a21a1cfd",
    "original": "74a425b8ed5c",
    "snow": "8c89829b9d6e",
    "frost": "8e2ec6ba5c28",
    "fog": "4f839f581636",
    "brightness": "b6a9198fc82f",
    "contrast": "37ba496c01f1",
    "spatter": "c2e8dc6437f7",
    "elastic": "fe1bfd48b398",
    "JPEG": "4a31373d6b3a",
    "pixelate": "8e1b7fb1dcb8",
    "saturate": "5fcb91ae89ff",
}


def test_images_are_the_same_on_every_machine():
    ramp = torch.arange(4 * 3 * 32 * 32) * 2654435761 % 2**32 >> 24
    images = (ramp.view(4, 3, 32, 32) // 4 + torch.arange(32) * 5).clamp(max=255).to(torch.uint8)
    found = {}
    for name in CORRUPTIONS:
        every = [ours(name, s, images, torch.arange(4)).numpy().tobytes() for s in SEVERITIES]
        found[name] = hashlib.sha256(b"".join(every)).hexdigest()[:12]
    assert found == FINGERPRINTS


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"severity": 0}, "severity=0 is not a severity; give 1, 2, 3, 4 or 5"),
        ({"severity": True}, "severity=True is not a severity"),
        ({"names": ["forg"]}, "'forg' is not a corruption; did you mean 'fog'"),
        ({"images": IMAGES.float()}, r"give uint8 \[N, 3, H, W\]"),
        ({"images": IMAGES[:, :, :20]}, "are 20 x 32; corruptions need squares of at least 8"),
        ({"images": IMAGES[:, :, :4, :4]}, "are 4 x 4; corruptions need squares"),
        ({"group": torch.zeros(5, dtype=torch.int64)}, r"group is int64 \[5\]; give int64 \[6\]"),
        ({"group": torch.ones(6, dtype=torch.int64)}, "group must be from 0 to 0; one is not"),
        ({"index": INDEX.float()}, r"index is float32 \[6\]; give int64 \[6\]"),
    ],
)
def test_mistakes_are_told(change, message):
    given = {"images": IMAGES, "names": ["fog"], "group": INDEX * 0, "severity": 1}
    with pytest.raises(FddkitError, match=message):
        corrupt(**(given | {"index": INDEX, "seed": 0} | change))
