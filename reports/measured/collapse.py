"""What sentences say where a method collapses on some seeds: collapse.json.

    python reports/measured/collapse.py

The simulations of `calibration.py` let sets spread like normal or t-distributed numbers. Here they
have two kinds. `from_zero`: an effect is -40 points on one seed in five, else +10, so 0 on average.
`verdict`: three equal methods (a counterfactual test of 5 classes, 2 groups, 40 images in a cell);
every second set collapses: it recognises 40% instead of 85% of the majority and 30% instead of 65%
of the other group. Networks err independently.
"""

import json
from pathlib import Path

import numpy as np

import fddkit as fdd
from fddkit.evaluation.summary import Summary

SETS, EFFECTS, REPORTS = (2, 3, 5, 10), 4000, 300
CLASSES, IMAGES = 5, 40
SOUND, COLLAPSED = (0.85, 0.65), (0.4, 0.3)  # rates of majority and other group
WORDS = ("fairer", "less fair", "more accurate", "less accurate")


def effect(rng, sets):
    """Return whether an effect is found that is 0 on average."""
    values = np.where(rng.random(sets) < 0.2, -40.0, 10.0) + rng.normal(0, 1, sets)
    return fdd.from_zero(Summary(values, (-100.0, 100.0), "sets"), "it").startswith("it is ")


def report(rng, sets):
    """Return a report on sets of which every second one collapses, by chance."""
    true, group = np.repeat(np.arange(CLASSES), 2 * IMAGES), np.tile([0, 1], CLASSES * IMAGES)
    rates = np.where(rng.random(sets)[:, None] < 0.5, COLLAPSED, SOUND)  # [set, group]
    right = rng.random((sets, len(true))) < rates[:, group]
    return fdd.FairnessReport.pool(
        [
            fdd.FairnessReport.from_predictions(
                true, [np.where(one, true, (true + 1) % CLASSES)], group, names=["convnet"]
            )
            for one in right
        ]
    )


def main():
    """Simulate and write."""
    rows = []
    for sets in SETS:
        rng = np.random.default_rng([20, sets])
        false = np.mean([effect(rng, sets) for _ in range(EFFECTS)])
        rows.append({"kind": "from_zero", "sets": sets, "reports": EFFECTS, "false": false})
    for sets in SETS:
        rng, wrong = np.random.default_rng([21, sets]), 0
        for _ in range(REPORTS):
            named = {rule: report(rng, sets) for rule in ("vanilla", "fairdd", "cobra")}
            wrong += any(word in fdd.verdict(named) for word in WORDS)
        rows.append({"kind": "verdict", "sets": sets, "reports": REPORTS, "false": wrong / REPORTS})
        print(rows[-1], flush=True)
    found = {"command": "python reports/measured/collapse.py", "versions": fdd.versions()}
    out = Path(__file__).with_suffix(".json")
    out.write_text(json.dumps({**found, "rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
