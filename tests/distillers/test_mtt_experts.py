import pytest
import torch
from references import toy
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector, vector_to_parameters

from fddkit.core import cache
from fddkit.core.rng import derive, generator
from fddkit.core.tensors import read_tensors
from fddkit.distillers import mtt_experts
from fddkit.distillers.mtt_experts import ExpertSettings, train_experts
from fddkit.training import networks

TINY = ExpertSettings(experts=2, epochs=3, batch=4, width=4, depth=2, lr=0.1)


@pytest.fixture
def data():
    return toy(0, torch.tensor([[6, 3], [3, 6], [4, 0]]))


def test_an_expert_is_gradient_descent_on_the_real_images(data, tmp_path):
    found = train_experts(data, TINY, 5, cache=tmp_path, progress=False)
    net = networks.build("convnet", (3, 8, 8), 3, derive(5, "expert", 1), 4, 2)
    path = [parameters_to_vector(net.parameters()).detach()]
    for epoch in range(1, 4):
        rng = generator(5, "expert epoch", 1, None, epoch)
        for rows in torch.randperm(len(data), generator=rng).split(4):
            loss = F.cross_entropy(net(data.normalise(rows)), data.target[rows])
            gradients = torch.autograd.grad(loss, list(net.parameters()))
            for p, g in zip(net.parameters(), gradients, strict=True):
                p.data -= 0.1 * g
        path.append(parameters_to_vector(net.parameters()).detach())
    for start in (0, 1):
        first, last = found.pair(1, start, 2)
        torch.testing.assert_close(first, path[start])
        torch.testing.assert_close(last, path[start + 2])


def test_groups_start_from_the_same_weights_and_are_averaged(data, tmp_path):
    found = train_experts(data, TINY, 0, groups=True, cache=tmp_path, progress=False)
    assert [len(files) for files in found.files] == [2, 2]
    alone = [mtt_experts.Experts([[path]], 3).pair(0, 0, 3) for path in found.files[0]]
    assert torch.equal(alone[0][0], alone[1][0])
    assert not torch.equal(alone[0][1], alone[1][1])
    torch.testing.assert_close(found.pair(0, 0, 3)[1], (alone[0][1] + alone[1][1]) / 2)
    # an expert of a group sees that group alone
    only = data.subset(torch.where(data.group == 1)[0])
    net = networks.build("convnet", (3, 8, 8), 3, derive(0, "expert", 0), 4, 2)
    vector_to_parameters(alone[1][0], net.parameters())
    rng = generator(0, "expert epoch", 0, 1, 1)
    for rows in torch.randperm(len(only), generator=rng).split(4):
        loss = F.cross_entropy(net(only.normalise(rows)), only.target[rows])
        for p, g in zip(
            net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True
        ):
            p.data -= 0.1 * g
    after_one = mtt_experts.Experts([[found.files[0][1]]], 3).pair(0, 1, 0)[0]
    torch.testing.assert_close(parameters_to_vector(net.parameters()), after_one)


def test_trained_experts_are_found_and_an_interrupted_one_goes_on(data, tmp_path, monkeypatch):
    whole = train_experts(data, TINY, 0, cache=tmp_path / "whole", progress=False)
    calls, original = [], mtt_experts.descend

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == 14:  # in the third epoch of the first expert
            raise KeyboardInterrupt
        return original(*arguments)

    monkeypatch.setattr(mtt_experts, "descend", interrupted)
    with pytest.raises(KeyboardInterrupt):
        train_experts(data, TINY, 0, cache=tmp_path / "cut", progress=False)
    assert [p.name.endswith(".part") for p in (tmp_path / "cut").iterdir()] == [True]
    again = train_experts(data, TINY, 0, cache=tmp_path / "cut", progress=False)
    for k in range(2):
        for a, b in zip(whole.pair(k, 0, 3), again.pair(k, 0, 3), strict=True):
            assert torch.equal(a, b)
    assert not list((tmp_path / "cut").glob("*.part"))
    monkeypatch.setattr(mtt_experts, "descend", lambda *_: pytest.fail("trained again"))
    train_experts(data, TINY, 0, cache=tmp_path / "cut", progress=False)


@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_a_resumed_trajectory_is_the_undisturbed_one_at_every_epoch(
    data, tmp_path, monkeypatch, epoch
):
    one = ExpertSettings(**{**vars(TINY), "experts": 1})
    whole = train_experts(data, one, 0, cache=tmp_path / "whole", progress=False)
    steps, original = 6, mtt_experts.descend  # 22 images, 4 a batch
    calls = []

    def interrupted(*arguments):
        calls.append(1)
        if len(calls) == steps * (epoch - 1) + 2:
            raise KeyboardInterrupt
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(mtt_experts, "descend", interrupted)
        with pytest.raises(KeyboardInterrupt):
            train_experts(data, one, 0, cache=tmp_path / "cut", progress=False)
    again = train_experts(data, one, 0, cache=tmp_path / "cut", progress=False)
    a, b = (
        read_tensors(found.files[0][0], mtt_experts.TRAJECTORY)[0]["weights"]
        for found in (whole, again)
    )
    assert a.shape[0] == 4
    assert torch.equal(a, b)
    assert whole.seals == again.seals


def test_a_damaged_expert_is_set_aside_and_trained_anew(data, tmp_path):
    whole = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    path = whole.files[1][0]
    content = path.read_bytes()
    path.write_bytes(content[:-4] + b"\0\0\1\0")
    with pytest.warns(UserWarning, match=r"expert-.* is kept as .*\.damaged and made again"):
        again = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    assert again.seals == whole.seals
    assert path.read_bytes() == content


def test_an_expert_under_the_name_of_another_is_not_taken(data, tmp_path):
    whole = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    first, second = (files[0] for files in whole.files)
    first.write_bytes(second.read_bytes())
    with pytest.warns(UserWarning, match="is not what its name says"):
        again = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    assert again.seals == whole.seals


def test_another_torch_trains_its_own_experts(data, tmp_path, monkeypatch):
    one = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    monkeypatch.setattr(torch, "__version__", "9.9")
    other = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    assert {f for files in one.files for f in files}.isdisjoint(
        f for files in other.files for f in files
    )


def test_more_experts_are_added_to_those_there_are(data, tmp_path, monkeypatch):
    two = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    three = ExpertSettings(**{**vars(TINY), "experts": 3})
    assert train_experts(data, three, 0, cache=tmp_path, progress=False).files[:2] == two.files


def test_pair_reads_two_rows(data, tmp_path, monkeypatch):
    found = train_experts(data, TINY, 0, cache=tmp_path, progress=False)
    monkeypatch.setattr("fddkit.core.tensors.read_bytes", lambda *_: pytest.fail("read whole"))
    first, last = found.pair(0, 0, 3)
    assert (
        first.shape
        == last.shape
        == (
            parameters_to_vector(
                networks.build("convnet", (3, 8, 8), 3, 0, 4, 2).parameters()
            ).numel(),
        )
    )


def test_artifacts_are_named_by_all_they_depend_on(tmp_path, monkeypatch):
    one = cache.artifact(tmp_path, "expert", {"a": 1, "b": [2]})
    assert one == cache.artifact(tmp_path, "expert", {"b": [2], "a": 1})
    assert one != cache.artifact(tmp_path, "expert", {"a": 1, "b": [3]})
    assert one.parent == tmp_path
    monkeypatch.setenv("FDDKIT_CACHE", str(tmp_path / "env"))
    assert cache.artifact(None, "x", {}).parent == tmp_path / "env"
    monkeypatch.delenv("FDDKIT_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache.artifact(None, "x", {}).parent == tmp_path / "xdg" / "fddkit"
