"""A folder and a table: what is read, what is refused, and that nothing is lost silently."""

import csv
import io
import json
import random
from contextlib import nullcontext

import numpy as np
import pytest
from mixed_images import FAULTS, KINDS, ROUND, make, picture
from PIL import Image

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.reading.decoding import decode
from fddkit.reading.frame import Frame

BINS = [0, 40, 80]


def read(table, root=None, **options):
    options = {"size": 8, "cache": False, "progress": False, "bins": BINS} | options
    return fdd.from_table(table, "path", "age", ["sex", "race"], root, **options)


@pytest.fixture
def folder(tmp_path):
    """Return a folder with eight images 0.png to 7.png beside a good table."""
    draw = np.random.default_rng(0)
    for i in range(8):
        picture(draw, (8, 8)).save(tmp_path / f"{i}.png")
    write(tmp_path, ROWS)
    return tmp_path


ROWS = [["path", "age", "sex", "race"]]
ROWS += [[f"{i}.png", str(10 * i), "fm"[i % 2], "xy"[i // 4]] for i in range(8)]


def write(folder, rows, delimiter=",", encoding="utf-8", name="table.csv"):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows(rows)
    (folder / name).write_bytes(text.getvalue().encode(encoding))
    return folder / name


def with_row(*cells):
    return [*ROWS, list(cells)]


# ---- what is read


def test_a_good_table(folder):
    data = read(folder / "table.csv")
    assert data.target_names == ("0-40", "40-80")
    assert data.group_names == ("f & x", "f & y", "m & x", "m & y")
    assert data.target.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert data.group.tolist() == [0, 2, 0, 2, 1, 3, 1, 3]
    for i in range(8):
        pixels = decode(folder / f"{i}.png", Frame(8, 8)).pixels
        assert np.array_equal(data.images[i].numpy(), pixels)
    assert (data.name, data.info, data.paint) == ("table", {}, None)
    assert data.source["rows"] == data.source["kept"] == 8
    json.dumps(data.source, allow_nan=False)


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_delimiter_and_encoding(folder, delimiter, encoding):
    rows = [
        [cell.replace("f", "frü, it") if j == 2 else cell for j, cell in enumerate(row)]
        for row in ROWS
    ]
    said = pytest.warns(UserWarning, match="read as Windows-1252")
    with said if encoding == "cp1252" else nullcontext():
        data = read(write(folder, rows, delimiter, encoding))
    assert data.group_names[0] == "frü, it & x"
    assert data.fingerprint() == read(write(folder, rows)).fingerprint()


def test_frames_dicts_and_files_agree(folder):
    pandas = pytest.importorskip("pandas")
    wanted = read(folder / "table.csv").fingerprint()
    columns = {row[0]: list(row[1:]) for row in zip(*ROWS, strict=True)}
    frame = pandas.read_csv(folder / "table.csv")
    for table in (frame, columns, frame.set_index("age", drop=False), frame[frame.age >= 0]):
        data = read(table, folder)
        assert data.fingerprint() == wanted
        assert data.name == "table"


def test_numbers_as_labels_keep_their_order(folder):
    table = {
        "path": [f"{i}.png" for i in range(4)],
        "age": [10, 9, 9, 10.0],
        "sex": [True, False] * 2,
    }
    data = fdd.from_table(table, "path", "age", "sex", folder, 8, cache=False, progress=False)
    assert (data.target_names, data.group_names) == (("9", "10"), ("False", "True"))


def test_splits_share_their_names(folder):
    rows = [
        [*row, part]
        for row, part in zip(ROWS, ["part", *["train"] * 5, *["test"] * 3], strict=True)
    ]
    found = read(write(folder, rows), split="part")
    assert {name: len(data) for name, data in found.items()} == {"train": 5, "test": 3}
    assert found["train"].group_names == found["test"].group_names
    assert found["test"].counts().sum(1).tolist() == [0, 3]
    assert found["test"].source["split"] == "test"


def test_small_groups(folder):
    rows = [row for i, row in enumerate(ROWS) if i != 5]  # leaves 2, 1, 2, 2
    table = write(folder, rows)
    merged = read(table, smallest=2)
    assert merged.group_names == ("f & x", "m & x", "m & y", "other")
    assert merged.source["small"] == {"f & y": 1}
    assert merged.counts().sum(0).tolist() == [2, 2, 2, 1]
    dropped = read(table, smallest=2, small="drop")
    assert dropped.group_names == ("f & x", "m & x", "m & y")
    assert dropped.source["skipped"] == {"in a small group": 1}
    assert len(dropped) == 6
    with pytest.raises(FddkitError, match="have fewer than 2 images"):
        read(table, smallest=2, small="refuse")
    every = read(table, intersections="all")
    assert every.group_names == ("f & x", "f & y", "m & x", "m & y")
    with pytest.raises(FddkitError, match="holds no image"):
        read(table, smallest=100, small="drop")


def test_paths(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    (folder / "in").mkdir()
    (folder / "0.png").rename(folder / "in" / "0.png")
    for first in (str(folder / "in" / "0.png"), "in\\0.png", "./in/../in/0.png", " in/0.png "):
        rows = [ROWS[0], [first, *ROWS[1][1:]], *ROWS[2:]]
        assert len(read(write(folder, rows))) == 8
    absolute = [ROWS[0], *([str(folder / row[0]), *row[1:]] for row in ROWS[2:])]
    assert len(read(write(other, absolute))) == 7
    with pytest.raises(FddkitError, match="outside the folder"):
        read(write(other, absolute), other)
    assert len(read(write(other, ROWS[:1] + ROWS[2:]), folder)) == 7
    with pytest.raises(FddkitError, match="outside the folder"):
        read(write(other, [ROWS[0], [f"../{folder.name}/1.png", "1", "f", "x"]]))


# ---- the faults


def test_a_mixed_folder_with_faults_of_every_kind(tmp_path):
    n, faulty = 300, 2 * ROUND
    table, wanted = make(tmp_path / "images", n, faulty)
    with pytest.raises(FddkitError) as error:
        read(table, tmp_path / "images")
    said = str(error.value)
    assert said.startswith(f"{faulty} of {n} lines of {table} cannot be used")
    assert "\n" not in said
    assert said.count("line ") == 10 + said.count("as line ") + said.count(".png, line ")
    assert f"and {faulty - 10} more" in said
    data = read(table, tmp_path / "images", faulty="skip", cache=tmp_path / "cache")
    assert data.source["skipped"] == wanted == {k: 2 * v for k, v in FAULTS.items()}
    assert (data.source["rows"], data.source["kept"]) == (n, n - faulty)
    assert len(data) == n - faulty
    lines = list(csv.reader(table.read_text().splitlines()))
    for fault in data.source["faults"]:
        stem = lines[fault["line"] - 1][0].rpartition("/")[2]
        assert stem in fault["detail"] or fault["reason"].startswith(
            ("no ", "bad", "outside the bins", "wrong")
        )
    kept = [
        row
        for i, row in enumerate(lines[1:], 2)
        if i not in {f["line"] for f in data.source["faults"]}
    ]
    for row, image in zip(kept[:40], data.images, strict=False):
        pixels = decode(tmp_path / "images" / row[0], Frame(8, 8)).pixels
        assert np.array_equal(image.numpy(), pixels)
    assert data.source["notes"]["turned as its EXIF says"] >= 250 // len(KINDS)
    found = fdd.describe(data)
    assert (found.duplicates, found.contradicting) == (0, 0)
    assert found.skipped == wanted
    again = read(table, tmp_path / "images", faulty="skip", cache=tmp_path / "cache")
    assert again.fingerprint() == data.fingerprint()
    assert again.source == data.source


@pytest.mark.parametrize(
    ("row", "words"),
    [
        (("lost.png", "1", "f", "x"), r"no file \(lost.png\)"),
        (("table.csv", "1", "f", "x"), "unreadable image .*no image, whatever"),
        (("", "1", "f", "x"), "no image named"),
        (("a\0b", "1", "f", "x"), "binary data"),
        (("x" * 5000, "1", "f", "x"), "invalid file name"),
        (("x" * 300, "1", "f", "x"), "no file|unreadable"),
        (("../0.png", "1", "f", "x"), "outside the folder"),
        ((".", "1", "f", "x"), "outside the folder|unreadable"),
        (("0.png", "1", "f", "x"), "same file again: 1"),
        (("0.png", "70", "f", "x"), "contradicting labels: 2"),
        (("new.png", "", "f", "x"), "no age"),
        (("new.png", "1", "NA", "x"), "no sex"),
        (("new.png", "old", "f", "x"), "'old' is not a number"),
        (("new.png", "-1", "f", "x"), r"outside the bins \(age -1\)"),
        (("new.png", "1", "f" * 101, "x"), "too long for a name"),
        (("new.png", "1", "f"), r"wrong number of cells \(3, not 4\)"),
        (("new.png", "1", "f", "x", "y"), r"wrong number of cells \(5, not 4\)"),
    ],
)
def test_each_fault_is_named_with_its_line(folder, row, words):
    picture(np.random.default_rng(5), (8, 8)).save(folder / "new.png")
    table = write(folder, with_row(*row))
    with pytest.raises(FddkitError, match=words) as error:
        read(table)
    assert "\n" not in str(error.value)
    if "\0" not in row[0]:
        assert "line 10: " in str(error.value)
        data = read(table, faulty="skip")
        contradicted = "contradicting" in words
        assert (data.source["kept"], sum(data.source["skipped"].values())) == (
            8 - contradicted,
            1 + contradicted,
        )


def test_one_byte_that_is_not_utf8_among_others_is_refused(folder):
    rows = [row if i != 3 else [*row[:2], "fr\u00fc", row[3]] for i, row in enumerate(ROWS)]
    table = write(folder, rows)
    lines = table.read_bytes().split(b"\n")
    lines[5] = lines[5].replace(b"y", b"y\xfc")
    table.write_bytes(b"\n".join(lines))
    with pytest.raises(FddkitError, match=r"line 6 of .* is not UTF-8 although others are; save"):
        read(table)


class Mute:
    def __str__(self):
        raise RuntimeError("no text")


def test_cells_that_name_no_file_are_faults(folder):
    pandas = pytest.importorskip("pandas")
    columns = {row[0]: list(row[1:]) for row in zip(*ROWS, strict=True)}
    frame = pandas.DataFrame(columns).astype({"path": "string"})
    frame.loc[2, "path"] = pandas.NA
    with pytest.raises(FddkitError, match="row 2: no image named"):
        read(frame, folder)
    for bad in (np.zeros(3), np.array(3), ["1.png"], b"1.png", Mute()):
        columns["path"][2] = bad
        with pytest.raises(FddkitError, match="row 2: invalid file name"):
            read(columns, folder)
        assert len(read(columns, folder, faulty="skip")) == 7
    columns["path"][2], columns["sex"][2] = "2.png", Mute()
    with pytest.raises(FddkitError, match=r"row 2: bad label \(sex: Mute that has no text"):
        read(columns, folder)
    for bad in (5, "abc", None):
        with pytest.raises(FddkitError, match=r"the column 'path' is .*give a list"):
            read(columns | {"path": bad}, folder)


def test_equal_pixels_in_other_files_are_duplicates(folder):
    Image.open(folder / "3.png").save(folder / "again.bmp")
    table = write(folder, with_row("again.bmp", *ROWS[4][1:]))
    with pytest.raises(FddkitError, match=r"line 10: same image again \(again.bmp, line 5\)"):
        read(table)
    data = read(table, duplicates="keep")
    assert fdd.describe(data).duplicates == 1
    contradicting = write(folder, with_row("again.bmp", "70", "f", "x"))
    assert fdd.describe(read(contradicting, duplicates="keep")).contradicting == 2
    assert len(read(contradicting, faulty="skip")) == 7


def test_empty_rows_are_no_fault_but_counted(folder):
    (folder / "table.csv").write_text("\n\n" + (folder / "table.csv").read_text() + "\n,,,\n\n")
    data = read(folder / "table.csv")
    assert data.source["skipped"] == {"empty row": 3}
    assert (data.source["rows"], data.source["kept"]) == (11, 8)


def test_a_class_that_vanishes_is_said(folder):
    (folder / "7.png").write_bytes(b"")
    rows = [ROWS[0], *([row[0], "1", *row[2:]] for row in ROWS[1:8]), ["7.png", "79", "m", "y"]]
    data = read(write(folder, rows), faulty="skip")
    assert data.target_names == ("0-40",)
    assert data.source["vanished"] == ["40-80"]
    assert any("40-80" in warning for warning in fdd.describe(data).warnings)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"image": "file"}, "'file' is not a column of .*table.csv"),
        ({"target": "Age"}, "did you mean 'age'"),
        ({"group": "sexx"}, "did you mean 'sex'"),
        ({"group": []}, "names no column"),
        ({"group": 3}, "names no column"),
        ({"group": ["sex", None]}, "is not the name of a column"),
        ({"split": "part"}, "'part' is not a column"),
        ({"bins": {"sex": 0}}, "are no bins"),
        ({"bins": {"race": 2}}, "not a column with labels"),
        ({"bins": "4"}, "are no bins"),
        ({"smallest": 0}, "smallest=0"),
        ({"small": "delete"}, "'delete' is not a value of small"),
        ({"faulty": "ignore"}, "'ignore' is not a value of faulty"),
        ({"duplicates": "skip"}, "'skip' is not a value of duplicates"),
        ({"mean": "abc"}, "mean='abc'"),
        ({"mean": [0.5]}, "one number per channel"),
        ({"std": [0, 0, 0]}, "one number per channel"),
        ({"name": ""}, "is no name"),
        ({"workers": 0}, "workers=0"),
        ({"size": 0}, "size=0"),
        ({"root": 5}, "root=5 is no folder"),
        ({"cache": 5}, "cache=5 is no folder"),
        ({"channels": ["RGB"]}, "not a choice of channels"),
        ({"traits": 5}, "traits=5 are no Traits"),
        ({"mean": [10**400] * 3}, "is no list of numbers"),
    ],
)
def test_arguments_that_are_wrong_get_one_sentence(folder, options, words):
    given = {
        "image": "path",
        "target": "age",
        "group": "sex",
        "bins": BINS,
        "cache": False,
    } | options
    with pytest.raises(FddkitError, match=words) as error:
        fdd.from_table(folder / "table.csv", progress=False, **given)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (b"\xef\xbb\xbf\n \n", "is empty"),
        (b",,,\n,,", "no header"),
        (b"path,age,sex,race\n", "holds no image"),
        (b"path,age,sex,race,age\n0.png,1,f,x,2", "2 columns of .* are called 'age'"),
        (b'path,age,sex,race\n0.png,1,f,x\n1.png,1,"f,x\n', "line 3 of .*quotation mark"),
        (b"\x89PNG\r\n\x1a\n\0\0", "binary data"),
        (b"\xff\xfe\x00\xd8\x00\x00", "save it as UTF-8"),
        (b"path,age,sex,race\n0.png,1,f," + b"x" * 200_000, "quotation|larger"),
    ],
)
def test_files_that_are_no_table_get_one_sentence(folder, content, words):
    (folder / "table.csv").write_bytes(content)
    with pytest.raises(FddkitError, match=words) as error:
        read(folder / "table.csv")
    assert "\n" not in str(error.value)
    for none in (folder, folder / "lost.csv", 3, None, {"path": [1], "age": []}):
        with pytest.raises(FddkitError):
            read(none)


# ---- five hundred malformed tables and names

CELLS = [
    "",
    " ",
    "NA",
    "nan",
    "inf",
    "-5",
    "1e400",
    "40",
    "80",
    "39.999",
    "0.png",
    "1.png",
    "no.png",
]
CELLS += ["../0.png", "/etc/passwd", "/0.png", "table.csv", ".", "..", "~", "a" * 300, "\u202eabc"]
CELLS += [
    "e\u0301",
    "\u00e9",
    "\U0001f600",
    "=1+1",
    "'; --",
    "%s",
    "{0}",
    "\\",
    "C:\\0.png",
    "0.PNG",
]
CELLS += ["\x1b[31m", "a\tb", "a\rb", "a\nb", '"', '""', "None", "True", "male", "Male", "-", ","]


def mutated(draw):
    """Return the bytes of a table after a few random mistakes."""
    rows = [list(row) for row in ROWS]
    for _ in range(draw.randint(0, 6)):
        i, j = draw.randrange(len(rows)), draw.randrange(4)
        row = rows[i]
        kind = draw.randrange(8)
        if kind < 4 and j < len(row):
            row[j] = draw.choice(CELLS)
        elif kind == 4 and row:
            row.pop(draw.randrange(len(row)))
        elif kind == 5:
            row.insert(min(j, len(row)), draw.choice(CELLS))
        elif kind == 6:
            rows.insert(i, list(draw.choice(rows)))
        elif len(rows) > 1:
            rows.pop(i)
    text = io.StringIO()
    csv.writer(text, delimiter=draw.choice(",,,;\t|"), quoting=draw.choice([0, 0, 1])).writerows(
        rows
    )
    data = text.getvalue().encode(draw.choice(["utf-8"] * 4 + ["utf-8-sig", "utf-16", "utf-16-le"]))
    data = bytearray(data)
    if draw.random() < 0.3:
        for _ in range(draw.randint(1, 5)):
            place = draw.randrange(len(data) + 1)
            data[place : place + draw.randint(0, 2)] = draw.randbytes(draw.randint(0, 2))
    if draw.random() < 0.1:
        data = data[: draw.randrange(len(data) + 1)]
    return bytes(data)


@pytest.mark.filterwarnings("ignore:.* is not UTF-8, so")
@pytest.mark.parametrize("part", range(5))
def test_malformed_tables_lose_nothing_silently(folder, part):
    read_rows = refused = 0
    for seed in range(120 * part, 120 * (part + 1)):
        draw = random.Random(seed)
        (folder / "table.csv").write_bytes(mutated(draw))
        options = {
            "faulty": draw.choice(["skip", "skip", "refuse"]),
            "smallest": draw.choice([None, None, 2]),
            "small": draw.choice(["merge", "drop", "refuse"]),
            "bins": draw.choice([BINS, 2, None, {"age": 3}]),
            "duplicates": draw.choice(["fault", "keep"]),
            "intersections": draw.choice(["occurring", "all"]),
            "split": draw.choice([None, None, None, "race"]),
        }
        try:
            found = read(folder / "table.csv", **options)
        except FddkitError as error:
            said = str(error)
            assert said
            assert len(said.splitlines()) == 1, seed
            assert len(said) < 3000, seed
            refused += 1
            continue
        parts = list(found.values()) if isinstance(found, dict) else [found]
        source = parts[0].source
        assert sum(map(len, parts)) == source["kept"], seed
        assert source["rows"] == source["kept"] + sum(source["skipped"].values()), seed
        assert len(source["faults"]) == sum(source["skipped"].values()), seed
        assert len({fault["line"] for fault in source["faults"]}) == len(source["faults"]), seed
        for data in parts:
            assert int(data.target.min()) >= 0, seed
            assert int(data.target.max()) < data.n_classes, seed
            assert int(data.group.min()) >= 0, seed
            assert int(data.group.max()) < data.n_groups, seed
            assert str(fdd.describe(data))
            json.dumps([data.source, fdd.describe(data).to_dict()], allow_nan=False)
        read_rows += source["kept"]
    assert read_rows > 50
    assert refused > 5


def test_splits_are_named_before_any_image_is_decoded(folder):
    rows = [
        [*ROWS[0], "part"],
        *([*row, ("Train", "TEST")[i % 2]] for i, row in enumerate(ROWS[1:])),
    ]
    assert list(read(write(folder, rows), split="part")) == ["test", "train"]
    rows[1][-1] = "a/b"
    (folder / "3.png").write_bytes(b"no image")
    with pytest.raises(FddkitError, match="'a/b' in part is no name of a split; call them train"):
        read(write(folder, rows), split="part")
