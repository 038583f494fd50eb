"""Settings for training the encoder of the ``kde`` rule, and their checks."""

import math
from dataclasses import dataclass

from ..core.errors import FddkitError, unknown
from ..core.numbers import whole

OPTIMISERS = ("adam", "sgd")


@dataclass(frozen=True)
class EncoderSettings:
    """How the encoder is trained (SelecMix's settings; the KDE paper gives none).

    Attributes
    ----------
    epochs, batch : int
        Number of epochs and batch size.
    optimiser : {"adam", "sgd"}
        The optimiser.
    lr, decay, momentum : float
        Step size, weight decay, and SGD's momentum (Adam does not use it).
    temperature, q : float
        Of the loss, see `gsc_loss`.
    width : int
        Channels of the first of the four stages; ResNet18 itself has 64.
    """

    epochs: int
    batch: int = 256
    optimiser: str = "adam"
    lr: float = 0.01
    decay: float = 1e-4
    momentum: float = 0.9
    temperature: float = 0.2
    q: float = 0.7
    width: int = 64

    def __post_init__(self):
        """Check every value."""
        for name in ("epochs", "batch", "width"):
            whole(f"the encoder's {name}", getattr(self, name))
        if self.batch == 1:
            raise FddkitError(
                "the encoder's batch=1 leaves nothing to compare with; give 2 or more"
            )
        for name in ("lr", "temperature"):
            if not 0 < getattr(self, name) < math.inf:
                raise FddkitError(f"the encoder's {name}={getattr(self, name)!r} is not positive")
        if not 0 < self.q <= 1:
            raise FddkitError(f"the encoder's q={self.q!r} is outside (0, 1]; SelecMix uses 0.7")
        if not 0 <= self.momentum < 1:
            raise FddkitError(f"the encoder's momentum={self.momentum!r} is outside [0, 1)")
        if not 0 <= self.decay < math.inf:
            raise FddkitError(f"the encoder's decay={self.decay!r} is negative or not finite")
        if self.optimiser not in OPTIMISERS:
            raise unknown("optimiser of the encoder", self.optimiser, OPTIMISERS)
