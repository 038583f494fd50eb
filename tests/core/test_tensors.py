"""Files of tensors: what is read is what was written, of the kind that was asked for."""

import json
import struct

import pytest
import torch
from safetensors.torch import save_file

from fddkit.core import tensors
from fddkit.core.errors import FddkitError
from fddkit.core.kinds import Array, Kind
from fddkit.core.tensors import only, read_header, read_tensors, write_tensors

TOY = Kind(
    "toy",
    "a toy",
    "make another",
    {
        "a": Array(("float32",), ("n", 2)),
        "b": Array(("int64",), ("n",)),
        "c": Array(("float64",), ("m",), optional=True),
        "more.*": Array(("float32", "int64"), None),
    },
    {"k": [int], "name?": (str, None)},
)
OTHER = Kind("other", "another thing", "make another", {"a": Array(("float32",), None)}, {})


def toy(**changes):
    given = {"a": torch.randn(2, 3).T, "b": torch.arange(3), "more.x": torch.tensor(1.5)}
    return {k: v for k, v in (given | changes).items() if v is not None}


def test_what_is_written_is_read(tmp_path):
    given = toy(c=torch.zeros(0, dtype=torch.float64))
    write_tensors(tmp_path / "t", TOY, given, {"k": [1], "name": "ä"})
    found, header = read_tensors(tmp_path / "t", TOY)
    assert found.keys() == given.keys()
    assert all(torch.equal(found[k], given[k]) for k in given)
    assert (header["k"], header["name"], header["kind"]) == ([1], "ä", "toy")
    assert read_header(tmp_path / "t") == header
    assert len(header["sha256"]) == 64


def test_a_seal_is_over_every_part():
    a = toy()
    seal = tensors.seal(a, {"k": [1]})
    assert seal == tensors.seal(dict(reversed(a.items())), {"sha256": "whatever", "k": [1]})
    others = [
        (a, {"k": [2]}),
        ({**a, "b": a["b"] + 1}, {"k": [1]}),
        ({**a, "b": a["b"].int()}, {"k": [1]}),
        ({**a, "a": a["a"].reshape(2, 3)}, {"k": [1]}),
        ({"x": a["a"], "b": a["b"], "more.x": a["more.x"]}, {"k": [1]}),
    ]
    assert seal not in [tensors.seal(*one) for one in others]


def test_a_bit_that_has_flipped_anywhere_is_noticed(tmp_path):
    path = tmp_path / "t"
    data = write_tensors(path, TOY, toy(), {"k": [1]}).read_bytes()
    for at in range(len(data)):
        path.write_bytes(data[:at] + bytes([data[at] ^ (1 << at % 8)]) + data[at + 1 :])
        try:
            found, header = read_tensors(path, TOY)
        except FddkitError:
            continue
        # blanks and other ways of writing the same JSON
        assert all(torch.equal(found[k], toy_is) for k, toy_is in _plain(data).items())
        assert header["k"] == [1]


def _plain(data):
    from safetensors.torch import load

    return load(data)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"a": torch.zeros(3, 3)}, r"a has the shape \[3, 3\], not \[3, 2\]"),
        ({"b": torch.zeros(4, dtype=torch.int64)}, r"b has the shape \[4\], not \[3\]"),
        ({"b": torch.zeros(3, 1, dtype=torch.int64)}, r"b has the shape"),
        ({"a": None}, "it has no a"),
        ({"b": torch.zeros(3)}, "b is float32, not int64"),
        ({"a": torch.full((3, 2), torch.nan)}, "a holds NaN or infinity"),
        ({"more.x": torch.tensor(torch.inf)}, "more.x holds NaN or infinity"),
        ({"x\x1b": torch.zeros(1)}, r"'x ' does not belong in it"),
    ],
)
def test_tensors_of_another_shape_are_neither_written_nor_read(tmp_path, wrong, sentence):
    given = toy(**wrong)
    with pytest.raises(ValueError, match=sentence):
        write_tensors(tmp_path / "t", TOY, given, {"k": [1]})
    assert not (tmp_path / "t").exists()
    # as somebody would write it who knows the format
    loose = Kind("toy", "", "", {"*": Array(("float32", "int64"), None)})
    _seal_anything(tmp_path / "t", loose, given)
    with pytest.raises(FddkitError, match=f"not a toy of fddkit .{sentence}.*make another"):
        read_tensors(tmp_path / "t", TOY)


def _seal_anything(path, kind, given):
    header = {"format": tensors.FORMAT, "kind": kind.name, "k": [1]}
    plain = {k: v.contiguous() for k, v in given.items()}
    header["sha256"] = tensors.seal(plain, header)
    save_file(plain, path, {"fddkit": json.dumps(header)})


@pytest.mark.parametrize(
    ("header", "sentence"),
    [({}, "its header has no k"), ({"k": [1.5]}, r"k\[0\] is a number, not a whole number")],
)
def test_a_header_of_another_shape_is_refused(tmp_path, header, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_tensors(tmp_path / "t", TOY, toy(), header)


def test_a_file_of_another_kind_is_told_apart(tmp_path):
    write_tensors(tmp_path / "t", OTHER, {"a": torch.zeros(1)}, {})
    with pytest.raises(FddkitError, match=r"not a toy of fddkit .its kind is 'other'"):
        read_tensors(tmp_path / "t", TOY)


def test_a_newer_file_is_told_apart(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(tensors, "FORMAT", tensors.FORMAT + 1)
        write_tensors(tmp_path / "t", TOY, toy(), {"k": [1]})
    with pytest.raises(FddkitError, match="update fddkit"):
        read_tensors(tmp_path / "t", TOY)


def test_files_of_before_there_was_a_seal_are_read(tmp_path):
    save_file({"a": torch.zeros(0, 2), "b": torch.zeros(0, dtype=torch.int64)}, tmp_path / "t",
              {"fddkit": json.dumps({"format": 1, "k": []})})  # fmt: skip
    assert read_tensors(tmp_path / "t", TOY)[1]["k"] == []


def test_a_header_that_claims_to_be_huge_is_one_sentence(tmp_path):
    (tmp_path / "t").write_bytes(struct.pack("<Q", 2**62) + b"{}")
    with pytest.raises(FddkitError, match="truncated"):
        read_tensors(tmp_path / "t", TOY)


def test_only_files_of_its_kind_may_be_replaced(tmp_path):
    look, path = only(TOY), tmp_path / "t"
    write_tensors(path, TOY, toy(), {"k": [1]})
    look(path)
    data = path.read_bytes()
    path.write_bytes(data[:-9] + b"damaged!!")
    look(path)
    path.write_bytes(data[: len(data) // 2])
    look(path)
    path.write_bytes(b"")
    look(path)
    path.write_bytes(b"years of work")
    with pytest.raises(FddkitError, match="is kept; choose another name"):
        look(path)
    write_tensors(tmp_path / "o", OTHER, {"a": torch.zeros(1)}, {})
    with pytest.raises(FddkitError, match="is not a toy of fddkit, and is kept"):
        look(tmp_path / "o")
    old = tmp_path / "old"  # of before kinds were named
    save_file({"a": torch.zeros(1)}, old, {"fddkit": json.dumps({"format": 1, "identity": {}})})
    with pytest.raises(FddkitError, match="is kept"):
        look(old)
