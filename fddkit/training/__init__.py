"""Networks: their architectures, the augmentation of their images, and their training.

Images and labels come in as tensors; data sets are not known here.
"""

__all__ = ["architectures", "augment", "compile", "cutmix", "fit", "networks", "sgd"]
