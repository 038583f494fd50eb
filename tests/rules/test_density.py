import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import functional as F

from fddkit.core.errors import FddkitError
from fddkit.rules.density import density, kde_log_weights, log_weigh


def weigh(*arguments):
    return log_weigh(*arguments).exp()


def kde_weights(*arguments, **options):
    return kde_log_weights(*arguments, **options).exp()


def points(seed, n=12, d=5):
    g = torch.Generator().manual_seed(seed)
    return F.normalize(torch.randn(n, d, generator=g, dtype=torch.float64), dim=1)


@given(seed=st.integers(0, 10**6), chunk=st.sampled_from([1, 5, 100]))
def test_density_equals_the_double_loop(seed, chunk):
    z = points(seed)
    found = density(z, 0.3, chunk)
    for i in range(12):
        kernel = [math.exp(-float(((z[i] - z[j]) ** 2).sum()) / 0.6) for j in range(12)]
        expected = sum(kernel) / 12 / math.sqrt(2 * math.pi * 0.3)
        assert found[i].item() == pytest.approx(expected, rel=1e-9)


def test_chunks_change_nothing_and_single_precision_little():
    z = points(2, 300, 40)
    whole = density(z, 0.1, 300)
    for chunk in (1, 7, 299, None):
        torch.testing.assert_close(density(z, 0.1, chunk), whole, rtol=1e-12, atol=0)
    single = density(z.float())
    assert single.dtype == torch.float64
    torch.testing.assert_close(single, whole, rtol=1e-5, atol=0)


@given(seed=st.integers(0, 10**6))
def test_forms_equal_their_formulas(seed):
    g = torch.Generator().manual_seed(seed)
    f = (0.2 + torch.rand(6, generator=g, dtype=torch.float64)).tolist()
    mean = sum(1 / x for x in f) / 6
    slow = {
        "softmax": [math.exp(1 / x / 0.3) for x in f],
        "rescaled": [math.exp(1 / x / mean / 0.3) for x in f],
        "inverse": [1 / x for x in f],
    }
    for form, values in slow.items():
        expected = [v / sum(values) for v in values]
        found = weigh(torch.tensor(f, dtype=torch.float64), form, 0.3)
        assert found.tolist() == pytest.approx(expected, rel=1e-9)
        assert found.sum().item() == pytest.approx(1)


def test_forms_by_hand():
    f = torch.tensor([0.5, 0.25], dtype=torch.float64)  # 1 / f is 2 and 4
    assert weigh(f, "inverse").tolist() == pytest.approx([1 / 3, 2 / 3])
    e = math.exp(-20)
    assert weigh(f, "softmax").tolist() == pytest.approx([e / (1 + e), 1 / (1 + e)])
    e = math.exp((2 / 3 - 4 / 3) / 0.5)
    assert weigh(f, "rescaled", 0.5).tolist() == pytest.approx([e / (1 + e), 1 / (1 + e)])
    tiny = torch.tensor([1e-300, 1e-3], dtype=torch.float64)
    assert weigh(tiny, "softmax").tolist() == [1.0, 0.0]
    tiny = torch.tensor([1e-307, 1e-307, 1e-3], dtype=torch.float64)
    for form in ("softmax", "rescaled", "inverse"):
        assert weigh(tiny, form).tolist() == pytest.approx([0.5, 0.5, 0.0], abs=1e-6)
    with pytest.raises(FddkitError, match="did you mean 'softmax'"):
        weigh(f, "soft-max")


@pytest.mark.parametrize("over", ["dataset", "class"])
@pytest.mark.parametrize("form", ["softmax", "rescaled", "inverse"])
def test_a_rare_kind_weighs_more_than_its_share(over, form):
    g = torch.Generator().manual_seed(0)
    kind = torch.tensor([0] * 90 + [1] * 10).repeat(2)
    target = torch.arange(2).repeat_interleave(100)
    centres = torch.eye(4, dtype=torch.float64)
    z = centres[2 * target + kind] + 0.1 * torch.randn(200, 4, generator=g, dtype=torch.float64)
    w = kde_weights(F.normalize(z, dim=1), target, over, form)
    for y in range(2):
        assert w[target == y].sum().item() == pytest.approx(1)
        assert w[(target == y) & (kind == 1)].sum() > 0.3


def test_weights_over_a_class_ignore_the_others():
    z, target = points(1, 20), torch.arange(2).repeat_interleave(10)
    both = kde_weights(z, target, "class", "inverse")
    alone = kde_weights(z[:10], target[:10], "class", "inverse")
    torch.testing.assert_close(both[:10], alone)
    whole = kde_weights(z, target, "dataset", "inverse")
    f = density(z)
    for rows in (slice(0, 10), slice(10, 20)):
        torch.testing.assert_close(whole[rows], (1 / f[rows]) / (1 / f[rows]).sum())


def test_features_that_are_not_finite_are_refused():
    z = points(0)
    z[0, 0] = torch.nan
    with pytest.raises(FddkitError, match="not finite"):
        kde_weights(z, torch.zeros(12, dtype=torch.int64))


def test_mistakes_get_a_sentence():
    z, target = points(0), torch.zeros(12, dtype=torch.int64)
    with pytest.raises(FddkitError, match="did you mean 'dataset'"):
        kde_weights(z, target, over="data")
    with pytest.raises(FddkitError, match="12 features for 11 labels"):
        kde_weights(z, target[1:])
    with pytest.raises(FddkitError, match="sigma2=0 is not a positive number"):
        density(z, 0)
    with pytest.raises(FddkitError, match="chunk=0 holds no row"):
        density(z, chunk=0)
    with pytest.raises(FddkitError, match="are not a table"):
        density(z[0])
    with pytest.raises(FddkitError, match="temperature=-1 is not a positive number"):
        kde_weights(z, target, temperature=-1)
    with pytest.raises(FddkitError, match="zero or not finite"):
        weigh(torch.tensor([0.0, 1.0], dtype=torch.float64), "inverse")


def test_a_batch_without_the_heaviest_image_keeps_the_ratios_of_the_others():
    """A saturated softmax must not turn the rest of a class into its plain mean."""
    z = torch.eye(12, dtype=torch.float64)[[0] * 8 + [1] * 3 + [2]]
    target = torch.zeros(12, dtype=torch.int64)
    f = density(z)
    for temperature in (0.1, 1e-4):
        w = kde_log_weights(z, target, "class", temperature=temperature)
        found, expected = (w[8] - w[0]).item(), ((1 / f[8] - 1 / f[0]) / temperature).item()
        assert found == pytest.approx(expected, rel=1e-6)
    assert w[8].exp() == 0  # below the smallest number beside the last
