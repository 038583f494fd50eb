"""Hostile ``.pt`` files, the same ones for the same seed, and a program that has them read.

    python tests/hostile_pt.py read FOLDER SECONDS [NAME ...]
    python tests/hostile_pt.py run FOLDER SECONDS [NAME ...]

The first writes them to FOLDER, gives each to `fddkit.data.official_sets.read_foreign`, and prints
a line of JSON on what became of it. It is a process of its own, whose memory is limited, so that a
file that harms it harms no test. The second loads those that hold code as nobody should, to show
that the code is there and works. Both take at most so many seconds a file.
"""

import io
import json
import marshal
import os
import pickle
import random
import shlex
import signal
import socket
import struct
import sys
import tarfile
import time
import traceback
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

SEED = 20240
IMAGES, LABELS = 20, 10  # of a set for the digits data set, 3x16x16


@dataclass(frozen=True)
class Hostile:
    """A file.

    Attributes
    ----------
    kind, name : str
        What it tries, and which of these it is.
    make : callable
        Writes it to a path.
    fires : bool
        Plain pickle runs what it holds, which makes the canary.
    """

    kind: str
    name: str
    make: Callable[[Path], object]
    fires: bool = False

    @property
    def full(self) -> str:
        """What to call it."""
        return f"{self.kind}/{self.name}"


# --- an assembler of pickles ----------------------------------------------------------------


class Ops(bytes):
    """Opcodes that leave one value on the stack."""


def op(value) -> Ops:
    """Return the opcodes of a value, which may hold opcodes."""
    if isinstance(value, Ops):
        return value
    if isinstance(value, tuple | list | dict):
        items = (each for pair in value.items() for each in pair) if type(value) is dict else value
        inner = b"".join(map(op, items))
        form = {tuple: b"(%bt", list: b"](%be", dict: b"}(%bu"}[type(value)]
        return Ops(form % inner)
    if isinstance(value, bool | None):
        return Ops({None: b"N", True: b"\x88", False: b"\x89"}[value])
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return Ops(b"J" + struct.pack("<i", value))
        data = pickle.encode_long(value)
        return Ops(b"\x8a" + bytes([len(data)]) + data)
    if isinstance(value, float):
        return Ops(b"G" + struct.pack(">d", value))
    if isinstance(value, bytes):
        return Ops(b"B" + struct.pack("<I", len(value)) + value)
    data = value.encode()
    return Ops(b"X" + struct.pack("<I", len(data)) + data)


def name(full: str) -> Ops:
    """Return the opcodes of ``module:name``."""
    module, attribute = full.split(":")
    if "." in attribute:
        return Ops(op(module) + op(attribute) + b"\x93")
    return Ops(f"c{module}\n{attribute}\n".encode())


def apply(function: Ops, *args) -> Ops:
    return Ops(function + op(args) + b"R")


def call(full: str, *args) -> Ops:
    return apply(name(full), *args)


def call_with(full: str, args: tuple, keywords: dict) -> Ops:
    return apply(Ops(name("functools:partial") + op((name(full), *args)) + op(keywords) + b"\x92"))


def build(value: Ops, state) -> Ops:
    return Ops(value + op(state) + b"b")


def pickled(value, protocol: int = 2) -> bytes:
    return (b"\x80" + bytes([protocol]) if protocol > 1 else b"") + op(value) + b"."


def text(data: bytes) -> Ops:
    """Return bytes as protocol 2 writes them."""
    return call("_codecs:encode", data.decode("latin1"), "latin1")


# --- the formats of torch.save --------------------------------------------------------------


def archive(entries: dict[str, bytes], how: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", how) as out:
        for entry, data in entries.items():
            info = zipfile.ZipInfo(entry)
            info.compress_type = how
            out.writestr(info, data)
    return buffer.getvalue()


class Format:
    """One of torch.save's two formats, with a set in it."""

    def __init__(self, old: bool):
        self.old = old
        self.numbers = {
            "0": struct.pack("<f", 0.5) * (IMAGES * 768),
            "1": struct.pack(f"<{IMAGES}q", *(i * LABELS // IMAGES for i in range(IMAGES))),
        }
        self.counts = {"0": IMAGES * 768, "1": IMAGES}

    def storage(self, key="0", kind="torch:FloatStorage", numel=IMAGES * 768, view=None) -> Ops:
        kind = kind if isinstance(kind, Ops) else name(kind)
        found = ("storage", kind, key, "cpu", numel)
        return Ops(op((*found, view) if self.old else found) + b"Q")

    def tensor(
        self, storage=None, offset=0, size=(IMAGES, 3, 16, 16), stride=(768, 256, 16, 1), more=()
    ) -> Ops:
        storage = storage or self.storage()
        hooks = call("collections:OrderedDict")
        return call(
            "torch._utils:_rebuild_tensor_v2", storage, offset, size, stride, False, hooks, *more
        )

    def labels(self) -> Ops:
        return self.tensor(self.storage("1", "torch:LongStorage", IMAGES), 0, (IMAGES,), (1,))

    def file(self, value, protocol: int = 2, numbers: dict | None = None) -> bytes:
        """Return the file of a value."""
        numbers = self.numbers if numbers is None else numbers
        if not self.old:
            entries = {"data.pkl": pickled(value, protocol), "version": b"3\n"}
            entries |= {f"data/{key}": data for key, data in numbers.items()}
            return archive({f"archive/{key}": data for key, data in entries.items()})
        sizes = {"short": 2, "int": 4, "long": 4}
        about = {"protocol_version": 1001, "little_endian": True, "type_sizes": sizes}
        parts = [pickled(each) for each in (0x1950A86A20F9469CFC6C, 1001, about)]
        parts += [pickled(value, protocol), pickled(list(numbers))]
        for key, data in numbers.items():
            parts += [struct.pack("<q", self.counts.get(key, len(data))), data]
        return b"".join(parts)

    def sets(self, **more) -> dict:
        return {"data": [[self.tensor(), self.labels()]], **more}


NEW, OLD = Format(False), Format(True)


def put(data: bytes) -> Callable[[Path], object]:
    return lambda path: path.write_bytes(data)


# --- code -----------------------------------------------------------------------------------


def codes(canary: Path) -> dict[str, Ops]:
    """Return calls that make the canary."""
    c, shell = str(canary), f"touch {shlex.quote(str(canary))}"
    touch, code = ["touch", c], f"open({str(canary)!r}, 'w').close()"
    evil = pickled(call("os:system", shell))
    beside = canary.with_name("helpers")
    system = call("builtins:getattr", call("builtins:__import__", "os"), "system")
    compiled = marshal.dumps(compile(code, "x", "exec"))
    return {
        "os.system": call("os:system", shell),
        "posix.system": call("posix:system", shell),
        "os.popen": apply(name("os:_wrap_close.close"), call("os:popen", shell)),
        "os.mkdir": call("os:mkdir", c),
        "os.open": call("os:open", c, os.O_CREAT | os.O_WRONLY, 384),
        "os.mkfifo": call("os:mkfifo", c),
        "os.symlink": call("os:symlink", "/", c),
        "subprocess.call": call("subprocess:call", touch),
        "subprocess.run": call("subprocess:run", touch),
        "subprocess.check_output": call("subprocess:check_output", touch),
        "subprocess.getoutput": call("subprocess:getoutput", shell),
        "subprocess.Popen": apply(name("subprocess:Popen.wait"), call("subprocess:Popen", touch)),
        "builtins.eval": call("builtins:eval", code),
        "builtins.exec": call("builtins:exec", code),
        "__builtin__.eval": call("__builtin__:eval", code),
        "builtins.open": call("builtins:open", c, "w"),
        "io.open": call("io:open", c, "w"),
        "io.FileIO": call("io:FileIO", c, "w"),
        "builtins.getattr": apply(system, shell),
        "builtins.map": call("builtins:list", call("builtins:map", name("os:system"), [shell])),
        "operator.methodcaller": apply(
            call("operator:methodcaller", "system", shell), call("importlib:import_module", "os")
        ),
        "operator.attrgetter": apply(
            apply(call("operator:attrgetter", "system"), call("importlib:import_module", "os")),
            shell,
        ),
        "functools.partial": apply(call("functools:partial", name("os:system"), shell)),
        "functools.reduce": call("functools:reduce", name("os:mkdir"), [c, 448]),
        "itertools.starmap": call(
            "builtins:list", call("itertools:starmap", name("os:system"), [(shell,)])
        ),
        "timeit.timeit": call("timeit:timeit", code, "pass", name("time:perf_counter"), 1),
        "cProfile.run": call("cProfile:run", code),
        "runpy.run_path": call("runpy:run_path", str(beside / "hub" / "hubconf.py")),
        "types.FunctionType": apply(
            call("types:FunctionType", call("marshal:loads", compiled), {})
        ),
        "pathlib.Path.touch": apply(name("pathlib:Path.touch"), call("pathlib:Path", c)),
        "shutil.copyfile": call("shutil:copyfile", str(beside / "evil.pkl"), c),
        "logging.FileHandler": call("logging:FileHandler", c),
        "zipfile.ZipFile": call("zipfile:ZipFile", c, "w"),
        "tarfile.open": call("tarfile:open", c, "w"),
        "gzip.open": call("gzip:open", c, "wb"),
        "ctypes.CDLL": apply(
            call("builtins:getattr", call("ctypes:CDLL", None), "system"), shell.encode()
        ),
        "pickle.loads": call("pickle:loads", evil),
        "_pickle.loads": call("_pickle:loads", evil),
        "torch.hub.load": call_with(
            "torch.hub:load", (str(beside / "hub"), "canary"), {"source": "local"}
        ),
        "torch.load": call_with("torch:load", (str(beside / "evil.pkl"),), {"weights_only": False}),
        "torch.save": call("torch:save", {}, c),
        "torch.storage._load_from_bytes": call("torch.storage:_load_from_bytes", evil),
        "torch.utils.collect_env.run": call("torch.utils.collect_env:run", shell),
        "torch.jit.execWrapper": call("torch.jit.unsupported_tensor_ops:execWrapper", code, {}, {}),
        "torch.fx._exec_with_source": call("torch.fx.graph_module:_exec_with_source", code, {}),
        "numpy.load": call("numpy:load", str(beside / "evil.pkl"), None, True),
        "numpy.savetxt": call("numpy:savetxt", c, [1.0]),
        "numpy.memmap": call("numpy:memmap", c, "uint8", "w+", 0, (8,)),
        "numpy.ndarray.tofile": apply(name("numpy:ndarray.tofile"), call("numpy:array", [1.0]), c),
        "numpy.testing.runstring": call("numpy.testing._private.utils:runstring", code, {}),
        "fddkit.core.files.write_json": call("fddkit.core.files:write_json", c, 1),
    }


def helpers(canary: Path) -> None:
    """Write the files that some of the calls read."""
    folder = canary.with_name("helpers")
    (folder / "hub").mkdir(parents=True, exist_ok=True)
    shell = f"touch {shlex.quote(str(canary))}"
    (folder / "evil.pkl").write_bytes(pickled(call("os:system", shell)))
    text = f"open({str(canary)!r}, 'w').close()\ndef canary():\n    return 1\n"
    (folder / "hub" / "hubconf.py").write_text(text)


def placed(gadget: Ops, form: Format, where: int):
    """Return a value that holds a call somewhere."""
    return (
        lambda: gadget,
        lambda: form.sets(accs_all_exps=gadget),
        lambda: [gadget, form.labels()],
        lambda: form.sets() | {"x": {"y": [gadget, 1.0]}},
        lambda: [form.tensor(), form.labels(), build(call("collections:OrderedDict"), gadget)],
        lambda: [form.tensor(form.storage(kind=gadget)), form.labels()],
    )[where]()


def code_files(rng: random.Random, canary: Path) -> Iterator[Hostile]:
    for label, gadget in codes(canary).items():
        first = 4 if b"\x93" in gadget else 0  # the protocols that have such names
        last = 2 if b"c__builtin__" in gadget else 5
        for how, form in (("zip", NEW), ("old", OLD)):
            value = placed(gadget, form, rng.randrange(6))
            data = form.file(value, rng.randint(max(first, 2), last))
            yield Hostile("code", f"{label}-{how}", put(data), fires=True)
        data = pickled(gadget, rng.randint(first, last))
        yield Hostile("code", f"{label}-pickle", put(data), fires=True)


# --- tensors and storages -------------------------------------------------------------------

ODD_NUMBERS = (-1, 2**31, 2**40, 2**62, 2**63 - 1, -(2**63), 2**200, 1.5, "7", None, (1,), True)


def tensor_files(rng: random.Random) -> Iterator[Hostile]:
    forms = {"zip": NEW, "old": OLD}

    def both(label, value, numbers=None):
        for how, form in forms.items():
            data = form.file(value(form), numbers=numbers)
            yield Hostile("tensor", f"{label}-{how}", put(data))

    def images(**how):
        return lambda form: [form.tensor(**how), form.labels()]

    for odd in ODD_NUMBERS:
        if odd is not True:
            yield from both(f"offset={odd!r}"[:24], images(offset=odd))
        size, stride = [IMAGES, 3, 16, 16], [768, 256, 16, 1]
        at = rng.randrange(4)
        size[at] = odd
        yield from both(f"size={odd!r}"[:24], images(size=tuple(size)))
        stride[at] = odd
        if odd is not True:
            yield from both(f"stride={odd!r}"[:24], images(stride=tuple(stride)))
    yield from both("stride-0", images(stride=(0, 256, 16, 1)))
    yield from both("huge-stride-0", images(size=(10**9, 3, 16, 16), stride=(0,) * 4))
    yield from both("sizes-and-strides", images(stride=(768, 256, 16)))
    yield from both("many-dimensions", images(size=(1,) * 100_000, stride=(1,) * 100_000))
    yield from both("size-list", images(size=5, stride=None))
    yield from both("beyond", images(offset=IMAGES * 768 - 1))
    yield from both("short-storage", images(), {"0": bytes(8), "1": NEW.numbers["1"]})
    yield from both("no-storage", images(), {"1": NEW.numbers["1"]})
    for key in ("../../../etc/passwd", "", "data.pkl", 7, None, (1, 2)):
        yield from both(f"key={key}", lambda form, k=key: [form.tensor(form.storage(k)), 1])
    for kind in ("QUInt4x2", "QInt8", "ComplexFloat", "Untyped", "Typed", "Nothing"):
        stored = f"torch:{kind}Storage"
        yield from both(
            kind, lambda form, s=stored: [form.tensor(form.storage(kind=s)), form.labels()]
        )
    for numel in (-1, 2**62, "x"):
        made = lambda form, n=numel: [form.tensor(form.storage("9", numel=n)), form.labels()]  # noqa: E731
        yield from both(f"numel={numel}", made)
    for pid in ("storage", (), ("module", 1, 2, 3), ("storage",), [1], ("storage", 1, 2, 3, 4)):
        made = lambda form, p=pid: [form.tensor(Ops(op(p) + b"Q")), 1]  # noqa: E731
        yield from both(f"pid={pid}", made)
    view = ("v", -5, 2**62)
    yield Hostile(
        "tensor",
        "view-beyond",
        put(OLD.file([OLD.tensor(OLD.storage(view=view)), OLD.labels()])),
    )

    ordered = call("collections:OrderedDict")
    float32, coo = (
        name("torch:float32"),
        call("torch.serialization:_get_layout", "torch.sparse_coo"),
    )
    csr = call("torch.serialization:_get_layout", "torch.sparse_csr")
    rebuild = "torch._utils:_rebuild_"

    def special(form):
        index = form.tensor(form.storage("1", "torch:LongStorage", IMAGES), 0, (2, 10), (10, 1))
        affine = (name("torch:per_tensor_affine"), 0.0, 2**40)
        channel = (name("torch:per_channel_affine"), index, index, 99)
        stored, big = form.storage(), (2**40, 2**40)
        size = call("torch:Size", [2**31, 2**31])
        return {
            "qtensor": (f"{rebuild}qtensor", stored, 0, (4, 4), (4, 1), affine, False, ordered),
            "qchannel": (f"{rebuild}qtensor", stored, 0, big, (0, 0), channel, False, ordered),
            "coo": (f"{rebuild}sparse_tensor", coo, (index, form.tensor(), size, True)),
            "csr": (f"{rebuild}sparse_tensor", csr, (index, index, form.tensor(), size)),
            "nested": (f"{rebuild}nested_tensor", form.tensor(), index, index, index),
            "meta": (f"{rebuild}meta_tensor_no_storage", float32, big, (0, 0), False),
            "wrapper": (
                *(f"{rebuild}wrapper_subclass", name("torch:Tensor"), float32, big, (1, 1), 0),
                *(name("torch:strided"), "cuda:0", False),
            ),
            "xla": (f"{rebuild}xla_tensor", form.tensor(), float32, "xla:0", False),
            "device": (
                f"{rebuild}device_tensor_from_numpy",
                form.tensor(),
                float32,
                "cuda:9",
                False,
            ),
            "v3": (f"{rebuild}tensor_v3", stored, 0, big, (0, 0), False, ordered, float32, {}),
            "typed": ("torch._tensor:_rebuild_from_type_v2", name("torch:Tensor"), 1, (), {}),
            "untyped": ("torch.storage:UntypedStorage", 6 * 10**9),
            "float": ("torch:FloatTensor", 6 * 10**9),
            "parameter": (f"{rebuild}parameter", 5, False, ordered),
            "as_strided": ("torch:as_strided", form.tensor(), big, (0, 0)),
            "from_file": ("torch:from_file", "/etc/passwd", True, 100),
            "empty": ("torch:empty", 10**10),
            "frombuffer": ("torch:frombuffer", b"abc", float32),
        }

    for how, form in forms.items():
        for label, (full, *args) in special(form).items():
            data = form.file([call(full, *args), form.labels()])
            yield Hostile("tensor", f"{label}-{how}", put(data))
        for state in ((form.storage(), 0, (2**40,), (1,)), (form.storage(), 10**9, (5,), (1,))):
            made = build(call("torch:Tensor"), state)
            data = form.file([made, form.labels()])
            yield Hostile("tensor", f"set_{state[1]}-{how}", put(data))


# --- NumPy ----------------------------------------------------------------------------------


def dtype(code, *args) -> Ops:
    return call("numpy:dtype", code, *(args or (False, True)))


def state(flags: int = 0, names=None, fields=None, order="<", sub=None, size=-1) -> tuple:
    return (3, order, sub, names, fields, size, -1, flags)


def scalar(kind: Ops, data: bytes, old: bool = True) -> Ops:
    return call(f"numpy.{'core' if old else '_core'}.multiarray:scalar", kind, text(data))


def crash() -> Ops:
    """Return a number of NumPy's whose dtype is forged: making it ends the process."""
    inner = build(dtype("f8"), state(32, ("a",), {"a": (dtype("O"), 0)}))
    return scalar(dtype(("V8", inner), False), bytes(8))


def numpy_files(rng: random.Random) -> Iterator[Hostile]:
    eight = struct.pack("<Q", 0x4141414141)
    array = call("numpy.core.multiarray:_reconstruct", name("numpy:ndarray"), (0,), b"b")
    owned = build(dtype("f8"), state(1, ("a",), {"a": (dtype("O"), 0)}))
    confused = build(dtype("f8"), state(1, ("a",), {"a": (text(b"AAAAAAAA"), 0)}))
    values = {
        "crash": crash(),
        "nested": scalar(dtype([("a", owned)], False), eight),
        "confused": scalar(dtype([("a", confused)], False), eight),
        "object": scalar(dtype("O"), eight),
        "object-8": scalar(dtype("O8"), eight, old=False),
        "void": call("numpy.core.multiarray:scalar", dtype("V1500000000")),
        "text": scalar(dtype("U1500000000"), b""),
        "short": scalar(dtype("f8"), b"1234"),
        "long": scalar(dtype("f4"), eight),
        "empty": call("numpy.core.multiarray:scalar", dtype("f8")),
        "datetime": scalar(dtype("M8"), eight),
        "longdouble": scalar(dtype("f16"), eight * 2),
        "fields": scalar(dtype([("a", "O"), ("b", "f8")]), eight * 2),
        "overlap": scalar(dtype({"names": ["a"], "formats": ["O"], "offsets": [-8]}), eight),
        "metadata": build(dtype("f8"), (4, "<", None, None, None, -1, -1, 0, {"x": 1})),
        "subarray": scalar(build(dtype("f8"), state(sub=(dtype("O"), (2**40,)))), eight),
        "size": scalar(build(dtype("f8"), state(size=2**31 - 1)), eight),
        "order": scalar(build(dtype("f8"), state(order="O")), eight),
        "class": call("numpy.dtypes:Float64DType"),
        "class-build": build(call("numpy.dtypes:Float64DType"), state(63)),
        "array": build(array, (1, (2**40,), dtype("O"), False, b"")),
        "array-object": build(array, (1, (1,), dtype("O"), False, [crash()])),
        "array-bytes": build(array, (1, (1,), dtype("f8"), False, b"")),
        "memmap": call("numpy:memmap", "/etc/passwd", "uint8", "r"),
        "frombuffer": call("numpy:frombuffer", b"", dtype("f8")),
        "zeros": call("numpy:zeros", 10**10),
    }
    values |= {
        f"flags-{flags}": scalar(build(dtype(rng.choice(("f8", "i8"))), state(flags)), eight)
        for flags in (1, 2, 4, 8, 16, 32, 64, 128, 63, 255, -1, 2**40)
    }
    for label, value in values.items():
        form = rng.choice((NEW, OLD))
        data = form.file(form.sets(accs_all_exps={"ConvNet": [value]}))
        yield Hostile("numpy", label, put(data))


# --- memory and time ------------------------------------------------------------------------


def doubling(turns: int, form: str = "list") -> Ops:
    """Return a value that holds two of a value that holds two..., which few bytes say."""
    made = b"K\x00\x85q\x00" if form == "tuple" else b"]q\x00"
    twice = b"0h%ch%c\x86q%c" if form == "tuple" else b"0](h%ch%ceq%c"
    for turn in range(turns):
        made += twice % (turn, turn, turn + 1)
    return Ops(made)


def resource_files() -> Iterator[Hostile]:
    key = doubling(40, "tuple")
    collide = b"".join(op(n * (2**61 - 1)) + b"N" for n in range(1, 120_000))
    values = {
        "bytearray": call("builtins:bytearray", 6 * 10**9),
        "bytes": call("builtins:bytes", 6 * 10**9),
        "range": call("builtins:list", call("builtins:range", 10**10)),
        "power": call("builtins:pow", 10, 10**9),
        "bytearray8": Ops(b"\x96" + struct.pack("<Q", 6 * 10**9)),
        "bytes8": Ops(b"\x8e" + struct.pack("<Q", 6 * 10**9)),
        "unicode8": Ops(b"\x8d" + struct.pack("<Q", 2**62)),
        "long4": Ops(b"\x8b" + struct.pack("<i", 2**31 - 1)),
        "long4-negative": Ops(b"\x8b" + struct.pack("<i", -5)),
        "long4-long": Ops(b"\x8b" + struct.pack("<i", 10**6) + b"\x7f" * 10**6),
        "long-text": Ops(b"L" + b"9" * 10**6 + b"L\n"),
        "memo": Ops(b"Nr" + struct.pack("<I", 2**31)),
        "memo-900M": Ops(b"Nr" + struct.pack("<I", 9 * 10**8)),
        "frame": Ops(b"\x95" + struct.pack("<Q", 2**62) + b"N"),
        "sets": Ops(b"(" + b"\x8f" * 4 * 10**7 + b"l"),
        "dicts": Ops(b"(" + b"}" * 4 * 10**7 + b"l"),
        "strings": Ops(
            b"(" + (b"X" + struct.pack("<I", 10**6) + b"x" * 10**6) + b"2" * 10**6 + b"t"
        ),
        "laughs": doubling(100),
        "laughs-tuple": doubling(100, "tuple"),
        "laughs-printed": NEW.tensor(NEW.storage(doubling(60))),
        "deep-list": Ops(b"]" * 2 * 10**6 + b"a" * (2 * 10**6 - 1)),
        "deep-tuple": Ops(b"N" + b"\x85" * 2 * 10**6),
        "deep-key": Ops(b"}N" + b"\x85" * 2 * 10**6 + b"Ns"),
        "itself": Ops(b"]q\x00h\x00a"),
    }
    for label, value in values.items():
        form = OLD if label in ("sets", "deep-key") else NEW
        yield Hostile("memory", label, put(form.file(value, 4)))
    times = {
        "hash": Ops(b"}" + key + b"Ns"),
        "hash-set": Ops(b"\x8f(" + key + b"\x90"),
        "collisions": Ops(b"}(" + collide + b"u"),
    }
    for label, value in times.items():
        for how, form in (("zip", NEW), ("old", OLD)):
            yield Hostile("time", f"{label}-{how}", put(form.file(form.sets(x=value), 4)))
    pattern = call("re:compile", "(a+)+$")
    sleep = {"sleep": call("time:sleep", 10**6), "stdin": call("builtins:input")}
    sleep["regex"] = apply(name("re:Pattern.match"), pattern, "a" * 50 + "b")
    for label, value in sleep.items():
        yield Hostile("time", label, put(NEW.file(NEW.sets(x=value), 4)))


# --- the pickle machine ---------------------------------------------------------------------


def pickle_files(rng: random.Random) -> Iterator[Hostile]:
    streams = {
        "nothing": b"",
        "stop": b".",
        "pop": b"0" * 5,
        "pop-mark": b"1" * 5,
        "dup": b"2",
        "mark": b"(" * 10**6,
        "get": b"h\x07",
        "long-get": b"j\xff\xff\xff\xff",
        "text-get": b"g-1\n",
        "put-negative": b"Np-1\n",
        "memoize": b"\x94",
        "append": b"Na",
        "appends": b"N(NNe",
        "append-string": op("x") + b"Na",
        "setitem": b"NNNs",
        "setitems-odd": b"}(Nu",
        "additems": b"N(N\x90",
        "build-none": b"NNb",
        "build-list": b"]}b",
        "build-dict": op({}) + op({"__class__": 1}) + b"b",
        "build-function": build(name("collections:OrderedDict"), {"__code__": 1}),
        "build-slots": build(name("collections:OrderedDict"), (None, {"__code__": b"x"})),
        "build-defaults": build(
            name("torch._utils:_rebuild_parameter"), (None, {"__globals__": {}})
        ),
        "reduce": b"N)R",
        "reduce-string": op("x") + b")R",
        "reduce-list": b"]]R",
        "newobj": b"N)\x81",
        "newobj-function": name("collections:OrderedDict") + b")\x81",
        "newobj-ex": b"N)}\x92",
        "obj": b"(" + name("os:getcwd") + b"o",
        "obj-own": b"(" + name("collections:OrderedDict") + b"o",
        "inst": b"(ios\ngetcwd\n",
        "inst-class": b"(i__main__\n_Tensor\n",
        "extension": b"\x82\x01",
        "extension-4": b"\x84\xff\xff\xff\xff",
        "persid": b"Pabc\n",
        "buffer": b"\x97",
        "read-only": b"N\x98",
        "protocol": b"\x80\x09N",
        "stack-global": b"NN\x93",
        "stack-global-own": name("__main__:_Unpickler.find_class"),
        "own-storage": name("__main__:_Storage"),
        "own-os": name("__main__:os.system"),
        "float-text": b"Fnan" + b"0" * 10**5 + b"\n",
        "int-text": b"I" + b"1" * 10**5 + b"\n",
        "string-text": b"S'\\\n",
        "unicode-text": b"V\\ud8\n",
        "surrogates": b"X\x03\x00\x00\x00\xed\xa0\x80",
        "bad-utf8": b"X\x02\x00\x00\x00\xff\xfe",
    }
    for label, stream in streams.items():
        form = rng.choice((NEW, OLD))
        yield Hostile("pickle", label, put(form.file(Ops(stream), rng.choice((2, 4, 5)))))
    for at in range(20):  # opcodes drawn at random
        form = rng.choice((NEW, OLD))
        data = bytes(
            rng.choices(b"()]}NKJUXG.0123456789abcehijloqrstu\x80\x85\x86\x87\x93R", k=300)
        )
        yield Hostile("pickle", f"random-{at}", put(form.file(Ops(data))))


# --- archives and other formats -------------------------------------------------------------


def cut_files(rng: random.Random) -> Iterator[Hostile]:
    for how, form in (("zip", NEW), ("old", OLD)):
        good = form.file(form.sets())
        places = [1, 2, 4, 30, len(good) - 1, *(rng.randrange(len(good)) for _ in range(15))]
        for at in places:
            yield Hostile("cut", f"{how}-{at}", put(good[:at]))


def archive_files(canary: Path) -> Iterator[Hostile]:
    evil = pickled(call("os:system", f"touch {shlex.quote(str(canary))}"))
    good = pickled(NEW.sets())
    whole = {"archive/data.pkl": good, "archive/data/0": bytes(61440), "archive/data/1": bytes(160)}
    stored, deflated = zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED
    plain = NEW.file(NEW.sets())
    claims = bytearray(plain)
    at = claims.index(b"PK\x01\x02")
    claims[at + 20 : at + 28] = b"\xfe\xff\xff\x7f" * 2
    locked = bytearray(plain)
    locked[locked.index(b"PK\x01\x02") + 8] |= 1
    strange = bytearray(plain)
    strange[strange.index(b"PK\x01\x02") + 10] = 99
    wrong = bytearray(plain)
    wrong[wrong.index(b"PK\x01\x02") + 16] ^= 255
    files = {
        "bomb": archive({"archive/data.pkl": bytes(5 * 10**7)}, deflated),
        "bomb-lzma": archive({"archive/data.pkl": bytes(5 * 10**7)}, zipfile.ZIP_LZMA),
        "bomb-storage": archive(whole | {"archive/data/0": bytes(5 * 10**7)}, deflated),
        "claims": bytes(claims),
        "locked": bytes(locked),
        "strange": bytes(strange),
        "checksum": bytes(wrong),
        "no-pickle": archive({"archive/data/0": b"x"}),
        "nothing": archive({}),
        "many": archive({f"archive/{i}": b"" for i in range(40_000)}),
        "absolute": archive({"/etc/passwd": b"", "/data.pkl": evil}),
        "upwards": archive({"../../x/data.pkl": evil}),
        "folder": archive({"archive/data.pkl/": b""}),
        "order": archive(whole | {"archive/byteorder": b"middle"}),
        "order-bytes": archive(whole | {"archive/byteorder": b"\xff\xfe"}),
        "no-numbers": archive({"archive/data.pkl": good}),
        "short-numbers": archive(whole | {"archive/data/0": b"abc"}),
        "names": archive({"archive\x00/data.pkl": evil, "arch\u00efve/data.pkl": evil}),
        "evil": archive({"archive/data.pkl": evil}, stored),
        "torchscript": archive(
            {
                "m/constants.pkl": pickled(()),
                "m/data.pkl": pickled(build(Ops(name("__torch__:M") + b")\x81"), {"a": 1})),
                "m/code/__torch__.py": b"class M(Module):\n  def forward(self): pass\n",
                "m/version": b"3\n",
            }
        ),
        "end-only": b"PK\x05\x06" + bytes(18),
        "head-only": b"PK\x03\x04" + bytes(300),
        "pickle-then-zip": evil + plain,
        "zip-then-zip": plain[:-22] + archive({"archive/data.pkl": evil}),
    }
    for label, data in files.items():
        yield Hostile("archive", label, put(data), fires=label == "pickle-then-zip")


def tar(canary: Path, pickle_: bytes) -> bytes:
    """Return the format that torch.save wrote first."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:", format=tarfile.PAX_FORMAT) as out:
        none = pickled(0) + pickled([])
        for entry, data in {"storages": none, "tensors": none, "pickle": pickle_}.items():
            info = tarfile.TarInfo(entry)
            info.size = len(data)
            out.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def format_files(rng: random.Random, canary: Path) -> Iterator[Hostile]:
    evil = call("os:system", f"touch {shlex.quote(str(canary))}")

    def npy(head: str, data: bytes = b"") -> bytes:
        return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data

    objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }\n"
    numbers = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
    huge = "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999,), }\n"
    tensors = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    files = {
        "empty": b"",
        "byte": b"\x80",
        "zeros": bytes(10**6),
        "text": b"images and labels\n",
        "json": b'{"data": [[[0.5], [1]]]}',
        "npy": npy(numbers, bytes(8)),
        "npy-objects": npy(objects, pickled(evil)),
        "npy-huge": npy(huge),
        "npz": archive({"images.npy": npy(numbers, bytes(8)), "labels.npy": npy(objects)}),
        "safetensors": struct.pack("<Q", len(tensors)) + tensors + bytes(4),
        "png": b"\x89PNG\r\n\x1a\n" + bytes(50),
        "gzip": b"\x1f\x8b\x08" + bytes(50),
        "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(50),
        "elf": b"\x7fELF\x02\x01\x01" + bytes(60),
        "python": f"import os\nos.system('touch {canary}')\n".encode(),
        "tar": tar(canary, pickled({"data": []})),
        "tar-evil": tar(canary, pickled(evil)),
        "magic": pickled(0x1950A86A20F9469CFC6C),
        "magic-protocol": pickled(0x1950A86A20F9469CFC6C) + pickled(1000) + pickled({}),
        "magic-other": pickled(1) + pickled(1001),
        **{f"pickle{p}": pickle.dumps({"data": [[[0.5], [1]]]}, p) for p in range(6)},
    }
    for label, data in files.items():
        yield Hostile("format", label, put(data))
    for at in range(10):
        yield Hostile("format", f"random-{at}", put(rng.randbytes(rng.randrange(1, 5000))))


def place_files() -> Iterator[Hostile]:
    def sock(path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as one, suppress(OSError):
            here = os.getcwd()
            os.chdir(path.parent)  # its name may be short only
            one.bind(path.name)
            os.chdir(here)

    def sparse(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(2**40)

    makes = {
        "folder": Path.mkdir,
        "fifo": os.mkfifo,
        "socket": sock,
        "sparse": sparse,
        "missing": lambda path: None,
        "loop": lambda path: path.symlink_to(path.name),
        "dangling": lambda path: path.symlink_to("nowhere.pt"),
    }
    for device in ("zero", "null", "full", "urandom", "stdin", "tty"):
        makes[device] = lambda path, device=device: path.symlink_to(f"/dev/{device}")
    for file in ("mem", "environ", "pagemap"):
        makes[f"proc-{file}"] = lambda path, file=file: path.symlink_to(f"/proc/self/{file}")
    for label, make in makes.items():
        yield Hostile("place", label, make)


def hostile(seed: int, canary: Path) -> list[Hostile]:
    """Return all files; some are to be read as the labels of good images, see `attempt`.

    The last three harm nobody, and are to be read: those that are called ``good``.
    """
    rng = random.Random(seed)
    found = [
        *code_files(rng, canary),
        *tensor_files(rng),
        *numpy_files(rng),
        *resource_files(),
        *pickle_files(rng),
        *cut_files(rng),
        *archive_files(canary),
        *format_files(rng, canary),
        *place_files(),
    ]
    also = rng.sample([each for each in found if each.kind not in ("time", "memory")], 25)
    found += [Hostile("labels", f"{e.kind}-{e.name}", e.make) for e in also]
    good = {"zip": put(NEW.file(NEW.sets())), "old": put(OLD.file(OLD.sets()))}
    good["labels"] = put(NEW.file(NEW.labels()))
    return found + [
        Hostile("labels" if label == "labels" else "good", f"good-{label}", make)
        for label, make in good.items()
    ]


# --- having them read -----------------------------------------------------------------------


def attempt(one: Hostile, folder: Path, canary: Path, train) -> dict:
    """Read a file; return what became of it."""
    from fddkit.core.errors import FddkitError
    from fddkit.data.official_sets import read_foreign

    path, labels = folder / "x.pt", None
    one.make(path)
    if one.kind == "labels":
        path, labels = folder / "images.pt", path
        path.write_bytes(NEW.file(NEW.tensor()))
    start = time.monotonic()
    try:
        read_foreign(path, train, labels=labels)
        outcome = {"outcome": "read"}
    except FddkitError as error:
        outcome = {"outcome": "refused", "sentence": str(error).replace(str(folder), "")}
    except Exception:
        outcome = {"outcome": "failed", "sentence": traceback.format_exc()}
    seconds = round(time.monotonic() - start, 2)
    fired = os.path.lexists(canary)
    return {"full": one.full, **outcome, "seconds": seconds, "fired": fired}


def chosen(folder: Path, names: list[str]) -> Iterator[Hostile]:
    canary = folder / "canary"
    helpers(canary)
    for one in hostile(SEED, canary):
        if not names or one.full in names:
            yield one


def read(folder: Path, seconds: float, names: list[str]) -> None:
    """Have files read, with 2 GiB of memory for this process and as much for its reader."""
    import resource

    import fddkit
    from fddkit.data import official_process

    official_process.SECONDS, official_process.MEMORY = seconds, 2**31
    train = fddkit.load("digits", seed=0)[0]
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + 2**31
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    for at, one in enumerate(chosen(folder, names)):
        own = folder / str(at)
        own.mkdir()
        print(json.dumps(attempt(one, own, folder / "canary", train)), flush=True)


def run(folder: Path, seconds: float, names: list[str]) -> None:
    """Load files without any care, each in a process of its own."""
    import torch

    canary, path = folder / "canary", folder / "x.pt"
    for one in chosen(folder, names):
        if not one.fires:
            continue
        one.make(path)
        child = os.fork()
        if not child:
            signal.alarm(int(seconds))
            os.dup2(2, 1)  # some of them print
            with suppress(BaseException):
                if one.name.endswith(("-zip", "-old")):
                    torch.load(path, weights_only=False)
                else:
                    pickle.loads(path.read_bytes())
            os._exit(0)
        os.waitpid(child, 0)
        found = os.path.lexists(canary)
        print(json.dumps({"full": one.full, "fired": found}), flush=True)
        if found:
            folders = canary.is_dir() and not canary.is_symlink()
            canary.rmdir() if folders else canary.unlink()


if __name__ == "__main__":
    what = {"read": read, "run": run}[sys.argv[1]]
    what(Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
