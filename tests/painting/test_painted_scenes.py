"""Objects over scenes: computed ones, and those of a folder."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image

from fddkit.core.errors import FddkitError
from fddkit.painting.scenery import SCENE_NAMES, computed_scenes
from fddkit.painting.scenes import over_scenes, read_scenes, scene_names

GRAY = torch.randint(0, 256, (70, 32, 32), dtype=torch.uint8, generator=torch.manual_seed(0))
GROUP, INDEX = torch.arange(70) % 10, torch.arange(70) * 31


@pytest.fixture
def folder(tmp_path):
    """Ten scenes of three plain images each, of different sizes and formats."""
    for scene in range(10):
        place = tmp_path / f"{scene}_place"
        place.mkdir()
        for k, (name, size) in enumerate(
            (("a.png", (40, 60)), ("b.bmp", (32, 32)), ("c.png", (9, 9)))
        ):
            Image.new("RGB", size, (20 * scene, 100 + k, 7)).save(place / name)
        (place / ".hidden").write_text("no image")
    return tmp_path


def test_computed_scenes_are_ten_kinds_that_vary():
    scenes = computed_scenes()
    assert len(scenes) == len(SCENE_NAMES) == 10
    for scene in scenes:
        assert scene.shape == (64, 3, 32, 32)
        assert scene.dtype == torch.uint8
        assert len(scene.flatten(1).unique(dim=0)) == 64
    means = torch.stack([scene.double().mean((0, 2, 3)) for scene in scenes])
    assert torch.cdist(means, means)[~torch.eye(10, dtype=torch.bool)].min() > 8


def test_the_object_is_opaque_and_the_rest_is_the_scene():
    painted = over_scenes(GRAY, GROUP, INDEX, seed=0).int()
    nothing = over_scenes(torch.zeros_like(GRAY), GROUP, INDEX, seed=0).int()
    for k in range(70):
        assert (computed_scenes()[GROUP[k]] == nothing[k]).flatten(1).all(1).any()
    x = GRAY[:, None].int().expand(-1, 3, -1, -1)
    assert torch.equal(painted[x >= 24], x[x >= 24])
    share = x.clamp(max=24).double() / 24
    expected = (share * x + (1 - share) * nothing + 1e-9).floor()
    assert torch.equal(painted.double(), expected)


def test_an_image_alone_looks_as_in_any_batch_and_scenes_vary():
    whole = over_scenes(GRAY, GROUP, INDEX, 9)
    for some in ([3], [60, 2, 2], list(range(69, -1, -1))):
        assert torch.equal(over_scenes(GRAY[some], GROUP[some], INDEX[some], 9), whole[some])
    same = over_scenes(GRAY[:1].expand(70, -1, -1), GROUP * 0, INDEX, 9)
    assert len(same.flatten(1).unique(dim=0)) > 30


def test_a_folder_of_scenes(folder):
    names, scenes = read_scenes(str(folder))
    assert names == scene_names(str(folder)) == tuple(f"{i}_place" for i in range(10))
    assert [tuple(scene.shape) for scene in scenes] == [(3, 3, 32, 32)] * 10
    painted = over_scenes(torch.zeros_like(GRAY), GROUP, INDEX, 0, str(folder))
    assert (painted[:, 0] == 20 * GROUP[:, None, None]).all()
    assert set(painted[:, 1].unique().tolist()) == {100, 101, 102}
    Image.new("RGB", (40, 60), (1, 1, 1)).save(folder / "0_place" / "a.png")
    (folder / "0_place" / "a.png").touch()
    assert (read_scenes(str(folder))[1][0][0] == 1).all()  # what has changed is read again
    assert scene_names() == SCENE_NAMES


def test_what_is_wrong_with_a_folder_is_told(folder):
    def told(message, of=folder):
        with pytest.raises(FddkitError, match=message):
            read_scenes(str(of))

    told("is no folder that can be read .*; give one with 10 sub-folders", folder / "nowhere")
    told("has 0 sub-folders; give 10", folder / "0_place")
    image = folder / "3_place" / "d.png"
    image.write_bytes(b"no image")
    told("the scene .*d.png cannot be read: ")
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(image)
    image.write_bytes(image.read_bytes()[:40])
    told("the scene .*d.png cannot be read: ")
    image.unlink()
    for file in (folder / "4_place").iterdir():
        file.unlink()
    told("4_place has 0 images; give 1 to 5,000")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gray": GRAY[:, :28]}, r"give uint8 \[N, 32, 32\]"),
        ({"group": GROUP[:3]}, r"group is int64 \[3\]; give int64 \[70\]"),
        ({"group": GROUP - 1}, "group must be from 0 to 9"),
        ({"index": INDEX.double()}, r"index is float64 \[70\]"),
    ],
)
def test_mistakes_are_told(change, message):
    with pytest.raises(FddkitError, match=message):
        over_scenes(**({"gray": GRAY, "group": GROUP, "index": INDEX, "seed": 0} | change))


def test_computed_scenes_are_the_same_on_every_machine():
    pixels = torch.stack(computed_scenes()).numpy().tobytes()
    assert hashlib.sha256(pixels).hexdigest()[:12] == "157673255ece"
