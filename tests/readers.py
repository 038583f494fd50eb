"""Everything in fddkit that reads a file: how it is called, and what it may then return."""

import io
import json
import math
import os
import shutil
import unicodedata
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import asdict, dataclass, field, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import fddkit as fdd  # before torch: it sets how OpenMP's threads wait

import mutations  # isort: skip
import numpy as np
import torch
from matplotlib.figure import Figure
from references import toy

from fddkit.analysis.features import Features
from fddkit.analysis.projections import project
from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.core.files import digest, write_json
from fddkit.data import loading
from fddkit.data.distilled import DistilledSet
from fddkit.distillers import mtt_experts
from fddkit.distillers.dc import DCSettings
from fddkit.distillers.fair_extractors import fair_extractors
from fddkit.distillers.mtt_experts import ExpertSettings, train_experts
from fddkit.evaluation.measures import METRICS
from fddkit.evaluation.report import FairnessReport
from fddkit.experiments import (
    checking,
    kept_reports,
    matrix,
    matrix_sets,
    notebooks,
    report_page,
    this_run,
)
from fddkit.experiments.records import Record
from fddkit.rules import encoder
from fddkit.widgets.past import Past
from fddkit.workbench import finished
from fddkit.workbench.choice import Choice

LONGEST = 600  # characters of a message, its path not counted


@dataclass(frozen=True)
class Reader:
    """One way to read a file.

    Attributes
    ----------
    name : str
        What the counts call it.
    form : str
        See `mutations.mutate`.
    file : str
        What is mutated, below the folder.
    template : Path
        A folder of whole files, copied for each mutant.
    read : callable
        ``read(folder, path)`` reads it and returns what it holds; its errors name the file.
    use : callable
        ``use(folder, value)`` does with it what users do, and returns what that gives.
    sound : callable
        ``sound(value, used)`` says what is wrong with what was taken, if anything.
    sealed : bool
        Whether the file has a seal, so that what is taken is what was written.
    remade : bool
        Whether what is damaged may be set aside and made anew, giving the same.
    lost : callable
        ``lost(folder, data)``: whether what the file held is gone, where it is not the file.
    weight : int
        How often it is asked.
    keys : tuple of str
        Entries of its header that are altered more often.
    works : bool
        Whether it computes something from the file at once, of which a message may be, too.
    renewed : tuple of str
        Suffixes of the other files that it may replace.
    """

    name: str
    form: str
    file: str
    template: Path
    read: Callable[[Path, Path], Any]
    use: Callable[[Path, Any], Any] = lambda folder, value: value
    sound: Callable[[Any, Any], str | None] = lambda value, used: None
    sealed: bool = True
    remade: bool = False
    lost: Callable[[Path, bytes | None], bool] = lambda folder, data: True
    weight: int = 10
    keys: tuple[str, ...] = ()
    works: bool = False
    renewed: tuple[str, ...] = ()

    @cached_property
    def data(self) -> bytes:
        return (self.template / self.file).read_bytes()

    def lay_out(self, folder: Path, mutant: mutations.Mutant | None) -> Path:
        """Copy the whole files, and put a mutant in the place of one; return that."""
        shutil.copytree(self.template, folder, symlinks=True)
        path = folder / self.file
        if mutant is not None:
            path.unlink()
            mutant.put(path)
        return path


def fingerprint(value: Any) -> str:
    """Return a digest of anything that a reader returns."""
    return digest(*_parts(value))


def _parts(value: Any) -> list[bytes | str]:
    if isinstance(value, torch.Tensor):
        return [str(value.dtype), str(list(value.shape)), value.contiguous().numpy().tobytes()]
    if isinstance(value, np.ndarray):
        return [str(value.dtype), str(value.shape), value.tobytes()]
    if is_dataclass(value):
        return _parts({name: one for name, one in vars(value).items() if name[0] != "_"})
    if isinstance(value, dict):
        parts = [(str(k), p) for k in sorted(value, key=str) for p in _parts(value[k])]
        return [f"dict {len(value)}", *(p for pair in parts for p in pair)]
    if isinstance(value, list | tuple):
        return [f"list {len(value)}", *(p for one in value for p in _parts(one))]
    return [repr(value)]


def unfit(
    text: str, path: Path | None = None, named: bool = True, longest: int = LONGEST
) -> str | None:
    """Return what is wrong with a message: it should be one printable sentence about a file."""
    rest = text
    if path is not None:
        if named and path.name not in text and repr(path.name)[1:-1] not in text:
            return f"does not name the file: {text[:200]!r}"
        shown = {str(p) for p in (path, path.parent, path.parent.parent)} | {path.name}
        for one in sorted(shown, key=len, reverse=True):
            rest = rest.replace(repr(one)[1:-1], "").replace(one, "")
    if len(rest) > longest:
        return f"has {len(rest)} characters: {rest[:200]!r}"
    odd = [c for c in rest if unicodedata.category(c) in ("Cc", "Cf", "Cs", "Zl", "Zp")]
    return f"shows {odd[0]!r}: {rest[:200]!r}" if odd else None


def _shown(text: str, what: str) -> str | None:
    """Return what is wrong with what a terminal shows of a value; lines are allowed."""
    wrong = unfit(text.replace("\n", " "), longest=20_000)
    return wrong and f"its {what} {wrong}"


# --- sets ---------------------------------------------------------------------------------------


def _use_set(folder: Path, s: DistilledSet) -> Any:
    s.to_images(folder / "images")
    return repr(s), s.pixels(), s.to_dataset().tensors, s


def _sound_set(s: DistilledSet, used: Any) -> str | None:
    shown, pixels, (images, target) = used[:3]
    n = len(s)
    if not all(t.isfinite().all() for t in (s.images.float(), pixels, images, s.loss)):
        return "a number is not finite"
    if pixels.shape != s.images.shape or not len(target) == len(images) == n * s.factor**2:
        return "a shape is wrong"
    if n and not 0 <= int(s.target.min()) <= int(s.target.max()) < len(s.target_names):
        return "a class is none"
    if s.loss.dtype != torch.float64 or s.loss.ndim != 1:
        return "its losses are none"
    return _shown(shown, "repr")


def _evaluated(test) -> Callable:
    def use(_: Path, s: DistilledSet) -> FairnessReport:
        return fdd.evaluate(
            s, test, repeats=1, preset="smoke", epochs=1, progress=False, device="cpu"
        )

    return use


def _sound_report(value: Any, used: Any) -> str | None:
    found, shown = used[:2] if isinstance(used, tuple) else (used.to_dict(), str(used))
    for one in filter(None, (found, found["counterfactual"])):
        for name, metric in METRICS.items():
            numbers, (low, high) = one[name], metric.bounds
            given = [numbers[k] for k in ("mean", "noise_floor", "most_by_chance", "corrected")]
            given += numbers["ci95"] + numbers["corrected_ci95"]
            if not all(x is None or low <= x <= high for x in given):
                return f"{name} is {numbers}"
            if numbers["p"] is not None and not 0 < numbers["p"] <= 1:
                return f"the p-value of {name} is {numbers['p']}"
    return _shown(shown, "table")


def _use_report(_: Path, one: FairnessReport) -> tuple:
    pooled = FairnessReport.pool([one, one]).to_dict()
    return one.to_dict(), str(one), one._repr_html_(), pooled, list(one.by_network())


# --- checkpoints --------------------------------------------------------------------------------

TOY = {
    "dm": {"iterations": 4, "batch": 4, "width": 4, "lr": 1.0},
    "dc": {"iterations": 2, "batch": 4, "width": 4, "outer": 3, "inner": 1},
    "cafe": {"iterations": 2, "batch": 4, "width": 4, "outer": 4, "inner": 1, "window": 3},
    "mtt": {
        "iterations": 4, "width": 4, "depth": 2, "student_steps": 2, "target_epochs": 1,
        "max_start": 2, "lr": 1.0, "zca": False, "experts": 1, "expert_epochs": 3,
        "expert_batch": 8, "alpha": 0.01,
    },
    "dream": {
        "iterations": 2, "batch": 4, "width": 4, "outer": 4, "interval": 3, "net_data": 8,
        "batch_syn": 4,
    },
}  # fmt: skip


class _Enough(KeyboardInterrupt):
    pass


def _checkpoint(method: str, data, folder: Path, cache: Path, at: int, weight: int) -> Reader:
    """Return the reader of a checkpoint left by a run that was interrupted after some steps."""
    given = TOY[method] | {"method": method, "preset": "smoke", "ipc": 1, "cache": cache}
    given |= {"progress": False, "device": "cpu"}

    def run(out: Path, **more) -> DistilledSet:
        return fdd.distill(data, out=out, **given, **more)

    def stop(now) -> None:
        if now.iteration >= at:
            raise _Enough

    run(folder / "whole")
    (folder / "whole").unlink()
    template = folder / method
    template.mkdir()
    with suppress(_Enough):
        run(template / "s.safetensors", callback=stop, every=1)
    whole = run(folder / f"{method}.whole")

    def read(_: Path, path: Path) -> DistilledSet:
        return run(path.with_name("s.safetensors"))

    def use(_: Path, s: DistilledSet) -> dict:
        names = ("images", "target", "group", "loss", "lr")
        return {name: getattr(s, name) for name in names}

    def sound(s: DistilledSet, _: Any) -> str | None:
        if s.images.shape != whole.images.shape or not s.images.isfinite().all():
            return "its images are none"
        if not s.loss.isfinite().all():
            return "a loss is not finite"
        most, exact = given["iterations"] * given.get("outer", 1), method != "cafe"
        if len(s.loss) > most or (exact and len(s.loss) != most):  # CAFE leaves networks early
            return f"it has {len(s.loss)} losses, not {most}"
        return None

    def lost(folder: Path, data: bytes | None) -> bool:
        return not (folder / "s.safetensors").is_file()  # it has been gone on from, and is done

    file = "s.safetensors.part"
    keys = ("step", "config", "versions")
    return Reader(
        f"checkpoint of {method}", "tensors", file, template, read, use, sound, True, True, lost,
        weight, keys, works=True,
    )  # fmt: skip


def _cached(name: str, template: Path, compute: Callable[[Path], Any], file: str) -> Reader:
    """Return the reader of a file that is found in a cache."""
    done = template.with_name(f"{name} done")
    shutil.copytree(template, done)
    expected = [list(x.shape) for x in compute(done)]

    def sound(value: list, _: Any) -> str | None:
        if [list(x.shape) for x in value] != expected:
            return f"shapes {[list(x.shape) for x in value]}, not {expected}"
        return None if all(torch.as_tensor(x).isfinite().all() for x in value) else "not finite"

    def lost(folder: Path, data: bytes | None) -> bool:
        return name.endswith("begun") and len(os.listdir(folder)) != 1  # it is done

    return Reader(
        name, "tensors", file, template, lambda folder, _: compute(folder), sound=sound,
        remade=True, lost=lost, keys=("identity",), works=name.endswith("begun"),
    )  # fmt: skip


def _interrupted(folder: Path, owner: Any, name: str, after: int, work: Callable) -> str:
    """Let work be interrupted at a call of something, and return the checkpoint that it left."""
    usual, calls = getattr(owner, name), []

    def stopping(*arguments, **options):
        calls.append(1)
        if len(calls) > after:
            raise _Enough
        return usual(*arguments, **options)

    setattr(owner, name, stopping)
    try:
        work(folder)
    except _Enough:
        pass
    finally:
        setattr(owner, name, usual)
    (left,) = (one for one in os.listdir(folder) if one.endswith(".part"))
    return left


def _caches(data, folder: Path) -> list[Reader]:
    def trained(cache: Path) -> list:
        wanted = ExpertSettings(1, 3, batch=8, width=4, depth=2)
        found = train_experts(data, wanted, 0, cache=cache, progress=False)
        return [w for start, length in ((0, 3), (1, 1)) for w in found.pair(0, start, length)]

    def encoded(cache: Path) -> list:
        wanted = encoder.EncoderSettings(epochs=2, batch=8, width=1)
        return [encoder.encode(data, wanted, 0, cache=cache, device="cpu", progress=False)[0]]

    def extracted(cache: Path) -> list:
        wanted = DCSettings(width=4, depth=2, extractors=1, extractor_steps=2).resolve(1, data)
        return fair_extractors(data, wanted, 0, cache=cache, progress=False)[0]

    points = torch.randn(12, 4, generator=torch.Generator().manual_seed(0))
    none = torch.zeros(12, dtype=torch.int64)
    features = Features(points, none, none, none, ("a",), ("0",), ("0",))

    def projected(cache: Path) -> list:
        return [project(features, "pca", cache=cache)]

    found = []
    for name, compute in (
        ("expert", trained), ("encoder", encoded), ("extractor", extracted),
        ("projection", projected),
    ):  # fmt: skip
        template = folder / name
        compute(template)
        (file,) = os.listdir(template)
        found.append(_cached(name, template, compute, file))
    begun = folder / "expert begun"
    file = _interrupted(begun, mtt_experts, "write_tensors", 1, trained)
    found.append(_cached("expert begun", begun, trained, file))
    begun = folder / "encoder begun"
    file = _interrupted(begun, encoder._Training, "advance", 2, encoded)
    found.append(_cached("encoder begun", begun, encoded, file))
    return found


# --- what runs and the explorer leave -----------------------------------------------------------


class _Figure(Figure):
    """A figure that is quickly drawn."""

    def savefig(self, path: Path, **_) -> None:
        Path(path).write_bytes(b"drawn")


def _reports(folder: Path, s: DistilledSet, found: FairnessReport) -> Path:
    """Make a folder of reports: a notebook on cobra, and a vanilla set of the explorer."""
    run = folder / "02_distillation" / "default-abc"
    run.mkdir(parents=True)
    given = {"dataset": "digits", "br": None, "ipc": 1, "rules": ["cobra"], "preset": "smoke"}
    Record(
        "02_distillation", "Distilling", given | {"seed": 0}, given | {"ipc": 10, "seed": 0},
        {"fddkit": "0.1.0", "torch": "2.13"}, "2026-11-20T10:00:00+00:00", 12.5, "finished", None,
        "ab" * 32,
    ).save(run)  # fmt: skip
    one = {"mean": 50.0, "std": 1.0, "ci95": [49.0, 51.0], "noise_floor": 3.0}
    one |= {"most_by_chance": 5.0, "p": 0.002, "unit": "sets", "n": 3}
    numbers = {f"cobra {metric.title}": one for metric in METRICS.values()}
    rows = [{"trained on": "vanilla", "accuracy": "50 [49, 51]"}]
    kept = {"numbers": numbers, "tables": {"Accuracy": rows}, "doubts": {"cobra": "a doubt"}}
    kept["reports"] = kept_reports.save(run, {"cobra": found})
    write_json(run / "metrics.json", kept)
    figures = [{"name": "images", "caption": "What is seen."}, {"name": "loss", "caption": ""}]
    write_json(run / "figures" / "index.json", figures)
    for name in ("images", "loss"):
        png = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes([0, 0, 1, 0, 0, 0, 0, 64])
        (run / "figures" / f"{name}.png").write_bytes(png)
    s.save(run / "cobra-seed0.safetensors")
    s.save(folder / "explore" / "one.safetensors")
    found.save(folder / "explore" / "one.x1.json")
    return folder


def _look_around(folder: Path) -> tuple:
    """Read a folder of reports in every way there is."""
    told: list[str] = []
    found = finished.finished(folder, told.append)
    panel = Past(str(folder))
    panel.draw(Choice(ipc=1, preset="smoke"))
    for _, at in panel.which.options:
        panel.which.value = at
    page = report_page.build(folder).read_text(encoding="utf-8")
    if not page.rstrip().endswith("</html>"):
        raise AssertionError("the page has no end")
    (folder / "index.html").unlink()
    offered = len(panel.which.options)
    return (
        told,
        [asdict(one) | {"where": None, "out": one.out is not None} for one in found],
        offered,
    )


_GIVEN = ("mean", "noise_floor", "most_by_chance", "p", "n")


def _sound_reports(_: Any, used: tuple) -> str | None:
    told, found = used[:2]
    for sentence in told:
        wrong = unfit(sentence, Path(sentence.split(": ")[0].split(" ")[0]))
        if wrong:
            return f"what is told {wrong}"
    for one in found:
        for number in one["numbers"].values():
            given = (*(number.get("ci95") or ()), *(number.get(k) for k in _GIVEN))
            if not all(x is None or math.isfinite(x) for x in given):
                return f"a number is {number}"
    return None


def _keep(name: str) -> Callable[[Path, Any], tuple]:
    def use(folder: Path, current: this_run.Current) -> tuple:
        if name == "metrics.json":
            current.metrics({"numbers": {"new": 1.0}, "more": [1]})
        else:
            current.figure(_Figure(), "new", "A new one.")
        return _look_around(folder)

    return use


def _absorbed(file: str) -> Callable[[Path, bytes | None], bool]:
    """Return whether what a JSON file held is no longer in it."""

    def lost(folder: Path, data: bytes | None) -> bool:
        if data is None:
            return True
        before, now = json.loads(data), json.loads((folder / file).read_bytes())
        if isinstance(before, list):
            return not all(one in now for one in before if one.get("name") != "new")
        changed = {"numbers", "more"}
        return not all(now.get(k) == v for k, v in before.items() if k not in changed)

    return lost


# --- the command line ---------------------------------------------------------------------------


@dataclass
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str = field(repr=False)


def command(*words: str) -> Ended:
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = main([str(word) for word in words])
    return Ended(status, out.getvalue(), err.getvalue())


def complaint(ended: Ended, path: Path | None) -> str | None:
    """Return what is wrong with how a command ended."""
    if "Traceback" in ended.err + ended.out:
        return f"shows a traceback: {ended.err[-500:]!r}"
    if ended.status not in (0, 2, 3):
        return f"ended with {ended.status}: {ended.err[-500:]!r}"
    lines = ended.err.replace("\r", "\n").split("\n")
    for line in (one for one in lines if one.startswith("fddkit: ")):
        wrong = unfit(line, path, named=False)
        if wrong:
            return f"what is told {wrong}"
    if ended.status == 2 and not lines[-2].startswith("fddkit: "):
        return f"ended with 2 and {ended.err[-300:]!r}"
    return _shown(ended.out, "output") if len(ended.out) < 20_000 else None


def _commanded(*words: str) -> Callable[[Path, Path], Ended]:
    def read(folder: Path, path: Path) -> Ended:
        places = {"FILE": path, "FOLDER": folder, "SET": path.with_name("s.safetensors")}
        ended = command(*(places.get(word, word) for word in words))
        wrong = complaint(ended, path)
        if wrong:
            raise AssertionError(wrong)
        if ended.status == 2:
            raise FddkitError(ended.err.replace("\r", "\n").strip().split("\n")[-1])
        return ended

    return read


_SMALL = {"iterations": 3, "width": 8}
_DIGITS = ("--dataset", "digits", "--preset", "smoke", "--ipc", "1", "--device", "cpu")


def _commands(folder: Path, reports: Path, s: DistilledSet) -> list[Reader]:
    sets = folder / "sets"
    s.save(sets / "s.safetensors")
    begun = folder / "begun"
    begun.mkdir()
    shutil.copyfile(folder / "digits.part", begun / "s.safetensors.part")
    testing = ("evaluate", "FILE", "--preset", "smoke", "--repeats", "1", "--device", "cpu")
    testing += ("--set", "epochs=1")
    metrics = "02_distillation/default-abc/metrics.json"

    def done(folder: Path, data: bytes | None) -> bool:
        return not (folder / "s.safetensors").is_file()

    def one(name, form, file, template, words, **more) -> Reader:
        read = _commanded(*words)
        use = lambda folder, ended: ended.status  # noqa: E731
        return Reader(f"fddkit {name}", form, file, template, read, use, works=True, **more)

    page = ("report", "--reports", "FOLDER")
    distil = ("distill", *_DIGITS)
    small = [word for name, n in _SMALL.items() for word in ("--set", f"{name}={n}")]
    go_on = (*distil, *small, "--out", "SET")
    return [
        one("evaluate", "tensors", "s.safetensors", sets, testing, weight=5, keys=("config",)),
        one("report", "json", metrics, reports, page, weight=3, sealed=False),
        one("distill, a set there", "tensors", "s.safetensors", sets, (*distil, "--out", "FILE"),
            weight=4, keys=("config",)),
        one("distill, begun", "tensors", "s.safetensors.part", begun, go_on,
            weight=3, keys=("config", "step"), remade=True, lost=done),
    ]  # fmt: skip


# --- fddkit check -------------------------------------------------------------------------------


def _looked_at(folder: Path, path: Path) -> checking.Item:
    items = checking.check(folder)
    for one in items:
        for text in (one.what, one.made, one.problem):
            wrong = unfit(text, one.path, named=False)
            if wrong:
                raise AssertionError(f"what it says {wrong}")
    own = [one for one in items if one.path == path]
    if not own:
        raise FddkitError(f"{path} is passed over")
    if not checking.STATES[own[0].state]:
        raise FddkitError(own[0].problem)
    return own[0]


def _check(name: str, form: str, file: str, template: Path, **more) -> Reader:
    def use(_: Path, one: checking.Item) -> tuple[str, str]:
        return one.what, one.made

    return Reader(f"check, {name}", form, file, template, _looked_at, use, weight=5, **more)


# --- the whole list -----------------------------------------------------------------------------

_NOTEBOOK = {
    "cells": [
        {"cell_type": "markdown", "id": "a1", "metadata": {}, "source": ["# A title\n", "More."]},
        {
            "cell_type": "code", "id": "b2", "execution_count": None, "outputs": [],
            "metadata": {"tags": ["parameters"]},
            "source": 'dataset = "digits"\nipc = 10\nrules = ["vanilla", "cobra"]\nbr = None',
        },
        {
            "cell_type": "code", "id": "c3", "execution_count": None, "outputs": [],
            "metadata": {}, "source": "print(ipc)",
        },
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}  # fmt: skip


def _use_notebook(_: Path, one: notebooks.Notebook) -> tuple:
    if not isinstance(one.title, str):
        raise AssertionError(f"its title is {one.title!r}")
    values = one.resolve({})
    return one.name, one.title, values, one.source_hash


def _matrix(folder: Path, weight: int) -> list[Reader]:
    template = folder / "matrix"

    def read(folder: Path, _: Path) -> list[matrix.Cell]:
        cells = matrix.matrix(
            "digits", ["dm"], ["vanilla"], 1, 1, 1, "smoke", folder=folder, progress=False,
            baselines=(),
        )  # fmt: skip
        matrix.markdown(cells)
        json.dumps(matrix.as_json(cells), allow_nan=False)
        if cells[0].error:
            raise FddkitError(cells[0].error)
        return cells

    def use(_: Path, cells: list[matrix.Cell]) -> list[dict]:
        return [asdict(one) | {"seconds": None} for one in cells]

    read(template, template)
    files = {Path(one).suffix: one for one in os.listdir(template)}
    more = {"remade": True, "weight": weight, "works": True, "renewed": (".seconds",)}

    def seconds(value: Any, used: Any) -> str | None:
        known = value[0].seconds
        if known is not None and not 0 <= known < 1e9:
            return f"it took {known} seconds"
        return None

    return [
        Reader("matrix, a set", "tensors", files[".safetensors"], template, read, use, **more),
        Reader("matrix, a report", "report", files[".json"], template, read, use, **more),
        Reader("matrix, seconds", "json", files[".seconds"], template, read, use, seconds,
               sealed=False, weight=weight),
    ]  # fmt: skip


def readers(folder: Path) -> list[Reader]:
    """Write a whole file of each kind, and return all that reads one.

    Parameters
    ----------
    folder : Path
        Empty.

    Returns
    -------
    list of Reader
    """
    data = toy(0, torch.tensor([[5, 3], [3, 5]]))
    train, test = fdd.load("digits")
    given = {"preset": "smoke", "ipc": 1, "progress": False, "device": "cpu"}

    def stop(now) -> None:
        raise _Enough

    with suppress(_Enough):
        fdd.distill(train, out=folder / "digits", callback=stop, every=1, **given, **_SMALL)
    s = fdd.distill(train, **given)
    found = _evaluated(test)(folder, s)
    for name, method, more in (
        ("set", "dm", {}),
        ("white set", "mtt", {"cache": folder / "experts", "zca": True}),
    ):
        made = fdd.distill(data, method=method, **given | TOY[method] | more)
        made.save(folder / name / "s.safetensors")
    report_folder = folder / "report"
    report_folder.mkdir()
    found.save(report_folder / "r.json")
    reports = _reports(folder / "reports", s, found)
    assert _look_around(reports)[2] == 2  # both of them are shown
    run = "02_distillation/default-abc"
    books = folder / "books"
    write_json(books / "n.ipynb", _NOTEBOOK)
    info = folder / "info"
    s.save(info / "s.safetensors")
    ours = ("config", "mean", "std", "factor", "lr", "target_names", "group_names", "health")
    steps = {"dm": (2, 22), "dc": (2, 8), "cafe": (2, 8), "mtt": (2, 6), "dream": (2, 8)}

    def record(folder: Path, path: Path) -> Record:
        return Record.load(path.parent)

    def current(folder: Path, path: Path) -> this_run.Current:
        where = path.parent if path.name == "metrics.json" else path.parent.parent
        return this_run.Current(where, {})

    def around(folder: Path, path: Path) -> None:
        return None

    def reload(folder: Path, s: DistilledSet) -> tuple:
        both = loading.reload(s.config.get("dataset", {}), folder / "no such root")
        return [one.fingerprint() for one in both], [repr(one) for one in both]

    caches = _caches(data, folder)
    expert = caches[0].template / caches[0].file
    looking = {"sound": _sound_reports}
    return [
        *(Reader(name, "tensors", "s.safetensors", folder / name,
                 lambda _, path: DistilledSet.load(path), _use_set, _sound_set, weight=weight,
                 keys=ours) for name, weight in (("set", 45), ("white set", 15))),
        Reader("set, evaluated", "tensors", "s.safetensors", info,
               lambda _, path: DistilledSet.load(path), _evaluated(test), _sound_report,
               weight=3, keys=ours),
        Reader("set, its data", "tensors", "s.safetensors", info,
               lambda _, path: DistilledSet.load(path), reload, weight=6, keys=("config",)),
        *(_checkpoint(name, data, folder, folder / "experts", *steps[name]) for name in TOY),
        *caches,
        Reader("report", "report", "r.json", report_folder,
               lambda _, path: FairnessReport.load(path), _use_report, _sound_report, weight=30,
               keys=("counts", "networks", "sets", "config", "counterfactual")),
        Reader("run.json", "json", f"{run}/run.json", reports, record,
               lambda folder, one: _look_around(folder), sealed=False, weight=14,
               keys=("parameters", "defaults", "seconds", "started", "status"), **looking),
        Reader("run.json, around it", "json", f"{run}/run.json", reports, around,
               lambda folder, _: _look_around(folder), sealed=False, weight=6, **looking),
        Reader("metrics.json", "json", f"{run}/metrics.json", reports, current,
               _keep("metrics.json"), sealed=False, remade=True, weight=12,
               lost=_absorbed(f"{run}/metrics.json"), keys=("numbers", "tables", "doubts"),
               **looking),
        Reader("figures/index.json", "json", f"{run}/figures/index.json", reports, current,
               _keep("index.json"), sealed=False, remade=True, weight=8,
               lost=_absorbed(f"{run}/figures/index.json"), **looking),
        Reader("explorer, a report", "report", "explore/one.x1.json", reports, around,
               lambda folder, _: _look_around(folder), sealed=False, weight=6,
               keys=("counts", "networks", "config"), **looking),
        Reader("explorer, a set", "tensors", "explore/one.safetensors", reports, around,
               lambda folder, _: _look_around(folder), sealed=False, weight=6, keys=ours,
               **looking),
        Reader("seconds", "json", _clock(folder / "clock"), folder / "clock",
               lambda _, path: matrix_sets._seconds(path), sealed=False, weight=3,
               sound=lambda x, _: None if x is None or 0 <= x < 1e9 else f"{x} seconds"),
        Reader("notebook", "json", "n.ipynb", books, lambda _, path: notebooks.read(path),
               _use_notebook, sealed=False, weight=14, keys=("cells", "nbformat")),
        _check("a set", "tensors", "s.safetensors", folder / "set", keys=ours),
        _check("a report", "report", "r.json", report_folder, keys=("config", "networks")),
        _check("a checkpoint", "tensors", "s.safetensors.part", folder / "dm", keys=("config",)),
        _check("an expert", "tensors", expert.name, expert.parent, keys=("identity",)),
        _check("a run", "json", f"{run}/run.json", reports, sealed=False),
        _check("a run's report", "report", f"{run}/reports/cobra.report.json", reports,
               keys=("counts", "outcomes")),
        *_matrix(folder, 1),
        *_commands(folder, reports, s),
    ]  # fmt: skip


def _clock(folder: Path) -> str:
    write_json(folder / "a.seconds", 12.3)
    return "a.seconds"
