import pytest
import torch
from references import toy

from fddkit.data.grouped import GroupedDataset
from fddkit.data.sampling import cells
from fddkit.distillers import coresets
from fddkit.distillers.baselines import BASELINES
from fddkit.distillers.coresets import embedded, herding, k_centre, trained
from fddkit.distillers.quotas import quotas

COUNTS = torch.tensor([[9, 4], [3, 12]])


@pytest.fixture(scope="module")
def data():
    return toy(0, COUNTS)


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """Train for a few steps, and forget the networks."""
    monkeypatch.setattr(coresets, "STEPS", 5)
    monkeypatch.setattr(coresets, "_TRAINED", {})


def slow_herding(features, k):
    mean, found = sum(features) / len(features), []
    for t in range(1, k + 1):
        best, least = None, float("inf")
        for i, x in enumerate(features):
            if i not in found:
                gap = float((mean - (sum(features[j] for j in found) + x) / t).norm())
                if gap < least:
                    best, least = i, gap
        found.append(best)
    return found


def slow_k_centre(features, k):
    mean = sum(features) / len(features)
    found = [min(range(len(features)), key=lambda i: float((features[i] - mean).norm()))]
    while len(found) < k:
        rest = [i for i in range(len(features)) if i not in found]
        found.append(
            max(rest, key=lambda i: min(float((features[i] - features[j]).norm()) for j in found))
        )
    return found


BOTH = pytest.mark.parametrize(
    ("choose", "slow"), [(herding, slow_herding), (k_centre, slow_k_centre)]
)


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_the_same_rows_as_by_obvious_loops(choose, slow, seed):
    g = torch.Generator().manual_seed(seed)
    features = torch.randn(30, 7, generator=g, dtype=torch.float64) + 100
    for k in (1, 2, 9, 30):
        assert choose(features, k).tolist() == slow(features, k)


@BOTH
def test_a_smaller_choice_comes_first_in_a_larger_one(choose, slow):
    features = torch.randn(40, 5, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    longest = choose(features, 10)
    assert all(torch.equal(choose(features, k), longest[:k]) for k in range(1, 10))


@BOTH
def test_equal_rows_are_all_chosen_once(choose, slow):
    assert choose(torch.ones(6, 3), 6).tolist() == [0, 1, 2, 3, 4, 5]


@BOTH
def test_the_features_are_left_as_they_are(choose, slow):
    features = torch.arange(12.0).view(6, 2)
    choose(features, 3)
    assert torch.equal(features, torch.arange(12.0).view(6, 2))


def test_herding_by_hand():
    # the mean is (2, 1). (2, 0) is at distance 1. With it, the means of two would be (1, 0),
    # (3, 0), (2, 2): at distances 1.41, 1.41, 1. The third: (4/3, 4/3) and (8/3, 4/3), equal
    square = torch.tensor([[0.0, 0.0], [2.0, 0.0], [4.0, 0.0], [2.0, 4.0]])
    assert herding(square, 4).tolist() == [1, 3, 0, 2]


def test_k_centre_by_hand():
    # the mean is 4.4; 4 is closest. 12 is 8 away, then 0 is 4 from 4, and 1 and 5 are 1 away
    line = torch.tensor([0.0, 1.0, 4.0, 5.0, 12.0])[:, None]
    assert k_centre(line, 5).tolist() == [2, 4, 0, 1, 3]


@pytest.mark.parametrize("name", ["herding", "k-centre"])
def test_images_are_chosen_within_their_class(data, name):
    choose = {"herding": herding, "k-centre": k_centre}[name]
    index, net = BASELINES[name].pick(data, 6, 2), trained(data, 2)
    for y, found in enumerate(index.split(6)):
        rows = torch.where(data.target == y)[0]
        assert torch.equal(found, rows[choose(embedded(data, net, rows), 6)])
    assert torch.equal(BASELINES[name].pick(data, 4, 2).view(2, 4), index.view(2, 6)[:, :4])


@pytest.mark.parametrize("name", ["herding", "k-centre"])
def test_or_within_their_group(data, name):
    choose = {"herding": herding, "k-centre": k_centre}[name]
    index, net = BASELINES[f"{name}-balanced"].pick(data, 7, 2), trained(data, 2)
    numbers = quotas(data, 7, 2)
    assert numbers.tolist() in ([[4, 3], [3, 4]], [[3, 4], [3, 4]])
    wanted = [
        pool[choose(embedded(data, net, pool), int(numbers[y, a]))]
        for y, pools in enumerate(cells(data))
        for a, pool in enumerate(pools)
    ]
    assert torch.equal(index, torch.cat(wanted))


def test_an_absent_group_is_left_out():
    data = toy(0, torch.tensor([[6, 0], [2, 6]]))
    for name in ("herding-balanced", "k-centre-balanced"):
        assert data.group[BASELINES[name].pick(data, 4, 0)].tolist() == [0] * 4 + [0] * 2 + [1] * 2


def test_all_share_a_network_that_depends_on_set_and_seed_alone(data, monkeypatch):
    net = trained(data, 0)
    assert not any(weights.requires_grad for weights in net.parameters())
    again = GroupedDataset.from_arrays(data.images, data.target, data.group, name="again")
    assert trained(again, 0) is net
    first = [weights.clone() for weights in net.parameters()]
    monkeypatch.setattr(coresets, "_TRAINED", {})
    torch.manual_seed(5)  # the global stream is not used
    assert all(map(torch.equal, first, trained(data, 0).parameters()))
    assert not torch.equal(first[0], next(trained(data, 1).parameters()))
    other = toy(1, COUNTS)
    for seed in range(coresets._KEPT + 1):
        trained(other, seed)
    assert len(coresets._TRAINED) == coresets._KEPT


def test_features_come_block_by_block(data, monkeypatch):
    net, rows = trained(data, 0), torch.tensor([7, 3, 20, 1, 0])
    whole = embedded(data, net, rows)
    assert whole.dtype == torch.float64
    monkeypatch.setattr(coresets, "_BLOCK", 2)
    torch.testing.assert_close(embedded(data, net, rows), whole, rtol=1e-5, atol=1e-5)


def test_training_that_diverges_is_told(data, monkeypatch):
    monkeypatch.setattr(coresets, "LR", 1e30)
    with pytest.raises(coresets.FddkitError, match="the core sets of toy diverged"):
        trained(data, 0)
