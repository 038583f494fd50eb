"""Every mode and fit of one image against plain arithmetic; damaged files get one sentence."""

import io
import zlib

import numpy as np
import pytest
import torch
from mixed_images import picture, saved, with_alpha
from PIL import Image

from fddkit.core.errors import FddkitError
from fddkit.reading import decoding
from fddkit.reading.decoding import decode, quiet
from fddkit.reading.frame import Frame

AS_IS = Frame(24, 20)
GRAY = Frame(24, 20, channels="gray")


@pytest.fixture
def draw():
    return np.random.default_rng(0)


def chw(image):
    return np.asarray(image.convert("RGB")).transpose(2, 0, 1)


def test_at_its_own_size_an_image_is_as_it_is(draw, tmp_path):
    image = picture(draw)
    image.save(tmp_path / "a.png")
    for source in (
        image,
        tmp_path / "a.png",
        str(tmp_path / "a.png"),
        saved(image, "png"),
        {"bytes": saved(image, "png"), "path": None},
        {"bytes": None, "path": str(tmp_path / "a.png")},
        np.asarray(image),
        torch.tensor(chw(image)),
        chw(image).astype(np.float64) / 255,
    ):
        pixels, notes = decode(source, AS_IS)
        assert (pixels.dtype, notes) == (np.uint8, ())
        assert np.array_equal(pixels, chw(image))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["png", "tiff"])
def test_exif_is_followed(draw, orientation, kind):
    image = picture(draw)
    exif = Image.Exif()
    exif[0x0112] = orientation
    # what each value says of the pixels stored, from the EXIF standard: 0th row, 0th column
    a = np.asarray(image)
    upright = {
        1: a,
        2: a[:, ::-1],
        3: a[::-1, ::-1],
        4: a[::-1],
        5: a.transpose(1, 0, 2),
        6: a.transpose(1, 0, 2)[:, ::-1],
        7: a[::-1, ::-1].transpose(1, 0, 2),
        8: a.transpose(1, 0, 2)[::-1],
    }[orientation]
    frame = Frame(*upright.shape[:2])
    pixels, notes = decode(saved(image, kind, exif=exif), frame)
    assert np.array_equal(pixels, upright.transpose(2, 0, 1))
    assert notes == ((decoding.TURNED,) if orientation > 1 else ())


def test_broken_exif_is_no_reason_to_refuse(draw):
    data = saved(picture(draw), "jpeg", exif=b"Exif\0\0II*\0\xff\xff\xff\xff junk")
    with quiet():
        assert decode(data, AS_IS).notes == ()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_put_on_white(draw, mode):
    image = with_alpha(picture(draw), draw).convert(mode)
    pixels, notes = decode(saved(image, "png"), AS_IS)
    a = np.asarray(image.convert("RGBA")).astype(float)
    alpha = a[..., 3:] / 255
    by_hand = a[..., :3] * alpha + 255 * (1 - alpha)
    assert np.abs(pixels.transpose(1, 2, 0) - by_hand).max() <= 1
    assert notes == (decoding.ALPHA,)


def test_an_opaque_alpha_changes_nothing(draw):
    image = picture(draw)
    assert decode(saved(image.convert("RGBA"), "png"), AS_IS).notes == ()
    assert np.array_equal(decode(image.convert("RGBA"), AS_IS).pixels, chw(image))


def test_palettes_with_and_without_transparency(draw):
    image = picture(draw).quantize(16)
    assert np.array_equal(decode(saved(image, "png"), AS_IS).pixels, chw(image))
    index = np.asarray(image)
    pixels, notes = decode(saved(image, "png", transparency=3), AS_IS)
    assert notes == (decoding.ALPHA,)
    assert (pixels[:, index == 3] == 255).all()
    assert np.array_equal(pixels[:, index != 3], chw(image)[:, index != 3])


@pytest.mark.parametrize("kind", ["png", "tiff", "ppm"])
def test_sixteen_bits_are_scaled(draw, kind):
    deep = draw.integers(0, 65536, (24, 20), dtype=np.uint16)
    deep[0, 0], deep[0, 1] = 0, 65535
    pixels, notes = decode(saved(Image.fromarray(deep), kind), GRAY)
    assert np.array_equal(pixels[0], np.rint(deep / 257).astype(np.uint8))
    assert notes == (decoding.DEEP,)


def test_other_modes(draw):
    image = picture(draw)
    bits = image.convert("1")
    assert np.array_equal(decode(saved(bits, "png"), GRAY).pixels[0] > 0, np.asarray(bits))
    floats = Image.fromarray(np.linspace(0, 1, 480, dtype=np.float32).reshape(24, 20))
    assert decode(saved(floats, "tiff"), GRAY).pixels.max() == 255
    gray = decode(saved(image.convert("L"), "png"), AS_IS).pixels
    assert (gray == gray[:1]).all()
    assert np.array_equal(gray[:1], decode(image, GRAY).pixels)
    flat = Image.new("CMYK", (20, 24), (0, 255, 255, 0))
    assert np.abs(decode(saved(flat, "tiff"), AS_IS).pixels[:, 5, 5] - [255.0, 0, 0]).max() <= 1


def test_the_first_of_several_frames(draw):
    frames = [Image.new("P", (20, 24), i) for i in range(3)]
    frames[0].putpalette([200, 10, 10, 10, 200, 10, 10, 10, 200])
    data = saved(frames[0], "gif", save_all=True, append_images=frames[1:])
    pixels, notes = decode(data, AS_IS)
    assert notes == (decoding.FRAMES,)
    assert pixels[:, 3, 3].tolist() == [200, 10, 10]


def test_what_a_file_is_counts_not_its_name(draw, tmp_path):
    image = picture(draw)
    (tmp_path / "a.JPG").write_bytes(saved(image, "png"))
    pixels, notes = decode(tmp_path / "a.JPG", AS_IS)
    assert notes == (decoding.MISNAMED,)
    assert np.array_equal(pixels, chw(image))


def halves(height, width):
    """Return an image whose left half is black and whose right half is white."""
    a = np.zeros((height, width, 3), dtype=np.uint8)
    a[:, width // 2 :] = 255
    return Image.fromarray(a)


def test_fits():
    wide = halves(40, 80)
    crop = decode(wide, Frame(20, 20)).pixels
    assert crop[:, :, :8].max() == 0
    assert crop[:, :, 12:].min() == 255
    stretched = decode(wide, Frame(20, 20, "stretch")).pixels
    assert np.array_equal(stretched[:, 0] > 128, crop[:, 0] > 128)
    white = Image.new("RGB", (80, 40), "white")
    padded = decode(white, Frame(20, 20, "pad")).pixels
    assert (padded[:, 5:15] == 255).all()
    assert (padded[:, :5] == 0).all()
    assert (padded[:, 15:] == 0).all()
    # the middle is cropped: a mark at the left edge of a wide image is gone
    marked = np.zeros((40, 120, 3), dtype=np.uint8)
    marked[:, :30] = 255
    assert decode(Image.fromarray(marked), Frame(20, 20)).pixels.max() == 0


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_small_ones_of_large_ones_are_antialiased(kind):
    stripes = np.zeros((512, 512, 3), dtype=np.uint8)
    stripes[:, ::2] = 254  # above half the sampling rate of the small one: only gray is right
    small = decode(saved(Image.fromarray(stripes), kind), Frame(16, 16)).pixels
    assert np.abs(small.astype(int) - 127).max() <= 3


@pytest.mark.parametrize("kind", ["png", "jpeg"])
def test_shortcuts_are_close_to_the_slow_way(draw, kind):
    smooth = picture(draw, (9, 12)).resize((400, 300), Image.Resampling.BICUBIC)
    data = saved(smooth, kind)
    quick = decode(data, Frame(32, 32, "stretch")).pixels
    slow = Image.open(io.BytesIO(data)).convert("RGB").resize((32, 32), Image.Resampling.BICUBIC)
    assert np.abs(quick.astype(int) - chw(slow)).mean() < 1.5
    assert np.abs(quick.astype(int) - chw(slow)).max() <= 16


def test_a_turned_wide_jpeg_keeps_enough_pixels_for_the_crop():
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(halves(64, 640), "jpeg", exif=exif, quality=95)
    pixels = decode(data, Frame(16, 16)).pixels[0]
    assert pixels[:6].max() <= 8
    assert pixels[10:].min() >= 247


def test_damaged_files_get_one_sentence(draw, tmp_path):
    noisy = Image.fromarray(draw.integers(0, 256, (200, 200, 3), dtype=np.uint8))
    for kind in ("jpeg", "png", "gif", "bmp", "webp", "tiff", "ppm"):
        whole = saved(noisy, kind)
        for part in (whole[: len(whole) // 2], whole[:40], whole[:3], b""):
            with quiet(), pytest.raises(FddkitError) as error:
                decode(part, AS_IS)
            assert "\n" not in str(error.value)
            assert len(str(error.value)) < 200
    for name in ("missing.png", "a\0b.png", "x" * 5000):
        with pytest.raises(FddkitError, match=r"cannot read|not a valid"):
            decode(name, AS_IS)
    with pytest.raises(FddkitError, match="a folder"):
        decode(tmp_path, AS_IS)
    with pytest.raises(FddkitError, match="no image, whatever its name says"):
        decode(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", AS_IS)


def test_random_damage_is_an_image_or_a_sentence(draw):
    with quiet():
        for i in range(300):
            kind = ("jpeg", "png", "gif", "tiff", "webp", "bmp")[i % 6]
            data = bytearray(saved(picture(draw), kind))
            for place in draw.integers(0, len(data), 1 + i % 20):
                data[place] = draw.integers(256)
            try:
                assert decode(bytes(data), Frame(8, 8)).pixels.shape == (3, 8, 8)
            except FddkitError as error:
                assert "\n" not in str(error)  # noqa: PT017


def test_bombs_are_not_unpacked():
    head = saved(Image.new("1", (9, 9)), "png")
    size = (60_000).to_bytes(4, "big")
    chunk = b"IHDR" + size + size + head[24:29]
    bomb = head[:12] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + head[33:]
    with quiet(), pytest.raises(FddkitError, match="more than 80,000,000 pixels"):
        decode(bomb, AS_IS)
    with pytest.raises(FddkitError, match="more than"):
        decode(Image.new("1", (9001, 9001)), AS_IS)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (np.zeros((5, 5, 7), np.uint8), "is no image"),
        (np.zeros((0, 4), np.uint8), "is no image"),
        (np.full((4, 4), np.nan), "nan"),
        (np.full((4, 4), -1.0), "from -1 to -1"),
        (np.full((4, 4), 300), "from 300 to 300"),
        (np.array([["a"]]), "give numbers"),
        (17, "int is no image"),
        ({}, "NoneType is no image"),
    ],
)
def test_other_things_are_no_images(source, words):
    with pytest.raises(FddkitError, match=words):
        decode(source, AS_IS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((0, "crop", "RGB"), "size=0"),
        ((4096, "crop", "RGB"), "too large"),
        ((True, "crop", "RGB"), "no size"),
        (((3, 4, 5), "crop", "RGB"), "no size"),
        (("32", "crop", "RGB"), "no size"),
        ((32, "cropped", "RGB"), "did you mean 'crop'"),
        ((32, "crop", "grey"), "did you mean 'gray'"),
    ],
)
def test_frames_are_checked(given, words):
    with pytest.raises(FddkitError, match=words):
        Frame.of(*given)


def test_a_frame_may_be_no_square():
    assert Frame.of((16, 8), "pad", "RGB").shape == (3, 16, 8)
    assert decode(Image.new("L", (5, 5)), Frame.of((16, 8), "pad", "gray")).pixels.shape == (
        1,
        16,
        8,
    )


def test_a_jpeg_of_very_many_scans_is_refused(draw):
    data = saved(picture(draw), "jpeg", progressive=True)
    decode(data, AS_IS)
    last = data.rindex(b"\xff\xda")
    bomb = data[:last] + data[last:-2] * 250 + data[-2:]
    with quiet(), pytest.raises(FddkitError, match="more than 200 scans"):
        decode(bomb, AS_IS)


def test_an_icon_is_no_image(draw):
    with pytest.raises(FddkitError, match="it is no image"):
        decode(saved(picture(draw), "ico"), AS_IS)


@pytest.mark.parametrize(
    ("frame", "words"),
    [((8, "crop", ["RGB"]), "not a choice of channels"), ((8, ["crop"], "RGB"), "not a fit")],
)
def test_frames_that_are_none(frame, words):
    with pytest.raises(FddkitError, match=words):
        Frame.of(*frame)
