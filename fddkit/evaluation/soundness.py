"""What reports must be, alone and together: parts that fit, of a size that can be read again."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import FddkitError
from ..core.reading import clip
from .outcomes import Outcomes

if TYPE_CHECKING:
    from .report import FairnessReport

MOST_REPEATS, MOST_CELLS = 2000, 10_000  # the cost of a summary grows with them
MOST_COUNTS = 2**21  # of one repeat: groups x classes x classes
_AXES = {"target_names": ("classes", 2), "group_names": ("groups", 1)}


def counts_of(given: Any) -> np.ndarray:
    """Return a copy of the counts that cannot be written to.

    Parameters
    ----------
    given : array
        What should be whole numbers [R, A, C, C].

    Returns
    -------
    int64 [R, A, C, C]

    Raises
    ------
    FddkitError
        If it has another type or shape, or nothing is counted.
    """
    try:
        counts = np.asarray(given)
    except (TypeError, ValueError, RuntimeError):  # ragged, or a tensor that numpy cannot read
        counts = np.asarray(None)
    shape = counts.shape
    if counts.dtype.kind != "i" or len(shape) != 4 or shape[2] != shape[3] or 0 in shape:
        raise FddkitError(
            "counts must be whole numbers [repeat, group, true class, predicted class], "
            f"not {counts.dtype} of shape {list(shape)}"
        )
    if (counts < 0).any() or counts.sum(dtype=float) > 2**53:  # beyond this, sums are not exact
        raise FddkitError("counts are negative or larger than any test set; give numbers of images")
    counts = counts.astype(np.int64)  # a copy: the caller's stay his own
    counts.setflags(write=False)
    return counts


def of_repeats(name: str, what: str, values: Any, repeats: int, kind: type) -> list:
    """Return what belongs to each repeat as a list, or raise an error.

    Parameters
    ----------
    name, what : str
        Of the argument, and of one value in words.
    values : sequence
        One value per repeat.
    repeats : int
        Their number R.
    kind : type
        Of a value: ``str``, or ``int``, which may be numpy's.

    Returns
    -------
    list
        Of length R.
    """
    kinds = (int, np.integer) if kind is int else kind
    listed = isinstance(values, Sequence | np.ndarray) and not isinstance(values, str | bytes)
    if not listed or any(not isinstance(x, kinds) or isinstance(x, bool) for x in values):
        raise FddkitError(f"{name} must be a list of {what}s, not {clip(values, 60)}")
    if len(values) != repeats:
        raise FddkitError(f"{len(values)} {what}s for {repeats} repeats; give one per repeat")
    return [kind(x) for x in values]


def check_size(networks: Sequence[str], groups: int, classes: int) -> None:
    """Refuse a report whose numbers would take too long to compute, or could not be read again.

    Parameters
    ----------
    networks : sequence of str
        The architecture of each repeat.
    groups, classes : int
        The numbers A and C.

    Raises
    ------
    FddkitError
        If it is larger than `MOST_REPEATS`, `MOST_CELLS` and `MOST_COUNTS` allow.
    """
    different = len(set(networks))
    too_large = (
        len(networks) > MOST_REPEATS
        or different * groups * classes > MOST_CELLS
        or groups * classes**2 > MOST_COUNTS
    )
    if too_large:
        raise FddkitError(
            f"{len(networks):,} repeats of {different} networks, {classes:,} classes and "
            f"{groups:,} groups are more than a report takes ({MOST_REPEATS:,} repeats, "
            f"{MOST_CELLS:,} cells of network, class and group, {MOST_COUNTS:,} counts of a "
            "network); make several reports"
        )


def check(report: "FairnessReport") -> None:
    """Raise an error unless the parts of a report fit each other.

    Parameters
    ----------
    report : FairnessReport
        With the counts that `counts_of` returned.

    Raises
    ------
    FddkitError
        That says which part does not fit.
    """
    counts, other = report.counts, report.counterfactual
    check_size(report.networks, *counts.shape[1:3])
    _check_config(report)
    size = counts.sum(-1)
    if (size != size[0]).any() or not size.any():
        raise FddkitError("counts must be of the same test images in every repeat")
    if report.outcomes is not None:
        if not isinstance(report.outcomes, Outcomes):
            raise FddkitError(f"outcomes must be Outcomes, not {type(report.outcomes).__name__}")
        if not np.array_equal(counts, report.outcomes.counts(*counts.shape[2:0:-1])):
            raise FddkitError("counts and outcomes differ; make the report with FairnessReport.of")
    if other is None:
        return
    if not isinstance(other, type(report)) or other.counterfactual is not None:
        raise FddkitError("counterfactual must be a report that has no counterfactual itself")
    if (other.networks, other.sets) != (report.networks, report.sets):
        raise FddkitError(
            "the counterfactual report is of other networks or sets; evaluate the same networks "
            "on both tests"
        )
    if why := axes_differ(report, other):
        raise FddkitError(f"the counterfactual report is of another test: {why}")


def _check_config(report: "FairnessReport") -> None:
    """Raise an error for what cannot be the config of these counts."""
    config = report.config
    for name, value in (("config", config), ("versions", report.versions)):
        if not isinstance(value, dict):
            raise FddkitError(f"{name} must be a dictionary, not {clip(value, 60)}")
    for name in ("data", "health", "reference"):
        if not isinstance(config.get(name, {}), dict):
            raise FddkitError(
                f"config[{name!r}] must be a dictionary, not {clip(config[name], 60)}"
            )
    for key, (what, axis) in _AXES.items():
        if key in config and len(names_of(config, key)) != report.counts.shape[axis]:
            raise FddkitError(
                f"config[{key!r}] does not fit the counts, which have {report.counts.shape[axis]} "
                f"{what}; give one name for each"
            )
    counted = config.get("reference", {}).get("counts", [[]])
    rows = counted if isinstance(counted, list) else [None]
    whole = all(isinstance(row, list) and len(row) == len(rows[0]) for row in rows) and all(
        isinstance(n, int) and n >= 0 for row in rows for n in row
    )
    if not whole:
        raise FddkitError("config['reference']['counts'] must be numbers of images [class, group]")


def names_of(config: Any, key: str) -> Sequence[str]:
    """Return the names of the classes or groups in a config.

    Parameters
    ----------
    config : dict
        Of a report.
    key : str
        ``"target_names"`` or ``"group_names"``.

    Raises
    ------
    FddkitError
        If they are missing, or not names.
    """
    names = config.get(key) if isinstance(config, dict) else None
    if not isinstance(names, Sequence | np.ndarray) or any(not isinstance(x, str) for x in names):
        raise FddkitError(f"config[{key!r}] must be the list of the names of the {_AXES[key][0]}")
    return names


def axes_differ(a: "FairnessReport", b: "FairnessReport") -> str:
    """Return in what the classes or groups of two reports differ, as a clause; empty if in nothing.

    Names that are missing, or are the numbers of their positions, are not compared.
    """
    for key, (what, axis) in _AXES.items():
        sizes = [report.counts.shape[axis] for report in (a, b)]
        if sizes[0] != sizes[1]:
            return f"it has {sizes[0]} and {sizes[1]} {what}"
        numbered = [str(i) for i in range(sizes[0])]
        one, other = (list(report.config.get(key, numbered)) for report in (a, b))
        if one != other and numbered not in (one, other):
            return f"its {what} are {clip(', '.join(one), 60)} and {clip(', '.join(other), 60)}"
    return ""


def tests_differ(a: "FairnessReport", b: "FairnessReport") -> str:
    """Return in what the tests of two reports are known to differ, as a clause; empty if not."""
    if why := axes_differ(a, b):
        return why
    prints = {report.config.get("test_fingerprint") for report in (a, b)} - {None}
    alike = a.outcomes is None or b.outcomes is None or a.outcomes.same_test(b.outcomes)
    alike = alike and np.array_equal(a.counts[0].sum(-1), b.counts[0].sum(-1))
    return "" if alike and len(prints) < 2 else "they are not of the same test images"
