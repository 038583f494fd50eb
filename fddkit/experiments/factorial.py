"""A factorial experiment: what a difference between two methods is made of.

The methods that a paper compares often differ in several things at once. Here every combination
of these is run on the same seeds, so that their effects can be separated.
"""

import itertools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..core.errors import FddkitError
from ..core.files import keep_whole
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..distillers.distill import distill
from ..evaluation.evaluate import evaluate
from ..evaluation.measures import headline
from ..evaluation.report import FairnessReport
from ..evaluation.summary import Summary

if TYPE_CHECKING:
    import pandas as pd

#: What COBRA and FairDD differ in under squared error, as DM runs them: ``normalise`` divides
#: FairDD's sum by the number of groups, so that both rules take steps of the same length.
FAIRDD_AND_COBRA = {
    "rule": {
        "fairdd": {"fairness": "fairdd", "normalise": "groups"},
        "cobra": {"fairness": "cobra"},
    },
    "sampling": {"class": {"sampling": "class"}, "group": {"sampling": "group"}},
}


@dataclass(frozen=True, eq=False)
class Factorial:
    """The outcome of every combination of levels on every seed.

    Attributes
    ----------
    factors : dict of str to tuple of str
        The factors and their levels.
    values : dict of str to numpy.ndarray
        For each metric of `fddkit.evaluation.measures.headline`: float64, one axis per factor, in
        order, with the seeds last. Taken on the counterfactual test where there is one.
    """

    factors: dict[str, tuple[str, ...]]
    values: dict[str, np.ndarray]

    def cells(self) -> "pd.DataFrame":
        """Return the mean over the seeds of each combination, one row each."""
        import pandas as pd

        index = pd.MultiIndex.from_product(self.factors.values(), names=list(self.factors))
        means = {name: value.mean(-1).ravel() for name, value in self.values.items()}
        return pd.DataFrame(means, index=index)

    def effect(self, metric: str, *names: str) -> Summary:
        """Return the effect of a factor, or the interaction of several.

        The effect of a factor is how much the metric changes from its first level to its second,
        averaged over all combinations of the other factors, seed by seed. The interaction of two
        is half of how much the effect of one changes from the first level of the other to the
        second.

        Parameters
        ----------
        metric : str
            What changes, in percentage points.
        *names : str
            Factors of two levels.

        Returns
        -------
        Summary
            Mean, standard deviation and 95% interval over the seeds.

        Raises
        ------
        FddkitError
            For an unknown metric or factor, or one that does not have two levels.

        Examples
        --------
        >>> import numpy as np
        >>> from fddkit.experiments.factorial import Factorial
        >>> levels = {"rule": ("fairdd", "cobra"), "step": ("1", "10")}
        >>> accuracy = [[[80, 82], [90, 92]], [[81, 82], [91, 92]]]  # rule, step, seed
        >>> outcome = Factorial(levels, {"accuracy": np.array(accuracy, float)})
        >>> outcome.effect("accuracy", "step").mean
        10.0
        >>> outcome.effect("accuracy", "rule", "step").mean
        0.0
        """
        if metric not in self.values or not names or not set(names) <= set(self.factors):
            raise FddkitError(
                f"no effect of {', '.join(names) or 'nothing'} on {metric!r} was measured; the "
                f"metrics are {', '.join(self.values)} and the factors {', '.join(self.factors)}"
            )
        value = self.values[metric]
        for axis, (name, levels) in enumerate(self.factors.items()):
            if name in names and len(levels) != 2:
                raise FddkitError(f"factor {name!r} has {len(levels)} levels; an effect needs two")
            first, second = value.take([0], axis), value.take([-1], axis)
            value = second - first if name in names else value.mean(axis, keepdims=True)
        effect = value.reshape(-1) / 2 ** (len(names) - 1)
        return Summary(effect, bounds=(-100.0, 100.0), unit="seeds")

    def effects(self) -> "pd.DataFrame":
        """Return every main effect and two-way interaction on every metric, with intervals.

        Returns
        -------
        pandas.DataFrame
            One row per effect; columns (metric, ``mean`` | ``low`` | ``high``), percentage points.
        """
        import pandas as pd

        names = [n for n, levels in self.factors.items() if len(levels) == 2]
        wanted = [(n,) for n in names] + list(itertools.combinations(names, 2))
        rows = {}
        for some in wanted:
            title = (
                f"{some[0]}: {' -> '.join(self.factors[some[0]])}"
                if len(some) == 1
                else " x ".join(some)
            )
            found = {metric: self.effect(metric, *some) for metric in self.values}
            rows[title] = {
                (metric, part): number
                for metric, s in found.items()
                for part, number in zip(("mean", "low", "high"), (s.mean, *s.ci95), strict=True)
            }
        return pd.DataFrame.from_dict(rows, orient="index")


def factorial(
    train: GroupedDataset,
    test: GroupedDataset,
    factors: Mapping[str, Mapping[str, Mapping[str, object]]] = FAIRDD_AND_COBRA,
    method: str = "dm",
    ipc: int = 10,
    seeds: int = 3,
    repeats: int = 1,
    preset: str = "quick",
    folder: str | os.PathLike | None = None,
    progress: bool = True,
    **options: object,
) -> Factorial:
    """Distil and evaluate every combination of levels on the same seeds.

    Parameters
    ----------
    train, test : GroupedDataset
        The real sets.
    factors : mapping
        Factor, then level, then what the level sets: arguments of `fddkit.distillers.distill`, such
        as ``fairness`` or fields of the method's settings.
    method, ipc, preset : str, int, str
        See `fddkit.distillers.distill`.
    seeds : int
        How many. Seeds 0, 1, ... are used for the distillation and for the networks.
    repeats : int
        Networks trained on each set.
    folder : path-like, optional
        Where sets and reports are kept, to be reused by a later call.
    progress : bool
        Show a progress bar.
    **options
        Arguments of `fddkit.distillers.distill` that are the same in all combinations.

    Returns
    -------
    Factorial

    Raises
    ------
    FddkitError
        For fewer than one seed, a factor without levels, or what `fddkit.distillers.distill`
        refuses.

    See Also
    --------
    Factorial.effects : Every effect with its interval.
    fddkit.plots.effects : The figure of them.

    Examples
    --------
    >>> import fddkit as fdd
    >>> from fddkit.experiments.factorial import factorial
    >>> train, test = fdd.load("digits")
    >>> step = {"1": {"lr": 1.0}, "10": {"lr": 10.0}}
    >>> quick = {"seeds": 1, "ipc": 1, "preset": "smoke", "iterations": 1, "progress": False}
    >>> outcome = factorial(train, test, {"step": step}, **quick)
    >>> outcome.cells()["accuracy"].shape  # two levels
    (2,)
    >>> outcome.effects().index.tolist()
    ['step: 1 -> 10']
    """
    from tqdm.auto import tqdm

    if seeds < 1 or not factors or not all(factors.values()):
        raise FddkitError(
            "a factorial experiment needs at least one seed, one factor and a level in each; "
            f"there are {seeds} seeds and the factors {', '.join(factors) or 'none'}"
        )
    shape = tuple(len(levels) for levels in factors.values())
    values = {metric: np.empty((*shape, seeds)) for metric in headline()}
    combinations = list(itertools.product(*(levels.items() for levels in factors.values())))
    with tqdm(total=len(combinations) * seeds, unit="set", disable=not progress) as bar:
        for seed in range(seeds):
            for place, combination in zip(np.ndindex(shape), combinations, strict=True):
                chosen = dict(options)
                for _, arguments in combination:
                    chosen |= arguments
                name = "-".join([train.name, method, *(level for level, _ in combination)])
                out = None if folder is None else Path(folder) / f"{name}-{seed}.safetensors"
                if out is not None:
                    keep_whole(out, DistilledSet.load)
                s = distill(
                    train, method, ipc=ipc, seed=seed, preset=preset, out=out, progress=False,
                    **chosen,
                )  # fmt: skip
                report = _evaluated(s, test, seed, repeats, preset, out)
                for metric in values:
                    values[metric][*place, seed] = report.metric(metric).mean
                bar.update()
    return Factorial({name: tuple(levels) for name, levels in factors.items()}, values)


def _evaluated(s, test, seed, repeats, preset, out) -> FairnessReport:
    """Return the report of a set, read from beside it if it is there."""
    path = None if out is None else out.with_suffix(f".x{repeats}.json")
    done = None if path is None else keep_whole(path, FairnessReport.load)
    wanted = {"data": s.config, "test_fingerprint": test.fingerprint()}
    same = done is not None and wanted.items() <= done.config.items()
    if same and len(done.networks) == repeats:
        return done.shown
    report = evaluate(s, test, repeats=repeats, seed=seed, preset=preset, progress=False)
    if path is not None:
        report.save(path)
    return report.shown
