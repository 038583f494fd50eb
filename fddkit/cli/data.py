"""The command for the data: ``datasets``."""

from argparse import Namespace

from . import options
from .printing import table

_EXAMPLES = """\
examples:
  fddkit datasets
  fddkit datasets --download cmnist-fg --root data
"""


def add(commands: options.Commands) -> None:
    """Add ``datasets``.

    Parameters
    ----------
    commands : Commands
        Where it is added.
    """
    does = "list the data sets, or download one"
    one = options.add_command(commands, "datasets", does, datasets, _EXAMPLES)
    one.add_argument("--download", metavar="NAME", help="download the files of this data set")
    options.add_root(one)


def datasets(given: Namespace) -> int:
    """List the data sets and which are on disk, or download one.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status.
    """
    from ..data.loading import catalogue, download

    if given.download:
        download(given.download, given.root)
        print(f"{given.download} is in {given.root}")
        return 0
    rows = [("name", "data set", "classes", "groups", "shape", "BR", f"data in {given.root}")]
    for one in catalogue():
        state = "on disk" if one.on_disk(given.root) else f"missing ({one.needs})"
        shape = "x".join(map(str, one.shape))
        rows.append(
            (
                one.name,
                one.title,
                str(one.classes),
                str(one.groups),
                shape,
                f"{one.default_br:g}",
                state if one.needs else "none needed",
            )
        )
    print(table(rows))
    print(f"\nfddkit datasets --download NAME --root {given.root} downloads a missing one")
    return 0
