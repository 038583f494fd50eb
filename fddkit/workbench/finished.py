"""Results of finished runs, looked up without computing anything."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import FddkitError
from ..core.reading import FILE_NAME, clip, conform, is_file, read_json
from ..data.catalogue import CATALOGUE
from ..data.file_sets import is_path
from ..distillers.baselines import BASELINES, sized
from ..evaluation.guard import doubts_of
from ..evaluation.measures import headline
from ..evaluation.report import FairnessReport
from ..experiments.records import Record
from .choice import Choice

_WHOLE = "whole"  # a report on a real set does not say that it is of the whole of it
_DATA = {"dataset": str, "gap?": (int, None), "br": (float, None), "sha256?": str}
_GIVEN = {
    "dataset": str,
    "ipc": int,
    "rules": [str],
    "br?": (float, None),
    "gap?": (int, None),
    "seed?": int,
    "preset?": str,
    "method?": str,
}
# older runs do not have all of it
_NUMBER = {
    "mean": (float, None),
    "ci95?": ([(float, None)], None),
    "noise_floor?": (float, None),
    "most_by_chance?": (float, None),
    "p?": (float, None),
    "unit?": str,
    "n?": int,
}


@dataclass(frozen=True)
class Finished:
    """One result on this disk.

    Attributes
    ----------
    dataset, method, rule : str
        What was distilled, and how; for a baseline, method and rule are both its name.
    gap : int or None
        GAP level.
    br : float or None
        Bias ratio; None for the natural one.
    ipc : int or None
        Images per class; None for a baseline that has no number of them.
    preset : str
        Of the distillation.
    numbers : dict
        For each headline metric that is known, what is known of it, see
        `fddkit.evaluation.summary.Summary.to_dict`; on the counterfactual test where there is one.
    where : Path
        The file or folder that holds it.
    out : Path or None
        The distilled set.
    doubt : str
        Why the numbers are not to be relied on; empty if they are.
    sha256 : str
        Of the data, where it is a file and this is known.
    """

    dataset: str
    gap: int | None
    br: float | None
    ipc: int | None
    method: str
    rule: str
    preset: str
    numbers: dict[str, dict[str, Any]]
    where: Path
    out: Path | None = None
    doubt: str = ""
    sha256: str = ""

    def distance(self, choice: Choice) -> float:
        """Return how far its BR and IPC are from those of a choice; 0 means equal."""
        ipc = choice.ipc if self.ipc is None else self.ipc
        larger, smaller = max(ipc, choice.ipc), min(ipc, choice.ipc)
        natural = self.br is None, choice.br is None
        bias = float(natural[0] != natural[1]) if any(natural) else abs(self.br - choice.br)
        return bias + 0.1 * (larger / smaller - 1)


def finished(
    reports: str | os.PathLike = "reports", told: Callable[[str], object] = lambda _: None
) -> list[Finished]:
    """Find the results that the explorer and the notebooks have saved.

    Parameters
    ----------
    reports : path-like
        The folder of all runs.
    told : callable, optional
        Called with a sentence for each damaged file, which is skipped.

    Returns
    -------
    list of Finished
    """
    return [*_explored(Path(reports), told), *_notebooks(Path(reports), told)]


def nearest(found: list[Finished], choice: Choice) -> list[Finished]:
    """Return, for each rule, the result closest to a choice.

    Parameters
    ----------
    found : list of Finished
        From `finished`.
    choice : Choice
        Data set, GAP, method and preset have to be equal; baselines go with every method.

    Returns
    -------
    list of Finished
        All with the same BR and IPC, the closest that there are, because results with different
        ones should not be compared.
    """
    now = CATALOGUE[choice.dataset].sha256  # a file may have changed
    fits = [
        one
        for one in found
        if one.sha256 in ("", now)
        and (one.dataset, one.gap, one.preset) == (choice.dataset, choice.gap, choice.preset)
        and one.method in (choice.method, *BASELINES)
    ]
    if not fits:
        return []
    distilled = [one for one in fits if one.method == choice.method] or fits
    best = min(distilled, key=lambda one: one.distance(choice))
    same = [one for one in fits if one.br == best.br and one.ipc in (best.ipc, None)]
    return list({one.rule: one for one in same}.values())


def _explored(reports: Path, told: Callable[[str], object]) -> Iterator[Finished]:
    """Read what the explorer has saved."""
    for path in sorted(reports.glob("explore/*.json")):
        try:
            report = FairnessReport.load(path)
            made = report.config.get("data")
            conform(made, {"dataset": _DATA}, "its data set")
            conform(report.config, {"preset": str}, "its configuration")
            _whole(made.get("ipc"))
            numbers = _known(path, report)
        except FddkitError as error:
            told(str(error))
            continue
        except ValueError as error:
            told(f"{path} is not a result of the explorer ({clip(error)})")
            continue
        data, method = made["dataset"], made.get("method", _WHOLE)
        out = path.with_name(path.name.rsplit(".x", 1)[0] + ".safetensors")
        yield Finished(
            data["dataset"],
            data.get("gap"),
            data["br"],
            made.get("ipc"),
            method,
            made.get("fairness") or method,
            report.config["preset"],
            numbers,
            path,
            out if is_file(out) else None,
            "; ".join(doubts_of(report)),
            data.get("sha256", ""),
        )


def _known(path: Path, report: FairnessReport) -> dict[str, dict[str, Any]]:
    """Return the headline metrics of a report, from its file where that has all of them.

    To simulate again what a fair model would show takes seconds, and there are many files.
    """
    kept = read_json(path)
    kept = kept["counterfactual"] or kept
    whole = {name for name in headline() if _is_number(kept.get(name)) and "p" in kept[name]}
    return {
        name: kept[name] if name in whole else report.shown.metric(name).to_dict()
        for name in headline()
    }


def _notebooks(reports: Path, told: Callable[[str], object]) -> Iterator[Finished]:
    """Read what notebooks that compare rules have saved."""
    for path in sorted(reports.glob("*/*/run.json")):
        folder = path.parent
        try:
            run = Record.load(folder)
            if run.status != "finished" or not (folder / "metrics.json").is_file():
                continue
            kept = read_json(folder / "metrics.json")
        except FddkitError as error:
            told(str(error))
            continue
        given = run.parameters
        with suppress(ValueError):  # another kind of notebook
            conform(given, _GIVEN)
            conform(kept, {"numbers": dict})
            _whole(given["ipc"])
            yield from _compared(given, kept, folder)


def _compared(given: dict[str, Any], kept: dict[str, Any], folder: Path) -> Iterator[Finished]:
    """Return a notebook's result for each rule."""
    entry = CATALOGUE.get(given["dataset"])  # a file may be gone
    if entry is None and not is_path(given["dataset"]):
        return
    shown = headline().items()
    br = given.get("br") or (entry.default_br if entry else None)
    doubts = kept.get("doubts")
    doubts = doubts if isinstance(doubts, dict) else {}
    for rule in (*given["rules"], *BASELINES):
        both = [
            {name: kept["numbers"].get(f"{rule} {where}{m.title}") for name, m in shown}
            for where in ("counterfactual ", "")
        ]
        # older runs do not have the metrics that were added since; of both tests alike
        both = [{name: v for name, v in one.items() if _is_number(v)} for one in both]
        found = max(both, key=len)
        if not found:
            continue
        why = doubts.get(rule)
        name = f"{rule}-seed{given.get('seed', 0)}.safetensors"
        out = folder / name if FILE_NAME.fullmatch(name) else None
        yield Finished(
            given["dataset"],
            given.get("gap"),
            br,
            given["ipc"] if sized(rule) else None,
            rule if rule in BASELINES else given.get("method", "dm"),
            rule,
            given.get("preset", "quick"),
            found,
            folder,
            out if out and is_file(out) else None,
            why if isinstance(why, str) else "",
        )


def _is_number(value: Any) -> bool:
    try:
        conform(value, _NUMBER)
    except ValueError:
        return False
    return len(value.get("ci95") or (0, 0)) == 2


def _whole(ipc: int | None) -> None:
    if ipc is not None and ipc < 1:
        raise ValueError(f"its IPC is {ipc}")
