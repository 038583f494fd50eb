"""The description against slow counting."""

import json
import time

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.data.description import describe, suitable_ipc
from fddkit.data.grouped import GroupedDataset
from fddkit.reading.duplicates import firsts


def data_of(images, target, group, **names):
    return GroupedDataset.from_arrays(images, target, group, **names)


@given(st.integers(1, 40), st.integers(1, 3), st.integers(0, 2**31))
def test_it_follows_loops(n, values, seed):
    draw = np.random.default_rng(seed)
    images = draw.integers(0, values + 1, (n, 1, 1, 3), dtype=np.uint8)
    target, group = draw.integers(3, size=n), draw.integers(2, size=n)
    data = data_of(images, target, group, target_names="abc", group_names="xy")
    found = describe(data)
    rows = [(i.tobytes(), t, g) for i, t, g in zip(images, target, group, strict=True)]
    assert found.duplicates == n - len({row[0] for row in rows})
    assert found.contradicting == sum(
        any(other[0] == row[0] and other[1:] != row[1:] for other in rows) for row in rows
    )
    counts = [[sum(r[1:] == (y, a) for r in rows) for a in range(2)] for y in range(3)]
    assert found.counts == tuple(map(tuple, counts))
    assert found.smallest[2] == min(c for row in counts for c in row if c)
    assert len(found.empty) == sum(c == 0 for row in counts for c in row)
    for y, name in enumerate("abc"):
        if sum(counts[y]):
            assert found.bias[name] == ("xy"[np.argmax(counts[y])], max(counts[y]) / sum(counts[y]))
    assert json.loads(json.dumps(found.to_dict()))["images"] == n
    assert "\t" not in str(found)


@given(st.integers(1, 50), st.integers(1, 20), st.integers(0, 2**31))
def test_firsts_follow_a_loop(n, size, seed):
    images = np.random.default_rng(seed).integers(0, 2, (n, size), dtype=np.uint8)
    seen = {}
    wanted = [seen.setdefault(image.tobytes(), i) for i, image in enumerate(images)]
    assert firsts(images).tolist() == wanted


def test_firsts_do_not_rely_on_sums(monkeypatch):
    from fddkit.reading import duplicates

    monkeypatch.setattr(duplicates, "_sums", lambda flat: np.zeros(len(flat), dtype=np.uint64))
    images = np.array([[1], [2], [1], [2], [3], [3]], dtype=np.uint8)
    assert firsts(images).tolist() == [0, 1, 0, 1, 4, 4]


def test_it_warns():
    images = np.zeros((25, 1, 4, 4), dtype=np.uint8)
    images[:, 0, 0, 0] = np.arange(25)
    images[24] = images[23]
    data = data_of(
        images,
        [0] * 22 + [1] * 3,
        [0] * 20 + [1, 1] + [0, 0, 0],
        target_names=["cat", "dog", "emu"],
        group_names=["red", "Red"],
    )
    said = str(describe(data))
    for words in (
        "no image of the class emu",
        "differ only in upper case: red, Red",
        "one group alone in the class dog",
        "2 cells have fewer than 10 images",
        "IPC 1 is less than the 2 groups",
        "1 images occur before",
        "empty cells: 3 of 6",
        "smallest cell: cat | Red, 2 images",
        "red 91%",
    ):
        assert words in said, words
    alone = describe(data_of(images, [0] * 25, [0] * 25))
    assert any("only one class" in warning for warning in alone.warnings)


def test_the_ipc_follow_their_rule():
    assert suitable_ipc(np.full((2, 2), 5000))[0] == (10, 50, 100)
    assert suitable_ipc(np.full((2, 2), 100))[0] == (10,)
    assert suitable_ipc(np.array([[10]]))[0] == (1,)
    ipc, rule = suitable_ipc(np.array([[3, 3]]))
    assert ipc == (1,)
    assert rule.endswith("smallest class, 6 images; that is fewer than the 2 groups of a class")
    assert suitable_ipc(np.array([[5000, 0], [0, 0]]))[0] == (1, 10, 50, 100)


def test_a_hundred_thousand_images_take_seconds():
    images = torch.randint(0, 256, (100_000, 3, 16, 16), dtype=torch.uint8)
    data = data_of(images, torch.arange(100_000) % 100, torch.arange(100_000) % 40)
    start = time.process_time()
    found = describe(data)
    assert time.process_time() - start < 10
    assert found.images == 100_000
    assert "and 88 more classes and 28 more groups" in str(found)
