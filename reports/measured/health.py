"""How far the pixels of sound and of diverged sets lie, and where their losses went.

    python reports/measured/health.py reports/measured/health-digits.json

Every method under three rules on `digits`, `smoke` and `quick`, IPC 1 and 10, seed 0; then step
sizes that no run survives. The thresholds of `fddkit.distillers.health` lie between the two.
"""

import json
import sys
import warnings

import torch

import fddkit as fdd
from fddkit.distillers import health
from fddkit.distillers.registry import METHODS
from fddkit.rules.rules import RULES

WILD = [("dc", 1e9), ("dsa", 1e9), ("cafe", 1e9), ("idc", 1e9), ("dm", 1e9), ("dm", 1e38)]
WILD += [("mtt", 1000.0), ("mtt", 1e9), ("dm", 1e3), ("dm", 1e5), ("dc", 1e3), ("dream", 1e6)]


def one(train, method, rule, ipc, preset, **changed):
    """Return what a run comes to."""
    found = {"method": method, "rule": rule, "ipc": ipc, "preset": preset, **changed}
    try:
        s = fdd.distill(train, method, rule, ipc, preset=preset, progress=False, **changed)
    except fdd.FddkitError as error:
        return {**found, "error": str(error)}
    images = s.images.double()
    real = train.normalise(health.sample(torch.arange(len(train)))).double()
    tenth = max(1, len(s.loss) // 10)
    first, last = s.loss[:tenth].median(), s.loss[-tenth:].median()
    found["reach"] = float(images.square().mean().sqrt() / real.square().mean().sqrt())
    found["loss ratio"] = float(last / first)
    own = [note for note in s.health["notes"] if not note.startswith("pixels lie")]
    return {**found, "lr learnt": s.lr, "doubts": own}


def main(out):
    """Measure, and write after every run."""
    warnings.simplefilter("ignore")
    train, _ = fdd.load("digits")
    rows = []
    cells = [
        (method, rule, ipc, preset, {})
        for preset in ("smoke", "quick")
        for ipc in (1, 10)
        for method in METHODS
        for rule in ("vanilla", "fairdd", "cobra")
        if not METHODS[method].lacks(RULES[rule])
    ]
    cells += [(method, "vanilla", 1, "smoke", {"lr": lr}) for method, lr in WILD]
    for method, rule, ipc, preset, changed in cells:
        rows.append(one(train, method, rule, ipc, preset, **changed))
        print(rows[-1], flush=True)
        with open(out, "w") as file:
            found = {"command": f"python reports/measured/health.py {out}", "rows": rows}
            json.dump({**found, "versions": fdd.versions()}, file, indent=1)


if __name__ == "__main__":
    main(sys.argv[1])
