"""What reports mean, in sentences that are computed from them."""

from collections.abc import Mapping
from itertools import combinations, pairwise

from ..rules.rules import RULES
from .measures import METRICS
from .metrics import Summary
from .report import FairnessReport


def verdict(named: Mapping[str, FairnessReport]) -> str:
    """Say whether distillation amplified the bias and whether rules repaired it.

    The sentences are about DEO_A, which is steadier than DEO_M, a maximum. Two numbers differ if
    their 95% intervals do not overlap; if one of them has no interval (a single repeat), no
    difference is claimed. The counterfactual test is used if there is one.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        ``"whole"``, ``"random"``, ``"vanilla"`` and any of the rules that have
        `fddkit.rules.targets.Rule.repairs`; what is missing is left out.

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
    Vanilla distillation amplifies the bias of the whole set: DEO_A 39.0 [36.5, 41.5] after it,
    1.0 [0.0, 3.5] without it.
    """
    deo = {name: report.shown.deo_a for name, report in named.items()}
    repairs = [name for name in named if name in RULES and RULES[name].repairs]
    lines = []
    if "whole" in deo and "vanilla" in deo:
        words = ("amplifies", "does not amplify", "cannot be shown to amplify")
        word = _compare(deo["vanilla"], deo["whole"], words)
        lines.append(
            f"Vanilla distillation {word} the bias of the whole set: "
            f"DEO_A {_number(deo['vanilla'])} after it, {_number(deo['whole'])} without it."
        )
    if "random" in deo and "vanilla" in deo:
        words = ("is less fair than", "is fairer than", "cannot be told from")
        word = _compare(deo["vanilla"], deo["random"], words)
        lines.append(
            f"It {word} as many real images drawn at random: DEO_A {_number(deo['random'])}."
        )
    for rule in repairs:
        if "vanilla" in deo:
            words = ("is less fair than", "is fairer than", "cannot be told from")
            word = _compare(deo[rule], deo["vanilla"], words)
            change = named[rule].accuracy.mean - named["vanilla"].accuracy.mean
            lines.append(
                f"{rule} {word} vanilla: DEO_A {_number(deo[rule])} against "
                f"{_number(deo['vanilla'])}, and its accuracy is {abs(change):.1f} points "
                f"{'higher' if change >= 0 else 'lower'}."
            )
    for rule, other in combinations(repairs, 2):
        words = ("is less fair than", "is fairer than", "cannot be told from")
        word = _compare(deo[rule], deo[other], words)
        lines.append(f"{rule} {word} {other} by these runs.")
    return "\n".join(lines)


def _compare(a: Summary, b: Summary, words: tuple[str, str, str]) -> str:
    """Return the first phrase if a is above b, the second if below, otherwise the third."""
    (low_a, high_a), (low_b, high_b) = a.ci95, b.ci95
    if low_a > high_b:
        return words[0]
    return words[1] if high_a < low_b else words[2]


def _number(summary: Summary) -> str:
    low, high = summary.ci95
    interval = "" if low != low else f" [{low:.1f}, {high:.1f}]"
    return f"{summary.mean:.1f}{interval}"


def against(
    lines: Mapping[str, Mapping[object, FairnessReport]], what: str, metric: str = "deo_a"
) -> list[str]:
    """Say under which conditions rules are fairer than a reference, or as fair as a fair model.

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
        A sentence for every rule except the first. Two numbers differ if their 95% intervals do
        not overlap; a rule cannot be told from a fair model if the interval of its number reaches
        down to the noise floor.

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
    ...     "cobra": {0.9: report(80, 81, 82), 0.5: report(88, 89, 90)},
    ... }
    >>> for sentence in fdd.against(lines, "BR"):
    ...     print(sentence)
    By its DEO_A, cobra is fairer than vanilla at BR 0.9; cannot be told from vanilla at BR 0.5;
    cannot be told from a fair model at BR 0.5.
    """
    (first, reference), *others = lines.items()
    sentences = []
    for rule, line in others:
        kinds = ("is less fair than", "is fairer than", "cannot be told from")
        found: dict[str, list[str]] = {f"{kind} {first}": [] for kind in kinds}
        fair = found.setdefault("cannot be told from a fair model", [])
        for condition, report in line.items():
            value = report.metric(metric)
            phrase = _compare(value, reference[condition].metric(metric), kinds)
            found[f"{phrase} {first}"].append(str(condition))
            if value.ci95[0] <= value.noise_floor:
                fair.append(str(condition))
        clauses = [f"{words} at {what} {', '.join(at)}" for words, at in found.items() if at]
        sentences.append(f"By its {METRICS[metric].title}, {rule} {'; '.join(clauses)}.")
    return sentences


def ranking(named: Mapping[str, Summary], what: str) -> str:
    """Rank numbers by size, and mark neighbours that cannot be told apart.

    Parameters
    ----------
    named : mapping of str to Summary
        Names and numbers.
    what : str
        What the numbers are, in words.

    Returns
    -------
    str
        One line from the largest to the smallest: ``>`` between neighbours whose 95% intervals do
        not overlap, ``~`` between neighbours that overlap or of which one has no interval.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.metrics import Summary
    >>> values = {"dm": [60.0, 61.0, 62.0], "dc": [60.0, 62.0, 64.0], "idc": [80.0, 81.0, 82.0]}
    >>> fdd.ranking({name: Summary(np.array(v)) for name, v in values.items()}, "accuracy")
    'accuracy: idc 81.0 [78.5, 83.5] > dc 62.0 [57.0, 67.0] ~ dm 61.0 [58.5, 63.5]'
    """
    order = sorted(named, key=lambda name: -named[name].mean)
    parts = [f"{what}: {order[0]} {_number(named[order[0]])}"]
    for larger, smaller in pairwise(order):
        sign = _compare(named[larger], named[smaller], (">", ">", "~"))
        parts.append(f"{sign} {smaller} {_number(named[smaller])}")
    return " ".join(parts)


def from_zero(effect: Summary, what: str) -> str:
    """Say whether an effect differs from zero.

    Parameters
    ----------
    effect : Summary
        A difference over the repeats, with bounds that allow negative values.
    what : str
        What the difference is, in words.

    Returns
    -------
    str
        One sentence.

    Examples
    --------
    >>> import numpy as np
    >>> import fddkit as fdd
    >>> from fddkit.evaluation.metrics import Summary
    >>> effect = Summary(np.array([-9.0, -10.0, -11.0]), bounds=(-100.0, 100.0))
    >>> fdd.from_zero(effect, "the effect of cobra")
    'the effect of cobra is -10.0 [-12.5, -7.5] points.'
    """
    low, high = effect.ci95
    clear = low > 0 or high < 0
    return f"{what} {'is' if clear else 'cannot be told from 0:'} {_number(effect)} points."
