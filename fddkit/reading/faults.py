"""What is wrong with the rows of a table: each named, all counted, refused or left out."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from ..core.errors import FddkitError
from ..core.reading import clip

_SHOWN = 10
EMPTY = "empty row"
SMALL = "in a small group"
NO_FILE = "no file"
UNREADABLE = "unreadable image"
HARMLESS = (EMPTY, SMALL)  # left out by intent: no reason to refuse the rest

FAULTY = ("refuse", "skip")


class Transient(FddkitError):
    """A fault of the machine, not of the file, such as too little memory: it may pass."""


class Faults:
    """The rows that cannot be used; a row is counted once, by what was found first.

    Parameters
    ----------
    where : str
        The table or data set.
    numbers : sequence of int or str
        What a user finds each row by: its line or its index.
    word : str
        ``"line"``, ``"row"`` or ``"image"``.
    """

    def __init__(self, where: str, numbers: Sequence[int | str], word: str):
        self.where, self.numbers, self.word = where, numbers, word
        self._found: dict[int, dict[str, Any]] = {}

    def add(self, row: int, reason: str, detail: str = "") -> None:
        """Note a reason, such as ``"no file"``, and what it is about, unless there is one."""
        about = {self.word: self.numbers[row], "reason": reason, "detail": clip(detail, 300)}
        self._found.setdefault(row, about)

    def __contains__(self, row: int) -> bool:
        return row in self._found

    def left(self) -> list[int]:
        """Return the rows without a fault, in order."""
        return [row for row in range(len(self.numbers)) if row not in self._found]

    def counts(self) -> dict[str, int]:
        """Return reason -> number of rows, the most frequent first."""
        return _count(self.listed())

    def listed(self) -> list[dict[str, Any]]:
        """Return every fault in the order of the rows: its number, reason and detail."""
        return [self._found[row] for row in sorted(self._found)]

    def refuse(self, skip: bool) -> None:
        """Raise an error that names the first ten, unless they are to be skipped and some is left.

        Raises
        ------
        FddkitError
            In one sentence.
        """
        bad = [fault for fault in self.listed() if fault["reason"] not in HARMLESS]
        empty = len(self._found) == len(self.numbers)
        if not empty and (skip or not bad):
            return
        if not bad:
            raise FddkitError(f"{self.where} holds no image; give a table with at least one")
        reasons = ", ".join(f"{reason}: {n:,}" for reason, n in _count(bad).items())
        shown = "; ".join(map(self._said, bad[:_SHOWN]))
        more = f"; and {len(bad) - _SHOWN:,} more" if len(bad) > _SHOWN else ""
        advice = "nothing would be left" if empty else 'correct them, or give faulty="skip"'
        raise FddkitError(
            f"{len(bad):,} of {len(self.numbers):,} {self.word}s of {self.where} cannot be used "
            f"({reasons}): {shown}{more}; {advice}"
        )

    def _said(self, fault: dict[str, Any]) -> str:
        detail = f" ({clip(fault['detail'], 80)})" if fault["detail"] else ""
        return f"{self.word} {fault[self.word]}: {fault['reason']}{detail}"


def _count(faults: list[dict[str, Any]]) -> dict[str, int]:
    return dict(Counter(fault["reason"] for fault in faults).most_common())
