import pytest
import torch

import fddkit as fdd
from fddkit import theory
from fddkit.core.errors import FddkitError
from fddkit.rules import targets
from fddkit.rules.rules import RULES


@pytest.fixture(scope="module")
def balanced():
    return fdd.load("digits", br=0.1)[0]  # every class has every group


def test_fairdd_is_cobra_times_the_number_of_groups(balanced):
    check = theory.collinearity(balanced, ipc=2, width=8)
    assert check.groups == 10
    assert check.factor == pytest.approx(10, rel=1e-9)
    assert check.residual < 1e-9
    single = theory.collinearity(balanced, ipc=2, width=8, dtype=torch.float32)
    assert single.residual < 1e-5


def test_the_check_can_fail(balanced, monkeypatch):
    def tilted(means, batch):
        weights = (batch.counts > 0) * torch.linspace(0.5, 1.5, batch.counts.shape[1])
        return targets.Targets(means, weights.to(means))

    monkeypatch.setitem(RULES, "fairdd", targets.Rule("tilted", aim=tilted))
    assert theory.collinearity(balanced, ipc=2, width=8).residual > 1e-3


def test_classes_with_different_groups_are_refused():
    images = torch.zeros(4, 3, 16, 16, dtype=torch.uint8)
    data = fdd.GroupedDataset.from_arrays(images, [0, 0, 1, 1], [0, 1, 0, 0], name="uneven")
    with pytest.raises(FddkitError, match="no single factor fits"):
        theory.collinearity(data, ipc=1)
