"""Units of images: uint8 pixels, pixels from 0 to 1, normalised values."""

from dataclasses import dataclass

import torch
from torch import Tensor

from .whitening import Whitening


@dataclass(frozen=True, eq=False)
class Units:
    """The units of a network's input: ``(x - mean) / std`` of a pixel x, then whitened.

    Attributes
    ----------
    mean, std : tuple of float
        One value per channel, for pixels from 0 to 1.
    whitening : Whitening, optional
        Applied to normalised images, see `fddkit.data.whitening`.

    Examples
    --------
    >>> units = Units(mean=(0.5,), std=(0.25,))
    >>> units.normalise(torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)).flatten()
    tensor([-2.,  0.,  2.])
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    whitening: Whitening | None = None

    def normalise(self, pixels: Tensor) -> Tensor:
        """Return images as a network takes them.

        Parameters
        ----------
        pixels : Tensor
            [M, C, H, W]: uint8 from 0 to 255, or floats from 0 to 1.

        Returns
        -------
        Tensor
            [M, C, H, W] in these units: float32 for uint8, else the dtype of the pixels.
        """
        if pixels.dtype == torch.uint8:
            mean, std = (
                torch.tensor(x, dtype=torch.float64)[:, None, None] for x in (self.mean, self.std)
            )
            # one multiplication and one addition, whose factors are rounded once
            scale, shift = (1 / (255 * std)).float(), (-mean / std).float()
            seen = torch.addcmul(shift.to(pixels.device), pixels.float(), scale.to(pixels.device))
        else:
            seen = (pixels - _channels(self.mean, pixels)) / _channels(self.std, pixels)
        return seen if self.whitening is None else self.whitening.apply(seen)

    def pixels(self, images: Tensor) -> Tensor:
        """Return images in these units as pixels, the inverse of `normalise`.

        Parameters
        ----------
        images : Tensor
            float [M, C, H, W] in these units.

        Returns
        -------
        Tensor
            float [M, C, H, W]; 0 is black and 1 is white. Values that an optimisation drove
            outside are not clipped.

        Raises
        ------
        torch.linalg.LinAlgError
            If the whitening cannot be undone.
        """
        plain = images if self.whitening is None else self.whitening.invert(images)
        return plain * _channels(self.std, images) + _channels(self.mean, images)

    def convert(self, images: Tensor, other: "Units") -> Tensor:
        """Return images in other units.

        Parameters
        ----------
        images : Tensor
            [M, C, H, W]: float in these units, or uint8 pixels.
        other : Units
            The units wanted.

        Returns
        -------
        Tensor
            float [M, C, H, W]; ``images`` itself if the units are the same.

        Raises
        ------
        torch.linalg.LinAlgError
            If the whitening cannot be undone.
        """
        if images.dtype == torch.uint8:
            return other.normalise(images)
        return images if self.same(other) else other.normalise(self.pixels(images))

    def same(self, other: "Units") -> bool:
        """Return whether two units agree in every number, including those of the whitening."""
        a, b = self.whitening, other.whitening
        white = a is b if a is None or b is None else all(map(torch.equal, a, b))
        return white and (self.mean, self.std) == (other.mean, other.std)

    def level(self, value: float) -> Tensor:
        """Return a pixel with the same value in all channels in these units, without whitening.

        Parameters
        ----------
        value : float
            From 0, black, to 1, white.

        Returns
        -------
        Tensor
            float32 [C, 1, 1], on the CPU.
        """
        mean, std = (torch.tensor(x)[:, None, None] for x in (self.mean, self.std))
        return (value - mean) / std


def _channels(values: tuple[float, ...], images: Tensor) -> Tensor:
    """Return one value per channel, [C, 1, 1], in the precision of the images."""
    return images.new_tensor(values)[:, None, None]
