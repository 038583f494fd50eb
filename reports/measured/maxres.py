"""COBRA's Table 5 at a quick preset: writes maxres-DATASET.json beside itself.

    python reports/measured/maxres.py DATASET ROOT FOLDER [METHOD ...]   # FOLDER keeps finished sets

The largest residual of the distilled sets' classes under a network trained on the whole real set,
mean over classes and worst class, for four rules; three sets of each, 95% intervals over sets.
"""

import json
import sys
from pathlib import Path

import fddkit as fdd
from fddkit import theory

RULES, SEEDS, IPC, PRESET = ("vanilla", "fairdd", "cobra", "minimax"), 3, 10, "quick"

name, root, folder, *methods = sys.argv[1:]
methods = methods or ["dm", "dc"]
train, test = fdd.load(name, root=root)
net = theory.converged(train, preset=PRESET)
path = Path(__file__).with_name(f"maxres-{name}.json")
found = {
    "command": f"python reports/measured/maxres.py {name} ROOT FOLDER",
    "versions": fdd.versions("cpu"),
    "dataset": train.info,
    "preset": PRESET,
    "ipc": IPC,
    "seeds": SEEDS,
    "network": "convnet trained on the whole set, one for all",
    "methods": {},
}
for method in methods:
    signal = theory.Signal(train, method, net, preset=PRESET)
    stats = signal.groups()
    aims = {r: theory.MaxRes(theory.worst(stats, m)) for r, m in theory.aims(stats).items()}
    sets = {
        (rule, seed): fdd.distill(
            train, method, rule, IPC, seed, PRESET, out=f"{folder}/{name}-{method}-{rule}-{seed}"
        )
        for seed in range(SEEDS)
        for rule in RULES
    }
    each = {
        rule: list(theory.maxres(signal, {n: sets[rule, n] for n in range(SEEDS)}).values())
        for rule in RULES
    }
    found["methods"][method] = {
        rule: {
            "mean": theory.MaxRes.pool(each[rule]).to_dict(),
            "worst": theory.MaxRes.pool(each[rule], "worst").to_dict(),
            "seeds": [one.mean for one in each[rule]],
            "target": aims[rule].mean,
        }
        for rule in RULES
    }
    pooled = {rule: theory.MaxRes.pool(each[rule]) for rule in RULES}
    print(fdd.ranking(pooled, f"{name} {method}, MaxRes"), flush=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
