"""Labels as anybody keeps them, read as whole numbers or as text and numbered from 0."""

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip

MOST = 1000  # classes or groups
_WHOLE = 2.0**53  # beyond this, a float is not one whole number


def array(what: str, values: Any) -> np.ndarray:
    """Return values as an array of numbers or of text.

    Parameters
    ----------
    what : str
        What to call them.
    values : array
        Anything that numpy can read; text may be bytes, and held as objects, as pandas does.

    Raises
    ------
    FddkitError
        If they are ragged, mixed, masked, missing, or neither numbers nor text.
    """
    try:
        masked = np.ma.is_masked(values)
        found = np.asarray(values)
        if found.dtype.kind in "US" and not isinstance(values, np.ndarray):
            found = np.asarray(values, dtype=object)  # a list may mix text and numbers
        if found.dtype.kind == "O":
            found = _of_objects(found)
        if found.dtype.kind == "S":
            found = np.char.decode(found, "utf-8")
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise FddkitError(f"{what} cannot be read as an array: {clip(error)}") from error
    if found.dtype.kind not in "iufUb":
        raise FddkitError(f"{what} must hold numbers or text, not {found.dtype}")
    if masked:
        raise FddkitError(f"{what} has masked values; leave out images without a label")
    return found


def _of_objects(found: np.ndarray) -> np.ndarray:
    """Return an array of objects as one of text or numbers, if all are, else unchanged."""
    whole, number = (int, np.integer), (int, float, np.number)
    for kinds, dtype in ((str, str), (bytes, bytes), (whole, np.int64), (number, np.float64)):
        if found.size and all(isinstance(one, kinds) for one in found.ravel()):
            return found.astype(dtype)
    return found


def labels(what: str, values: Any) -> np.ndarray:
    """Return labels: text, bool, or int64.

    Parameters
    ----------
    what, values
        As for `array`; floats must be whole.

    Raises
    ------
    FddkitError
        If they are no labels, such as probabilities.
    """
    found = array(what, values)
    if found.dtype.kind == "f":
        if not np.isfinite(found).all():
            raise FddkitError(f"{what} holds NaN or infinity; leave out images without a label")
        if (found != np.floor(found)).any() or np.abs(found).max(initial=0) > _WHOLE:
            raise FddkitError(
                f"{what} holds {found[found != np.floor(found)].ravel()[:1]}, which is no label; "
                "give predicted classes, not probabilities"
            )
        found = found.astype(np.int64)
    if found.dtype.kind in "iu":
        if found.size and found.max() > np.iinfo(np.int64).max:
            raise FddkitError(f"{what} holds {found.max()}, which is too large; give it as text")
        found = found.astype(np.int64)
    return found


def one_each(what: str, found: np.ndarray) -> np.ndarray:
    """Return labels unchanged, or raise an error unless there is one per test image."""
    if found.ndim != 1 or not len(found):
        raise FddkitError(f"{what} has shape {list(found.shape)}; give one label per test image")
    return found


def names_of(what: str, names: Any) -> list[str]:
    """Return names as text; an error unless they are a list of text or numbers."""
    try:
        listed = list(names)
    except TypeError as error:
        raise FddkitError(f"{what}={clip(names, 60)} must be a list of names") from error
    if not all(isinstance(one, str | int | float | np.number | np.bool) for one in listed):
        raise FddkitError(f"{what} must be a list of names, not {clip(listed, 60)}")
    return [str(one) for one in listed]


def numbered(
    what: str, found: list[np.ndarray], names: Iterable | None
) -> tuple[list[str], list[np.ndarray]]:
    """Return the names of labels, and the labels as their positions.

    Parameters
    ----------
    what : str
        ``"class"`` or ``"group"``.
    found : list of array
        Labels of one kind: the true ones first, then the predicted ones.
    names : iterable, optional
        Labels are the names themselves; whole numbers are positions in them.

    Raises
    ------
    FddkitError
        If text is mixed with numbers, there are more than `MOST`, or one has no name.
    """
    if names is not None:
        return _placed(
            what, found, names_of("target_names" if what == "class" else "group_names", names)
        )
    if len({each.dtype.kind == "U" for each in found}) > 1:
        raise FddkitError(
            "y_true and y_pred are text and numbers; give both as one, or target_names, in which "
            "numbers are positions"
        )
    first, *others = (np.unique(each) for each in found)
    known = np.unique(np.concatenate([first, *others]))
    _refuse_many(what, len(known))
    if others and not np.isin(first, others[0]).any():
        warnings.warn(
            f"no predicted class ({clip(others[0][:3].tolist(), 60)}) is a true one "
            f"({clip(first[:3].tolist(), 60)}), so the accuracy is 0; are they the same labels?",
            stacklevel=4,
        )
    return [str(one) for one in known], [np.searchsorted(known, each) for each in found]


def _placed(
    what: str, found: list[np.ndarray], names: list[str]
) -> tuple[list[str], list[np.ndarray]]:
    """Return names, and labels as positions in them."""
    position, placed = {name: i for i, name in enumerate(names)}, []
    _refuse_many(what, len(names))
    if len(position) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FddkitError(f"the {what} name {clip(twice, 40)!r} is given twice; give each once")
    for each in found:
        if each.dtype.kind == "i":
            numbers, bad = each, (each < 0) | (each >= len(names))
        else:
            different, inverse = np.unique(each, return_inverse=True)
            places = np.array([position.get(str(one), -1) for one in different], dtype=np.int64)
            numbers = places[inverse].reshape(each.shape)
            bad = numbers < 0
        if bad.any():
            raise FddkitError(
                f"{what} {each[bad].ravel()[0]!s:.40} is not one of {', '.join(names)[:100]}"
            )
        placed.append(numbers)
    return names, placed


def _refuse_many(what: str, number: int) -> None:
    if number > MOST:
        raise FddkitError(
            f"there are {number:,} different {'classes' if what == 'class' else 'groups'}, and a "
            f"report takes at most {MOST:,}; give predicted classes, not probabilities, and the "
            "group of each image, not its number"
        )
