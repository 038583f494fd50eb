"""Reports on anybody's models, from what they predicted."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FddkitError
from .foreign_labels import array, labels, names_of, numbered, one_each
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
        then positions in them. By default, what occurs, sorted; at most 1,000 of each.

    Returns
    -------
    FairnessReport

    Raises
    ------
    FddkitError
        If the arrays do not fit each other, hold no labels (such as probabilities), mix text
        with numbers, or a label has no name.

    Warns
    -----
    UserWarning
        If no predicted class is a true one.

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
    true, groups = (
        one_each(what, labels(what, values))
        for what, values in (("y_true", y_true), ("group", group))
    )
    predicted = np.atleast_2d(labels("y_pred", y_pred))
    if predicted.ndim != 2 or predicted.shape[1] != len(true) or len(groups) != len(true):
        raise FddkitError(
            f"y_true has {len(true)} labels, y_pred the shape {list(predicted.shape)} and group "
            f"{len(groups)} labels; give one of each per test image (y_pred: one row per model)"
        )
    targets, (true, predicted) = numbered("class", [true, predicted], target_names)
    shown, (groups,) = numbered("group", [groups], group_names)
    if original is not None:
        original = np.unique(
            one_each("original", _finite(array("original", original))), return_inverse=True
        )[1]
    models = [f"model {i + 1}" for i in range(len(predicted))]
    if names is not None:
        models = names_of("names", [names] if isinstance(names, str) else names)
    score = None if score is None else _probabilities(score)
    outcomes = Outcomes(true, groups, predicted, original, score)
    return outcomes, models, {"target_names": targets, "group_names": shown}


def _finite(original: np.ndarray) -> np.ndarray:
    if original.dtype.kind == "f" and not np.isfinite(original).all():
        raise FddkitError("original holds NaN or infinity; number the originals")
    return original


def _probabilities(score: Labels) -> np.ndarray:
    """Return probabilities as scores, uint8 [R, N]."""
    found = np.atleast_2d(array("score", score))
    if found.dtype.kind == "U" or not ((found >= 0) & (found <= 1)).all():
        raise FddkitError("score must be probabilities of the predicted class, from 0 to 1")
    return as_score(found.astype(float))
