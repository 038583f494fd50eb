"""Two processes at once on the same files, many times over; run by test_together.py.

    python tests/together.py SCENARIO ROUNDS FOLDER

One process imports everything and forks two for each round, which wait for each other before they
begin. A line of JSON for each round: what each of the two came to, and what they left behind.
"""

import json
import os
import sys
import threading
import traceback
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch

import fddkit as fdd
from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.data.distilled import DistilledSet
from fddkit.distillers import fair_extractors, mtt_experts, registry
from fddkit.experiments import matrix, report_page, this_run
from fddkit.experiments.records import Record, alone

torch.set_num_threads(1)
QUICK = {"preset": "smoke", "progress": False, "iterations": 3, "width": 4, "batch": 8}


def data():
    return fdd.load("digits")


def same_set(who: int, folder: Path) -> str:
    train, _ = data()
    s = fdd.distill(train, "dm", "cobra", 1, out=folder / "s", checkpoint_seconds=0, **QUICK)
    return str(s.images.double().sum().item())


def two_seeds(who: int, folder: Path) -> str:
    train, _ = data()
    fdd.distill(train, "dm", "cobra", 1, who, out=folder / "s", checkpoint_seconds=0, **QUICK)
    return f"seed {DistilledSet.load(folder / 's').config['seed']} of {who}"


def one_expert(who: int, folder: Path) -> str:
    train, _ = data()
    tiny = mtt_experts.ExpertSettings(experts=1, epochs=2, width=2, depth=2, batch=512)
    found = mtt_experts.train_experts(train, tiny, 0, cache=folder, progress=False)
    return str(found.seals)


def one_extractor(who: int, folder: Path) -> str:
    train, _ = data()
    c = registry.settings("smoke", width=2, extractors=1, extractor_steps=2, augment="none")
    return str(fair_extractors.fair_extractors(train, c, 0, cache=folder, progress=False)[1])


def one_report(who: int, folder: Path) -> str:
    train, _ = data()
    for seed in range(2):
        if not (folder / f"{seed}").exists():
            fdd.distill(train, "random", ipc=1, seed=seed, out=folder / f"{seed}", progress=False)
    words = ["evaluate", str(folder / f"{who}"), "--preset", "smoke", "--repeats", "1"]
    return str(main([*words, "--json", str(folder / "r.json")]))


def one_matrix(who: int, folder: Path) -> str:
    cells = matrix.matrix(
        methods=["dm"], rules=["vanilla", "cobra"], seeds=1, repeats=1, ipc=1, preset="smoke",
        folder=folder, progress=False, baselines=(),
    )  # fmt: skip
    return str([(cell.numbers["accuracy"]["mean"], cell.error) for cell in cells])


def report_while_writing(who: int, folder: Path) -> str:
    from matplotlib.figure import Figure

    run = folder / "nb" / "default"
    record = Record("nb", "Nb", {"a": 1}, {"a": 1}, {}, "2026", None, "running", None, "ab")
    if who == 0:
        with alone(run):
            for i in range(20):
                record.save(run)
                current = this_run.Current(run, {})
                current.metrics({"numbers": {f"n{i}": {"mean": float(i)}}})
                figure = Figure(figsize=(1, 1))
                current.figure(figure, f"f{i}", "A caption.")
        return "written"
    while not (run / "run.json").exists():
        pass
    for _ in range(20):
        page = report_page.build(folder).read_text()
        assert "Something is wrong" not in page
        assert "damaged" not in page
    return "built"


NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "execution_count": None, "id": "a", "outputs": [],
         "metadata": {"tags": ["parameters"]}, "source": "a = 1"},
        {"cell_type": "code", "execution_count": None, "id": "b", "outputs": [], "metadata": {},
         "source": "from pathlib import Path\nPath('ran').open('a').write(f'{a} ')"},
    ],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


def one_sweep(who: int, folder: Path) -> str:
    from fddkit.experiments.sweeps import sweep

    os.chdir(folder)
    ended = sweep(folder / "nb.ipynb", {"a": [1, 2]}, reports=folder / "reports", progress=False)
    return str([one.error or one.status for one in ended])


def prepare(scenario, folder: Path) -> None:
    folder.mkdir(parents=True)
    if scenario is one_sweep:
        (folder / "nb.ipynb").write_text(json.dumps(NOTEBOOK))


def one_of_two(scenario, who: int, folder: Path, ready: int, go: int, out: int) -> None:
    """Run in a forked process: wait, work, say how it ended."""
    warnings.simplefilter("ignore")
    threading.Timer(240, lambda: os._exit(9)).start()
    os.write(ready, b"r")
    os.read(go, 1)
    try:
        said = ["right", scenario(who, folder)]
    except FddkitError as error:
        said = ["refused", str(error)]
    except BaseException:
        said = ["raised", traceback.format_exc()]
    os.write(out, json.dumps(said).encode())
    os._exit(0)


def round_of(scenario, folder: Path) -> dict:
    prepare(scenario, folder)
    (ready, is_ready), (go, let_go) = os.pipe(), os.pipe()
    pipes, children = [], []
    for who in range(2):
        back, out = os.pipe()
        child = os.fork()
        if child == 0:
            sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (what commands print)
            one_of_two(scenario, who, folder, is_ready, go, out)
        os.close(out)
        pipes.append(back)
        children.append(child)
    for _ in range(2):
        os.read(ready, 1)
    os.write(let_go, b"gg")
    ended = []
    for child, pipe in zip(children, pipes, strict=True):
        with open(pipe, "rb") as file:
            said = file.read()
        status = os.waitpid(child, 0)[1]
        ended.append(json.loads(said) if said else ["died", str(status)])
    for pipe in (ready, is_ready, go, let_go):
        os.close(pipe)
    left = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return {"ended": ended, "left": left}


if __name__ == "__main__":
    scenario = globals()[sys.argv[1]]
    data()  # what is cached in memory is there for all
    for i in range(int(sys.argv[2])):
        print(json.dumps(round_of(scenario, Path(sys.argv[3]) / str(i))), flush=True)
