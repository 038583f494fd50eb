"""Which published numbers a report of your own may stand beside: those of the same experiment."""

from dataclasses import asdict

from ..data.catalogue import CATALOGUE
from ..distillers.baselines import BASELINES, sized
from ..distillers.registry import METHODS, settings
from ..evaluation.report import FairnessReport

#: The network of every main table (`docs/methods.md`, "Networks").
ARCHITECTURE, _WIDTH, _DEPTH = "convnet", 128, 3
_MAIN = ""  # the condition of the published cells of the main protocol
_PUBLISHED = "paper"  # the preset with the published settings
_ALTERING = ("offset", "proportions", "group_labels", "majority")  # arguments of `fddkit.load`
_EITHER = "official_wrap"  # whose two values the papers do not tell apart


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
        What differs from the main protocol: also a smaller network, another preset, and settings
        of the distiller that are not those of its preset. Empty if nothing does.

    Examples
    --------
    >>> import numpy as np
    >>> made = {"dataset": {"dataset": "cifar10-s", "br": 0.95}, "method": "dm", "ipc": 10}
    >>> made |= {"fairness": "cobra", "preset": "paper", "settings": {"iterations": 20}}
    >>> config = {"data": made, "preset": "paper", "settings": {"width": 128, "depth": 3}}
    >>> counts = np.ones((1, 2, 2, 2), dtype=int)
    >>> report = FairnessReport(counts, ["convnet"], config)
    >>> conditions(report, "cobra", "cifar10-s", 10, "dm")
    (('br=0.95', 'skew=0.95'), 'bias ratio 0.95; iterations 20, not 20000')
    >>> conditions(report, "vanilla", "cifar10-s", 50, "dm")
    ((), 'rule cobra, not vanilla; IPC 10, not 50')
    """
    data = report.config.get("data", {})
    info, network = data.get("dataset", {}), report.config.get("settings", {})
    asked = [("data set", info.get("dataset"), dataset)]
    if sized(name):
        method = name if name in BASELINES else distiller
        asked += [("method", data.get("method"), method)]
        asked += [("rule", data.get("fairness"), name)] if name not in BASELINES else []
        asked += [("IPC", data.get("ipc"), ipc)]
    asked += [("network", "+".join(dict.fromkeys(report.networks)), ARCHITECTURE)]
    known = [(what, own, theirs) for what, own, theirs in asked if own is not None]
    told = [f"{what} {own}, not {theirs}" for what, own, theirs in known if own != theirs]
    unknown = [what for what, own, _ in asked if own is None]
    unknown += [] if "br" in info else ["bias ratio"]
    if unknown:
        told.append(f"it does not say its {', '.join(unknown)}")
    altered = [what for what in _ALTERING if info.get(what)]
    if altered:
        told.append(f"bias with {' and '.join(altered)}")
    told += _changed(info, _options(dataset))
    if told:
        return (), "; ".join(told)
    found, note = _of_bias(info)
    # less effort is not another experiment, but it must be said
    sizes = _changed(network, {"width": _WIDTH, "depth": _DEPTH})
    return found, "; ".join(filter(None, [note, *_presets(report, data), *sizes, *_settings(data)]))


def _options(dataset: str) -> dict:
    """Return the published values of the options of a data set, as JSON has them."""
    entry = CATALOGUE.get(dataset)
    published = entry.options.items() if entry is not None else ()
    return {k: list(v) if isinstance(v, tuple) else v for k, v in published if k != _EITHER}


def _presets(report: FairnessReport, data: dict) -> list[str]:
    """Return the presets that are not the published one."""
    used = {"evaluated": report.config.get("preset")}
    if data.get("method") in METHODS:
        used = {"distilled": data.get("preset"), **used}
    told = {
        how: f"with preset {preset}" if preset else "with a preset that it does not say"
        for how, preset in used.items()
        if preset != _PUBLISHED
    }
    if len(told) == len(used) and len(set(told.values())) == 1:
        return [f"{' and '.join(told)} {next(iter(told.values()))}"]
    return [f"{how} {what}" for how, what in told.items()]


def _settings(data: dict) -> list[str]:
    """Return the settings of the distiller that differ: iterations from the published ones.

    The others from those of the preset that was used, which is named where it is not the published
    one.
    """
    method, own = data.get("method"), data.get("settings") or {}
    if method not in METHODS:
        return []
    published = asdict(settings(_PUBLISHED, method))
    preset = data.get("preset")
    used = asdict(settings(preset, method)) if preset in METHODS[method].presets else published
    return _changed(own, {**used, "iterations": published["iterations"]})


def _changed(own: dict, theirs: dict) -> list[str]:
    """Return the values that differ, as clauses; some depend on the run."""
    return [
        f"{name} {own[name]}, not {'its own' if value == '' else value}"
        for name, value in theirs.items()
        if value not in (None, "auto") and own.get(name, value) != value
    ]


def _of_bias(info: dict) -> tuple[tuple[str, ...], str]:
    """Return the published conditions of a bias ratio and a separation level."""
    br, gap = info["br"], info.get("gap")
    if gap is not None:
        return (f"gap={gap};skew={br:.2f}",), f"GAP {gap} at bias ratio {br:g}"
    entry = CATALOGUE.get(info["dataset"])
    if br is None or (entry is not None and br == entry.default_br):
        return (_MAIN,), ""  # natural groups, as they are
    return (f"br={br:.2f}", f"skew={br:.2f}"), f"bias ratio {br:g}"  # FairDD's and COBRA's words
