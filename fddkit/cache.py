"""Where runs keep what other runs can use: trained experts, encoders, extractors."""

import json
import os
from pathlib import Path
from typing import Any

from .files import digest


def artifact(folder: str | os.PathLike | None, kind: str, identity: dict[str, Any]) -> Path:
    """Return the path of what has been, or is to be, computed from an identity.

    Parameters
    ----------
    folder : path-like or None
        None is ``$FDDKIT_CACHE``, or else ``$XDG_CACHE_HOME/fddkit``, or ``~/.cache/fddkit``.
    kind : str
        What it is, the beginning of the file's name.
    identity : dict
        All that the content depends on; anything JSON can hold.

    Returns
    -------
    Path
        ``<kind>-<16 hexadecimal digits>.safetensors`` in the folder; neither need exist.
    """
    if folder is None:
        folder = os.environ.get("FDDKIT_CACHE")
    if folder is None:
        home = os.environ.get("XDG_CACHE_HOME")
        folder = (Path(home) if home else Path.home() / ".cache") / "fddkit"
    name = digest(json.dumps(identity, sort_keys=True, allow_nan=False))[:16]
    return Path(folder) / f"{kind}-{name}.safetensors"
