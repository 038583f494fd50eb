"""The commands for what is on disk: ``report`` on all runs, and ``check`` of all files."""

import sys
from argparse import Namespace
from pathlib import Path

from ..core.reading import clip
from . import options
from .printing import near, table

_REPORT = """\
example:
  fddkit report --reports reports
"""
_CHECK = """\
examples:
  fddkit check reports
  fddkit check --yes

Every file is read and compared with the sha256 that it carries. Files that killed processes
left behind are removed if you agree. Exit status 1: a file is damaged, or rests on one that is.
"""


def add(commands: options.Commands) -> None:
    """Add ``report`` and ``check``.

    Parameters
    ----------
    commands : Commands
        Where they are added.
    """
    does = "write reports/index.html, a page of every run"
    one = options.add_command(commands, "report", does, report, _REPORT)
    options.add_reports(one)

    does = "verify sets, reports and runs, and what they rest on"
    one = options.add_command(commands, "check", does, check, _CHECK)
    one.add_argument("folder", nargs="?", default=".", metavar="FOLDER", help="(default: here)")
    one.add_argument(
        "--cache", metavar="FOLDER", help="where experts and encoders are kept (default: ~/.cache)"
    )
    one.add_argument(
        "--yes", action="store_true", help="remove leftovers of killed processes without asking"
    )


def report(given: Namespace) -> int:
    """Write the page of every run.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..experiments.report_page import build

    index = build(given.reports)
    print(f"{near(index)}: open it in a browser ({index.resolve().as_uri()})")
    return 0


def check(given: Namespace) -> int:
    """Verify every fddkit file in a folder, and remove leftovers if the user agrees.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 1 if a file is damaged, or rests on one that is.
    """
    from ..core.cache import folder_of
    from ..experiments.checking import STATES, Item, check, clean, summary

    def agreed(question: str, some: list[Item]) -> bool:
        names = ", ".join(one.path.name for one in some[:3])
        more = f" and {len(some) - 3} more" if len(some) > 3 else ""
        asked = f"Remove {question}: {names}{more}?"
        if given.yes:
            return True
        if not sys.stdin.isatty():
            print(f"{asked} Give --yes to do so.")
            return False
        try:
            return input(f"{asked} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    items = check(given.folder, [folder_of(given.cache)])
    rows = [("file", "what", "state", "made from")]
    here = Path(given.folder)
    rows += [(clip(i.path.relative_to(here)), i.what, i.state, i.made) for i in items]
    if items:
        print(table(rows))
    for one in items:
        if one.problem:
            print(f"fddkit: {one.problem}", file=sys.stderr)
    counts = ", ".join(f"{n} {state}" for state, n in summary(items).items())
    print(f"\n{len(items)} file{'s' * (len(items) != 1)} of fddkit in {here}: {counts or 'none'}")
    removed = clean(items, agreed)
    if removed:
        print(f"{len(removed)} removed")
    return 0 if all(STATES[one.state] for one in items) else 1
