import shutil
import warnings

import pytest
import torch
from references import toy

from fddkit.distillers.dc import DC, DCSettings
from fddkit.distillers.dm import DM, DMSettings
from fddkit.rules.rules import RULES
from fddkit.training import compile
from fddkit.training.networks import build


@pytest.fixture
def data():
    return toy(0, torch.full((3, 2), 4))


def dm(data, **options):
    chosen = DMSettings(batch=4, width=4, depth=2).resolve(2, data)
    return DM(data, 2, chosen, 0, **options)


@pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler")
def test_compiled_steps_equal_eager_ones_with_every_new_network(data, recwarn):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's compiler warns of its own parts
        fast, plain = dm(data, compile=True), dm(data)
        images = torch.randn(6, 3, 8, 8)
        for step in range(3):
            (a, g), (b, h) = (m.gradient(images, RULES["fairdd"], step) for m in (fast, plain))
            assert a == pytest.approx(b, rel=1e-4)
            torch.testing.assert_close(g, h, rtol=1e-3, atol=1e-6)
    assert fast.network(2).embed is not plain.network(2).embed
    assert hasattr(fast.network(2).embed, "_torchdynamo_orig_callable")


def test_where_nothing_compiles_the_run_goes_on_with_a_warning(data, monkeypatch):
    def broken(function, **options):
        def run(*_):
            raise RuntimeError("no C++ compiler\nand a long traceback")

        return run

    monkeypatch.setattr(torch, "compile", broken)
    plain = dm(data)
    images = torch.randn(6, 3, 8, 8)
    with pytest.warns(UserWarning, match=r"compile=True is not available here .*no C\+\+ compiler"):
        found = dm(data, compile=True).gradient(images, RULES["cobra"], 0)
    assert torch.equal(found[1], plain.gradient(images, RULES["cobra"], 0)[1])


def test_graphs_without_a_gpu_are_refused_with_a_warning(monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, **options: function)
    net = build("convnet", (3, 8, 8), 3, 0, 4, 2)
    with pytest.warns(UserWarning, match="graph=True needs a CUDA device"):
        compile.accelerate(net, (3, 8, 8), graph=True)


def test_methods_that_cannot_be_compiled_say_so(data):
    with pytest.warns(UserWarning, match="no effect on this method"):
        DC(data, 2, DCSettings(width=4, depth=2).resolve(2, data), 0, compile=True)
