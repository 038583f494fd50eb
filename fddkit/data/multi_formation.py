"""Multi-formation: several small images in each synthetic image (IDC, Kim et al. 2022)."""

from torch import Tensor
from torch.nn import functional as F


def decode(images: Tensor, factor: int, fill: Tensor) -> Tensor:
    """Cut each image into ``factor x factor`` blocks and enlarge each to the full size.

    Bilinear, without aligned corners. If a side is not a multiple of the factor, rows and columns
    are added first, as in the official code.

    Parameters
    ----------
    images : Tensor
        float [M, C, H, W].
    factor : int
        Blocks per side.
    fill : Tensor
        float [C, 1, 1], the added pixel: a gray of 0.5 in the units of the images.

    Returns
    -------
    Tensor
        [M * factor**2, C, H, W], block after block in reading order, image after image;
        differentiable.

    References
    ----------
    `docs/methods.md`, "IDC".
    """
    if factor == 1:
        return images
    height, width = images.shape[2:]
    whole = F.pad(images - fill, (0, -width % factor, 0, -height % factor)) + fill
    h, w = (side // factor for side in whole.shape[2:])
    blocks = whole.unfold(2, h, h).unfold(3, w, w)  # [M, C, factor, factor, h, w]
    blocks = blocks.permute(0, 2, 3, 1, 4, 5).flatten(0, 2)
    return F.interpolate(blocks, size=(height, width), mode="bilinear", align_corners=False)
