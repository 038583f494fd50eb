"""Loading: structure on small files of our own, published counts and pixels on the real ones."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from fddkit.core.errors import FddkitError
from fddkit.data import loading, sources
from fddkit.painting import bias
from fddkit.painting.group_assignment import group_counts

COLOUR_SETS = ["cmnist-fg", "cmnist-bg", "cfmnist-fg", "cfmnist-bg"]


def write_idx(folder, split, images, labels):
    folder.mkdir(parents=True, exist_ok=True)
    for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
        header = np.array([0x0800 + array.ndim, *array.shape], dtype=">i4").tobytes()
        (folder / f"{split}-{kind}-ubyte").write_bytes(header + array.tobytes())


@pytest.fixture(scope="module")
def small_root(tmp_path_factory):
    """A folder with a small MNIST and Fashion-MNIST of random pixels: 40 and 20 a class."""
    root, draw = tmp_path_factory.mktemp("data"), np.random.default_rng(0)
    for folder in ("MNIST/raw", "FashionMNIST/raw"):
        for split, n in (("train", 400), ("t10k", 200)):
            images = draw.integers(0, 256, (n, 28, 28), dtype=np.uint8)
            labels = (np.arange(n) % 10).astype(np.uint8)
            write_idx(root / folder, split, images, labels)
    return root


@pytest.fixture(scope="module")
def real(data_root):
    """Return load on the real files, remembering what it has loaded."""
    known = {}

    def load(name, **arguments):
        key = (name, *sorted(arguments.items()))
        if key not in known:
            known.clear()  # one at a time: they are large
            known[key] = loading.load(name, root=data_root, **arguments)
        return known[key]

    return load


def raw(root, folder, split):
    """Read images and labels with nothing but numpy."""
    images = np.fromfile(root / folder / f"{split}-images-idx3-ubyte", dtype=np.uint8)
    labels = np.fromfile(root / folder / f"{split}-labels-idx1-ubyte", dtype=np.uint8)
    return images[16:].reshape(-1, 28, 28), labels[8:]


def equal(one, other):
    return one.info == other.info and one.fingerprint() == other.fingerprint()


# ---- every set


@pytest.fixture(params=["digits", "digits-bg", *COLOUR_SETS])
def name(request):
    return request.param


def test_a_set_is_what_the_catalogue_says(name, small_root):
    entry = next(entry for entry in loading.catalogue() if entry.name == name)
    assert entry.on_disk(small_root)
    for data, split in zip(loading.load(name, root=small_root), ("train", "test"), strict=True):
        assert data.images.dtype == torch.uint8
        assert data.images.shape == (len(data.target), *entry.shape)
        assert data.target.dtype == data.group.dtype == data.index.dtype == torch.int64
        assert data.group.shape == data.index.shape == data.target.shape
        assert (data.n_classes, data.n_groups) == (entry.classes, entry.groups) == (10, 10)
        assert data.name == name
        assert (data.info["dataset"], data.info["split"]) == (name, split)
        assert data.info["br"] == entry.default_br
        assert torch.equal(data.images, data.paint(data.index, data.group))
        assert data.index.tolist() == list(range(len(data)))


@pytest.mark.parametrize("br", [0.1, 0.33, 0.9, 1])
def test_training_counts_follow_br_and_the_test_is_balanced(name, br, small_root):
    train, test = loading.load(name, br=br, root=small_root)
    even = name.startswith("digits")
    for data, share in ((train, br), (test, 0.1)):
        for y, counts in enumerate(data.counts().tolist()):
            expected = group_counts(sum(counts), share, 10, even=even)
            assert counts.pop(y) == expected[0]
            assert sorted(counts) == sorted(expected[1:])


def test_loading_again_gives_the_same(name, small_root):
    first, again = (loading.load(name, br=0.5, seed=7, root=small_root) for _ in range(2))
    torch.manual_seed(1)
    other = loading.load(name, br=0.5, seed=8, root=small_root)
    for one, same, different in zip(first, again, other, strict=True):
        assert equal(one, same)
        assert not torch.equal(one.group, different.group)


def test_the_counterfactual_shows_every_test_image_in_every_group(name, small_root):
    _, test = loading.load(name, root=small_root)
    paired = test.counterfactual()
    assert len(paired) == 10 * len(test)
    assert (paired.counts() == test.counts().sum(1, keepdim=True)).all()
    own = paired.group == test.group.repeat_interleave(10)
    assert torch.equal(paired.images[own], test.images)
    assert test.counterfactual(limit=2).counts().unique().tolist() == [2]


def test_painting_some_images_is_as_painting_all(small_root):
    train, _ = loading.load("cfmnist-bg", gap=4, offset=2, root=small_root)
    some = torch.tensor([311, 4, 4, 90])
    assert torch.equal(train.paint(train.index[some], train.group[some]), train.images[some])


@settings(max_examples=15)
@given(
    st.sampled_from(["digits", "digits-bg", *COLOUR_SETS]),
    st.floats(0.5, 1),
    st.integers(0, 2**40),
    st.none() | st.sampled_from(bias.GAP_LEVELS),
    st.sampled_from([0, 1.5, 4]),
)
def test_info_rebuilds_both_splits(small_root, name, br, seed, gap, offset):
    options = {"official_wrap": True} if name == "cfmnist-bg" else {}
    if gap is not None:
        options["gap_sigma"] = 7
    loaded = loading.load(name, br, seed, small_root, gap, offset, None, **options)
    for data in loaded:
        info = json.loads(json.dumps(data.info))  # as from the header of an artifact
        assert info == data.info
        for one, same in zip(loaded, loading.reload(info, small_root), strict=True):
            assert equal(one, same)


# ---- the digits


def test_digits_are_split_in_every_class():
    train, test = loading.load("digits")
    assert (len(train), len(test)) == (1347, 450)
    total = train.counts().sum(1) + test.counts().sum(1)
    assert total.tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert ((train.counts().sum(1) / total - 0.75).abs() < 0.004).all()
    assert train.counts().min() >= 3  # no cell is empty
    assert test.counts().min() >= 4


def test_digits_are_scikit_learns_enlarged():
    from sklearn.datasets import load_digits

    images, target = (torch.cat(pair) for pair in zip(
        sources.digits(".", "train", 3), sources.digits(".", "test", 3), strict=True
    ))  # fmt: skip
    bunch = load_digits()
    # each pixel of the enlargement leans on the nearest pixels, 3/4 to 1/4; edges repeat
    small = np.pad(bunch.images * 255 / 16, ((0, 0), (1, 1), (1, 1)), mode="edge")
    rows = [(i // 2 + 1, i // 2 + (0 if i % 2 == 0 else 2)) for i in range(16)]
    large = np.zeros((1797, 16, 16))
    for i, j in np.ndindex(16, 16):
        for a, weight_a in zip(rows[i], (0.75, 0.25), strict=True):
            for b, weight_b in zip(rows[j], (0.75, 0.25), strict=True):
                large[:, i, j] += weight_a * weight_b * small[:, a, b]
    large = np.rint(large).astype(np.uint8)
    expected = {(x.tobytes(), y) for x, y in zip(large, bunch.target, strict=True)}
    got = {(x.numpy().tobytes(), int(y)) for x, y in zip(images, target, strict=True)}
    assert len(got) > 1700  # some are equal
    assert got == expected


def test_the_split_of_the_digits_depends_on_the_seed():
    first, other = (sources.digits(".", "test", seed)[0] for seed in (0, 1))
    assert not torch.equal(first, other)


def test_digits_keep_their_shades():
    train, _ = loading.load("digits")
    behind, _ = loading.load("digits-bg")
    assert len(train.images.unique()) > 100
    gray = sources.digits(".", "train", 0)[0]
    assert torch.equal(train.images, bias.colour_foreground(gray, bias.PALETTE[train.group]))
    assert torch.equal(behind.images, bias.colour_background(gray, bias.PALETTE[behind.group]))


# ---- colour, padding, thresholds


def test_pixels_follow_the_description(small_root):
    for name in COLOUR_SETS:
        train, test = loading.load(name, root=small_root)
        folder = "MNIST/raw" if name.startswith("cm") else "FashionMNIST/raw"
        for data, split in ((train, "train"), (test, "t10k")):
            gray, labels = raw(small_root, folder, split)
            assert data.target.tolist() == labels.tolist()
            gray = np.pad(gray, ((0, 0), (4, 0), (4, 0))).astype(int)  # top and left only
            if name.startswith("cm"):
                gray = np.where(gray >= 128, 255, 0)
            if name.endswith("bg"):
                gray = 255 - gray
            colour = bias.PALETTE[data.group].numpy().astype(int)
            expected = gray[:, None] * colour[:, :, None, None] // 255
            assert np.array_equal(data.images.numpy(), expected)


def test_the_padding_of_a_background_is_coloured(small_root):
    train, _ = loading.load("cmnist-bg", root=small_root)
    colour = bias.PALETTE[train.group][:, :, None, None]
    assert (train.images[:, :, :4] == colour).all()
    assert (train.images[:, :, :, :4] == colour).all()


def test_the_official_wrap_is_an_option(small_root):
    clean, _ = loading.load("cfmnist-bg", root=small_root)
    wrapped, _ = loading.load("cfmnist-bg", root=small_root, official_wrap=True)
    assert clean.info["official_wrap"] is False
    assert wrapped.info["official_wrap"] is True
    gray = np.pad(raw(small_root, "FashionMNIST/raw", "train")[0], ((0, 0), (4, 0), (4, 0)))
    white = torch.tensor(gray == 255)[:, None].expand(-1, 3, -1, -1)
    assert (clean.images[white] == 0).all()
    assert (wrapped.images[white] == 1).all()


def test_proportions_are_the_minorities(small_root):
    train, test = loading.load("cmnist-fg", 0.5, root=small_root, proportions=range(1, 10))
    # 20 of a class's 40 as 1 : 2 : ... : 9, in 45ths, by largest remainder
    assert train.counts()[0].tolist() == [20, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert train.info["proportions"] == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert (test.counts() == 2).all()


# ---- GAP and offset


@pytest.mark.parametrize("name", ["digits-bg", "cmnist-fg"])
def test_gap_makes_two_groups_of_the_first_colour(name, small_root):
    for level in bias.GAP_LEVELS:
        train, test = loading.load(name, gap=level, root=small_root)
        assert train.group_names == ("plain", f"GAP {level}")
        assert train.info["br"] == 0.8
        ones = torch.zeros_like(train.group)
        plain = loading.load(name, root=small_root)[0].paint(train.index, ones)
        same = (train.images == plain).flatten(1).all(1)
        assert same[train.group == 0].all()
        assert same[train.group == 1].all() == (level == 0)
        # the test set is every original in both groups, group by group
        n = len(test) // 2
        assert test.group.tolist() == [0] * n + [1] * n
        assert test.index.tolist() == [*range(n), *range(n)]
        assert torch.equal(test.target[:n], test.target[n:])
        assert torch.equal(test.images[:n], test.images[n:]) == (level == 0)


def test_gap_majorities_are_halves_of_the_classes(small_root):
    train, _ = loading.load("cmnist-fg", br=0.75, gap=2, root=small_root)
    assert train.counts().tolist() == [[30, 10]] * 5 + [[10, 30]] * 5


def test_gap_noise_differs_between_splits_and_is_an_option(small_root):
    train, test = loading.load("cmnist-fg", gap=3, root=small_root)
    painted = [data.paint(torch.tensor([0]), torch.tensor([1])).int() for data in (train, test)]
    plain = [data.paint(torch.tensor([0]), torch.tensor([0])).int() for data in (train, test)]
    padding = [(a - b[:, [1, 2, 0]])[:, :, :4, :4] for a, b in zip(painted, plain, strict=True)]
    assert not torch.equal(*padding)
    calm, _ = loading.load("cmnist-fg", gap=3, root=small_root, gap_sigma=0, gap_line=[9, 9, 9])
    assert (calm.images[calm.group == 1][:, :, 0, 0] == 9).all()
    assert calm.info["gap_line"] == [9, 9, 9]


def test_offset_is_composed_after_the_injection(small_root):
    for gap in (None, 3):
        before, _ = loading.load("cmnist-bg", gap=gap, root=small_root)
        after, _ = loading.load("cmnist-bg", 0.9 if gap is None else 0.8, gap=gap, offset=2,
                                 root=small_root, offset_scale=10)  # fmt: skip
        assert torch.equal(before.group, after.group)
        moved = bias.semantic_offset(before.images, before.group, 2.0, scale=10)
        assert torch.equal(after.images, moved)
        assert not torch.equal(after.images, before.images)


def test_info_is_json_also_of_numpy_numbers():
    arguments = {"br": np.float32(0.75), "seed": np.int64(3), "gap": np.int64(2)}
    arguments |= {"gap_width": np.int8(2), "gap_line": np.array([1, 2, 3]).tolist()}
    train, _ = loading.load("digits", **arguments, proportions=np.array([1]))
    info = json.loads(json.dumps(train.info))
    assert info == {
        "dataset": "digits",
        "split": "train",
        "br": 0.75,
        "seed": 3,
        "gap": 2,
        "offset": 0.0,
        "proportions": [1.0],
        "gap_sigma": 25.0,
        "gap_line": [1, 2, 3],
        "gap_width": 2,
    }


# ---- mistakes


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("cmnist_fg", {}, "'cmnist_fg' is not a data set; did you mean 'cmnist-fg'?"),
        ("imagenet", {}, "'imagenet' is not a data set; known: digits, "),
        ("digits", {"br": 1.3}, r"br=1.3 is outside \[0.1, 1\] for 10 groups"),
        ("digits", {"br": 0.09}, "outside"),
        ("digits", {"br": "0.9"}, "br='0.9' is not a number"),
        ("digits", {"br": float("nan")}, "br=nan is not a number"),
        ("digits", {"br": 0.3, "gap": 1}, r"br=0.3 is outside \[0.5, 1\] for 2 groups"),
        ("digits", {"seed": 0.5}, "seed=0.5 is not a whole number"),
        ("digits", {"gap": 5}, "gap=5 is not a GAP level"),
        ("digits", {"gap": "2"}, "gap='2' is not a whole number"),
        ("digits", {"offset": -1}, "offset=-1.0 is not a strength"),
        ("digits", {"proportions": [1, 2]}, "give 9 numbers"),
        ("digits", {"proportions": ["a"] * 9}, "is not a list of numbers"),
        ("digits", {"proportions": 0.5}, "proportions=0.5 is not a list of numbers"),
        ("digits", {"gap": 2, "gap_line": "red"}, "gap_line='red' has the wrong type"),
        ("digits", {"gap": 2, "gap_line": ["red"]}, "is not a list of numbers"),
        ("digits", {"official_wrap": True}, "'official_wrap' is not an option of digits"),
        ("cfmnist-bg", {"oficial_wrap": True}, "did you mean 'official_wrap'"),
        ("cfmnist-bg", {"official_wrap": "yes"}, "official_wrap='yes' has the wrong type"),
        ("digits", {"gap": 3, "gap_sigma": "big"}, "gap_sigma='big' has the wrong type"),
        ("digits", {"gap": 3, "gap_sigma": -1}, "sigma=-1.0 is not a standard deviation"),
        ("digits", {"gap": 3, "sigma": 1}, "did you mean 'gap_sigma'"),
        ("digits", {"offset": 1, "offset_scale": -1}, "scale=-1.0 is not a scale"),
    ],
)
def test_a_mistake_is_told_before_any_file_is_read(name, arguments, message, tmp_path):
    with pytest.raises(FddkitError, match=message):
        loading.load(name, root=tmp_path / "nowhere", **arguments)


def test_missing_data_is_told_with_the_way_to_get_it(tmp_path):
    root = tmp_path / "elsewhere"
    assert [e.name for e in loading.catalogue() if e.on_disk(root)] == ["digits", "digits-bg"]
    with pytest.raises(FddkitError) as error:
        loading.load("cmnist-fg", root=root)
    assert str(error.value) == (
        f"cmnist-fg needs MNIST, but train-images-idx3-ubyte is not in {root}/MNIST/raw; "
        f"get it with `fddkit datasets --download cmnist-fg --root {root}`, "
        "or use a set that needs no download: digits, digits-bg"
    )
    with pytest.raises(FddkitError, match="needs CIFAR-10, but data_batch_1 is not in"):
        loading.load("cifar10-s", root=root)
    assert not root.exists()


@pytest.mark.parametrize("size", [0, 3, 16, 1000])
@pytest.mark.parametrize("kind", ["images-idx3", "labels-idx1"])
def test_a_truncated_file_is_told(small_root, tmp_path, size, kind):
    root = tmp_path / "data"
    shutil.copytree(small_root, root)
    file = root / "MNIST" / "raw" / f"t10k-{kind}-ubyte"
    file.write_bytes(file.read_bytes()[: min(size, file.stat().st_size - 1)])
    with pytest.raises(FddkitError, match=r"MNIST in .*raw is truncated or corrupt"):
        loading.load("cmnist-fg", root=root)


def test_labels_outside_the_classes_are_told(small_root, tmp_path):
    root = tmp_path / "data"
    shutil.copytree(small_root, root)
    file = root / "FashionMNIST" / "raw" / "train-labels-idx1-ubyte"
    file.write_bytes(file.read_bytes()[:-1] + b"\x0b")
    with pytest.raises(FddkitError, match=r"Fashion-MNIST in .* corrupt"):
        loading.load("cfmnist-fg", root=root)


def test_what_was_not_loaded_by_name_cannot_be_reloaded():
    train, _ = loading.load("digits")
    with pytest.raises(FddkitError, match="not loaded by name"):
        loading.reload(train.subset(torch.arange(5)).info)


# ---- downloads


def test_download_goes_through_torchvision_only_where_it_must(small_root, tmp_path, monkeypatch):
    calls = []

    def reader(root, download):
        calls.append((root, download))
        shutil.copytree(small_root / "MNIST", root / "MNIST")

    stand_in = SimpleNamespace(datasets=SimpleNamespace(MNIST=reader))
    monkeypatch.setattr(sources, "torchvision", lambda: stand_in)
    loading.download("digits", tmp_path)
    loading.download("cmnist-bg", small_root)
    assert calls == []
    loading.download("cmnist-bg", tmp_path)
    loading.download("cmnist-fg", tmp_path)
    assert calls == [(tmp_path, True)]
    with pytest.raises(FddkitError, match="not a data set"):
        loading.download("mnist", tmp_path)


def test_a_failed_download_is_told(tmp_path, monkeypatch):
    def reader(root, download):
        raise RuntimeError("Error downloading train-images-idx3-ubyte.gz:\nTried many mirrors")

    stand_in = SimpleNamespace(datasets=SimpleNamespace(MNIST=reader))
    monkeypatch.setattr(sources, "torchvision", lambda: stand_in)
    with pytest.raises(FddkitError) as error:
        loading.load("cmnist-fg", root=tmp_path, download=True)
    assert str(error.value) == (
        f"cannot download MNIST into {tmp_path} (Error downloading train-images-idx3-ubyte.gz: "
        "Tried many mirrors); "
        "check the network and the free space there, then try again"
    )


# ---- the real files


@pytest.mark.data
def test_cmnist_has_the_published_counts(real):
    for name in ("cmnist-bg", "cmnist-fg"):
        train, test = real(name, br=0.9)
        assert (len(train), len(test)) == (60_000, 10_000)
        assert sorted(train.counts()[0].tolist()) == [65, *[66] * 8, 5330]
        assert train.counts().diagonal().tolist() == [
            5330, 6067, 5362, 5517, 5257, 4878, 5326, 5638, 5265, 5354,
        ]  # fmt: skip
        assert sorted(test.counts()[1].tolist()) == [110, 113, *[114] * 8]
        assert test.counts()[1, 1] == 113


@pytest.mark.data
def test_cmnist_is_two_coloured(real, data_root):
    train, _ = real("cmnist-fg", br=0.9)
    gray, labels = raw(data_root, "MNIST/raw", "train")
    assert train.target.tolist() == labels.tolist()
    ink = np.pad(gray >= 128, ((0, 0), (4, 0), (4, 0)))
    expected = ink[:, None] * bias.PALETTE[train.group].numpy()[:, :, None, None]
    assert np.array_equal(train.images.numpy(), expected)


@pytest.mark.data
def test_cfmnist_has_the_published_counts(real):
    for name in ("cfmnist-fg", "cfmnist-bg"):
        train, test = real(name, br=0.9)
        for y, counts in enumerate(train.counts().tolist()):
            assert counts.pop(y) == 5400
            assert sorted(counts) == [64, *[67] * 8]
        assert (test.counts() == 100).all()


@pytest.mark.data
def test_cifar10_s_has_the_published_counts(real):
    train, test = real("cifar10-s", br=0.9)
    assert train.group_names == ("gray", "colour")
    assert train.counts().tolist() == [[4500, 500]] * 5 + [[500, 4500]] * 5
    assert len(test) == 20_000
    assert (test.counts() == 1000).all()
    assert test.group.tolist() == [0] * 10_000 + [1] * 10_000
    assert test.index.tolist() == [*range(10_000)] * 2
    assert train.mean == (0.48905, 0.48451, 0.46715)
    assert train.std == (0.24278, 0.24082, 0.25098)


@pytest.mark.data
def test_cifar10_s_is_gray_as_pillow_has_it(real):
    train, test = real("cifar10-s", br=0.9)
    gray, colour = test.images[:10_000], test.images[10_000:]
    assert (gray[:, :1] == gray).all()
    for n in range(0, 10_000, 50):
        pillow = Image.fromarray(colour[n].permute(1, 2, 0).numpy()).convert("L")
        assert np.array_equal(gray[n, 0].numpy(), np.asarray(pillow))
    for a, is_gray in ((0, True), (1, False)):
        images = train.images[train.group == a]
        share = (images[:, :1] == images).flatten(1).all(1).double().mean()
        assert share == 1 if is_gray else share < 0.05  # some of CIFAR-10 has no colour


@pytest.mark.data
def test_cifar10_s_normalisation_is_that_of_its_test_set(real):
    _, test = real("cifar10-s", br=0.9)
    pixels = test.images.float() / 255
    np.testing.assert_allclose(pixels.mean((0, 2, 3)), test.mean, atol=2e-5)
    np.testing.assert_allclose(pixels.std((0, 2, 3)), test.std, atol=2e-5)


@pytest.mark.data
def test_gap_starts_from_cifar10_in_colour(real):
    _, test = real("cifar10-s", gap=1)
    plain, moved = test.images[:10_000], test.images[10_000:]
    assert not (plain[:, :1] == plain).all()
    assert torch.equal(moved, plain[:, [1, 2, 0]])
    paired = test.counterfactual(limit=1)
    assert paired.group.tolist() == [0, 1] * 10
    assert torch.equal(paired.images[1::2], paired.images[::2][:, [1, 2, 0]])


@pytest.mark.data
def test_a_corrupt_cifar10_is_told(data_root, tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for file in (data_root / "cifar-10-batches-py").iterdir():
        (folder / file.name).symlink_to(file.resolve())
    (folder / "test_batch").unlink()
    (folder / "test_batch").write_bytes(b"not CIFAR-10")
    with pytest.raises(FddkitError, match=r"CIFAR-10 in .* is truncated or corrupt"):
        loading.load("cifar10-s", root=tmp_path)
