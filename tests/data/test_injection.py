"""A canvas paints what `load` paints, whatever part of it is looked at."""

import pytest
import torch

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.data.loading import Originals


@pytest.mark.parametrize("bias", [{}, {"gap": 4}, {"offset": 2.0}])
@pytest.mark.parametrize("br", [0.6, 1.0])
def test_it_paints_the_training_set_that_load_gives(bias, br):
    train, _ = fdd.load("digits", br=br, seed=3, **bias)
    again = Originals("digits", seed=3).canvas(**bias).at(br)
    assert again.fingerprint() == train.fingerprint()
    assert again.info == train.info


def test_a_part_is_painted_as_in_the_whole():
    canvas = Originals("digits").canvas(gap=3)
    whole, index = canvas.at(0.8), torch.tensor([5, 900, 17])
    part = canvas.painted(whole.group[index], index)
    assert torch.equal(part.images, whole.images[index])
    assert torch.equal(part.target, whole.target[index])
    assert part.info == {}


def test_one_bias_after_the_other_from_the_same_originals():
    originals = Originals("digits", seed=1)
    plain, moved = originals.canvas(), originals.canvas(gap=1)
    assert (len(plain.group_names), len(moved.group_names)) == (10, 2)
    assert torch.equal(plain.target, moved.target)


def test_mistakes_are_told():
    with pytest.raises(FddkitError, match="GAP level"):
        Originals("digits").canvas(gap=7)
    with pytest.raises(FddkitError, match="needs MNIST"):
        Originals("cmnist-fg", root="nowhere")
    with pytest.raises(FddkitError, match="seed"):
        Originals("digits", seed="x")
