"""What features are about: how well classes and groups can be told from them."""

import warnings
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..core.errors import FddkitError, unknown
from ..core.numbers import is_whole, whole
from ..core.rng import derive, generator
from .features import Features

LABELS = ("group", "target")
_SHUFFLES = 20  # of the labels, for the purity that chance gives


@dataclass(frozen=True, eq=False)
class Score:
    """A share of images, beside what chance gives.

    Attributes
    ----------
    value, chance : float
        Percent; NaN where nothing could be measured.
    images : int
        How many it is a share of.
    by_class : ndarray or None
        float64 [C, 2], value and chance within each class, where that was asked.
    """

    value: float
    chance: float
    images: int
    by_class: np.ndarray | None = None


def probe(
    features: Features, source: str, what: str = "group", seed: int = 0, folds: int = 5
) -> Score:
    """Measure how well a linear probe tells the group within a class, or the class.

    Logistic regression (scikit-learn's, C = 1) on features standardised by the training folds,
    tested on the fold that it has not seen.

    Parameters
    ----------
    features : Features
        Of a set.
    source : str
        Its name.
    what : {"group", "target"}
        ``group``: a probe for each class, on its images alone. ``target``: one probe, on all.
    seed : int
        Of the folds, into which every label is shared out evenly.
    folds : int
        At least 2; fewer where there are fewer images.

    Returns
    -------
    Score
        Accuracy, and the share of the most frequent label as chance (within each class, then over
        all images). A label with a single image is left out: no probe can have seen it; a class
        with one label left is NaN, and not part of the mean.

    Raises
    ------
    FddkitError
        For an unknown name, the groups of a distilled set, or too few folds.
    """
    whole("folds", folds, least=2)
    rows, labels = _labels(features, source, what)
    parts, by_class = [torch.ones_like(rows, dtype=torch.bool)], None
    if what == "group":
        parts = [features.target[rows] == y for y in range(len(features.target_names))]
    results = []
    for y, part in enumerate(parts):
        x, rng = features.points[rows[part]].double(), generator(seed, "probe", what, y)
        results.append(_validate(x.numpy(), labels[part], folds, rng))
    hits, most, images = np.array(results, dtype=np.float64).T
    with np.errstate(invalid="ignore"):  # 0 / 0 is NaN
        if what == "group":
            by_class = 100 * np.stack([hits / images, most / images], 1)
        total = images.sum()
        value, guess = 100 * hits.sum() / total, 100 * most.sum() / total
    return Score(float(value), float(guess), int(total), by_class)


def _validate(
    x: np.ndarray, labels: Tensor, folds: int, rng: torch.Generator
) -> tuple[int, int, int]:
    """Return how many images the probe gets right, how many the most frequent label, of how many.

    All are 0 where there are no two labels to tell apart.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    counts = labels.bincount()
    if (counts > 1).sum() < 2:
        return 0, 0, 0
    order = torch.randperm(len(labels), generator=rng)
    order = order[labels[order].argsort(stable=True)]  # label after label, each in random order
    order = order[counts[labels[order]] > 1]
    x, labels = x[order], labels[order].numpy()
    fold, hits = np.arange(len(labels)) % folds, 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a probe that is not quite converged is one still
        for one in range(min(folds, len(labels))):
            test = fold == one
            model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
            model.fit(x[~test], labels[~test])
            hits += int((model.predict(x[test]) == labels[test]).sum())
    return hits, int(counts.max()), len(labels)


def purity(
    features: Features,
    source: str,
    what: str = "target",
    clusters: int | None = None,
    seed: int = 0,
) -> Score:
    """Measure whether clusters of the features are classes, or groups.

    Parameters
    ----------
    features : Features
        Of a set.
    source : str
        Its name.
    what : {"group", "target"}
        By which label.
    clusters : int, optional
        Of k-means (scikit-learn's, the best of 10); by default as many as the set has labels.
    seed : int
        Of k-means.

    Returns
    -------
    Score
        The share of images whose label is the most frequent of their cluster (Manning et al.
        2008, section 16.3), and as chance its mean with the labels shuffled: purity grows with the
        number of clusters, and where one label is frequent.

    Raises
    ------
    FddkitError
        For an unknown name, the groups of a distilled set, or a number of clusters that the images
        do not fill.
    """
    from sklearn.cluster import KMeans

    rows, labels = _labels(features, source, what)
    k = len(labels.unique()) if clusters is None else clusters
    if not is_whole(k) or k > len(rows):
        raise FddkitError(f"clusters={k!r} do not fit {len(rows)} images; give 1 to {len(rows)}")
    state = derive(seed, "purity", what) % 2**32  # numpy's seeds are of 32 bits
    x = features.points[rows].double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # fewer different images than clusters: some stay empty
        own = KMeans(k, n_init=10, random_state=state).fit_predict(x)
    cluster = torch.from_numpy(own).long()
    rng, size = generator(seed, "purity", what), int(labels.max()) + 1

    def pure(labels: Tensor) -> float:
        table = (cluster * size + labels).bincount(minlength=k * size).view(k, size)
        return 100 * int(table.amax(1).sum()) / len(labels)

    shuffled = (labels[torch.randperm(len(rows), generator=rng)] for _ in range(_SHUFFLES))
    return Score(pure(labels), sum(map(pure, shuffled)) / _SHUFFLES, len(rows))


def _labels(features: Features, source: str, what: str) -> tuple[Tensor, Tensor]:
    """Return the rows of a set and the labels of these rows."""
    if what not in LABELS:
        raise unknown("label", what, LABELS)
    rows = features.rows(source, grouped=what == "group")
    return rows, getattr(features, what)[rows]
