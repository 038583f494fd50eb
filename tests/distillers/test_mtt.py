from dataclasses import replace

import pytest
import torch
from references import toy
from torch.nn import functional as F
from torch.nn.utils import parameters_to_vector

import fddkit as fdd
from fddkit.core.errors import FddkitError
from fddkit.core.rng import generator
from fddkit.distillers.mtt import MTT, MTTSettings
from fddkit.rules.rules import RULES
from fddkit.training import augment, networks

ALL = "_".join(augment.FAMILIES)
TINY = {
    "iterations": 3, "width": 4, "depth": 2, "student_steps": 4, "target_epochs": 1,
    "max_start": 2, "lr": 1.0, "lr_alpha": 1e-6, "alpha": 0.05, "zca": False, "experts": 2,
    "expert_epochs": 3, "expert_batch": 8, "augment": ALL,
}  # fmt: skip


@pytest.fixture
def data():
    return toy(0, torch.tensor([[6, 3], [3, 6], [4, 0]]))


def build(data, folder, rule="vanilla", dtype=torch.float64, **changed):
    chosen = MTTSettings(**{**TINY, **changed}).resolve(2, data)
    m = MTT(data, 2, chosen, 0, dtype=dtype)
    m.prepare(RULES[rule], folder, progress=False)
    return m


def slow(m, images, step):
    """The student as one graph over all its steps, by parameters, and alpha with it."""
    c = m.settings
    rng = generator(0, "trajectory", step)
    k, t = (int(torch.randint(n, (), generator=rng)) for n in (c.experts, c.max_start))
    start, goal = (w.double() for w in m._experts.pair(k, t, c.target_epochs))
    alpha = torch.tensor(m._alpha[0], dtype=torch.float64, requires_grad=True)
    net = networks.build("convnet", (3, 8, 8), 3, 0, c.width, c.depth).double()
    sizes = [p.numel() for p in net.parameters()]
    theta = start.clone().requires_grad_()
    target = torch.tensor([0, 0, 1, 1, 2, 2])
    for rows, draws in m._batches(6, step):
        seen = images[rows]
        for draw in draws:
            seen = torch.cat(
                [augment.apply(x[None], draw[torch.tensor([i])]) for i, x in enumerate(seen)]
            )
        named = {
            n: part.view_as(p)
            for (n, p), part in zip(net.named_parameters(), theta.split(sizes), strict=True)
        }
        logits = torch.func.functional_call(net, named, (seen,))
        loss = F.cross_entropy(logits, target[rows])
        theta = theta - alpha * torch.autograd.grad(loss, theta, create_graph=True)[0]
    return (theta - goal).square().sum() / (start - goal).square().sum(), alpha


@pytest.mark.parametrize("rule", ["vanilla", "cobra"])
@pytest.mark.parametrize("batch_syn", [4, 6])
def test_the_gradient_equals_that_of_the_whole_graph(data, tmp_path, rule, batch_syn):
    m = build(data, tmp_path, rule, batch_syn=batch_syn, student_steps=5)
    for step in range(3):
        images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
        own = images.clone().requires_grad_()
        loss, alpha = slow(m, own, step)
        by_images, by_alpha = torch.autograd.grad(loss, (own, alpha))
        found, gradient = m.gradient(images, RULES[rule], step)
        assert found == pytest.approx(loss.item(), rel=1e-9)
        assert (gradient - by_images).norm() <= 1e-6 * by_images.norm()
        assert m._slopes[step] == pytest.approx(by_alpha.item(), rel=1e-6)


def test_what_is_held_does_not_grow_with_the_students_steps(data, tmp_path):
    """The most bytes that graphs hold at once; the weights of each step are not in graphs."""
    held = {}
    for n in (4, 16):
        m = build(data, tmp_path, student_steps=n)
        now, most = 0, 0

        def pack(x):
            nonlocal now, most
            now += x.nbytes
            most = max(most, now)
            return _Held(x)

        class _Held:
            def __init__(self, x):
                self.x = x

            def __del__(self):
                nonlocal now
                now -= self.x.nbytes

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda h: h.x):
            m.gradient(torch.randn(6, 3, 8, 8, dtype=torch.float64), RULES["vanilla"], 0)
        held[n] = most
    assert held[16] <= 1.2 * held[4]  # augmentations differ a little from step to step


def test_alpha_is_learnt_with_momentum_and_stays_positive(data, tmp_path):
    m = build(data, tmp_path, lr_alpha=1e-5)
    images = torch.randn(6, 3, 8, 8, dtype=torch.float64)
    value, velocity = 0.05, 0.0
    for step in range(3):
        m.gradient(images, RULES["vanilla"], step)
        velocity = 0.5 * velocity + m._slopes[step]
        value -= 1e-5 * velocity
        m.after(images, step)
        assert m._alpha[0] == pytest.approx(value)
    m._alpha = (0.01, 1e9)
    m.gradient(images, RULES["vanilla"], 3)
    m.after(images, 3)
    assert m._alpha[0] > 0


def run(data, folder, **options):
    return fdd.distill(
        data, "mtt", "cobra", 2, preset="smoke", progress=False, cache=folder / "cache",
        **{**TINY, **options},
    )  # fmt: skip


def test_an_interrupted_run_ends_with_the_same_bits(data, tmp_path):
    whole = run(data, tmp_path)
    out = tmp_path / "s.safetensors"

    def stop(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(data, tmp_path, out=out, callback=stop, every=2)
    seen = []
    s = run(data, tmp_path, out=out, callback=seen.append, every=1)
    assert [p.iteration for p in seen] == [3]
    assert torch.equal(s.images, whole.images)
    assert s.lr == whole.lr
    assert s.lr != TINY["alpha"]


def test_the_distance_to_the_experts_falls(data, tmp_path):
    s = run(data, tmp_path, iterations=40, augment="none", lr=10.0, expert_lr=0.1)
    assert s.loss[-10:].median() < s.loss[:10].median()


def test_a_whitened_set_is_seen_whitened_and_shown_in_colour(data, tmp_path):
    s = run(data, tmp_path, zca=True, iterations=1, lr=1e-9)
    plain = run(data, tmp_path, iterations=1, lr=1e-9)
    assert s.whitening is not None
    torch.testing.assert_close(s.pixels(), plain.pixels(), atol=1e-2, rtol=0)
    assert not torch.allclose(s.images, plain.images, atol=0.1)
    report = fdd.evaluate(s, data, repeats=1, preset="smoke", progress=False, depth=2)
    assert report.counts.sum() == len(data)


def test_paper_settings_follow_the_table(data):
    cifar = replace(data, name="cifar10-s")
    found = {n: MTTSettings().resolve(n, cifar) for n in (1, 10, 50)}
    assert [f.student_steps for f in found.values()] == [50, 30, 30]
    assert [f.max_start for f in found.values()] == [2, 20, 40]
    assert [f.zca for f in found.values()] == [True, True, False]
    assert [f.lr for f in found.values()] == [1e2, 1e2, 1e3]


def test_mistakes_get_a_sentence(data):
    with pytest.raises(FddkitError, match="reach beyond the experts' 3 epochs"):
        MTTSettings(**{**TINY, "max_start": 4}).resolve(2, data)
    with pytest.raises(FddkitError, match="mtt has no rule 'fairdd': only the plain mean"):
        fdd.distill(data, "mtt", "fairdd", 2)
    with pytest.raises(FddkitError, match="alpha=0 is not a positive number"):
        MTTSettings(alpha=0)


def test_parameters_are_taken_in_the_order_of_the_vector(data, tmp_path):
    m = build(data, tmp_path)
    net = m.fresh(0)
    flat = parameters_to_vector(net.parameters())
    parts = flat.split([s.numel() for s in m._shapes.values()])
    for (name, shape), part in zip(m._shapes.items(), parts, strict=True):
        assert torch.equal(part.view(shape), net.get_parameter(name))
