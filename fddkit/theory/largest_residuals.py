"""The largest residual of each class, of targets and of images: COBRA's Table 5, and beside it.

Two quantities are told apart here:

- of a **target** (`maxres_of_targets`): how far a rule's target leaves the group that is worst off,
  squared. This is what Table 5 prints. The synthetic images enter only through the network, which
  is trained on them;
- of **images** (`maxres`): how far that group is from the statistic of the synthetic images,
  not squared. This also sees what the optimisation did not reach.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..core.errors import unknown
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..evaluation.summary import Summary
from ..training.networks import Network
from .positions import aims, worst
from .signal import GroupStatistics, Signal, converged


@dataclass(frozen=True, eq=False)
class MaxRes:
    """The largest residual of each class (COBRA, appendix G.2 and Table 5).

    Attributes
    ----------
    per_class : Tensor
        float64 [classes], in the units of the statistic, or those squared; NaN for a class with
        fewer than two groups, which is skipped.
    """

    per_class: Tensor

    @property
    def mean(self) -> float:
        """Mean over the classes that are not skipped (``maxres_mean`` in Table 5)."""
        return self.per_class.nanmean().item()

    @property
    def worst(self) -> float:
        """Value of the worst class (``maxres_worst`` in Table 5)."""
        return self.per_class.nan_to_num(nan=-torch.inf).max().item()

    @staticmethod
    def pool(several: Iterable["MaxRes"], over: str = "mean") -> Summary:
        """Return the mean and 95% interval over several sets.

        Parameters
        ----------
        several : iterable of MaxRes
            One for each set.
        over : {"mean", "worst"}
            The number that is taken of each.

        Returns
        -------
        Summary
        """
        values = np.array([getattr(each, over) for each in several])
        return Summary(values, bounds=(0.0, math.inf), unit="sets")


def maxres(signal: Signal, named: Mapping[str, DistilledSet]) -> dict[str, MaxRes]:
    """Measure how far groups are from synthetic images: ``max_a |Phi[y, a] - Phi_S[y]|``.

    This is not what COBRA's Table 5 prints: see `maxres_of_targets`.

    Parameters
    ----------
    signal : Signal
        The signal of the method (gradients for dc, embeddings for dm), under a converged network
        as in appendix G.2 (`converged`) or a random one.
    named : mapping of str to DistilledSet
        Sets distilled from the signal's training set.

    Returns
    -------
    dict of str to MaxRes
        In the units of the statistic, not squared.
    """
    stats = signal.groups()
    return {name: MaxRes(worst(stats, signal.synthetic(s))) for name, s in named.items()}


def maxres_of_targets(
    stats: GroupStatistics, rules: Iterable[str] | None = None
) -> dict[str, MaxRes]:
    """Compute what COBRA's Table 5 prints: ``max_a |Phi[y, a] - m[y]|^2`` of the rules' targets m.

    Under one network this follows from the groups and their shares alone. With two groups, the
    larger of share p, at a distance d, it is ``(p d)^2`` for vanilla and ``(d / 2)^2`` for FairDD,
    COBRA and minimax, so vanilla's is ``(2 p)^2`` times theirs in every class. Where the printed
    numbers of FairDD and COBRA differ, it is because each has its own networks.

    Parameters
    ----------
    stats : GroupStatistics
        The groups, under the network trained on the distilled set for the paper's number.
    rules : iterable of str, optional
        As for `fddkit.theory.aims`: the target is that under squared error. [?] The paper does not
        say which point it takes for methods with another distance (the cosine of DC).

    Returns
    -------
    dict of str to MaxRes
        Rules without a target (``kde``) are left out.

    Raises
    ------
    FddkitError
        For an unknown rule.

    References
    ----------
    COBRA, section 5.6, appendix G.2 and Table 5; ``docs/methods.md``, "COBRA's released code".

    Examples
    --------
    One class with a large group at 0 and a small one at 10:

    >>> import torch
    >>> import fddkit as fdd
    >>> points = torch.tensor([[[0.0], [10.0]]], dtype=torch.float64)
    >>> shares = torch.tensor([[0.9, 0.1]], dtype=torch.float64)
    >>> stats = fdd.theory.GroupStatistics(points, shares)
    >>> found = fdd.theory.maxres_of_targets(stats, ["vanilla", "fairdd", "cobra"])
    >>> {rule: one.mean for rule, one in found.items()}
    {'vanilla': 81.0, 'fairdd': 25.0, 'cobra': 25.0}
    """
    return {rule: MaxRes(worst(stats, m) ** 2) for rule, m in aims(stats, rules).items()}


class MaxResOfSet(NamedTuple):
    """The largest residuals that belong to a distilled set, under one network.

    Attributes
    ----------
    targets : dict of str to MaxRes
        Of each rule's target, squared; Table 5 has the one of the set's own rule.
    images : MaxRes
        Of the set's images, not squared.
    """

    targets: dict[str, MaxRes]
    images: MaxRes


def maxres_of_set(
    train: GroupedDataset,
    s: DistilledSet,
    network: Network | str = "own",
    method: str | None = None,
    rules: Iterable[str] | None = None,
    per_cell: int | None = None,
    seed: int = 0,
    preset: str | None = None,
    **overrides: object,
) -> MaxResOfSet:
    """Measure the largest residuals under the network that a distilled set leads to.

    The paper trains the network on the distilled set; [?] marks what it does not say.

    Parameters
    ----------
    train : GroupedDataset
        The real set from which ``s`` was distilled.
    s : DistilledSet
        The distilled set.
    network : Network or {"own", "random"}
        The network: ``own`` is trained on the set, as in the paper; ``random`` is one as the
        distiller draws it; or any other, such as ``converged(train)``, to have one for all sets.
    method : str, optional
        The distiller whose signal is used, with the gradients of all layers for ``dc`` [?]; by
        default that of the set.
    rules : iterable of str, optional
        Whose targets are measured, as for `maxres_of_targets`.
    per_cell : int or None
        Real images of each class and group [?]; None uses all.
    seed : int
        Of the network: its weights and its training [?].
    preset : {"smoke", "quick", "paper"}, optional
        Of the network's size and training [?]; by default that of the set.
    **overrides
        Fields of `fddkit.training.fit.Recipe` for the training of ``own`` [?].

    Returns
    -------
    MaxResOfSet

    Raises
    ------
    FddkitError
        For an unknown name, a set that does not match, or a method without a statistic (mtt).

    References
    ----------
    COBRA, section 5.6, appendix G.2 and Table 5.

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, _ = fdd.load("digits")
    >>> s = fdd.distill(train, "dm", "cobra", ipc=1, preset="smoke", progress=False)
    >>> found = fdd.theory.maxres_of_set(train, s, per_cell=5)
    >>> found.targets["minimax"].mean <= found.targets["cobra"].mean
    True
    """
    preset = preset or s.config["preset"]
    method = method or s.config["method"]
    signal = Signal(train, method, seed=seed, preset=preset)
    if isinstance(network, str):
        size = {name: getattr(signal.matching.settings, name) for name in ("width", "depth")}
        made = {
            "own": lambda: converged(s, seed, preset, **{**size, **overrides}),
            "random": lambda: signal.net,
        }
        if network not in made:
            raise unknown("network", network, made)
        network = made[network]()
    signal = Signal(train, method, network, seed=seed, preset=preset)
    stats = signal.groups(per_cell)
    return MaxResOfSet(maxres_of_targets(stats, rules), MaxRes(worst(stats, signal.synthetic(s))))
