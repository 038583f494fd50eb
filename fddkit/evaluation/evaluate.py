"""Train fresh networks on a set, test them, and keep only what they counted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from ..core.entries import used
from ..core.errors import unknown
from ..core.rng import derive
from ..core.versions import choose_device, versions
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..distillers.registry import METHODS
from ..training.fit import Recipe, fit, recipe
from ..training.networks import build, own_size, predict
from .fitting import check
from .measures import METRICS
from .metrics import count
from .report import FairnessReport

_TEST_BLOCK = 4096  # test images normalised at a time: bounds memory, costs nothing


@dataclass(frozen=True)
class Tested:
    """What a callback sees.

    Attributes
    ----------
    epoch, epochs : int
        Epochs done, and to do in all, of all networks together.
    report : FairnessReport or None
        Of the networks so far, where one has just been tested.
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
    **overrides: object,
) -> FairnessReport:
    """Train fresh networks on a set and count what they predict on the test set.

    Parameters
    ----------
    data : DistilledSet or GroupedDataset
        What to train on: a distilled set, a baseline, or the real set itself.
    test : GroupedDataset
        What to test on; normalised as ``data`` is.
    networks : str or sequence of str
        Architectures, see `fddkit.training.architectures.NETWORKS`.
    repeats : int, optional
        Networks of each architecture; by default the preset's. Each one depends on the seed and
        its own number alone: the first five of ten repeats are those of a run of five.
    seed : int
        Every random choice derives from it.
    preset : {"smoke", "quick", "paper"}
        ``smoke`` takes a second (tests), ``quick`` minutes on two cores, ``paper`` is the
        published evaluation (`docs/methods.md`, "Evaluation"), with ten networks as in FairDD.
    counterfactual : bool
        Also test on every test image in every group, where the groups are injected.
    protocol : str, optional
        The method whose own way of evaluation is followed, see
        `fddkit.distillers.registry.METHODS`; by default the one that distilled the set, and DM's
        for real images and foreign sets.
    device : torch.device or str, optional
        By default a GPU where there is one.
    progress : bool
        Show a bar.
    callback : callable, optional
        Called with `Tested` after every epoch and after every network.
    **overrides
        Fields of `fddkit.training.fit.Recipe`, e.g. ``epochs=100``; None leaves the preset's value.

    Returns
    -------
    FairnessReport
        Repeats of the first architecture, then of the second...

    Raises
    ------
    FddkitError
        For an unknown name, a value out of range, sets that do not fit each other, a class
        without a training image, images that are not finite, or a training that diverges.
    """
    names = [networks] if isinstance(networks, str) else list(networks)
    check(data, test, names)
    protocol, chosen = _recipe(data, test, preset, protocol, repeats, overrides)
    device = choose_device(device)
    distilled = isinstance(data, DistilledSet)
    images, target, group = (x.to(device) for x in data.seen())
    chosen = chosen.fitted(len(images))
    fingerprint = test.fingerprint()
    # the networks know pixels in the units of the set that they were trained on
    test = replace(test, mean=data.mean, std=data.std, whitening=data.whitening)
    tests = [test, test.counterfactual(chosen.originals) if counterfactual else None]
    tests = [one.to(device) for one in tests if one is not None]
    runs = [(name, repeat) for name in names for repeat in range(chosen.repeats)]
    counts = [[] for _ in tests]
    config = {
        "data": data.config if distilled else {"dataset": data.info},
        "test": test.info,
        "test_fingerprint": fingerprint,
        "target_names": list(test.target_names),
        "group_names": list(test.group_names),
        "seed": seed,
        "preset": preset,
        "protocol": protocol,
        "settings": asdict(chosen),
        "health": data.health if distilled else {},
    }
    mine = used([test.info, protocol, names, list(METRICS)])
    config |= {"registered": mine} if mine else {}
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
            own = derive(seed, "evaluate", name, repeat)
            size = own_size(name, chosen.width, chosen.depth)
            net = build(name, test.shape, test.n_classes, own, *size).to(device)
            fit(net, images, target, chosen, own, test.normalise, tick, group)
            for one, kept in zip(tests, counts, strict=True):
                kept.append(_count(net, one))
            repeated = [name for name, _ in runs[:done]]
            report, *paired = (
                FairnessReport(np.stack(kept), repeated, config, versions(device))
                for kept in counts
            )
            report = replace(report, counterfactual=paired[0] if paired else None)
            if callback:
                callback(Tested(epoch, epochs, report))
    return report


def _recipe(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    preset: str,
    protocol: str | None,
    repeats: int | None,
    overrides: dict[str, object],
) -> tuple[str, Recipe]:
    """Return whose evaluation it is, and how networks are trained."""
    method = data.config.get("method") if isinstance(data, DistilledSet) else None
    name = protocol or (method if method in METHODS else "dm")
    if name not in METHODS:
        raise unknown("protocol of evaluation", name, METHODS)
    changed = dict(overrides)
    if isinstance(data, DistilledSet) and changed.get("lr") is None:
        changed["lr"] = data.lr  # where it was learnt with the images, to train on them
    if getattr(data, "factor", 1) > 1 and test.traits.characters and changed.get("cutmix") is None:
        changed["cutmix"] = 0.0  # IDC's own exception
    return name, recipe(preset, METHODS[name].protocol, repeats=repeats, **changed)


def _count(net: nn.Module, test: GroupedDataset) -> np.ndarray:
    """Return int64 [A, C, C]: the test images by group, true and predicted class."""
    found = [predict(net, test.normalise(part)) for part in test.images.split(_TEST_BLOCK)]
    target, group, predicted = (
        x.cpu().numpy() for x in (test.target, test.group, torch.cat(found))
    )
    return count(target, group, predicted, test.n_classes, test.n_groups)
