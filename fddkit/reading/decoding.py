"""One image of any kind (a file, a PIL image, an array) as uint8 pixels of a given size.

Pillow decodes; what it would rather not be asked to decode (files far larger than any photograph,
formats that run programs) is refused before it is. Processes that decode import this module, so it
must not import torch.
"""

import errno
import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip, read_bytes
from .faults import Transient
from .frame import Frame

if TYPE_CHECKING:
    from PIL.Image import Image

LARGEST_FILE = 256 * 2**20  # bytes
MOST_PIXELS = 80_000_000  # of one image; Pillow itself warns from 89 million
MOST_SCANS = 200  # of a JPEG, each of which takes as long as the whole image; usual are ten
# EPS, which starts a program, is not among them, nor ICO, which holds images of any size inside;
# a JPEG may be an MPO
_FORMATS = ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM", "AVIF", "JPEG2000"]
_FORMATS += ["DIB", "TGA", "PCX", "SGI"]
_NAMES = {"jpg": "JPEG", "jpeg": "JPEG", "png": "PNG", "gif": "GIF", "bmp": "BMP", "webp": "WEBP"}
_ORIENTATION = 0x0112  # the EXIF tag, and what undoes each of its values
_TURNS = {2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE"}
_TURNS |= {6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90"}
# of a file, and there until it changes; other errors of the system may pass
_LASTING = {errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP, errno.ENAMETOOLONG}
_GAP = 3.0  # how much larger than wanted a cheap reduction leaves an image: no visible loss

ALPHA = "transparent: put on white"
FRAMES = "several frames: the first is taken"
DEEP = "more than 8 bits: scaled to 8"
MISNAMED = "another format than its name says: read as what it is"
TURNED = "turned as its EXIF says"


class Decoded(NamedTuple):
    """One image, and what was done to it.

    Attributes
    ----------
    pixels : ndarray
        uint8 [C, H, W].
    notes : tuple of str
        What a user may want to know, see the constants of this module.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]


def pillow() -> Any:
    """Return the module ``PIL.Image``, or say how to install it."""
    try:
        from PIL import Image
    except ImportError as error:
        raise FddkitError(
            f"reading images needs Pillow, which cannot be imported ({error}); "
            "run `pip install pillow`"
        ) from error
    return Image


@cache
def _formats() -> list[str]:
    """Return those formats that this Pillow reads."""
    image_class = pillow()
    image_class.init()
    return [name for name in _FORMATS if name in image_class.OPEN]


@contextmanager
def quiet() -> Iterator[None]:
    """Ignore Pillow's warnings, in all threads: what matters raises an error or is a note."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def decode(source: Any, frame: Frame) -> Decoded:
    """Return one image at the size of a frame.

    Parameters
    ----------
    source : path-like, bytes, PIL image, array, Tensor or dict
        A file or its content; pixels [H, W], [H, W, C] or [C, H, W] as whole numbers from 0 to 255
        (16 bit: 65535) or floats from 0 to 1; a dict with ``"bytes"`` or ``"path"``, as the library
        ``datasets`` has them.
    frame : Frame
        What to make of it.

    Returns
    -------
    Decoded
        Turned as EXIF says; what is transparent is put on white; of several frames the first.

    Raises
    ------
    FddkitError
        If it is missing, truncated, no image, or too large: one sentence, beginning with the cause.
    Transient
        If it is the machine that cannot read it now.
    """
    image_class = pillow()
    try:
        if isinstance(source, dict):
            source = source.get("bytes") or source.get("path")
        if isinstance(source, str | os.PathLike | bytes):
            return _from_file(source, frame, image_class)
        if isinstance(source, image_class.Image):
            return _finish(source.copy(), frame, [])
        if isinstance(source, np.ndarray) or _is_tensor(source):
            return _finish(_from_array(source, image_class), frame, [])
    except FddkitError as error:
        if _may_pass(error.__cause__):
            raise Transient(str(error)) from error
        raise
    except MemoryError as error:
        raise Transient("there is not enough memory for it; free some") from error
    except Exception as error:  # a parser may raise anything on corrupt bytes
        kind = Transient if _may_pass(error) else FddkitError
        raise kind(_reason(error)) from error
    raise FddkitError(f"{type(source).__name__} is no image; give a file, a PIL image or an array")


def _may_pass(error: BaseException | None) -> bool:
    """Return whether an error is of the machine and not of the file."""
    if isinstance(error, OSError) and error.errno is not None:  # Pillow's own have no number
        return error.errno not in _LASTING
    return isinstance(error, MemoryError) or "out of memory" in str(error)


def _reason(error: Exception) -> str:
    """Return what is wrong with a file in words of ours."""
    text = clip(error) or type(error).__name__
    if _may_pass(error):
        return f"it cannot be read now ({text}); try again"
    if "cannot identify" in text:
        return "it is no image, whatever its name says; give a file of pixels"
    if "truncated" in text.lower() or "unexpected end" in text or "broken data stream" in text:
        return "it is truncated or damaged; copy it again"
    if "bomb" in type(error).__name__.lower() or "pixels) exceeds" in text:
        return f"it has more than {MOST_PIXELS:,} pixels; make it smaller"
    return f"it is damaged ({text}); copy it again"


def _from_file(source: str | os.PathLike | bytes, frame: Frame, image_class: Any) -> Decoded:
    data = source if isinstance(source, bytes) else read_bytes(source, LARGEST_FILE)
    if not data:
        raise FddkitError("it is empty; copy it again")
    notes = []
    with image_class.open(io.BytesIO(data), formats=_formats()) as image:
        if image.width * image.height > MOST_PIXELS:
            raise FddkitError(f"it has more than {MOST_PIXELS:,} pixels; make it smaller")
        kind = image.format
        if not isinstance(source, bytes):
            ending = os.fspath(source).rpartition(".")[2].lower()
            if _NAMES.get(ending, kind) != kind and kind != "MPO":
                notes.append(MISNAMED)
        if kind in ("JPEG", "MPO") and data.count(b"\xff\xda") > MOST_SCANS:
            raise FddkitError(f"it has more than {MOST_SCANS} scans; save it anew")
        if kind == "JPEG":
            least = round(_GAP * max(frame.height, frame.width))  # also if it is to be turned
            image.draft("L" if frame.channels == "gray" else "RGB", (least, least))
        elif kind != "MPO" and getattr(image, "n_frames", 1) > 1:
            notes.append(FRAMES)
        if kind == "TIFF" and _orientation(image) in _TURNS:
            notes.append(TURNED)  # by Pillow, when it loads
        image.load()
        return _finish(image, frame, notes)


def _finish(image: "Image", frame: Frame, notes: list[str]) -> Decoded:
    """Turn, flatten, and fit a loaded image."""
    if image.width * image.height > MOST_PIXELS:
        raise FddkitError(f"it has more than {MOST_PIXELS:,} pixels; make it smaller")
    if not image.width * image.height:
        raise FddkitError(f"it is {image.width} x {image.height} pixels; give one that has some")
    turn = _TURNS.get(_orientation(image))
    if turn is not None:
        image = image.transpose(pillow().Transpose[turn])
        notes.append(TURNED)
    image = _plain(image, "L" if frame.channels == "gray" else "RGB", notes)
    pixels = np.asarray(_fitted(image, frame))
    pixels = pixels[None] if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
    return Decoded(pixels, tuple(notes))


def _orientation(image: "Image") -> Any:
    """Return the EXIF orientation; None where there is none, or none that can be read."""
    if not {"exif", "Raw profile type exif"} & image.info.keys() and image.format != "TIFF":
        return None  # asking would take longer than decoding a small image
    with suppress(Exception):  # a parser may raise anything; the pixels are sound
        return image.getexif().get(_ORIENTATION)
    return None


def _plain(image: "Image", mode: str, notes: list[str]) -> "Image":
    """Return an image of any mode with 8 bits, without transparency, gray or in colour."""
    if image.mode in ("I", "F") or image.mode.startswith("I;"):
        notes.append(DEEP)
        image = pillow().fromarray(_eight_bits(np.asarray(image), deep=image.mode != "F"))
    if image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
        if image.getextrema()[3][0] < 255:
            notes.append(ALPHA)
            white = pillow().new("RGBA", image.size, "white")
            image = pillow().alpha_composite(white, image)
        image = image.convert("RGB")
    return image if image.mode == mode else image.convert("RGB").convert(mode)


def _eight_bits(values: np.ndarray, deep: bool) -> np.ndarray:
    """Return numbers of another type as uint8.

    Whole numbers of more than 8 bits (``deep``) are taken for 16; floats are from 0 to 1, or to
    255.
    """
    if values.dtype == np.uint8:
        return values
    if values.dtype == bool:
        return values.astype(np.uint8) * 255
    if values.dtype.kind not in "iuf":
        raise FddkitError(f"its values are {values.dtype}; give numbers")
    low, high = float(values.min()), float(values.max())  # NaN if there is one
    limit = 65535 if deep else 1 if values.dtype.kind == "f" and high <= 1 else 255
    if not 0 <= low <= high <= limit:
        raise FddkitError(
            f"its values go from {low:g} to {high:g}; give pixels from 0 to 255 (16 bit: 65535), "
            "or floats from 0 to 1"
        )
    return np.rint(values.astype(np.float64) * (255 / limit)).astype(np.uint8)


def _is_tensor(source: Any) -> bool:
    return hasattr(source, "detach")


def _from_array(source: Any, image_class: Any) -> "Image":
    channels_first = _is_tensor(source)
    values = np.asarray(source.detach().cpu() if channels_first else source)
    if values.ndim == 3:
        first, last = values.shape[0] in (1, 3, 4), values.shape[2] in (1, 3, 4)
        if first and (channels_first or not last):
            values = values.transpose(1, 2, 0)
        values = values[:, :, 0] if values.shape[2] == 1 else values
    if values.ndim not in (2, 3) or values.shape[2:] not in ((), (3,), (4,)) or not values.size:
        raise FddkitError(
            f"an array of shape {list(values.shape)} is no image; give [H, W], [H, W, C] or "
            "[C, H, W] with 1, 3 or 4 channels"
        )
    values = _eight_bits(values, deep=values.dtype == np.uint16)
    return image_class.fromarray(np.ascontiguousarray(values))


def _fitted(image: "Image", frame: Frame) -> "Image":
    """Return an image at the size of the frame, antialiased; at that size already, as it is."""
    (width, height), wanted = image.size, (frame.width, frame.height)
    if image.size == wanted:
        return image
    how = {"resample": pillow().Resampling.BICUBIC, "reducing_gap": _GAP}
    if frame.fit == "crop":
        scale = min(width / frame.width, height / frame.height)
        left, top = (width - scale * frame.width) / 2, (height - scale * frame.height) / 2
        left, top = max(left, 0), max(top, 0)
        return image.resize(wanted, box=(left, top, width - left, height - top), **how)
    if frame.fit == "stretch":
        return image.resize(wanted, **how)
    scale = min(frame.width / width, frame.height / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    padded = pillow().new(image.mode, wanted)
    corner = (frame.width - inner[0]) // 2, (frame.height - inner[1]) // 2
    padded.paste(image.resize(inner, **how), corner)
    return padded
