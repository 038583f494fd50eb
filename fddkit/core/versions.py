"""The software and hardware that a result was made with."""

import platform
from pathlib import Path

import numpy as np
import torch

from .errors import FddkitError

__version__ = "0.1.0"
PACKAGE = Path(__file__).resolve().parents[1]


def versions(device: torch.device | str | None = None) -> dict[str, str | int]:
    """Return the versions and the machine that a result depends on.

    Parameters
    ----------
    device : torch.device or str, optional
        Where the numbers were computed; a GPU is recorded by name.

    Returns
    -------
    dict
        ``fddkit``, ``python``, ``torch``, ``numpy``, ``platform``, ``threads`` and ``device``;
        all of it valid in JSON.
    """
    device = torch.device(device or "cpu")
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {
        "fddkit": __version__,
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
        "device": name,
    }


def choose_device(device: torch.device | str | None) -> torch.device:
    """Return the requested device; by default the first GPU if there is one, else the CPU.

    Parameters
    ----------
    device : torch.device, str or None
        E.g. ``"cpu"`` or ``"cuda:1"``; None: the default.

    Returns
    -------
    torch.device

    Raises
    ------
    FddkitError
        If torch does not know the device or cannot use it here.

    Examples
    --------
    >>> choose_device("cpu")
    device(type='cpu')
    """
    if device is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise FddkitError(f"device {device!r} cannot be used here ({reason}); try 'cpu'") from error
    return chosen
