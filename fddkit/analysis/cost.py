"""What a step costs: time and memory of methods and rules by number of groups."""

import gc
import os
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from ..core.errors import FddkitError
from ..core.rng import generator
from ..core.versions import choose_device
from ..data.grouped import GroupedDataset
from ..distillers.matching import Matching
from ..distillers.registry import find, settings
from ..rules.rules import RULES
from ..rules.targets import Rule, Segments, Targets, segments, targets

CLASSES = 10


@dataclass(frozen=True)
class Row:
    """The cost of one step on the images, without training of a network after it.

    Attributes
    ----------
    method, rule : str
        ``naive fairdd`` is FairDD as loops over classes and groups, see `naive`.
    groups : int
        Number of groups in each class.
    seconds : float
        Median over the rounds.
    ratio : float
        Time relative to the vanilla step of the same method and number of groups: median over the
        rounds of the ratio within a round.
    growth : float
        Time relative to the same rule at the smallest number of groups, likewise.
    peak_mb : float
        Peak memory held by tensors during a step, in MiB, beyond what they held before.
    device : str
        Where it was measured.
    n : int
        Number of rounds.
    """

    method: str
    rule: str
    groups: int
    seconds: float
    ratio: float
    growth: float
    peak_mb: float
    device: str
    n: int


def cost(
    methods: Sequence[str] = ("dm", "dc"),
    rules: Sequence[str] = ("vanilla", "fairdd", "cobra"),
    groups: Sequence[int] = (2, 10),
    preset: str = "quick",
    ipc: int = 10,
    side: int = 32,
    rounds: int = 7,
    with_naive: bool = False,
    device: torch.device | str | None = None,
    report: Callable[[str], object] = lambda line: None,
    **overrides: object,
) -> list[Row]:
    """Measure the step of each method under each rule, compared with vanilla.

    All variants of a method take turns within each round, on the same random networks, so the
    noise of a shared machine affects all of them alike. The set is random: ten classes of colour
    images with a bias ratio of 0.9, as in C-MNIST; the time does not depend on the image content.

    Parameters
    ----------
    methods, rules : sequence of str
        See `fddkit.distillers.registry.METHODS` and `fddkit.rules.rules.RULES`; vanilla is always
        measured.
    groups : sequence of int
        Numbers of groups.
    preset : {"smoke", "quick", "paper"}
        Hyper-parameters.
    ipc : int
        Synthetic images per class.
    side : int
        Side of the images, in pixels.
    rounds : int
        How often each step is timed, after a first step that is not.
    with_naive : bool
        Also measure FairDD as loops, see `naive`.
    device : torch.device or str, optional
        By default a GPU if there is one.
    report : callable
        Called with a line of text after each method.
    **overrides
        Fields of the methods' settings.

    Returns
    -------
    list of Row
        One for each method, rule and number of groups.

    Raises
    ------
    FddkitError
        For an unknown name, a rule that a method does not have, or a number that is not positive.

    Examples
    --------
    >>> import fddkit as fdd
    >>> rows = fdd.cost.cost(["dm"], groups=[2, 10], with_naive=True)  # doctest: +SKIP
    """
    if not methods or not groups or min(*groups, ipc, side, rounds) < 1:
        raise FddkitError(
            "cost needs at least one method, one number of groups, one round, and an ipc and side "
            "of at least 1; give what is missing"
        )
    for method in methods:
        before = find(method).beforehand
        if before:
            raise FddkitError(
                f"{method}'s step does not depend on the rule: groups matter only when its "
                f"{before} are trained; leave {method} out"
            )
    device = choose_device(device)
    wanted = list(dict.fromkeys(["vanilla", *rules]))
    sets = {a: random_set(a, side) for a in sorted(set(groups))}
    rows = []
    for method in methods:
        steps: dict[tuple[str, int], Callable[[int], object]] = {}
        for a, train in sets.items():
            for rule in wanted:
                find(method, rule)
            chosen = settings(preset, method, **overrides).resolve(ipc, train)
            matching = find(method)(train, ipc, chosen, 0, device)
            matching.sampler.log_weights = torch.zeros(len(train), dtype=torch.float64)
            images = torch.randn(CLASSES * ipc, *train.shape, generator=generator(0, "start"))
            images = images.to(device)
            for rule in wanted:
                steps[rule, a] = _step(matching.gradient, images, RULES[rule])
            if with_naive:
                steps["naive fairdd", a] = _step(
                    lambda x, r, i, m=matching: naive(m, x, r, i), images, RULES["fairdd"]
                )
        rows += _measure(method, steps, rounds, device)
        report(f"{method}: {len(steps)} variants, {rounds} rounds")
    return rows


def _step(
    gradient: Callable[[Tensor, Rule, int], object], images: Tensor, rule: Rule
) -> Callable[[int], object]:
    return lambda step: gradient(images, rule, step)


def _measure(method: str, steps: dict, rounds: int, device: torch.device) -> list[Row]:
    """Time all variants in turn, and measure the memory of each."""
    peak = {key: _peak(lambda s=step: s(0), device) for key, step in steps.items()}  # warms up
    seconds = {key: [] for key in steps}
    keys = list(steps)
    for n in range(rounds):
        for key in keys[n % len(keys) :] + keys[: n % len(keys)]:  # no fixed order
            _wait(device)
            began = time.perf_counter()
            steps[key](0)
            _wait(device)
            seconds[key].append(time.perf_counter() - began)

    def ratio(key: tuple, other: tuple) -> float:
        pairs = zip(seconds[key], seconds[other], strict=True)
        return statistics.median(x / y for x, y in pairs)

    least = min(a for _, a in steps)
    return [
        Row(
            method,
            rule,
            a,
            statistics.median(seconds[rule, a]),
            ratio((rule, a), ("vanilla", a)),
            ratio((rule, a), (rule, least)),
            peak[rule, a],
            str(device),
            rounds,
        )
        for rule, a in keys
    ]


def naive(matching: Matching, images: Tensor, rule: Rule, step: int) -> tuple[float, Tensor]:
    """Take the step as loops: one class at a time, one group at a time through the network.

    This is how the papers state the method, and the reference with which the fast step is
    compared. It gives the same loss and gradient.

    Parameters
    ----------
    matching : Matching
        The distiller.
    images : Tensor
        [classes * ipc, C, H, W], normalised.
    rule : Rule
        One of `fddkit.rules.rules.RULES`.
    step : int
        Number of the step; determines its batch, network and augmentation.

    Returns
    -------
    loss : float
    gradient : Tensor
        Like ``images``.
    """
    m = matching
    net, whole, draws = m.warm(images, step), m.batch(step), m.draws(step)
    x = images.detach().requires_grad_()
    goals, synthetic, rows = [], [], []
    for y in range(m.train.n_classes):
        batch = whole.part(slice(y, y + 1))
        # a linear rule also goes through the groups: their statistics, then the weighted sum
        asked, sums = segments(rule, batch), 0.0
        for a in batch.cell.unique().tolist():
            mine = batch.cell == a
            labels = y + torch.zeros_like(batch.cell[mine])
            real = m.real(batch.index[mine], labels, draws)
            alone = Segments(torch.zeros_like(labels), asked.weight[mine], 1)
            found = m.statistic(net, real, labels.to(m.device), alone)
            place = torch.zeros(asked.n, 1, dtype=found.sums.dtype, device=m.device)
            place[int(asked.segment[mine][0])] = 1
            sums = sums + place * found.sums
            rows.append(found.rows)
        goals.append(targets(rule, sums, batch, m.settings.normalise == "groups"))
        seen, labels = m.show(x[y * m.ipc : (y + 1) * m.ipc], y, draws, step)
        synthetic.append(m.synthetic(net, seen, labels.to(m.device), 1))
    goal = Targets(*map(torch.cat, zip(*goals, strict=True)))
    together = tuple(map(torch.cat, zip(*rows, strict=True)))
    loss = m.loss(net, goal, torch.cat(synthetic), together)
    return loss.item(), torch.autograd.grad(loss, x)[0]


def random_set(groups: int, side: int = 32) -> GroupedDataset:
    """Return 20,000 random images in ten classes with a bias ratio of 0.9.

    Parameters
    ----------
    groups : int
        Number of groups in each class.
    side : int
        Side of the images, in pixels.

    Returns
    -------
    GroupedDataset
    """
    g = generator(0, "cost", groups)
    target = torch.arange(CLASSES).repeat_interleave(2000)
    majority = torch.rand(len(target), generator=g) < 0.9
    other = torch.randint(0, groups, target.shape, generator=g)
    images = torch.randint(0, 256, (len(target), 3, side, side), generator=g, dtype=torch.uint8)
    group = torch.where(majority, target % groups, other)
    names = [str(a) for a in range(groups)]
    return GroupedDataset.from_arrays(images, target, group, name="random", group_names=names)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak(step: Callable[[], object], device: torch.device) -> float:
    """Return the peak memory of tensors during a step, in MiB, beyond that before it."""
    step()  # builds what is built once and kept
    gc.collect()
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
        step()
        return (torch.cuda.max_memory_allocated(device) - before) / 2**20
    # torch records no peak on the CPU, but its profiler sees every allocation and release
    os.environ.setdefault("KINETO_LOG_LEVEL", "99")  # in torch 2.13 it prints a line at every start
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as profile:
        step()
    held = peak = 0
    for event in sorted(profile.profiler.kineto_results.events(), key=lambda e: e.start_ns()):
        if event.name() == "[memory]" and event.device_type() == torch.autograd.DeviceType.CPU:
            held += event.nbytes()
            peak = max(peak, held)
    return peak / 2**20


def as_json(rows: Sequence[Row]) -> list[dict]:
    """Return the rows as JSON-able dictionaries."""
    return [asdict(row) for row in rows]
