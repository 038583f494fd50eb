"""A metric is tried out when it is registered, and costs only itself if it fails later."""

import warnings

import numpy as np
import pytest

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.evaluation import nulls, sampling
from fddkit.evaluation.measures import METRICS
from fddkit.evaluation.metric import Metric
from fddkit.evaluation.report import FairnessReport


def right(counts):
    return 1.0 * counts[:, 0, 0, 0]


def of_rates(rates):
    return rates[..., 0, 0]


def in_place(values):
    values += 1
    return right(values)


def leaves(values):
    raise SystemExit(3)


BAD = {
    "raises": {"function": lambda c: 1 / 0},
    "leaves": {"function": leaves},
    "in place": {"function": in_place},
    "no function": {"function": 5},
    "nothing": {"function": lambda c: None},
    "text": {"function": lambda c: ["5"] * len(c)},
    "complex": {"function": lambda c: right(c) * 1j},
    "rates raise": {"of_rates": lambda r: 1 / 0},
    "rates of one shape": {"of_rates": lambda r: np.ones(2)},
    "rates of text": {"of_rates": lambda r: np.full(r.shape[:-2], "a")},
    "rates of nothing": {"of_rates": lambda r: None},
    "no rates": {"of_rates": 5},
    **{f"bounds {b}": {"bounds": b} for b in (None, ("a", "b"), (1, 2, 3), (100, 0), (np.nan, 1))},
    "no title": {"title": None},
    "a number": {"title": 5},
    "no meaning": {"meaning": None},
    "a word": {"between_groups": "no"},
}


@pytest.mark.parametrize("name", BAD)
def test_a_metric_that_cannot_work_is_not_registered(name):
    given = {"title": "t", "function": right, "between_groups": True} | BAD[name]
    with pytest.raises(FddkitError, match="the metric 'bad'"):
        fdd.register("bad", Metric(**given))
    assert "bad" not in METRICS


def report():
    rng = np.random.default_rng(0)
    y, a = np.arange(80) % 2, np.arange(80) // 2 % 2
    return FairnessReport.from_predictions(y, np.where(rng.random((3, 80)) < 0.8, y, 1 - y), a)


@pytest.fixture
def later():
    """Register a metric whose functions are replaced once they are accepted."""

    def make(function=right, rates=None, **facts):
        now = [right, of_rates]
        metric = Metric(
            "later",
            lambda c: now[0](c),
            of_rates=None if rates is None else lambda r: now[1](r),
            **facts,
        )
        fdd.register("later", metric)
        now[:] = [function, rates]

    yield make
    METRICS.pop("later")
    METRICS.own.pop("later")


@pytest.mark.parametrize("between_groups", [False, True])
@pytest.mark.parametrize(
    ("function", "rates"),
    [
        (in_place, None),
        (leaves, None),
        (right, lambda r: 1 / 0),
        (right, lambda r: np.ones(3)),
        (right, lambda r: np.full(r.shape[:-2], "a")),
        (right, lambda r: None),
    ],
)
def test_a_metric_that_fails_later_spoils_nothing_else(
    later, function, rates, between_groups, tmp_path
):
    plain = report().to_dict()
    later(function, rates, between_groups=between_groups)
    one = report()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert "DEO_M" in str(one)
        one.save(tmp_path / "r.json")
        found = one.to_dict()
        fdd.compare(one, report(), ["later", "deo_a"])
    del found["later"]
    assert found == plain


def test_a_metric_of_the_whole_report_cannot_change_it(later):
    later()
    METRICS["later"] = Metric("later", lambda r: in_place(r.counts), whole=True)
    one = report()
    before = one.counts.copy()
    with pytest.warns(UserWarning, match="read-only"):
        assert np.isnan(one.metric("later").values).all()
    np.testing.assert_array_equal(one.counts, before)


def test_a_fair_model_is_simulated_in_blocks(monkeypatch):
    counts = report().counts
    bare = FairnessReport(counts, ["a", "b", "a"])
    whole = bare.deo_m.chance.draws
    monkeypatch.setattr(nulls, "_BLOCK", 100 * counts[0].size)
    parts = FairnessReport(counts, ["a", "b", "a"]).deo_m.chance.draws
    assert len(parts) == len(whole) == nulls.DRAWS
    np.testing.assert_array_equal(parts[:100], whole[:100])
    assert abs(parts.mean() - whole.mean()) < 5 * whole.std() / len(whole) ** 0.5


@pytest.mark.parametrize("changes", [sampling.changes_of_rates, sampling.changes_of_counts])
def test_other_images_are_drawn_in_blocks(monkeypatch, changes):
    one = report()

    def drawn():
        found = changes(one.outcomes, one.counts, 4000)
        found = found if isinstance(found, np.ndarray) else np.concatenate(list(found))
        return found.reshape(4000, -1)

    whole = drawn()
    monkeypatch.setattr(sampling, "_ORIGINALS", 30)
    parts = drawn()
    assert (parts != whole).any()
    known, found = (np.cov(x, rowvar=False) for x in (whole, parts))
    largest = np.abs(known).max()
    assert np.abs(known - found).max() < 0.15 * largest
