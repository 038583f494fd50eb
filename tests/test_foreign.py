import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fddkit as fdd
from fddkit import cli
from fddkit.errors import FddkitError
from fddkit.foreign import read_foreign


@pytest.fixture(scope="module")
def train():
    return fdd.load("digits", seed=0)[0]


def some(train, n=20, pixels=False):
    g = torch.Generator().manual_seed(0)
    images = torch.rand(n, *train.shape, generator=g)
    return images if pixels else images * 4 - 2, torch.arange(n) * train.n_classes // n


def files(train, folder, old=False):
    """Each format, saved as the official code saves it."""

    def save(value, name):
        torch.save(value, folder / name, _use_new_zipfile_serialization=not old)
        return folder / name

    images, target = some(train)
    accuracies = {"ConvNet": [np.float64(0.5), np.float32(0.25)]}
    save(target, "labels_best.pt")
    pixels, _ = some(train, pixels=True)
    return {
        "dc": save(
            {"data": [[images, target], [images + 1, target]], "accs_all_exps": accuracies},
            "res_DC_ConvNet_2ipc.pt",
        ),
        "mtt": save(images, "images_best.pt"),
        "idc": save([pixels, target], "data_best.pt"),
    }


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("kind", ["dc", "mtt", "idc"])
def test_each_format_is_read_as_its_code_wrote_it(train, tmp_path, kind, old):
    path = files(train, tmp_path, old)[kind]
    s = read_foreign(path, train, method="them", fairness="fairdd")
    images, target = some(train, pixels=kind == "idc")
    assert torch.equal(s.target, target)
    assert s.config["source"]["format"] == kind
    assert (s.config["method"], s.config["fairness"], s.config["ipc"]) == ("them", "fairdd", 2)
    assert (s.group == -1).all()
    if kind == "idc":
        assert s.factor == 2
        torch.testing.assert_close(s.pixels(), images)
        assert len(s.decoded()[0]) == 80
    else:
        assert s.factor == 1
        assert torch.equal(s.images, images)


def test_the_experiment_labels_factor_and_step_size_can_be_chosen(train, tmp_path):
    found = files(train, tmp_path)
    images, target = some(train)
    assert torch.equal(read_foreign(found["dc"], train, experiment=1).images, images + 1)
    torch.save(target.flip(0).float(), tmp_path / "other.pt")
    s = read_foreign(found["mtt"], train, labels=tmp_path / "other.pt", lr=0.02)
    assert torch.equal(s.target, target.flip(0))
    assert s.lr == 0.02
    assert read_foreign(found["idc"], train, factor=1).factor == 1


def test_a_whitened_set_is_given_its_whitening(train, tmp_path):
    path = files(train, tmp_path)["mtt"]
    s = read_foreign(path, train, zca=True)
    assert s.whitening.matrix.shape == (768, 768)
    seen = s.whitening.apply(train.normalise(torch.arange(200)))
    assert seen.mean().abs() < 0.1


MISTAKES = {
    "holds 2 sets": lambda i, t: ({"data": [[i, t], [i, t]]}, {"experiment": 2}),
    "images of .* are 3x16x8": lambda i, t: ([i[..., :8], t], {}),
    "are soft": lambda i, t: ([i, torch.eye(10).repeat(2, 1)], {}),
    "20 images and 19 labels": lambda i, t: ([i, t[1:]], {}),
    "image 3 .* holds NaN": lambda i, t: (
        {"data": [[i.index_fill(0, torch.tensor(3), torch.nan), t]]},
        {},
    ),
    "not the classes 0 to 9": lambda i, t: ([i, t + 1], {}),
    r"not the classes": lambda i, t: ([i, t + 0.5], {}),
    "no image of 9": lambda i, t: ([i[:18], t[:18]], {}),
    "lie in .0, 1.; this is another format": lambda i, t: ([i * 9, t], {}),
    "no plain tensor": lambda i, t: ([i.to_sparse(), t], {}),
    "repeat themselves": lambda i, t: ([i[:1].clone().expand(20, -1, -1, -1), t], {}),
    "does not hold images and labels": lambda i, t: ({"data": [[i, t, t]]}, {}),
    "no labels.* with their labels|images alone": lambda i, t: (i, {}),
    "cannot be imported: the learnt step size": lambda i, t: ({"data": [[i, t]]}, {"lr": -1.0}),
    "cannot be imported: the factor": lambda i, t: ({"data": [[i, t]]}, {"factor": 0}),
}


@pytest.mark.parametrize("sentence", MISTAKES)
def test_mistakes_get_a_sentence(train, tmp_path, sentence):
    value, options = MISTAKES[sentence](*some(train, pixels=True))
    path = tmp_path / "x.pt"
    torch.save(value, path)
    with pytest.raises(FddkitError, match=sentence):
        read_foreign(path, train, **options)


def test_missing_files_and_folders_are_named(train, tmp_path):
    for path in (tmp_path / "none.pt", tmp_path):
        with pytest.raises(FddkitError, match="cannot read"):
            read_foreign(path, train)


# --- nothing in a file is trusted -----------------------------------------------------------


class Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("how", ["torch", "legacy", "pickle", "nested"])
def test_nothing_is_executed(train, tmp_path, how):
    marker, path = tmp_path / "executed", tmp_path / "evil.pt"
    images, target = some(train)
    value = {"data": [[images, target]], "accs_all_exps": Evil(marker)}
    if how == "pickle":
        path.write_bytes(pickle.dumps(value))
    elif how == "nested":
        torch.save([images, target, [Evil(marker)]], path)
    else:
        torch.save(value, path, _use_new_zipfile_serialization=how == "torch")
    with pytest.raises(FddkitError, match="is not a set of the official"):
        read_foreign(path, train)
    assert not marker.exists()


def test_a_bomb_is_refused_before_it_is_unpacked(train, tmp_path):
    path = tmp_path / "bomb.pt"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**7))
    with pytest.raises(FddkitError, match="unpacks to more than it holds"):
        read_foreign(path, train)


def attempt(data, train, folder):
    """Read bytes as a set: a set or one sentence, nothing else."""
    path = folder / "images_fuzz.pt"
    path.write_bytes(data)
    try:
        s = read_foreign(path, train)
    except FddkitError as error:
        if "\n" in str(error):
            raise
    else:
        s._check()
        assert s.images.isfinite().all()


@settings(max_examples=150)
@given(data=st.binary(max_size=200))
def test_any_bytes(train, tmp_path, data):
    attempt(data, train, tmp_path)


@settings(max_examples=60)
@given(
    data=st.data(),
    kind=st.sampled_from(["dc", "mtt", "idc"]),
    old=st.booleans(),
)
def test_damaged_files(train, tmp_path, data, kind, old):
    good = bytearray(files(train, tmp_path, old)[kind].read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        # the pickled part, at one end or the other, is where damage means something
        near = data.draw(st.integers(0, 3000))
        at = min(near, len(good) - 1) if data.draw(st.booleans()) else max(len(good) - 1 - near, 0)
        change = data.draw(st.sampled_from(["flip", "cut", "drop", "splice"]))
        if change == "flip":
            good[at] ^= data.draw(st.integers(1, 255))
        elif change == "cut" and at:
            del good[at:]
        elif change == "drop":
            del good[at : at + data.draw(st.integers(1, 50))]
        else:
            good[at:at] = data.draw(st.binary(min_size=1, max_size=20))
    attempt(bytes(good), train, tmp_path)


TENSORS = [torch.zeros(0), torch.ones(2, 3, 16, 16), torch.arange(20), torch.tensor(1.0)]
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=3)
    | st.sampled_from(TENSORS),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["data", "x"]), inner, max_size=2),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100)
@given(value=PLAIN)
def test_any_plain_structure(train, tmp_path, value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    attempt(buffer.getvalue(), train, tmp_path)


def test_a_pickle_that_claims_a_giant_string(train, tmp_path):
    attempt(b"\x80\x04\x8e" + struct.pack("<Q", 2**62) + b"x", train, tmp_path)


# --- the command ----------------------------------------------------------------------------


def test_import_then_evaluate(train, tmp_path, capsys):
    path, out = files(train, tmp_path)["idc"], tmp_path / "s.safetensors"
    arguments = ["import", str(path), "--method", "idc", "--out", str(out)]
    assert cli.main(arguments) == 0
    assert "IDC's format, 2x2 small images in each" in capsys.readouterr().out
    assert cli.main(arguments) == 2
    assert "exists; choose another output file" in capsys.readouterr().err
    assert cli.main([*arguments, "--overwrite"]) == 0
    command = ["evaluate", str(out), "--preset", "smoke", "--repeats", "1", "--set", "epochs=1"]
    assert cli.main(command) == 0
    assert "accuracy" in capsys.readouterr().out
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"nothing")
    assert cli.main(["import", str(bad), "--out", str(tmp_path / "t.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "t.safetensors").exists()
