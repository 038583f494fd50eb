"""The options that several commands share, and what is made of what was typed there."""

import argparse
import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..core.errors import FddkitError
from ..experiments.notebooks import fit

Commands = argparse._SubParsersAction  # argparse has no public name for it


def add_command(
    commands: Commands, name: str, does: str, work: Callable[[Namespace], int], epilog: str
) -> ArgumentParser:
    """Add a command to the command line.

    Parameters
    ----------
    commands : Commands
        Those that there are.
    name : str
        What is typed.
    does : str
        What it is for, in a few words.
    work : callable
        Does it, with what was typed, and returns the exit status.
    epilog : str
        The end of its help: examples, and what else there is to know.

    Returns
    -------
    ArgumentParser
        Takes the command's arguments.
    """
    one = commands.add_parser(
        name,
        help=does,
        description=does[0].upper() + does[1:] + ".",
        epilog=epilog,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    one.set_defaults(command=work)
    return one


def add_root(one: ArgumentParser) -> None:
    """Add ``--root``."""
    one.add_argument("--root", default="data", help="folder of the raw data (default: data)")


def add_dataset(one: ArgumentParser) -> None:
    """Add ``--dataset`` and ``--root``."""
    one.add_argument("--dataset", default="digits", help="see `fddkit datasets` (default: digits)")
    add_root(one)


def add_data(one: ArgumentParser) -> None:
    """Add what says which training set it is, see `train`."""
    add_dataset(one)
    one.add_argument("--br", type=float, help="bias ratio (default: the data set's own)")
    one.add_argument("--gap", type=int, help="COBRA's group separation, 0 to 4, as the groups")
    one.add_argument(
        "--offset", type=float, default=0.0, help="semantic-preserving offset (default: 0)"
    )
    one.add_argument(
        "--data-seed", type=int, default=0, help="deals the images to the groups (default: 0)"
    )


def train(given: Namespace) -> Any:
    """Return the training set that was asked for.

    Parameters
    ----------
    given : Namespace
        The options of `add_data`.

    Returns
    -------
    GroupedDataset
        With the bias injected.
    """
    from ..data.loading import load

    options = {"br": given.br, "seed": given.data_seed, "gap": given.gap, "offset": given.offset}
    return load(given.dataset, root=given.root, **options)[0]


def add_ipc(one: ArgumentParser) -> None:
    """Add ``--ipc``."""
    one.add_argument("--ipc", type=int, default=10, help="images per class (default: 10)")


def add_seed(one: ArgumentParser) -> None:
    """Add ``--seed``."""
    one.add_argument("--seed", type=int, default=0, help="every random choice (default: 0)")


def add_preset(one: ArgumentParser) -> None:
    """Add ``--preset``."""
    one.add_argument("--preset", default="quick", help="smoke, quick or paper (default: quick)")


def add_work(one: ArgumentParser, names: str) -> None:
    """Add ``--preset``, ``--set`` (see `settings`) and ``--device``.

    Parameters
    ----------
    one : ArgumentParser
        Takes them.
    names : str
        Of the values that ``--set`` can change.
    """
    add_preset(one)
    one.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change one of the preset's values: {names}",
    )
    one.add_argument("--device", help="cpu, cuda, cuda:1 (default: a GPU where there is one)")


def settings(given: Namespace, presets: Mapping[str, Any]) -> dict[str, Any]:
    """Return what ``--set`` changes.

    Parameters
    ----------
    given : Namespace
        The options of `add_work`.
    presets : mapping
        Name -> settings.

    Returns
    -------
    dict
        Each value is of the type that the preset has.

    Raises
    ------
    FddkitError
        For what is not written NAME=VALUE, or a value of another type.
    """
    preset = presets.get(given.preset)  # an unknown one is refused where it is used
    return {
        name: fit(name, value, getattr(preset, name, None))
        for name, value in pairs("--set", given.set)
    }


def pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values of options written NAME=VALUE.

    Parameters
    ----------
    option : str
        As it is typed, for what is said of a mistake.
    texts : sequence of str
        What followed it each time.

    Returns
    -------
    list of tuple
        A name and a value for each text; a name can occur several times.

    Raises
    ------
    FddkitError
        For a text without a name or an equals sign.
    """
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise FddkitError(f"{option} {text}: write NAME=VALUE, e.g. {option} ipc=10")
        found.append((name.strip(), value.strip()))
    return found


def add_reports(one: ArgumentParser) -> None:
    """Add ``--reports``."""
    one.add_argument("--reports", default="reports", help="folder of all runs (default: reports)")


def add_out(one: ArgumentParser, replaces: str) -> None:
    """Add ``--out`` and ``--overwrite``.

    Parameters
    ----------
    one : ArgumentParser
        Takes them.
    replaces : str
        What ``--overwrite`` may replace.
    """
    one.add_argument(
        "--out", type=_file, required=True, metavar="FILE", help="the .safetensors to write"
    )
    one.add_argument("--overwrite", action="store_true", help=f"replace {replaces} at FILE")


def add_json(one: ArgumentParser, what: str) -> None:
    """Add ``--json`` and ``--overwrite``.

    Parameters
    ----------
    one : ArgumentParser
        Takes them.
    what : str
        What is written, in a word.
    """
    one.add_argument("--json", type=_file, metavar="FILE", help=f"also write the {what} here")
    one.add_argument(
        "--overwrite", action="store_true", help=f"replace {what} of something else at FILE"
    )


def _file(name: str) -> str:
    """Take the name of a file to write, which a folder's is not."""
    if name.endswith(os.sep) or not name:
        raise argparse.ArgumentTypeError(f"{name!r} is the name of a folder; give that of a file")
    return name
