"""What a notebook calls to save its results: its own run.

A notebook works the same by hand and headless. It asks for its run once and passes on what is
worth keeping::

    run = fdd.experiments.current()
    s = fdd.distill(train, out=run.path("cobra.safetensors"))
    run.metrics({"numbers": {"COBRA DEO_M": report.deo_m}})
    run.figure(fig, "images", "What COBRA distils.")

Under ``fddkit run`` these end up in the folder of the run, where the report finds them; by hand
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
from ..evaluation.report import FairnessReport
from . import kept_reports
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

    See Also
    --------
    fddkit.experiments.runs.run : Execute it with other values.

    Examples
    --------
    >>> import fddkit as fdd
    >>> fdd.experiments.parameters("02_distillation")["rules"]
    ['vanilla', 'fairdd', 'cobra']
    """
    return read(notebook).defaults


def current(parameters: dict[str, Any] | None = None) -> "Current":
    """Return the run that this notebook belongs to.

    Parameters
    ----------
    parameters : dict, optional
        Used as the run's ``parameters`` by hand; a headless run knows its own.

    Returns
    -------
    Current
        Under ``fddkit run`` the headless run, otherwise one that saves nothing.

    Examples
    --------
    >>> import fddkit as fdd
    >>> run = fdd.experiments.current({"ipc": 10})
    >>> run.headless, run.parameters
    (False, {'ipc': 10})
    >>> run.path("cobra.safetensors") is None  # by hand, nothing is saved
    True
    """
    folder = os.environ.get(FOLDER_VARIABLE)
    if not folder:
        return Current(None, dict(parameters or {}))
    return Current(Path(folder), Record.load(folder).parameters)


@dataclasses.dataclass(frozen=True)
class Current:
    """Where a notebook saves what is worth keeping.

    Attributes
    ----------
    folder : Path or None
        Of the run; ``None`` if the notebook is run by hand.
    parameters : dict
        Of the run.
    """

    folder: Path | None
    parameters: dict[str, Any]

    @property
    def headless(self) -> bool:
        """Whether results are saved: true under ``fddkit run``."""
        return self.folder is not None

    def path(self, name: str) -> Path | None:
        """Return where the run keeps a file, so that it is found again after an interruption.

        Parameters
        ----------
        name : str
            E.g. ``"cobra.safetensors"``.

        Returns
        -------
        Path or None
            ``None`` by hand, where nothing is saved (``out=None`` means the same to
            `fddkit.distillers.distill`).
        """
        return self.folder / _checked(name) if self.folder else None

    def figure(self, figure: Any, name: str, caption: str = "") -> Any:
        """Save a figure as PNG and PDF.

        Parameters
        ----------
        figure : matplotlib.figure.Figure
            It is closed in pyplot, so that a cell which ends in this call shows it only once.
        name : str
            Name of the files. The report shows figures in the order in which they were first saved.
        caption : str
            What the figure shows, in a sentence.

        Returns
        -------
        matplotlib.figure.Figure
            The same figure.

        Raises
        ------
        FddkitError
            For a name that is not a file name, or a folder that cannot be written to.

        Examples
        --------
        >>> import fddkit as fdd
        >>> train, _ = fdd.load("digits")
        >>> run = fdd.experiments.current()
        >>> figure = run.figure(fdd.plots.gallery(train), "gallery", "Random images.")
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
            ``numbers``: name to number or to what `fddkit.evaluation.summary.Summary.to_dict`
            returns; ``tables``: title to a list of rows (dicts of column to value) or a DataFrame.
            The report shows these two; other entries are kept too. Later calls add to earlier ones.

        Returns
        -------
        dict
            The same, as JSON stores it (a number that is not finite becomes ``None``).

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
        """Save fairness reports and their numbers, and return them as a table.

        The files in ``reports`` keep every outcome, so that what several runs have saved can be
        pooled and compared later; ``metrics.json`` lists them under that name.

        Parameters
        ----------
        named : mapping of str to FairnessReport
            Title -> report. One of the same title that was saved before is replaced.

        Returns
        -------
        pandas.DataFrame
            One row per report: the unit of its intervals, and the headline metrics with intervals,
            on the balanced and (where groups are injected) the counterfactual test; beside a gap,
            what a fair model would show by chance: its mean, and what it exceeds once in twenty.

        Raises
        ------
        FddkitError
            For a folder that cannot be written to.

        Examples
        --------
        >>> import fddkit as fdd
        >>> train, test = fdd.load("digits")
        >>> report = fdd.evaluate(train, test, repeats=1, preset="smoke", progress=False)
        >>> table = fdd.experiments.current().reports({"whole": report})
        >>> table.columns[:3].tolist()
        ['unit', 'accuracy', 'worst group']
        """
        import pandas as pd

        named = {str(title): report for title, report in named.items()}
        found = kept_reports.content(named)
        if self.folder:
            found["reports"] = kept_reports.save(self.folder, named)
            self.metrics(found)
        (rows,) = found["tables"].values()
        return pd.DataFrame(rows).set_index("trained on")


def _kept(path: Path, shape: Any, otherwise: Any) -> Any:
    """Return what an earlier cell has saved; a damaged file is set aside."""
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
    """Return a name if it is a plain file name, or raise."""
    if not FILE_NAME.fullmatch(name):
        raise FddkitError(
            f"{name!r} is not a file name; use letters, digits, '-', '_' and '.', "
            "e.g. 'distilled_images'"
        )
    return name


def _plain(value: Any, where: str) -> Any:
    """Convert numpy, torch, pandas and our own summaries to what JSON can hold."""
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
