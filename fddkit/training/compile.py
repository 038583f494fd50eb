"""Compiled and graph-captured networks, and what to do where they cannot be had."""

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
        Also capture the compiled code as CUDA graphs, which takes the launch of each kernel off
        the CPU; needs a CUDA device.

    Returns
    -------
    Network
        ``net``. Where this machine cannot compile it runs as it is, with a warning that says why.
    """
    device = next(net.parameters()).device
    if graph and device.type != "cuda":
        warnings.warn(
            f"graph=True needs a CUDA device and this run is on {device.type}; "
            "it goes on without graphs",
            stacklevel=2,
        )
        graph = False
    plain = net.embed
    # static shapes: every step has the same ones, and code for any shape is slower
    net.embed = torch.compile(plain, dynamic=False, mode="reduce-overhead" if graph else "default")
    trial = torch.zeros(2, *shape, device=device, dtype=next(net.parameters()).dtype)
    try:
        with torch.no_grad():
            net.embed(trial)
    except Exception as error:  # whatever a compiler chain may lack; torch has no common class
        net.embed = plain
        reason = str(error).strip().splitlines()
        warnings.warn(
            f"compile=True cannot be had here ({type(error).__name__}: "
            f"{reason[0] if reason else 'no reason given'}); the run goes on uncompiled",
            stacklevel=2,
        )
    return net
