"""The command line: ``fddkit COMMAND``; what each command does is in `fddkit.commands`."""

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from . import commands
from .errors import FddkitError
from .versions import __version__

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

exit status: 0 done, 1 a notebook failed, 2 a mistake in the command,
130 interrupted (the same command goes on from there)
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
    "report": """\
example:
  fddkit report --reports reports
""",
}


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are one sentence, like all others of fddkit."""

    def error(self, message: str) -> NoReturn:
        raise FddkitError(f"{message}; see `{self.prog} --help`")


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
            epilog=_EXAMPLES[name],
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        one.set_defaults(command=getattr(commands, name))
        return one

    def root(one: argparse.ArgumentParser) -> None:
        one.add_argument("--root", default="data", help="folder of the raw data (default: data)")

    def reports(one: argparse.ArgumentParser) -> None:
        one.add_argument(
            "--reports", default="reports", help="folder of all runs (default: reports)"
        )

    def work(one: argparse.ArgumentParser, settings: str) -> None:
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
    one.add_argument("--dataset", default="digits", help="see `fddkit datasets` (default: digits)")
    root(one)
    one.add_argument("--br", type=float, help="bias ratio (default: the data set's own)")
    one.add_argument("--gap", type=int, help="COBRA's group separation, 0 to 4, as the groups")
    one.add_argument(
        "--offset", type=float, default=0.0, help="semantic-preserving offset (default: 0)"
    )
    one.add_argument(
        "--data-seed", type=int, default=0, help="deals the images to the groups (default: 0)"
    )
    one.add_argument("--method", default="dm", help="dm, random or whole (default: dm)")
    one.add_argument(
        "--fairness", default="vanilla", help="vanilla, fairdd or cobra (default: vanilla)"
    )
    one.add_argument("--ipc", type=int, default=10, help="images per class (default: 10)")
    work(
        one,
        "iterations, batch, lr, momentum, sampling, init, augment, network, width, depth",
    )
    one.add_argument("--out", required=True, metavar="FILE", help="the .safetensors to write")
    one.add_argument("--overwrite", action="store_true", help="replace another set at FILE")
    one.add_argument("--images", metavar="FOLDER", help="also write the images as PNG here")

    one = command("evaluate", "train networks on a distilled set and measure their fairness")
    one.add_argument("set_file", metavar="FILE", help="a .safetensors of `fddkit distill`")
    root(one)
    one.add_argument(
        "--networks",
        default="convnet",
        help="convnet, alexnet, vgg11, resnet18, separated by commas (default: convnet)",
    )
    one.add_argument("--repeats", type=int, help="networks of each kind (default: the preset's)")
    work(one, "epochs, max_steps, batch, lr, momentum, decay, augment, width, depth, originals")
    one.add_argument("--json", metavar="FILE", help="also write the report here")

    one = command("run", "execute a notebook headlessly into reports/")
    notebook(one, "NAME=VALUE")

    one = command("sweep", "run a notebook for every combination of parameters")
    notebook(one, "NAME=VALUE,VALUE,...")
    one.add_argument("--jobs", type=int, default=1, help="runs at once (default: 1)")
    one.add_argument(
        "--scheduler", metavar="ADDRESS", help="a dask scheduler that takes the runs instead"
    )

    one = command("report", "make reports/index.html of every run")
    reports(one)
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
        0 done, 1 a notebook failed, 2 a mistake in the command, 130 interrupted.
    """
    try:
        given = parser().parse_args(arguments)
        return given.command(given)
    except FddkitError as error:
        print(f"fddkit: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("\nfddkit: interrupted; the same command goes on from there", file=sys.stderr)
        return 130
