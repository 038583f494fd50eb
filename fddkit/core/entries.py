"""What is had by name: a table for each kind of entry, to which anybody may add.

An entry carries all that is to be known of it, so that nothing else asks for it by name. What is
added by `register` is found wherever the built-in ones are; the source that it came from is named
in every artifact that rests on it.
"""

import functools
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from importlib import metadata
from typing import Any, Generic, TypeVar

from .errors import FddkitError, unknown
from .provenance import source_of

T = TypeVar("T")
_NAME = re.compile(r"[a-z][a-z0-9]*([-_][a-z0-9]+)*")
_LONGEST = 40  # characters: names become parts of file names
_TABLES: list["Table"] = []


class Table(dict[str, T], Generic[T]):
    """Entries of one kind by name, in the order in which they are listed.

    Parameters
    ----------
    what : str
        The kind in words, e.g. ``"fairness rule"``.
    holds : callable
        ``holds(entry) -> bool``: whether an object is such an entry.
    entries : mapping
        The built-in ones.
    adopt : callable, optional
        ``adopt(name, entry) -> entry``: checks one that is registered, and fills in what it left
        open; raises FddkitError.

    Attributes
    ----------
    own : dict of str to str
        Name of each registered entry -> the digest of its source.
    """

    def __init__(
        self,
        what: str,
        holds: Callable[[object], bool],
        entries: Mapping[str, T],
        adopt: Callable[[str, T], T] = lambda name, entry: entry,
    ):
        super().__init__(entries)
        self.what, self.holds, self.adopt = what, holds, adopt
        self.own: dict[str, str] = {}
        _TABLES.append(self)

    def __missing__(self, name: object) -> T:
        """Refuse an unknown name in a sentence."""
        raise unknown(self.what, name, self)

    def add(self, name: str, entry: T, source: str) -> None:
        """Take an entry in; one that was registered before is replaced, a built-in one never."""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise FddkitError(
                f"{str(name)[:_LONGEST]!r} is no name for a {self.what}; give lower-case letters, "
                f"digits and hyphens, at most {_LONGEST}"
            )
        if name in self and name not in self.own:
            raise FddkitError(f"{name!r} is a built-in {self.what}; give yours another name")
        self[name] = self.adopt(name, entry)
        self.own[name] = source


def register(name: str, entry: Any = None) -> Any:
    """Add a rule, distiller, data set, network or metric under a name.

    From then on it is there wherever the built-in ones are: in `fddkit.distill` and
    `fddkit.evaluate`, the matrix, figures, the explorer, the theory and the report. An installed
    package can do the same for every process, the command line's too, by an entry point of the
    group ``fddkit`` whose name is that of the entry and whose object is the entry.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens. One's own entry of that name is replaced, as when
        a notebook's cell is run again.
    entry : object, optional
        A `fddkit.Rule`, a subclass of `fddkit.Matching`, a `fddkit.DatasetInfo`, a
        `fddkit.Architecture` or a `fddkit.Metric`. Left out: ``@register("name")`` decorates.

    Returns
    -------
    object
        The entry as it was given.

    Raises
    ------
    FddkitError
        If the name is taken or no name, or the entry is none of these or not complete.

    Examples
    --------
    >>> import fddkit as fdd
    >>> def midrange(means, present):
    ...     low = means.masked_fill(~present[..., None], float("inf")).amin(1)
    ...     return (low + means.masked_fill(~present[..., None], -float("inf")).amax(1)) / 2
    >>> rule = fdd.Rule("the middle of the groups' range", aim=fdd.aim_at(midrange))
    >>> _ = fdd.register("midrange", rule)
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, fairness="midrange", ipc=1, preset="smoke", progress=False)
    >>> len(s), list(s.config["registered"])
    (10, ['fairness rule midrange'])
    """
    if entry is None:
        return functools.partial(register, name)
    for table in _TABLES:
        if table.holds(entry):
            table.add(name, entry, source_of(entry))
            return entry
    kinds = ", ".join(table.what for table in _TABLES)
    raise FddkitError(f"{name!r}, a {type(entry).__name__}, is no entry; give a {kinds}")


def load_plugins() -> None:
    """Register the entries that installed packages offer; one that fails is told in a warning."""
    for point in metadata.entry_points(group="fddkit"):
        try:
            register(point.name, point.load())
        except Exception as error:
            owner = point.dist.name if point.dist else point.value
            warnings.warn(
                f"{point.name!r} of the package {owner} cannot be used "
                f"({type(error).__name__}: {error}); update or uninstall it",
                stacklevel=3,
            )


def used(value: Any) -> dict[str, str]:
    """Return the registered entries that are named in a configuration.

    Parameters
    ----------
    value : Any
        Anything JSON can hold.

    Returns
    -------
    dict of str to str
        E.g. ``{"fairness rule midrange": "<16 hexadecimal digits>"}``; empty where all that is
        named is built in.
    """
    named = set(_strings(value))
    return {
        f"{table.what} {name}": source
        for table in _TABLES
        for name, source in sorted(table.own.items())
        if name in named
    }


def _strings(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _strings(list(value.values()))
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)


# --- other processes ----------------------------------------------------------------------------


def ship() -> bytes:
    """Return all that has been registered, for a process that `receive` gets it in.

    Returns
    -------
    bytes
        Empty where there is nothing.
    """
    found = [
        (table.what, name, table[name], source)
        for table in _TABLES
        for name, source in table.own.items()
    ]
    if not found:
        return b""
    import cloudpickle

    try:
        return cloudpickle.dumps(found)
    except Exception as error:
        names = ", ".join(name for _, name, *_ in found)
        raise FddkitError(
            f"what is registered ({names}) cannot be sent to another process "
            f"({type(error).__name__}: {error}); define it in a module"
        ) from error


def receive(data: bytes) -> None:
    """Register what another process of this very program has sent by `ship`.

    Parameters
    ----------
    data : bytes
        From a parent process alone: reading it runs code.
    """
    if not data:
        return
    import cloudpickle

    tables = {table.what: table for table in _TABLES}
    for what, name, entry, source in cloudpickle.loads(data):
        if tables[what].own.get(name) != source:
            tables[what].add(name, entry, source)
