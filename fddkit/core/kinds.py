"""What a kind of tensor file contains: names, types and sizes, and how they are checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .reading import clip, conform

_FLOATS = ("float32", "float64")


@dataclass(frozen=True)
class Array:
    """What one tensor of a file must be.

    Attributes
    ----------
    dtypes : tuple of str
        The allowed types; floating-point numbers must be finite.
    shape : tuple of int or str, or None
        Each a size or the name of one; a name stands for the same size throughout a file.
        None: any shape.
    optional : bool
        Whether it may be missing.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | str, ...] | None
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """What files of one kind contain.

    Attributes
    ----------
    name : str
        ``set``, ``checkpoint``...; stored in the header.
    title : str
        What to call it in messages, with an article.
    advice : str
        What to do about a bad one.
    tensors : mapping of str to Array
        By name; a name that ends in ``*`` stands for all names that begin like it.
    header : mapping
        The header's shape, see `fddkit.core.reading.conform`.
    """

    name: str
    title: str
    advice: str
    tensors: Mapping[str, Array]
    header: Mapping[str, Any] = field(default_factory=dict)

    def check(
        self,
        tensors: Mapping[str, Tensor],
        header: Mapping[str, Any],
        sizes: Mapping[str, int] | None = None,
    ) -> None:
        """Raise ValueError if the parts of a file are not what its readers rely on."""
        conform(header, self.header, "its header")
        sizes = dict(sizes or {})
        for name, array in self.tensors.items():
            if name not in tensors and not array.optional and not name.endswith("*"):
                raise ValueError(f"it has no {name}")
        for name, tensor in sorted(tensors.items()):  # files order them differently
            array = self._array(name)
            if array is None:
                raise ValueError(f"{clip(name, 40)!r} does not belong in it")
            dtype = str(tensor.dtype).removeprefix("torch.")
            if dtype not in array.dtypes:
                raise ValueError(f"{name} is {dtype}, not {' or '.join(array.dtypes)}")
            if array.shape is not None:
                _fit(name, tensor, array.shape, sizes)
            if dtype in _FLOATS and not tensor.isfinite().all():
                raise ValueError(f"{name} holds NaN or infinity")

    def _array(self, name: str) -> Array | None:
        if name in self.tensors:
            return self.tensors[name]
        wild = (a for k, a in self.tensors.items() if k.endswith("*") and name.startswith(k[:-1]))
        return next(wild, None)


def _fit(name: str, tensor: Tensor, shape: tuple[int | str, ...], sizes: dict[str, int]) -> None:
    """Raise ValueError for a tensor of another shape; record the named sizes."""
    fits = tensor.ndim == len(shape) and all(
        n == (sizes.setdefault(wanted, n) if isinstance(wanted, str) else wanted)
        for n, wanted in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        wanted = [sizes.get(n, n) if isinstance(n, str) else n for n in shape]
        raise ValueError(
            f"{name} has the shape {list(tensor.shape)}, not [{', '.join(map(str, wanted))}]"
        )
