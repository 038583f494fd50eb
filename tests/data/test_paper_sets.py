"""The sets by conflict ratio and CIFAR100-S: counts, facts, options."""

import hashlib
import pickle

import numpy as np
import pytest
import torch

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data import sources
from fddkit.data.catalogue import CATALOGUE
from fddkit.data.loading import Originals
from fddkit.data.torchvision_import import torchvision
from fddkit.painting import bias

CONFLICT = ["cmnist-conflict", "bgfmnist-conflict"]
CONFLICT += ["corrupted-cifar10-conflict", "corrupted-cifar10-noise-conflict"]


@pytest.fixture(scope="module")
def originals(data_root):
    """Return the training originals of a set, read once."""
    known = {}
    return lambda name: known.setdefault(name, Originals(name, root=data_root))


@pytest.mark.data
@pytest.mark.parametrize("ratio", [0.01, 0.02, 0.05])
@pytest.mark.parametrize("name", CONFLICT)
def test_the_share_in_conflict_is_the_ratio(name, ratio, originals):
    canvas = originals(name).canvas()
    counts = canvas.target.new_zeros(10, 10)
    counts.index_put_((canvas.target, canvas.deal(1 - ratio)), torch.tensor(1), accumulate=True)
    for y, row in enumerate(counts.tolist()):
        n, aligned = sum(row), row.pop(y)
        assert aligned == int((1 - ratio) * n + 1e-9)
        assert max(row) - min(row) <= 1
    n = len(canvas)
    assert counts.diagonal().sum() == pytest.approx((1 - ratio) * n, abs=10)
    if "cmnist" not in name:  # every class has the same size
        expected = {50_000: {0.01: 4950, 0.02: 4900, 0.05: 4750}, 60_000: {0.01: 5940}}
        assert set(counts.diagonal().tolist()) == {
            expected.get(n, {}).get(ratio, round((1 - ratio) * n / 10))
        }


@pytest.mark.data
@pytest.mark.parametrize("name", CONFLICT)
def test_a_part_is_painted_as_in_the_whole_and_alone(name, originals):
    canvas = originals(name).canvas()
    index = torch.tensor([40_001, 5, 17, 5, 999])
    group = torch.tensor([0, 3, 9, 7, 5])
    together = canvas.paint(index, group)
    assert together.shape[1:] == CATALOGUE[name].shape
    for k in range(5):
        assert torch.equal(canvas.paint(index[k : k + 1], group[k : k + 1])[0], together[k])
    assert not torch.equal(together[1], together[3])  # one original in two groups


@pytest.mark.data
def test_a_set_is_loaded_balanced_for_testing_and_reloaded(data_root):
    train, test = fdd.load("cmnist-conflict", br=0.98, root=data_root, severity=3)
    assert (len(train), len(test)) == (60_000, 10_000)
    assert train.images.shape[1:] == (3, 28, 28)
    assert int(test.counts().max() - test.counts().min()) < 30
    again, _ = fdd.data.loading.reload(train.info, data_root)
    assert again.fingerprint() == train.fingerprint()
    assert train.info["severity"] == 3


@pytest.mark.data
def test_gap_starts_from_the_least_changed_group(data_root):
    canvas = Originals("corrupted-cifar10-noise-conflict", root=data_root).canvas(gap=0)
    index = torch.arange(4)
    plain = sources.cifar10(data_root, "train", 0)[0][:4]
    assert torch.equal(canvas.paint(index, index * 0), plain)


@pytest.mark.parametrize("name", CONFLICT)
def test_facts(name):
    entry = CATALOGUE[name]
    assert (entry.classes, entry.groups, entry.default_br) == (10, 10, 0.95)
    assert len(set(entry.group_names)) == 10
    assert entry.drawn
    assert entry.even
    assert not entry.paired


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "cmnist-conflict",
            {"severity": 6},
            "severity=6 is not possible; give one of 1, 2, 3, 4, 5",
        ),
        ("corrupted-cifar10-conflict", {"severity": 0}, "severity=0 is not possible; give one of"),
        ("corrupted-cifar10-conflict", {"severity": 2.5}, "severity=2.5 has the wrong type"),
        ("corrupted-cifar10-conflict", {"severity": True}, "severity=True has the wrong type"),
        ("corrupted-cifar10-conflict", {"severty": 2}, "did you mean 'severity'"),
        ("bgfmnist-conflict", {"scenes": "/nowhere"}, "'/nowhere' is no folder that can be read"),
        ("bgfmnist-conflict", {"scenes": 3}, "scenes=3 has the wrong type"),
        ("cifar100-s", {"severity": 2}, "'severity' is not an option of cifar100-s"),
    ],
)
def test_a_mistake_is_told_before_any_file_is_read(name, options, message, tmp_path):
    with pytest.raises(FddkitError, match=message):
        fdd.load(name, root=tmp_path / "elsewhere", **options)


@pytest.fixture
def small_cifar100(tmp_path, monkeypatch):
    """A CIFAR-100 of ten training and two test images of each class, in the published layout."""
    reader = torchvision().datasets.CIFAR100
    folder = tmp_path / "cifar-100-python"
    folder.mkdir()
    draw, sums = np.random.default_rng(0), {}

    def write(name, content):
        data = pickle.dumps(content, protocol=2)
        (folder / name).write_bytes(data)
        sums[name] = hashlib.md5(data).hexdigest()

    for name, each in (("train", 10), ("test", 2)):
        pixels = draw.integers(0, 256, (100 * each, 3072), dtype=np.uint8)
        write(name, {"data": pixels, "fine_labels": list(range(100)) * each})
    write(
        "meta",
        {"fine_label_names": [n.replace(" ", "_") for n in CATALOGUE["cifar100-s"].target_names]},
    )
    monkeypatch.setattr(reader, "train_list", [["train", sums["train"]]])
    monkeypatch.setattr(reader, "test_list", [["test", sums["test"]]])
    monkeypatch.setattr(reader, "meta", {**reader.meta, "md5": sums["meta"]})
    return tmp_path


def test_cifar100_s_is_gray_in_the_first_fifty_classes(small_cifar100):
    train, test = fdd.load("cifar100-s", root=small_cifar100)
    assert train.n_classes == len(set(train.target_names)) == 100
    assert train.target_names[0] == "apple"
    assert train.target_names[-1] == "worm"
    assert train.counts().tolist() == [[9, 1]] * 50 + [[1, 9]] * 50
    assert (len(test), test.counts().unique().tolist()) == (400, [2])
    images, target = sources.cifar100(small_cifar100, "train", 0)
    assert torch.equal(target, train.target)
    gray = train.group == 0
    assert torch.equal(train.images[gray], bias.grayscale(images[gray]))
    assert torch.equal(train.images[~gray], images[~gray])


def test_a_damaged_cifar100_is_told(small_cifar100):
    file = small_cifar100 / "cifar-100-python" / "train"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(FddkitError, match=r"a file of CIFAR-100 in .* is truncated or corrupt"):
        fdd.load("cifar100-s", root=small_cifar100)
    file.unlink()
    with pytest.raises(FddkitError, match="cifar100-s needs CIFAR-100, but train is not in"):
        fdd.load("cifar100-s", root=small_cifar100)
