"""Features projected to the plane: PCA, t-SNE and UMAP, computed once and cached."""

import os
import warnings
from importlib import metadata
from pathlib import Path

import numpy as np
import torch

from ..core.cache import artifact, cached, identify
from ..core.errors import FddkitError, unknown
from ..core.files import digest
from ..core.kinds import Array, Kind
from ..core.rng import derive
from .features import Features

PROJECTION = Kind(
    "projection",
    "a projection",
    "remove it, and it will be computed again",
    {"points": Array(("float32",), ("images", 2))},
    {"identity": dict},
)

#: Method -> the packages whose versions its points depend on.
METHODS = {
    "pca": ("scikit-learn",),
    "tsne": ("scikit-learn",),
    "umap": ("umap-learn", "pynndescent", "numba"),
}
_LEAST = 5  # points that have meaningful neighbourhoods


def project(
    features: Features,
    method: str = "pca",
    seed: int = 0,
    cache: str | os.PathLike | None = None,
) -> np.ndarray:
    """Project features to the plane; earlier results are loaded from the cache.

    Parameters
    ----------
    features : Features
        Features of N images.
    method : {"pca", "tsne", "umap"}
        ``pca``: the two directions of largest variance; zero if there is none. ``tsne``: with
        perplexity 30, or a third of the number of points if they are few (van der Maaten and
        Hinton 2008). ``umap``: with 15 neighbours, or all others if they are fewer (McInnes et al.
        2018). In the last two, distances between clusters, and their sizes, mean little: see
        `fddkit.analysis.coverage` for numbers.
    seed : int
        Seed of t-SNE and UMAP; the same call gives the same points.
    cache : path-like, optional
        Folder of the points, see `fddkit.core.cache`.

    Returns
    -------
    numpy.ndarray
        float32 [N, 2].

    Raises
    ------
    FddkitError
        For an unknown method, a method whose package is missing, or fewer than 5 images for t-SNE
        and UMAP.

    Examples
    --------
    >>> import tempfile
    >>> import fddkit as fdd
    >>> _, test = fdd.load("digits")
    >>> features = fdd.features.extract({"test": test}, per_cell=1, width=8)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     points = fdd.projections.project(features, "pca", cache=folder)
    >>> points.shape
    (100, 2)
    """
    if method not in METHODS:
        raise unknown("projection", method, METHODS)
    n = len(features)
    if n < (1 if method == "pca" else _LEAST):
        raise FddkitError(
            f"{method} needs at least {_LEAST} images, not {n}; give more images, or use pca"
        )
    points = features.points.contiguous().numpy()
    try:
        used = {name: metadata.version(name) for name in METHODS[method]}
    except metadata.PackageNotFoundError as error:
        raise FddkitError(
            f"{method} needs {error.name}, which is not installed; run `pip install {error.name}`"
        ) from error
    settings = _settings(method, *points.shape)
    # numpy's seeds have 32 bits
    settings["random_state"] = derive(seed, "projection", method) % 2**32
    given = {
        "points": digest(str(points.shape), points.data),
        "method": method,
        "settings": settings,
        "versions": used,
    }
    identity = identify(__name__, "cpu", given)

    def compute(_: Path) -> dict[str, torch.Tensor]:
        flat = torch.zeros(n, 2)
        found = torch.from_numpy(_fit(method, points, settings))
        flat[:, : found.shape[1]] = found
        return {"points": flat}

    path = artifact(cache, "projection", identity)
    return cached(path, PROJECTION, identity, compute, {"images": n})[0]["points"].numpy()


def _settings(method: str, n: int, d: int) -> dict[str, object]:
    """Return the parameters of a method for n points in d dimensions."""
    if method == "pca":
        return {"n_components": min(2, n, d)}
    if method == "tsne":
        init = "pca" if d > 1 else "random"
        return {"perplexity": min(30, (n - 1) / 3), "init": init, "n_jobs": 1}
    return {"n_neighbors": min(15, n - 1), "n_jobs": 1}


def _fit(method: str, points: np.ndarray, settings: dict[str, object]) -> np.ndarray:
    """Return the points in the plane, or on a line if they do not span a plane."""
    with warnings.catch_warnings():
        # about TensorFlow, threads, disconnected graphs, no variance: nothing a user can change
        warnings.simplefilter("ignore")
        if method == "pca":
            from sklearn.decomposition import PCA as Method
        elif method == "tsne":
            from sklearn.manifold import TSNE as Method
        else:
            from umap import UMAP as Method
        return Method(**settings).fit_transform(points)
