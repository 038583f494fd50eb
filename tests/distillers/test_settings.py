from dataclasses import replace

import pytest
import torch

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data.catalogue import CATALOGUE
from fddkit.data.grouped import GroupedDataset
from fddkit.data.traits import DIGITS
from fddkit.distillers.dm import DM
from fddkit.distillers.registry import METHODS, settings


def named(name, side=32):
    images = torch.zeros(2, 3, side, side, dtype=torch.uint8)
    return GroupedDataset.from_arrays(images, torch.tensor([0, 1]), torch.tensor([0, 0]), name=name)


def test_the_paper_preset_is_the_published_protocol():
    paper = settings("paper").resolve(10, named("cifar10-s"))
    assert (paper.iterations, paper.batch, paper.lr, paper.momentum) == (20_000, 256, 1.0, 0.5)
    assert (paper.sampling, paper.init, paper.network, paper.width) == (
        "class",
        "real",
        "convnet",
        128,
    )
    assert settings("paper").resolve(100, named("cifar10-s")).lr == 10.0


@pytest.mark.parametrize("name", ["photos", "digits_of_mine", "mnist-mine"])
@pytest.mark.parametrize("method", METHODS)
def test_what_images_are_is_a_trait_and_not_a_name(name, method):
    """Once a set of photographs called "digits_of_mine" had another loss and step size."""
    photographs, own = named("photos"), named(name)
    chosen = settings("quick", method).resolve(10, own)
    assert chosen == settings("quick", method).resolve(10, photographs)
    digits = settings("quick", method).resolve(10, replace(own, traits=DIGITS))
    assert "flip" not in digits.augment
    if settings("quick", method).augment == "auto" and method not in ("idc", "dream"):
        assert "flip" in chosen.augment


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=CATALOGUE)
def test_the_catalogue_says_what_its_images_are(entry):
    if entry.on_disk():
        train, test = fdd.load(entry.name)
        assert train.traits == test.traits == entry.traits
        assert train.subset([0]).traits == entry.traits
    assert entry.traits.mirrors == (entry.target_names != tuple("0123456789"))


def test_quick_takes_fewer_steps_on_small_images():
    quick = settings("quick")
    assert quick.resolve(10, named("x", 16)).iterations == 200
    assert quick.resolve(10, named("x", 17)).iterations == 400
    assert settings("quick", iterations=7).resolve(10, named("x")).iterations == 7


def test_overrides_replace_and_none_keeps():
    assert settings("quick", width=7, lr=None).width == 7
    assert settings("quick", lr=None) == DM.presets["quick"]


@pytest.mark.parametrize(
    ("preset", "overrides", "sentence"),
    [
        ("papers", {}, "did you mean 'paper'"),
        ("quick", {"iteration": 5}, "did you mean 'iterations'"),
        ("quick", {"iterations": 0}, "iterations=0 is not a positive integer"),
        ("quick", {"batch": 2.5}, "batch=2.5 is not a positive integer"),
        ("quick", {"width": True}, "width=True is not a positive integer"),
        ("quick", {"lr": -1.0}, "lr=-1.0 is not a positive step size"),
        ("quick", {"lr": float("nan")}, "lr=nan is not a positive step size"),
        ("quick", {"momentum": 1.0}, "momentum=1.0 is outside"),
        ("quick", {"sampling": "groups"}, "did you mean 'group'"),
        ("quick", {"init": "zeros"}, "'zeros' is not a value of init"),
        ("quick", {"network": "resnet"}, "did you mean 'resnet18'"),
        ("quick", {"augment": "colour"}, "colour"),
    ],
)
def test_mistakes_get_a_sentence(preset, overrides, sentence):
    with pytest.raises(FddkitError, match=sentence):
        settings(preset, **overrides)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("preset", ["smoke", "quick", "paper"])
def test_every_method_has_its_presets_and_resolves_them(method, preset):
    resolved = settings(preset, method).resolve(10, named("cifar10-s"))
    assert None not in vars(resolved).values()
    assert "auto" not in vars(resolved).values()


def test_dc_takes_the_official_loops():
    loops = {}
    for ipc in (1, 5, 10, 50, 100):
        found = settings("paper", "dc").resolve(ipc, named("cifar10-s"))
        loops[ipc] = (found.outer, found.inner)
    assert loops == {1: (1, 1), 5: (1, 1), 10: (10, 50), 50: (50, 10), 100: (100, 10)}
    assert settings("paper", "dc", inner=3).resolve(10, named("cifar10-s")).inner == 3
