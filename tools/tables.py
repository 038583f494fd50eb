"""Write the tables of the README and docs/results.md anew from reports/measured/.

Each stands between two markers, in whichever page has them.

python tools/tables.py           # write
python tools/tables.py --check   # only tell whether the page is what would be written
"""

import json
import re
import sys
from pathlib import Path

from fddkit.experiments import matrix

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


#: Data set -> its name in the tables.
CONTROLLED = {"digits": "digits", "cmnist-fg": "C-MNIST (FG)", "cifar10-s": "CIFAR10-S"}
#: Verdict of a comparison with random-balanced -> its sign; of gaps, lower is better.
SIGNS = {"accuracy": {"higher": "+", "lower": "-"}, "deo_a": {"higher": "-", "lower": "+"}}


def control_columns() -> list[tuple[dict, int]]:
    """Return the measurement and the IPC of each column of the control table."""
    found = [read(f"controls-{name}") for name in CONTROLLED]
    return [(one, ipc) for one in found for ipc in sorted({row["ipc"] for row in one["rows"]})]


def control_table(intervals: bool = False, left_out: tuple[str, ...] = ()) -> str:
    """Return accuracy and DEO_A of baselines and rules, and which differ from the control."""
    columns = control_columns()
    heads = [f"{CONTROLLED[one['dataset']]}, IPC {ipc}" for one, ipc in columns]
    names = dict.fromkeys(row["name"] for one, _ in columns for row in one["rows"])
    names = [name for name in names if name not in left_out]
    lines = [f"| accuracy / DEO_A | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for name in names:
        cells = [_control(one, ipc, name, intervals) for one, ipc in columns]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _control(one: dict, ipc: int, name: str, intervals: bool) -> str:
    """Return a cell: both numbers, each with the sign of its comparison with random-balanced."""
    [row] = [row for row in one["rows"] if (row["ipc"], row["name"]) == (ipc, name)]
    shown = []
    for metric, signs in SIGNS.items():
        number = row[metric]
        sign = "".join(
            signs.get(c["verdict"], "")
            for c in one["comparisons"]
            if (c["ipc"], c["a"], c["b"], c["metric"]) == (ipc, name, "random-balanced", metric)
        )
        text = f"{number['mean']:.0f}{sign}"
        if intervals and number["ci95"][0] is not None:
            low, high = number["ci95"]
            text += f" [{low:.0f}, {high:.0f}]"
        shown.append(text)
    return " / ".join(shown)


def control_verdicts() -> str:
    """Return what the comparisons with equally many balanced real images say."""
    lines = []
    for one, ipc in control_columns():
        where = f"{CONTROLLED[one['dataset']]}, IPC {ipc}"
        said = [line for line in one["verdict"][str(ipc)] if "against random-balanced" in line]
        lines += [f"- **{where}**: {line}" for line in said]
    return "\n".join(lines)


def parts_table() -> str:
    """Return where the difference to the whole set comes from."""
    columns = control_columns()
    heads = [f"{CONTROLLED[one['dataset']]}, IPC {ipc}" for one, ipc in columns]
    lines = [f"| DEO_A, points | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    shown = [("size", "vanilla"), ("target", "cobra")]
    shown += [("optimisation", rule) for rule in ("vanilla", "fairdd", "cobra", "minimax")]
    for part, rule in shown:
        cells = []
        for one, ipc in columns:
            [p] = [p for p in one["parts"] if (p["ipc"], p["rule"], p["part"]) == (ipc, rule, part)]
            cells.append(f"{p['difference']:+.1f} [{p['low']:.1f}, {p['high']:.1f}]")
        name = {"size": "size: random - whole", "target": "target: random-balanced - random"}
        lines.append(f"| {name.get(part, f'{part}: {rule}')} | {' | '.join(cells)} |")
    return "\n".join(lines)


TABLES = {
    "matrix": matrix_table,
    "cost": cost_table,
    "controls": lambda: control_table(left_out=("herding-balanced", "whole-balanced")),
    "controls with intervals": lambda: control_table(intervals=True),
    "control parts": parts_table,
    "control verdicts": control_verdicts,
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
    for name, count in placed.items():
        if count != 1:
            print(f"there are {count} places for the table {name!r}, not one")
            status = 1
    return status


if __name__ == "__main__":
    raise SystemExit(main())
