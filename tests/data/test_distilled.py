import csv

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from safetensors.torch import save_file

from fddkit.core.errors import FddkitError
from fddkit.data.distilled import DistilledSet


@pytest.fixture(scope="module")
def made():
    g = torch.Generator().manual_seed(0)
    return DistilledSet(
        images=torch.randn(4, 3, 5, 6, generator=g),
        target=torch.tensor([0, 0, 1, 1]),
        group=torch.tensor([0, 1, -1, 1]),
        mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.25, 0.5),
        target_names=("cat", "dog"),
        group_names=("gray", "colour"),
        config={"dataset": {"dataset": "toy"}, "method": "dm", "fairness": "cobra", "ipc": 2},
        versions={"torch": "2"},
        loss=torch.tensor([3.0, 1.0], dtype=torch.float64),
    )


def test_save_and_load_keep_every_bit(made, tmp_path):
    loaded = DistilledSet.load(made.save(tmp_path / "s.safetensors"))
    for name in ("images", "target", "group", "loss"):
        assert torch.equal(getattr(loaded, name), getattr(made, name))
    for name in ("mean", "std", "target_names", "group_names", "config", "versions"):
        assert getattr(loaded, name) == getattr(made, name)
    assert "dm cobra of toy: 4 images 3x5x6, ipc=2" in repr(loaded)


def test_pixels_undo_the_normalisation(made):
    expected = torch.stack(
        [made.images[:, c] * made.std[c] + made.mean[c] for c in range(3)], 1
    ).clamp(0, 1)
    torch.testing.assert_close(made.pixels(), expected)
    raw = torch.randint(0, 256, (2, 3, 5, 6), dtype=torch.uint8)
    real = DistilledSet(
        raw, made.target[:2], made.group[:2], made.mean, made.std, ("a",), ("g", "h"), {}
    )
    torch.testing.assert_close(real.pixels(), raw / 255)
    red = (raw[:, 0] / 255 - made.mean[0]) / made.std[0]
    torch.testing.assert_close(real.normalised()[:, 0], red)


def test_images_on_disk_are_what_is_seen(made, tmp_path):
    folder = made.to_images(tmp_path / "new" / "folder")
    rows = list(csv.DictReader((folder / "labels.csv").read_text("utf-8").splitlines()))
    assert [r["class"] for r in rows] == ["cat", "cat", "dog", "dog"]
    assert [r["initial_group"] for r in rows] == ["gray", "colour", "", "colour"]
    for row, pixels in zip(rows, made.pixels(), strict=True):
        with Image.open(folder / row["file"]) as file:
            image = np.asarray(file)
        np.testing.assert_allclose(image, pixels.permute(1, 2, 0).numpy() * 255, atol=0.51)


def test_a_torch_dataset_yields_images_and_classes(made):
    image, label = made.to_dataset()[2]
    assert torch.equal(image, made.images[2])
    assert label == 1


@given(keep=st.floats(0, 0.999))
def test_a_truncated_file_is_one_sentence(made, tmp_path_factory, keep):
    path = tmp_path_factory.getbasetemp() / "cut.safetensors"
    path.unlink(missing_ok=True)  # too little is left of it to be told from a foreign file
    data = made.save(path).read_bytes()
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(FddkitError, match="truncated"):
        DistilledSet.load(path)


@given(data=st.binary(max_size=200))
def test_foreign_bytes_are_one_sentence(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "foreign"
    path.write_bytes(data)
    with pytest.raises(FddkitError, match="not a distilled set of fddkit"):
        DistilledSet.load(path)


def test_a_foreign_safetensors_file_and_a_missing_one(tmp_path):
    save_file({"images": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(FddkitError, match="not a distilled set of fddkit"):
        DistilledSet.load(tmp_path / "other.safetensors")
    with pytest.raises(FddkitError, match="No such file"):
        DistilledSet.load(tmp_path / "none.safetensors")


@pytest.mark.parametrize(
    "wrong",
    [
        {"target": torch.tensor([0, 0, 1])},
        {"target": torch.tensor([0, 0, 1, 2])},
        {"group": torch.tensor([0, 0, 1, 2])},
        {"images": torch.zeros(4, 3, 5)},
        {"mean": (0.5,)},
        {"std": (0.2, 0.0, 0.5)},
        {"images": torch.full((4, 3, 5, 6), torch.nan)},
        {"images": torch.full((4, 3, 5, 6), torch.inf)},
        {"images": torch.zeros(4, 3, 5, 6, dtype=torch.float16)},
        {"loss": torch.tensor([torch.nan], dtype=torch.float64)},
        {"target_names": (1, 2)},
        {"lr": 0.0},
        {"factor": 0},
    ],
)
def test_parts_that_do_not_fit_are_refused(made, tmp_path, wrong):
    broken = DistilledSet(**{**made.__dict__, **wrong})
    with pytest.raises(FddkitError, match="cannot be saved"):
        broken.save(tmp_path / "s")
    assert not (tmp_path / "s").exists()


def test_a_read_only_folder_is_one_sentence(made, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(FddkitError, match="cannot write"):
        made.save(tmp_path / "file" / "s.safetensors")
