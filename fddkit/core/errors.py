"""The exception that a user's mistake raises."""

from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 100  # characters of a name that is shown


class FddkitError(ValueError):
    """A mistake in the input, described in one sentence: what is wrong, where, and what to do.

    The command line prints the sentence and exits with status 2, without a traceback.

    Examples
    --------
    >>> import fddkit as fdd
    >>> fdd.load("digit")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    fddkit.core.errors.FddkitError: 'digit' is not a data set; did you mean 'digits'? Known: ...
    """


class Damaged(FddkitError):
    """A file that is not what it should be.

    Parameters
    ----------
    what : str
        Which file, and what is wrong with it.
    advice : str
        What to do.
    """

    def __init__(self, what: str, advice: str):
        super().__init__(f"{what}; {advice}")
        self.what = what


class NewerFormat(FddkitError):
    """A file written by a newer fddkit: nothing is wrong with it, and it is left alone."""


def unknown(kind: str, name: object, known: Iterable[str]) -> FddkitError:
    """Return the error for a name that is not in a registry.

    Parameters
    ----------
    kind : str
        What the name should refer to, e.g. ``"data set"``.
    name : object
        The name that was given.
    known : iterable of str
        The names that exist, in the order in which they are listed.

    Returns
    -------
    FddkitError
        For the caller to raise.

    Examples
    --------
    >>> print(unknown("rule", "cobar", ["vanilla", "cobra"]))
    'cobar' is not a rule; did you mean 'cobra'? Known: vanilla, cobra
    """
    known = list(known)
    close = get_close_matches(str(name)[:_LONGEST], known, n=1)
    shown = repr(name) if len(repr(name)) <= _LONGEST else f"{repr(name)[:_LONGEST]}..."
    hint = f"did you mean {close[0]!r}? Known" if close else "known"
    return FddkitError(f"{shown} is not a {kind}; {hint}: {', '.join(known)}")
