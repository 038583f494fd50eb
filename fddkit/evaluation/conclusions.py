"""What reports mean, in sentences that are computed and so are never false."""

from collections.abc import Mapping
from itertools import combinations, pairwise

from ..rules.rules import RULES
from .measures import METRICS
from .metrics import Summary
from .report import FairnessReport


def verdict(named: Mapping[str, FairnessReport]) -> str:
    """Say whether distillation amplified the bias and whether rules repaired it.

    It speaks of DEO_A, which is steadier than DEO_M, a maximum. Two differ if their 95% intervals
    do not overlap; where one of the two has no interval (a single repeat) nothing is claimed. The
    counterfactual test is used where there is one.

    Parameters
    ----------
    named : mapping of str to FairnessReport
        ``"whole"``, ``"random"``, ``"vanilla"`` and any of the rules that have
        `fddkit.rules.targets.Rule.repairs`; what is missing is not spoken of.

    Returns
    -------
    str
        One line a finding.
    """
    deo = {name: report.shown.deo_a for name, report in named.items()}
    repairs = [name for name in named if name in RULES and RULES[name].repairs]
    lines = []
    if "whole" in deo and "vanilla" in deo:
        words = ("amplifies", "does not amplify", "cannot be told to amplify")
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
    """Return the first word if a is above b, the second if below, else the third."""
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
    """Say under which conditions rules are fairer than a reference, and than chance allows.

    Parameters
    ----------
    lines : mapping of str to mapping of object to FairnessReport
        Rule, then condition and report; the first rule is the reference.
    what : str
        What the conditions are, e.g. ``"BR"``.
    metric : str
        By which number, one of `fddkit.evaluation.measures.METRICS`.

    Returns
    -------
    list of str
        A sentence for every rule but the first. Two numbers differ if their 95% intervals do not
        overlap; one is not told from a fair model if its interval reaches down to its noise floor.
    """
    (first, reference), *others = lines.items()
    sentences = []
    for rule, line in others:
        kinds = ("is less fair than", "is fairer than", "cannot be told from")
        found: dict[str, list[str]] = {f"{kind} {first}": [] for kind in kinds}
        fair = found.setdefault("cannot be told from a fair model", [])
        for condition, report in line.items():
            own = report.metric(metric)
            word = _compare(own, reference[condition].metric(metric), kinds)
            found[f"{word} {first}"].append(str(condition))
            if own.ci95[0] <= own.noise_floor:
                fair.append(str(condition))
        told = [f"{words} at {what} {', '.join(at)}" for words, at in found.items() if at]
        sentences.append(f"By its {METRICS[metric].title}, {rule} {'; '.join(told)}.")
    return sentences


def ranking(named: Mapping[str, Summary], what: str) -> str:
    """Say in which order numbers lie, and which of them cannot be told apart.

    Parameters
    ----------
    named : mapping of str to Summary
        Names and numbers.
    what : str
        What the numbers are.

    Returns
    -------
    str
        One line from the largest to the smallest: ``>`` between two whose 95% intervals do not
        overlap, ``~`` between two that overlap or of which one has no interval.
    """
    order = sorted(named, key=lambda name: -named[name].mean)
    parts = [f"{what}: {order[0]} {_number(named[order[0]])}"]
    for one, other in pairwise(order):
        sign = _compare(named[one], named[other], (">", ">", "~"))
        parts.append(f"{sign} {other} {_number(named[other])}")
    return " ".join(parts)


def from_zero(effect: Summary, what: str) -> str:
    """Say whether an effect differs from zero.

    Parameters
    ----------
    effect : Summary
        Of a difference.
    what : str
        What the difference is.

    Returns
    -------
    str
        One sentence.
    """
    low, high = effect.ci95
    clear = low > 0 or high < 0
    return f"{what} {'is' if clear else 'cannot be told from 0:'} {_number(effect)} points."
