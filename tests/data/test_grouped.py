"""The data set's own arithmetic, its checks of foreign arrays, and the counterfactual."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fddkit.core.errors import FddkitError
from fddkit.data.grouped import GroupedDataset


def arrays(n=12, channels=3, classes=3, groups=2, seed=0):
    draw = np.random.default_rng(seed)
    images = draw.integers(0, 256, (n, channels, 4, 5), dtype=np.uint8)
    return images, np.arange(n) % classes, np.arange(n) // classes % groups


def painted(target, n_groups, index=None, group=None):
    """Return a set whose image says which original (channel 0) and group (channel 1) it shows."""

    def paint(index, group):
        flat = torch.stack([index, group, index * 0], 1).to(torch.uint8)
        return flat[:, :, None, None].expand(-1, -1, 2, 2).contiguous()

    target = torch.tensor(target)
    index = torch.arange(len(target)) if index is None else torch.tensor(index)
    group = torch.zeros_like(index) if group is None else torch.tensor(group)
    return GroupedDataset(
        images=paint(index, group),
        target=target[index],
        group=group,
        name="painted",
        target_names=tuple(map(str, range(int(target.max()) + 1))),
        group_names=tuple(map(str, range(n_groups))),
        mean=(0.5,) * 3,
        std=(0.5,) * 3,
        info={"dataset": "painted", "split": "test"},
        index=index,
        paint=paint,
    )


# ---- what it says of itself


def test_from_arrays_keeps_what_it_is_given():
    images, target, group = arrays()
    data = GroupedDataset.from_arrays(images, target, list(group), name="mine")
    assert len(data) == 12
    assert data.images.dtype == torch.uint8
    assert data.target.dtype == data.group.dtype == torch.int64
    assert np.array_equal(data.images.numpy(), images)
    assert (data.n_classes, data.n_groups, data.shape) == (3, 2, (3, 4, 5))
    assert (data.target_names, data.group_names) == (("0", "1", "2"), ("0", "1"))
    assert data.mean == data.std == (0.5, 0.5, 0.5)
    assert data.info == {}
    assert data.paint is None
    assert repr(data) == "<GroupedDataset mine: 12 images 3x4x5, 3 classes, 2 groups>"


def test_from_arrays_copies():
    images, target, group = arrays()
    images.flags.writeable = False  # as memory-mapped files are
    data = GroupedDataset.from_arrays(images, torch.tensor(target), group)
    again = GroupedDataset.from_arrays(data.images, data.target, data.group)
    data.images.zero_()
    data.target.zero_()
    assert images.any()
    assert np.array_equal(again.images.numpy(), images)
    assert again.target.any()


@given(st.integers(1, 60), st.integers(1, 4), st.integers(1, 4), st.integers(0, 2**31))
def test_counts_follow_a_loop(n, classes, groups, seed):
    draw = np.random.default_rng(seed)
    target, group = draw.integers(classes, size=n), draw.integers(groups, size=n)
    images = np.zeros((n, 1, 2, 2), dtype=np.uint8)
    data = GroupedDataset.from_arrays(
        images,
        target,
        group,
        target_names=[f"class {y}" for y in range(classes)],
        group_names=[f"group {a}" for a in range(groups)],
    )
    expected = np.zeros((classes, groups), dtype=np.int64)
    for y, a in zip(target, group, strict=True):
        expected[y, a] += 1
    assert np.array_equal(data.counts().numpy(), expected)
    assert data.counts().dtype == torch.int64


def test_normalise_follows_float64():
    images, target, group = arrays(seed=3)
    mean, std = (0.1, 0.5, 0.9), (0.2, 0.25, 1.0)
    data = GroupedDataset.from_arrays(images, target, group, mean=mean, std=std)
    channel = (slice(None), None, None)
    expected = (images / 255.0 - np.array(mean)[channel]) / np.array(std)[channel]
    normalised = data.normalise(data.images)
    assert normalised.dtype == torch.float32
    np.testing.assert_allclose(normalised.numpy(), expected, rtol=1e-6, atol=1e-6)
    index = torch.tensor([4, 0, 4])
    assert torch.equal(data.normalise(index), normalised[index])


def test_to_the_same_device_is_itself():
    data = GroupedDataset.from_arrays(*arrays())
    assert data.to("cpu") is data


def test_to_another_device_moves_every_tensor():
    data = painted([0, 1, 1], 2).to("meta")
    devices = {t.device.type for t in (data.images, data.target, data.group, data.index)}
    assert devices == {"meta"}


def test_subset_keeps_images_and_labels_together():
    data = painted([0, 1, 2, 0], 3, group=[2, 1, 0, 1])
    part = data.subset(torch.tensor([3, 1]))
    assert part.index.tolist() == [3, 1]
    assert part.images[:, 0, 0, 0].tolist() == [3, 1]
    assert part.target.tolist() == [0, 1]
    assert part.group.tolist() == [1, 1]
    assert (part.n_classes, part.n_groups) == (3, 3)
    assert part.info == {}  # the arguments of load would rebuild the whole set
    assert data.info != {}
    assert GroupedDataset.from_arrays(*arrays()).subset([1, 2]).index is None


def test_fingerprint_tells_data_apart():
    images, target, group = arrays()
    data = GroupedDataset.from_arrays(images, target, group)
    seen = {data.fingerprint()}
    assert len(data.fingerprint()) == 64
    assert GroupedDataset.from_arrays(images, target, group, "other").fingerprint() in seen
    images[0, 0, 0, 0] ^= 1
    seen.add(GroupedDataset.from_arrays(images, target, group).fingerprint())
    seen.add(GroupedDataset.from_arrays(images, group, target).fingerprint())
    seen.add(GroupedDataset.from_arrays(images, target, group, group_names="ab").fingerprint())
    seen.add(GroupedDataset.from_arrays(images, target, group, target_names="abc").fingerprint())
    seen.add(GroupedDataset.from_arrays(images.swapaxes(2, 3), target, group).fingerprint())
    assert len(seen) == 6


def test_it_cannot_be_changed_by_accident():
    data = GroupedDataset.from_arrays(*arrays())
    with pytest.raises(AttributeError):
        data.target = data.group


# ---- counterfactual


def test_counterfactual_is_every_original_in_every_group():
    data = painted([1, 0, 1], 3, group=[2, 0, 1])
    paired = data.counterfactual()
    assert paired.index.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert paired.group.tolist() == [0, 1, 2] * 3
    assert paired.target.tolist() == [1] * 3 + [0] * 3 + [1] * 3
    assert paired.images[:, :2, 0, 0].tolist() == [[i, a] for i in range(3) for a in range(3)]
    assert paired.info == {}


def test_counterfactual_of_a_paired_set_draws_each_original_once():
    data = painted([1, 0], 2, index=[0, 1, 0, 1], group=[0, 0, 1, 1])
    assert data.counterfactual().index.tolist() == [0, 0, 1, 1]


def test_counterfactual_limit_is_per_class_and_takes_the_first():
    data = painted([1, 0, 1, 1, 0, 2], 2, index=[5, 3, 1, 0, 2, 4])
    # classes of these originals: 2, 1, 0, 1, 1, 0
    assert data.counterfactual(limit=1).index.tolist() == [5, 5, 3, 3, 1, 1]
    assert data.counterfactual(limit=2).index.tolist() == [5, 5, 3, 3, 1, 1, 0, 0, 4, 4]
    assert len(data.counterfactual(limit=99)) == 12
    with pytest.raises(FddkitError, match="limit=0 leaves no image"):
        data.counterfactual(limit=0)


def test_counterfactual_of_a_subset_is_of_its_images():
    part = painted([1, 0, 1], 2).subset(torch.tensor([2, 0]))
    assert part.counterfactual().index.tolist() == [2, 2, 0, 0]


def test_natural_groups_have_no_counterfactual():
    assert GroupedDataset.from_arrays(*arrays()).counterfactual() is None


# ---- arrays that do not fit


def test_float_images_are_told():
    images, target, group = arrays()
    with pytest.raises(FddkitError, match=r"are float64 \[12, 3, 4, 5\]; give uint8"):
        GroupedDataset.from_arrays(images / 255, target, group)
    with pytest.raises(FddkitError, match="int64"):
        GroupedDataset.from_arrays(images.astype(np.int64), target, group)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_images_are_told(value):
    images, target, group = arrays()
    images = images.astype(np.float32)
    images[3, 1, 2, 2] = value
    for given_as in (np.asarray, torch.tensor):
        with pytest.raises(FddkitError, match="hold NaN or infinity"):
            GroupedDataset.from_arrays(given_as(images), target, group)


def test_wrong_shapes_are_told():
    images, target, group = arrays()
    with pytest.raises(FddkitError, match=r"channels are last: images.transpose\(0, 3, 1, 2\)"):
        GroupedDataset.from_arrays(images.transpose(0, 2, 3, 1), target, group)
    with pytest.raises(FddkitError, match=r"need a channel axis: images\[:, None\]"):
        GroupedDataset.from_arrays(images[:, 0], target, group)
    with pytest.raises(FddkitError, match="with 1 or 3 channels"):
        GroupedDataset.from_arrays(images[:, :2], target, group)
    with pytest.raises(FddkitError, match="not an array"):
        GroupedDataset.from_arrays([images[0], images[1, :, :2]], [0, 1], [0, 1])
    with pytest.raises(FddkitError, match="holds no image"):
        GroupedDataset.from_arrays(images[:0], target[:0], group[:0])


def test_labels_that_do_not_fit_are_told():
    images, target, group = arrays()
    with pytest.raises(FddkitError, match=r"12 images but target labels of shape \[11\]"):
        GroupedDataset.from_arrays(images, target[1:], group)
    with pytest.raises(FddkitError, match=r"group labels of shape \[12, 1\]"):
        GroupedDataset.from_arrays(images, target, group[:, None])
    with pytest.raises(FddkitError, match="target labels of arrays are float64; give whole"):
        GroupedDataset.from_arrays(images, target / 1, group)
    target[5] = -1
    with pytest.raises(FddkitError, match=r"target -1 of arrays \(image 5\) is negative"):
        GroupedDataset.from_arrays(images, target, group)


def test_labels_without_a_name_are_told():
    images, target, group = arrays()
    with pytest.raises(FddkitError, match=r"group 1 of arrays \(image 3\) is too large"):
        GroupedDataset.from_arrays(images, target, group, group_names=["only"])
    with pytest.raises(FddkitError, match=r"target 2 of arrays \(image 2\) is too large"):
        GroupedDataset.from_arrays(images, target, group, target_names=["a", "b"])


def test_an_empty_group_is_told_unless_it_is_named():
    images, target, group = arrays()
    with pytest.raises(FddkitError, match="group 1 of arrays has no image, though"):
        GroupedDataset.from_arrays(images, target, group * 2)
    with pytest.raises(FddkitError, match="target 0 of arrays has no image"):
        GroupedDataset.from_arrays(images, target + 1, group)
    data = GroupedDataset.from_arrays(images, target, group * 2, group_names=["a", "b", "c"])
    assert data.counts()[:, 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "wrong",
    [{"mean": (0.5,)}, {"mean": (127, 127, 127)}, {"std": (0, 1, 1)}, {"std": [float("nan")] * 3}],
)
def test_normalisation_that_does_not_fit_is_told(wrong):
    with pytest.raises(FddkitError, match=r"give one number per channel \(3\)"):
        GroupedDataset.from_arrays(*arrays(), **wrong)
