"""A folder of images of every kind, a table of them, and what is wrong with some rows."""

import csv
import io
import shutil
from pathlib import Path

import numpy as np
from PIL import Image

#: Reason of fddkit.data -> how many rows of one round of faults have it.
FAULTS = {
    "unreadable image": 8,
    "no file": 1,
    "contradicting labels": 2,
    "same file again": 1,
    "same image again": 1,
    "outside the folder": 1,
    "no image named": 1,
    "no age": 1,
    "no sex": 1,
    "bad label": 1,
    "outside the bins": 1,
    "wrong number of cells": 1,
}
ROUND = sum(FAULTS.values())


def picture(draw, side=(24, 20)):
    return Image.fromarray(draw.integers(0, 256, (*side, 3), dtype=np.uint8))


def saved(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(image):
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(image, "jpeg", exif=exif)


def sixteen(draw):
    return Image.fromarray(draw.integers(0, 65536, (24, 20), dtype=np.uint16))


def with_alpha(image, draw):
    image = image.convert("RGBA")
    image.putalpha(Image.fromarray(draw.integers(0, 256, (24, 20), dtype=np.uint8)))
    return image


KINDS = {
    "jpg": lambda image, draw: saved(image, "jpeg"),
    "gray.jpg": lambda image, draw: saved(image.convert("L"), "jpeg"),
    "cmyk.jpg": lambda image, draw: saved(image.convert("CMYK"), "jpeg"),
    "exif.jpeg": lambda image, draw: turned(image),
    "png": lambda image, draw: saved(image, "png"),
    "alpha.png": lambda image, draw: saved(with_alpha(image, draw), "png"),
    "la.png": lambda image, draw: saved(with_alpha(image, draw).convert("LA"), "png"),
    "palette.png": lambda image, draw: saved(image.quantize(32), "png", transparency=3),
    "bit.png": lambda image, draw: saved(image.convert("1"), "png"),
    "deep.png": lambda image, draw: saved(sixteen(draw), "png"),
    "deep.tif": lambda image, draw: saved(sixteen(draw), "tiff"),
    "float.tif": lambda image, draw: saved(
        Image.fromarray(draw.random((24, 20), dtype=np.float32)), "tiff"
    ),
    "gif": lambda image, draw: saved(
        image, "gif", save_all=True, append_images=[image.rotate(90), image.rotate(180)]
    ),
    "bmp": lambda image, draw: saved(image, "bmp"),
    "ppm": lambda image, draw: saved(image, "ppm"),
    "misnamed.jpg": lambda image, draw: saved(image, "png"),
}


def make(folder: Path, n: int, faulty: int, seed: int = 0):
    """Write n images, of which so many rows are faulty; return table, reason -> rows.

    Classes and groups are the columns age (numbers, for bins 0, 40, 80) and sex, race.
    """
    assert faulty % ROUND == 0
    draw = np.random.default_rng(seed)
    folder.mkdir(parents=True)
    rows, names = [], list(KINDS)
    for i in range(n - faulty):
        name = f"{i:05d}.{names[i % len(names)]}"
        (folder / name).write_bytes(KINDS[names[i % len(names)]](picture(draw), draw))
        rows.append([name, str(i % 80), "mf"[i // 2 % 2], "xyz"[i // 4 % 3]])
    for i in range(faulty // ROUND):
        rows += broken(folder, f"bad{i:03d}", draw, rows[2 * i : 2 * i + 2])
    order = draw.permutation(len(rows))
    table = folder.parent / "table.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "age", "sex", "race"])
        writer.writerows(rows[i] for i in order)
    return table, {reason: count * (faulty // ROUND) for reason, count in FAULTS.items()}


def broken(folder, stem, draw, good):
    """Return ROUND rows, each with its own fault, and write the files that they need."""
    jpeg, png = saved(picture(draw), "jpeg"), saved(picture(draw), "png")
    nan = Image.fromarray(np.full((9, 9), np.nan, dtype=np.float32))
    unreadable = {
        f"{stem}-cut.jpg": jpeg[: len(jpeg) // 2],
        f"{stem}-cut.png": png[: len(png) // 2],
        f"{stem}-text.jpg": b"not an image at all\n" * 20,
        f"{stem}-zip.png": b"PK\x03\x04" + bytes(100),
        f"{stem}-empty.gif": b"",
        f"{stem}-nan.tif": saved(nan, "tiff"),
        f"{stem}-noise.bmp": draw.bytes(200),
    }
    for name, data in unreadable.items():
        (folder / name).write_bytes(data)
    (folder / f"{stem}-folder.jpg").mkdir()
    rows = [[name, "1", "m", "x"] for name in (*unreadable, f"{stem}-folder.jpg")]
    rows.append([f"{stem}-missing.jpg", "1", "m", "x"])
    for name in ("one", "two", "three", "four", "five", "six", "seven"):
        (folder / f"{stem}-{name}.png").write_bytes(saved(picture(draw), "png"))
    shutil.copy(folder / f"{stem}-one.png", folder / f"{stem}-copy.png")
    rows += [[f"{stem}-one.png", "3", "m", "x"], [f"{stem}-copy.png", "3", "f", "x"]]
    file, copied = good
    rows.append(file)
    again = f"{stem}-again{Path(copied[0]).suffix}"
    shutil.copy(folder / copied[0], folder / again)
    rows.append([again, *copied[1:]])
    rows += [[f"../{stem}-two.png", "1", "m", "x"], ["", "1", "m", "x"]]
    rows += [[f"{stem}-two.png", "", "m", "x"], [f"{stem}-three.png", "1", "NA", "x"]]
    rows += [[f"{stem}-four.png", "young", "m", "x"], [f"{stem}-five.png", "99", "m", "x"]]
    rows.append([f"{stem}-six.png", "1", "m", "x", "y"])
    return rows
