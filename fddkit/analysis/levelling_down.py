"""Whether groups are covered alike because some are covered worse."""

from typing import TYPE_CHECKING

from ..core.errors import FddkitError

if TYPE_CHECKING:
    import pandas as pd

_WORDS = {"distance": "distance to the nearest synthetic image", "mmd": "MMD²"}


def levelling(means: "pd.DataFrame", title: str, reference: str, column: str = "distance") -> str:
    """Say whether a set covers the groups more evenly than another, and at whose expense.

    Groups are covered equally well also if the better covered ones are covered worse. So both
    changes are compared: how much the worse covered groups gained, and how much the better covered
    ones lost.

    Parameters
    ----------
    means : pandas.DataFrame
        Of `fddkit.analysis.coverage.by_size`.
    title, reference : str
        The set in question, and the one that it is compared with.
    column : {"distance", "mmd"}
        The number to compare; of both, less is better.

    Returns
    -------
    str
        Two sentences: the numbers, and what follows from them. They are those of two sets, without
        intervals.

    Examples
    --------
    Minorities gain nothing, and the majority loses:

    >>> import pandas as pd
    >>> rows = [("vanilla", "majority"), ("vanilla", "minority")]
    >>> rows += [("cobra", "majority"), ("cobra", "minority")]
    >>> index = pd.MultiIndex.from_tuples(rows)
    >>> means = pd.DataFrame({"distance": [1.0, 3.0, 2.9, 3.1]}, index=index)
    >>> print(levelling(means, "cobra", "vanilla"))
    cobra: distance to the nearest synthetic image 2.90 for majorities and 3.10 for minorities,
    under vanilla 1.00 and 3.00. More even only because majorities are covered worse (levelling
    down).
    """
    if column not in _WORDS:
        raise FddkitError(f"column={column!r} is not one of {', '.join(_WORDS)}")
    before, after = ({who: means.loc[(name, who), column] for who in ("majority", "minority")}
                     for name in (reference, title))  # fmt: skip
    near, far = sorted(before, key=before.get)
    digits = ".2f" if column == "distance" else ".3f"
    now, then = (
        [format(found[who], digits) for who in ("majority", "minority")]
        for found in (after, before)
    )
    said = (
        f"{title}: {_WORDS[column]} {now[0]} for majorities and {now[1]} for minorities, under "
        f"{reference} {then[0]} and {then[1]}."
    )
    lost, gained = after[near] - before[near], before[far] - after[far]
    plural = {"majority": "majorities", "minority": "minorities"}
    if abs(after[far] - after[near]) >= before[far] - before[near]:
        return f"{said} Not more even."
    if lost <= 0:
        return f"{said} More even because {plural[far]} are covered better."
    if gained <= 0:
        return f"{said} More even only because {plural[near]} are covered worse (levelling down)."
    share = 100 * lost / (lost + gained)
    return (
        f"{said} More even: {share:.0f}% of the change is that {plural[near]} are covered worse "
        f"(levelling down), the rest that {plural[far]} are covered better."
    )
