"""The papers' real sets: small files in the layouts of their owners, with what is wrong in them."""

import json
import shutil
import warnings
from collections import Counter
from itertools import product

import numpy as np
import pytest
from PIL import Image

import fddkit as fdd
from fddkit.cli.program import main
from fddkit.core.errors import FddkitError
from fddkit.data import celeba, checking
from fddkit.data.catalogue import CATALOGUE
from fddkit.data.checking import check
from fddkit.data.loading import Originals, reload
from fddkit.data.obtaining import ORIGINS, how
from fddkit.data.owned import listing
from fddkit.experiments.run_hash import data_hash
from fddkit.reading import image_cache


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FDDKIT_CACHE", str(tmp_path / "cache"))


def photograph(path, shade, size=(18, 22)):
    """Write a small image of one shade, by which it is known again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade,) * 3).save(path)


def shades(data):
    """Return the shade of each image."""
    return data.images[:, 0].float().mean((1, 2)).round().int().tolist()


class Faces:
    """CelebA in small: every cell of Attractive, Male and Young, and all that is wrong in lists."""

    def __init__(self, root, each=(6, 3, 4)):
        self.folder, self.rows, self.splits = root / "celeba", [], {}
        number = 0
        for split, times in enumerate(each):
            for attractive, male, young in product((-1, 1), repeat=3):
                for _ in range(times + (2 if attractive == male else 0)):
                    number += 1
                    name = f"{number:06d}.jpg"
                    values = dict.fromkeys(celeba.ATTRIBUTES, -1)
                    values |= {"Attractive": attractive, "Male": male, "Young": young}
                    self.rows.append((name, values))
                    self.splits[name] = split
                    photograph(self.folder / "img_align_celeba" / name, 4 * number % 256)
        self.write()

    def write(self, end="\r\n", said=None, extra=(), order=celeba.ATTRIBUTES):
        lines = [str(len(self.rows) if said is None else said), " ".join(order) + " "]
        for name, values in self.rows:  # two spaces before a 1, as in the owners' file
            lines.append(f"{name} " + " ".join(f"{values[a]:2d}" for a in order))
        text = end.join([*lines, *extra]) + end
        (self.folder / "list_attr_celeba.txt").write_bytes(text.encode())
        text = "".join(f"{name} {split}{end}" for name, split in self.splits.items())
        (self.folder / "list_eval_partition.txt").write_bytes(text.encode())

    def counts(self, split, target, *groups):
        """Count as slowly and plainly as can be."""
        found = Counter()
        for name, values in self.rows:
            if self.splits.get(name) == split:
                a = 0
                for group in groups:
                    a = 2 * a + (values[group] == 1)
                found[int(values[target] == 1), a] += 1
        return [[found[y, a] for a in range(2 ** len(groups))] for y in range(2)]


@pytest.fixture
def faces(tmp_path):
    return Faces(tmp_path)


def test_celeba_is_read_as_its_owners_distribute_it(faces, tmp_path):
    train, test = fdd.load("celeba", root=tmp_path)
    assert train.counts().tolist() == faces.counts(0, "Attractive", "Male")
    assert train.target_names == ("not attractive", "attractive")
    assert train.group_names == ("female", "male")
    assert train.shape == (3, 64, 64)
    assert train.mean == celeba.MEAN
    assert train.paint is None
    smallest = min(map(min, faces.counts(2, "Attractive", "Male")))
    assert test.counts().tolist() == [[smallest] * 2] * 2  # as in FairDD's code
    values = {4 * int(name[:6]) % 256: v for name, v in faces.rows if faces.splits[name] == 0}
    for shade, y, a in zip(shades(train), train.target.tolist(), train.group.tolist(), strict=True):
        own = min(values, key=lambda other: abs(other - shade))
        assert abs(own - shade) <= 1
        assert (values[own]["Attractive"] == 1, values[own]["Male"] == 1) == (y, a)
    valid = CATALOGUE["celeba"].read(tmp_path).splits["valid"]
    assert valid.counts().tolist() == faces.counts(1, "Attractive", "Male")


def test_any_attributes_and_their_intersections(faces, tmp_path):
    train, test = fdd.load("celeba", root=tmp_path, target="Young", group=["Male", "Attractive"])
    assert train.counts().tolist() == faces.counts(0, "Young", "Male", "Attractive")
    assert train.group_names[1] == "female & attractive"
    assert test.counts().unique().numel() == 1
    assert train.info["group"] == "Male+Attractive"
    assert train.info["target"] == "Young"
    again, same = reload(json.loads(json.dumps(test.info)), tmp_path)
    assert again.fingerprint() == train.fingerprint()
    assert same.fingerprint() == test.fingerprint()


@pytest.mark.parametrize("name", [name for name in CATALOGUE if name.startswith("celeba-")])
def test_the_papers_pairs_have_their_names(name, faces, tmp_path):
    entry = CATALOGUE[name]
    for i, (_, values) in enumerate(faces.rows):  # so that no cell is empty
        wanted = [entry.given["target"], *entry.given["group"].split("+")]
        values |= {one: 1 if i // 2**k % 2 else -1 for k, one in enumerate(wanted)}
    faces.write()
    train, test = fdd.load(name, root=tmp_path)
    expected = faces.counts(0, *wanted)
    if name == "celeba-fair":
        expected = [[min(map(min, expected))] * 2] * 2
    assert train.counts().tolist() == expected
    assert train.name == name
    assert (train.target_names, train.group_names) == (entry.target_names, entry.group_names)
    assert "target" not in train.info  # the name says it
    assert len(test.counts().unique()) == 1


def test_a_balanced_training_set(faces, tmp_path):
    plain = fdd.load("celeba", root=tmp_path)[0]
    train = fdd.load("celeba", root=tmp_path, balanced=True, seed=3)[0]
    assert train.counts().tolist() == [[int(plain.counts().min())] * 2] * 2
    assert train.source["even"]["dropped"] == len(plain) - len(train)
    other = fdd.load("celeba", root=tmp_path, balanced=True, seed=4)[0]
    assert other.fingerprint() != train.fingerprint()


def test_a_balanced_training_set_is_made_of_what_was_read(faces, tmp_path):
    read = CATALOGUE["celeba"].read(tmp_path)
    options = CATALOGUE["celeba"].options
    assert read.at(options | {"balanced": True}).splits is read.at(options).splits


def test_what_is_wrong_in_celebas_lists_is_counted(faces, tmp_path):
    images = faces.folder / "img_align_celeba"
    (images / "000001.jpg").unlink()
    (images / "000002.jpg").write_bytes(b"no image")
    photograph(images / "999999.jpg", 9)
    (images / "Thumbs.db").write_bytes(b"x")
    (images / ".DS_Store").write_bytes(b"x")
    values = " ".join(["-1"] * 40)
    words = [f"{faces.rows[3][1][a]:2d}" for a in celeba.ATTRIBUTES]
    contrary = " ".join(str(-int(word)) for word in words)
    last = [name for name in faces.splits if faces.splits[name] == 2][-1]
    del faces.splits[last]  # the partition is shorter than the attributes
    faces.splits |= {"000777.jpg": 0}  # and has one that they lack
    for name in ("000800.jpg", "000801.jpg", "000802.jpg"):
        faces.splits[name] = 0
        photograph(images / name, 77)
    extra = [
        f"000003.jpg {' '.join(f'{faces.rows[2][1][a]:2d}' for a in celeba.ATTRIBUTES)}",  # again
        f"000004.jpg {contrary}",  # again, and contrary
        f"000800.jpg {values} -1",
        f"000801.jpg {values[3:]}",
        f"000802.jpg {values.replace('-1', '7')}",
        "",
    ]
    faces.write(said=len(faces.rows) + 9, extra=extra)
    with pytest.warns(UserWarning, match=r"2 of \d+ images of celeba are left out"):
        train, test = fdd.load("celeba", root=tmp_path)
    source = train.source
    assert source["skipped"] == {
        "no file": 1,
        "unreadable image": 1,
        "contradicting labels": 1,
        "wrong number of labels": 2,
        "bad label": 1,
        "no attributes": 1,
    }
    assert source["rows"] == source["kept"] + sum(source["skipped"].values())
    expected = np.array(faces.counts(0, "Attractive", "Male"))
    expected[0, 0] -= 3  # 000001, 000002 and 000004
    assert train.counts().tolist() == expected.tolist()
    lists = test.source["lists"]
    assert lists["rows_said"] == len(faces.rows) + 9
    assert lists["rows"] == len(faces.rows) + 3
    assert lists["in_no_split"] == {"count": 1, "first": [last]}
    assert lists["images_in_no_list"] == {"count": 1, "first": ["999999.jpg"]}
    assert lists["other_files"]["count"] == 2


def test_other_layouts_of_celeba(faces, tmp_path):
    expected = fdd.load("celeba", root=tmp_path)[0].fingerprint()
    for folder, name in (
        ("Anno", "list_attr_celeba.txt"),
        ("Eval", "list_eval_partition.txt"),
        ("Img", "img_align_celeba"),
    ):
        (faces.folder / folder).mkdir()
        shutil.move(faces.folder / name, faces.folder / folder / name)
    assert fdd.load("celeba", root=tmp_path)[0].fingerprint() == expected
    deeper = faces.folder / "img_align_celeba" / "img_align_celeba"  # a zip unpacked by hand
    deeper.parent.mkdir()
    shutil.move(faces.folder / "Img" / "img_align_celeba", deeper)
    assert fdd.load("celeba", root=tmp_path)[0].fingerprint() == expected


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"target": "Smilin"}, "did you mean 'Smiling'"),
        ({"group": "Male+Attractive"}, "twice"),
        ({"group": []}, "'' is not a CelebA attribute"),
        ({"target": 3}, "wrong type"),
        ({"size": 0}, "size=0"),
        ({"balanced": "yes"}, "wrong type"),
        ({"colour": 1}, "'colour' is not a option of celeba"),
        ({"per_cell": 3}, "has a test split of its own"),
        ({"gap": 1}, "groups of celeba are real"),
        ({"sha256": "0" * 64}, "is not the data that this is about"),
        ({"target": "Smiling"}, "has no image of smiling, female"),
    ],
)
def test_impossible_choices_are_one_sentence(options, said, faces, tmp_path):
    with pytest.raises(FddkitError, match=said) as found:
        fdd.load("celeba", root=tmp_path, **options)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no column Attractive"),
        (b"\xff\xfe\x00", "is not text"),
        (b"3\nA B C\n000001.jpg 1 1 1\n", "has no column Attractive"),
        ((" ".join(celeba.ATTRIBUTES) + "\n").encode(), "nothing would be left"),
    ],
)
def test_a_list_that_is_none(content, said, faces, tmp_path):
    (faces.folder / "list_attr_celeba.txt").write_bytes(content)
    with pytest.raises(FddkitError, match=said):
        fdd.load("celeba", root=tmp_path)


def test_second_load_decodes_nothing(faces, tmp_path, monkeypatch):
    first = fdd.load("celeba", root=tmp_path)[0]
    monkeypatch.setattr(image_cache, "_complete", None)  # whatever makes pixels would fail
    for options in ({}, {"target": "Young"}):  # other labels, the same pixels
        again = fdd.load("celeba", root=tmp_path, **options)[0]
        assert (again.images == first.images).all()


def utkface(root, names):
    for i, name in enumerate(names):
        path = root / "UTKFace" / name
        if name.endswith(".jpg"):
            photograph(path, i % 250, (20, 20))
        else:
            path.write_bytes(b"x")


AGES, RACES = (1, 19, 20, 39, 40, 116), range(5)
WELL = [
    f"{age}_{gender}_{race}_2017011617452{i}{age:03d}.jpg.chip.jpg"
    for age, gender, race, i in product(AGES, range(2), RACES, range(2))
]
WILD = [
    "39_1_20170116174525125.jpg.chip.jpg",  # the three without a race
    "61_1_20170109142408075.jpg.chip.jpg",
    "61_1_20170109150557335.jpg.chip.jpg",
    "53__0_20170116184028385.jpg",  # of the uncropped ones: no gender
    "24_0_1_20170116220224657 .jpg.chip.jpg",  # a space, no dot, a lost letter: labels are there
    "55_0_0_20170116232725357jpg.chip.jpg",
    "44_1_4_20170116235150272.pg.chip.jpg",
    "24_0_1_20170116220224657 (1).jpg",
    "117_0_0_20170116220224657.jpg.chip.jpg",
    "x_0_0_20170116220224657.jpg.chip.jpg",
    "Thumbs.db",
]


def test_utkface_with_the_names_that_it_has(tmp_path):
    copied = WELL[0].replace(".jpg.chip", " (1).jpg.chip")
    utkface(tmp_path, [*WELL, *WILD, copied])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)  # nothing is lost that should be there
        train, test = fdd.load("utkface-age-race", root=tmp_path, per_cell=2)
    both = train.counts() + test.counts()
    expected = np.full((3, 4), 8)  # two ages of each bin, two genders, two images
    expected[1, 1] += 2  # age 24, Black: the space; (1) with no original is an image of its own
    expected[2, 0] += 1  # age 55, White: no dot
    assert both.tolist() == expected.tolist()
    assert test.counts().tolist() == [[2] * 4] * 3
    assert train.target_names == ("0-19", "20-39", "40-116")
    assert train.group_names[2] == "Asian"
    skipped = train.source["skipped"]
    assert skipped == {
        "race others": 25,
        "not all labels in its name": 3,
        "bad label": 3,
        "a copy": 1,
    }
    assert train.source["other_files"] == {"count": 1, "first": ["Thumbs.db"]}
    assert train.source["rows"] == len(WELL) + len(WILD)


def test_utkfaces_other_choices(tmp_path):
    utkface(tmp_path, WELL)
    train, test = fdd.load("utkface-age-gender", root=tmp_path, per_cell=2)
    assert (train.counts() + test.counts()).tolist() == [[16, 16]] * 3  # without others
    options = {"group": "gender+race", "others": True, "bins": [0, 40, 117], "per_cell": 1}
    train, test = fdd.load("utkface", root=tmp_path, **options)
    assert train.n_groups == 10
    assert train.group_names[9] == "female & others"
    assert (train.counts() + test.counts()).tolist() == [[8] * 10, [4] * 10]
    again = reload(json.loads(json.dumps(train.info)), tmp_path)[0]
    assert again.fingerprint() == train.fingerprint()
    train, _ = fdd.load("utkface", root=tmp_path, target="gender", bins=[20, 40], per_cell=1)
    assert train.source["skipped"] == {"race others": 24, "outside the bins": 64}
    for wrong in ({"bins": [3]}, {"bins": [3, 3]}, {"target": "race"}, {"group": "hair"}):
        with pytest.raises(FddkitError):
            fdd.load("utkface", root=tmp_path, **wrong)


def test_the_test_set_of_utkface_has_a_hundred_of_each_by_default(tmp_path):
    utkface(tmp_path, WELL)
    with pytest.warns(UserWarning, match="fewer than 100 images"):
        train, test = fdd.load("utkface", root=tmp_path)
    assert train.info["per_cell"] == 100
    assert test.counts().tolist() == [[4] * 4] * 3


def bffhq(root, aligned=9, conflict=2, tested=3):
    for y, a in product(range(2), repeat=2):
        kind, n = ("align", aligned) if y == a else ("conflict", conflict)
        for i in range(n):
            photograph(root / f"bffhq/0.5pct/{kind}/{y}/{i}_{y}_{a}.png", 10 * i, (16, 16))
        for i in range(tested):
            photograph(root / f"bffhq/valid/{i}_{y}_{a}.png", 10 * i + 1, (16, 16))
            photograph(root / f"bffhq/test/{i}_{y}_{a}.png", 10 * i + 2, (16, 16))


def test_bffhq_is_read_as_its_owners_distribute_it(tmp_path):
    bffhq(tmp_path)
    folder = tmp_path / "bffhq"
    (folder / "test/Thumbs.db").write_bytes(b"x")
    for name in ("nolabels.png", "3_2_0.png"):
        photograph(folder / "test" / name, 1)
    photograph(folder / "0.5pct/align/1/70_1_0.png", 1)  # lies among the aligned ones
    train, test = fdd.load("bffhq-age-gender", root=tmp_path)
    assert train.counts().tolist() == [[9, 2], [3, 9]]
    assert test.counts().tolist() == [[3, 3]] * 2
    assert (train.target_names, train.group_names) == (("young", "old"), ("female", "male"))
    assert train.source["misplaced"] == {"count": 1, "first": ["align/1/70_1_0.png"]}
    assert test.source["skipped"] == {"not all labels in its name": 1, "bad label": 1}
    assert test.source["other_files"]["count"] == 1
    assert set(shades(train)) <= {*range(0, 90, 10), 1}
    assert set(shades(test)) <= {2, 12, 22}
    assert len(CATALOGUE["bffhq-age-gender"].read(tmp_path).splits["valid"]) == 12
    thin, _ = fdd.load("bffhq-age-gender", br=0.9, root=tmp_path)
    assert thin.counts().tolist() == [[9, 1], [1, 9]]


@pytest.mark.parametrize("name", ["celeba", "celeba-fair", "utkface", "bffhq-age-gender"])
def test_a_missing_set_says_how(name, tmp_path):
    for work in (
        lambda: fdd.load(name, root=tmp_path),
        lambda: CATALOGUE[name].read(tmp_path).splits,
        lambda: list(check(CATALOGUE[name], tmp_path)),
    ):
        with pytest.raises(FddkitError, match=f"fddkit datasets --how {name}") as found:
            work()
        assert "\n" not in str(found.value)
    assert not CATALOGUE[name].on_disk(tmp_path)
    with pytest.raises(FddkitError, match="owners only"):
        CATALOGUE[name].source.download(tmp_path)


def test_how_is_known_of_every_set(capsys, tmp_path):
    for name, entry in CATALOGUE.items():
        assert main(["datasets", "--how", name, "--root", str(tmp_path)]) == 0
        said = capsys.readouterr().out
        assert name in said
        if entry.source:
            assert ORIGINS[entry.needs].licence in said
            assert "missing" in said
    assert "target=Attractive" in how(CATALOGUE["celeba"])


def test_check_compares_with_what_is_published(faces, tmp_path, capsys):
    assert main(["datasets", "--check", "celeba", "--root", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    cells = faces.counts(0, "Attractive", "Male")
    train = sum(map(sum, cells))
    assert f"WRONG  usable images of train: {train}, not 162,770" in said
    assert "md5 of list_attr_celeba.txt" in said
    assert f"train, attractive | male: {cells[1][1]}" in said


def test_a_check_without_anything_to_check(tmp_path, capsys):
    assert main(["datasets", "--check", "--root", str(tmp_path)]) == 2
    assert "no data set is in" in capsys.readouterr().err


def test_a_check_that_agrees(tmp_path, monkeypatch, capsys):
    bffhq(tmp_path)
    sizes = {"train": 22, "valid": 12, "test": 12}
    for split, n in sizes.items():
        monkeypatch.setitem(CATALOGUE["bffhq-age-gender"].source.counts, split, n)
    monkeypatch.setitem(checking._SEEN, "bffhq-age-gender", ((22, 12), "us"))
    assert main(["datasets", "--check", "--root", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "as published" in said
    assert "WRONG" not in said
    assert "cmnist" not in said


def test_options_on_the_command_line(faces, tmp_path, capsys):
    out = tmp_path / "s.safetensors"
    words = ["distill", "--dataset", "celeba", "--root", str(tmp_path), "--ipc", "1"]
    words += ["--option", "target=Young", "--option", "group=Male+Attractive", "--option"]
    words += ["size=16", "--method", "random", "--preset", "smoke", "--out", str(out)]
    assert main(words) == 0
    info = fdd.DistilledSet.load(out).config["dataset"]
    assert info["target"] == "Young"
    assert info["group"] == "Male+Attractive"
    assert info["size"] == 16
    train = reload(info, tmp_path)[0]
    assert train.counts().tolist() == faces.counts(0, "Young", "Male", "Attractive")
    capsys.readouterr()
    assert main([*words[:7], "--option", "colour=3", "--out", str(out)]) == 2
    assert "is not a option of celeba" in capsys.readouterr().err


def test_what_a_run_is_includes_the_images(faces, tmp_path):
    values = {"dataset": "celeba", "root": str(tmp_path)}
    before = data_hash(values, tmp_path)
    assert before == data_hash(values, tmp_path)
    photograph(faces.folder / "img_align_celeba" / "000001.jpg", 3, (40, 40))
    after = data_hash(values, tmp_path)
    assert after != before
    faces.rows[0][1]["Bald"] = 1
    faces.write()
    assert data_hash(values, tmp_path) != after


def test_the_explorer_sees_it_at_any_bias(faces, tmp_path):
    canvas = Originals("celeba", 0, tmp_path).canvas()
    assert canvas.at(None).fingerprint() == fdd.load("celeba", root=tmp_path)[0].fingerprint()
    thin = fdd.load("celeba", br=0.9, root=tmp_path)[0]
    assert canvas.at(0.9).counts().tolist() == thin.counts().tolist() == canvas.counts(0.9).tolist()
    assert canvas.info | {"br": 0.9} == thin.info


def test_a_listing_is_in_order_and_knows_images(tmp_path):
    for name in ("b/2.JPG", "b/10.png", "a.jpeg", "._a.jpg", "note.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"12")
    found = listing(tmp_path)
    assert found.sizes == {"a.jpeg": 2, "b/10.png": 2, "b/2.JPG": 2}
    assert found.others == ("._a.jpg", "note.txt")
    (tmp_path / "a.jpeg").write_bytes(b"1")
    assert listing(tmp_path).sha256 != found.sha256
