import torch
from references import toy

import fddkit as fdd
from fddkit.distillers.recorder import Recorder


def test_frames_are_the_pixels_of_each_call():
    data, film = toy(0, torch.full((3, 2), 8)), None
    film = Recorder(data)
    options = {"preset": "smoke", "iterations": 4, "batch": 4, "width": 4, "depth": 2}
    s = fdd.distill(data, "dm", ipc=2, callback=film, every=2, progress=False, **options)
    assert list(film.frames) == [2, 4]
    assert torch.allclose(film.frames[4], s.pixels(), atol=1e-6)
    assert not torch.allclose(film.frames[2], film.frames[4])
    assert film.losses[4] == s.loss[-1].item()
    assert film.at([1, 3, 9]) == [film.frames[2], film.frames[2], film.frames[4]]
