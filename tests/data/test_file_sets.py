"""A file is valid wherever a name is: found, loaded, loaded again, and never taken for another."""

import warnings

import pytest
from own_data import ODD, PLAIN, own

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data.catalogue import CATALOGUE, entry_of
from fddkit.data.file_sets import found
from fddkit.data.loading import Originals, reload


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    train, test = own().split(5)
    train.save("faces.fdd", test=test)
    own().save("one.fdd")
    return tmp_path


def test_a_path_gives_an_entry_without_being_listed(here):
    entry = CATALOGUE["faces.fdd"]
    assert (entry.name, entry.title, entry.classes, entry.groups) == ("faces.fdd", "own", 2, 3)
    assert (entry.shape, entry.natural, entry.default_br) == ((3, 8, 8), True, None)
    assert entry.tag == f"faces_{entry.sha256[:8]}"
    assert [path.name for path in entry.files()] == ["faces.fdd"]
    assert "faces.fdd" not in CATALOGUE
    assert entry not in fdd.catalogue()


def test_its_splits_are_loaded_as_they_are(here):
    train, test = fdd.load("faces.fdd")
    assert (train.counts() + test.counts()).tolist() == PLAIN
    assert test.counts().tolist() == [[5] * 3] * 2
    seal = CATALOGUE["faces.fdd"].sha256
    info = {"dataset": "faces.fdd", "seed": 0, "per_cell": None, "sha256": seal, "br": None}
    assert train.info == info | {"split": "train"}
    assert test.info == info | {"split": "test"}
    assert fdd.load(here / "faces.fdd")[0].fingerprint() == train.fingerprint()


def test_a_file_without_a_test_split_is_split(here):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, test = fdd.load("one.fdd", per_cell=5, seed=3)
    expected = own().split(5, 3)
    assert train.fingerprint() == expected[0].fingerprint()
    assert test.fingerprint() == expected[1].fingerprint()
    with pytest.warns(UserWarning, match="fewer than 60 images"):
        assert fdd.load("one.fdd")[0].info["per_cell"] == 60


def test_a_bias_ratio_thins_the_training_set_alone(here):
    whole, test = fdd.load("one.fdd", per_cell=5)
    train, same = fdd.load("one.fdd", per_cell=5, br=0.9, majority={"cat": "c"})
    assert same.fingerprint() == test.fingerprint()
    assert train.fingerprint() == whole.biased(0.9, {"cat": "c"}).fingerprint()
    assert train.info["majority"] == {"cat": "c"}
    canvas = Originals("faces.fdd").canvas()
    for br in (None, 0.8, 0.95):
        at = canvas.at(br)
        assert at.fingerprint() == fdd.load("faces.fdd", br=br)[0].fingerprint()
        assert canvas.counts(br).tolist() == at.counts().tolist()
        assert sum(map(len, canvas.rows(br))) == len(at)


def test_it_is_loaded_again_wherever_the_file_has_gone(here, monkeypatch):
    train, test = fdd.load("one.fdd", br=0.8, seed=2, per_cell=4, majority={"dog": 0})
    (here / "data").mkdir()
    (here / "one.fdd").rename(here / "data" / "one.fdd")
    for root in ("data", here / "data"):
        again = reload(train.info, root)
        assert [one.fingerprint() for one in again] == [train.fingerprint(), test.fingerprint()]
        assert again[0].info == train.info
    (here / "data" / "one.fdd").unlink()
    with pytest.raises(FddkitError, match="there is no file"):
        reload(train.info)
    own(seed=9).save("one.fdd")
    with pytest.raises(FddkitError, match="is not the data that this is about"):
        reload(train.info)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"gap": 0}, "the groups of faces.fdd are real, and no image"),
        ({"gap": 2}, "gap=2 paints groups"),
        ({"offset": 0.1}, "offset=0.1 paints groups"),
        ({"proportions": [1, 2]}, "paints groups"),
        ({"br": "high"}, "br='high' is not a number"),
        ({"br": 0.1}, "br=0.1 is outside"),
        ({"per_cell": 5}, "has a test split of its own"),
        ({"per_cell": "5"}, "per_cell='5' is not a whole number"),
        ({"seed": 0.5}, "seed=0.5 is not a whole number"),
        ({"majority": {"cat": "a"}}, "give br as well"),
        ({"br": 0.9, "majority": {"bird": "a"}}, "'bird' is not a class"),
        ({"official_wrap": True}, "known: per_cell, majority, sha256"),
        ({"sha256": "0" * 64}, "is not the data that this is about"),
    ],
)
def test_what_makes_no_sense_is_refused_with_a_reason(here, given, says):
    with pytest.raises(FddkitError, match=says):
        fdd.load("faces.fdd", **given)


def test_painted_sets_do_not_take_what_files_take():
    with pytest.raises(FddkitError, match="'per_cell' is not an option of digits"):
        fdd.load("digits", per_cell=5)


@pytest.mark.parametrize("name", ["gone.fdd", "gone.toml", "a/\0.fdd", "x" * 5000 + ".fdd", ".fdd"])
def test_what_is_no_file(here, name):
    with pytest.raises(FddkitError, match="there is no file"):
        fdd.load(name)


def test_a_hostile_description_is_refused(here):
    info = fdd.load("faces.fdd")[0].info
    for change in (
        {"dataset": 5}, {"sha256": 5}, {"per_cell": "a"}, {"majority": {"cat": 1}},
        {"dataset": "x" * 500 + ".fdd"}, {"root": "/"}, {"sha256": "0" * 64},
    ):  # fmt: skip
        with pytest.raises(FddkitError):
            reload(info | change)


def test_no_split_that_could_be_trained_on(here):
    from fddkit.data.grouped_kind import write

    write("odd.fdd", {"valid": own(), "test": own()})
    with pytest.raises(FddkitError, match="has no split train, only valid, test"):
        fdd.load("odd.fdd")


def test_the_files_of_a_folder(here):
    (here / "bad.fdd").write_text("not one")
    (here / "bad.toml").write_text("not one")
    told = []
    assert [one.name for one in found(here, told.append)] == [
        str(here / "faces.fdd"),
        str(here / "one.fdd"),
    ]
    assert len(told) == 1
    assert "bad.fdd is truncated or not a data set" in told[0]


def test_a_file_that_changes_is_another_set(here):
    before = CATALOGUE["one.fdd"]
    own(ODD).save("one.fdd")
    assert CATALOGUE["one.fdd"].sha256 != before.sha256
    assert entry_of("one.fdd").groups == 8
    assert CATALOGUE["one.fdd"].tag != before.tag


def test_registered_entries_may_have_natural_groups(monkeypatch):
    from fddkit.data.natural_sets import NaturalInfo

    names = {"target_names": ("cat", "dog"), "group_names": ("a", "b", "c"), "shape": (3, 8, 8)}
    entry = NaturalInfo("mine", "my own", **names, splits=lambda root: {"all": own()})
    monkeypatch.setitem(CATALOGUE, "mine", entry)
    train, test = fdd.load("mine", br=0.9, per_cell=4)
    assert train.info["dataset"] == "mine"
    assert "sha256" not in train.info
    assert reload(test.info)[0].fingerprint() == train.fingerprint()


def test_a_natural_set_can_be_registered(monkeypatch):
    from fddkit.data.natural_sets import NaturalInfo

    names = {"target_names": ("cat", "dog"), "group_names": ("a", "b", "c"), "shape": (3, 8, 8)}
    entry = NaturalInfo("", "my own", **names, splits=lambda root: {"all": own()})
    fdd.register("my-natural-set", entry)
    try:
        assert fdd.load("my-natural-set", per_cell=4)[1].counts().tolist() == [[4] * 3] * 2
    finally:
        del CATALOGUE["my-natural-set"], CATALOGUE.own["my-natural-set"]
