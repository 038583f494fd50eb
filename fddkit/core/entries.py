"""Registries: one table of named entries for each kind, open to additions.

An entry carries everything that needs to be known about it, so no other code asks for it by name.
Entries added by `register` are available wherever the built-in ones are; the digest of their source
is recorded in every artifact that depends on them.
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
        ``adopt(name, entry) -> entry``: checks an entry that is being registered and fills in what
        it leaves open; raises FddkitError.
    other : callable, optional
        ``other(name) -> entry or None``: the entry of a name that is not listed, such as a path.

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
        other: Callable[[object], T | None] = lambda name: None,
    ):
        super().__init__(entries)
        self.what, self.holds, self.adopt, self.other = what, holds, adopt, other
        self.own: dict[str, str] = {}
        _TABLES.append(self)

    def __missing__(self, name: object) -> T:
        """Return the entry of a name that is not listed, or raise the error for an unknown one."""
        found = self.other(name)
        if found is None:
            raise unknown(self.what, name, self)
        return found

    def add(self, name: str, entry: T, source: str) -> None:
        """Add an entry; it may replace a registered one, but never a built-in one."""
        if not isinstance(name, str) or not _NAME.fullmatch(name) or len(name) > _LONGEST:
            raise FddkitError(
                f"{str(name)[:_LONGEST]!r} is not a valid name for a {self.what}; use at most "
                f"{_LONGEST} lower-case letters, digits and hyphens"
            )
        for other in _TABLES:  # kinds share options and columns, and sources are found by name
            if other is not self and name in other:
                raise FddkitError(f"{name!r} is already a {other.what}; choose another name")
        if name in self and name not in self.own:
            raise FddkitError(f"{name!r} is a built-in {self.what}; give yours another name")
        self[name] = self.adopt(name, entry)
        self.own[name] = source


def register(name: str, entry: Any = None) -> Any:
    """Add a rule, distiller, data set, network or metric under a name.

    From then on it is available wherever the built-in ones are: in `fddkit.distill` and
    `fddkit.evaluate`, the matrix, figures, the explorer, the theory and the report. An installed
    package can do the same for every process, including the command line, through an entry point
    in the group ``fddkit`` that has the entry's name and loads the entry.

    Parameters
    ----------
    name : str
        Lower-case letters, digits and hyphens. An entry that you registered under this name
        before is replaced, as when a notebook cell is run again.
    entry : object, optional
        A `fddkit.Rule`, a subclass of `fddkit.Matching`, a `fddkit.DatasetInfo`, a
        `fddkit.Architecture` or a `fddkit.Metric`. If omitted, ``@register("name")`` is a
        decorator.

    Returns
    -------
    object
        The entry, unchanged.

    Raises
    ------
    FddkitError
        If the name is taken or invalid, or the entry is incomplete or none of these kinds.

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
    raise FddkitError(f"{name!r}, a {type(entry).__name__}, cannot be registered; give a {kinds}")


def load_plugins() -> None:
    """Register the entries that installed packages offer; warn about any that fail."""
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
        E.g. ``{"fairness rule midrange": "<16 hexadecimal digits>"}``; empty if everything it
        names is built in.
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
    """Return everything that has been registered, to be passed to `receive` in another process.

    Returns
    -------
    bytes
        Empty if there is nothing.
    """
    registered = [
        (table.what, name, table[name], source)
        for table in _TABLES
        for name, source in table.own.items()
    ]
    if not registered:
        return b""
    import cloudpickle

    try:
        return cloudpickle.dumps(registered)
    except Exception as error:
        names = ", ".join(name for _, name, *_ in registered)
        raise FddkitError(
            f"the registered entries ({names}) cannot be sent to another process "
            f"({type(error).__name__}: {error}); define them in a module"
        ) from error


def receive(data: bytes) -> None:
    """Register what another process of this program has sent with `ship`.

    Parameters
    ----------
    data : bytes
        Only ever from the parent process: reading it runs code.
    """
    if not data:
        return
    import cloudpickle

    tables = {table.what: table for table in _TABLES}
    for what, name, entry, source in cloudpickle.loads(data):
        if tables[what].own.get(name) != source:
            tables[what].add(name, entry, source)
