"""Are the statistics right? Bias, coverage and false statements, by simulation: statistics.json.

    python reports/measured/calibration.py [--replicates 1000] [--only coverage] [--json PATH]

Reports on networks whose true rates are known are made, and the package says what it says of any
report. `coverage`: of nominal 95% intervals; of the metric itself (``deo_a measured``, whose truth
is the mean over new sets and new tests of this size) and without the noise of the images
(``deo_a``). `bias`: of single networks, before and after the correction. `null`: how often a fair
model is called unfair. `difference`: of two methods, ``paired`` by seed or not; ``compare`` marks
what `fddkit.compare` chooses for so many sets. `sentences`: reports with any false statement. With
``--only`` one of these parts is replaced in the file.

The model: a network is right about an image if theta + d + e > 0, where theta [set, group, class]
holds level, gap and the effects of set and network, d is the difficulty of the image, which all
networks share, and e is the network's own. Constants in `fddkit.evaluation` (doubt, number of
normals, and so on) were chosen on the scenarios that are not marked ``held out``: those have normal
d and e and rates of 0.8. The others have few, very difficult images (an exponential distribution),
logistic e, errors that go to one class, sets with heavy tails, other rates, numbers and sizes.

``--replicates`` is a measure of the effort, of which every part and size of test has its share
(SHARES); every row says how many tests were simulated. The networks of one simulated test are used
for all numbers of sets and of networks on each, so rows of one scenario are not independent.
"""

import argparse
import json
import shlex
import time
import zlib
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from pathlib import Path
from statistics import NormalDist

import numpy as np

import fddkit as fdd
from fddkit.evaluation import intervals, t_distribution
from fddkit.evaluation.comparisons import PAIRED_FROM
from fddkit.evaluation.intervals import t_interval
from fddkit.evaluation.metrics import deo
from fddkit.evaluation.outcomes import Outcomes
from fddkit.evaluation.summary import Summary

HERE = Path(__file__).parent
GAPS = ("deo_a", "deo_m")
#: Part -> share of the replicates for tests of at most 6, of at most 25 and of more cells.
SHARES = {"coverage": (0.5, 0.25, 0.12), "bias": (0.2, 0.08, 0.04), "null": (0.35, 0.35, 0.15)}
SHARES |= {"difference": (0.4, 0.2, 0.08), "sentences": (0.3,) * 3, "against": (0.3,) * 3}


# ---------------------------------------------------------------------------- the simulated world


@cache
def rates_of(skew, paired):
    """Return theta and the rate that goes with it, as a table."""
    x = np.linspace(-12, 12, 961)
    if not skew:  # d + e is standard normal
        return x, np.array([NormalDist().cdf(v) for v in x])
    u, v = (np.arange(200) + 0.5) / 200, (np.arange(40) + 0.5) / 40
    hard = 0.9 * (1 + np.log(u))
    other = (
        np.array([NormalDist(0, np.sqrt(0.34)).inv_cdf(q) for q in v]) if paired else np.zeros(1)
    )
    apart = x[:, None, None] + hard[:, None] + other
    return x, (1 / (1 + np.exp(-apart / (0.5 if paired else 0.6)))).mean((1, 2))


@dataclass(frozen=True)
class World:
    """A test, and what is true of the networks.

    ``kind``: fair; majority (every class goes with one group, in which its rate is ``high``, and
    otherwise ``low``: ties); majority, uneven; uneven (every cell its own); bound (0 in all groups
    but one); one group (the last has ``low``, the others ``high``). ``images`` are of each cell, or
    the smallest and the largest number.
    """

    kind: str
    classes: int = 5
    groups: int = 5
    images: object = 100
    paired: bool = False
    low: float = 0.8
    high: float = 0.97
    pattern: int = 7  # seed of what is uneven
    effect: float = 1.0  # of sets and networks
    alike: float = 0.5  # variance of d, of d + e: what networks share (normal, groups not paired)
    collapse: float = 0.0  # share of sets that fail
    skew: bool = False  # the held-out model
    tails: float = 0.0  # degrees of freedom of effects, 0: normal
    held_out: bool = False

    @property
    def facts(self):
        """What the rows say of it."""
        images = list(self.images) if isinstance(self.images, tuple) else self.images
        found = {"classes": self.classes, "groups": self.groups, "images": images}
        return found | {"paired": self.paired, **self.held}

    @property
    def held(self):
        """Whether it was held out."""
        return {"held out": self.held_out}

    def replicates(self, part, wanted):
        """Return the number of simulated tests."""
        cells = self.classes * self.groups
        few, more, many = SHARES[part]
        return max(2, round(wanted * (few if cells <= 6 else more if cells <= 25 else many)))

    @property
    def sizes(self):
        """Images of each cell, [A, C]."""
        shape = (self.groups, self.classes)
        if not isinstance(self.images, tuple):
            return np.full(shape, self.images)
        low, high = np.log(self.images)
        u = np.random.default_rng(3).permutation(self.classes * self.groups).reshape(shape)
        return np.exp(low + (high - low) * u / (u.size - 1)).round().astype(int)

    def rate(self, theta):
        """Return P(right)."""
        return np.interp(theta, *rates_of(self.skew, self.paired))

    def theta_of(self, rate):
        """Return theta with this rate."""
        x, y = rates_of(self.skew, self.paired)
        return np.interp(rate, y, x)

    @property
    def base(self):
        """Return level and gap of every cell, [A, C]."""
        shape, rng = (self.groups, self.classes), np.random.default_rng(self.pattern)
        low, high = self.theta_of(self.low), self.theta_of(self.high)
        level, gap = np.full(shape, low), np.zeros(shape)
        minority = np.arange(self.groups)[:, None] != np.arange(self.classes) % self.groups
        if self.kind.startswith("majority"):
            level, gap = np.full(shape, high), (low - high) * minority
            if self.kind == "majority, uneven":
                gap = gap + 0.25 * rng.standard_normal(shape) * minority
        elif self.kind == "one group":
            level = np.full(shape, high)
            gap = (low - high) * (np.arange(self.groups) == self.groups - 1)[:, None] + gap
        elif self.kind == "uneven":
            gap = 0.3 * rng.standard_normal(shape)
        elif self.kind == "bound":
            level, gap = np.full(shape, 2.5), -5.0 * minority
        return level, gap

    def effects(self, rng, n):
        """Return the effects of n sets: on level, gap, classes and cells."""
        uneven = float("uneven" in self.kind)  # otherwise groups stay exactly alike
        shapes = ((1, 1), (1, 1), (1, self.classes), (self.groups, self.classes))
        found = []
        for sd, shape in zip((0.10, 0.15, 0.10, 0.05 * uneven), shapes, strict=True):
            z = rng.standard_normal((n, *shape))
            if self.tails:
                chi = rng.chisquare(self.tails, (n, 1, 1)) / (self.tails - 2)
                z = z / np.sqrt(chi)
            found.append(self.effect * sd * z)
        if self.collapse:
            found[0] = found[0] - 1.5 * (rng.random((n, 1, 1)) < self.collapse)
        return found

    def theta(self, rng, sets, networks, z=None):
        """Return theta of all networks, [sets x networks, A, C]."""
        z = self.effects(rng, sets) if z is None else z
        w = [0.5 * x for x in self.effects(rng, sets * networks)]
        level, slope, classes, cells = (
            np.repeat(a, networks, 0) + b for a, b in zip(z, w, strict=True)
        )
        t, gap = self.base
        return t + gap * (1 + slope) + level + classes + cells

    def layout(self):
        """Return target, group and original of every image."""
        if self.paired:
            each = self.classes * int(self.images)
            target = np.repeat(np.arange(self.classes), int(self.images) * self.groups)
            original = np.repeat(np.arange(each), self.groups)
            return target, np.tile(np.arange(self.groups), each), original
        cell = np.repeat(np.arange(self.groups * self.classes), self.sizes.ravel())
        return cell % self.classes, cell // self.classes, None

    def difficulty(self, rng):
        """Return the difficulty of every image of a new test."""
        target, _, original = self.layout()
        n = len(target)
        own = rng.standard_normal(n)
        if original is None:
            return 0.9 * (1 - rng.exponential(size=n)) if self.skew else np.sqrt(self.alike) * own
        shown = original.max() + 1
        if self.skew:
            return 0.9 * (1 - rng.exponential(size=shown))[original] + 0.3 * own
        return np.sqrt(0.4) * rng.standard_normal(shown)[original] + np.sqrt(0.1) * own

    def predicted(self, rng, theta, d):
        """Return what networks predict, [R, N]."""
        target, group, original = self.layout()
        shape = (len(theta), len(target))
        latent = theta[:, group, target] + d
        if self.skew:
            latent += (0.5 if self.paired else 0.6) * rng.logistic(size=shape)
        else:
            latent += np.sqrt(0.2 if self.paired else 1 - self.alike) * rng.standard_normal(shape)
        if self.paired:
            sd = 0.5 if self.skew else np.sqrt(0.3)
            latent += sd * rng.standard_normal((shape[0], original.max() + 1))[:, original]
        step = rng.integers(1, self.classes, shape, dtype=np.int8)
        if self.skew:  # most errors go to one class
            step = np.where(rng.random(shape) < 0.8, 1, step)
        return np.where(latent > 0, target, (target + step) % self.classes)

    def report(self, rng, theta, d, sets=None):
        """Return the report of networks on a test."""
        target, group, original = self.layout()
        outcomes = Outcomes(target, group, self.predicted(rng, theta, d), original)
        return made(outcomes, self.classes, self.groups, sets)

    def metrics(self, theta):
        """Return the true numbers of networks, by name, [R]."""
        rates = self.rate(theta)
        deo_m, deo_a, _ = deo(rates)
        accuracy = 100 * (rates * self.sizes).sum((1, 2)) / self.sizes.sum()
        return {"accuracy": accuracy, "deo_a": deo_a, "deo_m": deo_m}

    def truth(self, draws=20000):
        """Return the expected numbers over sets."""
        theta = self.theta(np.random.default_rng(99), draws, 1)
        return {name: float(v.mean()) for name, v in self.metrics(theta).items()}

    def with_deo(self, goal):
        """Return the world with another ``low``, so that its DEO_A is this."""
        low, high = 0.01, self.high
        for _ in range(20):
            middle = (low + high) / 2
            larger = replace(self, low=middle).truth(4000)["deo_a"] > goal
            low, high = (middle, high) if larger else (low, middle)
        return replace(self, low=low)


def made(outcomes, classes, groups, sets):
    """Return a report; the numbers of its sets are their seeds."""
    names = {"target_names": classes, "group_names": groups}
    config = {name: [str(i) for i in range(k)] for name, k in names.items()}
    config["data"] = {"seed": 0}
    networks = ["convnet"] * len(outcomes.predicted)
    return fdd.FairnessReport.of(outcomes, networks, config, sets=sets)


def some(report, rows, sets):
    """Return the report of some networks; what is computed network by network is not repeated."""
    classes, groups = report.counts.shape[-1], report.counts.shape[1]
    part = made(report.outcomes.of(rows), classes, groups, sets)
    mine, every = part._numbers, report._numbers
    vars(mine)["_changes"] = every._changes[:, rows]
    if "_other_changes" in vars(every):
        vars(mine)["_other_changes"] = every._other_changes[:, rows]
    if not report.outcomes.paired:  # there, networks are pooled for the correlation of errors
        vars(mine)["_posterior"] = every._posterior[:, rows]
    mine._kept = {k: [block[:, rows] for block in kept] for k, kept in every._kept.items()}
    return part


def quick_quantiles():
    """Let scipy find Student's quantiles, if it is there: thirty times as fast, and the same."""
    try:
        from scipy.special import ndtri, stdtrit
    except ImportError:
        return

    def quantile(df, level=0.95):
        return float(ndtri((1 + level) / 2) if df >= 1e6 else stdtrit(df, (1 + level) / 2))

    for df, level in product((1.0, 2.4, 9.0), (0.1, 0.95, 0.999)):
        mine, theirs = t_distribution.t_quantile(df, level), quantile(df, level)
        if abs(mine - theirs) > 1e-6 * theirs:
            raise AssertionError(f"{df}, {level}: {mine} and {theirs}")
    intervals.t_quantile = quantile


def stream(*names):
    """Return random numbers that depend on names alone."""
    return np.random.default_rng(zlib.crc32(" ".join(names).encode()))


# -------------------------------------------------------------------------------------- coverage

ONE = ((2, 1), (3, 1), (5, 1), (10, 1))  # sets, networks on each
TWO = ((2, 2), (3, 2), (5, 2))
_OTHER = {"classes": 6, "groups": 4, "held_out": True}
_SKEW = {**_OTHER, "skew": True}

WORLDS = {
    "fair 10x10": (World("fair", 10, 10, 100), ONE),
    "majority, uneven 10x10, n 45": (World("majority, uneven", 10, 10, 45), ONE),
    "uneven 10x10, n 45": (World("uneven", 10, 10, 45), ONE),
    "fair 5x5, n 45": (World("fair", images=45), ONE),
    "majority 5x5": (World("majority"), ONE + TWO),
    "majority, uneven 5x5, paired": (World("majority, uneven", paired=True), ONE),
    "fair 5x5, paired": (World("fair", paired=True), ONE),
    "at the bound 5x5": (World("bound", effect=0.3), ONE),
    "majority 3x2, n 200": (World("majority", 3, 2, 200), ONE + TWO),
    "uneven 2x2": (World("uneven", 2, 2), ONE),
    "uneven 2x2, other gaps": (World("uneven", 2, 2, pattern=2, held_out=True), ONE),
    "uneven 3x2, other gaps": (World("uneven", 3, 2, pattern=1, held_out=True), ONE),
    "fair 2x2, n 200": (World("fair", 2, 2, 200), ONE),
    "majority 6x4, rates 0.7 and 0.9": (
        World("majority", images=60, low=0.7, high=0.9, **_OTHER),
        ONE,
    ),
    "fair 6x4, rate 0.9": (World("fair", low=0.9, **_SKEW), ONE),
    "one group 6x4, rates 0.7 and 0.9": (World("one group", low=0.7, high=0.9, **_SKEW), ONE + TWO),
    "majority, uneven 6x4, cells of 20 to 200": (
        World("majority, uneven", images=(20, 200), low=0.7, high=0.9, tails=5, **_SKEW),
        ONE,
    ),
    "uneven 6x4, rate 0.7, paired": (World("uneven", low=0.7, paired=True, **_SKEW), ONE),
    "majority 2x2, rates 0.7 and 0.9": (
        World("majority", 2, 2, 100, low=0.7, high=0.9, skew=True, held_out=True),
        ONE,
    ),
}


def coverage(wanted):
    """Return how often intervals hold the truth."""
    rows = []
    for name, (world, grid) in WORLDS.items():
        began, rng = time.monotonic(), stream("coverage", name)
        n = world.replicates("coverage", wanted)
        most, each = max(s for s, _ in grid), max(k for _, k in grid)
        seen = {
            key: [] for key in product(grid, ("accuracy", *GAPS, *(f"{m} measured" for m in GAPS)))
        }
        for _ in range(n):
            d = world.difficulty(rng)
            every = world.report(rng, world.theta(rng, most, each), d)
            every.metric("accuracy").ci95  # noqa: B018  (kept for the parts)
            for s, k in grid:
                at = [j * each + i for j in range(s) for i in range(k)]
                part = some(every, at, [j // each for j in at])
                intervals_into(seen, (s, k), part)
        rows += covered(name, world, grid, seen)
        told(name, n, began, rows[-5 * len(grid) :], "coverage")
    return rows + of_one_set(wanted)


def intervals_into(seen, key, report):
    """Append mean and ends of every interval of a report."""
    accuracy = report.metric("accuracy")
    seen[key, "accuracy"].append((accuracy.mean, *accuracy.ci95, False))
    for metric in GAPS:
        found = report.metric(metric)
        true, warned = found.true, report.mostly_noise(metric) or report.at_its_bound(metric)
        seen[key, metric].append((true.within(found.bounds), *true.interval(found.bounds), warned))
        seen[key, f"{metric} measured"].append((found.mean, *found.ci95, warned))


def covered(name, world, grid, seen):
    """Return the rows of one scenario."""
    truth, rows = world.truth(), []
    largest = max(grid, key=lambda g: g[0] * g[1])
    for metric in GAPS:  # what new sets and new tests of this size would show
        values = seen[largest, f"{metric} measured"]
        truth[f"{metric} measured"] = float(np.mean([v[0] for v in values]))
    for (key, metric), values in seen.items():
        mean, low, high, warned = np.array(values).T
        goal = truth[metric]
        hit = (low <= goal + 1e-9) & (goal - 1e-9 <= high)
        rows.append(
            {"scenario": name, **world.held, "metric": metric, "sets": key[0]}
            | {"networks": key[1], "replicates": len(values), "coverage": hit.mean()}
            | {"width": (high - low).mean(), "bias": mean.mean() - goal, "truth": goal}
            | {"says that the test cannot tell": warned.mean()}
        )
    return rows


def of_one_set(wanted):
    """Return how often the interval over networks of one set holds the truth of that set."""
    world, rows = World("majority, uneven", 5, 5, 100), []
    for networks in (2, 3, 5):
        name = "one set, majority, uneven 5x5"
        began, rng = time.monotonic(), stream(name, str(networks))
        n = world.replicates("coverage", wanted)
        seen = {m: [] for m in ("accuracy", *GAPS)}
        for _ in range(n):
            z = world.effects(rng, 1)
            many = world.theta(rng, 1, 400, z)
            truth = {m: v.mean() for m, v in world.metrics(many).items()}
            theta = world.theta(rng, 1, networks, z)
            report = world.report(rng, theta, world.difficulty(rng))
            for metric, values in seen.items():
                true = report.metric(metric).true
                values.append((true.mean, *true.interval((0.0, 100.0)), truth[metric]))
        for metric, values in seen.items():
            mean, low, high, goal = np.array(values).T
            hit = (low <= goal) & (goal <= high)
            rows.append(
                {"scenario": name, **world.held, "metric": metric, "sets": 1}
                | {"networks": networks, "replicates": n, "coverage": hit.mean()}
                | {"width": (high - low).mean(), "bias": (mean - goal).mean()}
                | {"truth": goal.mean()}
            )
        told(f"{name}, {networks} networks", n, began, rows[-3:], "coverage")
    return rows


# ------------------------------------------------------------------------------------------ bias

KINDS = ("fair", "majority", "majority, uneven", "uneven")
BIASES = {f"{k} 10x10, n {n}": World(k, 10, 10, n) for n in (45, 100, 200) for k in KINDS}
BIASES |= {f"{k} 5x5, n 100": World(k) for k in KINDS}
BIASES |= {
    f"{k} {c}x{a}, n 100": World(k, c, a)
    for c, a in ((3, 2), (2, 2))
    for k in KINDS
    if "," not in k
}
BIASES |= {f"{k} 5x5, n 100, paired": World(k, paired=True) for k in KINDS}
BIASES |= {
    f"{k} 6x4, n 100, rate {low}": World(k, images=100, low=low, high=high, **_SKEW)
    for low, high in ((0.7, 0.9), (0.9, 0.98))
    for k in (*KINDS, "one group")
}
BIASES["majority, uneven 6x4, cells of 20 to 200"] = WORLDS[
    "majority, uneven 6x4, cells of 20 to 200"
][0]
TOGETHER = 10  # networks on one test


def bias(wanted):
    """Return the bias of single networks, measured and corrected."""
    rows = []
    for name, world in BIASES.items():
        began, rng = time.monotonic(), stream("bias", name)
        tests = world.replicates("bias", wanted)
        seen = {m: [] for m in GAPS}
        for _ in range(tests):
            theta = world.theta(rng, TOGETHER, 1)
            report, truth = world.report(rng, theta, world.difficulty(rng)), world.metrics(theta)
            for metric in GAPS:
                found = report.metric(metric)
                seen[metric].append((found.values, found.true.values, truth[metric]))
        for metric, values in seen.items():
            measured, corrected, truth = np.concatenate(values, 1)
            rows.append(
                {"scenario": name, **world.facts, "metric": metric, "networks": truth.size}
                | {"truth": truth.mean(), "measured": measured.mean()}
                | {"corrected": corrected.mean(), "rmse measured": rms(measured - truth)}
                | {"rmse corrected": rms(corrected - truth)}
            )
        told(name, tests, began, rows[-2:], "truth", "measured", "corrected")
    return rows


def rms(x):
    """Return the root of the mean square."""
    return float(np.sqrt((x**2).mean()))


# ------------------------------------------------------------------------------------------ null

FORMER = "former: interval over networks above the mean of binomial"
NULLS = {
    "fair 3x3, n 50": World("fair", 3, 3, 50),
    "fair 3x3, n 50, networks alike": World("fair", 3, 3, 50, alike=0.95, effect=0.3),
    "fair 5x5, n 45": World("fair", 5, 5, 45),
    "fair 3x3, n 50, paired": World("fair", 3, 3, 50, paired=True),
    "fair 5x5, n 45, paired": World("fair", 5, 5, 45, paired=True),
    "fair 4x3, rate 0.9": World("fair", 4, 3, 50, low=0.9, skew=True, held_out=True),
    "fair 4x3, rate 0.7, cells of 15 to 100": World(
        "fair", 4, 3, (15, 100), low=0.7, skew=True, tails=5, held_out=True
    ),
    "fair 4x3, rate 0.7, paired": World(
        "fair", 4, 3, 50, low=0.7, skew=True, paired=True, held_out=True
    ),
}


def null(wanted):
    """Return how often fair models are called unfair at 5%."""
    rows = []
    for name, world in NULLS.items():
        n = world.replicates("null", wanted)
        for networks in (1, 6):
            began, rng, seen = time.monotonic(), stream("null", name, str(networks)), {}
            for _ in range(n):
                theta = world.theta(rng, networks, 1)
                report = world.report(rng, theta, world.difficulty(rng))
                counts = fdd.FairnessReport(report.counts, report.networks)
                chances(seen, report, counts)
            for (test, metric), values in seen.items():
                false, floor, shown = np.array(values).T
                rows.append(
                    {"scenario": name, **world.facts, "test": test, "metric": metric}
                    | {"networks": networks, "replicates": n, "false positives": false.mean()}
                    | {"floor": floor.mean(), "fair model": shown.mean()}
                )
            told(f"{name}, {networks} networks", n, began, rows[-len(seen) :], "false positives")
    return rows


def chances(seen, report, counts):
    """Append what each test says of a fair model."""
    for metric in GAPS:
        for one in (report, counts):
            found = one.metric(metric)
            said = (found.p <= 0.05, found.noise_floor, found.mean)
            seen.setdefault((found.chance.how, metric), []).append(said)
        if found.n > 1:
            low, _ = t_interval(found.values)
            said = (low > found.noise_floor, found.noise_floor, found.mean)
            seen.setdefault((FORMER, metric), []).append(said)


# ------------------------------------------------------------------------------------ difference


@dataclass(frozen=True)
class Two:
    """Two methods on the same test: how alike their seeds and their difficult images are."""

    a: World
    b: World
    rho: float = 0.5  # correlation of the effects of equal seeds
    own: float = 0.0  # share of the images whose difficulty is a method's own


def _twice(world, **changes):
    return Two(world, world, **changes)


def twos():
    """Return the scenarios."""
    majority, other = World("majority"), World("majority", low=0.7, high=0.9, **_SKEW)
    fair, unequal = World("fair", effect=0.5), WORLDS["majority, uneven 6x4, cells of 20 to 200"][0]
    high = World("majority", high=0.9, **_SKEW).with_deo(12.0)
    low = World("majority", high=0.75, **_SKEW).with_deo(12.0)
    return {
        "equal, majority 5x5": _twice(majority, rho=0.0),
        "equal, majority 5x5, seeds 0.9": _twice(majority, rho=0.9),
        "equal, majority, uneven 5x5, paired test, n 45": _twice(
            World("majority, uneven", images=45, paired=True)
        ),
        "equal, majority 3x2, n 200": _twice(World("majority", 3, 2, 200)),
        "fair 5x5, accuracy 80 and 95": Two(fair, replace(fair, low=0.95)),
        "equal DEO_A 5x5, accuracy 81 and 37": Two(
            majority, World("majority", high=0.53).with_deo(majority.truth()["deo_a"])
        ),
        "DEO_A differs by 10 points 5x5": Two(
            World("majority").with_deo(majority.truth()["deo_a"] + 10), majority, 0.0
        ),
        "equal, 6x4, cells of 20 to 200": _twice(unequal),
        "equal, 6x4, own difficult images": _twice(other, own=0.5),
        "equal DEO_A 6x4, best rates 0.9 and 0.75": Two(high, low),
    }


def both(rng, two, sets, networks=1):
    """Return the reports of two methods, their sets numbered by seed."""
    za, zb = two.a.effects(rng, sets), two.b.effects(rng, sets)
    zb = [two.rho * x + np.sqrt(1 - two.rho**2) * y for x, y in zip(za, zb, strict=True)]
    d = two.a.difficulty(rng)
    seeds, found = [i for i in range(sets) for _ in range(networks)], []
    for world, z in ((two.a, za), (two.b, zb)):
        mine = np.where(rng.random(len(d)) < two.own, world.difficulty(rng), d)
        found.append(world.report(rng, world.theta(rng, sets, networks, z), mine, seeds))
    return found


def difference(wanted):
    """Return how often two methods are told apart."""
    rows = []
    for name, two in twos().items():
        began, rng = time.monotonic(), stream("difference", name)
        n = two.a.replicates("difference", wanted)
        ta, tb = two.a.truth(), two.b.truth()
        seen = {}
        for _ in range(n):
            a, b = both(rng, two, 10)
            for one in (a, b):
                one.metric("accuracy").ci95  # noqa: B018  (kept for the parts)
                for metric in ("accuracy", "deo_a"):
                    one.metric(metric).true.other()
            for s in (2, 3, 5, 10):
                at = list(range(s))
                parts = some(a, at, at), some(b, at, at)
                for metric, paired in product(("accuracy", *GAPS), (True, False)):
                    x, y = (part.metric(metric).true for part in parts)
                    found, goal = intervals.difference(x, y, paired), ta[metric] - tb[metric]
                    said = found.p < 0.05, not found.low <= goal <= found.high
                    key = metric, s, paired
                    seen.setdefault(key, []).append((*said, found.value, found.high - found.low))
        for (metric, s, paired), values in seen.items():
            said, missed, value, width = np.array(values).mean(0)
            goal = ta[metric] - tb[metric]
            what = "false positives" if abs(goal) < 0.1 else "power"
            rows.append(
                {"scenario": name, **two.a.held, "metric": metric, "sets": s, "paired": paired}
                | {"compare": paired == (s >= PAIRED_FROM), "replicates": n, what: said}
                | {"truth": goal, "bias": value - goal, "width": width}
                | {"leaves out the truth": missed}
            )
        told(name, n, began, rows[-24:], "leaves out the truth")
    return rows


# ------------------------------------------------------------------------------------- sentences

NAMES = ("vanilla", "fairdd", "cobra")
MANY = 400  # networks that say what is true of a set
#: What a line may say of the first that it names -> the metric and whether it is larger.
WORDS = {"fairer": ("deo_a", False), "less fair": ("deo_a", True)}
WORDS |= {"more accurate": ("accuracy", True), "less accurate": ("accuracy", False)}


@dataclass(frozen=True)
class Said:
    """Methods, and what would be false to say of them."""

    worlds: tuple[World, ...]
    sets: int = 3
    networks: int = 1
    rho: float = 0.5
    own: float = 0.0
    one_set: str = ""  # networks of one set each: "alike" sets, or sets that differ, of which only
    # what these sets would show if they trained many networks is true
    false: tuple[str, ...] = ("fairer", "less fair", "more accurate", "less accurate")
    kinds: tuple[str, ...] = ("verdict", "compare", "ranking", "from_zero")


def methods(rng, case):
    """Return a report for each method, on the same test, and what is true of its sets."""
    first, found, truth = case.worlds[0], {}, {}
    d, common = first.difficulty(rng), first.effects(rng, case.sets)
    for name, world in zip(NAMES, case.worlds, strict=False):
        mine = np.where(rng.random(len(d)) < case.own, first.difficulty(rng), d)
        z = [
            case.rho * x + np.sqrt(1 - case.rho**2) * y
            for x, y in zip(common, world.effects(rng, case.sets), strict=True)
        ]
        sets = [i for i in range(case.sets) for _ in range(case.networks)]
        if case.one_set:
            z, sets = [0 * x if case.one_set == "alike" else x for x in z], None
        if case.one_set == "differ":
            many = world.metrics(world.theta(stream("set", name), case.sets, MANY, z))
            truth[name] = {metric: v.mean() for metric, v in many.items()}
        theta = world.theta(rng, case.sets, case.networks, z)
        found[name] = world.report(rng, theta, mine, sets)
    return found, truth


def cases():
    """Return the scenarios of verdicts and comparisons."""
    fair, biased = (
        World("fair", 2, 2, 50, low=0.85),
        World("majority", 2, 2, 50, low=0.7, high=0.95),
    )
    noisy = replace(biased, images=20, effect=2.0)
    good = World("majority", 2, 2, 50, high=0.97, low=0.8)
    worse = World("majority", 2, 2, 50, high=0.8).with_deo(good.truth()["deo_a"])
    held = {"skew": True, "held_out": True}
    other = World("majority", 3, 2, 50, low=0.7, high=0.9, **held)
    sizes = World("majority, uneven", 3, 2, (20, 150), low=0.7, high=0.9, tails=5, **held)
    failing = replace(biased, collapse=0.2)
    poor, rich = (World("fair", 6, 4, 4, low=rate) for rate in (0.6, 0.95))
    gaps = ("fairer", "less fair")
    only = ("fairer", "less fair", "more accurate")  # the others are less accurate
    return {
        "unbiased data": Said((fair,) * 3),
        "equal methods": Said((biased,) * 3),
        "equal methods, 10 sets": Said((biased,) * 3, sets=10),
        "equal methods, paired test": Said((replace(biased, paired=True),) * 3),
        "three noisy sets": Said((noisy,) * 3),
        "one set each, sets alike": Said((biased,) * 3, 1, 3, one_set="alike"),
        "one set each, sets differ": Said((biased,) * 3, 1, 3, one_set="differ"),
        "equal DEO_A, other accuracy": Said((good, worse, worse), false=only),
        "equal methods, own difficult images": Said((other,) * 3, own=0.5),
        "equal methods, unequal cells": Said((sizes,) * 3, rho=0.0),
        "equal methods, a fifth of the sets fails": Said((failing,) * 3, rho=0.0),
        "equal methods, a fifth of 10 sets fails": Said((failing,) * 3, sets=10, rho=0.0),
        # `from_zero` knows only its numbers, and what noise adds to them is an effect too
        "fair, accuracy 60 and 95, cells of 4": Said(
            (poor, rich, rich), sets=5, false=gaps, kinds=("verdict", "compare", "ranking")
        ),
    }


def sentences(wanted):
    """Return how many reports make any false statement."""
    rows = []
    for name, case in cases().items():
        world, began, rng = case.worlds[0], time.monotonic(), stream("sentences", name)
        n = world.replicates("sentences", wanted)
        wrong = dict.fromkeys(case.kinds, 0)
        told_of = dict.fromkeys(wrong, 0)
        for _ in range(n):
            said = statements(*methods(rng, case), case)
            for kind in case.kinds:
                false, compared = said[kind]
                wrong[kind] += false
                told_of[kind] += compared
        for kind, count in wrong.items():
            rows.append(
                {"kind": kind, "scenario": name, **world.facts, "sets": case.sets}
                | {"networks": case.networks, "reports": n, "comparisons": told_of[kind]}
                | {"false": count / n}
            )
        told(name, n, began, rows[-4:], "false")
    return rows + same(wanted) + along(wanted)


def statements(named, truth, case):
    """Return for each kind of sentence whether any is false, and how many comparisons it makes."""
    if case.one_set == "differ":
        return of_sets(named, truth)
    lines = [line for line in fdd.verdict(named).splitlines() if " against " in line]
    found = {"verdict": (any(w in s for s in lines for w in case.false), 2 * len(lines))}
    one, other = named["vanilla"], named["cobra"]
    both_metrics = fdd.compare(one, other, names=("vanilla", "cobra"))
    unequal = "less accurate" not in case.false  # then only the gaps are equal
    said = [
        c.kind in ("higher", "lower") for c in both_metrics if not unequal or c.metric != "accuracy"
    ]
    found["compare"] = any(said), len(said)
    metric = "deo_a" if unequal else "accuracy"
    summaries = {name: report.metric(metric) for name, report in named.items()}
    ranked = fdd.ranking(summaries, metric)
    found["ranking"] = " > " in ranked, len(named) - 1
    # what is measured of gaps differs with accuracy: only without noise is there no effect
    effect = summaries["cobra"].true.values - summaries["vanilla"].true.values
    text = fdd.from_zero(Summary(effect, (-100.0, 100.0), one.metric(metric).unit), "it")
    found["from_zero"] = text.startswith("it is "), 1
    return found


def of_sets(named, truth):
    """Return `statements` of networks of one set each: of methods they are false, of sets not."""

    def larger(a, b, metric):
        return truth[a][metric] > truth[b][metric]

    wrong, count = False, 0
    for line in fdd.verdict(named).splitlines():
        _, told, said = line.rpartition("f these sets alone: ")
        a, against, rest = said.partition(" against ")
        if against:
            count, b = count + 2, rest.split()[0]
            clauses = [c.strip() for c in rest.partition("):")[2].replace(",", ";").split(";")]
            claims = [WORDS[c] for c in clauses if c in WORDS]
            wrong |= any(not told or larger(a, b, m) != up for m, up in claims)
    found = {"verdict": (wrong, count)}
    both_metrics = fdd.compare(named["vanilla"], named["cobra"], names=("vanilla", "cobra"))
    told = [c for c in both_metrics if c.kind in ("higher", "lower")]
    found["compare"] = (
        any(
            not c.alone or larger("vanilla", "cobra", c.metric) != (c.kind == "higher")
            for c in told
        ),
        len(both_metrics),
    )
    accuracy = {name: report.metric("accuracy") for name, report in named.items()}
    ranked = fdd.ranking(accuracy, "accuracy")
    order = sorted(named, key=lambda name: -accuracy[name].mean)
    marks = [part for part in ranked.split() if part in "~>"]
    wrong = any(
        not larger(a, b, "accuracy")
        for a, b, m in zip(order, order[1:], marks, strict=False)
        if m == ">"
    )
    found["ranking"] = wrong or "of these sets alone" not in ranked, len(named) - 1
    effect = accuracy["cobra"].values - accuracy["vanilla"].values
    text = fdd.from_zero(Summary(effect, (-100.0, 100.0), accuracy["cobra"].unit), "it")
    real = text.startswith("it is ") and larger("cobra", "vanilla", "accuracy") != (
        effect.mean() > 0
    )
    found["from_zero"] = real or "of these sets alone" not in text, 1
    return found


def same(wanted):
    """Return how often two methods that differ by the margin are called the same."""
    good = World("majority", 2, 2, 400, low=0.85, high=0.95, effect=0.1)
    worse = replace(good, low=0.5).with_deo(good.truth()["deo_a"] + 2.0)
    # networks that agree on every image, given the method
    agreeing = [World("fair", 2, 2, 20, low=x, alike=1.0, effect=0.0) for x in (0.99, 0.969)]
    plan = {
        "DEO_A differs by the margin of 2 points": (Two(worse, good), "deo_a"),
        "accuracy differs by 2.1 points, all networks agree": (Two(*agreeing), "accuracy"),
    }
    return [row for name, case in plan.items() for row in _same(name, *case, wanted)]


def _same(name, two, metric, wanted):
    """Return the rows of one scenario."""
    good, rows = two.a, []
    for sets in (3, 10):
        began, rng, wrong = time.monotonic(), stream(name, str(sets)), 0
        n = good.replicates("sentences", wanted)
        for _ in range(n):
            [one] = fdd.compare(*both(rng, two, sets), [metric])
            wrong += one.kind == "same"
        rows.append(
            {"kind": "compare", "scenario": name, **good.facts, "sets": sets, "networks": 1}
            | {"reports": n, "comparisons": n, "false": wrong / n}
        )
        told(f"{name}, {sets} sets", n, began, rows[-1:], "false")
    return rows


def along(wanted):
    """Return how often a rule is told from its reference, or from a fair model, along a line."""
    fair, rows = World("fair", 2, 2, 50, low=0.85), []
    biased = World("majority", 2, 2, 50, low=0.7, high=0.95)
    held = World("fair", 3, 2, 50, low=0.7, skew=True, held_out=True)
    plan = {"unbiased data": Said((fair,) * 3), "equal methods": Said((biased,) * 3)}
    plan["unbiased data, paired test"] = Said((replace(fair, paired=True),) * 3)
    plan["unbiased data, held out"] = Said((held,) * 3)
    for name, case in plan.items():
        began, rng = time.monotonic(), stream("against", name)
        world, wrong = case.worlds[0], 0
        n = world.replicates("against", wanted)
        for _ in range(n):
            lines = {name: {} for name in NAMES}
            for condition in (1, 2, 3):
                for method, report in methods(rng, case)[0].items():
                    lines[method][condition] = report
            text = " ".join(fdd.against(lines, "GAP"))
            words = ("fairer", "less fair") + ("Its gap exceeds",) * (world.kind == "fair")
            wrong += any(w in text for w in words)
        rows.append(
            {"kind": "against", "scenario": name, **world.facts, "sets": 3, "networks": 1}
            | {"reports": n, "comparisons": n * 6 * (1 + (world.kind == "fair"))}
            | {"false": wrong / n}
        )
        told(f"against, {name}", n, began, rows[-1:], "false")
    return rows


# -------------------------------------------------------------------------------------------- all


def told(name, n, began, rows, *keys):
    """Print one line of the log."""
    said = " ".join("/".join(f"{row[k]:.3g}" for k in keys if k in row) for row in rows)
    print(f"{name} ({n}, {time.monotonic() - began:.0f} s): {said}", flush=True)


def rounded(part):
    """Return numbers for JSON, with four digits after the point."""
    if isinstance(part, dict):
        return {key: rounded(value) for key, value in part.items()}
    if isinstance(part, list):
        return [rounded(value) for value in part]
    if isinstance(part, bool | np.bool_):
        return bool(part)
    return round(float(part), 4) if isinstance(part, float | np.floating) else part


def text(found):
    """Return JSON with one line for each row."""
    dump = partial(json.dumps, separators=(",", ":"))
    parts = (
        f"{dump(k)}:" + ("[" + ",\n".join(map(dump, v)) + "]" if isinstance(v, list) else dump(v))
        for k, v in found.items()
    )
    return "{" + ",\n".join(parts) + "}\n"


def command(given):
    """Return what makes the file, from the start."""
    other = [] if given.replicates == 1000 else ["--replicates", str(given.replicates)]
    return shlex.join(["python", "reports/measured/calibration.py", *other])


PARTS = {f.__name__: f for f in (coverage, bias, null, difference, sentences)}


def main():
    """Run the simulations and write what they found."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=1000)
    parser.add_argument("--only", choices=PARTS)
    parser.add_argument("--json", type=Path, default=HERE / "statistics.json")
    given = parser.parse_args()
    quick_quantiles()
    parts = [given.only] if given.only else list(PARTS)
    found = json.loads(given.json.read_text()) if given.only and given.json.exists() else {}
    # parts do not depend on each other: one that is made anew is what all together would give
    found |= {"command": command(given), "versions": fdd.versions("cpu")}
    found |= {"replicates": given.replicates}
    for part in parts:
        began, cpu = time.monotonic(), time.process_time()
        print(f"-- {part}", flush=True)
        found[part] = rounded(PARTS[part](given.replicates))
        spent = {"wall": time.monotonic() - began, "cpu": time.process_time() - cpu}
        found.setdefault("seconds", {})[part] = {k: round(v) for k, v in spent.items()}
        given.json.write_text(text(found), encoding="utf-8")
    print(given.json, found["seconds"])


if __name__ == "__main__":
    main()
