"""The size, fit and channels that all images of a set have in common."""

from dataclasses import dataclass

from ..core.errors import FddkitError, unknown
from ..core.numbers import is_whole, whole
from ..core.reading import clip

FITS = ("crop", "pad", "stretch")
CHANNELS = {"RGB": 3, "gray": 1}
LARGEST_SIDE = 1024  # pixels


@dataclass(frozen=True)
class Frame:
    """What every image is made into.

    Attributes
    ----------
    height, width : int
        In pixels.
    fit : str
        ``"crop"`` (the middle), ``"pad"`` (black at the edges) or ``"stretch"``.
    channels : str
        ``"RGB"`` or ``"gray"``.
    """

    height: int
    width: int
    fit: str = "crop"
    channels: str = "RGB"

    @classmethod
    def of(cls, size: int | tuple[int, int], fit: str, channels: str) -> "Frame":
        """Return a frame after checking what a user gave; ``size`` is a side, or (H, W).

        Raises
        ------
        FddkitError
            If one of the three is none of those allowed.

        Examples
        --------
        >>> Frame.of(32, "crop", "gray").shape
        (1, 32, 32)
        """
        both = (size, size) if is_whole(size) else size
        if not isinstance(both, tuple | list) or len(both) != 2:
            raise FddkitError(
                f"size={clip(repr(size))} is no size; give a side, or (height, width)"
            )
        for side in both:
            whole("size", side)
            if side > LARGEST_SIDE:
                raise FddkitError(f"size={side} is too large; give at most {LARGEST_SIDE}")
        if not isinstance(fit, str) or fit not in FITS:
            raise unknown("fit", fit, FITS)
        if not isinstance(channels, str) or channels not in CHANNELS:
            raise unknown("choice of channels", channels, CHANNELS)
        return cls(*both, fit, channels)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (C, H, W) of one image."""
        return CHANNELS[self.channels], self.height, self.width
