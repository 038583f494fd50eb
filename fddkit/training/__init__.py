"""Networks: their architectures, how images are varied for them, and how they are trained.

Images and classes come in, as tensors; no set is known here.
"""

__all__ = ["architectures", "augment", "compile", "cutmix", "fit", "networks", "sgd"]
