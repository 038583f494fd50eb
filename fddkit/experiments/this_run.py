"""Experiments are notebooks: run one, sweep a grid, and save from inside what it finds.

A notebook works the same by hand and headless. It asks for its run once and hands over what is
worth keeping::

    run = fdd.experiments.current()
    s = fdd.distill(train, out=run.path("cobra.safetensors"))
    run.metrics({"numbers": {"COBRA DEO_M": report.deo_m}})
    run.figure(fig, "images", "What COBRA distils.")

Under ``fddkit run`` that lands in the folder of the run, where the report finds it; by hand
nothing is written.
"""

import dataclasses
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from ..core import files
from ..core.errors import FddkitError
from ..core.reading import FILE_NAME, conform, read_json
from ..distillers import health
from ..evaluation.measures import METRICS
from ..evaluation.report import FairnessReport
from .notebooks import read
from .records import Record
from .runs import FOLDER_VARIABLE, Run, run
from .sweeps import sweep

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Current", "Run", "current", "parameters", "run", "sweep"]


def parameters(notebook: str | os.PathLike) -> dict[str, Any]:
    """Return the parameters that a notebook takes, with their defaults.

    Parameters
    ----------
    notebook : str or path-like
        A name such as ``02_distillation``, or a path.

    Returns
    -------
    dict
        What the cell tagged ``parameters`` assigns.

    Raises
    ------
    FddkitError
        If there is no such notebook or its parameters are not plain values.
    """
    return read(notebook).defaults


def current(parameters: dict[str, Any] | None = None) -> "Current":
    """Return the run that the calling notebook belongs to.

    Parameters
    ----------
    parameters : dict, optional
        What the run's ``parameters`` are by hand; headless, they are known.

    Returns
    -------
    Current
        Headless under ``fddkit run``, else one that keeps nothing.
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return Current(None, dict(parameters or {}))
    return Current(Path(folder), Record.load(folder).parameters)


@dataclasses.dataclass(frozen=True)
class Current:
    """Where a notebook leaves what is worth keeping.

    Attributes
    ----------
    folder : Path or None
        Of the run; ``None`` where the notebook is worked on by hand.
    parameters : dict
        Of the run.
    """

    folder: Path | None
    parameters: dict[str, Any]

    @property
    def headless(self) -> bool:
        """Whether what is handed over is kept."""
        return self.folder is not None

    def path(self, name: str) -> Path | None:
        """Return where the run keeps a file, so that an interrupted run finds it again.

        Parameters
        ----------
        name : str
            E.g. ``"cobra.safetensors"``.

        Returns
        -------
        Path or None
            ``None`` by hand: nothing is to be kept (as ``out=None`` means to
            `fddkit.distillers.distill`).
        """
        return self.folder / _checked(name) if self.folder else None

    def figure(self, figure: Any, name: str, caption: str = "") -> Any:
        """Save a figure as PNG and PDF.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            It is closed for pyplot, so that a cell which ends in this call shows it once.
        name : str
            Of the files; the report shows figures in the order of the first saving.
        caption : str
            What the figure shows, in a sentence.

        Returns
        -------
        matplotlib.figure.Figure
            The same.

        Raises
        ------
        FddkitError
            For a name that is no file name, or a folder that cannot be written to.
        """
        _checked(name)
        if self.folder:
            folder = self.folder / "figures"
            for kind, extra in (
                ("png", {"dpi": 200}),
                ("pdf", {"metadata": {"CreationDate": None}}),
            ):
                with files.atomic(folder / f"{name}.{kind}") as temporary:
                    figure.savefig(temporary, format=kind, bbox_inches="tight", **extra)
            index = folder / "index.json"
            known = _kept(index, [{"name": str, "caption": str}], [])
            entry = {"name": name, "caption": caption}
            names = [one["name"] for one in known]
            if name in names:
                known[names.index(name)] = entry
            else:
                known.append(entry)
            files.write_json(index, known)
        if "matplotlib.pyplot" in sys.modules:
            sys.modules["matplotlib.pyplot"].close(figure)
        return figure

    def metrics(self, found: dict[str, Any]) -> dict[str, Any]:
        """Keep numbers and tables in ``metrics.json``, exactly as they are.

        Parameters
        ----------
        found : dict
            ``numbers``: name to number or to ``{"mean", "ci95", "noise_floor", ...}``;
            ``tables``: title to a list of rows (dicts of column to value) or a DataFrame. The
            report shows these two; other entries are kept too. What is handed over later is added.

        Returns
        -------
        dict
            The same as JSON holds it (a number that is not finite becomes ``None``).

        Raises
        ------
        FddkitError
            For a value that JSON cannot hold, or a folder that cannot be written to.
        """
        plain = _plain(found, "metrics")
        if self.folder:
            path = self.folder / "metrics.json"
            kept = _kept(path, dict, {})
            for key, value in plain.items():
                both = isinstance(value, dict) and isinstance(kept.get(key), dict)
                kept[key] = kept[key] | value if both else value
            files.write_json(path, kept)
        return plain

    def reports(self, named: Mapping[str, FairnessReport]) -> "pd.DataFrame":
        """Keep the numbers of fairness reports, and show them as a table.

        Parameters
        ----------
        named : mapping of str to FairnessReport
            Title and report.

        Returns
        -------
        pandas.DataFrame
            A row a report: accuracy, DEO_M and DEO_A with their 95% intervals and noise floors,
            on the balanced and (where groups are injected) the counterfactual test.
        """
        import pandas as pd

        numbers, rows = {}, []
        for title, report in named.items():
            row = {"trained on": title}
            for where, one in (("", report), ("counterfactual ", report.counterfactual)):
                for key, metric in METRICS.items() if one else ():
                    name, summary = metric.title, one.metric(key)
                    numbers[f"{title} {where}{name}"] = summary
                    mean, _, interval, floor = summary.cells()
                    shown = f"{mean} {interval}" if interval != "-" else mean
                    row[f"{where}{name}"] = f"{shown} floor {floor}" if floor else shown
            rows.append(row)
        kept = {"numbers": numbers, "tables": {"Accuracy and fairness (%)": rows}}
        told = {title: health.sentence(r.config.get("health", {})) for title, r in named.items()}
        self.metrics({**kept, "doubts": {title: line for title, line in told.items() if line}})
        return pd.DataFrame(rows).set_index("trained on")


def _kept(path: Path, shape: Any, otherwise: Any) -> Any:
    """Return what an earlier cell has kept; a damaged file is set aside."""
    if not os.path.lexists(path):
        return otherwise
    try:
        found = read_json(path)
        conform(found, shape, str(path))
        return found
    except ValueError as error:  # FddkitError is one
        files.set_aside(path, error)
        return otherwise


def _checked(name: str) -> str:
    """Return a name that is one plain file name, or refuse it."""
    if not FILE_NAME.fullmatch(name):
        raise FddkitError(
            f"{name!r} is not a file name; use letters, digits, '-', '_' and '.', "
            "e.g. 'distilled_images'"
        )
    return name


def _plain(value: Any, where: str) -> Any:
    """Return what JSON can hold for numpy, torch, pandas and our own summaries."""
    if hasattr(value, "to_dict"):
        table = type(value).__name__ == "DataFrame"
        value = value.to_dict("records") if table else value.to_dict()
    if isinstance(value, np.ndarray | np.generic | torch.Tensor):
        value = value.tolist()
    if isinstance(value, float):
        return value if np.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, dict):
        return {str(k): _plain(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
    raise FddkitError(
        f"{where} is a {type(value).__name__}; give numbers, text, lists and dictionaries"
    )
