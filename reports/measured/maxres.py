"""COBRA's Table 5, and beside it the distances to images: writes maxres-DATASET.json.

    python reports/measured/maxres.py DATASET ROOT FOLDER [METHOD ...] [--sets N] [--json PATH] ...

FOLDER holds distilled sets, named as by `fddkit matrix`
(``DATASET-METHOD-RULE-ipc10-quick-SEED.safetensors``); those that are missing are distilled into
it, or left out with ``--found``.

The largest residual of each class, mean over classes and worst class, in two senses
(`fddkit.theory.largest_residuals`): ``targets``, of the rule's target, squared, as the paper
prints it; and ``images``, of the set's images, not squared. Under three kinds of network: ``own``,
trained on the distilled set, as in the paper; ``whole``, trained on the real set; ``random``, as
the distiller sees the images. The network of set n has seed n; 95% intervals are over pairs of
a set and its network. ``vanilla over`` is the ratio of vanilla's mean over classes to the rule's,
seed by seed (geometric mean), because the units depend on the network.
"""

import argparse
import json
import math
import shlex
import sys
from functools import cache
from pathlib import Path

import numpy as np

import fddkit as fdd
from fddkit import theory
from fddkit.evaluation.summary import Summary

KINDS = ("own", "whole", "random")
OVER = ("mean", "worst")  # classes


def options():
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("dataset")
    parser.add_argument("root", help="folder of the raw data")
    parser.add_argument("folder", type=Path, help="folder of the distilled sets")
    parser.add_argument("methods", nargs="*", help="dm and dc by default")
    parser.add_argument("--rules", default="vanilla,fairdd,cobra,minimax")
    parser.add_argument("--networks", default=",".join(KINDS), help="kinds of network")
    parser.add_argument("--sets", type=int, default=3, help="of each rule, seeds 0, 1, ...")
    parser.add_argument("--ipc", type=int, default=10)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--br", type=float, help="by default the data set's own")
    parser.add_argument("--per-cell", type=int, default=500, help="real images of class and group")
    parser.add_argument("--found", action="store_true", help="distil nothing")
    parser.add_argument("--json", type=Path, help="by default beside this script")
    return parser.parse_args()


def distilled(given, train, method, rule, seed):
    """Return the set from the folder, or a new one; None if it is missing and must not be made."""
    name = f"{given.dataset}-{method}-{rule}-ipc{given.ipc}-{given.preset}-{seed}.safetensors"
    path = given.folder / name
    if not path.exists():
        if given.found:
            print(f"{name} is missing", flush=True)
            return None
        return fdd.distill(
            train, method, rule, given.ipc, seed, given.preset, out=path, progress=False
        )
    s = fdd.DistilledSet.load(path)
    asked = {
        "fingerprint": train.fingerprint(),
        "method": method,
        "fairness": rule,
        "ipc": given.ipc,
        "preset": given.preset,
        "seed": seed,
    }
    wrong = [key for key, value in asked.items() if s.config.get(key) != value]
    if wrong:
        raise SystemExit(f"{path} differs from what its name or this call says: {', '.join(wrong)}")
    return s


def over_sets(values):
    """Return the summary of numbers that are not negative."""
    return Summary(np.array(values), bounds=(0.0, math.inf), unit="sets")


def summary(values):
    """Return mean, std and interval of numbers that are not negative, and how many there are."""
    found = over_sets(values).to_dict()
    return {**{key: found[key] for key in ("mean", "std", "ci95")}, "n": len(values)}


def ratio(above, below):
    """Return the geometric mean of the ratios of common seeds, and its interval."""
    logs = [math.log(above[seed] / below[seed]) for seed in sorted(above.keys() & below.keys())]
    if not logs:
        return None
    found = Summary(np.array(logs), bounds=(-math.inf, math.inf))
    ends = [None if math.isnan(end) else math.exp(end) for end in found.ci95]
    return {"mean": math.exp(found.mean), "ci95": ends, "n": len(logs)}


def told(rules):
    """Return what is written of rule -> sense -> over -> seed -> number."""
    found = {}
    for rule, senses in rules.items():
        found[rule] = {
            sense: {over: {**summary(list(n.values())), "by seed": n} for over, n in each.items()}
            for sense, each in senses.items()
        }
        if "vanilla" in rules:
            found[rule]["vanilla over"] = {
                sense: ratio(rules["vanilla"][sense]["mean"], each["mean"])
                for sense, each in senses.items()
            }
    return found


def measure(given, train, method):
    """Return kind -> rule -> sense -> over -> seed -> number."""
    rules = given.rules.split(",")
    width = theory.Signal(train, method, preset=given.preset).matching.settings.width
    whole = cache(lambda seed: theory.converged(train, seed, given.preset, width=width))
    found = {}
    for seed in range(given.sets):
        for rule in rules:
            s = distilled(given, train, method, rule, seed)
            if s is None:
                continue
            for kind in given.networks.split(","):
                net = whole(seed) if kind == "whole" else kind
                one = theory.maxres_of_set(
                    train, s, net, rules=[rule], per_cell=given.per_cell, seed=seed
                )
                senses = {"targets": one.targets[rule], "images": one.images}
                for sense, largest in senses.items():
                    for over in OVER:
                        place = found.setdefault(kind, {}).setdefault(rule, {})
                        place = place.setdefault(sense, {}).setdefault(over, {})
                        place[seed] = getattr(largest, over)
            print(f"{method} {rule} {seed} is measured", flush=True)
    return found


def printed(dataset, method):
    """Return the cells of Table 5: row of the table -> rule -> numbers."""
    cells = fdd.papers.published(paper="cobra", metric=[f"maxres_{over}" for over in OVER])
    found = {}
    for one in cells[(cells.dataset == dataset) & (cells.distiller == method)].itertuples():
        row = found.setdefault(one.condition, {}).setdefault(one.fairness, {})
        row[one.metric.removeprefix("maxres_")] = one.mean
    for rules in found.values():
        for each in rules.values():
            each["vanilla over"] = rules["vanilla"]["mean"] / each["mean"]
    return found


def show(method, kinds, published):
    """Print the means over classes: rankings, and vanilla relative to the others."""
    for kind, rules in kinds.items():
        for sense in ("targets", "images"):
            by_seed = {rule: list(each[sense]["mean"].values()) for rule, each in rules.items()}
            pooled = {rule: over_sets(values) for rule, values in by_seed.items()}
            print(fdd.ranking(pooled, f"{method}, MaxRes of {sense}, {kind} networks"), flush=True)
    for row, rules in published.items():
        print(f"{method}, Table 5, {row}:", {rule: each["mean"] for rule, each in rules.items()})


def main():
    """Measure, and write after every method."""
    given = options()
    train, _ = fdd.load(given.dataset, br=given.br, root=given.root)
    out = given.json or Path(__file__).with_name(f"maxres-{given.dataset}.json")
    found = {
        "command": shlex.join(["python", "reports/measured/maxres.py", *sys.argv[1:]]),
        "versions": fdd.versions("cpu"),
        "dataset": train.info,
        "preset": given.preset,
        "ipc": given.ipc,
        "per_cell": given.per_cell,
        "units": {"targets": "squared", "images": "not squared"},
        "methods": {},
    }
    for method in given.methods or ["dm", "dc"]:
        kinds = measure(given, train, method)
        published = printed(given.dataset, method)
        found["methods"][method] = {
            "published": published,
            "measured": {kind: told(rules) for kind, rules in kinds.items()},
        }
        show(method, kinds, published)
        out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
