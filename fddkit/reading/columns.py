"""Columns of cells that become labels, and what a user says of them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import FddkitError, unknown
from ..core.reading import clip
from .faults import Faults
from .labels import MISSING, Labels, binned, check_bins, number, numbered, text


@dataclass(frozen=True)
class Column:
    """Cells that are to become labels.

    Attributes
    ----------
    title : str
        What to call it.
    values : sequence
        One cell per row.
    bins : int or sequence of float, optional
        See `fddkit.reading.labels.binned`.
    names : sequence of str, optional
        The cells are then their numbers, -1 for none.
    """

    title: str
    values: Sequence[Any]
    bins: Any = None
    names: Sequence[str] | None = None

    def labels(self, faults: Faults) -> Labels:
        """Return the labels of all rows; those without one are noted as faults."""
        known: dict[Any, Any] = {}
        cells = [self._cell(row, value, known, faults) for row, value in enumerate(self.values)]
        if self.names is not None:
            found = Labels(np.array([MISSING if c is None else c for c in cells]), self.names)
        elif self.bins is not None:
            values = np.array([np.nan if c is None else c for c in cells], dtype=np.float64)
            found = binned(values, self.bins, self.title)
            for row in np.flatnonzero((found.labels < 0) & ~np.isnan(values)).tolist():
                faults.add(row, "outside the bins", f"{self.title} {values[row]:g}")
        else:
            found = numbered(cells, self.title)
        for row in np.flatnonzero(found.labels < 0).tolist():
            faults.add(row, f"no {self.title}")
        return found

    def _cell(self, row: int, value: Any, known: dict[Any, Any], faults: Faults) -> Any:
        """Return the content of a cell, worked out once for equal ones; None if it is blank."""
        key = type(value), value
        try:
            hash(key)
        except Exception:  # a list, which cannot be a key, or code of others
            key = None
        if key is not None and key in known:
            return known[key]
        try:
            content = self._content(value)
        except ValueError as error:
            faults.add(row, "bad label", f"{self.title}: {error}")
            return None
        if key is not None:
            known[key] = content
        return content

    def _content(self, value: Any) -> Any:
        if self.names is None and self.bins is None:
            return text(value)
        found = number(value)
        if np.isnan(found) or (self.names is not None and found == MISSING):
            return None
        if self.names is None:
            return found
        if not found.is_integer() or not 0 <= found < len(self.names):
            raise ValueError(f"{found:g} is none of the {len(self.names)} numbers of the names")
        return int(found)


def split_bins(bins: Any, target: str, groups: Sequence[str]) -> dict[str, Any]:
    """Return column -> bins, from bins of the target or from a mapping of columns to bins."""
    given = bins if isinstance(bins, Mapping) else {} if bins is None else {target: bins}
    for column, value in given.items():
        if column not in (target, *groups):
            raise unknown("column with labels (bins=)", column, [target, *groups])
        check_bins(value, column)
    return dict(given)


def check_columns(group: Any) -> list[str]:
    """Return the columns of the groups as a list, or say what is wrong with them."""
    columns = (
        [group]
        if isinstance(group, str)
        else list(group)
        if isinstance(group, list | tuple)
        else []
    )
    if not columns or len(set(map(str, columns))) < len(columns):
        raise FddkitError(f"group={clip(repr(group))} names no column, or one twice; give a list")
    return columns
