"""Made `flat`, at commit 007e729: python tests/artifacts/flat.py tests/artifacts/flat.

The names are those of that commit; it is kept to say how the files came to be.
"""

import sys
from pathlib import Path

import nbformat

import fddkit as fdd
from fddkit import matrix, runs, worker
from fddkit.choice import Choice

SMALL = {"preset": "smoke", "progress": False, "width": 2, "depth": 2}
CODE = """\
import fddkit as fdd
run = fdd.experiments.current()
run.metrics({"numbers": {"twice": 2 * ipc}})
"""


class Link:
    """Nobody listens."""

    def send(self, *_, **__):
        """Keep silent."""

    def obey(self):
        """Go on."""

    def due(self):
        """Say that a picture is wanted."""
        return True


def main(folder):
    """Leave a file of every kind there."""
    train, test = fdd.load("digits")
    s = fdd.distill(train, "dm", "cobra", 1, out=folder / "dm.safetensors", **SMALL)
    fdd.evaluate(s, test, repeats=2, preset="smoke", progress=False).save(folder / "dm.json")
    shared = {"cache": folder / "cache", **SMALL}
    few = {"iterations": 2, "experts": 1, "student_steps": 2, "max_start": 1, "expert_epochs": 2}
    fdd.distill(train, "mtt", "vanilla", 1, out=folder / "mtt.safetensors", **few, **shared)
    fdd.distill(train, "dm", "kde", 1, out=folder / "kde.safetensors", iterations=2, **shared)
    fair = {"extractor": "fair", "extractors": 1, "extractor_steps": 2, "outer": 2, "inner": 1}
    fair["iterations"] = 2
    fdd.distill(train, "dc", "fairdd", 1, out=folder / "dc.safetensors", **fair, **shared)

    def stop(progress):
        if progress.iteration == 7:
            raise KeyboardInterrupt

    try:
        begun = {"out": folder / "begun.safetensors", "callback": stop, "every": 1}
        fdd.distill(train, "dm", "fairdd", 1, **begun, **SMALL)
    except KeyboardInterrupt:
        pass
    order = worker.Order(Choice(ipc=1, preset="smoke"), "data", str(folder / "explore"), 1)
    worker._work(Link(), order)
    sizes = {"seeds": 1, "repeats": 1, "ipc": 1, "preset": "smoke", "progress": False}
    matrix.matrix("digits", ["dm"], ["cobra"], folder=folder / "matrix", **sizes)
    cells = [
        nbformat.v4.new_markdown_cell("# Tiny"),
        nbformat.v4.new_code_cell("ipc = 1", metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(CODE),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "tiny.ipynb")
    runs.run(folder / "tiny.ipynb", {"ipc": 2}, reports=folder / "reports", progress=False)


main(Path(sys.argv[1]))
