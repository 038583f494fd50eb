"""Data sets of other libraries: torch's, and those of the library ``datasets``."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor
from tqdm.auto import tqdm

from ..core.errors import FddkitError, unknown
from ..core.reading import clip
from ..reading.columns import Column, check_columns, split_bins
from ..reading.decoding import decode, quiet
from ..reading.faults import UNREADABLE, Faults
from ..reading.frame import Frame
from ..reading.image_cache import Images
from .assembly import Options, Read, Rows, assemble
from .grouped import GroupedDataset


def from_torch(
    dataset: Any,
    group: Any,
    size: int | tuple[int, int] = 32,
    fit: str = "crop",
    channels: str = "RGB",
    bins: int | Sequence[float] | Mapping[str, Any] | None = None,
    name: str | None = None,
    target_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
    progress: bool = True,
    **options: Any,
) -> GroupedDataset:
    """Read a torch ``Dataset`` whose items are (image, target), or begin so.

    Parameters
    ----------
    dataset : Dataset
        With a length; its images are PIL images, arrays or tensors of pixels (not normalised).
    group : array, sequence, mapping or callable
        The group of each image, a name or a number; a mapping of names to several such columns,
        whose intersections are the groups; or a function of (index, image, target).
    size, fit, channels : int, str, str
        As in `from_table`.
    bins : int, sequence of float or mapping, optional
        As in `from_table`; the columns are called "target" and "group" (or as the mapping says).
    name : str, optional
        What to call the set; by default the name of the dataset's class.
    target_names, group_names : sequence of str, optional
        If the labels are numbers from 0. By default ``dataset.classes``, if there is one.
    progress : bool
        Show a bar.
    **options
        ``smallest``, ``small``, ``faulty``, ``duplicates``, ``intersections``, ``mean``, ``std``
        and ``traits``, as in `from_table`.

    Returns
    -------
    GroupedDataset
        Read once, into memory; see `from_table` for its ``source``.

    Raises
    ------
    FddkitError
        As in `from_table`; the images are named by their index.

    Examples
    --------
    >>> import torch
    >>> items = [(torch.full((3, 8, 8), 40 * i, dtype=torch.uint8), i % 2) for i in range(4)]
    >>> data = from_torch(items, lambda index, image, target: index // 2, 8, progress=False)
    >>> data.counts().tolist()
    [[1, 1], [1, 1]]
    """
    settings = _settings(dataset, name, Frame.of(size, fit, channels), options)
    target_names = _names(target_names, "target_names")
    group_names = _names(group_names, "group_names")
    n = _length(dataset)
    faults = Faults(settings.name, range(n), "image")
    columns = None if callable(group) else _columns(group, n)
    computed: list[Any] = []

    def images() -> Iterable[tuple[Any, Any]]:
        for i in range(n):
            image, target = _item(dataset, i, faults)
            targets.append(_scalar(target))
            if callable(group):
                computed.append(None if i in faults else _called(group, i, image, target))
            yield i, image

    targets: list[Any] = []
    read = _gathered(images(), n, settings.frame, faults, progress)
    cells = {"group": computed} if columns is None else columns
    chosen = split_bins(bins, "target", list(cells))
    if target_names is None and "target" not in chosen:
        target_names = _class_names(dataset, targets)
    rows = Rows(
        target=Column("target", targets, chosen.get("target"), target_names),
        groups=[
            Column(key, cells[key], chosen.get(key), group_names if len(cells) == 1 else None)
            for key in cells
        ],
        split=None,
        faults=faults,
        read=read,
        source={"kind": "torch", "from": settings.name},
    )
    return assemble(rows, settings)["all"]


def from_hf(
    dataset: Any,
    image: str = "image",
    target: str = "label",
    group: str | Sequence[str] = "group",
    size: int | tuple[int, int] = 32,
    fit: str = "crop",
    channels: str = "RGB",
    bins: int | Sequence[float] | Mapping[str, Any] | None = None,
    name: str | None = None,
    progress: bool = True,
    **options: Any,
) -> GroupedDataset:
    """Read one split of a data set of the library ``datasets``.

    Parameters
    ----------
    dataset : datasets.Dataset
        Anything with ``column_names``, a length, and rows that are dicts.
    image, target : str
        The columns with the images and the classes.
    group : str or sequence of str
        The column with the groups, or several, whose intersections are the groups.
    size, fit, channels, bins : int, str, str, optional
        As in `from_table`.
    name : str, optional
        What to call the set; by default the name of the dataset's class.
    progress : bool
        Show a bar.
    **options
        As in `from_torch`.

    Returns
    -------
    GroupedDataset
        With the names that the dataset's ``ClassLabel`` features give; see `from_table` for its
        ``source``.

    Raises
    ------
    FddkitError
        As in `from_table`; the rows are named by their index.
    """
    settings = _settings(dataset, name, Frame.of(size, fit, channels), options)
    groups = check_columns(group)
    known = getattr(dataset, "column_names", None)
    if isinstance(known, Mapping):
        raise FddkitError(f"the data set has the splits {clip(', '.join(known))}; give one of them")
    if known is None:
        raise FddkitError(f"{clip(type(dataset).__name__)} has no columns; give a datasets.Dataset")
    for column in (image, target, *groups):
        if column not in known:
            raise unknown("column of the data set", column, list(known))
    n = _length(dataset)
    faults = Faults(settings.name, range(n), "row")
    features = getattr(dataset, "features", None) or {}
    chosen = split_bins(bins, target, groups)

    def column(key: str) -> Column:
        names = None if key in chosen else getattr(features.get(key), "names", None)
        return Column(key, list(dataset[key]), chosen.get(key), _names(names, f"names of {key}"))

    def images() -> Iterable[tuple[int, Any]]:
        for i in range(n):
            try:
                found = dataset[i][image]
            except Exception as error:  # whatever its decoder raises
                faults.add(i, UNREADABLE, clip(error) or type(error).__name__)
                found = None
            yield i, found

    rows = Rows(
        target=column(target),
        groups=[column(key) for key in groups],
        split=None,
        faults=faults,
        read=_gathered(images(), n, settings.frame, faults, progress),
        source={"kind": "datasets", "from": settings.name},
    )
    return assemble(rows, settings)["all"]


def _settings(dataset: Any, name: str | None, frame: Frame, options: dict[str, Any]) -> Options:
    known = [key for key in Options.__dataclass_fields__ if key not in ("frame", "name")]
    for key in options:
        if key not in known:
            raise unknown("argument", key, known)
    return Options(frame, type(dataset).__name__ if name is None else name, **options)


def _length(dataset: Any) -> int:
    try:
        n = len(dataset)
    except (TypeError, NotImplementedError, ValueError, OverflowError) as error:
        raise FddkitError(
            f"{clip(type(dataset).__name__)} has no length; give a data set of known size"
        ) from error
    if not n:
        raise FddkitError(f"{clip(type(dataset).__name__)} holds no image; give at least one")
    return n


def _columns(group: Any, n: int) -> dict[str, list[Any]]:
    given = group if isinstance(group, Mapping) else {"group": group}
    found = {}
    for key, values in given.items():
        listed = hasattr(values, "__len__") and getattr(values, "ndim", 1) > 0
        if isinstance(values, str) or not listed:
            raise FddkitError(f"{clip(key)} is no list of groups; give one per image")
        cells = values.tolist() if isinstance(values, Tensor | np.ndarray) else list(values)
        if len(cells) != n:
            raise FddkitError(f"{clip(key)} has {len(cells):,} values for {n:,} images; give {n:,}")
        found[str(key)] = cells
    if not found:
        raise FddkitError("group is empty; give at least one column")
    return found


def _item(dataset: Any, i: int, faults: Faults) -> tuple[Any, Any]:
    """Return image and target; nothing, and a fault, if the dataset cannot read them."""
    try:
        item = dataset[i]
    except Exception as error:  # whatever its decoder raises
        faults.add(i, UNREADABLE, clip(error) or type(error).__name__)
        return None, None
    if not isinstance(item, tuple | list) or len(item) < 2:
        raise FddkitError(
            f"item {i} of the data set is {clip(type(item).__name__)}, not (image, target); wrap it"
        )
    return item[0], item[1]


def _called(function: Callable[..., Any], i: int, image: Any, target: Any) -> Any:
    try:
        return _scalar(function(i, image, target))
    except Exception as error:  # the user's own code
        raise FddkitError(
            f"the function of the groups fails for image {i} ({type(error).__name__}: "
            f"{clip(error)}); it is called with (index, image, target)"
        ) from error


def _scalar(value: Any) -> Any:
    """Return the number in an array of one; anything else as it is."""
    one = isinstance(value, Tensor | np.ndarray) and int(np.prod(value.shape)) == 1
    return value.item() if one else value


def _class_names(dataset: Any, targets: list[Any]) -> tuple[str, ...] | None:
    """Return ``dataset.classes`` if it names every target, which are then numbers."""
    names = getattr(dataset, "classes", None)
    if not isinstance(names, list | tuple) or not all(isinstance(each, str) for each in names):
        return None
    numbers = [each for each in targets if each is not None]
    fits = all(isinstance(each, int) and 0 <= each < len(names) for each in numbers)
    return tuple(names) if fits and len(set(names)) == len(names) else None


def _names(names: Sequence[str] | None, argument: str) -> tuple[str, ...] | None:
    """Return names as text, or say why they are none."""
    if names is None:
        return None
    try:
        found = tuple(map(str, names))
    except Exception as error:  # of whatever was given
        raise FddkitError(f"{argument} are no list of names; give one per label") from error
    if len(set(found)) < len(found):
        raise FddkitError(f"{argument} hold a name twice ({clip(', '.join(found))}); rename one")
    return found


def _gathered(
    images: Iterable[tuple[int, Any]], n: int, frame: Frame, faults: Faults, progress: bool
) -> Callable[[list[int]], Read]:
    """Decode all images into memory, and return the function that hands them out."""
    try:
        found = Images(np.zeros((n, *frame.shape), dtype=np.uint8))
    except (MemoryError, ValueError) as error:  # more than there is, or than can be addressed
        raise FddkitError(f"{n:,} images do not fit into memory; give fewer, or smaller") from error
    with quiet(), tqdm(total=n, desc="images", unit="image", disable=not progress) as bar:
        for i, image in images:
            if i not in faults:
                try:
                    found.pixels[i], notes = decode(image, frame)
                    for note in notes:
                        found.notes[note] = found.notes.get(note, 0) + 1
                except FddkitError as error:
                    faults.add(i, UNREADABLE, str(error))
            bar.update()
    return lambda rows: Read(found, np.arange(n), [f"image {i}" for i in range(n)])
