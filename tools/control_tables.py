"""What `tools/tables.py` writes of reports/measured/controls-*.json: tables and sentences.

Every mark and every sentence comes from one family of comparisons, that of its data set and IPC.
"""

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

from fddkit.evaluation.comparisons import Comparison, Pair
from fddkit.evaluation.measures import METRICS
from fddkit.evaluation.multiple_tests import LEVEL

MEASURED = Path(__file__).resolve().parent.parent / "reports" / "measured"
#: Data set -> its name in the tables.
CONTROLLED = {"digits": "digits", "cmnist-fg": "C-MNIST (FG)", "cifar10-s": "CIFAR10-S"}
FAIR = ("fairdd", "cobra", "minimax")
CONTROL = "random-balanced"
NEAR_BOUND = 90.0  # a DEO_A from which on there is little room for more

Column = tuple[str, int]  # data set and IPC


@cache
def read(dataset: str) -> dict:
    """Return a measurement."""
    return json.loads((MEASURED / f"controls-{dataset}.json").read_text(encoding="utf-8"))


def columns() -> list[Column]:
    """Return the columns of the tables."""
    return [
        (name, ipc) for name in CONTROLLED for ipc in sorted({r["ipc"] for r in read(name)["rows"]})
    ]


def row_of(column: Column, name: str) -> dict:
    """Return the numbers of a baseline or rule."""
    dataset, ipc = column
    [row] = [r for r in read(dataset)["rows"] if (r["ipc"], r["name"]) == (ipc, name)]
    return row


def compared(column: Column, a: str, b: str, metric: str) -> Comparison | None:
    """Return a comparison, the other way round if it was made so; None if it was not made."""
    dataset, ipc = column
    for one in read(dataset)["comparisons"]:
        if (one["ipc"], one["metric"]) == (ipc, metric):
            if (one["a"], one["b"]) == (a, b):
                return Comparison.from_dict(one)
            if (one["a"], one["b"]) == (b, a):
                return reversed_(Comparison.from_dict(one))
    return None


def reversed_(one: Comparison) -> Comparison:
    """Return b minus a."""
    found = one.difference
    found = replace(found, value=-found.value, low=-found.high, high=-found.low)
    return replace(one, a=one.b, b=one.a, difference=found)


# --------------------------------------------------------------------------------------- tables


def table(corner: str, rows: dict[str, list[str]], sets: bool = True) -> str:
    """Return a table with a column for each data set and IPC."""
    heads = [
        f"{CONTROLLED[name]}, IPC {ipc}" + (f", n = {read(name)['sets']}" if sets else "")
        for name, ipc in columns()
    ]
    lines = [f"| {corner} | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cells)} |" for name, cells in rows.items()]
    return "\n".join(lines)


def numbers(
    metrics: Sequence[str] = ("accuracy", "deo_a"),
    intervals: bool = False,
    left_out: tuple[str, ...] = (),
) -> str:
    """Return numbers of baselines and rules, marked by their comparison with balanced images."""
    names = [r["name"] for r in read("digits")["rows"] if r["ipc"] == columns()[0][1]]
    rows = {}
    for name in names:
        if name not in left_out:
            unit = row_of(columns()[0], name)["accuracy"]["unit"]
            label = name if unit == "sets" else f"{name} ({unit})"
            rows[label] = [_cell(column, name, metrics, intervals) for column in columns()]
    return table(" / ".join(METRICS[metric].title for metric in metrics), rows)


def _cell(column: Column, name: str, metrics: Sequence[str], intervals: bool) -> str:
    row, shown = row_of(column, name), []
    for metric in metrics:
        number, entry = row[metric], METRICS[metric]
        one = compared(column, name, CONTROL, metric)
        text = f"{number['mean']:.0f}"
        if entry.between_groups and (row["doubt"] or (one and one.kind == "void")):
            text = f"({text})"
        text += _mark(one) if one else ""
        if intervals and number["ci95"][0] is not None:
            text += " [{:.0f}, {:.0f}]".format(*number["ci95"])
        shown.append(text)
    return " / ".join(shown)


def _mark(one: Comparison) -> str:
    better = "lower" if METRICS[one.metric].between_groups else "higher"
    if one.kind in ("higher", "lower"):
        return "+" if one.kind == better else "-"
    return {"same": "=", "unclear": "~"}.get(one.kind, "")


#: Rows of the table of differences: label, first, second.
DIFFERENCES = [
    ("size: random - whole", "random", "whole"),
    ("target: random-balanced - random", CONTROL, "random"),
    ("optimisation: vanilla - random", "vanilla", "random"),
    *((f"optimisation: {rule} - random-balanced", rule, CONTROL) for rule in FAIR),
    *((f"{rule} - vanilla", rule, "vanilla") for rule in FAIR),
    *((f"{a} - {b}", a, b) for a, b in (("fairdd", "cobra"), ("minimax", "cobra"))),
    ("minimax - fairdd", "minimax", "fairdd"),
    ("herding-balanced - random-balanced", "herding-balanced", CONTROL),
    ("cobra - herding-balanced", "cobra", "herding-balanced"),
]


def differences(metric: str) -> str:
    """Return every comparison of a metric."""
    rows = {
        label: [_difference(column, a, b, metric) for column in columns()]
        for label, a, b in DIFFERENCES
    }
    return table(f"{METRICS[metric].title}, points", rows)


def _difference(column: Column, a: str, b: str, metric: str) -> str:
    one = compared(column, a, b, metric)
    found = one.difference
    text = f"{found.value:+.1f} [{found.low:.1f}, {found.high:.1f}]"
    if one.kind in ("higher", "lower"):
        return f"**{text}**"
    return {"same": f"= {text}", "void": f"({text})"}.get(one.kind, text)


# ------------------------------------------------------------------------------------ sentences


def listed(words: Sequence[str], joined: str = "and") -> str:
    """Return words as an enumeration."""
    *others, last = words
    return f"{', '.join(others)} {joined} {last}" if others else last


def where(some: Sequence[Column]) -> str:
    """Return columns in words, the IPC of a data set together."""
    each: dict[str, list[str]] = {}
    for name, ipc in some:
        each.setdefault(f"on {CONTROLLED[name]}", []).append(str(ipc))
    return listed([f"{name} at IPC {listed(ipcs)}" for name, ipcs in each.items()])


_SAME = "the same within 2 points"
#: What is said of the first of a pair if it is higher or lower, or the same.
_WORDS = {
    "deo_a": {"lower": "fairer", "higher": "less fair", "same": _SAME},
    "accuracy": {"higher": "more accurate", "lower": "less accurate", "same": _SAME},
}


def outcome(pairs: Sequence[Pair], metric: str) -> str:
    """Return what the comparisons of some pairs say: which of the first differ, and where."""
    made = {(a, column): compared(column, a, b, metric) for a, b in pairs for column in columns()}
    said, never = [], []
    for kind, word in _WORDS[metric].items():
        places: dict[tuple[str, ...], list[Column]] = {}
        for column in columns():
            mine = tuple(a for a, _ in pairs if made[a, column].kind == kind)
            if mine:
                places.setdefault(mine, []).append(column)
        if not places:
            never.append(word)
        elif len(pairs) == 1:
            said.append(f"{word} {where(places[pairs[0][:1]])}")
        else:
            parts = [f"{listed(names)} {where(some)}" for names, some in places.items()]
            said.append(f"{word}: {'; '.join(parts)}")
    said += [f"nowhere {listed(never, 'or')}"] if never else []
    void = sum(one.kind == "void" for one in made.values())
    said += [f"of {void} of the {len(made)} comparisons nothing can be said"] if void else []
    unclear = [one for one in made.values() if one.kind == "unclear"]
    if unclear:
        which = "any" if len(unclear) == len(made) else f"{len(unclear)}"
        which += f" of the {len(made)} comparisons"
        before = sum(one.difference.p < LEVEL for one in unclear)
        said.append(f"they cannot be told apart in {which}")
        said[-1] += f" ({before} of these had p < {LEVEL} before the correction)" if before else ""
    return f"by {METRICS[metric].title}, {'; '.join(said)}."


def findings() -> str:
    """Return what the comparisons say, as a list."""
    repairing = [(rule, CONTROL) for rule in FAIR]
    amplified = [("vanilla", "random")]
    lines = {
        f"As many random images against the whole set ({networks()})": [("random", "whole")],
        "Vanilla against as many random images": amplified,
        "As many balanced real images against random ones": [(CONTROL, "random")],
        "FairDD, COBRA and minimax against as many balanced real images": repairing,
        "FairDD, COBRA and minimax against vanilla": [(rule, "vanilla") for rule in FAIR],
        "FairDD and minimax against COBRA": [("fairdd", "cobra"), ("minimax", "cobra")],
        "Minimax against FairDD": [("minimax", "fairdd")],
        "Herding within groups against balanced random images": [("herding-balanced", CONTROL)],
        "COBRA against herding within groups": [("cobra", "herding-balanced")],
    }
    told = [f"**{what}**: {both(pairs)}" for what, pairs in lines.items()]
    near = [
        column
        for column in columns()
        if min(row_of(column, name)["deo_a"]["mean"] for name in amplified[0]) > NEAR_BOUND
    ]
    if near:
        told[1] += (
            f" {where(near)[:1].upper()}{where(near)[1:]}, both have a mean DEO_A above "
            f"{NEAR_BOUND:.0f}, where its bound of 100 leaves no room for a difference: DEO_A "
            "cannot tell there whether distillation adds to the unfairness."
        )
    for column in columns():
        doubts = [r["doubt"] for r in read(column[0])["rows"] if r["ipc"] == column[1]]
        told += [f"**Near chance**, {where([column])}: {why}." for why in doubts if why]
    return "\n".join(f"- {line}" for line in told)


def networks() -> str:
    """Return of how many networks of one set the numbers of the whole set are."""
    told = {CONTROLLED[n]: row_of((n, i), "whole")["accuracy"]["n"] for n, i in columns()}
    return f"one set, {', '.join(f'{n} networks on {name}' for name, n in told.items())}"


def both(pairs: Sequence[Pair]) -> str:
    """Return the outcome in DEO_A and in accuracy."""
    accuracy = outcome(pairs, "accuracy")
    return f"{outcome(pairs, 'deo_a')} {accuracy[:1].upper()}{accuracy[1:]}"


def answer() -> str:
    """Return in short whether rules that repair beat as many balanced real images."""
    return "FairDD, COBRA and minimax beside `random-balanced`: " + both(
        [(rule, CONTROL) for rule in FAIR]
    )


def claims() -> dict[str, bool]:
    """Return whether what docs/results.md makes of the comparisons still holds."""
    ten = [column for column in columns() if column[1] == 10]
    few = [column for column in columns() if column[0] == "digits" and column[1] < 10]
    grey = ("cifar10-s", 10)

    def kinds(pairs: Sequence[Pair], metric: str, some: Sequence[Column]) -> set[str]:
        return {compared(column, a, b, metric).kind for a, b in pairs for column in some}

    def mean(column: Column, name: str, metric: str = "deo_a") -> float:
        return row_of(column, name)[metric]["mean"]

    rules = [(rule, CONTROL) for rule in FAIR]
    vanilla = [("vanilla", "random")]
    groups = ("worst_group", "best_group")
    halved = [mean(grey, "random", metric) / mean(grey, "whole", metric) for metric in groups]
    taught = [row["name"] for row in read("digits")["rows"] if row["accuracy"]["unit"] == "sets"]
    return {
        "random images are close to the bound on digits and C-MNIST": all(
            mean(column, "random") > NEAR_BOUND for column in columns() if column != grey
        ),
        "vanilla's accuracy goes either way": (
            kinds(vanilla, "accuracy", columns()) >= {"higher", "lower"}
        ),
        "on CIFAR10-S vanilla's DEO_A is not established to be higher": (
            kinds(vanilla, "deo_a", [grey]) == {"unclear"}
            and mean(grey, "vanilla") > mean(grey, "random")
        ),
        "on CIFAR10-S random images halve both groups": all(0.4 < x < 0.6 for x in halved),
        "on CIFAR10-S random images have the smaller gap": (
            kinds([("random", "whole")], "deo_a", [grey]) == {"lower"}
        ),
        "at IPC 10 no rule is fairer than balanced images, or the same": (
            kinds(rules, "deo_a", ten) == {"unclear"}
        ),
        "at IPC 10 herding within groups is the fairest by the means": all(
            mean(column, "herding-balanced") <= mean(column, name)
            for column in ten
            for name in taught
            if not row_of(column, name)["doubt"]
        ),
        "with fewer images than groups the rules are more accurate": (
            kinds(rules, "accuracy", few) == {"higher"}
        ),
        "from IPC 3 on they are fairer": kinds(rules, "deo_a", few[1:]) == {"lower"},
        "on CIFAR10-S the rules and vanilla are more accurate": (
            kinds([*rules, *vanilla], "accuracy", [grey]) == {"higher"}
        ),
    }
