import pytest
import torch
from references import toy

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.distillers import cafe
from fddkit.distillers.cafe import CAFE, CAFESettings
from fddkit.rules.rules import RULES


@pytest.fixture
def data():
    return toy(0, torch.full((3, 2), 6))


def build(data, **changed):
    chosen = {"iterations": 10, "batch": 6, "width": 4, "depth": 3, "watched": 4, **changed}
    return CAFE(data, 2, CAFESettings(**chosen).resolve(2, data), 0, dtype=torch.float64)


def images():
    return torch.randn(6, 3, 8, 8, dtype=torch.float64)


def test_layers_and_weights_of_the_official_three_blocks(data):
    m = build(data)
    net = m.network(0)
    maps = m.features(net, images())
    assert [one.shape[1] for one in maps] == [4 * 64, 4 * 16, 4 * 4, 4]
    assert m.weights(4) == [0.1, 0.1, 1.0, 2.0]
    x = images()
    torch.testing.assert_close(m.features(net, x)[-1], net.embed(x))


def test_chunks_do_not_change_the_step(data, monkeypatch):
    m = build(data)
    x, found = images(), []
    for chunk in (1, 5, 100):
        monkeypatch.setattr(cafe, "chunk_size", lambda *_, size=chunk: size)
        found.append(m.gradient(x, RULES["fairdd"], 0))
    for loss, gradient in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-9)
        torch.testing.assert_close(gradient, found[0][1])


def two_levels(outer_accuracies, inner_accuracies, c):
    """CAFE's loop over one network, written plainly: epochs of training after each step."""
    trained, window, inner = [], [], iter(inner_accuracies)
    for step, accuracy in enumerate(outer_accuracies):
        window.append(accuracy)
        if len(window) == c.window:
            if max(window) - min(window) < c.settled:
                return trained, step
            window.pop(0)
        if step + 1 == c.outer:
            return trained, step
        watch, epochs = [], 0
        while epochs < c.inner:
            epochs += 1
            watch.append(next(inner))
            if len(watch) == c.window:
                if max(watch) - min(watch) > c.moved:
                    break
                watch.pop(0)
        trained.append(epochs)
    raise AssertionError("the network was never left")


@pytest.mark.parametrize("seed", range(6))
def test_the_two_levels_are_those_of_the_plain_loop(data, seed, monkeypatch):
    g = torch.Generator().manual_seed(seed)
    m = build(data, outer=8, inner=6, window=3, settled=0.05, moved=0.04)
    # accuracies that move less and less, so that some networks settle early
    outer = [0.5 + float(torch.rand((), generator=g)) / (i + 1) for i in range(8)]
    inner = [float(torch.rand((), generator=g)) * 0.08 for _ in range(100)]
    expected, last = two_levels(outer, inner, m.settings)
    queue, trained = iter(inner), []

    def accuracy(step, epoch):
        if epoch == 0:
            trained.append(0)
            return outer[step]
        trained[-1] += 1
        return next(queue)

    monkeypatch.setattr(m, "_accuracy", accuracy)
    step, x = 0, images()
    while (following := m.after(x, step)) == step + 1 and following % 8:
        step = following
    assert following == 8
    assert step == last
    assert trained == [*expected, 0]
    assert m.state()["window"].tolist() == []


def test_the_accuracy_is_that_of_the_network_on_real_images(data):
    m = build(data, watched=6 * 2)  # the whole of each class
    net = m.network(0)
    correct = [
        int(net(data.normalise(torch.tensor([i])).double()).argmax()) == int(data.target[i])
        for i in range(len(data))
    ]
    assert m._accuracy(0, 0) == pytest.approx(sum(correct) / len(data))


def test_the_step_size_is_halved_three_times(data):
    m = build(data, iterations=20, outer=2, lr=0.8)
    rates = [m.rate(step) for step in range(40)]
    assert rates == [0.8] * 24 + [0.4] * 8 + [0.2] * 4 + [0.1] * 4


def test_an_interrupted_run_ends_with_the_same_bits(data, tmp_path):
    options = {
        "preset": "smoke", "progress": False, "iterations": 3, "batch": 6, "width": 4, "depth": 2,
        "outer": 4, "inner": 3, "window": 2, "watched": 4,
    }  # fmt: skip
    whole = fdd.distill(data, "cafe", "fairdd", 2, **options)
    out = tmp_path / "s.safetensors"
    for stop_at in (2, 7):

        def stop(progress, at=stop_at):
            if progress.iteration >= at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            fdd.distill(data, "cafe", "fairdd", 2, out=out, callback=stop, every=1, **options)
    s = fdd.distill(data, "cafe", "fairdd", 2, out=out, **options)
    assert torch.equal(s.images, whole.images)
    assert torch.equal(s.loss, whole.loss)


def test_another_network_is_refused():
    with pytest.raises(FddkitError, match="cafe reads the layers of a convnet"):
        CAFESettings(network="resnet18")
