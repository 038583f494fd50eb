"""Compiled and graph-captured networks, with a fallback where they are not available."""

import warnings

import torch

from .networks import Network


def accelerate(net: Network, shape: tuple[int, int, int], graph: bool) -> Network:
    """Compile a network's ``embed``, in place; its weights may be overwritten afterwards.

    Parameters
    ----------
    net : Network
        Frozen, on its device.
    shape : tuple of int
        (C, H, W) of an image, for a trial call.
    graph : bool
        Also capture the compiled code as CUDA graphs, which frees the CPU from launching each
        kernel; needs a CUDA device.

    Returns
    -------
    Network
        ``net``. If this machine cannot compile, it runs uncompiled, with a warning that says why.
    """
    device = next(net.parameters()).device
    if graph and device.type != "cuda":
        warnings.warn(
            f"graph=True needs a CUDA device and this run is on {device.type}; "
            "it continues without graphs",
            stacklevel=2,
        )
        graph = False
    plain = net.embed
    # static shapes: they are the same in every step, and code for dynamic shapes is slower
    net.embed = torch.compile(plain, dynamic=False, mode="reduce-overhead" if graph else "default")
    trial = torch.zeros(2, *shape, device=device, dtype=next(net.parameters()).dtype)
    try:
        with torch.no_grad():
            net.embed(trial)
    except Exception as error:  # anything a toolchain may lack; torch has no common class
        net.embed = plain
        reason = str(error).strip().splitlines()
        warnings.warn(
            f"compile=True is not available here ({type(error).__name__}: "
            f"{reason[0] if reason else 'no reason given'}); the run continues uncompiled",
            stacklevel=2,
        )
    return net
