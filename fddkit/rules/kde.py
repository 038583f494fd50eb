"""Preparation of the ``kde`` rule: how rare each image is, computed before the first step."""

from typing import Any

from torch import Tensor

from ..data.grouped import GroupedDataset
from . import encoder
from .density import kde_log_weights


def prepare(
    train: GroupedDataset, settings: Any, seed: int, **shared: Any
) -> tuple[Tensor, dict[str, str]]:
    """Return the weights of the images from the density of an encoder's features (KDE paper).

    Parameters
    ----------
    train : GroupedDataset
        The real set.
    settings : Settings
        Of the run; ``encoder`` and everything that begins with ``kde_`` is used.
    seed : int
        For the encoder.
    **shared
        ``cache``, ``device`` and ``progress`` of `fddkit.rules.encoder.encode`.

    Returns
    -------
    log_weights : Tensor
        float64 [len(train)], see `fddkit.rules.density.kde_log_weights`.
    sources : dict of str to str
        Name and sha256 of the encoder's cached file.

    References
    ----------
    `docs/methods.md`, "KDE".
    """
    chosen = encoder.PRESETS[settings.encoder]
    features, seals = encoder.encode(train, chosen, seed, **shared)
    weights = kde_log_weights(
        features,
        train.target,
        settings.kde_over,
        settings.kde_form,
        settings.kde_sigma2,
        settings.kde_temperature,
    )
    return weights, seals
