"""Reports on networks whose true rates are known, and what a text claims of them.

A latent probit model: a network is right about an image if theta + d + e > 0. theta [set, class,
group] holds level, gap, and the effects of the set; d is the difficulty of the image, which all
networks share; e is the network's own.
"""

import re
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np

from fddkit.evaluation.outcomes import Outcomes
from fddkit.evaluation.report import FairnessReport

probit = NormalDist().inv_cdf


@dataclass(frozen=True)
class Test:
    """Images of a test: ``n`` of each class and group, or of each class, shown in all groups."""

    __test__ = False
    target: np.ndarray
    group: np.ndarray
    original: np.ndarray | None
    shape: tuple[int, int]
    difficulty: np.ndarray


def images(rng, n=50, classes=2, groups=2, paired=False):
    target = np.repeat(np.arange(classes), n * groups)
    group = np.tile(np.arange(groups), classes * n)
    original = np.repeat(np.arange(classes * n), groups) if paired else None
    d = rng.standard_normal(len(target))
    if paired:
        d = 0.9 * np.repeat(rng.standard_normal(classes * n), groups) + np.sqrt(0.19) * d
    return Test(target, group, original, (classes, groups), np.sqrt(0.5) * d)


@dataclass(frozen=True)
class Method:
    """What is true of a method.

    ``level`` is its rate without a gap, ``gap`` how much lower (in probits) the groups are that a
    class does not go with; ``level_sd`` and ``gap_sd`` are the spread of both over sets.
    """

    level: float = 0.85
    gap: float = 0.0
    level_sd: float = 0.15
    gap_sd: float = 0.1

    def theta(self, rng, sets, classes, groups, own=None):
        # the same numbers, whatever they are multiplied by: methods can share them
        z = rng.standard_normal((2, sets, 1, 1)) if own is None else own
        minority = np.arange(classes)[:, None] % groups != np.arange(groups)
        gap = self.gap * (1 + self.gap_sd * z[1])
        return probit(self.level) + self.level_sd * z[0] - gap * minority

    def deo(self, classes=2, groups=2, draws=4000):
        """Return the expected DEO_A over sets, in percent."""
        rates = _cdf(self.theta(np.random.default_rng(1), draws, classes, groups))
        return 100 * (rates.max(2) - rates.min(2)).mean()

    def with_deo(self, deo):
        """Return the method with another gap, so that its DEO_A is this."""
        low, high = 0.0, 4.0
        for _ in range(30):
            middle = (low + high) / 2
            below = Method(self.level, middle, self.level_sd, self.gap_sd).deo() < deo
            low, high = (middle, high) if below else (low, middle)
        return Method(self.level, low, self.level_sd, self.gap_sd)


@cache
def _table():
    x = np.linspace(-6, 6, 6001)
    return x, np.array([NormalDist().cdf(value) for value in x])


def _cdf(x):
    return np.interp(x, *_table())


def report(rng, method, test, sets=3, networks=1, one_set=False, shared=None):
    """Return the report of a method; ``shared`` are effects of sets, as of equal seeds.

    With ``one_set`` there is no effect of sets, and the networks are those of a single set.
    """
    classes, groups = test.shape
    own = np.zeros((2, sets, 1, 1)) if one_set else shared
    theta = np.repeat(method.theta(rng, sets, classes, groups, own), networks, 0)
    # networks of one set differ a little
    theta = theta + 0.05 * rng.standard_normal((len(theta), 1, 1))
    latent = theta[:, test.target, test.group] + test.difficulty
    latent += np.sqrt(0.5) * rng.standard_normal(latent.shape)
    other = (test.target + rng.integers(1, classes, latent.shape)) % classes
    predicted = np.where(latent > 0, test.target, other)
    return made(test, predicted, None if one_set else np.repeat(np.arange(sets), networks).tolist())


def made(test, predicted, sets=None):
    """Return the report of given predictions."""
    names = [[str(i) for i in range(k)] for k in test.shape]
    config = dict(zip(("target_names", "group_names"), names, strict=True))
    outcomes = Outcomes(test.target, test.group, predicted, test.original)
    return FairnessReport.of(outcomes, ["convnet"] * len(predicted), config, sets=sets)


_LINE = re.compile(
    r"^(Of these sets alone: )?(\S+) against (\S+)(?: \((.*?)\))?: (.*)\. Worst group (.*)\.$"
)
_NUMBER = r"(-?\d+\.\d)"
_INTERVAL = re.compile(rf"{_NUMBER} points(?: (?:higher|lower))? \[{_NUMBER}, {_NUMBER}\]")


@dataclass(frozen=True)
class Claim:
    """One finding of a verdict: ``a`` is ``word`` than/as ``b``; ``alone``: of these sets only."""

    a: str
    b: str
    word: str
    text: str
    alone: bool = False


#: Words that claim a difference -> the words that would contradict them.
DIFFERENT = {
    "fairer": "less fair",
    "less fair": "fairer",
    "more accurate": "less accurate",
    "less accurate": "more accurate",
}


def claims(text):
    """Return what a verdict claims; an error for a line about a pair that is not understood."""
    found = []
    for line in text.splitlines():
        if " against " not in line:
            continue
        match = _LINE.match(line)
        assert match, line
        alone, a, b, _, said, _ = match.groups()
        parts = said.split("; ")
        assert len(parts) == 2, line
        for part in parts:
            words = [*DIFFERENT, "the same", "cannot be told", "nothing can be said", ""]
            word = next(w for w in words if part.startswith(w) or (w and f" {w}" in part))
            assert word or "cannot be tested" in part, part
            found.append(Claim(a, b, word, part, bool(alone)))
    return found


def differences(text):
    """Return the claims of a difference."""
    return [one for one in claims(text) if one.word in DIFFERENT]


def contradictions(text):
    """Return what in a verdict contradicts itself, or a number beside it."""
    found, edges = [], {}
    everything = claims(text)
    for one in everything:
        match = _INTERVAL.search(one.text)
        if one.word in DIFFERENT:
            if not match:
                found.append(f"no interval: {one.text}")
                continue
            value, low, high = map(float, match.groups())
            if not (low >= 0 and low <= value <= high):
                found.append(f"the interval holds 0: {one.text}")
            lower = "points lower" in one.text
            if one.word in ("fairer", "less fair") and lower != (one.word == "fairer"):
                found.append(f"word against number: {one.text}")
            what = "fair" if "fair" in one.word else "accurate"
            better = one.word in ("fairer", "more accurate")
            edge = (one.a, one.b) if better else (one.b, one.a)
            edges.setdefault(what, set()).add(edge)
        if one.word == "the same" and match:
            value, low, high = map(float, match.groups())
            if low < -2 or high > 2:
                found.append(f"not the same: {one.text}")
    for what, pairs in edges.items():
        reached = {a: {b for x, b in pairs if x == a} for a, _ in pairs}
        for _ in pairs:
            for a in reached:
                reached[a] |= {c for b in set(reached[a]) for c in reached.get(b, ())}
        found += [f"{a} is more {what} than itself" for a, far in reached.items() if a in far]
    for name in re.findall(r"(\S+) (?:is near chance:|predicts one class)", text):
        for one in everything:
            fairer = {"fairer": one.a, "less fair": one.b}.get(one.word)
            found += [f"{name} has learnt nothing / {one.text}"] if fairer == name else []
    return found
