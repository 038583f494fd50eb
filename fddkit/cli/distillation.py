"""The commands that make a distilled set: ``distill``, and ``import`` from other code."""

import sys
import textwrap
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

from ..core.errors import FddkitError
from ..core.files import consider
from ..distillers.baselines import BASELINES
from ..distillers.registry import METHODS, find, lacks
from ..rules.rules import RULES
from . import options

_DISTILL = """\
examples:
  fddkit distill --dataset digits --fairness cobra --out cobra.safetensors
  fddkit distill --dataset cmnist-fg --br 0.95 --ipc 50 --preset paper \\
      --set iterations=2000 --out s.safetensors

An interrupted distillation resumes when the same command is given again.
"""
_IMPORT = """\
examples:
  fddkit import res_DM_CIFAR10S_ConvNet_10ipc.pt --dataset cifar10-s --out dm.safetensors
  fddkit import images_best.pt --dataset cifar10-s --method mtt --zca --lr 0.02 --out s.safetensors

The formats of the official DC, DSA, DM, CAFE, FairDD, MTT, IDC and DREAM code are known, and
nothing in such a file is executed. Afterwards: fddkit evaluate dm.safetensors
"""


def add(commands: options.Commands) -> None:
    """Add ``distill`` and ``import``.

    Parameters
    ----------
    commands : Commands
        Where they are added.
    """
    does = "distil a data set into a few images per class"
    one = options.add_command(commands, "distill", does, distill, _DISTILL + _names())
    options.add_data(one)
    one.add_argument("--method", default="dm", help="see below (default: dm)")
    one.add_argument("--fairness", default="vanilla", help="see below (default: vanilla)")
    options.add_ipc(one)
    options.add_seed(one)
    options.add_work(
        one, "iterations, batch, lr, sampling, init, augment, network, width and more, see below"
    )
    one.add_argument(
        "--cache",
        metavar="FOLDER",
        help="for files that runs share, e.g. experts (default: ~/.cache)",
    )
    one.add_argument(
        "--compile", action="store_true", help="compile the networks, if this machine can"
    )
    one.add_argument("--graph", action="store_true", help="also capture them as CUDA graphs")
    options.add_out(one, "another set")
    one.add_argument("--images", metavar="FOLDER", help="also write the images as PNG here")

    does = "read a set that another method's official code distilled"
    one = options.add_command(commands, "import", does, import_, _IMPORT)
    one.add_argument("file", metavar="FILE", help="the .pt that it saved")
    options.add_data(one)
    one.add_argument("--labels", metavar="FILE", help="labels of an MTT set (default: beside FILE)")
    one.add_argument(
        "--experiment", type=int, default=0, help="which of several sets in FILE (default: 0)"
    )
    one.add_argument(
        "--factor", type=int, help="small images along a side of each (default: 2 for IDC, else 1)"
    )
    one.add_argument("--zca", action="store_true", help="the images are whitened (MTT)")
    one.add_argument("--lr", type=float, help="the step size learnt with the images (MTT)")
    one.add_argument("--method", default="foreign", help="what to call it (default: foreign)")
    one.add_argument("--fairness", help="the rule it was distilled under")
    options.add_out(one, "a file")


def _names() -> str:
    """Return the methods, rules and settings that ``distill`` knows."""
    methods = {name: one.title for name, one in {**METHODS, **BASELINES}.items()}
    rules = {name: rule.title for name, rule in RULES.items()}
    known = {name: {f.name for f in fields(one.presets["quick"])} for name, one in METHODS.items()}
    common = set.intersection(*known.values())
    own = {name: ", ".join(sorted(found - common)) for name, found in known.items()}
    lacking = {name: [rule for rule in RULES if lacks(name, rule)] for name in METHODS}
    have_no = {f"{name} has no": ", ".join(found) for name, found in lacking.items() if found}
    return (
        f"\nmethods:\n{_rows(methods)}"
        f"\nfairness rules:\n{_rows(rules | have_no)}"
        f"\nsettings (--set NAME=VALUE):\n"
        f"{_rows({'all': ', '.join(sorted(common))} | {k: v for k, v in own.items() if v})}"
    )


def _rows(named: Mapping[str, str]) -> str:
    """Return names and descriptions in two columns."""
    width = max(map(len, named)) + 4
    lines = (
        textwrap.fill(
            text,
            98,
            initial_indent=f"  {name}".ljust(width),
            subsequent_indent=" " * width,
            break_on_hyphens=False,
        )
        for name, text in named.items()
    )
    return "".join(line + "\n" for line in lines)


def distill(given: Namespace) -> int:
    """Distil a data set into a file.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 3 if the set diverged.
    """
    from ..distillers import health
    from ..distillers.distill import distill

    presets = find("dm" if given.method in BASELINES else given.method).presets
    changed = options.settings(given, presets)
    train = options.train(given)
    result = distill(
        train,
        method=given.method,
        fairness=given.fairness,
        ipc=given.ipc,
        seed=given.seed,
        preset=given.preset,
        out=given.out,
        overwrite=given.overwrite,
        device=given.device,
        cache=given.cache,
        compile=given.compile,
        graph=given.graph,
        **changed,
    )
    print(f"{result} in {given.out}")
    if given.images:
        print(f"{len(result)} images in {result.to_images(given.images)}")
    unwell = health.sentence(result.health)
    if unwell:
        print(f"fddkit: {unwell}", file=sys.stderr)
    return 3 if result.health.get("verdict") == "diverged" else 0


def import_(given: Namespace) -> int:
    """Convert a set made by another method's official code into a distilled set.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..core.tensors import only
    from ..data.distilled import SET
    from ..data.official_sets import read_foreign

    look = only(SET) if given.overwrite else _exists
    consider(given.out, look)
    found = read_foreign(
        given.file,
        options.train(given),
        labels=given.labels,
        experiment=given.experiment,
        factor=given.factor,
        zca=given.zca,
        lr=given.lr,
        method=given.method,
        fairness=given.fairness,
    )
    found.save(given.out, look)
    kind = {"dc": "DC's", "mtt": "MTT's", "idc": "IDC's"}[found.config["source"]["format"]]
    blocks = f", {found.factor}x{found.factor} small images in each" if found.factor > 1 else ""
    print(f"{found} in {given.out} ({kind} format{blocks})")
    return 0


def _exists(path: Path) -> None:
    raise FddkitError(f"{path} exists; choose another output file, or --overwrite it")
