"""The gate for reading: plain files of bounded size, JSON of a bounded shape."""

import json
import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.core.reading import DEEPEST, clip, conform, parse_json, read_bytes, read_json


def test_a_plain_file_is_read_through_a_link_too(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    (tmp_path / "b").symlink_to(tmp_path / "a")
    assert read_bytes(tmp_path / "b") == b"abc"
    assert read_bytes(tmp_path / "b", first=2) == b"ab"


def _fifo(path):
    os.mkfifo(path)


def _socket(path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(os.path.relpath(path))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (_fifo, "it is not a regular file"),
        (_socket, "cannot read"),
        (lambda path: path.mkdir(), "it is a folder"),
        (lambda path: path.symlink_to("/dev/zero"), "it is not a regular file"),
        (lambda path: path.symlink_to(path), "cannot read"),
        (lambda path: path.symlink_to(path / "x"), "cannot read"),
        (lambda path: None, "No such file"),
        (lambda path: os.truncate(os.open(path, os.O_CREAT | os.O_RDWR), 2**40), "has 1,099,511"),
    ],
)
def test_anything_else_is_one_sentence_at_once(tmp_path, monkeypatch, make, sentence):
    monkeypatch.chdir(tmp_path)
    make(tmp_path / "x")
    with pytest.raises(FddkitError, match=sentence):
        read_bytes(tmp_path / "x")


def test_a_name_that_is_none_is_one_sentence():
    with pytest.raises(FddkitError, match=r"is not a valid file name .*; give another"):
        read_bytes("a\0b")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "Expecting"),
        ("NaN", "NaN is not a JSON number"),
        ("[-Infinity]", "-Infinity is not a JSON number"),
        ("1e999", "a number is too large"),
        ('"\\ud800"', "surrogates not allowed"),
        ('{"\\udfff": 1}', "surrogates not allowed"),
        ("[" * 100_000, "nested too deeply"),
        ('{"a":' * 100_000, "nested too deeply"),
        ("[" * 70 + "]" * 70, "nested too deeply"),
        ("9" * 5000, "Exceeds the limit"),
        (b"\xff\xfe", "codec can't decode"),
        ("", "Expecting value"),
        ("\0", "Expecting value"),
    ],
)
def test_json_that_would_trouble_its_readers_is_one_sentence(tmp_path, text, reason):
    path = tmp_path / "x.json"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(FddkitError, match=rf"x.json is not valid JSON \(.*{reason}") as caught:
        read_json(path)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_json_may_be_as_deep_as_ours_ever_is():
    text = "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1)
    assert parse_json(text, "x") == json.loads(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8")), inner),
)  # fmt: skip


@given(JSON)
def test_all_other_json_is_what_it_says(value):
    assert parse_json(json.dumps(value).encode(), "x") == value


@given(st.lists(JSON) | JSON, st.none() | st.fixed_dictionaries({"c": JSON}) | JSON)
def test_a_shape_is_met_exactly_where_every_part_is(value, other):
    try:
        conform({"a": value, "b": other}, {"a": [float], "b?": ({"c": str}, None)})
        fits = True
    except ValueError:
        fits = False
    numbers = isinstance(value, list) and all(type(x) in (int, float) for x in value)
    assert fits == (
        numbers and (other is None or (isinstance(other, dict) and isinstance(other.get("c"), str)))
    )


@pytest.mark.parametrize(
    ("value", "shape", "reason"),
    [
        (True, int, "it is true or false, not a whole number"),
        (False, float, "it is true or false, not a number"),
        (1.0, int, "it is a number, not a whole number"),
        ("1", (int, None), "it is text, not a whole number or nothing"),
        ([1, "a"], [int], r"it\[1\] is text, not a whole number"),
        ({}, {"a": int}, "it has no a"),
        ({"a": None}, {"a?": int}, "it.a is nothing, not a whole number"),
        ({"x": {"y": [None]}}, {"x": {str: [str]}}, r"it.x.y\[0\] is nothing, not text"),
        ([], {"a": int}, "it is a list, not a dictionary"),
        ({}, [int], "it is a dictionary, not a list"),
        (3, ([int], None), "it is a whole number, not a list or nothing"),
    ],
)
def test_what_does_not_fit_is_named(value, shape, reason):
    with pytest.raises(ValueError, match=f"^{reason}$"):
        conform(value, shape)


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (1, float),
        (1.5, float),
        (None, (int, None)),
        ([], [int]),
        ({"a": 1, "more": object()}, {"a": int}),
        ({}, {"a?": int}),
        ([[1], None], [([int], None)]),
    ],
)
def test_what_fits_passes(value, shape):
    conform(value, shape)


def test_messages_show_short_printable_text():
    assert clip("a\x1b]0;evil\x07\nb\u202e") == "a ]0;evil  b "
    assert clip("x" * 1000) == "x" * 97 + "..."
    assert len(clip("x" * 10**7)) == 100
