"""What features encode: how well classes and groups can be predicted from them."""

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
_SHUFFLES = 20  # of the labels, for the purity expected by chance


@dataclass(frozen=True, eq=False)
class Score:
    """A share of images, and the share expected by chance.

    Attributes
    ----------
    value, chance : float
        Percent; NaN if nothing could be measured.
    images : int
        Number of images that it is a share of.
    by_class : ndarray or None
        float64 [C, 2], value and chance within each class, if they were measured within classes.
    """

    value: float
    chance: float
    images: int
    by_class: np.ndarray | None = None


def probe(
    features: Features, source: str, what: str = "group", seed: int = 0, folds: int = 5
) -> Score:
    """Measure how well a linear probe predicts the group within a class, or the class.

    Logistic regression (scikit-learn's, C = 1) by cross-validation, on features standardised by
    the training folds.

    Parameters
    ----------
    features : Features
        Features of a set.
    source : str
        Name of the set.
    what : {"group", "target"}
        ``group``: a probe for each class, on its images alone. ``target``: one probe, on all.
    seed : int
        Seed of the folds, among which every label is divided evenly.
    folds : int
        Number of folds, at least 2; fewer are used if there are fewer images.

    Returns
    -------
    Score
        Accuracy, and the share of the most frequent label as chance (within each class, then over
        all images). A label with a single image is left out, because no probe could have learnt
        it; a class with only one label left is NaN, and not part of the mean.

    Raises
    ------
    FddkitError
        For an unknown name, the groups of a distilled set, or too few folds.

    Examples
    --------
    Group 0 lies on the left and group 1 on the right, in both classes:

    >>> import torch
    >>> import fddkit as fdd
    >>> from fddkit.analysis.features import Features
    >>> features = Features(
    ...     points=torch.tensor([[-3.0], [-2.0], [-1.0], [1.0], [2.0], [3.0]]).repeat(2, 1),
    ...     target=torch.arange(2).repeat_interleave(6),
    ...     group=torch.tensor([0, 0, 0, 1, 1, 1]).repeat(2),
    ...     source=torch.zeros(12, dtype=torch.int64),
    ...     sources=("train",),
    ...     target_names=("a", "b"),
    ...     group_names=("left", "right"),
    ... )
    >>> fdd.probes.probe(features, "train", folds=3)
    Score(value=100.0, chance=50.0, images=12, by_class=array([[100.,  50.], [100.,  50.]]))
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
    """Return how many images the probe classifies correctly, the largest label's, and all.

    All are 0 if there are fewer than two labels.
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
        warnings.simplefilter("ignore")  # a probe that has not quite converged will do
        for i in range(min(folds, len(labels))):
            test = fold == i
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
    """Measure whether clusters of the features correspond to classes, or to groups.

    Parameters
    ----------
    features : Features
        Features of a set.
    source : str
        Name of the set.
    what : {"group", "target"}
        The label to compare with.
    clusters : int, optional
        Clusters of k-means (scikit-learn's, best of 10 runs); by default the number of labels.
    seed : int
        Seed of k-means.

    Returns
    -------
    Score
        The share of images whose label is the most frequent in their cluster (Manning et al.
        2008, section 16.3), and, as chance, its mean with shuffled labels: purity grows with the
        number of clusters, and if one label is frequent.

    Raises
    ------
    FddkitError
        For an unknown name, the groups of a distilled set, or more clusters than images.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> from fddkit.analysis.features import Features
    >>> features = Features(
    ...     points=torch.tensor([[0.0], [0.1], [5.0], [5.1]]),
    ...     target=torch.tensor([0, 0, 1, 1]),
    ...     group=torch.tensor([0, 1, 0, 1]),
    ...     source=torch.zeros(4, dtype=torch.int64),
    ...     sources=("train",),
    ...     target_names=("a", "b"),
    ...     group_names=("red", "blue"),
    ... )
    >>> fdd.probes.purity(features, "train", "target").value
    100.0
    >>> fdd.probes.purity(features, "train", "group").value
    50.0
    """
    from sklearn.cluster import KMeans

    rows, labels = _labels(features, source, what)
    k = len(labels.unique()) if clusters is None else clusters
    if not is_whole(k) or k > len(rows):
        raise FddkitError(f"clusters={k!r} does not suit {len(rows)} images; give 1 to {len(rows)}")
    state = derive(seed, "purity", what) % 2**32  # numpy's seeds have 32 bits
    x = features.points[rows].double().numpy()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # some stay empty if few images differ
        found = KMeans(k, n_init=10, random_state=state).fit_predict(x)
    cluster = torch.from_numpy(found).long()
    rng, size = generator(seed, "purity", what), int(labels.max()) + 1

    def pure(labels: Tensor) -> float:
        table = (cluster * size + labels).bincount(minlength=k * size).view(k, size)
        return 100 * int(table.amax(1).sum()) / len(labels)

    shuffled = (labels[torch.randperm(len(rows), generator=rng)] for _ in range(_SHUFFLES))
    return Score(pure(labels), sum(map(pure, shuffled)) / _SHUFFLES, len(rows))


def _labels(features: Features, source: str, what: str) -> tuple[Tensor, Tensor]:
    """Return the rows of a set and their labels."""
    if what not in LABELS:
        raise unknown("label", what, LABELS)
    rows = features.rows(source, grouped=what == "group")
    return rows, getattr(features, what)[rows]
