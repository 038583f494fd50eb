"""What FairDD and COBRA differ in, on digits: writes factorial-digits.json beside itself.

python reports/measured/factorial.py [FOLDER]    # FOLDER keeps finished sets
"""

import json
import sys
from pathlib import Path

import fddkit as fdd
from fddkit.experiments.factorial import FAIRDD_AND_COBRA, METRICS, factorial

EXPERIMENTS = {
    "FairDD and COBRA": (
        {**FAIRDD_AND_COBRA, "step": {"1": {"lr": 5.0}, "10": {"lr": 50.0}}},
        {},
    ),
    # the step size of l1 is a tenth: its gradient does not shrink with the distance
    "COBRA as its code runs DM": (
        {
            "distance": {
                "mse": {"distance": "mse", "lr": 5.0},
                "l1": {"distance": "l1", "lr": 0.5},
            },
            "network": {"random": {}, "warmed": {"warmup": 10}},
        },
        {"fairness": "cobra"},
    ),
}

train, test = fdd.load("digits", br=0.75)
settings = {"method": "dm", "ipc": 10, "preset": "quick", "seeds": 3, "repeats": 2}
found = {
    "command": "python reports/measured/factorial.py",
    "versions": fdd.versions("cpu"),
    "dataset": train.info,
    **settings,
    "experiments": {},
}
for title, (factors, options) in EXPERIMENTS.items():
    folder = Path(sys.argv[1]) / title if sys.argv[1:] else None
    outcome = factorial(train, test, factors, folder=folder, **settings, **options)
    effects = outcome.effects().round(3)
    found["experiments"][title] = {
        "factors": factors,
        "cells": outcome.cells().round(3).reset_index().to_dict("records"),
        "effects": {
            name: {m: {p: row[m, p] for p in ("mean", "low", "high")} for m in METRICS}
            for name, row in effects.iterrows()
        },
    }
path = Path(__file__).with_name("factorial-digits.json")
path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
