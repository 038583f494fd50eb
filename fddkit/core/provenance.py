"""Where an entry comes from: the digest of its author's code."""

import dataclasses
import functools
import inspect
import types
from collections.abc import Iterable, Mapping
from typing import Any

from torch import Tensor

from .files import digest

_KNOWN = ("fddkit", "numpy", "torch")  # whose versions every artifact names
_PLAIN = (str, int, float, complex, bool, bytes, type(None), type(Ellipsis))


def source_of(entry: Any) -> str:
    """Return the digest of all of its author's code that an entry is made of.

    Parameters
    ----------
    entry : object
        Functions and classes in it count by their source, and by that of what they name in their
        own package; those of other packages count by their names, numbers and tensors by value.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    parts: list[str] = []
    _walk(entry, parts, set())
    return digest(*parts)[:16]


def _walk(value: Any, parts: list[str], seen: set[int]) -> None:
    if id(value) in seen:
        return
    if isinstance(value, _PLAIN):
        parts.append(repr(value))
        return
    seen.add(id(value))
    inner: Iterable[Any] = ()
    if isinstance(value, functools.partial):
        inner = (value.func, value.args, value.keywords)
    elif isinstance(value, types.FunctionType | type):
        parts.append(f"{value.__module__}.{value.__qualname__}")
        if _package(value) in _KNOWN:
            return
        parts.append(_text(value))
        inner = _named(value)
    elif dataclasses.is_dataclass(value):
        inner = [getattr(value, f.name) for f in dataclasses.fields(value)]
    elif isinstance(value, Mapping):
        inner = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple | set | frozenset):
        inner = sorted(value, key=repr) if isinstance(value, set | frozenset) else value
    elif isinstance(value, Tensor):
        parts.append(digest(value.detach().cpu().contiguous().numpy().tobytes()))
    else:
        parts.append(f"{type(value).__module__}.{type(value).__qualname__}")
    for one in inner:
        _walk(one, parts, seen)


def _package(value: Any) -> str:
    return (value.__module__ or "").partition(".")[0]


def _text(value: Any) -> str:
    """Return the source of a function or class, or what was compiled of it."""
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):  # typed in, or made by other code
        code = getattr(value, "__code__", None)
        return "" if code is None else f"{code.co_code.hex()} {_constants(code)}"


def _constants(code: types.CodeType) -> list[str]:
    inner = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    plain = [repr(c) for c in code.co_consts if not isinstance(c, types.CodeType)]
    return plain + [text for c in inner for text in (c.co_code.hex(), *_constants(c))]


def _named(value: Any) -> list[Any]:
    """Return what a function or class of its author's rests on: of the same package, or closed."""
    if isinstance(value, type):
        bases = [base for base in value.__mro__[1:] if base is not object]
        functions = [f for f in vars(value).values() if isinstance(f, types.FunctionType)]
        return [*bases, *functions]
    codes, names = [value.__code__], set()
    while codes:
        code = codes.pop()
        names |= set(code.co_names)
        codes += [c for c in code.co_consts if isinstance(c, types.CodeType)]
    own = [value.__globals__[n] for n in sorted(names) if n in value.__globals__]
    own = [
        one
        for one in own
        if not isinstance(one, types.ModuleType)
        and (not isinstance(one, types.FunctionType | type) or _package(one) == _package(value))
    ]
    closed = [c.cell_contents for c in value.__closure__ or () if c != types.CellType()]
    return [*own, *closed, value.__defaults__, value.__kwdefaults__]
