"""Which published numbers a report of your own may stand beside: those of the same experiment."""

from ..data.catalogue import CATALOGUE
from ..distillers.baselines import BASELINES
from ..evaluation.report import FairnessReport

#: The network of every main table (`docs/methods.md`, "Networks").
ARCHITECTURE, _WIDTH, _DEPTH = "convnet", 128, 3
_MAIN = ""  # the condition of the published cells of the main protocol


def conditions(
    report: FairnessReport, name: str, dataset: str, ipc: int, distiller: str
) -> tuple[tuple[str, ...], str]:
    """Return under which published conditions a report was made.

    Parameters
    ----------
    report : FairnessReport
        Its ``config`` says how it was made.
    name : str
        The rule or baseline.
    dataset, ipc, distiller : str, int, str
        What it is to be compared with.

    Returns
    -------
    conditions : tuple of str
        Values of the column ``condition`` of the published cells: the empty string for the main
        protocol; for another bias ratio those of the ablations. Empty if nothing may stand beside.
    note : str
        What differs from the main protocol, a smaller network included; empty if nothing does.

    Examples
    --------
    >>> import numpy as np
    >>> made = {"dataset": {"dataset": "cifar10-s", "br": 0.95}, "method": "dm", "ipc": 10}
    >>> config = {"data": made, "settings": {"width": 128, "depth": 3}}
    >>> counts = np.ones((1, 2, 2, 2), dtype=int)
    >>> report = FairnessReport(counts, ["convnet"], config)
    >>> conditions(report, "cobra", "cifar10-s", 10, "dm")
    (('br=0.95', 'skew=0.95'), 'bias ratio 0.95')
    >>> conditions(report, "cobra", "cifar10-s", 50, "dm")
    ((), 'IPC 10, not 50')
    """
    data = report.config.get("data", {})
    info, sized = data.get("dataset", {}), name not in BASELINES or BASELINES[name].sized
    settings = report.config.get("settings", {})
    asked = [("data set", info.get("dataset"), dataset)]
    if sized:
        method = name if name in BASELINES else distiller
        asked += [("method", data.get("method"), method), ("IPC", data.get("ipc"), ipc)]
    asked += [("network", "+".join(dict.fromkeys(report.networks)), ARCHITECTURE)]
    known = [(what, own, theirs) for what, own, theirs in asked if own is not None]
    told = [f"{what} {own}, not {theirs}" for what, own, theirs in known if own != theirs]
    unknown = [what for what, own, _ in asked if own is None]
    unknown += [] if "br" in info else ["bias ratio"]
    if unknown:
        told.append(f"it does not say its {', '.join(unknown)}")
    altered = [what for what in ("offset", "proportions") if info.get(what)]
    if altered:
        told.append(f"bias with {' and '.join(altered)}")
    if told:
        return (), "; ".join(told)
    found, note = _of_bias(info)
    # a smaller network is not another experiment, but it must be said
    sizes = {"width": _WIDTH, "depth": _DEPTH}
    notes = [f"{k} {settings[k]}, not {n}" for k, n in sizes.items() if settings.get(k, n) != n]
    return found, "; ".join(filter(None, [note, *notes]))


def _of_bias(info: dict) -> tuple[tuple[str, ...], str]:
    """Return the published conditions of a bias ratio and a separation level."""
    br, gap = info["br"], info.get("gap")
    if gap is not None:
        return (f"gap={gap};skew={br:.2f}",), f"GAP {gap} at bias ratio {br:g}"
    entry = CATALOGUE.get(info["dataset"])
    if entry is not None and br == entry.default_br:
        return (_MAIN,), ""
    return (f"br={br:.2f}", f"skew={br:.2f}"), f"bias ratio {br:g}"  # FairDD's and COBRA's words
