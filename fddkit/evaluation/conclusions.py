"""What reports mean, in sentences that are made of comparisons alone."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from ..distillers.baselines import BASELINES
from ..rules.rules import RULES
from . import arguments
from .comparisons import ALONE, MARGIN, Comparison, Pair, family, on_one_test
from .guard import learnt_nothing
from .measures import METRICS
from .multiple_tests import LEVEL, holm
from .report import FairnessReport

_COMPARED = ("deo_a", "accuracy")


def verdict(named: Mapping[str, FairnessReport], margin: float = MARGIN) -> str:
    """Say what distillation adds to the small number of images, and what rules repair.

    Every sentence is a comparison (`fddkit.compare`) by DEO_A, which is steadier than DEO_M, and by
    accuracy; that any two are told apart, or any two called the same, wrongly has a probability of
    at most 5% each, if the sets are not too few for their spread to be seen.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        Names of baselines and of rules, registered ones included. With ``"random"`` and
        ``"random-balanced"`` it is known what as many real images would show.
    margin : float
        Points within which two numbers are called the same.

    Returns
    -------
    str
        One line per finding.

    Examples
    --------
    Two classes, two groups; counts are [repeat, group, true class, predicted class]:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def report(*correct):  # of 100 images of each class in group 1, for each repeat
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> named = {"whole": report(88, 89, 90), "vanilla": report(50, 51, 52)}
    >>> print(fdd.verdict(named))
    Of these sets alone: vanilla against whole (3 networks of one set each): less fair, DEO_A 36.3
    points higher [28.7, 43.8]; less accurate, by 19.0 points [17.9, 20.1]. Worst group 51.0 against
    89.0, best group 90.0 against 90.0.
    Other sets made in the same way may differ; with reports on several, one could tell.
    It is not known what is due to distillation and what to the small number of images: compare
    with "random", as many real images.
    """
    pairs = _pairs(list(arguments.reports(named)))
    used = on_one_test({name: named[name] for pair in pairs for name in pair})
    found = family(used, pairs, _COMPARED, margin)
    void = [learnt_nothing(report, name) for name, report in named.items()]
    lines = [f"{clause}." for clause in void if clause]
    together = zip(*[iter(found)] * len(_COMPARED), strict=True)
    for pair, comparisons in zip(pairs, together, strict=True):
        lines.append(_line(pair, comparisons, used))
    distilled = [name for name in named if name not in BASELINES]
    if any(one.alone for one in found):
        lines.append(
            "Other sets made in the same way may differ; with reports on several, one could tell."
        )
    if "whole" in named and distilled and "random" not in named:
        lines.append(
            "It is not known what is due to distillation and what to the small number of images: "
            'compare with "random", as many real images.'
        )
    return "\n".join(lines)


def _pairs(names: list[str]) -> list[Pair]:
    """Return what to compare, in the order in which it is told."""
    distilled = [name for name in names if name not in BASELINES]
    plain = [name for name in distilled if name in RULES and not RULES[name].repairs]
    fair = [name for name in distilled if name not in plain]
    wanted = [("random", "whole"), ("random", "random-balanced")]
    wanted += [(name, "random" if "random" in names else "whole") for name in plain]
    wanted += [(name, other) for name in fair for other in plain]
    wanted += [(name, "random-balanced") for name in fair]
    if not plain:
        wanted += [(name, "whole") for name in fair]
    wanted += combinations(fair, 2)
    return [pair for pair in wanted if set(pair) <= set(names)]


def _line(
    pair: Pair, comparisons: Sequence[Comparison], named: Mapping[str, FairnessReport]
) -> str:
    """Return what the comparisons of two reports say, with the ends of the groups beside."""
    a, b = (named[name] for name in pair)
    units = next((one.units for one in comparisons if one.units), "")
    said = "; ".join(phrase(one) for one in comparisons)
    ends = ", ".join(
        f"{METRICS[name].title} {a.metric(name).mean:.1f} against {b.metric(name).mean:.1f}"
        for name in ("worst_group", "best_group")
    )
    over = f" ({units})" if units else ""
    alone = ALONE if any(one.alone for one in comparisons) else ""
    line = f"{pair[0]} against {pair[1]}{over}: {said}. {ends[:1].upper()}{ends[1:]}."
    return f"{alone.capitalize()}: {line}" if alone else line


#: Adjectives of a difference: of gaps between groups, and of accuracy.
_FAIR = {"higher": "less fair", "lower": "fairer"}
_ACCURATE = {"higher": "more accurate", "lower": "less accurate"}


def phrase(one: Comparison) -> str:
    """Return a comparison in words, without the names of what is compared.

    Parameters
    ----------
    one : Comparison
        Of two reports.

    Returns
    -------
    str
        E.g. ``"fairer, DEO_A 12.0 points lower [8.1, 15.9]"``.
    """
    entry, found = METRICS[one.metric], one.difference
    size = f"{abs(found.value):.1f} points {'higher' if found.value >= 0 else 'lower'}"
    low, high = found.low, found.high
    if found.value < 0:
        low, high = -high, -low
    between = "" if low != low else f" [{low:.1f}, {high:.1f}]"
    if found.value != found.value:
        return f"{entry.title} is not known"
    if one.kind == "void":
        return f"nothing can be said of {entry.title}, because {one.doubt}"
    if one.kind == "same":
        return f"the same {entry.title} within {one.margin:g} points, {size}{between}"
    if one.kind == "unclear":
        if found.p != found.p:
            return f"{entry.title} {size}, which cannot be tested with these repeats"
        corrected = ""
        if found.p < LEVEL:
            corrected = f" after correction for {one.family} comparisons (p = {one.p:.3f})"
        return f"{entry.title} cannot be told apart{corrected}, {size}{between}"
    if entry.between_groups:
        return f"{_FAIR[one.kind]}, {entry.title} {size}{between}"
    if entry is METRICS["accuracy"]:
        return f"{_ACCURATE[one.kind]}, by {abs(found.value):.1f} points{between}"
    return f"{entry.title} {size}{between}"


def against(
    lines: Mapping[str, Mapping[object, FairnessReport]], what: str, metric: str = "deo_a"
) -> list[str]:
    """Say under which conditions rules differ from a reference, and from a fair model.

    Parameters
    ----------
    lines : mapping of str to mapping of object to FairnessReport
        For each rule, a report under each condition; the first rule is the reference.
    what : str
        Name of the conditions, e.g. ``"BR"``.
    metric : str
        The metric to compare by, one of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    list of str
        A sentence for every rule except the first; the error rate of all of them together is at
        most 5%. Where groups are compared, it also says where the gap exceeds what chance shows.

    Examples
    --------
    Two classes, two groups, three networks each; ``n`` of 100 images of group 1 are correct:

    >>> import numpy as np
    >>> import fddkit as fdd
    >>> def report(*correct):
    ...     first = [[90, 10], [10, 90]]
    ...     counts = np.array([[first, [[n, 100 - n], [100 - n, n]]] for n in correct])
    ...     return fdd.FairnessReport(counts, ["convnet"] * len(correct))
    >>> lines = {
    ...     "vanilla": {0.9: report(50, 51, 52), 0.5: report(87, 88, 89)},
    ...     "cobra": {0.9: report(70, 71, 72), 0.5: report(88, 89, 90)},
    ... }
    >>> for sentence in fdd.against(lines, "BR"):
    ...     print(sentence)
    Of these sets alone: by its DEO_A, cobra is fairer than vanilla at BR 0.9 (3 networks of one set
    each); cannot be told from vanilla at BR 0.5. Its gap exceeds what chance shows at BR 0.9.
    """
    (first, reference), *others = arguments.conditions(lines).items()
    place = {condition: i for i, condition in enumerate(reference)}
    tested, named, pairs = [], {}, []
    for rule, line in others:
        for condition, report in line.items():
            # 1 and "1" are two conditions that look alike
            mine, theirs = (f"{place[condition]} {name}" for name in (rule, first))
            named |= {mine: report, theirs: reference[condition]}
            pairs.append((mine, theirs))
            tested.append((rule, condition))
    named, entry = on_one_test(named), METRICS[metric]
    compared = family(named, pairs, [metric])
    chances = [named[mine].metric(metric).p for mine, _ in pairs]
    # one family: differences, and what exceeds chance
    adjusted = holm(np.array([one.difference.p for one in compared] + chances))
    compared = [replace(one, p=p) for one, p in zip(compared, adjusted, strict=False)]
    found = dict(zip(tested, compared, strict=True))
    raw, beyond = (dict(zip(tested, p, strict=True)) for p in (chances, adjusted[len(tested) :]))
    sentences = []
    for rule, line in others:
        kinds = _KINDS[entry.between_groups]
        at: dict[str, list[str]] = {kind: [] for kind in kinds}
        units = ""
        for condition in line:
            one = found[rule, condition]
            at[one.kind].append(str(condition))
            units = units or one.units
        clauses = [
            f"{kinds[kind].format(first=first, margin=MARGIN)} at {what} {', '.join(which)}"
            for kind, which in at.items()
            if which
        ]
        clauses[0] += f" ({units})" if units else ""
        alone = any(found[rule, condition].alone for condition in line)
        by = f"{ALONE.capitalize()}: by" if alone else "By"
        sentence = f"{by} its {entry.title}, {rule} {'; '.join(clauses)}."
        exceeds = [str(c) for c in line if beyond[rule, c] < LEVEL]
        if exceeds:
            sentence += f" Its gap exceeds what chance shows at {what} {', '.join(exceeds)}."
        elif entry.between_groups and all(raw[rule, c] >= LEVEL for c in line):
            sentence += " Nowhere does its gap exceed what chance shows."
        elif any(raw[rule, c] < LEVEL for c in line):
            sentence += (
                " After correction for the number of tests, its gap cannot be told from what chance"
                " shows."
            )
        sentences.append(sentence)
    return sentences


_SAME = {
    "same": "has the same as {first} within {margin:g} points",
    "unclear": "cannot be told from {first}",
}
#: Whether groups are compared -> kind of comparison -> words.
_KINDS = {
    True: {
        "higher": "is less fair than {first}",
        "lower": "is fairer than {first}",
        **_SAME,
        "void": "is compared with {first} in vain (one has learnt nothing, or both are noise)",
    },
    False: {
        "higher": "is above {first}",
        "lower": "is below {first}",
        **_SAME,
        "void": "",
    },
}
