"""COBRA's Table 5 at a quick preset: writes maxres-DATASET.json beside itself.

    python reports/measured/maxres.py DATASET ROOT FOLDER [METHOD ...]   # FOLDER keeps finished sets

The largest residual of the distilled sets' classes, mean over classes and worst class, for four
rules; three sets of each, 95% intervals over sets. Under three kinds of network, because the paper
does not say what its converged one was trained on: ``own``, trained on the distilled set itself;
``whole``, trained on the real set, one for all; ``random``, as the distiller sees the images.
"""

import json
import sys
from pathlib import Path

import fddkit as fdd
from fddkit import theory

RULES, SEEDS, IPC, PRESET = ("vanilla", "fairdd", "cobra", "minimax"), 3, 10, "quick"
PER_CELL = 500  # real images of each class and group

name, root, folder, *methods = sys.argv[1:]
methods = methods or ["dm", "dc"]
train, test = fdd.load(name, root=root)
path = Path(__file__).with_name(f"maxres-{name}.json")
found = {
    "command": f"python reports/measured/maxres.py {name} ROOT FOLDER",
    "versions": fdd.versions("cpu"),
    "dataset": train.info,
    "preset": PRESET,
    "ipc": IPC,
    "seeds": SEEDS,
    "per_cell": PER_CELL,
    "methods": {},
}
whole = theory.converged(train, preset=PRESET)


def measure(method, one, network):
    """Return the largest residuals of one set under a network, and those of the rules' targets."""
    signal = theory.Signal(train, method, network, preset=PRESET)
    stats = signal.groups(PER_CELL)
    aims = {r: theory.MaxRes(theory.worst(stats, m)).mean for r, m in theory.aims(stats).items()}
    return theory.MaxRes(theory.worst(stats, signal.synthetic(one))), aims


for method in methods:
    results = {kind: {rule: [] for rule in RULES} for kind in ("own", "whole", "random")}
    aimed = {kind: {rule: [] for rule in RULES} for kind in results}
    for seed in range(SEEDS):
        for rule in RULES:
            out = f"{folder}/{name}-{method}-{rule}-{seed}"
            s = fdd.distill(train, method, rule, IPC, seed, PRESET, out=out)
            nets = {"own": theory.converged(s, preset=PRESET), "whole": whole, "random": None}
            for kind, net in nets.items():
                result, aims = measure(method, s, net)
                results[kind][rule].append(result)
                aimed[kind][rule].append(aims[rule])
    found["methods"][method] = {
        kind: {
            rule: {
                "mean": theory.MaxRes.pool(each).to_dict(),
                "worst": theory.MaxRes.pool(each, "worst").to_dict(),
                "seeds": [one.mean for one in each],
                "targets": aimed[kind][rule],
            }
            for rule, each in rules.items()
        }
        for kind, rules in results.items()
    }
    for kind, rules in results.items():
        pooled = {rule: theory.MaxRes.pool(each) for rule, each in rules.items()}
        print(fdd.ranking(pooled, f"{name} {method}, MaxRes, {kind} network"), flush=True)
    path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
