"""Write the tables of docs/results.md anew from reports/measured/, between their markers.

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
PAGE = ROOT / "docs" / "results.md"


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


TABLES = {"matrix": matrix_table, "cost": cost_table}


def main() -> int:
    """Write the page, or compare it."""
    path = PAGE
    text = found = path.read_text(encoding="utf-8")
    for name, table in TABLES.items():
        block = f"<!-- {name} -->\n\n{table()}\n\n<!-- end of {name} -->"
        text, count = re.subn(
            rf"<!-- {name} -->.*<!-- end of {name} -->", lambda _, b=block: b, text, flags=re.S
        )
        if count != 1:
            print(f"{PAGE.name} has {count} places for the table {name!r}, not one")
            return 1
    if "--check" in sys.argv[1:]:
        if text != found:
            print(f"{PAGE.name} differs from reports/measured; run `python tools/tables.py`")
        return int(text != found)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
