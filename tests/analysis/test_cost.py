import json

import pytest
import torch
from references import toy

import fddkit as fdd
from fddkit import plots
from fddkit.analysis.cost import cost, naive, random_set
from fddkit.cli import main
from fddkit.core.errors import FddkitError
from fddkit.distillers.registry import METHODS, settings
from fddkit.experiments import papers
from fddkit.rules.rules import RULES

SMALL = {"preset": "smoke", "ipc": 2, "side": 8, "rounds": 3, "depth": 2, "width": 4, "batch": 20}


@pytest.mark.parametrize("sampling", ["class", "group"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("method", [m for m in METHODS if m != "mtt"])
def test_the_loops_give_the_same_step(method, rule, sampling):
    data = toy(0, torch.tensor([[9, 1, 0], [3, 5, 2], [0, 1, 4]]))
    c = settings("smoke", method, batch=6, width=4, depth=2, sampling=sampling)
    m = METHODS[method](data, 2, c.resolve(2, data), 0, dtype=torch.float64)
    m.sampler.log_weights = torch.randn(len(data), dtype=torch.float64)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    (a, g), (b, h) = (
        step(images, RULES[rule], 0) for step in (m.gradient, lambda *x: naive(m, *x))
    )
    assert a == pytest.approx(b, rel=1e-9)
    assert (g - h).norm() <= 1e-8 * h.norm()


def test_the_loops_see_a_network_that_was_warmed_up():
    data = toy(0, torch.full((3, 2), 4))
    c = settings("smoke", "dm", batch=6, width=4, depth=2, warmup=2).resolve(2, data)
    fast, loops = (METHODS["dm"](data, 2, c, 0, dtype=torch.float64) for _ in range(2))
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    expected, _ = fast.gradient(images, RULES["cobra"], 0)
    assert naive(loops, images, RULES["cobra"], 0)[0] == pytest.approx(expected, rel=1e-9)


def test_the_random_set_is_as_biased_as_asked():
    data = random_set(10, 8)
    counts = data.counts()
    assert counts.sum(1).tolist() == [2000] * 10
    assert (counts.max(1).values / 2000 - 0.91).abs().max() < 0.03


def test_rows_are_ratios_within_one_run():
    rows = cost(["dm", "dc"], ["fairdd", "cobra"], [4, 2], with_naive=True, **SMALL)
    names = [(r.method, r.rule, r.groups) for r in rows]
    rules = ["vanilla", "fairdd", "cobra", "naive fairdd"]
    assert names == [(m, r, a) for m in ("dm", "dc") for a in (2, 4) for r in rules]
    for row in rows:
        assert row.seconds > 0
        assert row.n == 3
        assert row.peak_mb > 0
        assert row.device == "cpu"
        if row.rule == "vanilla":
            assert row.ratio == 1
        if row.groups == 2:
            assert row.growth == 1


def test_memory_is_counted_from_allocations():
    from fddkit.analysis.cost import _peak

    def step():
        a = torch.zeros(2**20)  # 4 MiB
        b = a + 1  # 8 MiB with it
        del a
        c = b + 1  # still 8
        return c.sum()

    assert _peak(step, torch.device("cpu")) == pytest.approx(8, rel=0.01)


def test_peak_memory_of_a_rule_stays_near_vanillas():
    """What the issue of cost is about, on what can be counted exactly."""
    rows = cost(
        ["dm", "dc"],
        ["fairdd", "cobra"],
        [10],
        **{**SMALL, "rounds": 1, "side": 32, "depth": 3, "ipc": 5},
    )
    for row in rows:
        base = next(r for r in rows if r.method == row.method and r.rule == "vanilla")
        assert row.peak_mb <= 1.25 * base.peak_mb


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"methods": ["dmm"]}, "did you mean 'dm'"),
        ({"rules": ["fairdds"]}, "did you mean 'fairdd'"),
        ({"groups": [0]}, "at least one method, one number of groups"),
        ({"methods": ["mtt"], "rules": ["fairdd"]}, "leave mtt out"),
    ],
)
def test_mistakes_get_a_sentence(wrong, sentence):
    with pytest.raises(FddkitError, match=sentence):
        cost(**{"rounds": 1, **wrong})


def test_the_command_writes_the_rows(tmp_path, capsys):
    path = tmp_path / "cost.json"
    words = (
        "cost --methods dm --groups 2,4 --preset smoke --side 8 --rounds 1 --naive --set width=4"
    )
    assert main([*words.split(), "--set", "depth=2", "--json", str(path)]) == 0
    out = capsys.readouterr().out
    assert "naive fairdd" in out
    found = json.loads(path.read_text())
    assert found["command"].startswith("fddkit cost --methods dm")
    assert {"method", "rule", "groups", "seconds", "ratio", "peak_mb", "device", "n"} <= set(
        found["rows"][0]
    )
    assert found["versions"]["torch"] == str(torch.__version__)


def test_published_costs_are_ratios_to_vanilla():
    every = papers.costs()
    found = every[every.source.isin(["FairDD T9", "COBRA T13"])]
    found = found.set_index(["method", "rule", "groups", "metric"])
    assert found.index.is_unique
    other = every[(every.source == "COBRA T14") & (every.dataset == "cifar10-s")]
    assert other.set_index(["method", "metric"]).ratio["dc", "time"] == pytest.approx(132.5 / 83.3)
    other = every[(every.source == "FairDD T10") & (every.side == "64")]
    assert other.set_index(["method", "metric"]).ratio["dm", "time"] == pytest.approx(12.2 / 11.18)
    assert found.loc[("dm", "cobra", 10, "time"), "ratio"] == pytest.approx(52.4 / 17.4)
    assert found.loc[("dc", "cobra", 10, "time"), "ratio"] == pytest.approx(359.4 / 83.8)
    assert found.loc[("dc", "fairdd", 10, "time"), "ratio"] == pytest.approx(210 / 70)
    assert found.loc[("dc", "fairdd", 10, "memory"), "ratio"] == pytest.approx(2443 / 2143)


def test_the_figure_shows_every_variant():
    rows = cost(["dm"], ["fairdd"], [2, 4], with_naive=True, **{**SMALL, "rounds": 1})
    printed = papers.costs()
    figure = plots.cost(rows, printed[printed.source.isin(["FairDD T9", "COBRA T13"])])
    time, memory = figure.axes
    assert len(time.lines) == 3 + 2 + 1  # measured, published, the line at one
    assert time.get_ylim()[0] == 0
    assert memory.get_xlabel() == "groups"
    assert [t.get_text() for t in figure.legends[0].texts][:3] == [
        "vanilla", "fairdd", "naive fairdd",
    ]  # fmt: skip


def test_it_is_reached_from_the_package():
    assert fdd.papers.costs is papers.costs
