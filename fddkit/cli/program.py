"""The program ``fddkit``: its commands, one module per group of them, and its exit status."""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from ..core.errors import FddkitError
from ..core.versions import __version__
from . import data, disk, distillation, evaluation, notebooks, own_data, studies, troubles

# as the help lists them
_GROUPS = (data, own_data, distillation, evaluation, notebooks, studies, disk)
_DESCRIPTION = """\
Fair dataset distillation: condense a training set into a few images per class
whose models are accurate and treat the groups of a protected attribute alike.
"""
_WHERE_TO_START = """\
where to start:
  fddkit run 00_start_here     one notebook, into reports/
  fddkit report                a page of every run: reports/index.html
  fddkit datasets              the data sets, and which are on this disk
  fddkit check                 whether all files in this folder are intact

exit status: 0 done, 1 a notebook or cell failed, a file is damaged or the machine lacks
memory, 2 a mistake in the command, 3 a distilled set diverged, 70 a fault of fddkit
(FDDKIT_DEBUG=1 shows the traceback), 130 interrupted, 143 ended by SIGTERM (the same
command resumes), 141 output no longer read
"""


class _Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one sentence, like all others of fddkit."""

    def error(self, message: str) -> NoReturn:
        raise FddkitError(f"{message}; see `{self.prog} --help`")


def parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line.

    Returns
    -------
    argparse.ArgumentParser
        Its results have ``command``, the function that does the work.
    """
    top = _Parser(
        "fddkit",
        description=_DESCRIPTION,
        epilog=_WHERE_TO_START,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    top.add_argument("--version", action="version", version=f"fddkit {__version__}")
    commands = top.add_subparsers(metavar="COMMAND", required=True)
    for group in _GROUPS:
        group.add(commands)
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
            raise FddkitError(f"{word!r} contains a NUL character, which no name can; leave it out")
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
