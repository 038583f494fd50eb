import io
import json
import os
import pickle
import struct
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import fddkit as fdd
from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.core.files import digest
from fddkit.data import official_process, official_reader
from fddkit.data.official_sets import read_foreign


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
    "not a plain tensor": lambda i, t: ([i.to_sparse(), t], {}),
    "repeat themselves": lambda i, t: ([i[:1].clone().expand(20, -1, -1, -1), t], {}),
    "does not hold images and labels": lambda i, t: ({"data": [[i, t, t]]}, {}),
    "no labels.* with their labels|only images": lambda i, t: (i, {}),
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


# --- as torch.load reads it -----------------------------------------------------------------


def saved(value, old=False, **how):
    buffer = io.BytesIO()
    torch.save(value, buffer, _use_new_zipfile_serialization=not old, **how)
    return buffer.getvalue()


@st.composite
def views(draw):
    """A tensor of some kind of numbers, or a view of one."""
    kinds = ("float16", "bfloat16", "float32", "float64", "uint8", "int8", "int16", "int32")
    dtype = getattr(torch, draw(st.sampled_from((*kinds, "int64"))))
    shape = draw(st.lists(st.integers(0, 4), max_size=4))
    one = torch.randint(0, 100, shape).to(dtype)
    if shape:
        one = one.permute(draw(st.permutations(range(len(shape)))))
        cuts = st.builds(slice, st.integers(0, 2), st.none(), st.integers(1, 3))
        one = one[tuple(draw(cuts) for _ in shape)]
    return one


@settings(max_examples=200)
@given(images=views(), labels=views(), old=st.booleans(), protocol=st.integers(2, 5))
def test_tensors_are_read_as_torch_reads_them(images, labels, old, protocol):
    data = saved([images, labels], old, pickle_protocol=protocol)
    header, arrays = official_reader.read(data, 0)
    assert header["format"] == "idc"
    found = torch.load(io.BytesIO(data), weights_only=False)
    for head, numbers, one in zip(header["arrays"], arrays, found, strict=True):
        assert head == {"dtype": str(one.dtype)[6:], "shape": list(one.shape)}
        whole = one.clone(memory_format=torch.contiguous_format).untyped_storage()
        assert numbers == bytes(whole.tolist())


def test_numbers_of_numpy_become_pythons():
    kinds = ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "b1", ">f8", ">i4")
    values = [np.dtype(kind).type(1) for kind in kinds]
    values += [np.array([1.5], kind)[0] for kind in (">f8", "<f4")]
    for protocol in range(2, 6):
        for value in values:
            found = official_reader._Unpickler(io.BytesIO(pickle.dumps(value, protocol))).load()
            assert type(found) in (int, float, bool)
            assert found == value


def test_a_file_of_the_other_byte_order_is_read():
    data = saved([torch.arange(5.0), torch.arange(5)])
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = {name: archive.read(name) for name in archive.namelist()}
    for name, numbers in entries.items():
        if "/data/" in name:
            kind = {20: "f4", 40: "i8"}[len(numbers)]
            entries[name] = np.frombuffer(numbers, f"<{kind}").astype(f">{kind}").tobytes()
        elif name.endswith("byteorder"):
            entries[name] = b"big"
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        for name, numbers in entries.items():
            archive.writestr(name, numbers)
    assert official_reader.read(other.getvalue(), 0) == official_reader.read(data, 0)


def test_a_set_saved_from_a_gpu_or_as_a_parameter_is_read(train, tmp_path):
    images, target = some(train)
    data = saved({"data": [[torch.nn.Parameter(images), target]]}, old=True)
    assert data.count(b"cpu") == 1  # the second time, the pickle refers to the first
    path = tmp_path / "x.pt"
    path.write_bytes(data.replace(b"X\x03\x00\x00\x00cpu", b"X\x06\x00\x00\x00cuda:1"))
    assert torch.equal(read_foreign(path, train).images, images)


def test_the_bytes_that_were_read_are_those_whose_hash_is_kept(train, tmp_path, monkeypatch):
    path = files(train, tmp_path)["dc"]
    data = path.read_bytes()
    ask = official_process._ask

    def replaced(*given):
        path.write_bytes(b"something else")
        return ask(*given)

    monkeypatch.setattr(official_process, "_ask", replaced)
    assert read_foreign(path, train).config["source"]["sha256"] == digest(data)


def test_labels_are_a_tensor_alone(train, tmp_path):
    found = files(train, tmp_path)
    with pytest.raises(FddkitError, match=r"holds more than the labels of .*name MTT's"):
        read_foreign(found["mtt"], train, labels=found["dc"])


def test_a_file_that_is_far_too_large_is_not_read(train, tmp_path, monkeypatch):
    monkeypatch.setattr(official_process, "MOST", 1000)
    with pytest.raises(FddkitError, match="more than 1,000"):
        read_foreign(files(train, tmp_path)["dc"], train)


# --- the reader is not trusted --------------------------------------------------------------

GOOD = {
    "format": "idc",
    "arrays": [{"dtype": "float32", "shape": [2]}, {"dtype": "int64", "shape": [1]}],
}


def answer(header, numbers=16):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    return f"out({header!r} + b'\\n' + bytes({numbers}))"


def changed(**how):
    return GOOD | {"arrays": [GOOD["arrays"][0] | how, GOOD["arrays"][1]]}


READERS = {
    "nothing": ("", "no proper answer"),
    "status": ("sys.exit(3)", r"crashed its reader \(status 3\)"),
    "crash": ("os.kill(os.getpid(), signal.SIGSEGV)", r"crashed its reader \(SIGSEGV\)"),
    "abort": ("os.abort()", r"crashed its reader \(SIGABRT\)"),
    "not read": ("os.close(0)", "no proper answer"),
    "garbage": ("out(os.urandom(9999))", "no proper answer"),
    "endless": ("while True: out(bytes(10**6))", "no proper answer|crashed|more than 5 s"),
    "asleep": ("time.sleep(1000)", "more than 5 s"),
    "silent": ("os.close(1); time.sleep(1000)", "more than 5 s"),
    "no JSON": (answer(b"{"), "no proper answer"),
    "deep JSON": (answer(b"[" * 4000), "no proper answer"),
    "list": (answer(["refused"]), "no proper answer"),
    "number": (answer(5), "no proper answer"),
    "long header": (answer(GOOD | {"x": "x" * 5000}), "no proper answer"),
    "unknown word": (answer({"refused": "whatever", "detail": None}), "no proper answer"),
    "word of lists": (answer({"refused": [], "detail": None}), "no proper answer"),
    "much to say": (answer({"refused": "more", "detail": "x\n" * 50}), "data, something else;"),
    "format": (answer(GOOD | {"format": "x"}), "no proper answer"),
    "arrays": (answer(GOOD | {"arrays": []}), "no proper answer"),
    "dtype": (answer(changed(dtype="object")), "no proper answer"),
    "dtype list": (answer(changed(dtype=[])), "no proper answer"),
    "negative": (answer(changed(shape=[-2])), "no proper answer"),
    "two negatives": (answer(changed(shape=[-1, -2])), "no proper answer"),
    "fraction": (answer(changed(shape=[2.0])), "no proper answer"),
    "infinite": (answer(changed(shape=[float("inf")])), "no proper answer"),
    "truth": (answer(changed(shape=[True, 2])), "no proper answer"),
    "text": (answer(changed(shape="2")), "no proper answer"),
    "huge": (answer(changed(shape=[2**40])), "no proper answer"),
    "product": (answer(changed(shape=[10**4, 10**4])), "no proper answer"),
    "huge nothing": (answer(changed(shape=[0, 2**62, 2**62])), "no proper answer"),
    "too few": (answer(GOOD, 15), "no proper answer"),
    "too many": (answer(GOOD, 17), "no proper answer"),
    "shape": (answer(GOOD), "no shape"),
}


@pytest.mark.parametrize("which", READERS)
def test_whatever_a_reader_answers_is_checked(train, tmp_path, monkeypatch, which):
    script, sentence = READERS[which]
    reader, path = tmp_path / "reader.py", tmp_path / "x.pt"
    start = "import os, signal, sys, time\nout = sys.stdout.buffer.write\n"
    reader.write_text(start + f"sys.stdin.buffer.read({10**4})\n" * (which != "not read") + script)
    monkeypatch.setattr(official_process, "_READER", reader)
    if "5 s" in sentence:
        monkeypatch.setattr(official_process, "SECONDS", 5)
    path.write_bytes(bytes(10**4))
    with pytest.raises(FddkitError, match=sentence) as caught:
        read_foreign(path, train)
    assert "\n" not in str(caught.value)


def test_a_process_that_cannot_be_started_is_told(train, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(FddkitError, match="cannot start the process that reads"):
        read_foreign(files(train, tmp_path)["dc"], train)


@pytest.mark.skipif(os.name != "posix", reason="other systems have no such descriptors")
def test_a_reader_is_given_nothing_but_the_file(train, tmp_path, monkeypatch):
    """No variables, no folders, no descriptors of the process that started it."""
    trap = "import pathlib; pathlib.Path(__file__).with_name('sprung').touch()"
    for name in ("sitecustomize", "usercustomize", "zipfile", "json"):
        (tmp_path / f"{name}.py").write_text(trap)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("SECRET", "x")
    monkeypatch.chdir(tmp_path)
    found = files(train, tmp_path)["dc"]
    images = some(train)[0]
    assert torch.equal(read_foreign(found, train).images, images)
    assert not (tmp_path / "sprung").exists()

    told, reader = tmp_path / "told.json", tmp_path / "reader.py"
    reader.write_text(
        textwrap.dedent(f"""
        import json, os, sys
        descriptors = []
        for n in range(3, 256):
            try:
                os.fstat(n)
                descriptors.append(n)
            except OSError:
                pass
        with open({str(told)!r}, "w") as file:
            json.dump([descriptors, sorted(os.environ), sys.path], file)
        """)
    )
    monkeypatch.setattr(official_process, "_READER", reader)
    with open(found, "rb") as file:
        os.set_inheritable(file.fileno(), True)
        with pytest.raises(FddkitError, match="no proper answer"):
            read_foreign(found, train)
    descriptors, variables, folders = json.loads(told.read_text())
    assert descriptors == []
    assert set(variables) <= {*official_process._KEPT, "LC_CTYPE"}  # Python itself sets that one
    assert str(tmp_path) not in folders
    assert not any("site-packages" in folder for folder in folders)


@pytest.mark.skipif(sys.platform != "linux", reason="other systems heed fewer of these limits")
def test_a_reader_can_take_no_more_than_it_needs(tmp_path):
    script = f"""
        import resource, sys
        sys.path.append({str(Path(official_reader.__file__).parent)!r})
        import official_reader
        official_reader._confine(2**30, 20)
        for name in ("AS", "CPU", "CORE", "FSIZE", "NPROC"):
            print(*resource.getrlimit(getattr(resource, "RLIMIT_" + name)))
        for work in (lambda: bytearray(2 * 10**9), lambda: open("x", "w").write("x" * 10**6)):
            try:
                work()
                print("done")
            except (MemoryError, OSError) as error:
                print(type(error).__name__)
    """
    done = subprocess.run(
        [sys.executable, "-I", "-c", textwrap.dedent(script)],
        **{"cwd": tmp_path, "capture_output": True, "text": True, "check": True},
    )
    limits = [f"{n} {n}" for n in (2**30, 20, 0, 0, 0)]
    assert done.stdout.splitlines() == [*limits, "MemoryError", "OSError"]


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
        s.check()
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
        if not good:
            break
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
    assert main(arguments) == 0
    assert "IDC's format, 2x2 small images in each" in capsys.readouterr().out
    assert main(arguments) == 2
    assert "exists; choose another output file" in capsys.readouterr().err
    assert main([*arguments, "--overwrite"]) == 0
    command = ["evaluate", str(out), "--preset", "smoke", "--repeats", "1", "--set", "epochs=1"]
    assert main(command) == 0
    assert "accuracy" in capsys.readouterr().out
    bad = tmp_path / "bad.pt"
    bad.write_bytes(b"nothing")
    assert main(["import", str(bad), "--out", str(tmp_path / "t.safetensors")]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "t.safetensors").exists()
