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
    one.add_argument(
        "--dataset",
        default="digits",
        metavar="NAME",
        help="see `fddkit datasets`; or your own .fdd or .toml file (default: digits)",
    )
    add_root(one)


def add_data(one: ArgumentParser) -> None:
    """Add the options of the training set, see `train`."""
    add_dataset(one)
    one.add_argument("--br", type=float, help="bias ratio (default: the data set's own)")
    one.add_argument(
        "--per-cell",
        type=int,
        help="test images of each class and group, of a file without a test split (default: 60)",
    )
    one.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="an option of this data set, e.g. target=Smiling, see `fddkit datasets --how NAME`",
    )
    one.add_argument("--gap", type=int, help="two groups, separated by COBRA's GAP level 0 to 4")
    one.add_argument(
        "--offset", type=float, default=0.0, help="semantic-preserving offset (default: 0)"
    )
    one.add_argument(
        "--data-seed", type=int, default=0, help="seed that assigns images to groups (default: 0)"
    )
    one.add_argument(
        "--proportions",
        type=_proportions,
        metavar="SIZES",
        help="relative sizes of the minorities, e.g. 3,2,1, or unbalanced (default: equal)",
    )
    add_group_labels(one)


def add_group_labels(one: ArgumentParser) -> None:
    """Add the options that make the training set's group labels imperfect, in this order."""
    one.add_argument(
        "--group-noise", type=float, metavar="SHARE", help="images with a random group label"
    )
    one.add_argument(
        "--noise-kind", default="any", help="any group's label, or a wrong one (default: any)"
    )
    one.add_argument(
        "--known-groups", type=float, metavar="SHARE", help="images whose group is known"
    )
    one.add_argument(
        "--recover-groups", action="store_true", help="guess unknown groups by k-means on pixels"
    )


def group_labels(given: Namespace) -> list[dict[str, Any]]:
    """Return the changes that the options of `add_group_labels` describe, for `fddkit.load`."""
    seed, changes = {"seed": given.data_seed}, []
    if given.group_noise is not None:
        noise = {"share": given.group_noise, "kind": given.noise_kind}
        changes.append({"change": "noise", **noise, **seed})
    if given.known_groups is not None:
        changes.append({"change": "known", "share": given.known_groups, **seed})
    return [*changes, *([{"change": "recovered"}] if given.recover_groups else [])]


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
    from ..data.catalogue import entry_of
    from ..data.loading import load

    own = entry_of(given.dataset, given.root).options
    options = {"br": given.br, "seed": given.data_seed, "gap": given.gap, "offset": given.offset}
    if given.per_cell is not None:
        options["per_cell"] = given.per_cell
    options |= {k: fit(k, v, own.get(k)) for k, v in pairs("--option", given.option)}
    options |= {"proportions": given.proportions, "group_labels": tuple(group_labels(given))}
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


def _proportions(text: str) -> list[float] | str:
    """Read numbers with commas between them, or a name."""
    try:
        return [float(size) for size in text.split(",")]
    except ValueError:
        return text


def _file(name: str) -> str:
    """Accept the name of a file to write, but not that of a folder."""
    if name.endswith(os.sep) or not name:
        raise argparse.ArgumentTypeError(f"{name!r} is the name of a folder; give that of a file")
    return name
