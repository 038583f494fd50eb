"""Train fresh networks on a set, test them, and keep what each predicts for each test image."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..core.rng import derive
from ..core.versions import choose_device, versions
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..training.fit import fit
from ..training.networks import fresh, predict_with_probability
from .outcomes import Outcomes, as_score, check_size, paired
from .planning import plan
from .report import FairnessReport

_TEST_BLOCK = 4096  # test images normalised at a time: bounds memory, costs nothing


@dataclass(frozen=True)
class Tested:
    """What a callback receives.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and their total, over all networks.
    report : FairnessReport or None
        Report on the networks so far, if one has just been tested.
    """

    epoch: int
    epochs: int
    report: FairnessReport | None = None


def evaluate(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    networks: str | Sequence[str] = ("convnet",),
    repeats: int | None = None,
    seed: int = 0,
    preset: str = "quick",
    counterfactual: bool = True,
    protocol: str | None = None,
    device: torch.device | str | None = None,
    progress: bool = True,
    callback: Callable[["Tested"], object] | None = None,
    reference: GroupedDataset | None = None,
    **overrides: object,
) -> FairnessReport:
    """Train fresh networks on a set and measure their accuracy and fairness on a test set.

    Parameters
    ----------
    data : DistilledSet or GroupedDataset
        What to train on: a distilled set, a baseline, or the real set itself.
    test : GroupedDataset
        What to test on; it is normalised in the same way as ``data``.
    networks : str or sequence of str
        Architectures, see `fddkit.training.architectures.NETWORKS`.
    repeats : int, optional
        Networks of each architecture; by default the preset's number. Each network depends only
        on the seed and its own number: the first five of ten repeats are those of a run of five.
    seed : int
        Determines every random choice.
    preset : {"smoke", "quick", "paper"}
        ``smoke`` takes a second (for tests), ``quick`` minutes on two cores; ``paper`` is the
        published evaluation (`docs/methods.md`, "Evaluation"), with ten networks as in FairDD.
    counterfactual : bool
        Also test on every test image in every group, if the groups are injected and ``test`` does
        not do so already.
    protocol : str, optional
        The method whose evaluation protocol is followed, see
        `fddkit.distillers.registry.METHODS`; by default that of the method that distilled the
        set, and DM's for real images and foreign sets.
    device : torch.device or str, optional
        By default a GPU if there is one.
    progress : bool
        Show a progress bar.
    callback : callable, optional
        Called with `Tested` after every epoch and after every network.
    reference : GroupedDataset, optional
        The set whose association of classes and groups bias amplification refers to; by default
        ``data``, if that is a `GroupedDataset`.
    **overrides
        Fields of `fddkit.training.fit.Recipe`, e.g. ``epochs=100``; None keeps the preset's value.

    Returns
    -------
    FairnessReport
        The repeats of the first architecture, then those of the second, and so on; with what each
        network predicted for each test image.

    Raises
    ------
    FddkitError
        For an unknown name, a value out of range, sets that do not match each other, a class
        without a training image, images that are not finite, or training that diverges.

    See Also
    --------
    fddkit.verdict : What several reports mean, in sentences.
    fddkit.evaluation.metrics : The arithmetic behind a report.

    References
    ----------
    ``docs/methods.md``, "Evaluation" (protocols), "Metrics" and "Data sets".

    Examples
    --------
    >>> import fddkit as fdd
    >>> train, test = fdd.load("digits")
    >>> s = fdd.distill(train, "random", ipc=2, progress=False)
    >>> report = fdd.evaluate(s, test, repeats=2, preset="smoke", progress=False)
    >>> report.networks, report.counts.shape
    (['convnet', 'convnet'], (2, 10, 10, 10))
    >>> 0 <= report.accuracy.mean <= 100
    True

    The groups of `digits` are injected, so there is a counterfactual test as well, with equally
    many images of every group:

    >>> report.counterfactual.counts[0].sum((1, 2))
    array([200, 200, 200, 200, 200, 200, 200, 200, 200, 200])
    """
    given = networks, repeats, seed, preset, protocol, reference
    chosen, runs, config = plan(data, test, *given, **overrides)
    device = choose_device(device)
    images, target, group = (x.to(device) for x in data.seen())
    # the networks expect pixels in the units of the set that they were trained on
    test = replace(test, mean=data.mean, std=data.std, whitening=data.whitening)
    tests = [each.to(device) for each in _tests(test, counterfactual, chosen.originals)]
    for each in tests:  # before anything is trained
        check_size(len(each), len(runs))
    told: list[list[tuple[Tensor, Tensor]]] = [[] for _ in tests]
    epoch, epochs = 0, len(runs) * (chosen.epochs + (chosen.schedule == "half"))
    report = None

    def tick() -> None:
        nonlocal epoch
        epoch += 1
        bar.update()
        if callback:
            callback(Tested(epoch, epochs))

    with (
        torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True),
        tqdm(total=epochs, unit="epoch", disable=not progress) as bar,
    ):
        for done, (name, repeat) in enumerate(runs, start=1):
            bar.set_description(f"{name} {repeat + 1}/{chosen.repeats}")
            net_seed = derive(seed, "evaluate", name, repeat)
            size = chosen.width, chosen.depth
            net = fresh(name, test.shape, test.n_classes, net_seed, *size).to(device)
            fit(net, images, target, chosen, net_seed, test.normalise, tick, group)
            for each, predictions in zip(tests, told, strict=True):
                predictions.append(_predict(net, each))
            tested = [name for name, _ in runs[:done]]
            report = None  # of the counterfactual test first, if there is one
            for each, predictions in reversed(list(zip(tests, told, strict=True))):
                outcomes = _outcomes(each, predictions)
                report = FairnessReport.of(outcomes, tested, config, versions(device), report)
            if callback:
                callback(Tested(epoch, epochs, report))
    return report


def _tests(
    test: GroupedDataset, counterfactual: bool, originals: int | None
) -> list[GroupedDataset]:
    """Return the test set and its counterfactual test, unless it is one itself."""
    if not counterfactual or test.index is None:
        return [test]
    if paired(test.index.cpu().numpy(), test.group.cpu().numpy()):
        return [test]
    other = test.counterfactual(originals)
    return [test] if other is None else [test, other]


def _predict(net: nn.Module, test: GroupedDataset) -> tuple[Tensor, Tensor]:
    """Return the predicted class of each test image and its probability."""
    blocks = test.images.split(_TEST_BLOCK)
    parts = [predict_with_probability(net, test.normalise(block)) for block in blocks]
    predicted, probability = zip(*parts, strict=True)
    return torch.cat(predicted).cpu(), torch.cat(probability).cpu()


def _outcomes(test: GroupedDataset, told: list[tuple[Tensor, Tensor]]) -> Outcomes:
    """Return what every network so far predicted."""
    return Outcomes(
        test.target.cpu().numpy(),
        test.group.cpu().numpy(),
        np.stack([predicted.numpy() for predicted, _ in told]),
        None if test.index is None else test.index.cpu().numpy(),
        as_score(np.stack([probability.numpy() for _, probability in told])),
    )
