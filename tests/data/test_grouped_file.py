"""The file of a data set: what is written comes back, and nothing else is believed."""

import json
from dataclasses import replace

import pytest
import torch
from own_data import ODD, own
from safetensors.torch import save

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.files import fingerprint
from fddkit.core.tensors import read_tensors, seal
from fddkit.data import grouped_file, grouped_kind
from fddkit.data.grouped_kind import DATA, content_hash, packed

_MANY = [str(i) for i in range(1001)]
_TWO = torch.zeros(161, 2, 8, 8, dtype=torch.uint8)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "faces.fdd"


def test_what_is_written_comes_back(path):
    traits = fdd.Traits(mirrors=False)
    data = replace(own(), source={"from": ["a.csv"]}, traits=traits)
    train, test = data.split(4)
    assert train.save(path, test=test, valid=test) == path
    read = grouped_file.read(path)
    assert list(read) == ["train", "test", "valid"]
    for one, back in ((train, read["train"]), (test, read["test"])):
        assert back.fingerprint() == one.fingerprint()
        assert (back.name, back.mean, back.std, back.traits, back.source) == (
            one.name, one.mean, one.std, one.traits, one.source,
        )  # fmt: skip
        assert back.paint is back.index is None
        assert back.info == {}


def test_a_set_alone_is_all_there_is(path):
    own(ODD).save(path)
    assert list(grouped_file.read(path)) == ["all"]


def test_the_same_content_is_the_same_bytes_on_any_machine(path, tmp_path):
    own().save(path)
    own().save(tmp_path / "again.fdd")
    assert fingerprint(path) == fingerprint(tmp_path / "again.fdd") == SEALED


SEALED = "149fa6b5485a349d0fe4fb3790c8f5cb12225abc2ea0605dedaeb166f9954701"


def test_another_data_set_is_replaced_and_any_other_file_kept(path, tmp_path):
    own().save(path)
    own(ODD).save(path)
    assert grouped_file.read(path)["all"].n_groups == 8
    path.write_text("my notes")
    with pytest.raises(FddkitError, match="is not a data set of fddkit, and is kept"):
        own().save(path)
    assert path.read_text() == "my notes"
    s = fdd.distill(own(), "random", ipc=1, progress=False).save(tmp_path / "s.safetensors")
    s.rename(path)
    with pytest.raises(FddkitError, match="and is kept"):
        own().save(path)
    assert not list(tmp_path.glob(".*"))


def test_painted_groups_are_natural_in_the_file(path):
    train, test = fdd.load("digits")
    train.save(path, test=test)
    back, _ = fdd.load(path)
    assert back.fingerprint() == train.fingerprint()
    assert back.paint is None
    assert back.source["painted"] == train.info


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"name": ""}, "its name is empty or too long"),
        ({"target_names": ("cat", "cat")}, "two are the same"),
        ({"group_names": ("a", "b", "c" * 201)}, "empty or has more than 200 characters"),
        ({"target": torch.full((161,), 2)}, "a label of target.all has no name"),
        ({"images": _TWO}, "not that of images with 1 or 3 channels"),
        ({"mean": (float("nan"),) * 3}, "mean and std are not for pixels"),
        ({"std": (0.0,) * 3}, "mean and std are not for pixels"),
        ({"mean": (0.5,)}, "do not fit the channels"),
    ],
)  # fmt: skip
def test_what_would_not_be_read_is_not_written(path, change, says):
    with pytest.raises(FddkitError, match=says):
        replace(own(), **change).save(path)
    assert not path.exists()


def test_splits_belong_together(path):
    with pytest.raises(FddkitError, match="the splits train and test differ in group_names"):
        own().save(path, test=own(ODD))
    with pytest.raises(FddkitError, match="train is the set that is saved"):
        own().save(path, train=own())
    with pytest.raises(FddkitError, match="are not names of splits"):
        own().save(path, Test=own())
    with pytest.raises(FddkitError, match="there is no split"):
        grouped_kind.write(path, {})
    with pytest.raises(FddkitError, match="does not end in"):
        own().save(path.with_suffix(".npz"))


def forged(path, tensors=(), **header):
    """Write a file whose seal is right for what it says."""
    held, told = packed({"train": own(), "test": own(seed=1)})
    held |= dict(tensors)
    told = {"format": 2, "kind": "data", **told} | header
    told = {k: v for k, v in told.items() if v is not None}
    held = {k: v for k, v in held.items() if v is not None}
    text = json.dumps({"sha256": seal(held, told), **told})
    path.write_bytes(save(held, metadata={"fddkit": text}))


def splits(**changes):
    one = {"name": "train", "images": 161, "source": {}}
    return [one, {"name": "test", "images": 161, "source": {}, **changes}]


@pytest.mark.parametrize(
    ("tensors", "header", "says"),
    [
        ({}, {"shape": [3, 8]}, "its shape"),
        ({}, {"shape": [3, 8, 10**9]}, "its shape"),
        ({}, {"shape": [3, -8, 8]}, "its shape"),
        ({}, {"shape": [3, 16, 16]}, "images.train has the shape"),
        ({}, {"splits": []}, "not names of splits"),
        ({}, {"splits": splits(name="train")}, "not names of splits"),
        ({}, {"splits": splits(name="../x")}, "not names of splits"),
        ({}, {"splits": splits(images=0)}, "a split has no image"),
        ({}, {"splits": splits(images=160)}, "images.test has the shape"),
        ({}, {"splits": splits()[:1]}, "its tensors are not those of its splits"),
        ({}, {"splits": splits(source=None)}, "is nothing, not a dictionary"),
        ({}, {"splits": splits(source={"skipped": {"x": "y"}})}, "its source.skipped.x is text"),
        ({}, {"splits": splits(source={"vanished": 5})}, "its source.vanished is a whole number"),
        ({}, {"splits": splits(source={"group_labels": 7})}, "its source.group_labels is a whole"),
        ({}, {"target_names": ["cat"]}, "has no name"),
        ({}, {"target_names": []}, "target_names are none"),
        ({}, {"target_names": _MANY, "group_names": _MANY}, "too many"),
        ({}, {"mean": [0.5]}, "do not fit the channels"),
        ({}, {"mean": [2.0] * 3}, "not for pixels"),
        ({}, {"mean": ["a"] * 3}, "is text, not a number"),
        ({}, {"traits": {}}, "has no mirrors"),
        ({}, {"name": None}, "has no name"),
        ({}, {"kind": "set"}, "its kind is 'set'"),
        ({}, {"format": 3}, "reads up to 2"),
        ({"group.test": None}, {}, "its tensors are not those of its splits"),
        ({"extra": torch.zeros(1)}, {}, "does not belong in it"),
        ({"images.test": torch.zeros(161, 3, 8, 8)}, {}, "is float32, not uint8"),
        ({"images.test": torch.zeros(161, 3, 9, 8, dtype=torch.uint8)}, {}, "has the shape"),
        ({"target.test": torch.zeros(160, dtype=torch.int64)}, {}, "not one label for each"),
        ({"target.test": torch.full((161,), -1)}, {}, "has no name"),
        ({"group.test": torch.full((161,), 3)}, {}, "has no name"),
    ],
)  # fmt: skip
def test_a_forged_file_is_refused_in_one_sentence(path, tensors, header, says):
    forged(path, tensors, **header)
    with pytest.raises(FddkitError, match=says) as caught:
        grouped_file.read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_file_without_a_seal_is_refused(path):
    held, told = packed({"all": own()})
    path.write_bytes(save(held, metadata={"fddkit": json.dumps({"format": 1, **told})}))
    with pytest.raises(FddkitError, match="has no sha256"):
        grouped_file.read(path)


def test_a_changed_pixel_is_seen(path):
    own().save(path)
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(FddkitError, match="its content is not what was written"):
        grouped_file.read(path)


def test_the_hash_of_splits_is_of_all_but_their_source(path):
    data = own()
    told = content_hash({"all": data})
    assert told == content_hash({"all": replace(data, source={"a": 1}, info={"b": 1})})
    assert told != content_hash({"train": data})
    assert told != content_hash({"all": replace(data, mean=(0.3,) * 3)})
    data.save(path)
    assert read_tensors(path, DATA)[1]["sha256"] == told  # its source is empty


def test_what_nobody_could_read_replaces_nothing(path):
    own().save(path)
    before = path.read_bytes()
    quotes = replace(own(), source={"note": '"' * 9_000_000})  # escaped once 18 MB, twice 36 MB
    with pytest.raises(FddkitError, match="because it could not be read again"):
        quotes.save(path)
    assert path.read_bytes() == before


def test_faults_are_kept_once_and_not_without_end(path):
    faults = [{"line": i, "reason": "no file", "detail": ""} for i in range(10_001)]
    data = replace(own(), source={"faults": faults, "skipped": {"no file": 10_001}})
    data.save(path, test=data)
    read = grouped_file.read(path)
    assert len(read["train"].source["faults"]) == 10_000
    assert read["train"].source["faults_in_all"] == 10_001
    assert read["test"].source == {"skipped": {"no file": 10_001}}


@pytest.mark.parametrize("name", ["a\x1b[2J", "a\nb", " a", "a "])
def test_names_can_be_shown_as_they_are(path, name):
    images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    for names in ({"name": name}, {"group_names": [name]}, {"target_names": [name]}):
        with pytest.raises(FddkitError, match="printable text without blanks"):
            fdd.GroupedDataset.from_arrays(images, [0, 0], [0, 0], **names)
    for header in ({"name": name}, {"group_names": ["a", "b", name]}):
        forged(path, **header)
        with pytest.raises(FddkitError, match="not printable, or has blanks"):
            grouped_file.read(path)


def test_a_hash_that_is_none_is_refused_before_it_names_files(path):
    held, told = packed({"all": own()})
    told |= {"format": 2, "kind": "data", "sha256": "../../x"}
    path.write_bytes(save(held, metadata={"fddkit": json.dumps(told)}))
    with pytest.raises(FddkitError, match="not 64 hexadecimal digits"):
        grouped_file.header(path)
