from dataclasses import replace

import torch
from references import toy

from fddkit.data import whitening
from fddkit.data.distilled import DistilledSet


def correlated(n=400, seed=0):
    g = torch.Generator().manual_seed(seed)
    mix = torch.randn(12, 12, generator=g)
    return (torch.randn(n, 12, generator=g) @ mix + 3).view(n, 3, 2, 2)


def test_whitened_pixels_are_uncorrelated_and_close_to_the_original():
    images = correlated()
    white = whitening.fit(images, eps=1e-6)
    seen = white.apply(images).flatten(1)
    torch.testing.assert_close(seen.mean(0), torch.zeros(12), atol=1e-4, rtol=0)
    torch.testing.assert_close(seen.T.cov(), torch.eye(12), atol=1e-3, rtol=0)
    torch.testing.assert_close(white.matrix, white.matrix.T, atol=1e-5, rtol=1e-5)  # zero phase


def test_eps_keeps_small_directions_small():
    images = correlated()
    values = torch.linalg.eigvalsh(images.flatten(1).double().T.cov())
    found = torch.linalg.eigvalsh(
        whitening.fit(images, 0.1).apply(images).flatten(1).double().T.cov()
    )
    torch.testing.assert_close(found, values / (values + 0.1), atol=1e-4, rtol=1e-3)


def test_inverting_gives_the_images_back():
    images = correlated()
    white = whitening.fit(images)
    torch.testing.assert_close(white.invert(white.apply(images)), images, atol=1e-3, rtol=1e-3)


def test_a_whitened_set_is_saved_shown_and_used(tmp_path):
    data = toy(0, torch.full((3, 2), 40))
    plain = data.normalise(data.images)
    white = replace(data, whitening=whitening.fit(plain))
    torch.testing.assert_close(white.normalise(torch.arange(5)), white.whitening.apply(plain[:5]))
    names = {"target_names": data.target_names, "group_names": data.group_names}
    s = DistilledSet(
        images=white.normalise(torch.arange(6)),
        target=data.target[:6],
        group=data.group[:6],
        mean=data.mean,
        std=data.std,
        config={},
        lr=0.03,
        whitening=white.whitening,
        **names,
    )
    torch.testing.assert_close(s.pixels(), data.images[:6].float() / 255, atol=1e-3, rtol=0)
    again = DistilledSet.load(s.save(tmp_path / "s.safetensors"))
    assert torch.equal(again.whitening.matrix, s.whitening.matrix)
    assert (again.lr, again.factor) == (0.03, 1)
