"""What finished runs have found, to be looked up without computing anything."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import files
from .catalogue import CATALOGUE
from .choice import Choice
from .errors import FddkitError
from .fairness import FairnessReport

METRICS = {"accuracy": "accuracy", "deo_m": "DEO_M", "deo_a": "DEO_A"}


@dataclass(frozen=True)
class Finished:
    """One result that is on this disk.

    Attributes
    ----------
    dataset, method, rule : str
        What was distilled, and how; ``rule`` is that of a baseline for ``random`` and ``whole``.
    gap : int or None
        GAP level.
    br : float
        Bias ratio.
    ipc : int or None
        Images per class; None for ``whole``.
    preset : str
        Of the distillation.
    numbers : dict
        ``accuracy``, ``deo_m`` and ``deo_a``, each with ``mean``, ``ci95`` and ``noise_floor`` in
        percent; of the counterfactual test where there is one.
    where : Path
        The file or folder that holds it.
    out : Path or None
        The distilled set.
    """

    dataset: str
    gap: int | None
    br: float
    ipc: int | None
    method: str
    rule: str
    preset: str
    numbers: dict[str, dict[str, Any]]
    where: Path
    out: Path | None = None

    def distance(self, choice: Choice) -> float:
        """Return how far its BR and IPC are from a choice's: 0 is the same."""
        ipc = choice.ipc if self.ipc is None else self.ipc
        larger, smaller = max(ipc, choice.ipc), min(ipc, choice.ipc)
        return abs(self.br - choice.br) + 0.1 * (larger / smaller - 1)


def finished(reports: str | os.PathLike = "reports") -> list[Finished]:
    """Find what the explorer and the notebooks have left.

    Parameters
    ----------
    reports : path-like
        The folder of all runs.

    Returns
    -------
    list of Finished
        Damaged files are passed over.
    """
    return [*_explored(Path(reports)), *_notebooks(Path(reports))]


def nearest(found: list[Finished], choice: Choice) -> list[Finished]:
    """Return, for each rule, the result that comes nearest to a choice.

    Parameters
    ----------
    found : list of Finished
        Of `finished`.
    choice : Choice
        Its data set, GAP, method and preset have to be the same; baselines go with every method.

    Returns
    -------
    list of Finished
        Of the same BR and IPC, the nearest there are to the choice's: results of different ones
        are not to be compared.
    """
    fits = [
        one
        for one in found
        if (one.dataset, one.gap, one.preset) == (choice.dataset, choice.gap, choice.preset)
        and one.method in (choice.method, "random", "whole")
    ]
    if not fits:
        return []
    own = [one for one in fits if one.method == choice.method] or fits
    best = min(own, key=lambda one: one.distance(choice))
    same = [one for one in fits if one.br == best.br and one.ipc in (best.ipc, None)]
    return list({one.rule: one for one in same}.values())


def _explored(reports: Path) -> Iterator[Finished]:
    """Read what the explorer has saved."""
    for path in sorted(reports.glob("explore/*.json")):
        try:
            report = FairnessReport.load(path)
            made = report.config["data"]  # of the whole set: only which it is
            data = made["dataset"]
            method = made.get("method", "whole")
            out = path.with_name(path.name.rsplit(".x", 1)[0] + ".safetensors")
            shown = report.counterfactual or report
            yield Finished(
                data["dataset"],
                data["gap"],
                data["br"],
                made.get("ipc"),
                method,
                made.get("fairness") or method,
                report.config["preset"],
                {name: getattr(shown, name).to_dict() for name in METRICS},
                path,
                out if out.exists() else None,
            )
        except (FddkitError, KeyError, TypeError):
            continue


def _notebooks(reports: Path) -> Iterator[Finished]:
    """Read what notebooks that compare rules have handed over."""
    for path in sorted(reports.glob("*/*/run.json")):
        folder = path.parent
        try:
            run = files.read_json(path)
            if run["status"] != "finished":
                continue
            given = run["parameters"]
            numbers = files.read_json(folder / "metrics.json")["numbers"]
            dataset, ipc = given["dataset"], given["ipc"]
            br = given.get("br") or CATALOGUE[dataset].default_br
            rules = (*given["rules"], "random", "whole")
        except (FddkitError, KeyError, TypeError):
            continue  # another kind of notebook
        for rule in rules:
            both = [
                {name: numbers.get(f"{rule} {where}{title}") for name, title in METRICS.items()}
                for where in ("counterfactual ", "")
            ]
            whole = [one for one in both if all(isinstance(v, dict) for v in one.values())]
            if not whole:
                continue
            out = folder / f"{rule}-seed{given.get('seed', 0)}.safetensors"
            yield Finished(
                dataset,
                given.get("gap"),
                br,
                None if rule == "whole" else ipc,
                rule if rule in ("random", "whole") else given.get("method", "dm"),
                rule,
                given.get("preset", "quick"),
                whole[0],
                folder,
                out if out.exists() else None,
            )
