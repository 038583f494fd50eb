from functools import partial

import pytest
import torch
from references import toy

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.distillers import coresets
from fddkit.distillers.baselines import BASELINES, baseline, sized
from fddkit.distillers.baselines import Baseline as fdd_baseline
from fddkit.distillers.quotas import quotas
from fddkit.distillers.start import initial

COUNTS = torch.tensor([[9, 1, 4, 0], [0, 6, 6, 6]])
SIZED = [name for name, one in BASELINES.items() if one.sized]


@pytest.fixture(scope="module")
def data():
    return toy(1, COUNTS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    monkeypatch.setattr(coresets, "STEPS", 2)
    monkeypatch.setattr(coresets, "_TRAINED", {})


def of_cells(s, groups=4):
    return torch.stack([s.group[s.target == y].bincount(minlength=groups) for y in (0, 1)])


def originals(s, data):
    """Return the row of each image, and see that its labels are those of the row."""
    found = [int((data.images == x).flatten(1).all(1).nonzero()) for x in s.images]
    assert torch.equal(s.target, data.target[found])
    assert torch.equal(s.group, data.group[found])
    return found


@pytest.mark.parametrize("name", SIZED)
def test_as_many_different_images_of_each_class_in_order(data, name):
    s = baseline(data, name, 7, 3)
    assert s.target.tolist() == [0] * 7 + [1] * 7
    assert len(set(originals(s, data))) == 14


@pytest.mark.parametrize("name", [name for name in SIZED if "balanced" in name])
def test_balanced_ones_share_their_numbers(data, name):
    for ipc in (1, 3, 8, 14):
        assert torch.equal(of_cells(baseline(data, name, ipc, 5)), quotas(data, ipc, 5))
    assert of_cells(baseline(data, name, 14, 5)).tolist()[0] == [9, 1, 4, 0]


def test_random_is_where_dm_starts(data):
    random = baseline(data, "random", 3, 5)
    assert random.images.dtype == torch.uint8
    assert torch.equal(random.normalised(), initial(data, 3, 5).images)


def test_random_has_the_bits_that_it_always_had(data):
    draws = generator(4, "initial images")
    pools = [torch.where(data.target == y)[0] for y in (0, 1)]
    rows = torch.cat([pool[torch.randperm(len(pool), generator=draws)][:5] for pool in pools])
    assert torch.equal(baseline(data, "random", 5, 4).images, data.images[rows])


def test_every_image_of_a_group_is_as_likely(data):
    times = torch.zeros(len(data))
    for seed in range(2000):
        times[BASELINES["random-balanced"].pick(data, 6, seed)] += 1
    own = times[(data.target == 1) & (data.group == 2)] / 2000
    assert (own - 2 / 6).abs().max() < 5 * (2 / 9 / 2000) ** 0.5


def test_whole_is_everything(data):
    s = baseline(data, "whole", 1, 0)
    assert torch.equal(s.images, data.images)
    assert torch.equal(s.group, data.group)


def test_whole_is_cut_to_the_smallest_group_that_there_is(data):
    s = baseline(data, "whole-balanced", 1, 0)
    assert of_cells(s).tolist() == [[1, 1, 1, 0], [0, 6, 6, 6]]
    rows = originals(s, data)
    assert rows == sorted(set(rows))  # in the order of the set
    other = originals(baseline(data, "whole-balanced", 1, 1), data)
    assert rows != other  # which images are kept is drawn


def test_a_balanced_set_is_not_cut():
    data = toy(2, torch.full((2, 3), 4))
    assert torch.equal(baseline(data, "whole-balanced", 1, 0).images, data.images)


@pytest.mark.parametrize("name", SIZED)
def test_more_images_than_a_class_has(data, name):
    with pytest.raises(FddkitError, match=r"ipc=15 is larger than class '.*' of toy \(14 images\)"):
        baseline(data, name, 15, 0)


@pytest.mark.parametrize("name", BASELINES)
def test_the_seed_determines_it(data, name):
    make = partial(baseline, data, name, 4)
    assert torch.equal(make(1).images, make(1).images)


def test_distil_gives_a_baseline_the_same_way_as_a_method(data, tmp_path):
    s = fdd.distill(data, "random-balanced", ipc=2, seed=1, out=tmp_path / "s", progress=False)
    assert torch.equal(s.images, baseline(data, "random-balanced", 2, 1).images)
    assert (s.config["method"], s.config["fairness"], s.config["ipc"]) == (
        *("random-balanced", None, 2),
    )
    assert fdd.distill(data, "whole-balanced", ipc=2, progress=False).config["ipc"] is None
    with pytest.raises(FddkitError, match="did you mean 'herding'"):
        fdd.distill(data, "herdin", ipc=1)


def test_whatever_is_no_baseline_takes_a_number_of_images():
    assert [name for name in BASELINES if sized(name)] == SIZED
    assert sized("dm")
    assert sized("cobra")
    assert not sized("whole")


def _right(train, ipc, seed):
    return torch.cat([torch.where(train.target == y)[0][:ipc] for y in (0, 1)])


BAD_PICKS = {
    "raises": (lambda *_: 1 / 0, "fails: ZeroDivisionError"),
    "list": (lambda *x: _right(*x).tolist(), "picks list"),
    "numpy": (lambda *x: _right(*x).numpy(), "picks ndarray"),
    "float": (lambda *x: _right(*x).float(), "picks torch.float32"),
    "mask": (lambda t, *_: torch.ones(len(t), dtype=torch.bool), "picks torch.bool"),
    "nothing": (lambda *_: None, "picks NoneType"),
    "matrix": (lambda *x: _right(*x)[:, None], r"shape \[4, 1\]"),
    "none": (lambda *x: _right(*x)[:0], "picks no image"),
    "beyond": (lambda *x: _right(*x) + 1000, "rows that toy does not have"),
    "negative": (lambda *x: _right(*x) - 99, "rows that toy does not have"),
    "too few": (lambda t, ipc, s: _right(t, 1, s), "does not pick 2 images of each class"),
    "order": (lambda *x: _right(*x).flip(0), "does not pick 2 images of each class"),
}


@pytest.fixture
def own():
    def make(pick, **more):
        facts = {"title": "own", "colour": "#123456"} | more
        fdd.register("own", fdd_baseline(pick=pick, **facts))

    yield make
    BASELINES.pop("own", None)
    BASELINES.own.pop("own", None)


@pytest.mark.parametrize("name", BAD_PICKS)
def test_what_a_baseline_must_not_pick(data, own, name):
    pick, sentence = BAD_PICKS[name]
    own(pick)
    with pytest.raises(FddkitError, match=f"the baseline 'own' .*{sentence}"):
        baseline(data, "own", 2, 0)


def test_a_baseline_may_repeat_images_and_choose_its_size(data, own):
    own(lambda t, ipc, s: _right(t, 1, s).repeat_interleave(ipc))
    assert baseline(data, "own", 3, 0).target.tolist() == [0, 0, 0, 1, 1, 1]
    own(lambda t, ipc, s: _right(t, 1, s).flip(0), sized=False)
    assert baseline(data, "own", 3, 0).target.tolist() == [1, 0]


@pytest.mark.parametrize("bad", [{"colour": "red"}, {"title": None}, {"pick": 5}])
def test_what_is_no_baseline_is_not_registered(own, bad):
    with pytest.raises(FddkitError, match=rf"{next(iter(bad))}.* of the baseline 'own' must be"):
        own(**{"pick": _right} | bad)


@pytest.mark.parametrize(
    "bad", [{"ipc": "3"}, {"ipc": None}, {"seed": "a"}, {"seed": 1.5}, {"fairness": "zzz"}], ids=str
)
def test_a_baseline_ignores_no_mistake(data, bad):
    with pytest.raises(FddkitError):
        fdd.distill(data, "random", **{"ipc": 1, "progress": False} | bad)


def test_noise_is_no_advice_for_real_images(data):
    with pytest.raises(FddkitError, match=r"choose a smaller ipc$"):
        baseline(data, "random", 15, 0)
