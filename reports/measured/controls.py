"""Does distillation beat real images? Baselines and rules at the same number of images.

    python reports/measured/controls.py digits --ipcs 1,3,5,10 --seeds 5
    python reports/measured/controls.py cmnist-fg --ipcs 10 --seeds 3
    python reports/measured/controls.py cifar10-s --ipcs 10 --seeds 3

Distils with DM, trains two networks on every set and keeps sets and reports in a folder, so that
an interrupted call goes on; then writes `controls-<data set>.json` beside this file: every number
with its interval, why a gap would say nothing (`doubt`), and every comparison.
"""

import argparse
import json
import sys
import time
from itertools import product
from pathlib import Path

import fddkit as fdd
from fddkit.evaluation.conclusions import phrase
from fddkit.evaluation.guard import doubt

RULES = ("vanilla", "fairdd", "cobra", "minimax")
SIZED = ("random", "random-balanced", "herding", "herding-balanced", "k-centre")
WHOLE = ("whole", "whole-balanced")
HERE = Path(__file__).parent


def make(args: argparse.Namespace) -> None:
    """Distil and evaluate what is not there yet."""
    train, test = fdd.load(args.dataset, root=args.root)
    kinds = [("dm", rule) for rule in RULES] + [(name, None) for name in SIZED]
    for seed, ipc, (method, rule) in product(range(args.seeds), args.ipcs, kinds):
        name = f"{args.dataset}-{method}-{rule or 'none'}-ipc{ipc}-{args.preset}-{seed}"
        report = args.folder / f"{name}.json"
        if report.exists():
            continue
        began = time.monotonic()
        given = {"fairness": rule} if rule else {}
        out = args.folder / f"{name}.safetensors"
        s = fdd.distill(
            train, method, ipc=ipc, seed=seed, preset=args.preset, out=out, progress=False, **given
        )
        middle = time.monotonic()
        options = {"repeats": args.repeats, "seed": seed, "preset": args.preset}
        fdd.evaluate(s, test, progress=False, **options).save(report)
        print(f"{name}: {middle - began:.0f} + {time.monotonic() - middle:.0f} s", flush=True)
    for name in WHOLE:
        report = args.folder / f"{args.dataset}-{name}.json"
        if not report.exists():
            s = fdd.distill(train, name, seed=0, progress=False)
            options = {"repeats": args.seeds, "seed": 0, "preset": args.preset}
            fdd.evaluate(s, test, progress=False, **options).save(report)
            print(name, flush=True)


FAIR = ("fairdd", "cobra", "minimax")
#: What is compared at every IPC, by DEO_A and accuracy: one family for Holm's correction.
PAIRS = [("random", "whole"), ("random", "random-balanced"), ("vanilla", "random")]
PAIRS += [(rule, "random-balanced") for rule in FAIR] + [(rule, "vanilla") for rule in FAIR]
PAIRS += [("fairdd", "cobra"), ("minimax", "cobra"), ("minimax", "fairdd")]
PAIRS += [("herding-balanced", "random-balanced"), ("cobra", "herding-balanced")]
METRICS = ("accuracy", "worst_group", "best_group", "deo_m", "deo_a")


def load(args: argparse.Namespace, ipc: int) -> dict[str, fdd.FairnessReport]:
    """Return what was measured at one IPC, by name."""
    named = {}
    for name in (*SIZED, *RULES):
        method = f"{name}-none" if name in SIZED else f"dm-{name}"
        files = [
            args.folder / f"{args.dataset}-{method}-ipc{ipc}-{args.preset}-{seed}.json"
            for seed in range(args.seeds)
        ]
        named[name] = fdd.FairnessReport.pool([fdd.FairnessReport.load(f) for f in files])
    for name in WHOLE:
        named[name] = fdd.FairnessReport.load(args.folder / f"{args.dataset}-{name}.json")
    return named


def measured(args: argparse.Namespace) -> dict:
    """Return every number and every comparison."""
    rows, compared, parts = [], [], []
    for ipc in args.ipcs:
        named = load(args, ipc)
        for name, report in named.items():
            numbers = {m: report.shown.metric(m).to_dict() for m in METRICS}
            rows.append({"ipc": ipc, "name": name, "doubt": doubt(report.shown, name), **numbers})
        for one in fdd.family(named, PAIRS):
            compared.append({"ipc": ipc, **one.to_dict()})
            print(f"IPC {ipc}: {one.a} against {one.b} ({one.units}): {phrase(one)}", flush=True)
        for rule in RULES:
            for part, one in fdd.decompose(named, rule).items():
                parts.append({"ipc": ipc, "rule": rule, "part": part, **one.to_dict()})
    return {"rows": rows, "comparisons": compared, "parts": parts}


def main() -> None:
    """Run the experiment."""
    parser = argparse.ArgumentParser()
    parser.add_argument("dataset")
    parser.add_argument("--root", default="data")
    parser.add_argument("--ipcs", type=lambda s: [int(n) for n in s.split(",")], default=[10])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--preset", default="quick")
    parser.add_argument("--folder", type=Path, default=Path("reports/controls"))
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    make(args)
    _, test = fdd.load(args.dataset, root=args.root)
    found = {
        "command": f"python reports/measured/controls.py {' '.join(sys.argv[1:])}",
        "versions": fdd.versions(),
        "dataset": args.dataset,
        "test": {"set": test.info, "shown": "counterfactual, or the paired main test"},
        "distiller": "dm",
        "preset": args.preset,
        "sets": args.seeds,
        "networks on each": args.repeats,
        **measured(args),
    }
    out = HERE / f"controls-{args.dataset}.json"
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(out)


if __name__ == "__main__":
    main()
