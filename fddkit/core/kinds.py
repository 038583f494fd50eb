"""What the files of tensors of one kind hold: names, types and sizes, and how that is checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from .reading import clip, conform

_FLOATS = ("float32", "float64")


@dataclass(frozen=True)
class Array:
    """What one tensor of a file is.

    Attributes
    ----------
    dtypes : tuple of str
        One of them; floating-point numbers are finite.
    shape : tuple of int or str, or None
        A size, or the name of one: equal names are equal sizes within a file. None: any shape.
    optional : bool
        Whether it may be missing.
    """

    dtypes: tuple[str, ...]
    shape: tuple[int | str, ...] | None
    optional: bool = False


@dataclass(frozen=True)
class Kind:
    """What the files of one kind hold.

    Attributes
    ----------
    name : str
        ``set``, ``checkpoint``...; stands in the header.
    title : str
        What a person calls it, with an article.
    advice : str
        What to do about a bad one.
    tensors : mapping of str to Array
        By name; a name that ends in ``*`` stands for all that begin so.
    header : mapping
        Its shape, see `fddkit.core.reading.conform`.
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
        """Raise ValueError where the parts of a file are not what its readers rely on."""
        conform(header, self.header, "its header")
        sizes = dict(sizes or {})
        for name, array in self.tensors.items():
            if name not in tensors and not array.optional and not name.endswith("*"):
                raise ValueError(f"it has no {name}")
        for name, tensor in sorted(tensors.items()):  # a file has them in another order
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
    """Refuse a tensor of another shape; sizes that are named are noted."""
    fits = tensor.ndim == len(shape) and all(
        n == (sizes.setdefault(wanted, n) if isinstance(wanted, str) else wanted)
        for n, wanted in zip(tensor.shape, shape, strict=True)
    )
    if not fits:
        wanted = [sizes.get(n, n) if isinstance(n, str) else n for n in shape]
        raise ValueError(
            f"{name} has the shape {list(tensor.shape)}, not [{', '.join(map(str, wanted))}]"
        )
