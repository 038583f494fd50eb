import pytest
import torch

from fddkit.core.errors import FddkitError
from fddkit.data.grouped import GroupedDataset
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


def test_auto_augmentation_never_mirrors_digits():
    assert "flip" not in settings("quick").resolve(10, named("digits")).augment
    assert "flip" not in settings("quick").resolve(10, named("cmnist-bg")).augment
    assert "flip" in settings("quick").resolve(10, named("cfmnist-fg")).augment


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
