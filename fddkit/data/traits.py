"""Facts about the images of a data set that cannot be read off the images."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """Facts about images on which augmentation and some settings of the methods depend.

    Attributes
    ----------
    mirrors : bool
        Whether a mirrored image has the same class. If not, as with digits, ``augment="auto"``
        omits flips (README of the official DSA code).
    characters : bool
        Whether these are digits or letters. With several of them in one image (IDC), there is no
        cutout and no CutMix, and IDC uses its step size for 28 pixels.
    photographs : bool
        Whether these are photographs, rather than shapes of one shade on a plain background: IDC
        then compares gradients by squared, not absolute, differences, and trains its networks on
        as many real images as for CIFAR-10.

    Examples
    --------
    >>> import torch
    >>> import fddkit as fdd
    >>> images = torch.zeros(2, 1, 8, 8, dtype=torch.uint8)
    >>> letters = Traits(mirrors=False, characters=True, photographs=False)
    >>> data = fdd.GroupedDataset.from_arrays(images, [0, 1], [0, 0], traits=letters)
    >>> data.traits.mirrors
    False
    """

    mirrors: bool = True
    characters: bool = False
    photographs: bool = True


PHOTOGRAPHS = Traits()
DIGITS = Traits(mirrors=False, characters=True, photographs=False)
CLOTHES = Traits(photographs=False)
