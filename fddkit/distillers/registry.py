"""The distillers by name: a built-in one is a subclass of `Matching` and a line here."""

from ..core.entries import Table
from ..core.errors import FddkitError, unknown
from ..core.presets import choose
from ..rules.rules import RULES
from .baselines import BASELINES
from .cafe import CAFE
from .dc import DC, DSA
from .dm import DM
from .dream import DREAM
from .fair_extractors import STEPS
from .idc import IDC
from .matching import Matching
from .mtt import MTT
from .settings import Settings


def _is_distiller(entry: object) -> bool:
    return isinstance(entry, type) and issubclass(entry, Matching)


def _adopt(name: str, distiller: type[Matching]) -> type[Matching]:
    """Check that a registered distiller has everything it needs."""
    presets = getattr(distiller, "presets", {})
    missing = [f"preset {name}" for name in ("smoke", "quick", "paper") if name not in presets]
    missing += [] if hasattr(distiller, "title") else ["title"]
    if missing:
        raise FddkitError(f"the distiller {name!r} has no {missing[0]}; add it to the class")
    return distiller


#: Name -> distiller, in the order in which they are listed.
METHODS: Table[type[Matching]] = Table(
    "distiller",
    _is_distiller,
    {"dm": DM, "dc": DC, "dsa": DSA, "idc": IDC, "dream": DREAM, "cafe": CAFE, "mtt": MTT},
    _adopt,
)


def find(method: str, fairness: str | None = None) -> type[Matching]:
    """Return the distiller with a name, provided that it supports a rule.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    fairness : str, optional
        One of `fddkit.rules.rules.RULES`.

    Returns
    -------
    type
        A subclass of `Matching`.

    Raises
    ------
    FddkitError
        For an unknown name, or a rule that has no meaning for the method.

    Examples
    --------
    >>> from fddkit.distillers.registry import find
    >>> find("dm", "fairdd").__name__
    'DM'
    >>> find("mtt", "fairdd")
    Traceback (most recent call last):
    fddkit.core.errors.FddkitError: mtt has no rule 'fairdd': ...
    """
    if method not in METHODS:
        raise unknown("method", method, [*METHODS, *BASELINES])
    if fairness is not None:
        reason = lacks(method, fairness)
        if reason:
            raise FddkitError(f"{method} has no rule {fairness!r}: {reason}")
    return METHODS[method]


def lacks(method: str, fairness: str) -> str:
    """Return why a rule has no meaning for a distiller, both by name; empty if it has one."""
    return METHODS[method].lacks(RULES[fairness])


def settings(preset: str, method: str = "dm", **overrides: object) -> Settings:
    """Return a method's preset with some of its values replaced.

    Parameters
    ----------
    preset : {"smoke", "quick", "paper"}
        ``smoke`` takes seconds (tests), ``quick`` minutes on two cores, ``paper`` uses the
        published hyper-parameters (protocols of FairDD and of the method).
    method : str
        One of `METHODS`.
    **overrides
        Fields of the method's settings; ``None`` keeps the preset's value.

    Returns
    -------
    Settings
        Settings of the method; values that depend on the run are None until
        `fddkit.distillers.settings.Settings.resolve`.

    Raises
    ------
    FddkitError
        For an unknown method, preset or field, or a value out of range.

    Examples
    --------
    >>> import fddkit as fdd
    >>> from fddkit.distillers.registry import settings
    >>> chosen = settings("paper", "dm", batch=128)
    >>> chosen.iterations, chosen.batch, chosen.lr
    (20000, 128, None)
    >>> train, _ = fdd.load("digits")
    >>> chosen.resolve(ipc=10, train=train).lr
    1.0
    """
    if overrides.get("extractor_steps") is None:  # the same for every method
        overrides["extractor_steps"] = STEPS.get(preset)
    return choose(find(method).presets, preset, overrides, f"setting of {method}")
