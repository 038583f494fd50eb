"""The options that several commands share, and how their values are read."""

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
        Where it is added.
    name : str
        Its name.
    does : str
        What it is for, in a few words.
    work : callable
        Does the work, given the parsed arguments, and returns the exit status.
    epilog : str
        The end of its help: examples and further notes.

    Returns
    -------
    ArgumentParser
        The parser of the command's arguments.
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
    """Add the options of the training set, see `train`."""
    add_dataset(one)
    one.add_argument("--br", type=float, help="bias ratio (default: the data set's own)")
    one.add_argument("--gap", type=int, help="two groups, separated by COBRA's GAP level 0 to 4")
    one.add_argument(
        "--offset", type=float, default=0.0, help="semantic-preserving offset (default: 0)"
    )
    one.add_argument(
        "--data-seed", type=int, default=0, help="seed that assigns images to groups (default: 0)"
    )


def train(given: Namespace) -> Any:
    """Return the training set that the options describe.

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
    one.add_argument("--seed", type=int, default=0, help="seed of all random choices (default: 0)")


def add_preset(one: ArgumentParser) -> None:
    """Add ``--preset``."""
    one.add_argument("--preset", default="quick", help="smoke, quick or paper (default: quick)")


def add_work(one: ArgumentParser, names: str) -> None:
    """Add ``--preset``, ``--set`` (see `settings`) and ``--device``.

    Parameters
    ----------
    one : ArgumentParser
        Where they are added.
    names : str
        The values that ``--set`` can change.
    """
    add_preset(one)
    one.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help=f"change one of the preset's values: {names}",
    )
    one.add_argument("--device", help="cpu, cuda or cuda:1 (default: a GPU if there is one)")


def settings(given: Namespace, presets: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that ``--set`` changes.

    Parameters
    ----------
    given : Namespace
        The options of `add_work`.
    presets : mapping
        Name -> settings.

    Returns
    -------
    dict
        Name -> value, of the type that it has in the preset.

    Raises
    ------
    FddkitError
        For an option not written as NAME=VALUE, or a value of another type.
    """
    preset = presets.get(given.preset)  # an unknown one is refused where it is used
    return {
        name: fit(name, value, getattr(preset, name, None))
        for name, value in pairs("--set", given.set)
    }


def pairs(option: str, texts: Sequence[str]) -> list[tuple[str, str]]:
    """Return names and values of options written as NAME=VALUE.

    Parameters
    ----------
    option : str
        Name of the option, for error messages.
    texts : sequence of str
        Its values.

    Returns
    -------
    list of tuple
        A name and a value for each text; a name can occur more than once.

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
        Where they are added.
    replaces : str
        What ``--overwrite`` may replace.
    """
    one.add_argument(
        "--out", type=_file, required=True, metavar="FILE", help="the .safetensors file to write"
    )
    one.add_argument("--overwrite", action="store_true", help=f"replace {replaces} at FILE")


def add_json(one: ArgumentParser, what: str) -> None:
    """Add ``--json`` and ``--overwrite``.

    Parameters
    ----------
    one : ArgumentParser
        Where they are added.
    what : str
        What is written, in one word.
    """
    one.add_argument("--json", type=_file, metavar="FILE", help=f"also write the {what} here")
    one.add_argument(
        "--overwrite", action="store_true", help="replace FILE even if it holds other results"
    )


def _file(name: str) -> str:
    """Accept the name of a file to write, but not that of a folder."""
    if name.endswith(os.sep) or not name:
        raise argparse.ArgumentTypeError(f"{name!r} is the name of a folder; give that of a file")
    return name
