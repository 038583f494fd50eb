"""The program that reads a foreign ``.pt`` file in a separate process, for `official_process`.

It needs only Python's standard library, and builds nothing but plain data. torch.save writes a
pickle along with the numbers of its tensors. Whatever the pickle names is looked up in a table of
functions of this module, which only record where the numbers of a tensor are; a name that is not
in the table ends the reading. torch.load, even with ``weights_only``, makes tensors of every kind
from what the file says, and NumPy does the same with its dtypes: a hostile file can use that to
crash the process, or worse.

The file comes through standard input, which stays open for as long as the answer is wanted.
The answer goes to standard output: one line of JSON, then the numbers of the images and labels.
"""

import faulthandler
import io
import json
import os
import pickle
import struct
import sys
import threading
import zipfile
from array import array
from contextlib import suppress
from itertools import product
from math import ceil, prod
from typing import Any

_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001  # of torch.save before torch 1.6
_GRACE = 10  # seconds beyond the limit; by then the parent has ended this process

# torch's names of what a storage holds: our name, and bytes per number
_STORAGES = {
    "Double": ("float64", 8),
    "Float": ("float32", 4),
    "Half": ("float16", 2),
    "BFloat16": ("bfloat16", 2),
    "Long": ("int64", 8),
    "Int": ("int32", 4),
    "Short": ("int16", 2),
    "Char": ("int8", 1),
    "Byte": ("uint8", 1),
    "Bool": ("uint8", 1),
    "ComplexDouble": ("complex", 16),
    "ComplexFloat": ("complex", 8),
    "QInt32": ("quantised", 4),
    "QInt8": ("quantised", 1),
    "QUInt8": ("quantised", 1),
}
_PLAIN = {name for name, _ in _STORAGES.values()} - {"complex", "quantised"}
_CODES = {1: "B", 2: "H", 4: "I", 8: "Q"}  # of unsigned numbers, in `array` and `memoryview`

# NumPy's codes of numbers -> those of `struct`
_NUMBERS = {
    **{"f2": "e", "f4": "f", "f8": "d", "b1": "?"},
    **{"i1": "b", "i2": "h", "i4": "i", "i8": "q"},
    **{"u1": "B", "u2": "H", "u4": "I", "u8": "Q"},
}


class Refused(Exception):
    """The file is not a set that can be read; `official_process` has the sentence for each reason.

    Parameters
    ----------
    reason : str
        One word, a key of the table of sentences.
    detail : str or int, optional
        What the sentence mentions.
    """

    def __init__(self, reason: str, detail: str | int | None = None):
        super().__init__(reason)
        self.reason, self.detail = reason, detail


# --- what a pickle may name -----------------------------------------------------------------


class _Storage:
    """Where the numbers of tensors are: a name in the file, their number and their type."""

    __slots__ = ("dtype", "key", "length", "part", "size")

    def __init__(self, kind: tuple[str, int], key: Any, length: int, part: Any = None):
        self.dtype, self.size = kind
        self.key, self.length, self.part = key, length, part


class _Tensor:
    """What the file says about a tensor, unchecked; without storage if it is of a special kind."""

    __slots__ = ("offset", "shape", "storage", "strides")

    def __init__(self, storage: Any = None, offset: Any = 0, shape: Any = (), strides: Any = ()):
        self.storage, self.offset, self.shape, self.strides = storage, offset, shape, strides


class _Number:
    """A dtype of NumPy's: what is needed to read one number."""

    __slots__ = ("code", "order")

    def __init__(self, code: str):
        self.code, self.order = _NUMBERS[code], "<"

    def __setstate__(self, state: tuple) -> None:
        if state not in ((3, order, None, None, None, -1, -1, 0) for order in "<>=|"):
            raise Refused("damaged")  # not a dtype of plain numbers
        self.order = ">" if state[1] == ">" else "<"


def _tensor(storage: Any, offset: Any, shape: Any, strides: Any, *_: Any) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


def _special(*_: Any) -> _Tensor:
    return _Tensor()


def _parameter(tensor: Any, *_: Any) -> Any:
    return tensor


def _dtype(code: Any, *_: Any) -> _Number:
    return _Number(code)


def _scalar(kind: Any, data: Any) -> float | int:
    data = data if isinstance(data, bytes) else data.encode("latin1")
    return struct.unpack(kind.order + kind.code, data)[0]


def _encode(text: Any, _: Any) -> bytes:
    if len(text) > 8:  # only for a number's bytes; protocol 2 has no others
        raise Refused("more", "_codecs.encode")
    return text.encode("latin1")


def _dict() -> dict:
    return {}


_NAMES: dict[str, Any] = {
    "collections.OrderedDict": _dict,
    "_codecs.encode": _encode,
    "numpy.dtype": _dtype,
    "numpy.core.multiarray.scalar": _scalar,
    "numpy._core.multiarray.scalar": _scalar,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_tensor_v3": _special,
    "torch._utils._rebuild_qtensor": _special,
    "torch._utils._rebuild_sparse_tensor": _special,
    "torch._utils._rebuild_nested_tensor": _special,
    "torch._utils._rebuild_meta_tensor_no_storage": _special,
    "torch.serialization._get_layout": _special,
    "torch.Size": _special,
    **{f"torch.{name}Storage": kind for name, kind in _STORAGES.items()},
    **{f"torch.cuda.{name}Storage": kind for name, kind in _STORAGES.items()},
}


class _Unpickler(pickle.Unpickler):
    """Builds plain data and records of tensors; calls nothing but the functions above."""

    def __init__(self, file: io.BytesIO):
        super().__init__(file, encoding="latin1")
        self.sizes: dict[Any, int] = {}

    def find_class(self, module: str, name: str) -> Any:
        if f"{module}.{name}" not in _NAMES:
            raise Refused("more", f"{module}.{name}")
        return _NAMES[f"{module}.{name}"]

    def persistent_load(self, pid: Any) -> _Storage:
        word, kind, key, _, length, *part = pid
        if word != "storage":  # otherwise torch.save writes only the code of modules
            raise Refused("more", "torch.nn.Module")
        self.sizes.setdefault(key, kind[1])
        return _Storage(kind, key, length, *part)


# --- the two formats ------------------------------------------------------------------------


class _Zip:
    """The format of torch.save since torch 1.6: an archive of a pickle and its storages."""

    def __init__(self, data: bytes):
        self._archive = zipfile.ZipFile(io.BytesIO(data))
        entries = self._archive.infolist()
        if sum(entry.file_size for entry in entries) > len(data):  # torch does not compress
            raise Refused("unpacks", sum(entry.file_size for entry in entries))
        names = {entry.filename for entry in entries}
        self._top = entries[0].filename.split("/")[0] if entries else ""
        if f"{self._top}/data.pkl" not in names:
            raise Refused("other")
        marked = f"{self._top}/byteorder" in names
        self.order = self._entry("byteorder").decode() if marked else "little"
        if self.order not in ("little", "big"):
            raise Refused("damaged")
        self.value = _Unpickler(io.BytesIO(self._entry("data.pkl"))).load()

    def _entry(self, name: str) -> bytes:
        return self._archive.read(f"{self._top}/{name}")

    def storage(self, key: Any) -> bytes:
        """Return the numbers of a storage as bytes."""
        return self._entry(f"data/{key}")


class _Old:
    """The format before that: pickles one after another, then the storages."""

    order = "little"

    def __init__(self, data: bytes):
        self._data, file = data, io.BytesIO(data)
        if _Unpickler(file).load() != _MAGIC or _Unpickler(file).load() != _PROTOCOL:
            raise Refused("other")
        _Unpickler(file).load()  # a description of the machine
        unpickler = _Unpickler(file)
        self.value = unpickler.load()
        self._places, at = {}, 0
        keys = _Unpickler(file).load()
        at = file.tell()
        for key in keys:
            (numbers,) = struct.unpack_from("<Q", data, at)
            self._places[key] = slice(at + 8, at + 8 + numbers * unpickler.sizes[key])
            at = self._places[key].stop

    def storage(self, key: Any) -> bytes:
        """Return the numbers of a storage as bytes."""
        place = self._places[key]
        if place.stop > len(self._data):
            raise Refused("damaged")
        return self._data[place]


def _opened(data: bytes) -> _Zip | _Old:
    if data.startswith(b"PK\x03\x04"):
        return _Zip(data)
    if data.startswith(pickle.PROTO):
        return _Old(data)
    raise Refused("other")


# --- what counts as a set -------------------------------------------------------------------


def _recognise(value: Any, experiment: int) -> tuple[str, list[_Tensor]]:
    """Return the format, and the images and labels (or one of the two: MTT)."""
    kind, pair = None, None
    if isinstance(value, dict) and isinstance(value.get("data"), list | tuple):
        kind, several = "dc", value["data"]
        if not 0 <= experiment < len(several):
            raise Refused("experiment", len(several))
        pair = several[experiment]
    elif isinstance(value, list | tuple):
        kind, pair = "idc", value
    elif isinstance(value, _Tensor):
        return "mtt", [value]
    if isinstance(pair, list | tuple) and [type(item) for item in pair] == [_Tensor, _Tensor]:
        return kind, list(pair)
    raise Refused("structure")


def _array(tensor: _Tensor, file: _Zip | _Old, name: str) -> tuple[dict[str, Any], bytes]:
    """Return type, shape and numbers of a tensor, if it is plain and the file is complete."""
    storage, shape, strides = tensor.storage, tensor.shape, tensor.strides
    if not isinstance(storage, _Storage) or storage.dtype not in _PLAIN:
        raise Refused("special", name)
    numbers = (tensor.offset, *shape, *strides)
    whole = all(type(n) is int and 0 <= n < 2**48 for n in numbers)
    if not whole or len(shape) != len(strides) or len(shape) > 8:
        raise Refused("damaged")
    data = file.storage(storage.key)
    if len(data) < storage.length * storage.size:
        raise Refused("damaged")
    if file.order != sys.byteorder:
        swapped = array(_CODES[storage.size], data)
        swapped.byteswap()
        data = swapped.tobytes()
    if storage.part is not None:
        _, start, length = storage.part
        data = data[start * storage.size : (start + length) * storage.size]
    dims = [(n, stride) for n, stride in zip(shape, strides, strict=True) if n != 1]
    if prod(shape) > len(data) // storage.size or any(n and not stride for n, stride in dims):
        raise Refused("repeats", name)
    last = tensor.offset + sum((n - 1) * stride for n, stride in dims)
    if prod(shape) and last >= len(data) // storage.size:
        raise Refused("damaged")
    head = {"dtype": storage.dtype, "shape": list(shape)}
    return head, _gathered(data, storage.size, tensor.offset, dims) if prod(shape) else b""


def _gathered(data: bytes, size: int, offset: int, dims: list[tuple[int, int]]) -> bytes:
    """Return the numbers of a view in the order of its dimensions, given as (length, stride)."""
    view = memoryview(data)[: len(data) // size * size]
    dense, step = [], 1
    for n, _ in reversed(dims):
        dense.insert(0, (n, step))
        step *= n
    if dims == dense:
        return view[offset * size : (offset + step) * size].tobytes()
    numbers = view.cast(_CODES[size])
    *outer, (n, step) = dims
    starts = map(sum, product([offset], *(range(0, m * far, far) for m, far in outer)))
    return b"".join(numbers[at : at + (n - 1) * step + 1 : step].tobytes() for at in starts)


def read(data: bytes, experiment: int) -> tuple[dict[str, Any], list[bytes]]:
    """Read a file written by torch.save.

    Parameters
    ----------
    data : bytes
        The whole file.
    experiment : int
        Which of several sets to read.

    Returns
    -------
    header : dict
        The format, and type and shape of each array; or the reason for refusing.
    arrays : list of bytes
        Their numbers.
    """
    try:
        file = _opened(data)
        kind, tensors = _recognise(file.value, experiment)
        named = zip(tensors, ("images", "labels"), strict=False)
        heads, arrays = zip(*(_array(tensor, file, name) for tensor, name in named), strict=True)
        return {"format": kind, "arrays": heads}, list(arrays)
    except Refused as refused:
        return {"refused": refused.reason, "detail": refused.detail}, []
    except MemoryError:
        return {"refused": "memory", "detail": None}, []
    except Exception:  # damaged files fail in countless ways
        return {"refused": "damaged", "detail": None}, []


# --- the process ----------------------------------------------------------------------------


def _confine(memory: int, seconds: int) -> None:
    """Give up for good what a reader does not need: more memory or time, files, processes."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limits = {"AS": memory, "CPU": seconds, "CORE": 0, "FSIZE": 0, "NPROC": 0}
    for name, most in limits.items():
        with suppress(
            AttributeError, OSError, ValueError
        ):  # not every system knows or allows every limit
            resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))


def _end_with_parent() -> None:
    """End when the process that started this one ends, however it ends."""
    if sys.platform == "linux":  # immediately, even while no thread can run
        with suppress(ImportError, OSError, AttributeError):
            from ctypes import CDLL

            CDLL(None).prctl(1, 9)  # PR_SET_PDEATHSIG, SIGKILL

    def wait() -> None:
        os.read(0, 1)
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def main(arguments: list[str]) -> None:
    """Read the file on standard input and answer on standard output.

    Parameters
    ----------
    arguments : list of str
        The number of bytes to read, the experiment, and the limits: bytes of memory, seconds.
    """
    size, experiment, memory = map(int, arguments[:3])
    seconds = float(arguments[3]) + _GRACE
    # ends the process whatever it is doing, on systems without limits of their own
    faulthandler.dump_traceback_later(seconds, exit=True)
    data = sys.stdin.buffer.read(size)
    if len(data) == size:
        _end_with_parent()
        _confine(memory, ceil(seconds))
        header, arrays = read(data, experiment)
        sys.stdout.buffer.write(json.dumps(header).encode() + b"\n")
        sys.stdout.buffer.writelines(arrays)
        sys.stdout.flush()
    os._exit(0)  # without waiting for the thread


if __name__ == "__main__":
    main(sys.argv[1:])
