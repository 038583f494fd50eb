import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.training.augment import FAMILIES, Draw, apply, draw, parse, stages, vary

BELOW_ONE = 1 - 2**-24  # the largest number torch draws


def numbers(*shape, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=rng, dtype=torch.float64)


def chosen(family, *rows):
    """Return a draw of one family with the given random numbers."""
    u = torch.tensor([[*row, *[0.0] * (3 - len(row))] for row in rows])
    return Draw(torch.full((len(rows),), FAMILIES.index(family)), u)


# The slow references: one image [C][H][W], one pixel at a time, from the formulas of
# `docs/methods.md`, "Augmentation".


def color(x, u):
    channels, height, width = x.shape
    pixels = [(i, j) for i in range(height) for j in range(width)]
    out = x.clone()
    for c in range(channels):
        for i, j in pixels:
            out[c, i, j] = out[c, i, j] + (u[0] - 0.5)  # brightness
    for i, j in pixels:
        mean = sum(out[c, i, j].clone() for c in range(channels)) / channels
        for c in range(channels):
            out[c, i, j] = (out[c, i, j] - mean) * (2 * u[1]) + mean  # saturation
    mean = sum(v.clone() for v in out.flatten()) / out.numel()
    for c in range(channels):
        for i, j in pixels:
            out[c, i, j] = (out[c, i, j] - mean) * (u[2] + 0.5) + mean  # contrast
    return out


def crop(x, u):
    _, height, width = x.shape
    shifts = []
    for side, number in ((height, u[0]), (width, u[1])):
        most = int(side / 8 + 0.5)
        shifts.append(range(-most, most + 1)[int(number * (2 * most + 1))])
    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            if 0 <= i + shifts[0] < height and 0 <= j + shifts[1] < width:
                out[:, i, j] = x[:, i + shifts[0], j + shifts[1]]
    return out


def cutout(x, u):
    _, height, width = x.shape
    out = x.clone()
    blocks = []
    for side, number in ((height, u[0]), (width, u[1])):
        size = int(side / 2 + 0.5)
        places = side if size % 2 else side + 1  # pixels, or the lines between and around them
        start = int(number * places) - size // 2
        blocks.append(range(start, start + size))
    for i in blocks[0]:
        for j in blocks[1]:
            if 0 <= i < height and 0 <= j < width:
                out[:, i, j] = 0
    return out


def flip(x, u):
    out = x.clone()
    for j in range(x.shape[2]):
        out[:, :, j] = x[:, :, x.shape[2] - 1 - j if u[0] < 0.5 else j]
    return out


def sampled(x, place):
    """Sample where ``place`` maps (y, x) in [-1, 1]; bilinear, 0 outside."""
    _, height, width = x.shape
    out = torch.zeros_like(x)
    for i in range(height):
        for j in range(width):
            at_y, at_x = place((2 * i + 1) / height - 1, (2 * j + 1) / width - 1)
            row, column = ((at_y + 1) * height - 1) / 2, ((at_x + 1) * width - 1) / 2
            for r in range(height):
                for c in range(width):
                    if abs(row - r) < 1 and abs(column - c) < 1:
                        out[:, i, j] += (1 - abs(row - r)) * (1 - abs(column - c)) * x[:, r, c]
    return out


def scale(x, u):
    by_y, by_x = (1 / 1.2 + number * (1.2 - 1 / 1.2) for number in u[:2])
    return sampled(x, lambda y, x: (by_y * y, by_x * x))


def rotate(x, u):
    angle = math.radians(-15 + 30 * u[0])
    cos, sin = math.cos(angle), math.sin(angle)
    return sampled(x, lambda y, x: (sin * x + cos * y, cos * x - sin * y))


REFERENCE = {
    "color": color,
    "crop": crop,
    "cutout": cutout,
    "flip": flip,
    "scale": scale,
    "rotate": rotate,
}


def by_loops(images, draws):
    return torch.stack(
        [
            REFERENCE[FAMILIES[family]](image, u)
            for image, family, u in zip(
                images, draws.family.tolist(), draws.u.tolist(), strict=True
            )
        ]
    )


@pytest.mark.parametrize("family", FAMILIES)
@settings(deadline=None, max_examples=20)
@given(
    channels=st.sampled_from([1, 3]),
    height=st.integers(1, 11),
    width=st.integers(1, 11),
    seed=st.integers(0, 10**6),
)
def test_every_family_and_its_gradient_equal_the_loops(family, channels, height, width, seed):
    images = numbers(3, channels, height, width, seed=seed).requires_grad_()
    draws = draw(3, (family,), generator(seed))
    fast, slow = apply(images, draws), by_loops(images, draws)
    torch.testing.assert_close(fast, slow, rtol=1e-9, atol=1e-9)
    weights = numbers(*images.shape, seed=seed + 1)
    gradients = [torch.autograd.grad((weights * out).sum(), images)[0] for out in (fast, slow)]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_gradcheck_on_images_that_are_not_square(family):
    images = numbers(3, 2, 5, 4).requires_grad_()
    draws = draw(3, (family,), generator(1, family))
    assert torch.autograd.gradcheck(lambda x: apply(x, draws), images)


def test_gradcheck_through_a_batch_of_all_families():
    images = numbers(12, 1, 4, 5).requires_grad_()
    draws = Draw(torch.arange(6).repeat(2), torch.rand(12, 3, generator=generator(3)))
    assert torch.autograd.gradcheck(lambda x: apply(x, draws), images)


@settings(deadline=None)
@given(
    rows=st.lists(st.integers(0, 5), min_size=1, max_size=200),
    ordered=st.booleans(),
    seed=st.integers(0, 10**6),
)
def test_any_order_of_families_equals_one_image_at_a_time(rows, ordered, seed):
    family = torch.tensor(sorted(rows) if ordered else rows)
    draws = Draw(family, torch.rand(len(rows), 3, generator=generator(seed)))
    images = numbers(len(rows), 3, 6, 5, seed=seed)
    batch = apply(images, draws)
    for i in range(len(rows)):
        alone = apply(images[i : i + 1], draws[torch.tensor([i])])[0]
        torch.testing.assert_close(batch[i], alone, rtol=1e-9, atol=1e-9)


def test_color_by_hand():
    image = torch.tensor([[1.0, 3.0], [3.0, 5.0]]).view(1, 2, 1, 2)  # pixels (1, 3) and (3, 5)
    # + 0.25; then 1.5 times the distance from the pixel's mean (2.25, 4.25); then 0.75 times the
    # distance from the image's mean, 3.25
    brighter = apply(image, chosen("color", (0.75, 0.75, 0.25)))
    after_saturation = torch.tensor([[0.75, 2.75], [3.75, 5.75]])
    expected = (after_saturation - 3.25) * 0.75 + 3.25
    torch.testing.assert_close(brighter, expected.view(1, 2, 1, 2))
    # the middle of every range changes nothing
    torch.testing.assert_close(apply(image, chosen("color", (0.5, 0.5, 0.5))), image)


def test_crop_by_hand():
    image = torch.arange(1.0, 17.0).view(1, 1, 4, 4)  # int(4 / 8 + 0.5) = 1 pixel each way
    moved = apply(image, chosen("crop", (0.0, BELOW_ONE)))[0, 0]  # shifts -1 and +1
    expected = [[0, 0, 0, 0], [2, 3, 4, 0], [6, 7, 8, 0], [10, 11, 12, 0]]
    assert moved.tolist() == expected
    assert torch.equal(apply(image, chosen("crop", (0.5, 0.4))), image)


def test_cutout_by_hand():
    image = torch.ones(1, 1, 4, 5)  # 2 x 3 pixels are cut (int(5 / 2 + 0.5) = 3)
    corner = apply(image, chosen("cutout", (0.0, 0.0)))[0, 0]  # rows -1 and 0, columns -1 to 1
    assert corner.tolist() == [[0, 0, 1, 1, 1]] + [[1] * 5] * 3
    inside = apply(image, chosen("cutout", (0.5, 0.5)))[0, 0]
    assert inside.tolist() == [[1] * 5, [1, 0, 0, 0, 1], [1, 0, 0, 0, 1], [1] * 5]
    end = apply(image, chosen("cutout", (BELOW_ONE, BELOW_ONE)))[0, 0]
    assert end.tolist() == [[1] * 5] * 3 + [[1, 1, 1, 0, 0]]


def test_flip_by_hand():
    image = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]).view(1, 1, 2, 3)
    flipped = apply(image.expand(2, 1, 2, 3), chosen("flip", (0.49,), (0.5,)))
    assert flipped[0, 0].tolist() == [[3, 2, 1], [6, 5, 4]]
    assert torch.equal(flipped[1:], image)


def slopes(family, *u, side=33):
    """Return how fast y and x run along the rows and columns of a transformed ramp."""
    y, x = torch.meshgrid(*[torch.arange(side, dtype=torch.float64) - side // 2] * 2, indexing="ij")
    ramp = torch.stack((y, x))[None]
    middle = apply(ramp, chosen(family, u))[0, :, side // 2 - 1 : side // 2 + 2]
    middle = middle[:, :, side // 2 - 1 : side // 2 + 2]
    return [
        ((middle[:, 2, 1] - middle[:, 0, 1]) / 2).tolist(),  # going down
        ((middle[:, 1, 2] - middle[:, 1, 0]) / 2).tolist(),  # going right
    ]


def test_scale_spans_its_range_and_more_than_1_shrinks():
    for u, expected in ((0.0, 1 / 1.2), (BELOW_ONE, 1.2), (0.5, (1.2 + 1 / 1.2) / 2)):
        down, right = slopes("scale", u, 1 - u if u == 0.5 else 0.0)
        assert down == pytest.approx([expected, 0], abs=1e-6)
        other = expected if u == 0.5 else 1 / 1.2
        assert right == pytest.approx([0, other], abs=1e-6)
    square = torch.zeros(1, 1, 32, 32)
    square[:, :, 8:24, 8:24] = 1
    small = apply(square, chosen("scale", (BELOW_ONE, BELOW_ONE))).sum()
    assert small.item() == pytest.approx(256 / 1.44, rel=0.02)
    assert apply(torch.ones(1, 1, 32, 32), chosen("scale", (BELOW_ONE,) * 2))[0, 0, 0, 0] == 0


def test_rotate_spans_15_degrees_each_way():
    for u, degrees in ((0.0, -15), (0.5, 0), (BELOW_ONE, 15), (0.75, 7.5)):
        cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
        down, right = slopes("rotate", u)
        assert down == pytest.approx([cos, -sin], abs=1e-6)
        assert right == pytest.approx([sin, cos], abs=1e-6)


@pytest.mark.parametrize(("side", "most"), [(28, 4), (32, 4), (16, 2), (27, 3), (3, 0)])
def test_crop_shifts_are_all_reached_and_uniform(side, most):
    images = torch.zeros(4000, 1, side, 1)
    images[:, :, side // 2] = 1
    moved = apply(images, draw(4000, ("crop",), generator(2, side)))
    shift = side // 2 - moved[:, 0, :, 0].argmax(1)
    counts = torch.bincount(shift + most, minlength=2 * most + 1).double()
    assert len(counts) == 2 * most + 1
    expected = 4000 / len(counts)
    # 99.9% of chi-square is below 26.1 for 8 degrees of freedom, and for fewer
    assert ((counts - expected) ** 2 / expected).sum() < 26.1


@pytest.mark.parametrize(("side", "size"), [(16, 8), (10, 5), (9, 5), (5, 3), (7, 4)])
def test_cutout_has_its_size_and_is_clipped_at_borders(side, size):
    cut = apply(torch.ones(2000, 1, side, side), draw(2000, ("cutout",), generator(3))) == 0
    rows, columns = cut[:, 0].any(2), cut[:, 0].any(1)
    assert torch.equal(cut[:, 0], rows[:, :, None] & columns[:, None])  # a rectangle
    for line in (rows, columns):
        lengths, last = line.sum(1), side - line.flip(1).int().argmax(1)
        first = line.int().argmax(1)
        assert torch.equal(last - first, lengths)  # without a gap
        assert lengths.max() == size
        # a centre in the corner leaves half of it
        assert lengths.min() == (size // 2 if size % 2 == 0 else size // 2 + 1)
        assert ((lengths == size) | (first == 0) | (last == side)).all()


def test_one_draw_per_class_is_siamese():
    classes, draws = 10, draw(10, FAMILIES, generator(4))
    real = torch.arange(classes).repeat_interleave(24)
    synthetic = torch.arange(classes).repeat_interleave(3)
    one = torch.randn(1, 3, 16, 16, generator=generator(5))
    seen_real = apply(one.expand(len(real), -1, -1, -1), draws[real])
    seen_synthetic = apply(one.expand(len(synthetic), -1, -1, -1), draws[synthetic])
    own = []
    for y in range(classes):
        family, u = draws.family[y], draws.u[y]
        for labels, seen in ((real, seen_real), (synthetic, seen_synthetic)):
            rows = draws[labels]
            assert (rows.family[labels == y] == family).all()
            assert (rows.u[labels == y] == u).all()
            for image in seen[labels == y]:
                torch.testing.assert_close(image, seen_real[real == y][0])
        own.append(seen_real[real == y][0])
    different = sum(not torch.allclose(own[a], own[b]) for a in range(10) for b in range(a))
    assert different >= 44  # of 45: two classes may both draw "not flipped"


def test_one_draw_per_image_is_not_siamese():
    one = torch.randn(1, 3, 16, 16, generator=generator(5)).expand(20, -1, -1, -1)
    for family in FAMILIES:
        seen = apply(one, draw(20, (family,), generator(6, family)))
        kinds = len(torch.unique((seen * 1e4).round(), dim=0))
        assert kinds == 2 if family == "flip" else kinds > 10


def test_the_order_of_a_batch_does_not_matter():
    draws, labels = draw(10, FAMILIES, generator(4)), torch.arange(10).repeat_interleave(30)
    images = torch.randn(300, 3, 8, 8, generator=generator(5))
    order = torch.randperm(300, generator=generator(6))
    torch.testing.assert_close(
        apply(images, draws[labels])[order], apply(images[order], draws[labels[order]])
    )


def test_families_are_uniform_and_independent_of_the_numbers():
    draws = draw(12_000, FAMILIES, generator(0))
    counts = torch.bincount(draws.family, minlength=6).double()
    assert ((counts - 2000) ** 2 / 2000).sum() < 20.5  # 99.9% of chi-square with 5 degrees
    assert draws.u.min() >= 0
    assert draws.u.max() < 1
    for family in range(6):
        means = draws.u[draws.family == family].mean(0)
        assert ((means - 0.5).abs() < 4 * (1 / 12 / 1900) ** 0.5).all()
    pair = parse("flip_color")
    assert set(draw(100, pair, generator(0)).family.tolist()) == {0, 3}


def test_a_shared_family_is_one_a_batch_uniform_over_batches():
    rng = generator(0)
    seen = []
    for _ in range(600):
        draws = draw(5, FAMILIES, rng, shared_family=True)
        assert len(draws) == 5
        assert len(draws.family.unique()) == 1
        assert len(draws.u.unique()) > 10
        seen.append(int(draws.family[0]))
    counts = torch.bincount(torch.tensor(seen), minlength=6).double()
    assert ((counts - 100) ** 2 / 100).sum() < 20.5


def test_draws_come_from_the_generator_alone():
    torch.manual_seed(1)
    first = draw(50, FAMILIES, generator(7))
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    again = draw(50, FAMILIES, generator(7))
    apply(torch.zeros(50, 3, 8, 8), again)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(first.family, again.family)
    assert torch.equal(first.u, again.u)
    assert not torch.equal(first.u, draw(50, FAMILIES, generator(8)).u)


def test_stages_are_applied_one_after_the_other():
    assert stages("color_crop+flip") == (("color", "crop"), ("flip",))
    assert stages("none") == ()
    images = numbers(5, 3, 8, 8)
    seen = vary(images, stages("crop+color"), generator(3))
    rng = generator(3)
    slow = apply(images, draw(5, ("crop",), rng, shared_family=True))
    slow = apply(slow, draw(5, ("color",), rng, shared_family=True))
    assert torch.equal(seen, slow)
    with pytest.raises(FddkitError, match="family"):
        stages("color+")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("family", ["crop", "cutout", "flip"])
def test_the_largest_number_stays_in_range_in_every_type(family, dtype):
    images, draws = numbers(1, 3, 31, 28).to(dtype), chosen(family, (BELOW_ONE,) * 3)
    seen = apply(images, draws)
    assert seen.dtype == dtype
    assert torch.equal(seen, by_loops(images, draws))


def test_no_strategy_gives_the_images_back():
    images = torch.randn(4, 3, 8, 8)
    assert apply(images, draw(4, parse("none"), generator(0))) is images
    empty = torch.empty(0, 3, 8, 8)
    assert apply(empty, draw(0, FAMILIES, generator(0))) is empty


def test_the_input_is_not_changed():
    images = torch.randn(60, 3, 8, 8)
    copy = images.clone()
    apply(images, draw(60, FAMILIES, generator(0)))
    assert torch.equal(images, copy)


def test_strategies():
    assert parse("color_crop_cutout_flip_scale_rotate") == FAMILIES
    assert parse("rotate_crop") == ("rotate", "crop")
    assert parse("none") == ()
    with pytest.raises(FddkitError, match="did you mean 'color'"):
        parse("colour_crop")
    for strategy in ("", "color,crop", "none_flip"):
        with pytest.raises(FddkitError, match="is not a family of augmentations"):
            parse(strategy)
    with pytest.raises(FddkitError, match="'flip' is named twice"):
        parse("flip_crop_flip")


def test_mistakes_are_told():
    draws = draw(4, FAMILIES, generator(0))
    with pytest.raises(FddkitError, match="4 draws for 5 images"):
        apply(torch.zeros(5, 3, 8, 8), draws)
    with pytest.raises(FddkitError, match=r"normalised images, not torch\.uint8"):
        apply(torch.zeros(4, 3, 8, 8, dtype=torch.uint8), draws)


@pytest.mark.gpu
def test_a_gpu_augments_as_the_cpu_does():
    draws = draw(200, FAMILIES, generator(0))
    images = torch.randn(200, 3, 32, 32, generator=generator(1))
    there = apply(images.cuda(), draws)
    torch.testing.assert_close(there.cpu(), apply(images, draws), rtol=1e-4, atol=1e-4)
