"""Imperfect group labels: some are wrong, or only some (or none) are known.

Only the labels of a training set are changed, never its images, and never a test set: what is
evaluated are the true groups. An image whose group is unknown has group -1.
"""

import math
from dataclasses import replace
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core.errors import FddkitError, unknown
from ..core.rng import generator
from .injection_options import check_number

if TYPE_CHECKING:
    from .grouped import GroupedDataset

KINDS = ("any", "wrong")
#: Advice for what needs the group of every image: to distil, and to split or bias a set.
_RULE = "use the rule kde, which needs none"
NATURAL = "use only images whose group is known"


def noisy_groups(
    train: "GroupedDataset", share: float = 0.1, kind: str = "any", seed: int = 0
) -> "GroupedDataset":
    """Replace the group labels of some images by random ones.

    ``round(share * N)`` of the N images with a known group are drawn, whatever their class, and
    each gets a label drawn uniformly: under ``any`` from all A groups, so that the share of wrong
    labels is ``share * (1 - 1 / A)`` on average; under ``wrong`` from the other groups, so that it
    is ``share``. The draws of a smaller share are contained in those of a larger one.

    Parameters
    ----------
    train : GroupedDataset
        The set; it is left as it is.
    share : float
        From 0 to 1.
    kind : {"any", "wrong"}
        ``any`` label, the true one included (FairDD), or a ``wrong`` one (COBRA).
    seed : int
        Determines the draws.

    Returns
    -------
    GroupedDataset
        The same images; `GroupedDataset.source` counts the labels that changed.

    Raises
    ------
    FddkitError
        For a share outside [0, 1], an unknown kind, or a set with fewer than two groups.

    References
    ----------
    `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> noisy = fdd.noisy_groups(train, share=0.1, kind="wrong")
    >>> int((noisy.group != train.group).sum()), round(0.1 * len(train))
    (135, 135)
    """
    _check(share, seed)
    if kind not in KINDS:
        raise unknown("kind of group noise", kind, KINDS)
    groups = train.n_groups
    if groups < 2:
        raise FddkitError(f"{train.name} has one group, so no label can be wrong; give two or more")
    group = train.group.cpu()
    known = torch.where(group >= 0)[0]
    order = known[torch.randperm(len(known), generator=generator(seed, "noisy groups"))]
    # a label for every image, drawn or not: that of an image does not depend on the share
    labels = torch.randint(
        groups - (kind == "wrong"), (len(group),), generator=generator(seed, "group noise", kind)
    )
    if kind == "wrong":
        labels = (group + 1 + labels) % groups
    rows = order[: round(share * len(known))]
    changed = group.clone()
    changed[rows] = labels[rows]
    step = {"change": "noise", "share": float(share), "kind": kind, "seed": int(seed)}
    return relabelled(train, changed, step, drawn=len(rows))


def known_groups(train: "GroupedDataset", share: float = 0.5, seed: int = 0) -> "GroupedDataset":
    """Keep the group labels of some images only; the others become unknown, -1.

    Of each class ``ceil(share * n)`` labels are kept, so that no class is without any. Those that
    a smaller share keeps are contained in those of a larger one.

    Parameters
    ----------
    train : GroupedDataset
        The set; it is left as it is.
    share : float
        From 0 (none is known) to 1.
    seed : int
        Determines which are kept.

    Returns
    -------
    GroupedDataset
        The same images; `GroupedDataset.source` counts the labels that were dropped.

    Raises
    ------
    FddkitError
        For a share outside [0, 1].

    See Also
    --------
    fddkit.recovered_groups : Guess the unknown ones.

    References
    ----------
    COBRA, appendix L (75, 50, 25, 10 and 5%); `docs/methods.md`, "Data sets".

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> partly = fdd.known_groups(train, share=0.25)
    >>> len(train), int((partly.group < 0).sum())
    (1347, 1007)
    """
    _check(share, seed)
    group, target = train.group.cpu().clone(), train.target.cpu()
    for y in range(train.n_classes):
        rows = torch.where(target == y)[0]
        order = torch.randperm(len(rows), generator=generator(seed, "known groups", y))
        kept = math.ceil(share * len(rows) - 1e-9)  # 0.07 * 100 is 7.000000000000001
        kept = max(kept, int(share > 0))
        group[rows[order[kept:]]] = -1
    step = {"change": "known", "share": float(share), "seed": int(seed)}
    return relabelled(train, group, step)


def unknown_groups(train: "GroupedDataset") -> "GroupedDataset":
    """Drop every group label.

    Rules that need none can still be used, of which ``kde`` is meant to be fair; the others refuse
    such a set.

    Parameters
    ----------
    train : GroupedDataset
        The set; it is left as it is.

    Returns
    -------
    GroupedDataset
        The same images, all with group -1; the names of the groups stay.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> fdd.unknown_groups(train).group.unique().tolist()
    [-1]
    """
    return known_groups(train, share=0.0)


def relabelled(
    train: "GroupedDataset", group: Tensor, step: dict[str, Any], again: bool = True, **counted: int
) -> "GroupedDataset":
    """Return a set with other group labels, and a record of the change in its ``source``.

    Parameters
    ----------
    train : GroupedDataset
        The set before the change.
    group : Tensor
        int64 [N], the new labels, on the CPU.
    step : dict
        ``change``, its name, and its arguments.
    again : bool
        Whether the arguments are enough to repeat the change; otherwise the result has no `info`.
    **counted
        Further counts for the record.

    Returns
    -------
    GroupedDataset
        ``source["group_labels"]`` lists the changes: each with its arguments, the number of labels
        ``changed``, and ``by_cell``, that number by class and group (before the change; after it,
        where the group was unknown), [C][A].
    """
    before = train.group.cpu()
    moved = group != before
    of = torch.where(before >= 0, before, group)[moved]
    cell = train.target.cpu()[moved] * train.n_groups + of
    by_cell = cell.bincount(minlength=train.n_classes * train.n_groups)
    record = {
        **step,
        **counted,
        "changed": int(moved.sum()),
        "by_cell": by_cell.view(train.n_classes, -1).tolist(),
    }
    source = train.source | {"group_labels": [*train.source.get("group_labels", []), record]}
    info = train.info | {"group_labels": [*train.info.get("group_labels", []), step]}
    return replace(
        train,
        group=group.to(train.group.device),
        source=source,
        info=info if again and train.info else {},
    )


def require_groups(train: "GroupedDataset", who: str, advice: str = _RULE) -> None:
    """Refuse a set with unknown groups for something that needs them.

    Parameters
    ----------
    train : GroupedDataset
        The set.
    who : str
        What needs the groups, to begin the message with.
    advice : str
        What to do instead; where some groups are known, the message also names
        `fddkit.recovered_groups`.

    Raises
    ------
    FddkitError
        If the group of an image is unknown.
    """
    missing = int((train.group < 0).sum())
    if missing == 0:
        return
    if missing == len(train):
        which, how = "all groups", ""
    else:
        which = f"{missing:,} of the {len(train):,} groups"
        how = ", or fdd.recovered_groups to guess them"
    raise FddkitError(
        f"{who} needs the group of every image, but {which} of {train.name} are unknown; "
        f"{advice}{how}"
    )


def _check(share: object, seed: object) -> None:
    if isinstance(share, bool) or not isinstance(share, Real) or not 0 <= share <= 1:
        raise FddkitError(f"share={share!r} is not a share of the images; give 0 to 1")
    check_number("seed", seed, Integral)
