"""The distillers by name: adding one means a subclass of `Matching` and a line here."""

from ..core.errors import FddkitError, unknown
from ..core.presets import choose
from ..rules.targets import RULES
from .cafe import CAFE
from .dc import DC, DSA
from .dm import DM
from .dream import DREAM
from .fair_extractors import STEPS
from .idc import IDC
from .matching import Matching
from .mtt import MTT
from .settings import Settings
from .start import BASELINES

#: Name -> distiller.
METHODS: dict[str, type[Matching]] = {
    "dm": DM,
    "dc": DC,
    "dsa": DSA,
    "idc": IDC,
    "dream": DREAM,
    "cafe": CAFE,
    "mtt": MTT,
}


def find(method: str, fairness: str | None = None) -> type[Matching]:
    """Return the distiller of that name, if it has the rule.

    Parameters
    ----------
    method : str
        One of `METHODS`.
    fairness : str, optional
        One of `fddkit.rules.targets.RULES`.

    Returns
    -------
    type
        A subclass of `Matching`.

    Raises
    ------
    FddkitError
        For an unknown name, or a rule that has no meaning for the method.
    """
    if method not in METHODS:
        raise unknown("method", method, [*METHODS, *BASELINES])
    if fairness is not None:
        if fairness not in RULES:
            raise unknown("fairness rule", fairness, RULES)
        reason = METHODS[method].lacks.get(fairness)
        if reason:
            raise FddkitError(f"{method} has no rule {fairness!r}: {reason}")
    return METHODS[method]


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
        Fields of the method's settings; ``None`` leaves the preset's value.

    Returns
    -------
    Settings

    Raises
    ------
    FddkitError
        For an unknown method, preset or field, or a value out of range.
    """
    if overrides.get("extractor_steps") is None:  # the same for every method
        overrides["extractor_steps"] = STEPS.get(preset)
    return choose(find(method).presets, preset, overrides, f"setting of {method}")
