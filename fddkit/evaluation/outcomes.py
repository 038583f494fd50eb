"""What each network predicted for each test image, kept so that pairing survives."""

import base64
import binascii
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..core.errors import FddkitError
from .metrics import count

_SCORES = 255  # a score is kept in steps of 1/255


@dataclass(frozen=True, eq=False)
class Outcomes:
    """The predictions of several networks for the same test images.

    Attributes
    ----------
    target, group : int [N]
        True class and group of each test image.
    predicted : int [R, N]
        The class that each network predicted.
    original : int [N], optional
        Which original each test image shows. None: every image has its own.
    score : uint8 [R, N], optional
        The probability that each network gave to the class it predicted, in steps of 1/255.

    Raises
    ------
    FddkitError
        If the arrays do not fit each other.

    Examples
    --------
    Two networks, two originals that are each shown in two groups:

    >>> import numpy as np
    >>> target, group, original = np.array([[0, 0, 1, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
    >>> predicted = np.array([[0, 1, 1, 1], [0, 0, 1, 1]])
    >>> outcomes = Outcomes(target, group, predicted, original)
    >>> outcomes.paired
    True
    >>> outcomes.counts(n_classes=2, n_groups=2)[0].tolist()
    [[[1, 0], [0, 1]], [[0, 1], [0, 1]]]
    """

    target: np.ndarray
    group: np.ndarray
    predicted: np.ndarray
    original: np.ndarray | None = None
    score: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Check that the arrays fit each other; they can no longer be written to."""
        for name in _ARRAYS:
            if getattr(self, name) is not None:
                object.__setattr__(self, name, _frozen(name, getattr(self, name)))
        n, each = self.target.shape, {"group": self.group, "original": self.original}
        if len(n) != 1:
            raise FddkitError(f"target has shape {list(n)}; give one class per test image")
        for name, value in each.items():
            if value is not None and value.min(initial=0) < 0:
                raise FddkitError(f"{name} {value.min()} is negative; number them from 0")
            if value is not None and value.shape != n:
                raise FddkitError(
                    f"{name} has shape {list(value.shape)} and target {list(n)}; give one value "
                    "per test image"
                )
        if self.target.min(initial=0) < 0 or self.predicted.min(initial=0) < 0:
            raise FddkitError("a class has a negative number; number them from 0")
        for name, value in {"predicted": self.predicted, "score": self.score}.items():
            if value is not None and (value.ndim != 2 or value.shape[1:] != n):
                raise FddkitError(
                    f"{name} has shape {list(value.shape)}; give one row per network, with one "
                    f"value for each of the {n[0]} test images"
                )
        check_size(n[0], len(self.predicted))
        if self.score is not None and len(self.score) != len(self.predicted):
            raise FddkitError("predicted and score are of different numbers of networks")

    @property
    def paired(self) -> bool:
        """Whether every original is shown once in each group, see `paired`."""
        return self.original is not None and paired(self.original, self.group)

    def counts(self, n_classes: int, n_groups: int) -> np.ndarray:
        """Return the test images by network, group, true and predicted class, int64 [R, A, C, C].

        Parameters
        ----------
        n_classes, n_groups : int
            The numbers C and A.

        Raises
        ------
        FddkitError
            If a class or group is not among them.
        """
        largest = {"class": self.target, "group": self.group, "predicted class": self.predicted}
        for what, values in largest.items():
            n = n_groups if what == "group" else n_classes
            if values.max(initial=0) >= n:
                raise FddkitError(f"{what} {values.max()} is not one of {n}; number them from 0")
        pairs = (count(self.target, self.group, p, n_classes, n_groups) for p in self.predicted)
        return np.stack(list(pairs))

    def of(self, networks: Sequence[int]) -> "Outcomes":
        """Return the outcomes of some of the networks.

        Parameters
        ----------
        networks : sequence of int
            Their numbers, in the order wanted.
        """
        rows = list(networks)
        score = None if self.score is None else self.score[rows]
        return replace(self, predicted=self.predicted[rows], score=score)

    def same_test(self, other: "Outcomes") -> bool:
        """Return whether other networks were tested on the same images, in the same order."""
        mine, theirs = ((o.target, o.group, o.original) for o in (self, other))
        return all(
            (a is None) == (b is None) and (a is None or np.array_equal(a, b))
            for a, b in zip(mine, theirs, strict=True)
        )

    @classmethod
    def join(cls, parts: Sequence["Outcomes"]) -> "Outcomes | None":
        """Return the outcomes of all networks; None if they were not tested on the same images.

        Parameters
        ----------
        parts : sequence of Outcomes
            At least one.
        """
        first = parts[0]
        if not all(first.same_test(part) for part in parts):
            return None
        scores = [part.score for part in parts]
        score = None if any(s is None for s in scores) else np.concatenate(scores)
        return replace(
            first, predicted=np.concatenate([part.predicted for part in parts]), score=score
        )

    def encode(self, compress: bool = True) -> dict:
        """Return the outcomes for JSON: whole numbers in as few bytes as they need, in base64.

        Parameters
        ----------
        compress : bool
            Deflate them (zlib) first.

        Returns
        -------
        dict
            What `decode` takes.
        """
        found = {"images": len(self.target), "networks": len(self.predicted), "zlib": compress}
        for name in _ARRAYS:
            value = getattr(self, name)
            if value is not None:
                found[name] = _pack(value, compress)
        return found

    @classmethod
    def decode(cls, data: dict) -> "Outcomes":
        """Return the outcomes that were encoded.

        Parameters
        ----------
        data : dict
            Of the structure `SHAPE`.

        Returns
        -------
        Outcomes

        Raises
        ------
        ValueError
            If the arrays do not have the sizes that they should have.
        """
        n, networks = data["images"], data["networks"]
        if not 0 < n <= MOST_IMAGES or not 0 < networks <= _MOST_ANSWERS // n:
            raise ValueError(f"it has outcomes of {networks:,} networks for {n:,} images")
        arrays = {}
        for name, several in _ARRAYS.items():
            shape = (networks, n) if several else (n,)
            packed = data.get(name)
            arrays[name] = None if packed is None else _unpack(packed, shape, data["zlib"], name)
        if arrays["score"] is not None and arrays["score"].dtype != np.uint8:
            raise ValueError("its scores are not bytes")
        return cls(**arrays)


#: Name of each array -> whether there is one row per network.
_ARRAYS = {"target": False, "group": False, "predicted": True, "original": False, "score": True}
MOST_IMAGES = 2**21
_MOST_ANSWERS = 2**27  # images times networks: bounds what a small file can make of memory
_PACKED = {"dtype": str, "data": str}
#: The structure of encoded outcomes, for `fddkit.core.reading.conform`.
SHAPE = {
    **{"images": int, "networks": int, "zlib": bool},
    **{"target": _PACKED, "group": _PACKED, "predicted": _PACKED},
    **{"original?": _PACKED, "score?": _PACKED},
}


def check_size(images: int, networks: int) -> None:
    """Refuse what would take too long to compute, or could not be read again.

    Parameters
    ----------
    images, networks : int
        How many test images there are, and how many networks predicted a class for each.

    Raises
    ------
    FddkitError
        If there are more than 2^21 images, or 2^27 predictions.
    """
    if images > MOST_IMAGES or images * networks > _MOST_ANSWERS:
        raise FddkitError(
            f"{networks:,} networks for {images:,} test images are more than a report takes "
            f"({MOST_IMAGES:,} images, {_MOST_ANSWERS:,} predictions); test on a part of the "
            "images that is drawn at random"
        )


def _frozen(name: str, values: np.ndarray) -> np.ndarray:
    """Return whole numbers as an array through which they cannot be written to."""
    found = np.asarray(values).view()
    if found.dtype.kind not in "iu":
        raise FddkitError(f"{name} must hold whole numbers, not {found.dtype}")
    found = found.astype(np.int64) if found.dtype == np.uint64 else found  # to add them to others
    found.setflags(write=False)
    return found


def paired(original: np.ndarray, group: np.ndarray) -> bool:
    """Return whether every original is shown once in each group, as on a counterfactual test.

    Parameters
    ----------
    original, group : int [N]
        Of each test image.

    Returns
    -------
    bool

    Examples
    --------
    >>> import numpy as np
    >>> paired(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]))
    True
    >>> paired(np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1]))
    False
    """
    groups = int(group.max(initial=0)) + 1
    shown = np.unique(original, return_counts=True)[1]
    different = len(np.unique(np.stack([original, group]), axis=1)[0])
    return groups > 1 and bool((shown == groups).all()) and different == len(group)


def as_score(probability: np.ndarray) -> np.ndarray:
    """Return probabilities in [0, 1] as scores, uint8 in steps of 1/255."""
    return np.round(np.clip(probability, 0, 1) * _SCORES).astype(np.uint8)


def _pack(value: np.ndarray, compress: bool) -> dict:
    largest = int(value.max(initial=0))
    dtype = next(d for d in ("u1", "<u2", "<u4") if largest <= np.iinfo(d).max)
    raw = np.ascontiguousarray(value.astype(dtype)).tobytes()
    raw = zlib.compress(raw, 6) if compress else raw
    return {"dtype": dtype, "data": base64.b64encode(raw).decode("ascii")}


def _unpack(packed: dict, shape: tuple[int, ...], compressed: bool, name: str) -> np.ndarray:
    """Return an array; ValueError unless it has exactly this shape."""
    if packed["dtype"] not in ("u1", "<u2", "<u4"):
        raise ValueError(f"its {name} has an unknown type")
    dtype = np.dtype(packed["dtype"])
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        raw = base64.b64decode(packed["data"], validate=True)
        if compressed:
            inflate = zlib.decompressobj()
            raw = inflate.decompress(raw, size + 1)  # never more than there should be
    except (binascii.Error, zlib.error) as error:
        raise ValueError(f"its {name} cannot be decoded ({error})") from error
    if len(raw) != size:
        raise ValueError(f"its {name} does not have {size:,} bytes")
    value = np.frombuffer(raw, dtype).reshape(shape)
    # what there is of every network stays as small as it is in the file
    return value if _ARRAYS[name] else value.astype(np.int64)
