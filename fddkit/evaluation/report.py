"""The report of an evaluation: the counts, the numbers that follow, and how they are shown."""

import os
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..core import files
from ..core.errors import FddkitError
from ..distillers.baselines import BASELINES
from . import report_file, report_table, soundness
from .foreign import from_predictions
from .numbers import Numbers
from .outcomes import Outcomes
from .pooling import by_network, pool
from .summary import Summary


@dataclass(frozen=True, eq=False)
class FairnessReport:
    """How accurate and how fair the networks trained on one set are; all numbers in percent.

    Parameters
    ----------
    counts : int64 [R, A, C, C]
        Test images by repeat, group, true and predicted class.
    networks : list of str
        The network of each repeat, length R.
    config : dict
        How the report was made, JSON-able; ``target_names`` and ``group_names`` name the axes.
    versions : dict
        Versions of the software.
    counterfactual : FairnessReport, optional
        The same networks on every test image in every group, if the groups are injected.
    sets : list of int, optional
        The number of the training set of each repeat, length R: the seeds of the sets, if
        ``config["data"]`` has a ``seed``. Repeats on one set are averaged
        before spread and interval are computed over sets. None: there is one set, and its repeats
        are the unit.
    outcomes : Outcomes, optional
        What each network predicted for each test image, from which the counts follow. None: only
        the counts are known, as in the files of older versions.

    Raises
    ------
    FddkitError
        If the parts do not fit each other (`fddkit.evaluation.soundness`).

    See Also
    --------
    fddkit.evaluate : Makes a report.
    fddkit.verdict : What several reports mean, in sentences.

    Examples
    --------
    Two repeats, two groups, two classes. Group 1 has a lower true-positive rate in class 0:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> counts = np.array(
    ...     [[[[9, 1], [1, 9]], [[5, 5], [1, 9]]], [[[9, 1], [1, 9]], [[7, 3], [1, 9]]]]
    ... )
    >>> report = fdd.FairnessReport(counts, ["convnet", "convnet"])
    >>> report.accuracy.values
    array([80., 85.])
    >>> round(report.deo_m.mean, 6), round(report.deo_a.mean, 6)
    (30.0, 15.0)
    >>> report.group_tpr.mean  # by group and class
    array([[90., 90.],
           [60., 90.]])
    """

    counts: np.ndarray
    networks: list[str]
    config: dict = field(default_factory=dict)
    versions: dict = field(default_factory=dict)
    counterfactual: "FairnessReport | None" = None
    sets: list[int] | None = None
    outcomes: Outcomes | None = None

    def __post_init__(self) -> None:
        """Check the parts; what was counted can no longer be changed."""
        counts = soundness.counts_of(self.counts)
        kinds = {"networks": ("network name", str), "sets": ("set number", int)}
        for name, (what, kind) in kinds.items():
            values = getattr(self, name)
            if name == "networks" or values is not None:
                values = soundness.of_repeats(name, what, values, len(counts), kind)
            object.__setattr__(self, name, values)
        object.__setattr__(self, "counts", counts)
        soundness.check(self)

    @classmethod
    def of(
        cls,
        outcomes: Outcomes,
        networks: list[str],
        config: dict,
        versions: dict | None = None,
        counterfactual: "FairnessReport | None" = None,
        sets: list[int] | None = None,
    ) -> "FairnessReport":
        """Return the report of what networks predicted.

        Parameters
        ----------
        outcomes : Outcomes
            Of all networks.
        networks, config, versions, counterfactual, sets
            As for the class; ``config`` names the classes and groups.

        Returns
        -------
        FairnessReport
        """
        classes, groups = (
            len(soundness.names_of(config, f"{k}_names")) for k in ("target", "group")
        )
        if not isinstance(outcomes, Outcomes):
            raise FddkitError(f"outcomes must be Outcomes, not {type(outcomes).__name__}")
        soundness.check_size(networks, groups, classes)
        counts = outcomes.counts(classes, groups)
        return cls(counts, networks, config, versions or {}, counterfactual, sets, outcomes)

    from_predictions = classmethod(from_predictions)

    @property
    def shown(self) -> "FairnessReport":
        """The report on the counterfactual test if there is one, otherwise this report."""
        return self.counterfactual or self

    def metric(self, name: str) -> Summary:
        """Return a metric over the units of repetition.

        Parameters
        ----------
        name : str
            One of `fddkit.evaluation.measures.METRICS`.

        Returns
        -------
        Summary
            With what a fair model would show by chance, if it is a gap between groups, and without
            the noise of the test images.

        Raises
        ------
        FddkitError
            For an unknown name.

        Examples
        --------
        >>> import numpy as np
        >>> counts = np.array([[[[9, 1], [1, 9]], [[5, 5], [1, 9]]]])
        >>> FairnessReport(counts, ["convnet"]).metric("deo_m")
        40.0 ± - (95% interval - over 1 network; a fair model: 20.1)
        """
        return self._numbers.summary(name)

    @property
    def of_one_set(self) -> bool:
        """Whether its networks share one distilled or selected set, of which others could be made.

        Networks that were trained on the whole training set share it too, but that is the only one.
        """
        made = self.config.get("data", {})
        if self.sets is not None or ("dataset" in made and "method" not in made):
            return False
        return made.get("method") not in BASELINES or BASELINES[made["method"]].seeded

    def mostly_noise(self, name: str) -> bool:
        """Return whether most of a gap is what so few test images show by chance."""
        return self._numbers.mostly_noise(name)

    def at_its_bound(self, name: str) -> bool:
        """Return whether a gap is so large that the test images could not show a larger one."""
        return self._numbers.at_its_bound(name)

    @cached_property
    def _numbers(self) -> Numbers:
        return Numbers(self)

    @property
    def accuracy(self) -> Summary:
        """Share of test images that are classified correctly."""
        return self.metric("accuracy")

    @property
    def deo_m(self) -> Summary:
        """Largest gap in true-positive rate between groups, see `fddkit.evaluation.metrics`."""
        return self.metric("deo_m")

    @property
    def deo_a(self) -> Summary:
        """Mean over classes of that gap, see `fddkit.evaluation.metrics`."""
        return self.metric("deo_a")

    @property
    def group_tpr(self) -> Summary:
        """True-positive rate by group and class, [A, C]; NaN where there is no test image."""
        return self._numbers.group_tpr()

    @property
    def empty_cells(self) -> list[tuple[int, int]]:
        """The cells (group, class) without test images, which are left out of every number."""
        return [(int(a), int(y)) for a, y in np.argwhere(self.counts[0].sum(-1) == 0)]

    pool = classmethod(pool)
    by_network = by_network

    def to_dict(self, compress: bool = True) -> dict:
        """Return what `save` writes, including the derived numbers for other programs."""
        return report_file.content(self, compress)

    def save(
        self, path: str | os.PathLike, look: files.Look | None = None, compress: bool = True
    ) -> None:
        """Write the report as JSON, atomically, with the sha256 of its content.

        Parameters
        ----------
        path : path-like
            The file, e.g. ``report.json``.
        look : callable, optional
            See `fddkit.core.files.atomic`; by default an existing file is replaced only if it is
            a report.
        compress : bool
            Deflate the outcomes; they are kept byte by byte otherwise.

        Raises
        ------
        FddkitError
            If it cannot be written.
        """
        report_file.write(path, self.to_dict(compress), look)

    @classmethod
    def load(cls, path: str | os.PathLike) -> "FairnessReport":
        """Read a report; every number is computed anew, from its counts and outcomes.

        Parameters
        ----------
        path : path-like
            A file that `save` wrote.

        Returns
        -------
        FairnessReport

        Raises
        ------
        FddkitError
            If the file is missing, damaged, not a report, or from a newer fddkit.
        """
        data = report_file.read(path)
        try:
            return cls._from_dict(data)
        except (TypeError, ValueError, OverflowError) as error:
            raise report_file.damaged(path, error) from error

    @classmethod
    def _from_dict(cls, data: dict) -> "FairnessReport":
        counts = report_file.counts_of(data)  # which checks the rest as well
        paired = data["counterfactual"]
        return cls(
            counts,
            data["networks"],
            data["config"],
            data["versions"],
            None if paired is None else cls._from_dict(paired),
            data["sets"],
            None if data.get("outcomes") is None else Outcomes.decode(data["outcomes"]),
        )

    def __str__(self) -> str:
        """Return a table in plain text."""
        return report_table.text(self)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """Return the same table for a notebook."""
        return report_table.html(self)
