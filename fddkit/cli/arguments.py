"""The command line: ``fddkit COMMAND``; what each command does is in `fddkit.cli.commands`."""

import argparse
import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import NoReturn

from ..core.errors import FddkitError
from ..core.versions import __version__
from ..distillers.registry import METHODS
from ..distillers.start import BASELINES
from ..rules.targets import RULES
from . import commands, troubles

_DESCRIPTION = """\
Fair dataset distillation: condense a training set into a few images per class
whose models are accurate and treat the groups of a protected attribute alike.
"""
_EXAMPLES = {
    None: """\
where to start:
  fddkit run 00_start_here     one notebook, into reports/
  fddkit report                a page of every run: reports/index.html
  fddkit datasets              the data sets, and which are on this disk
  fddkit check                 whether all that lies in this folder is whole

exit status: 0 done, 1 a notebook or cell failed, a file is damaged or the machine lacks
memory, 2 a mistake in the command, 3 a distilled set diverged, 70 a fault of fddkit
(FDDKIT_DEBUG=1 shows the traceback), 130 interrupted, 143 ended by SIGTERM (the same
command goes on from there), 141 output no longer read
""",
    "datasets": """\
examples:
  fddkit datasets
  fddkit datasets --download cmnist-fg --root data
""",
    "distill": """\
examples:
  fddkit distill --dataset digits --fairness cobra --out cobra.safetensors
  fddkit distill --dataset cmnist-fg --br 0.95 --ipc 50 --preset paper \\
      --set iterations=2000 --out s.safetensors

An interrupted distillation goes on where it was when the same command is given again.
""",
    "evaluate": """\
examples:
  fddkit evaluate cobra.safetensors --repeats 10 --json report.json
  fddkit evaluate cobra.safetensors --networks convnet,alexnet,vgg11,resnet18
""",
    "run": """\
examples:
  fddkit run 00_start_here
  fddkit run 02_distillation -p dataset=cmnist-fg -p root=data -p ipc=10
  fddkit run my/own/notebook.ipynb

The parameters are what the notebook's cell tagged 'parameters' assigns. A run that is
finished (same notebook, parameters, package and data) is not executed again.
""",
    "sweep": """\
examples:
  fddkit sweep 02_distillation -p br=0.75,0.9 -p ipc=1,10 --jobs 2
  fddkit sweep 02_distillation -p seed=0,1,2 --scheduler tcp://host:8786

Finished runs are skipped; a failed one does not stop the others. A value that is itself
a list is written in brackets: -p "methods=[random,cobra],[vanilla]".
""",
    "import": """\
examples:
  fddkit import res_DM_CIFAR10S_ConvNet_10ipc.pt --dataset cifar10-s --out dm.safetensors
  fddkit import images_best.pt --dataset cifar10-s --method mtt --zca --lr 0.02 --out s.safetensors

The formats of the official DC, DSA, DM, CAFE, FairDD, MTT, IDC and DREAM codes are known, and
nothing in such a file is executed. Afterwards: fddkit evaluate dm.safetensors
""",
    "cost": """\
examples:
  fddkit cost --methods dm,dc --rules vanilla,fairdd,cobra --groups 2,10 --json cost.json
  fddkit cost --methods dc --groups 2,4,6,8,10 --naive

One step on the images (without the training of a network after it), each variant in turn
within each round, on a random set of ten classes with the given numbers of groups.
""",
    "matrix": """\
examples:
  fddkit matrix --json matrix.json
  fddkit matrix --methods dm,dc --rules vanilla,fairdd,cobra --seeds 5 --jobs 2

Finished cells are found again in the folder, so that an interrupted matrix goes on.
""",
    "report": """\
example:
  fddkit report --reports reports
""",
    "check": """\
examples:
  fddkit check reports
  fddkit check --yes

Every file is read and compared with the sha256 that it carries. What killed processes
have left is removed if you agree. Exit status 1: something is damaged, or rests on what is.
""",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence, like all others of fddkit."""

    def error(self, message: str) -> NoReturn:
        raise FddkitError(f"{message}; see `{self.prog} --help`")


def _file(name: str) -> str:
    """Take the name of a file to write, which a folder's is not."""
    if name.endswith(os.sep) or not name:
        raise argparse.ArgumentTypeError(f"{name!r} is the name of a folder; give that of a file")
    return name


def _names() -> str:
    """Return the methods, rules and settings that ``distill`` knows."""
    methods = {name: one.title for name, one in METHODS.items()} | BASELINES
    rules = {name: rule.title for name, rule in RULES.items()}
    known = {name: {f.name for f in fields(one.presets["quick"])} for name, one in METHODS.items()}
    common = set.intersection(*known.values())
    own = {name: ", ".join(sorted(found - common)) for name, found in known.items()}
    lacks = {f"{name} has no": ", ".join(one.lacks) for name, one in METHODS.items() if one.lacks}
    return (
        f"\nmethods:\n{_rows(methods)}"
        f"\nfairness rules:\n{_rows(rules | lacks)}"
        f"\nsettings (--set NAME=VALUE):\n"
        f"{_rows({'all': ', '.join(sorted(common))} | {k: v for k, v in own.items() if v})}"
    )


def _rows(named: Mapping[str, str]) -> str:
    """Return names and what they are, in two columns."""
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


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Returns
    -------
    argparse.ArgumentParser
        Its results carry ``command``, the function that does the work.
    """
    top = _Parser(
        "fddkit",
        description=_DESCRIPTION,
        epilog=_EXAMPLES[None],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"fddkit {__version__}")
    several = top.add_subparsers(metavar="COMMAND", required=True)

    def command(name: str, does: str) -> argparse.ArgumentParser:
        one = several.add_parser(
            name,
            help=does,
            description=does[0].upper() + does[1:] + ".",
            epilog=_EXAMPLES[name] + (_names() if name == "distill" else ""),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=getattr(commands, {"import": "import_"}.get(name, name)))
        return one

    def root(one: argparse.ArgumentParser) -> None:
        one.add_argument("--root", default="data", help="folder of the raw data (default: data)")

    def reports(one: argparse.ArgumentParser) -> None:
        one.add_argument(
            "--reports", default="reports", help="folder of all runs (default: reports)"
        )

    def data(one: argparse.ArgumentParser) -> None:
        one.add_argument(
            "--dataset", default="digits", help="see `fddkit datasets` (default: digits)"
        )
        root(one)
        one.add_argument("--br", type=float, help="bias ratio (default: the data set's own)")
        one.add_argument("--gap", type=int, help="COBRA's group separation, 0 to 4, as the groups")
        one.add_argument(
            "--offset", type=float, default=0.0, help="semantic-preserving offset (default: 0)"
        )
        one.add_argument(
            "--data-seed", type=int, default=0, help="deals the images to the groups (default: 0)"
        )

    def work(one: argparse.ArgumentParser, settings: str, seed: bool = True) -> None:
        if seed:
            one.add_argument("--seed", type=int, default=0, help="every random choice (default: 0)")
        one.add_argument("--preset", default="quick", help="smoke, quick or paper (default: quick)")
        one.add_argument(
            "--set",
            action="append",
            default=[],
            metavar="NAME=VALUE",
            help=f"change one of the preset's values: {settings}",
        )
        one.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")

    def json(one: argparse.ArgumentParser, what: str) -> None:
        one.add_argument("--json", type=_file, metavar="FILE", help=f"also write the {what} here")
        one.add_argument(
            "--overwrite", action="store_true", help=f"replace {what} of something else at FILE"
        )

    def notebook(one: argparse.ArgumentParser, values: str) -> None:
        one.add_argument("notebook", help="a name such as 02_distillation, or a path")
        one.add_argument(
            "-p",
            "--parameter",
            action="append",
            default=[],
            metavar=values,
            help="set a parameter of the notebook; may be given often",
        )
        reports(one)
        one.add_argument("--force", action="store_true", help="execute finished runs again")

    one = command("datasets", "list the data sets, or download one")
    one.add_argument("--download", metavar="NAME", help="download what this data set needs")
    root(one)

    one = command("distill", "distil a data set into a few images per class")
    data(one)
    one.add_argument("--method", default="dm", help="see below (default: dm)")
    one.add_argument("--fairness", default="vanilla", help="see below (default: vanilla)")
    one.add_argument("--ipc", type=int, default=10, help="images per class (default: 10)")
    work(one, "iterations, batch, lr, sampling, init, augment, network, width and more, see below")
    one.add_argument(
        "--cache", metavar="FOLDER", help="what runs share, such as experts (default: ~/.cache)"
    )
    one.add_argument(
        "--compile", action="store_true", help="compile the networks where that can be had"
    )
    one.add_argument("--graph", action="store_true", help="also capture them as CUDA graphs")
    one.add_argument(
        "--out", type=_file, required=True, metavar="FILE", help="the .safetensors to write"
    )
    one.add_argument("--overwrite", action="store_true", help="replace another set at FILE")
    one.add_argument("--images", metavar="FOLDER", help="also write the images as PNG here")

    one = command("import", "read a set that another method's official code distilled")
    one.add_argument("file", metavar="FILE", help="the .pt that it saved")
    data(one)
    one.add_argument("--labels", metavar="FILE", help="labels of an MTT set (default: beside it)")
    one.add_argument(
        "--experiment", type=int, default=0, help="which of several sets in it (default: 0)"
    )
    one.add_argument(
        "--factor", type=int, help="small images a side in each (default: 2 for IDC, else 1)"
    )
    one.add_argument("--zca", action="store_true", help="the images are whitened (MTT)")
    one.add_argument("--lr", type=float, help="the step size learnt with them (MTT)")
    one.add_argument("--method", default="foreign", help="what to call it (default: foreign)")
    one.add_argument("--fairness", help="the rule it was distilled under")
    one.add_argument(
        "--out", type=_file, required=True, metavar="FILE", help="the .safetensors to write"
    )
    one.add_argument("--overwrite", action="store_true", help="replace a file at FILE")

    one = command("evaluate", "train networks on a distilled set and measure their fairness")
    one.add_argument("set_file", metavar="FILE", help="a .safetensors of `fddkit distill`")
    root(one)
    one.add_argument(
        "--networks",
        default="convnet",
        help="convnet, alexnet, vgg11, resnet18, separated by commas (default: convnet)",
    )
    one.add_argument("--repeats", type=int, help="networks of each kind (default: the preset's)")
    one.add_argument(
        "--protocol",
        metavar="METHOD",
        help="whose own evaluation (default: that of the method that distilled the set)",
    )
    work(
        one,
        "epochs, max_steps, batch, lr, momentum, decay, schedule, augment, cutmix, objective "
        "(erm, group-dro, tpr-gap), dro_step, penalty, width, depth, originals",
    )
    json(one, "report")

    one = command("run", "execute a notebook headlessly into reports/")
    notebook(one, "NAME=VALUE")

    one = command("sweep", "run a notebook for every combination of parameters")
    notebook(one, "NAME=VALUE,VALUE,...")
    one.add_argument("--jobs", type=int, default=1, help="runs at once (default: 1)")
    one.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask scheduler that takes the runs instead"
    )

    one = command("cost", "time and memory of a step against the number of groups")
    one.add_argument("--methods", default="dm,dc", help="separated by commas (default: dm,dc)")
    one.add_argument(
        "--rules", default="vanilla,fairdd,cobra", help="(default: vanilla,fairdd,cobra)"
    )
    one.add_argument("--groups", default="2,10", help="numbers of groups (default: 2,10)")
    work(one, "those of the first method", seed=False)
    one.add_argument("--ipc", type=int, default=10, help="images per class (default: 10)")
    one.add_argument("--side", type=int, default=32, help="of the images (default: 32)")
    one.add_argument("--rounds", type=int, default=7, help="timings of each (default: 7)")
    one.add_argument("--naive", action="store_true", help="also FairDD by loops, the reference")
    json(one, "rows")

    one = command("matrix", "every method under every rule on one data set")
    one.add_argument("--dataset", default="digits", help="see `fddkit datasets` (default: digits)")
    root(one)
    one.add_argument("--methods", help="separated by commas (default: all)")
    one.add_argument("--rules", help="separated by commas (default: all)")
    one.add_argument("--seeds", type=int, default=3, help="sets of each cell (default: 3)")
    one.add_argument("--repeats", type=int, default=2, help="networks of each set (default: 2)")
    one.add_argument("--ipc", type=int, default=10, help="images per class (default: 10)")
    one.add_argument("--preset", default="quick", help="smoke, quick or paper (default: quick)")
    one.add_argument(
        "--folder", default="reports/matrix", help="of sets and reports (default: reports/matrix)"
    )
    one.add_argument("--jobs", type=int, default=1, help="cells at once (default: 1)")
    json(one, "cells")

    one = command("report", "make reports/index.html of every run")
    reports(one)

    one = command("check", "verify sets, reports and runs, and what they rest on")
    one.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="(default: here)")
    one.add_argument(
        "--cache", metavar="FOLDER", help="where experts and encoders lie (default: ~/.cache)"
    )
    one.add_argument(
        "--yes", action="store_true", help="remove what killed processes have left, unasked"
    )
    return top


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Parameters
    ----------
    arguments : sequence of str, optional
        Without the program's name; by default those of the process.

    Returns
    -------
    int
        The exit status, see ``fddkit --help``.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    return troubles.guard(lambda: _run(words))


def _run(words: list[str]) -> int:
    for word in words:
        if "\0" in word:
            raise FddkitError(f"{word!r} holds a NUL character, which no name can; leave it out")
    try:
        os.getcwd()
    except FileNotFoundError as error:
        raise FddkitError(
            "the working directory has been deleted; change to one that exists"
        ) from error
    given = parser().parse_args(words)
    line = " ".join(["fddkit", *words])
    given.line = line.encode(errors="backslashreplace").decode()  # names of files may not be UTF-8
    return given.command(given)
