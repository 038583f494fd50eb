"""Write the tables of the README and docs/results.md anew from reports/measured/.

Each stands between two markers, in whichever page has them.

python tools/tables.py           # write
python tools/tables.py --check   # only tell whether the page is what would be written
"""

import json
import re
import sys
from pathlib import Path

import control_tables as controls
import numpy as np

from fddkit.evaluation.measures import METRICS
from fddkit.experiments import matrix, papers

ROOT = Path(__file__).resolve().parent.parent
MEASURED = ROOT / "reports" / "measured"
PAGES = (ROOT / "README.md", ROOT / "docs" / "results.md")


def read(name: str) -> dict:
    """Return a measurement."""
    return json.loads((MEASURED / f"{name}.json").read_text(encoding="utf-8"))


def matrix_table() -> str:
    """Return the table of every method under every rule."""
    return matrix.markdown(matrix.from_json(read("matrix-digits")["cells"]))


def cost_table() -> str:
    """Return the table of what a step costs under the quick preset."""
    lines = [
        "| | side | vanilla | FairDD | COBRA | FairDD, memory | COBRA, memory | FairDD by loops |",
        "|---|---|---|---|---|---|---|---|",
    ]
    sides = {side: read(f"cost-quick-{side}px")["rows"] for side in (16, 32)}
    for method in dict.fromkeys(row["method"] for row in sides[16]):
        for side, rows in sides.items():
            own = {row["rule"]: row for row in rows if row["method"] == method}
            vanilla = own["vanilla"]
            ratios = [own[rule]["ratio"] for rule in ("fairdd", "cobra")]
            ratios += [own[r]["peak_mb"] / vanilla["peak_mb"] for r in ("fairdd", "cobra")]
            ratios.append(own["naive fairdd"]["ratio"])
            cells = " | ".join(f"{ratio:.2f}" for ratio in ratios)
            lines.append(
                f"| `{method}` | {side} px | {1000 * vanilla['seconds']:.0f} ms | {cells} |"
            )
    return "\n".join(lines)


def matrix_said() -> str:
    """Return how far the table can be read, and what a cell takes."""
    cells = [cell for cell in read("matrix-digits")["cells"] if cell["accuracy"]]
    half = {}
    for metric in ("accuracy", "deo_a", "deo_m"):
        ends = np.array([cell[metric]["ci95"] for cell in cells])
        half[metric] = np.quantile((ends[:, 1] - ends[:, 0]) / 2, [0.1, 0.5, 0.9, 1])
    told = [
        f"{q[1]:.0f} points of {metric_title(m)} ({q[0]:.0f} to {q[2]:.0f}; at most {q[3]:.0f})"
        for m, q in half.items()
    ]
    mean = {(c["method"], c["rule"]): c for c in cells}
    aware = [c for c in cells if c["rule"] not in ("vanilla", "kde")]
    better = sum(
        c["accuracy"]["mean"] > mean[c["method"], "vanilla"]["accuracy"]["mean"]
        and c["deo_a"]["mean"] < mean[c["method"], "vanilla"]["deo_a"]["mean"]
        for c in aware
    )
    control = controls.row_of(("digits", 10), controls.CONTROL)
    above = sum(c["accuracy"]["mean"] > control["accuracy"]["mean"] for c in cells)
    kde = [c["deo_a"]["mean"] for c in cells if c["rule"] == "kde"]
    seconds = {
        kind: [c["seconds"] for c in cells if (c["method"] == "mtt") == kind]
        for kind in (False, True)
    }
    return (
        f"By the means alone, {better} of the {len(aware)} cells with a rule that uses the groups "
        "have a higher accuracy and a lower DEO_A than vanilla of the same method. Balanced real "
        f"images (above, {control['accuracy']['n']} sets) have "
        f"{' / '.join(format(control[m]['mean'], '.0f') for m in ('accuracy', 'deo_m', 'deo_a'))}; "
        f"{above or 'none'} of the {len(cells)} cells {'have' if above else 'has'} a higher mean "
        "accuracy. Do not rank the cells: with three sets, half the width of a 95% "
        f"interval is in the median {controls.listed(told)}; in parentheses its range over the "
        f"middle four fifths of the cells. Under `kde` the mean DEO_A stays at {min(kde):.0f} to "
        f"{max(kde):.0f}. A set takes {min(seconds[False]):.0f} to {max(seconds[False]):.0f} "
        f"seconds on one core, one of MTT {min(seconds[True]) / 60:.1f} to "
        f"{max(seconds[True]) / 60:.1f} minutes with its experts."
    )


def metric_title(metric: str) -> str:
    """Return what a metric is called."""
    return METRICS[metric].title


def statistics_said() -> str:
    """Return what simulations say of the statistics, as a list."""
    found = {k: v for k, v in read("statistics").items() if isinstance(v, list)}
    return "\n".join(f"- {line}" for line in _trust(found))


def _percent(shares: list[float]) -> str:
    return f"{100 * min(shares):.0f} to {100 * max(shares):.0f}%"


def _covered(rows: list[dict]) -> str:
    """Return the coverage in some situations, and in how many it is as wanted."""
    rates = np.array([row["coverage"] for row in rows])
    # two standard errors of a simulation
    error = np.array([2 * (0.95 * 0.05 / row["replicates"]) ** 0.5 for row in rows])
    held = ((rates >= 0.93 - error) & (rates <= 0.97 + error)).sum()
    return (
        f"{_percent(rates)} (median {100 * np.median(rates):.0f}; 93 to 97%, up to the error of "
        f"the simulation, in {held} of {len(rows)} situations)"
    )


def _trust(found: dict[str, list[dict]]) -> list[str]:
    covered = [row for row in found["coverage"] if row["sets"] > 1]
    sets = sorted({row["sets"] for row in covered})
    told, warned = [], []
    for metric in ("accuracy", "deo_a", "deo_m"):
        rows = [row for row in covered if row["metric"] == metric]
        tells = [row for row in rows if row["says that the test cannot tell"] < 0.5]
        told.append(f"{metric_title(metric)} {_covered(tells)}")
        if len(tells) < len(rows):
            others = [row for row in rows if row not in tells]
            warned.append(f"{metric_title(metric)} {_covered(others)}")
    lines = [
        "**Intervals** called 95% held the truth in about this share of experiments, with "
        f"{sets[0]} to {sets[-1]} sets: {'; '.join(told)}. Where the report itself says that the "
        "test cannot tell, because a gap is mostly noise or at its bound, they are too wide: "
        f"{'; '.join(warned)}. What is left of the bias of a gap cannot be known there, and no "
        "interval that allows for it is exact."
    ]
    for metric in ("deo_a", "deo_m"):
        rows = [row for row in found["bias"] if row["metric"] == metric]
        bias = {k: np.array([r[k] - r["truth"] for r in rows]) for k in ("measured", "corrected")}
        error = {k: np.mean([row[f"rmse {k}"] for row in rows]) for k in bias}
        fair = max(row["corrected"] for row in rows if row["truth"] == 0)
        lines.append(
            f"**{metric_title(metric)} without noise** is biased by {bias['corrected'].mean():+.1f}"
            f" points on average over {len(rows)} situations "
            f"({bias['corrected'].min():+.1f} to {bias['corrected'].max():+.1f}); as printed, by "
            f"{bias['measured'].mean():+.1f} ({bias['measured'].min():+.1f} to "
            f"{bias['measured'].max():+.1f}). The error of one network (root mean square) is "
            f"{error['corrected']:.1f} points, as printed {error['measured']:.1f}. Where groups "
            f"are exactly alike it is still up to {fair:.1f}."
        )
    rates = {row["test"]: [] for row in found["null"]}
    for row in found["null"]:
        rates[row["test"]].append(row["false positives"])
    [former] = [test for test in rates if test.startswith("former")]
    now = [rate for test in rates if test != former for rate in rates[test]]
    lines.append(
        f"**A fair model** is called unfair at 5% in {_percent(now)} of tests. An interval over "
        "networks beyond the mean binomial floor, our former rule (nominal 2.5%), says so in up to "
        f"{100 * max(rates[former]):.0f}%, where networks are alike."
    )
    reports = min(row["reports"] for row in found["sentences"])
    sentences = [[row for row in found["sentences"] if (row["sets"] > 1) == k] for k in (1, 0)]
    of_sets, of_one = (max(row["false"] for row in rows) for rows in sentences)
    lines.append(
        f"**Sentences**: any of them is false in at most {100 * of_sets:.0f}% of simulated reports "
        "on several sets each, and of networks of one set each in at most "
        f"{100 * of_one:.0f}% ({reports} or more reports of each kind). That holds where sets "
        "spread like normal or t-distributed numbers. " + _collapse()
    )
    power = {
        row["sets"]: (100 * row["power"], row["truth"])
        for row in found["difference"]
        if row["scenario"].startswith("DEO_A differs by 10")
        and (row["metric"], row["compare"]) == ("deo_a", True)
    }
    lines.append(
        f"**Power** is what few sets lack: a difference of {power[3][1]:.0f} points in DEO_A is "
        "found (before any correction) in "
        + ", ".join(f"{share:.0f}% of cases with {sets} sets" for sets, (share, _) in power.items())
        + "."
    )
    return lines


def _collapse() -> str:
    """Return what sentences do where some seeds collapse."""
    rows = read("collapse")["rows"]

    def rates(kind: str) -> str:
        mine = [row for row in rows if row["kind"] == kind]
        return ", ".join(f"{100 * row['false']:.0f}% at {row['sets']}" for row in mine)

    return (
        "Where a method collapses on some seeds, few sets may all be of one kind, and no interval "
        "over them can know: with one seed in five collapsing (no effect on average), "
        f"`fdd.from_zero` finds an effect in {rates('from_zero')} sets; with every second set "
        f"collapsing, a verdict on equal methods is false in {rates('verdict')}. Look at the "
        "values of the single sets (`Summary.values`)."
    )


def quoted() -> list[tuple[Path, str]]:
    """Return sentences with numbers that stand in the text of a page, not between markers."""
    here = []
    for method in ("dm", "dc"):
        rows = [row for side in (16, 32) for row in read(f"cost-quick-{side}px")["rows"]]
        own = [r["ratio"] for r in rows if (r["method"], r["rule"]) == (method, "fairdd")]
        here.append(f"{min(own):.2f} to {max(own):.2f} ({method.upper()})")
    costs = papers.costs()
    costs = costs[(costs["groups"] == 10) & (costs["rule"] == "fairdd")]
    costs = costs[(costs["metric"] == "time") & costs["dataset"].str.startswith("cmnist")]
    printed = costs.set_index(["source", "method"])["ratio"]
    tables = [
        " and ".join(f"{printed[f'FairDD T{n}', method]:.2f}" for method in ("dm", "dc"))
        for n in (9, 10)
    ]
    cost = (
        f"FairDD takes {' and '.join(here)} of vanilla's time at ten groups; its paper prints "
        f"{tables[0]} (Table 9), and {tables[1]} (Table 10)"
    )
    return [(PAGES[0], cost)]


TABLES = {
    "matrix": matrix_table,
    "cost": cost_table,
    "matrix, in words": matrix_said,
    "statistics": statistics_said,
    "controls": lambda: "\n\n".join(
        [controls.numbers(left_out=("herding-balanced", "whole-balanced")), controls.answer()]
    ),
    "controls with intervals": lambda: controls.numbers(intervals=True),
    "control groups": lambda: controls.numbers(("worst_group", "best_group")),
    "control differences": lambda: "\n\n".join(map(controls.differences, ("deo_a", "accuracy"))),
    "control findings": controls.findings,
}


def main() -> int:
    """Write the pages, or compare them."""
    status, placed = 0, dict.fromkeys(TABLES, 0)
    for page in PAGES:
        text = found = page.read_text(encoding="utf-8")
        for name, table in TABLES.items():
            marked = rf"<!-- {name} -->.*<!-- end of {name} -->"
            if not re.search(marked, text, flags=re.S):
                continue
            block = f"<!-- {name} -->\n\n{table()}\n\n<!-- end of {name} -->"
            text, count = re.subn(marked, lambda _, b=block: b, text, flags=re.S)
            placed[name] += count
        if "--check" not in sys.argv[1:]:
            page.write_text(text, encoding="utf-8")
        elif text != found:
            print(f"{page.name} differs from reports/measured; run `python tools/tables.py`")
            status = 1
    for page, sentence in quoted():
        if sentence not in " ".join(page.read_text(encoding="utf-8").split()):
            print(f"{page.name} does not say what was measured: {sentence}")
            status = 1
    for claim, holds in controls.claims().items():
        if not holds:
            print(f"results.md says what no longer holds: {claim}")
            status = 1
    for name, count in placed.items():
        if count != 1:
            print(f"there are {count} places for the table {name!r}, not one")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
