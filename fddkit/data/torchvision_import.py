"""Importing torchvision even if its compiled operators do not match the installed torch."""

import sys
from importlib import import_module
from types import ModuleType

import torch

from ..core.errors import FddkitError

_OPERATORS = {
    "torchvision::nms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "torchvision::qnms": "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}


def torchvision() -> ModuleType:
    """Import torchvision, even with a torch for which it was not compiled.

    With a CPU-only torch and a torchvision built for CUDA, ``import torchvision`` fails with
    "operator torchvision::nms does not exist": its compiled part could not be loaded, yet it
    describes two of the operators. Those are then declared here, without an implementation, which
    reading data sets does not need.

    Returns
    -------
    ModuleType
        The module ``torchvision``.

    Raises
    ------
    FddkitError
        If torchvision is not installed.
    """
    try:
        return import_module("torchvision")
    except ModuleNotFoundError as error:
        raise FddkitError(
            f"reading this data set needs {error.name}, which is not installed; "
            "run `pip install torchvision`"
        ) from error
    except RuntimeError as error:
        if "operator torchvision::" not in str(error):
            raise
    for name, schema in _OPERATORS.items():
        if not _exists(name):
            torch.library.define(name, schema)
    for module in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        del sys.modules[module]  # partially imported
    return import_module("torchvision")


def _exists(operator: str) -> bool:
    namespace, _, name = operator.partition("::")
    return hasattr(getattr(torch.ops, namespace), name)
