"""What is to be known of the images of a set that they do not say themselves."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Traits:
    """Facts on which augmentation and the methods' own settings depend.

    Attributes
    ----------
    mirrors : bool
        A mirrored image is of the same class. Where it is not, as with digits, ``augment="auto"``
        leaves flips out (README of the official DSA code).
    characters : bool
        Digits or letters. Where several are in one image (IDC), nothing is cut out of them and
        they are not mixed, and IDC's step size is that of 28 pixels.
    photographs : bool
        Photographs, rather than shapes of one shade on a plain ground: IDC matches the squares
        of their gradients instead of absolute values, and trains on as many as of CIFAR-10.
    """

    mirrors: bool = True
    characters: bool = False
    photographs: bool = True


PHOTOGRAPHS = Traits()
DIGITS = Traits(mirrors=False, characters=True, photographs=False)
CLOTHES = Traits(photographs=False)
