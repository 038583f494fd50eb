"""Which numbers of the published Tables 1 survive their nulls.

    python reports/measured/published.py reports/measured/published.json

Computed from the printed numbers alone, in half a minute: how many gaps lie above what a fair model
shows; how many differences between rules survive Welch's test and Holm's correction, both without
and with what chance shows subtracted (what it adds lies in between), once with the number of
networks that is printed (COBRA) or in the released scripts (FairDD), once with five; and which
printed means cannot be those of so many networks.
"""

import json
import sys

import fddkit as fdd
from fddkit.evaluation.multiple_tests import LEVEL
from fddkit.experiments.published_chance import against_chance
from fddkit.experiments.published_differences import differences
from fddkit.experiments.published_survivors import chances, counted, sentences
from fddkit.experiments.published_tables import TABLE_1, possible_networks, table_1

FEW = 5  # networks that COBRA's released code trains with DM and DC
KEPT = ["dataset", "distiller", "ipc", "metric", "a", "b", "mean_a", "mean_b", "difference"]
KEPT += ["excess_difference", "p_holm", "p_excess_holm", "within_nulls"]
CELL = ["dataset", "distiller", "fairness", "ipc", "metric", "mean", "accuracy", "null", "null_95"]
CELL += ["p", "p_holm", "p_uneven"]


def records(table):
    """Return a table, ready for JSON: missing numbers are null."""
    rows = json.loads(table.round(4).to_json(orient="values"))
    return {"columns": list(table), "rows": rows}


def summary(paper):
    """Return what is found of one paper."""
    cells, few = table_1(paper), differences(table_1(paper, networks=FEW))
    gaps, told = against_chance(cells), possible_networks(cells)
    found = differences(cells, gaps)
    once = (found["p_holm"] < LEVEL) & ~found["survives"]
    return {
        "tables": TABLE_1[paper],
        "sentences": sentences(cells),
        "chance": records(chances(gaps)),
        "not above chance": records(gaps.loc[gaps["p_holm"] >= LEVEL, CELL]),
        "pairs": records(counted(found)),
        f"pairs, if {FEW} networks": records(counted(few)),
        "untested": {why: int(n) for why, n in found["untested"].value_counts().items() if why},
        "impossible means": records(told.loc[~told["possible"], [*CELL[:6], "numbers"]]),
        "surviving": records(found.loc[found["survives"], KEPT]),
        "undecided: only if nothing is subtracted": records(found.loc[once, KEPT]),
    }


def _lines(part):
    """Return JSON with one line for each sentence and row."""
    if isinstance(part, dict) and any(isinstance(value, list) for value in part.values()):
        return "{" + ",\n".join(f"{json.dumps(k)}: {_lines(v)}" for k, v in part.items()) + "}"
    if isinstance(part, list):
        return "[" + ",\n".join(json.dumps(row) for row in part) + "]"
    return json.dumps(part)


def main(out):
    """Compute and write."""
    found = {"command": f"python reports/measured/published.py {out}", "versions": fdd.versions()}
    for paper in TABLE_1:
        found[paper] = summary(paper)
        print(f"{paper}:", *found[paper]["sentences"], sep="\n  ")
    with open(out, "w") as file:
        blocks = (f"{json.dumps(k)}: {_lines(part)}" for k, part in found.items())
        file.write("{" + ",\n".join(blocks) + "}\n")


if __name__ == "__main__":
    main(sys.argv[1])
