"""Changes of the group labels by name, as `fddkit.load` takes them and `info` records them."""

from collections.abc import Mapping, Sequence
from inspect import signature
from typing import Any

from ..core.errors import FddkitError, unknown
from .grouped import GroupedDataset
from .imperfect import known_groups, noisy_groups
from .recovery import recovered_groups

CHANGES = {"noise": noisy_groups, "known": known_groups, "recovered": recovered_groups}
_ARGUMENTS = {
    name: set(signature(change).parameters) - {"train", "partly", "features"}
    for name, change in CHANGES.items()
}
_MOST = 8  # changes of one set


def check_changes(steps: object) -> list[dict[str, Any]]:
    """Return changes of group labels as a list for JSON.

    Parameters
    ----------
    steps : sequence of mapping
        Each with the name of the ``change``, one of ``noise``, ``known`` and ``recovered``, and its
        arguments (those of `fddkit.noisy_groups` and so on).

    Returns
    -------
    list of dict

    Raises
    ------
    FddkitError
        For anything else. The arguments' values are checked when the changes are made.
    """
    if isinstance(steps, str) or not isinstance(steps, Sequence) or len(steps) > _MOST:
        raise FddkitError(
            f"group_labels={str(steps)[:60]} is not a list of changes; give e.g. "
            "[{'change': 'noise', 'share': 0.1}]"
        )
    for step in steps:
        if not isinstance(step, Mapping) or "change" not in step:
            raise FddkitError(
                f"{str(step)[:60]} is not a change of group labels; give e.g. "
                "{'change': 'noise', 'share': 0.1}"
            )
        if not isinstance(step["change"], str) or step["change"] not in CHANGES:
            raise unknown("change of group labels", step["change"], CHANGES)
        known = _ARGUMENTS[step["change"]]
        for name in set(step) - {"change"} - known:
            raise unknown(f"name of an argument of {step['change']}", name, sorted(known))
    return [dict(step) for step in steps]


def changed(train: GroupedDataset, steps: Sequence[Mapping[str, Any]]) -> GroupedDataset:
    """Return a training set after some changes of its group labels.

    Parameters
    ----------
    train : GroupedDataset
        The set; it is left as it is.
    steps : sequence of mapping
        See `check_changes`.

    Returns
    -------
    GroupedDataset

    Raises
    ------
    FddkitError
        As in the functions of `fddkit.data.imperfect` and `fddkit.data.recovery`.
    """
    for step in check_changes(steps):
        name = step.pop("change")
        train = CHANGES[name](train, **step)
    return train
