import itertools

import numpy as np
import pytest
import torch
from references import toy

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.evaluation.statements import from_zero
from fddkit.experiments import factorial as module
from fddkit.experiments.factorial import FAIRDD_AND_COBRA, Factorial, factorial

TINY = {"preset": "smoke", "iterations": 2, "batch": 4, "width": 4, "depth": 2, "progress": False}


def made_up(effects, noise=0.0, seeds=4):
    """Values that are a sum of known effects: (factor,) or (factor, factor) -> size."""
    g = np.random.default_rng(0)
    values = np.zeros((2, 2, 2, seeds))
    for place in itertools.product(range(2), repeat=3):
        signs = dict(zip("abc", (2 * p - 1 for p in place), strict=True))
        value = 50 + sum(size / 2 * np.prod([signs[n] for n in names]) for names, size in effects)
        values[place] = value + noise * g.standard_normal(seeds)
    levels = dict.fromkeys("abc", ("low", "high"))
    return Factorial(levels, {"accuracy": values})


def test_known_effects_are_found():
    effects = [(("a",), 10.0), (("b",), -4.0), (("a", "b"), 3.0)]
    found = made_up(effects)
    for names, size in effects:
        assert found.effect("accuracy", *names).mean == pytest.approx(size)
    assert found.effect("accuracy", "c").mean == pytest.approx(0)
    assert found.effect("accuracy", "a", "c").mean == pytest.approx(0)
    table = found.effects()
    assert table.loc["a: low -> high", ("accuracy", "mean")] == pytest.approx(10)
    assert table.loc["a x b", ("accuracy", "mean")] == pytest.approx(3)
    assert len(table) == 6


def test_an_interval_is_over_seeds_and_may_be_negative():
    found = made_up([(("b",), -4.0)], noise=1.0, seeds=30).effect("accuracy", "b")
    low, high = found.ci95
    assert low < -4.0 < high < 0
    assert found.values.shape == (30,)
    assert from_zero(found, "The effect").startswith("The effect is -")
    nothing = made_up([], noise=1.0, seeds=3).effect("accuracy", "a")
    assert "cannot be told from 0" in from_zero(nothing, "The effect")


def test_the_cells_are_distilled_and_evaluated_one_by_one(tmp_path):
    train = toy(0, torch.full((3, 2), 8))
    found = factorial(train, train, FAIRDD_AND_COBRA, ipc=2, seeds=2, folder=tmp_path, **TINY)
    assert found.factors == {"rule": ("fairdd", "cobra"), "sampling": ("class", "group")}
    assert found.values["accuracy"].shape == (2, 2, 2)
    options = {k: v for k, v in TINY.items() if k not in ("preset",)}
    s = fdd.distill(
        train, "dm", "fairdd", 2, 1, "smoke", normalise="groups", sampling="group", **options
    )
    report = fdd.evaluate(s, train, repeats=1, seed=1, preset="smoke", progress=False)
    report = report.counterfactual or report
    for metric in ("accuracy", "deo_m", "deo_a"):
        assert found.values[metric][0, 1, 1] == getattr(report, metric).mean
    assert found.cells().loc[("fairdd", "group"), "accuracy"] == pytest.approx(
        found.values["accuracy"][0, 1].mean()
    )


def test_finished_cells_are_found_again(tmp_path, monkeypatch):
    train = toy(0, torch.full((3, 2), 8))
    first = factorial(train, train, ipc=2, seeds=1, folder=tmp_path, **TINY)

    def never(*args, **kwargs):
        raise AssertionError("computed again")

    monkeypatch.setattr(module, "evaluate", never)
    again = factorial(train, train, ipc=2, seeds=1, folder=tmp_path, **TINY)
    for metric, values in first.values.items():
        assert np.array_equal(values, again.values[metric], equal_nan=True)


def test_what_cannot_be_measured_is_refused():
    train = toy(0, torch.full((3, 2), 8))
    with pytest.raises(FddkitError, match="at least one seed"):
        factorial(train, train, seeds=0)
    with pytest.raises(FddkitError, match="at least one seed"):
        factorial(train, train, {"rule": {}})
    found = made_up([])
    with pytest.raises(FddkitError, match="no effect of z"):
        found.effect("accuracy", "z")
    with pytest.raises(FddkitError, match="no effect of a on 'deo_m'"):
        found.effect("deo_m", "a")
    three = Factorial({"a": ("x", "y", "z")}, {"accuracy": np.zeros((3, 2))})
    with pytest.raises(FddkitError, match="3 levels"):
        three.effect("accuracy", "a")
