"""How a report is going to be made: recipe, networks and config, known before any training."""

from collections.abc import Sequence
from dataclasses import asdict

from ..core.entries import used
from ..core.errors import FddkitError, unknown
from ..core.reading import clip
from ..data.distilled import DistilledSet
from ..data.grouped import GroupedDataset
from ..distillers.registry import METHODS
from ..training.fit import Recipe, recipe
from . import soundness
from .checks import check
from .measures import METRICS


def planned(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    networks: str | Sequence[str] = ("convnet",),
    repeats: int | None = None,
    seed: int = 0,
    preset: str = "quick",
    protocol: str | None = None,
    **overrides: object,
) -> dict:
    """Return how a report would be made, without training anything.

    Parameters
    ----------
    data, test, networks, repeats, seed, preset, protocol, **overrides
        As for `evaluate`.

    Returns
    -------
    dict
        The ``config`` of the report, and its ``networks``.
    """
    _, runs, config = plan(data, test, networks, repeats, seed, preset, protocol, None, **overrides)
    return {**config, "networks": [name for name, _ in runs]}


def plan(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    networks: str | Sequence[str],
    repeats: int | None,
    seed: int,
    preset: str,
    protocol: str | None,
    reference: GroupedDataset | None,
    **overrides: object,
) -> tuple[Recipe, list[tuple[str, int]], dict]:
    """Return how networks are trained, which and their numbers, and the config of the report."""
    names = [networks] if isinstance(networks, str) else list(networks)
    check(data, test, names)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise FddkitError(f"seed={clip(seed, 40)} is not a whole number; give one")
    protocol, chosen = _recipe(data, test, preset, protocol, repeats, overrides)
    chosen = chosen.fitted(len(data.seen()[0]))
    runs = [(name, repeat) for name in names for repeat in range(chosen.repeats)]
    soundness.check_size([name for name, _ in runs], test.n_groups, test.n_classes)
    config = _config(data, test, names, chosen, seed, preset, protocol)
    return chosen, runs, config | _reference(reference or data)


def _config(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    networks: list[str],
    chosen: Recipe,
    seed: int,
    preset: str,
    protocol: str,
) -> dict:
    """Return how a report was made; the test set is described as it was given."""
    distilled = isinstance(data, DistilledSet)
    config = {
        "data": data.config if distilled else {"dataset": data.info},
        "test": test.info,
        "test_fingerprint": test.fingerprint(),
        "target_names": list(test.target_names),
        "group_names": list(test.group_names),
        "seed": seed,
        "preset": preset,
        "protocol": protocol,
        "settings": asdict(chosen),
        "health": data.health if distilled else {},
    }
    registered = used([test.info, protocol, networks, list(METRICS)])
    return config | ({"registered": registered} if registered else {})


def _reference(data: DistilledSet | GroupedDataset) -> dict:
    """Return what `fddkit.evaluation.amplification` needs to know of a set, if it has groups."""
    if isinstance(data, DistilledSet) or (data.group < 0).any():
        return {}
    return {"reference": {"name": data.name, "counts": data.counts().tolist()}}


def _recipe(
    data: DistilledSet | GroupedDataset,
    test: GroupedDataset,
    preset: str,
    protocol: str | None,
    repeats: int | None,
    overrides: dict[str, object],
) -> tuple[str, Recipe]:
    """Return the name of the protocol, and how networks are trained."""
    method = data.config.get("method") if isinstance(data, DistilledSet) else None
    name = protocol or (method if method in METHODS else "dm")
    if name not in METHODS:
        raise unknown("evaluation protocol", name, METHODS)
    changed = dict(overrides)
    if isinstance(data, DistilledSet) and changed.get("lr") is None:
        changed["lr"] = data.lr  # the step size learnt together with the images, if any
    if getattr(data, "factor", 1) > 1 and test.traits.characters and changed.get("cutmix") is None:
        changed["cutmix"] = 0.0  # as in IDC's own evaluation
    return name, recipe(preset, METHODS[name].protocol, repeats=repeats, **changed)
