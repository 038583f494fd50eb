"""How a file can be damaged, or forged by somebody who knows its format; the same for each seed."""

import json
import os
import random
import socket
import stat
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load, save
from torch import Tensor

from fddkit.core.files import digest
from fddkit.core.tensors import seal

HUGE = 10 * 2**20  # of a text
DEEP = 10**5  # levels


@dataclass(frozen=True)
class Mutant:
    """What is put in the place of a file.

    Attributes
    ----------
    group, kind : str
        How it came to be; the group is ``plain``, ``header``, ``sealed`` or ``special``.
    data : bytes or None
        What it holds; None where it is no plain file with content.
    put : callable
        Puts it at a path.
    forged : bool
        Whether its seal, if it has one, may stand although it says something else.
    """

    group: str
    kind: str
    data: bytes | None
    put: Callable[[Path], object]
    forged: bool = False


def holding(group: str, kind: str, data: bytes, forged: bool = False) -> Mutant:
    return Mutant(group, kind, data, lambda path: path.write_bytes(data), forged)


# --- plain: whatever the file is ----------------------------------------------------------------


def _at(r: random.Random, data: bytes) -> int:
    """Return a place, in the first part as often as in all of it: there the structure is."""
    end = len(data) if r.random() < 0.5 else min(len(data), 2048)
    return r.randrange(end) if end else 0


def _bit(r, data, _):
    found = bytearray(data)
    for _ in range(r.choice((1, 1, 2, 8))):
        found[_at(r, data)] ^= 1 << r.randrange(8)
    return bytes(found)


def _run(r, data, _):
    at, size = _at(r, data), r.choice((1, 4, 8, 64, 512))
    return data[:at] + r.randbytes(size) + data[at + size :]


def _cut(r, data, _):
    return data[: _at(r, data)]


def _without(r, data, _):
    at = _at(r, data)
    return data[:at] + data[at + r.choice((1, 8, 64)) :]


def _inserted(r, data, _):
    at = _at(r, data)
    return data[:at] + r.randbytes(r.choice((1, 8, 64))) + data[at:]


def _extended(r, data, _):
    return data + (bytes(4096) if r.random() < 0.5 else r.randbytes(r.choice((1, 100))))


def _swapped(r, data, _):
    size = r.choice((8, 64, 512))
    a, b = sorted((_at(r, data), _at(r, data)))
    a, b = min(a, b - size) if b > size else 0, b
    return (
        data[:a] + data[b : b + size] + data[a + size : b] + data[a : a + size] + data[b + size :]
    )


def _zeroed(r, data, _):
    at, size = _at(r, data), r.choice((16, 512, 4096))
    return data[:at] + bytes(len(data[at : at + size])) + data[at + size :]


PLAIN = {
    "bits flipped": _bit,
    "bytes replaced": _run,
    "truncated": _cut,
    "bytes left out": _without,
    "bytes inserted": _inserted,
    "extended": _extended,
    "doubled": lambda r, data, _: data * 2,
    "blocks swapped": _swapped,
    "page of zeros": _zeroed,
    "empty": lambda r, data, _: b"",
    "random bytes": lambda r, data, _: r.randbytes(r.choice((1, 7, 8, 100, 5000))),
    "another of our files": lambda r, data, others: r.choice(others),
}


# --- JSON: text in, text out, for much of it no value of Python stands ------------------------

_HOLE = "\ue000hole\ue000"
_TEXTS = (
    "", "x", "\x1b]0;owned\x07", "\x1b[2J\x1b[31m", "\0", "a\nb", "\u202egnp", "../../etc/passwd",
    "/dev/zero", "digits", "finished", "<script>", "{{x}}", "%s%n", "\x85\x9b2J",
)  # fmt: skip
_VALUES = (
    "null", "true", "false", "0", "-1", "1", "2", "3", "2.5", "-0.0", "1e300", "-1e300", "1e-300",
    "1e999", "-1e999", "NaN", "Infinity", "-Infinity", "9" * 19, "9" * 30, "-" + "9" * 30,
    "9" * 400, "9" * 5000, '"2"', '"\\ud800"', '"\\udc80x"', "[]", "{}", "[[]]", "[null]",
    "[0]", "[-1]", '[1, "a", null]', '{"a": 1}', '{"": {"": ""}}', "[[[[[[0]]]]]]",
    '["\\u001b[31m"]', '["x", "x"]', "[1e300, 0.1]", "", "1]", "'x'", "[" * 70 + "]" * 70,
    *map(json.dumps, _TEXTS),
)  # fmt: skip
_LARGE = (
    lambda: "[" * DEEP + "]" * DEEP,
    lambda: '{"a":' * DEEP + "0" + "}" * DEEP,
    lambda: json.dumps("x" * HUGE),
    lambda: json.dumps("\x1b" * HUGE),
    lambda: json.dumps([0] * (HUGE // 20)),
    lambda: "[" + "[]," * (HUGE // 6) + "[]]",
)


def _nodes(value, path=()):
    """Yield the path of every node but the root."""
    if not isinstance(value, dict | list):
        return
    for key, one in value.items() if isinstance(value, dict) else enumerate(value):
        yield (*path, key)
        if isinstance(one, dict | list):
            yield from _nodes(one, (*path, key))


def _pick(r, value):
    """Return the container and key of a node; what lies high is picked as often as what is deep."""
    nodes = list(_nodes(value))
    depth = r.choice(sorted({len(path) for path in nodes}))
    path = r.choice([path for path in nodes if len(path) == depth])
    for key in path[:-1]:
        value = value[key]
    return value, path[-1]


def _value(r, value):
    inside, key = _pick(r, value)
    inside[key] = _HOLE
    raw = r.choice(_LARGE)() if r.random() < 0.02 else r.choice(_VALUES)
    return json.dumps(value).replace(json.dumps(_HOLE), raw, 1)


def _left_out(r, value):
    inside, key = _pick(r, value)
    del inside[key]
    return json.dumps(value)


def _more(r, value):
    inside, key = _pick(r, value)
    if isinstance(inside, list):
        inside.insert(key, r.choice((inside[key], None, 0, "x")))
    else:
        name = r.choice(("extra", "", "__class__", "\x1b[31m", "sha256", "name", "x" * 5000))
        inside[name] = r.choice((None, 0, [], {}, "\x1b[31m"))
    return json.dumps(value)


def _twice(r, value):
    """Give a key twice; the last one counts for Python."""
    inside, key = _pick(r, value)
    if isinstance(inside, list):
        return _left_out(r, value)
    one = inside.pop(key)
    inside[_HOLE] = 0
    again = json.dumps(one) if r.random() < 0.5 else r.choice(_VALUES)
    pairs = [f"{json.dumps(key)}: {json.dumps(one)}", f"{json.dumps(key)}: {again}"]
    r.shuffle(pairs)
    return json.dumps(value).replace(f"{json.dumps(_HOLE)}: 0", ", ".join(pairs), 1)


def _near(r, value):
    """Change a value a little, so that it is still of its type."""
    inside, key = _pick(r, value)
    one = inside[key]
    if isinstance(one, bool) or one is None:
        inside[key] = not one
    elif isinstance(one, int | float):
        inside[key] = r.choice((one + 1, one - 1, -one, one * 2, 0, 10**6, 10**12, one + 0.5))
    elif isinstance(one, str):
        inside[key] = r.choice((one[:-1], one + "x", one.upper(), one[::-1], *_TEXTS))
    elif isinstance(one, list):
        inside[key] = r.choice((one[:-1], one[::-1], one * 2, one[:1] * 50, [one]))
    else:
        inside[key] = dict(list(one.items())[:-1])
    return json.dumps(value)


def _laid_out(r, value):
    return json.dumps(value, indent=r.choice((0, 1, 7)), sort_keys=r.random() < 0.5)


def _root(r, value):
    return r.choice(_LARGE)() if r.random() < 0.05 else r.choice(_VALUES)


JSON = {
    "value replaced": _value,
    "value changed a little": _near,
    "key or item left out": _left_out,
    "key or item added": _more,
    "key given twice": _twice,
    "laid out anew": _laid_out,
    "all of it replaced": _root,
}
_OFTEN = (8, 5, 2, 2, 1, 1, 1)


def altered(r: random.Random, value, keys=()) -> tuple[str, str]:
    """Return the name of an alteration and the JSON that it makes of a value.

    Where there are ``keys``, one of those is replaced as often as not.
    """
    value = json.loads(json.dumps(value))
    if keys and r.random() < 0.3:
        key = r.choice(list(keys))
        value[key] = _HOLE
        return f"{key} replaced", json.dumps(value).replace(json.dumps(_HOLE), r.choice(_VALUES), 1)
    kind = r.choices(list(JSON), _OFTEN)[0]
    with suppress(IndexError):  # nothing in it to pick
        return kind, JSON[kind](r, value)
    return "all of it replaced", _root(r, value)


def _loose(text: str):
    """Return what JSON says, or None; NaN and the like are taken."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


# --- files of tensors -------------------------------------------------------------------------


def split(data: bytes) -> tuple[dict, dict, bytes]:
    """Return the outer header, ours, and the bytes of the tensors."""
    size = struct.unpack("<Q", data[:8])[0]
    outer = json.loads(data[8 : 8 + size])
    return outer, json.loads(outer["__metadata__"]["fddkit"]), data[8 + size :]


def _held(data: bytes) -> dict[str, Tensor]:
    """Return the tensors of a file, always in the same order."""
    return dict(sorted(load(data).items()))


def join(outer: str | dict, body: bytes) -> bytes:
    text = outer if isinstance(outer, str) else json.dumps(outer)
    head = text.encode(errors="surrogatepass")
    return struct.pack("<Q", len(head)) + head + body


def signed(tensors: dict[str, Tensor], text: str) -> bytes:
    """Return a file of tensors and the JSON of a header, with the seal that belongs to them."""
    header = _loose(text)
    if isinstance(header, dict):
        header.pop("sha256", None)
        with suppress(ValueError, RecursionError):  # of NaN or depth there is no seal
            text = text.rstrip()[:-1] + f', "sha256": "{seal(tensors, header)}"}}'
    return save(tensors, {"fddkit": text})


def _our_header(r, data):
    outer, header, body = split(data)
    kind, outer["__metadata__"]["fddkit"] = altered(r, header, ("format", "kind", "sha256"))
    return kind, join(outer, body)


def _outer_header(r, data):
    outer, _, body = split(data)
    kind, text = altered(r, outer)
    return f"outer: {kind}", join(text, body)


def _of_a_tensor(r, data):
    outer, _, body = split(data)
    name = r.choice([name for name in outer if name != "__metadata__"])
    entry = outer[name]
    key = r.choice(("dtype", "shape", "data_offsets"))
    begin, end = entry["data_offsets"]
    entry[key] = {
        "dtype": lambda: r.choice(
            ("F16", "BF16", "BOOL", "F8_E4M3", "F8_E5M2", "F4", "F6_E2M3", "F8_E8M0", "F64", "I32",
             "U8", "C64", "U64", "X", "", None)
        ),
        "shape": lambda: r.choice(
            ([], [0], [-1], [2**40, 2**40], [2**63], [2**64], entry["shape"][::-1], "x", [1.5],
             [*entry["shape"], 1], [0, *entry["shape"]], [1] * 70)
        ),
        "data_offsets": lambda: r.choice(
            ([-8, end], [begin, end + 8], [end, begin], [0, 8], [begin + 4, end + 4], [begin], [],
             [0, 2**63], [begin, begin], [2**64, 2**65], "x", None)
        ),
    }[key]()  # fmt: skip
    return f"{key} of a tensor", join(outer, body)


def _length(r, data):
    size = struct.unpack("<Q", data[:8])[0]
    lie = r.choice(
        (0, 1, 2, size - 1, size + 1, size + 8, len(data), 2**31, 2**62, 2**63, 2**64 - 1)
    )
    return "length of the header", struct.pack("<Q", lie) + data[8:]


def _deep(r, data):
    outer, _, body = split(data)
    deep = r.choice(("[" * DEEP + "]" * DEEP, '{"a":' * DEEP + "0" + "}" * DEEP))
    if r.random() < 0.5:
        outer["__metadata__"]["fddkit"] = deep
        return "nested deeply", join(outer, body)
    return "outer: nested deeply", join(deep, body)


_DTYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool, torch.int32,
    torch.int64, torch.uint8, torch.float8_e4m3fn, torch.complex64,
)  # fmt: skip
_NAMES = (
    "x", "extra.x", "extra.network", "extra.window", "net.x", "optimiser.99.exp_avg", "optimiser.x",
    "whitening.mean", "\x1b[31m", "a" * 5000,
)  # fmt: skip
_NUMBERS = (
    float("nan"),
    float("inf"),
    float("-inf"),
    0,
    -1,
    1,
    1e38,
    -1e38,
    1e-38,
    2**40,
    -(2**62),
)


def _change(r: random.Random, tensors: dict[str, Tensor]) -> str:
    """Change the tensors of a file in place and return how."""
    name = r.choice(list(tensors))
    x = tensors[name]
    how = r.choice(
        ("left out", "added", "renamed", "dtype", "shape", "cut", "longer", "no rows", "number",
         "numbers", "all alike", "swapped", "shuffled")
    )  # fmt: skip
    if how == "left out":
        del tensors[name]
    elif how == "added":
        new = r.choice(_NAMES)
        tensors[new] = r.choice((torch.zeros(3), torch.zeros(0, dtype=torch.int64), x.clone()))
    elif how == "renamed":
        tensors[r.choice((name + "x", name[:-1], name.upper(), "\x1b]0;x\x07"))] = tensors.pop(name)
    elif how == "dtype":
        tensors[name] = x.to(r.choice(_DTYPES))
    elif how == "shape":
        tensors[name] = r.choice(
            (x.reshape(-1), x[None], x.reshape(*x.shape, 1), x.mT if x.ndim > 1 else x[..., None])
        )
    elif how == "cut":
        tensors[name] = x[: len(x) // 2] if x.ndim else x[None]
    elif how == "longer":
        tensors[name] = torch.cat([x, x[-1:]]) if x.ndim and len(x) else torch.zeros(2).to(x.dtype)
    elif how == "no rows":
        tensors[name] = x[:0] if x.ndim and r.random() < 0.7 else x.new_zeros((2, 0))
    elif how in ("number", "numbers") and x.numel():
        flat = x.reshape(-1).clone()
        number = r.choice(_NUMBERS)
        if not x.is_floating_point():
            number = 7 if number != number or abs(number) == float("inf") else int(number)
            number = (
                number % 256 if x.dtype == torch.uint8 else int(max(-(2**62), min(number, 2**62)))
            )
        for _ in range(1 if how == "number" else 5):
            flat[r.randrange(len(flat))] = number
        tensors[name] = flat.reshape(x.shape)
    elif how == "all alike":
        tensors[name] = torch.full_like(x, r.choice((0, 1, 3)))
    elif how == "swapped":
        other = r.choice(list(tensors))
        tensors[name], tensors[other] = tensors[other], x
    else:
        order = list(range(len(x))) if x.ndim else []
        r.shuffle(order)
        tensors[name] = x[order] if order else x
    return f"tensor: {how}"


def _forged_tensors(r, data):
    _, header, _ = split(data)
    tensors = _held(data)
    kinds = [_change(r, tensors) for _ in range(r.choice((1, 1, 2))) if tensors]
    plain = {name: x.clone(memory_format=torch.contiguous_format) for name, x in tensors.items()}
    header.pop("sha256")
    return kinds[0], signed(plain, json.dumps(header))


def _forged_header(r, data, keys):
    _, header, _ = split(data)
    header.pop("sha256")
    kind, text = altered(r, header, keys)
    return f"sealed: {kind}", signed(_held(data), text)


def _forged_both(r, data, keys):
    _, header, _ = split(data)
    header.pop("sha256")
    tensors = _held(data)
    kind = _change(r, tensors)
    plain = {name: x.clone(memory_format=torch.contiguous_format) for name, x in tensors.items()}
    return f"{kind}, and the header", signed(plain, altered(r, header, keys)[1])


_TENSOR_HEADERS = (
    _our_header,
    _our_header,
    _our_header,
    _outer_header,
    _of_a_tensor,
    _length,
    _deep,
)


def _tensors(r, data, keys):
    if r.random() < 0.4:
        kind, found = r.choice(_TENSOR_HEADERS)(r, data)
        return holding("header", kind, found)
    how = r.random()
    if how < 0.5:
        return holding("sealed", *_forged_tensors(r, data), forged=True)
    if how < 0.9:
        return holding("sealed", *_forged_header(r, data, keys), forged=True)
    return holding("sealed", *_forged_both(r, data, keys), forged=True)


# --- reports, and JSON without a seal ------------------------------------------------------------


def _sealed_json(r, data, keys):
    value = json.loads(data)
    if r.random() < 0.4:
        kind, text = altered(r, value, ("format", "format_version", "sha256"))
        return holding("header", kind, _encoded(text))
    del value["sha256"]
    kind, text = altered(r, value, keys)
    found = _loose(text)
    if isinstance(found, dict):
        with suppress(ValueError, RecursionError):
            own = digest(json.dumps(found, sort_keys=True))
            text = text.rstrip()[:-1] + f', "sha256": "{own}"}}'
    return holding("sealed", kind, _encoded(text), forged=True)


def _json(r, data, keys):
    kind, text = altered(r, json.loads(data), keys)
    return holding("header", kind, _encoded(text), forged=True)


def _encoded(text: str) -> bytes:
    return text.encode(errors="surrogatepass")


# --- special files ------------------------------------------------------------------------------


def _sparse(size: int, begin: bytes = b""):
    def put(path: Path) -> None:
        with open(path, "wb") as file:
            file.write(begin)
            file.truncate(size)

    return put


def _socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        here = os.open(path.parent, os.O_RDONLY)  # the path of a socket has at most 103 bytes
        try:
            one.bind(f"/proc/self/fd/{here}/{path.name}")
        finally:
            os.close(here)


def _loop(path: Path) -> None:
    path.symlink_to(path.name)


def _dangling(path: Path) -> None:
    path.symlink_to("nowhere at all")


def _folder(path: Path) -> None:
    path.mkdir()
    (path / "treasure").write_text("years of work")


def _unreadable(path: Path) -> None:
    path.write_bytes(b"secret")
    path.chmod(0)


SPECIAL = {
    "a pipe": os.mkfifo,
    "a folder": _folder,
    "a link to itself": _loop,
    "a link to nothing": _dangling,
    "a link to /dev/zero": lambda path: path.symlink_to("/dev/zero"),
    "a link to /dev/full": lambda path: path.symlink_to("/dev/full"),
    "a link to a folder": lambda path: path.symlink_to("/"),
    "a socket": _socket,
    "unreadable": _unreadable,
    "a sparse terabyte": _sparse(2**40),
    "sparse, as large as is read": _sparse(7 * 2**30),
    "sparse, with a beginning": _sparse(3 * 2**30, struct.pack("<Q", 2) + b"{}"),
    "sparse JSON": _sparse(24 * 2**20, b"["),
}


def special(kind: str) -> Mutant:
    return Mutant("special", kind, None, SPECIAL[kind])


# --- one of them --------------------------------------------------------------------------------

_FORMS = {"tensors": _tensors, "report": _sealed_json, "json": _json}


def mutate(r: random.Random, form: str, data: bytes, others: list[bytes], keys=()) -> Mutant:
    """Return a mutant of a file.

    Parameters
    ----------
    r : random.Random
        Decides everything.
    form : str
        ``tensors``, ``report`` or ``json``.
    data : bytes
        The file.
    others : list of bytes
        Our other files.
    keys : sequence of str
        Entries of its header that are altered more often.
    """
    how = r.random()
    if how < 0.02:
        return special(r.choice(list(SPECIAL)))
    if how < 0.3:
        kind = r.choice(list(PLAIN))
        return holding("plain", kind, PLAIN[kind](r, data, others), kind == "another of our files")
    return _FORMS[form](r, data, keys)


def trace(path: Path) -> tuple | None:
    """Return what tells a file from any other that might come in its place; None: there is none."""
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    content = None
    if stat.S_ISREG(found.st_mode) and found.st_size < 2**26:
        mode = stat.S_IMODE(found.st_mode)
        content = path.read_bytes() if mode & 0o400 else b""
    elif stat.S_ISLNK(found.st_mode):
        content = os.readlink(path)
    elif stat.S_ISDIR(found.st_mode):
        content = sorted(os.listdir(path))
    return found.st_ino, stat.S_IFMT(found.st_mode), found.st_size, content
