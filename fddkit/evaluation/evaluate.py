"""Train fresh networks on a set, test them, and keep only what they counted."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..core.errors import FddkitError, unknown
from ..core.reading import clip
from ..core.rng import derive
from ..core.versions import choose_device, versions
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..training.fit import PROTOCOLS, fit, recipe
from ..training.networks import NETWORKS, build, own_size, predict
from .report import FairnessReport, count

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
        Architectures, see `fddkit.training.networks.NETWORKS`.
    repeats : int, optional
        Networks of each architecture; by default the preset's. Each one depends on the seed and
        its own number alone: the first five of ten repeats are those of a run of five.
    seed : int
        Every random choice derives from it.
    preset : {"smoke", "quick", "paper"}
        ``smoke`` takes a second (tests), ``quick`` minutes on two cores, ``paper`` is the
        published evaluation (protocols 5), with ten networks as in FairDD.
    counterfactual : bool
        Also test on every test image in every group, where the groups are injected.
    protocol : str, optional
        The method whose own way of evaluation is followed, see `fddkit.training.fit.PROTOCOLS`; by
        default the one that distilled the set, and DM's for real images and foreign sets.
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
    method = data.config.get("method") if isinstance(data, DistilledSet) else None
    protocol = protocol or (method if method in PROTOCOLS else "dm")
    if isinstance(data, DistilledSet) and overrides.get("lr") is None:
        overrides["lr"] = data.lr  # where it was learnt with the images, to train on them
    if _mixed_digits(data) and overrides.get("cutmix") is None:
        overrides["cutmix"] = 0.0  # IDC's own exception (protocols 2)
    chosen = recipe(preset, protocol, repeats=repeats, **overrides)
    names = [networks] if isinstance(networks, str) else list(networks)
    _check(data, test, names)
    device = choose_device(device)
    images, target = (
        data.decoded() if isinstance(data, DistilledSet) else (data.images, data.target)
    )
    images, target, group = (x.to(device) for x in (images, target, _groups(data)))
    chosen = chosen.fitted(len(images))
    fingerprint = test.fingerprint()
    # the networks know pixels in the units of the set that they were trained on
    test = replace(test, mean=data.mean, std=data.std, whitening=data.whitening)
    tests = [test, test.counterfactual(chosen.originals) if counterfactual else None]
    tests = [one.to(device) for one in tests if one is not None]
    runs = [(name, repeat) for name in names for repeat in range(chosen.repeats)]
    counts = [[] for _ in tests]
    config = {
        "data": data.config if isinstance(data, DistilledSet) else {"dataset": data.info},
        "test": test.info,
        "test_fingerprint": fingerprint,
        "target_names": list(test.target_names),
        "group_names": list(test.group_names),
        "seed": seed,
        "preset": preset,
        "protocol": protocol,
        "settings": asdict(chosen),
        "health": data.health if isinstance(data, DistilledSet) else {},
    }
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


def _mixed_digits(data: DistilledSet | GroupedDataset) -> bool:
    """Return whether each image holds several handwritten digits."""
    name = str(data.config.get("dataset", {}).get("dataset")) if _several(data) > 1 else ""
    return name.startswith(("digits", "cmnist"))


def _several(data: DistilledSet | GroupedDataset) -> int:
    """Return how many images networks see in each."""
    return getattr(data, "factor", 1) ** 2


def _groups(data: DistilledSet | GroupedDataset) -> Tensor:
    """Return the group of each image that networks train on, -1 where it has none."""
    return data.group.repeat_interleave(_several(data))


def _count(net: nn.Module, test: GroupedDataset) -> np.ndarray:
    """Return int64 [A, C, C]: the test images by group, true and predicted class."""
    found = [predict(net, test.normalise(part)) for part in test.images.split(_TEST_BLOCK)]
    target, group, predicted = (
        x.cpu().numpy() for x in (test.target, test.group, torch.cat(found))
    )
    return count(target, group, predicted, test.n_classes, test.n_groups)


def _check(data: DistilledSet | GroupedDataset, test: GroupedDataset, names: list[str]) -> None:
    """Refuse what cannot be evaluated."""
    if not isinstance(data, DistilledSet | GroupedDataset) or not isinstance(test, GroupedDataset):
        raise FddkitError(
            "evaluate takes a DistilledSet or GroupedDataset to train on and a GroupedDataset to "
            f"test on, not {type(data).__name__} and {type(test).__name__}; load them first"
        )
    for name in names:
        if name not in NETWORKS:
            raise unknown("network", name, NETWORKS)
    if not names or len(set(names)) < len(names):
        raise FddkitError(f"networks={names} must name each network once; give e.g. ['convnet']")
    if not len(data) or not len(test):
        raise FddkitError("there is no image to train or to test on; give a set that has some")
    shape = tuple(data.images.shape[1:])
    if shape != test.shape:
        raise FddkitError(
            f"the images to train on have shape {shape}, the test images {test.shape}; "
            "give the test set of the same data set"
        )
    if tuple(data.target_names) != tuple(test.target_names):
        raise FddkitError(
            f"the classes to train on ({clip(', '.join(data.target_names))}) are not those of the "
            f"test set ({clip(', '.join(test.target_names))}); give the test set of the same data "
            "set"
        )
    found = torch.bincount(data.target.cpu(), minlength=test.n_classes).tolist()
    if len(found) > test.n_classes:
        raise FddkitError(f"target {len(found) - 1} is no class; there are {test.n_classes}")
    for name, size in zip(test.target_names, found, strict=True):
        if not size:
            raise FddkitError(f"class {name!r} has no image to train on; give at least one")
    if data.images.is_floating_point():
        bad = ~data.images.isfinite().flatten(1).all(1)
        if bad.any():
            raise FddkitError(
                f"image {int(bad.nonzero()[0])} of the set to train on holds NaN or infinity; "
                "distil it again with a smaller lr"
            )
