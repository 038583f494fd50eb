import pytest
import torch
from references import toy
from torch.nn.utils import parameters_to_vector

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.distillers import fair_extractors as module
from fddkit.distillers.dc import DC, DCSettings
from fddkit.distillers.fair_extractors import balanced, fair_extractors
from fddkit.distillers.mtt import MTTSettings
from fddkit.distillers.registry import settings
from fddkit.rules.rules import RULES

COUNTS = torch.tensor([[30, 2, 0], [3, 8, 1]])
TINY = {"width": 4, "depth": 2, "extractors": 2, "extractor_steps": 5, "extractor": "fair"}


@pytest.fixture
def data():
    return toy(0, COUNTS)


def test_every_class_and_every_group_it_has_is_equally_likely(data):
    index = balanced(data, 60_000, generator(0))
    cell = data.target[index] * 3 + data.group[index]
    share = torch.bincount(cell, minlength=6) / 60_000
    expected = torch.tensor([1 / 4, 1 / 4, 0, 1 / 6, 1 / 6, 1 / 6])
    assert (share - expected).abs().max() < 0.01


def test_a_pool_is_found_again_and_an_interrupted_one_goes_on(data, tmp_path, monkeypatch):
    c = DCSettings(**TINY).resolve(2, data)
    whole = fair_extractors(data, c, 0, cache=tmp_path / "whole", progress=False)[0]
    assert not torch.equal(whole[0], whole[1])
    calls, original = [], module.descend

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 8:  # within the second network
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(module, "descend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        fair_extractors(data, c, 0, cache=tmp_path / "cut", progress=False)
    again = fair_extractors(data, c, 0, cache=tmp_path / "cut", progress=False)[0]
    assert len(calls) == 8 + 5
    assert all(torch.equal(a, b) for a, b in zip(whole, again, strict=True))
    monkeypatch.setattr(module, "descend", lambda *_: pytest.fail("trained again"))
    fair_extractors(data, c, 0, cache=tmp_path / "cut", progress=False)


def test_networks_start_from_the_pool_in_turns(data, tmp_path):
    c = DCSettings(**TINY).resolve(2, data)
    m = DC(data, 2, c, 0)
    m.prepare(RULES["cobra"], tmp_path, progress=False)
    pool = fair_extractors(data, c, 0, cache=tmp_path, progress=False)[0]
    for iteration in range(4):
        found = parameters_to_vector(m.fresh(iteration).parameters())
        assert torch.equal(found, pool[iteration % 2])


def test_a_method_that_trains_its_networks_leaves_the_pool_alone(data, tmp_path):
    c = DCSettings(**TINY, outer=2, inner=1).resolve(2, data)
    m = DC(data, 2, c, 0)
    m.prepare(RULES["cobra"], tmp_path, progress=False)
    start = parameters_to_vector(m.network(0).parameters()).clone()
    m.after(m.start().images, 0)
    assert not torch.equal(parameters_to_vector(m.network(1).parameters()), start)
    assert torch.equal(parameters_to_vector(m.fresh(0).parameters()), start)


def test_the_presets_train_them_longer_and_longer():
    found = [settings(preset, "dc").extractor_steps for preset in ("smoke", "quick", "paper")]
    assert found == [20, 200, 5000]
    assert settings("paper", "dm", extractor_steps=7).extractor_steps == 7


def test_it_can_be_distilled_with(data, tmp_path):
    options = {"preset": "smoke", "progress": False, "cache": tmp_path, **TINY}
    fair = fdd.distill(data, "dm", "vanilla", 2, iterations=2, **options)
    plain = fdd.distill(
        data, "dm", "vanilla", 2, iterations=2, **{**options, "extractor": "random"}
    )
    assert not torch.equal(fair.images, plain.images)


def test_mtt_refuses_it(data):
    with pytest.raises(FddkitError, match="leave extractor=random"):
        MTTSettings(extractor="fair").resolve(10, data)
