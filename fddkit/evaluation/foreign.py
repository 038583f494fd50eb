"""Reports on anybody's models, from what they predicted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FddkitError
from .outcomes import Outcomes, as_score

if TYPE_CHECKING:
    from .report import FairnessReport

Labels = Sequence | np.ndarray


def from_predictions(
    cls: type["FairnessReport"],
    y_true: Labels,
    y_pred: Labels,
    group: Labels,
    names: Sequence[str] | None = None,
    original: Labels | None = None,
    score: Labels | None = None,
    target_names: Sequence[str] | None = None,
    group_names: Sequence[str] | None = None,
) -> "FairnessReport":
    """Return the report on anybody's models.

    Parameters
    ----------
    y_true : array [N]
        True class of each test image, numbers or text.
    y_pred : array [N] or [R, N]
        What one model predicted, or each of several.
    group : array [N]
        Group of each test image.
    names : sequence of str, optional
        Names of the models, length R; models of one name are repeats.
    original : array [N], optional
        Which original each image shows, where one original is shown in several groups.
    score : array [N] or [R, N], optional
        Probability of the predicted class, in [0, 1].
    target_names, group_names : sequence of str, optional
        Names in the order wanted; whole numbers in ``y_true``, ``y_pred`` and ``group`` are
        then positions in them. By default, what occurs, sorted.

    Returns
    -------
    FairnessReport

    Raises
    ------
    FddkitError
        If the arrays do not fit each other, or a label has no name.

    Examples
    --------
    >>> import fddkit as fdd
    >>> report = fdd.FairnessReport.from_predictions(
    ...     ["cat", "cat", "dog", "dog"], ["cat", "dog", "dog", "dog"], list("abab")
    ... )
    >>> report.accuracy.mean, report.deo_m.mean
    (75.0, 100.0)
    """
    given = names, original, score, target_names, group_names
    return cls.of(*_labelled(y_true, y_pred, group, *given))


def _labelled(
    y_true: Labels,
    y_pred: Labels,
    group: Labels,
    names: Sequence[str] | None,
    original: Labels | None,
    score: Labels | None,
    target_names: Sequence[str] | None,
    group_names: Sequence[str] | None,
) -> tuple[Outcomes, list[str], dict]:
    """Return outcomes, names of the models and a config; see `FairnessReport.from_predictions`."""
    true, groups = _one("y_true", y_true), _one("group", group)
    predicted = np.atleast_2d(_array("y_pred", y_pred))
    if predicted.ndim != 2 or predicted.shape[1] != len(true) or len(groups) != len(true):
        raise FddkitError(
            f"y_true has {len(true)} labels, y_pred the shape {list(predicted.shape)} and group "
            f"{len(groups)} labels; give one of each per test image (y_pred: one row per model)"
        )
    targets, (true, predicted) = _numbered("class", [true, predicted], target_names)
    shown, (groups,) = _numbered("group", [groups], group_names)
    if original is not None:
        original = np.unique(_one("original", original), return_inverse=True)[1]
    if score is not None:
        score = np.atleast_2d(_array("score", score).astype(float))
        if not ((score >= 0) & (score <= 1)).all():
            raise FddkitError("score must be probabilities of the predicted class, from 0 to 1")
        score = as_score(score)
    models = [f"model {i + 1}" for i in range(len(predicted))] if names is None else list(names)
    outcomes = Outcomes(true, groups, predicted, original, score)
    return outcomes, models, {"target_names": targets, "group_names": shown}


def _array(what: str, values: Labels) -> np.ndarray:
    found = np.asarray(values)
    if found.dtype.kind not in "iufUSb":
        raise FddkitError(f"{what} must hold numbers or text, not {found.dtype}")
    if found.dtype.kind == "f" and what != "score" and not np.isfinite(found).all():
        raise FddkitError(f"{what} holds NaN or infinity; leave out images without a label")
    return found


def _one(what: str, values: Labels) -> np.ndarray:
    found = _array(what, values)
    if found.ndim != 1 or not len(found):
        raise FddkitError(f"{what} has shape {list(found.shape)}; give one label per test image")
    return found


def _numbered(
    what: str, labels: list[np.ndarray], names: Sequence[str] | None
) -> tuple[list[str], list[np.ndarray]]:
    """Return the names, and the labels as their positions.

    Labels are the names themselves; whole numbers are positions if there are names.
    """
    if names is None:
        known = np.unique(np.concatenate([each.ravel() for each in labels]))
        return [str(one) for one in known], [np.searchsorted(known, each) for each in labels]
    names = [str(name) for name in names]
    position, found = {name: i for i, name in enumerate(names)}, []
    for each in labels:
        if each.dtype.kind in "iu":
            bad = (each < 0) | (each >= len(names))
            numbers = each.astype(np.int64)
        else:
            numbers = np.array([position.get(str(one), -1) for one in each.ravel()])
            numbers = numbers.reshape(each.shape).astype(np.int64)
            bad = numbers < 0
        if bad.any():
            raise FddkitError(
                f"{what} {each[bad].ravel()[0]!s:.40} is not one of {', '.join(names)[:100]}"
            )
        found.append(numbers)
    return names, found
