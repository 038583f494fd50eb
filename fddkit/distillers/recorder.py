"""Synthetic images as they evolve: the frames of a film."""

from torch import Tensor

from ..data.grouped import GroupedDataset
from .distill import Progress


def pixels(train: GroupedDataset, images: Tensor) -> Tensor:
    """Return synthetic images as pixels to look at.

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

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> images = train.normalise(train.images[:2])
    >>> bool((pixels(train, images) * 255).round().eq(train.images[:2]).all())
    True
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
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> film = fdd.recorder.Recorder(train)
    >>> s = fdd.distill(
    ...     train, ipc=1, preset="smoke", iterations=6, callback=film, every=2, progress=False
    ... )
    >>> list(film.frames), film.frames[2].shape
    ([2, 4, 6], torch.Size([10, 3, 16, 16]))
    >>> film.at([5])[0].equal(film.frames[4])
    True
    >>> fdd.plots.film({"vanilla": film.at([2, 4, 6])}, [2, 4, 6])  # doctest: +SKIP
    """

    def __init__(self, train: GroupedDataset):
        self._train = train
        self.frames: dict[int, Tensor] = {}
        self.losses: dict[int, float] = {}

    def __call__(self, progress: Progress) -> None:
        """Keep the current images."""
        self.frames[progress.iteration] = pixels(self._train, progress.images)
        self.losses[progress.iteration] = progress.loss

    def at(self, iterations: list[int]) -> list[Tensor]:
        """Return the last frame at or before each iteration (at the earliest, the first)."""
        kept = sorted(self.frames)
        return [self.frames[max([k for k in kept if k <= i] or kept[:1])] for i in iterations]
