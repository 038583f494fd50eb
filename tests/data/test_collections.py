"""torch data sets, and stand-ins for those of the library datasets."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

import fddkit as fdd
from fddkit.core.errors import FddkitError

N = 12


def pictures():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (8, 8, 3), dtype=np.uint8)) for _ in range(N)]


def pixels(image):
    return np.asarray(image).transpose(2, 0, 1)


class Plain(torch.utils.data.Dataset):
    """Items are (image, target) and a third thing; one cannot be read."""

    def __init__(self, make=lambda image: image, broken=()):
        self.images, self.make, self.broken = pictures(), make, broken

    def __len__(self):
        return N

    def __getitem__(self, i):
        if i in self.broken:
            raise OSError(f"no\nimage {i}")
        return self.make(self.images[i]), torch.tensor(i % 3), "more"


def read(dataset, group, **options):
    return fdd.from_torch(dataset, group, size=8, progress=False, **options)


@pytest.mark.parametrize(
    "make",
    [
        lambda image: image,
        np.asarray,
        lambda image: torch.tensor(pixels(image)),
        lambda image: torch.tensor(pixels(image)).float() / 255,
    ],
)
def test_images_of_every_kind(make):
    data = read(Plain(make), [i % 2 for i in range(N)])
    assert np.array_equal(data.images.numpy(), np.stack(list(map(pixels, pictures()))))
    assert data.target.tolist() == [i % 3 for i in range(N)]
    assert data.group.tolist() == [i % 2 for i in range(N)]
    assert (data.name, data.target_names, data.group_names) == (
        "Plain",
        ("0", "1", "2"),
        ("0", "1"),
    )
    assert (data.source["rows"], data.source["kept"], data.paint) == (N, N, None)


def test_groups_of_every_kind():
    numbers = [i % 2 for i in range(N)]
    names = ["fm"[i] for i in numbers]
    wanted = read(Plain(), names)
    assert wanted.group_names == ("f", "m")
    for group in (np.array(names), tuple(names), lambda i, image, target: "fm"[i % 2]):
        assert read(Plain(), group).fingerprint() == wanted.fingerprint()
    for group in (
        torch.tensor(numbers),
        np.array(numbers),
        lambda i, image, target: np.int64(i % 2),
    ):
        given = read(Plain(), group, group_names=["f", "m"])
        assert given.fingerprint() == wanted.fingerprint()
    both = read(Plain(), {"sex": names, "race": ["xyz"[i // 4] for i in range(N)]})
    assert both.group_names[:2] == ("f & x", "f & y")
    by_image = read(Plain(), lambda i, image, target: int(np.asarray(image).mean() > 127))
    assert by_image.group.tolist() == [int(pixels(p).mean() > 127) for p in pictures()]


def test_class_names_are_the_datasets():
    named = Plain()
    named.classes = ["cat", "dog", "emu", "none of these"]
    data = read(named, [0, 1] * 6)
    assert data.target_names == tuple(named.classes)
    assert read(named, [0, 1] * 6, target_names="abc").target_names == ("a", "b", "c")
    named.classes = ["too", "few"]
    assert read(named, [0, 1] * 6).target_names == ("0", "1", "2")
    assert read(Plain(), [0, 1] * 6, bins=[0, 1, 2]).target_names == ("0-1", "1-2")


def test_items_that_cannot_be_read_are_named():
    with pytest.raises(
        FddkitError, match=r"2 of 12 images .*image 4: unreadable image \(no image 4"
    ):
        read(Plain(broken=(4, 7)), [0, 1] * 6)
    data = read(Plain(broken=(4, 7)), lambda i, image, target: i % 2, faulty="skip")
    assert (len(data), data.source["skipped"]) == (10, {"unreadable image": 2})
    normalised = Plain(lambda image: torch.tensor(pixels(image)).float() / 128 - 1)
    with pytest.raises(FddkitError, match="its values go from -"):
        read(normalised, [0, 1] * 6)
    with pytest.raises(FddkitError, match=r"no group: 1\).*image 3: no group"):
        read(Plain(), [0, 1, 0, None] + [0, 1] * 4)
    with pytest.raises(FddkitError, match="5 is none of the 2 numbers of the names"):
        read(Plain(), [5, 1] * 6, group_names=["a", "b"])


class Endless(torch.utils.data.IterableDataset):
    def __iter__(self):
        raise AssertionError("nobody asks for all of it")


class Huge:
    def __len__(self):
        return 10**13

    def __getitem__(self, i):
        raise AssertionError("nobody reads so many")


@pytest.mark.parametrize(
    ("dataset", "group", "options", "words"),
    [
        (Endless(), [0], {}, "has no length"),
        ([], [], {}, "holds no image"),
        (pictures(), [0] * N, {}, "item 0 of the data set is Image, not"),
        (Plain(), [0, 1], {}, "group has 2 values for 12 images"),
        (Plain(), "sex", {}, "is no list of groups"),
        (Plain(), 3, {}, "is no list of groups"),
        (Plain(), {}, {}, "group is empty"),
        (Plain(), lambda i: i, {}, r"fails for image 0 \(TypeError"),
        (Plain(), [0, 1] * 6, {"smalest": 3}, "did you mean 'smallest'"),
        (Plain(), [0, 1] * 6, {"name": " "}, "is no name"),
        (Plain(), np.array(3), {}, "is no list of groups"),
        (Plain(), torch.tensor(3), {}, "is no list of groups"),
        (Plain(), [0, 1] * 6, {"target_names": 5}, "target_names are no list of names"),
        (Plain(), [0, 1] * 6, {"target_names": ["a", "a"]}, "target_names hold a name twice"),
        (Plain(), [0, 1] * 6, {"group_names": ["a", "a"]}, "group_names hold a name twice"),
        (Plain(), [0, 1] * 6, {"traits": 5}, "traits=5 are no Traits"),
        (Huge(), lambda i, image, target: 0, {}, "10,000,000,000,000 images do not fit into"),
    ],
)
def test_mistakes_get_one_sentence(dataset, group, options, words):
    with pytest.raises(FddkitError, match=words) as error:
        read(dataset, group, **options)
    assert "\n" not in str(error.value)


class ClassLabel:
    def __init__(self, names):
        self.names = names


class Rows:
    """Stands in for datasets.Dataset."""

    def __init__(self, columns, features=None):
        self.columns, self.features = columns, features
        self.column_names = list(columns)

    def __len__(self):
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key):
        if isinstance(key, str):
            return self.columns[key]
        return {name: column[key] for name, column in self.columns.items()}


def rows(**more):
    columns = {"image": pictures(), "label": [i % 3 for i in range(N)], "sex": ["f", "m"] * 6}
    return Rows(
        columns | more, {"label": ClassLabel(["cat", "dog", "emu", "gnu"]), "sex": object()}
    )


def test_class_label_names_are_used():
    data = fdd.from_hf(rows(), group="sex", size=8, progress=False)
    assert data.target_names == ("cat", "dog", "emu", "gnu")  # also the one without an image
    assert data.group_names == ("f", "m")
    assert data.target.tolist() == [i % 3 for i in range(N)]
    assert np.array_equal(data.images.numpy(), np.stack(list(map(pixels, pictures()))))
    numbers = rows(label=[-1, *[i % 3 for i in range(1, N)]])
    with pytest.raises(FddkitError, match=r"row 0: no label"):
        fdd.from_hf(numbers, group="sex", size=8, progress=False)


def test_encoded_images_and_several_groups():
    def packed(image):
        buffer = io.BytesIO()
        image.save(buffer, "png")
        return {"bytes": buffer.getvalue(), "path": None}

    data = fdd.from_hf(
        rows(image=list(map(packed, pictures())), race=["x", "x", "y", "y"] * 3),
        group=["sex", "race"],
        size=8,
        progress=False,
    )
    assert np.array_equal(data.images.numpy(), np.stack(list(map(pixels, pictures()))))
    assert data.group_names == ("f & x", "f & y", "m & x", "m & y")


def test_mistakes_with_datasets_get_one_sentence():
    with pytest.raises(FddkitError, match="did you mean 'sex'"):
        fdd.from_hf(rows(), group="sexx")
    splits = Rows({"image": [1]})
    splits.column_names = {"train": [], "test": []}
    with pytest.raises(FddkitError, match="the splits train, test; give one"):
        fdd.from_hf(splits, group="sex")
    with pytest.raises(FddkitError, match="list has no columns"):
        fdd.from_hf([1], group="sex")
    with pytest.raises(FddkitError, match="1 of 12 rows"):
        fdd.from_hf(rows(image=[None, *pictures()[1:]]), group="sex", size=8, progress=False)
