"""A number over the repeats of an evaluation, with its interval and what chance would show."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..core.errors import FddkitError
from .intervals import Estimate, t_interval
from .nulls import Null

_UNKNOWN = float("nan")


def _nothing() -> None:
    return None


@dataclass(frozen=True, eq=False)
class Summary:
    """A number, or an array of numbers, over the repeats of an evaluation; in percent.

    With one repeat the spread is unknown: ``std`` and ``ci95`` are NaN (null in JSON).

    Parameters
    ----------
    values : float64 [R, ...]
        One entry per unit of repetition.
    bounds : (float, float)
        The smallest and the largest possible value; the interval is clipped to them.
    unit : str
        What is repeated, in the plural: ``"sets"`` or ``"networks"``.
    null : callable, optional
        ``null() -> Null or None``: what a fair model would show.
    truth : callable, optional
        ``truth() -> Estimate or None``: the same number without the noise of the test images.
    measured : callable, optional
        ``measured() -> Estimate or None``: the number itself and how the test images vary it.

    Examples
    --------
    >>> import numpy as np
    >>> Summary(np.array([70.0, 72.0, 74.0]))
    72.0 ± 2.0 (95% interval [67.0, 77.0] over 3 networks)
    """

    values: np.ndarray
    bounds: tuple[float, float] = (0.0, 100.0)
    unit: str = "networks"
    null: Callable[[], Null | None] = _nothing
    truth: Callable[[], Estimate | None] = _nothing
    measured: Callable[[], Estimate | None] = _nothing

    def __post_init__(self) -> None:
        """Check that there are values."""
        try:
            values = np.asarray(self.values, dtype=float)
        except (TypeError, ValueError):
            values = np.empty(0)
        if not values.ndim or not len(values):
            raise FddkitError("a Summary needs at least one number; give one per unit")
        object.__setattr__(self, "values", values)

    @property
    def n(self) -> int:
        """How many units there are."""
        return len(self.values)

    @property
    def over(self) -> str:
        """What the interval is over, in words, e.g. ``"5 sets"``."""
        return units(self.n, self.unit)

    @property
    def mean(self) -> Any:
        """Mean over the units, float or array [...]."""
        return _scalar(self.values.mean(0))

    @property
    def std(self) -> Any:
        """Standard deviation over the units (ddof 1), float or array [...]."""
        several = len(self.values) > 1
        spread = self.values.std(0, ddof=1) if several else self.values[0] * _UNKNOWN
        return _scalar(spread)

    @cached_property
    def ci95(self) -> tuple[Any, Any]:
        """Ends of the 95% interval of the mean, within the bounds.

        It says how much the mean would vary with other units (sets, or networks of one set) and,
        where outcomes are known, with other test images; the training set is held fixed. Equal
        values without that knowledge have no interval: they are no certainty.
        """
        estimate = self.measured()
        if estimate is not None:
            return estimate.interval(self.bounds)
        low, high = t_interval(self.values)
        low, high = np.clip([low, high], *self.bounds)
        return _scalar(low), _scalar(high)

    @cached_property
    def chance(self) -> Null | None:
        """What an exactly fair model would show on the same test; None if that has no meaning."""
        return self.null()

    @property
    def noise_floor(self) -> float:
        """Mean of what an exactly fair model would show; NaN if the notion does not apply."""
        return _UNKNOWN if self.chance is None else self.chance.mean

    @property
    def most_by_chance(self) -> float:
        """What a fair model exceeds in one test of twenty; NaN if the notion does not apply."""
        return _UNKNOWN if self.chance is None else self.chance.most

    @property
    def p(self) -> float:
        """p-value of "a fair model would show no less"; NaN if the notion does not apply."""
        return _UNKNOWN if self.chance is None else self.chance.p(self.mean)

    @cached_property
    def true(self) -> Estimate | None:
        """The number without the noise of the test images, for gaps: see `corrections`."""
        return self.truth()

    @property
    def mostly_noise(self) -> bool:
        """Whether more than half of a gap is what the test images add by chance."""
        return self.true is not None and 0 < self.mean < 2 * (self.mean - self.true.mean)

    def to_dict(self) -> dict:
        """Return the number with all that is known of it for JSON, None where unknown.

        Returns
        -------
        dict
            mean, std, ci95, noise_floor (mean of a fair model), most_by_chance (its 95%
            quantile), p, corrected and its interval corrected_ci95, unit and n.
        """
        keys = ("mean", "std", "ci95", "noise_floor", "most_by_chance", "p")
        found = {key: _jsonable(getattr(self, key)) for key in keys}
        true = self.true
        corrected = _UNKNOWN if true is None else true.within(self.bounds)
        interval = (_UNKNOWN, _UNKNOWN) if true is None else true.interval(self.bounds)
        corrected = {"corrected": corrected, "corrected_ci95": interval}
        found |= {key: _jsonable(value) for key, value in corrected.items()}
        return found | {"unit": self.unit, "n": self.n}

    def cells(self) -> tuple[str, str, str, str]:
        """Return mean, std, interval and floor of one number for a table; "-" if unknown."""
        floor = "" if math.isnan(self.noise_floor) else f"{self.noise_floor:.1f}"
        return _number(self.mean), _number(self.std), between(*self.ci95), floor

    def __repr__(self) -> str:
        """Mean, spread, interval and what chance shows, with one decimal."""
        if np.ndim(self.mean):
            return f"Summary of {len(self.values)} {self.unit} of shape {self.values.shape[1:]}"
        mean, std, interval, floor = self.cells()
        floor = f"; a fair model: {floor}" if floor else ""
        return f"{mean} ± {std} (95% interval {interval} over {self.over}{floor})"


def units(n: int, unit: str) -> str:
    """Return so many units in words, e.g. ``"1 set"`` of ``"sets"``."""
    return f"{n} {unit if n != 1 else unit.removesuffix('s')}"


def between(low: float, high: float) -> str:
    """Return an interval for a table; "-" if unknown."""
    return "-" if math.isnan(low) else f"[{low:.1f}, {high:.1f}]"


def _number(value: float) -> str:
    return "-" if math.isnan(value) else f"{value:.1f}"


def _scalar(value: np.ndarray) -> Any:
    """Return a 0-d array as a float, anything else unchanged."""
    return float(value) if np.ndim(value) == 0 else value


def _jsonable(value: Any) -> Any:
    """Return floats, tuples and arrays as JSON values, with None for NaN."""
    if isinstance(value, tuple | list | np.ndarray):
        return [_jsonable(item) for item in value]
    return None if math.isnan(value) else float(value)
