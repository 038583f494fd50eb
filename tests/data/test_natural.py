"""Splitting real groups, and thinning them to a bias ratio."""

import warnings

import pytest
import torch
from own_data import ODD, PLAIN, own

from fddkit.core.errors import FddkitError


def test_a_balanced_test_set_and_all_the_rest():
    data = own()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        train, test = data.split(per_cell=5, seed=1)
    assert test.counts().tolist() == [[5] * 3] * 2
    assert (train.counts() + test.counts()).tolist() == PLAIN
    every = [image.numpy().tobytes() for part in (train, test) for image in part.images]
    assert sorted(every) == sorted(image.numpy().tobytes() for image in data.images)
    assert train.source == test.source == {"split": {"per_cell": 5, "seed": 1, "fewer": []}}
    assert train.paint is None
    assert train.counterfactual() is None


def test_what_cannot_be_balanced_is_said():
    with pytest.warns(UserWarning, match="cells with fewer than 4 images: 8 of 16 ") as said:
        train, test = own(ODD, name="odd").split(per_cell=4)
    assert "cat, b, f: 0" in str(said[0].message)
    expected = [[min(4, n // 2) for n in row] for row in ODD]
    assert test.counts().tolist() == expected
    fewer = test.source["split"]["fewer"]
    named = {(y, a): n for y, a, n in fewer}
    assert len(named) == sum(n < 4 for row in expected for n in row)
    assert named["cat", "b, f"] == 0
    assert named["cat", "d, f"] == 2
    assert (train.counts() > 0).tolist() == (torch.tensor(ODD) > 0).tolist()


@pytest.mark.parametrize("per_cell", [0, -1, 1.5, True, "4", None])
def test_a_size_that_is_none(per_cell):
    with pytest.raises(FddkitError, match="per_cell="):
        own().split(per_cell)


def test_nothing_to_test_on():
    with pytest.raises(FddkitError, match="no class and group of own has two images"):
        own([[1, 1, 0], [1, 0, 1]]).split()


def test_splits_and_biases_are_those_of_the_seed():
    prints = {
        seed: (own().split(5, seed)[1].fingerprint(), own().biased(0.8, seed=seed).fingerprint())
        for seed in (0, 1)
    }
    # the same on any machine
    assert prints[0] == SEALED
    assert not set(prints[0]) & set(prints[1])


SEALED = (
    "9e31581584f1dda3f13ea3a5c605561370abea32c6d19268552cbdce2d9d8366",
    "5912e19ea2d028ef1f7354d45f3ebdfa0ae88343334ac0831c5567f1d4c68e86",
)


def test_a_bias_ratio_says_what_it_did():
    data = own()
    thin = data.biased(0.9, majority={"cat": "b"}, seed=2)
    assert thin.counts()[:, 1].tolist() == [20, 45]
    assert thin.counts()[:, [0, 2]].sum(1).tolist() == [2, 5]
    made = {"br": 0.9, "majority": {"cat": "b", "dog": "b"}, "seed": 2}
    assert thin.source["biased"] == made | {"dropped": len(data) - len(thin)}
    rows = [data.images.eq(image).flatten(1).all(1).nonzero()[0, 0] for image in thin.images]
    assert rows == sorted(rows)  # in the order of the set


def test_what_was_done_before_is_kept():
    train, _ = own().split(5)
    assert list(train.biased(0.8).source) == ["split", "biased"]
    assert list(own().biased(0.8).split(1)[0].source) == ["biased", "split"]


def test_cells_of_at_most_one_image_need_no_draw(monkeypatch):
    from fddkit.data import thinning

    drawn = []
    make = thinning.generator
    monkeypatch.setattr(thinning, "generator", lambda *keys: drawn.append(keys[-2:]) or make(*keys))
    data = own([[3, 1, 0], [1, 0, 2]])
    data.biased(0.9, {"cat": "a", "dog": "c"})
    assert drawn == [(0, 0), (1, 2)]
    with pytest.warns(UserWarning, match="not balanced"):
        data.split(1)
    assert drawn == [(0, 0), (1, 2)] * 2
