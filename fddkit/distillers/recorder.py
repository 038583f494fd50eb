"""Synthetic images as they come to be: what a film is made of."""

from torch import Tensor

from ..data.grouped import GroupedDataset
from .distill import Progress


def pixels(train: GroupedDataset, images: Tensor) -> Tensor:
    """Return synthetic images as they are looked at.

    Parameters
    ----------
    train : GroupedDataset
        The real set, whose normalisation the images have.
    images : Tensor
        float32 [M, C, H, W], normalised.

    Returns
    -------
    Tensor
        float32 [M, C, H, W] in [0, 1].
    """
    return train.units.pixels(images).clamp(0, 1)


class Recorder:
    """A callback of `fddkit.distillers.distill` that keeps the images of every call, as pixels.

    Parameters
    ----------
    train : GroupedDataset
        The real set, whose normalisation the images have.

    Attributes
    ----------
    frames : dict of int to Tensor
        Iteration, and float32 [M, C, H, W] in [0, 1].
    losses : dict of int to float
        Iteration, and the loss then.

    Examples
    --------
    >>> film = Recorder(train)
    >>> s = fdd.distill(train, ipc=1, callback=film, every=10)
    >>> fdd.plots.film({"vanilla": film.at([10, 50, 200])}, [10, 50, 200])
    """

    def __init__(self, train: GroupedDataset):
        self._train = train
        self.frames: dict[int, Tensor] = {}
        self.losses: dict[int, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Keep what the images are now."""
        self.frames[progress.iteration] = pixels(self._train, progress.images)
        self.losses[progress.iteration] = progress.loss

    def at(self, iterations: list[int]) -> list[Tensor]:
        """Return the last frame at or before each iteration (the first one before all)."""
        kept = sorted(self.frames)
        return [self.frames[max([k for k in kept if k <= i] or kept[:1])] for i in iterations]
