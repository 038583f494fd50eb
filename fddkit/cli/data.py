"""The command for the data: ``datasets``."""

import warnings
from argparse import Namespace

from ..core.errors import FddkitError
from . import options
from .own_data import add_figure, check_json, check_places, figures, inputs, outputs, tell
from .printing import table

_EXAMPLES = """\
examples:
  fddkit datasets
  fddkit datasets --download cmnist-fg --root data
  fddkit datasets --how celeba
  fddkit datasets --check utkface --root data
  fddkit datasets --describe faces.fdd --json faces.json
"""


def add(commands: options.Commands) -> None:
    """Add ``datasets``.

    Parameters
    ----------
    commands : Commands
        Where it is added.
    """
    does = "list the data sets; get, check or describe one"
    one = options.add_command(commands, "datasets", does, datasets, _EXAMPLES)
    one.add_argument("--download", metavar="NAME", help="download the files of this data set")
    one.add_argument("--how", metavar="NAME", help="how to get this data set, and on what terms")
    one.add_argument(
        "--check",
        metavar="NAME",
        nargs="?",
        const="",
        help="compare this data set (or all that are on disk) with what is published about it",
    )
    one.add_argument(
        "--describe", metavar="NAME", help="report what this data set or .fdd or .toml file holds"
    )
    options.add_json(one, "description")
    add_figure(one)
    options.add_root(one)


def datasets(given: Namespace) -> int:
    """List the data sets and which are on disk; download, check or describe one, or say how.

    Parameters
    ----------
    given : Namespace
        The parsed arguments, see `add`.

    Returns
    -------
    int
        The exit status: 1 if a check finds something else than is published.
    """
    from ..data import file_sets
    from ..data.catalogue import entry_of
    from ..data.loading import catalogue, download
    from ..data.obtaining import how, in_short

    for option in ("json", "figure"):
        if getattr(given, option) and not given.describe:
            raise FddkitError(f"--{option} is for --describe; give the data set to describe")
    for option in ("download", "check"):
        name = getattr(given, option)
        if name and file_sets.is_path(name):
            raise FddkitError(
                f"{name} is a file, and only data sets of the catalogue are downloaded or "
                "compared with what is published; --describe it"
            )
    if given.download:
        download(given.download, given.root)
        print(f"{given.download} is in {given.root}")
        return 0
    if given.how:
        print(how(entry_of(given.how, given.root), given.root))
        return 0
    if given.check is not None:
        return _check(given)
    if given.describe:
        return _describe(given)
    facts = ("name", "data set", "classes", "groups", "shape", "BR")
    rows = [(*facts, f"data in {given.root}", "size", "licence")]
    for one in [*catalogue(), *file_sets.found(given.root, warnings.warn)]:
        state = "on disk" if one.on_disk(given.root) else f"missing ({one.needs})"
        shape = "x".join(map(str, one.shape))
        rows.append(
            (
                one.name,
                one.title,
                str(one.classes),
                str(one.groups),
                shape,
                "natural" if one.default_br is None else f"{one.default_br:g}",
                state if one.needs else "none needed",
                *in_short(one),
            )
        )
    print(table(rows))
    print(f"\nfddkit datasets --download NAME --root {given.root} downloads a missing one, and")
    print("--how NAME says where it comes from; faces are to be had from their owners only")
    return 0


def _check(given: Namespace) -> int:
    """Print what a check finds, of one data set or of all that are on disk."""
    from ..data.catalogue import entry_of
    from ..data.checking import check
    from ..data.loading import catalogue

    chosen = [one for one in catalogue() if one.source and one.on_disk(given.root)]
    if given.check:
        chosen = [entry_of(given.check, given.root)]
    if not chosen:
        raise FddkitError(f"no data set is in {given.root}; `fddkit datasets` lists what there is")
    wrong = 0
    for one in chosen:
        print(f"{one.name}: {one.title}")
        for finding in check(one, given.root):
            print(f"  {finding}")
            wrong += not finding.agrees
    print(f"{wrong} findings differ from what is published" if wrong else "as published")
    return 1 if wrong else 0


def _describe(given: Namespace) -> int:
    """Print what each split of a data set holds, and write it as JSON."""
    from ..data import file_sets
    from ..data.catalogue import entry_of
    from ..data.loading import load

    read = []
    if file_sets.is_path(given.describe):
        read = inputs(file_sets.find(given.describe, given.root), "--describe")
    check_places(read, outputs(given))
    check_json(given)
    entry = entry_of(given.describe, given.root)
    if entry.natural:
        splits = entry.read(given.root).splits
    else:
        splits = dict(zip(("train", "test"), load(given.describe, root=given.root), strict=True))
    drawn = figures(given, splits, read)
    tell(given, splits, drawn, {"described": given.describe, "sha256": entry.sha256})
    return 0
