import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from fddkit.core.errors import FddkitError
from fddkit.training import networks
from fddkit.training.architectures import NETWORKS
from fddkit.training.networks import build, chunk_size, embed, predict

SMALL = {"convnet": 16, "alexnet": 16, "vgg11": 32, "resnet18": 32}  # sides that keep tests quick


def image(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def parameters(net):
    return sum(p.numel() for p in net.parameters())


def conv(k, channels, width):
    return k * k * channels * width


# weights, then biases, then scale and shift of the normalisation, then the head, on 3 x 32 x 32
COUNTS = {
    "convnet": conv(3, 3, 128) + 2 * conv(3, 128, 128) + 3 * 128 + 3 * 256 + 2048 * 10 + 10,
    "alexnet": conv(5, 3, 128)
    + conv(5, 128, 192)
    + conv(3, 192, 256)
    + conv(3, 256, 192)
    + conv(3, 192, 192)
    + (128 + 192 + 256 + 192 + 192)
    + 3072 * 10
    + 10,
    "vgg11": conv(3, 3, 64)
    + conv(3, 64, 128)
    + conv(3, 128, 256)
    + conv(3, 256, 256)
    + conv(3, 256, 512)
    + 3 * conv(3, 512, 512)
    + 3 * (64 + 128 + 2 * 256 + 4 * 512)
    + 512 * 10
    + 10,
    # no biases; a 1 x 1 shortcut with its own normalisation in three of the four stages
    "resnet18": conv(3, 3, 64)
    + 4 * conv(3, 64, 64)
    + sum(conv(3, w // 2, w) + 3 * conv(3, w, w) + conv(1, w // 2, w) for w in (128, 256, 512))
    + 2 * 5 * 64
    + 2 * 5 * (128 + 256 + 512)
    + 512 * 10
    + 10,
}


@pytest.mark.parametrize("name", NETWORKS)
def test_parameter_counts_derived_by_hand(name):
    assert parameters(build(name, (3, 32, 32), 10, 0)) == COUNTS[name]


def test_the_published_count_of_the_convnet():
    assert COUNTS["convnet"] == 320_010


@pytest.mark.parametrize(
    ("name", "at_32", "at_64"),
    [
        ("convnet", 2048, 8192),
        ("alexnet", 3072, 12288),
        ("vgg11", 512, 2048),
        ("resnet18", 512, 2048),
    ],
)
def test_heads_of_the_table(name, at_32, at_64):
    for side, size in ((32, at_32), (64, at_64)):
        net = build(name, (3, side, side), 7, 0)
        assert net.classifier.in_features == size
        with torch.no_grad():
            assert net.embed(image(2, 3, side, side)).shape == (2, size)
            assert net(image(2, 3, side, side)).shape == (2, 7)


@settings(max_examples=25, deadline=None)
@given(
    name=st.sampled_from(list(NETWORKS)),
    channels=st.sampled_from([1, 3]),
    sides=st.tuples(st.integers(3, 45), st.integers(3, 45)),
    depth=st.integers(1, 5),
)
def test_the_head_fits_every_size_or_the_error_names_the_least(name, channels, sides, depth):
    options = {"width": 4, "depth": depth} if name == "convnet" else {}
    with torch.device("meta"):
        features = NETWORKS[name].features(channels, **options)
        try:
            expected = features(torch.empty(1, channels, *sides)).flatten(1).shape[1]
        except (RuntimeError, ValueError):  # torch itself finds no pixel left
            expected = 0
    if expected:
        assert build(name, (channels, *sides), 3, 0, **options).classifier.in_features == expected
    else:
        with pytest.raises(FddkitError, match=r"needs images of at least \d+x\d+ pixels"):
            build(name, (channels, *sides), 3, 0, **options)


@pytest.mark.parametrize(
    ("name", "channels", "least"),
    [
        ("convnet", 3, 8),
        ("convnet", 1, 4),  # 4 + 2 * 2 more pixels of padding
        ("alexnet", 3, 8),
        ("alexnet", 1, 4),
        ("vgg11", 3, 32),
        ("vgg11", 1, 28),
        ("resnet18", 3, 25),  # three strides of 2, rounded up, leave 4
        ("resnet18", 1, 25),
    ],
)
def test_least_sizes(name, channels, least):
    net = build(name, (channels, least, least), 2, 0)
    with torch.no_grad():
        assert net(image(1, channels, least, least)).shape == (1, 2)
    told = f"{name}.* at least {least}x{least} pixels, but these are {least - 1}x{least}"
    with pytest.raises(FddkitError, match=told):
        build(name, (channels, least - 1, least), 2, 0)


def test_digits_of_16_pixels_fit_the_convnet_and_alexnet_only():
    assert build("convnet", (3, 16, 16), 10, 0).classifier.in_features == 128 * 2 * 2
    assert build("alexnet", (3, 16, 16), 10, 0).classifier.in_features == 192 * 2 * 2
    for name, least in (("vgg11", 32), ("resnet18", 25)):
        with pytest.raises(FddkitError, match=f"{name} needs images of at least {least}x{least}"):
            build(name, (3, 16, 16), 10, 0)


@pytest.mark.parametrize(
    ("name", "padding", "head"),
    [("convnet", 3, 2048), ("alexnet", 4, 3072), ("vgg11", 3, 512), ("resnet18", 1, 512)],
)
def test_gray_images_of_28_pixels_get_the_heads_of_32(name, padding, head):
    net = build(name, (1, 28, 28), 10, 0)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert convolutions[0].padding == (padding, padding)
    assert convolutions[1].padding == (convolutions[1].kernel_size[0] // 2,) * 2
    assert net.classifier.in_features == head
    with torch.no_grad():
        assert net.embed(image(1, 1, 28, 28)).shape == (1, head)


def test_width_and_depth_are_free_for_the_convnet_alone():
    net = build("convnet", (3, 32, 32), 10, 0, width=16, depth=4)
    assert net.classifier.in_features == 16 * 2 * 2
    assert parameters(net) == 448 + 3 * (conv(3, 16, 16) + 16) + 4 * 32 + 650
    for options in ({"width": 64}, {"depth": 4}):
        with pytest.raises(FddkitError, match="cannot be chosen for alexnet"):
            build("alexnet", (3, 32, 32), 10, 0, **options)


def test_unknown_names_and_senseless_numbers():
    with pytest.raises(FddkitError, match="did you mean 'alexnet'"):
        build("alexnett", (3, 32, 32), 10, 0)
    for options in ({"width": 0}, {"depth": 0}, {"n_classes": 0}):
        with pytest.raises(FddkitError, match="is not a positive integer"):
            build("convnet", **{"shape": (3, 32, 32), "n_classes": 10, "seed": 0, **options})
    with pytest.raises(FddkitError, match="convnet of depth 5 needs images of at least 32x32"):
        build("convnet", (3, 16, 16), 10, 0, depth=5)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_seed_decides_the_weights_and_the_global_generator_is_left_alone(name):
    shape = (3, SMALL[name], SMALL[name])
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first = build(name, shape, 10, 7)
    assert torch.equal(torch.rand(3), expected)
    again, other = build(name, shape, 10, 7), build(name, shape, 10, 8)
    for (key, a), b in zip(first.state_dict().items(), again.state_dict().values(), strict=True):
        assert torch.equal(a, b), key
    assert not torch.equal(first.classifier.weight, other.classifier.weight)


def test_weights_follow_torchs_default_whatever_the_default_device():
    with torch.device("meta"):  # stands for a user's default device
        net = build("convnet", (3, 32, 32), 10, 0)
    for layer, fan_in in ((net.features[4], 1152), (net.classifier, 2048)):
        bound = fan_in**-0.5  # kaiming uniform with a = sqrt(5)
        assert layer.weight.device.type == "cpu"
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert layer.weight.std().item() == pytest.approx(bound / 3**0.5, rel=0.02)
        assert 0 < layer.bias.abs().max() <= bound
    assert torch.equal(net.features[5].weight, torch.ones(128))
    assert torch.equal(net.features[5].bias, torch.zeros(128))


@pytest.mark.parametrize("name", NETWORKS)
def test_no_network_mixes_images_and_each_equals_its_definition(name):
    net = build(name, (3, SMALL[name], SMALL[name]), 10, 1).double()
    images = image(3, 3, SMALL[name], SMALL[name]).double()
    whole = net(images)
    for i in range(3):
        torch.testing.assert_close(net(images[i : i + 1])[0], whole[i], rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(whole, net.classifier(net.embed(images)))


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("convnet", "c3-128 IN relu A2 " * 3),
        (
            "alexnet",
            "c5-128 relu M2 c5-192 relu M2 c3-256 relu c3-192 relu c3-192 relu M2",
        ),
        (
            "vgg11",
            "c3-64 IN relu M2 c3-128 IN relu M2 c3-256 IN relu c3-256 IN relu M2 "
            "c3-512 IN relu c3-512 IN relu M2 c3-512 IN relu c3-512 IN relu M2",
        ),
    ],
)
def test_layers_follow_the_table(name, layers):
    told = {
        nn.Conv2d: lambda layer: f"c{layer.kernel_size[0]}-{layer.out_channels}",
        nn.GroupNorm: lambda layer: "IN" if layer.num_groups == layer.num_channels else "GN",
        nn.ReLU: lambda _: "relu",
        nn.MaxPool2d: lambda layer: f"M{layer.kernel_size}",
        nn.AvgPool2d: lambda layer: f"A{layer.kernel_size}",
    }
    features = build(name, (3, 32, 32), 10, 0).features
    assert [told[type(layer)](layer) for layer in features] == layers.split()


def test_convnet_equals_the_formula_written_out():
    net = build("convnet", (3, 12, 9), 4, 2, width=5, depth=2).double()
    with torch.no_grad():
        for p in net.parameters():  # scales and shifts that are not 1 and 0
            p.add_(image(*p.shape, seed=3).double() / 10)
    images = image(2, 3, 12, 9).double()
    x = images
    for i in (0, 4):
        convolution, norm = net.features[i], net.features[i + 1]
        windows = nn.functional.pad(x, (1, 1, 1, 1)).unfold(2, 3, 1).unfold(3, 3, 1)
        x = torch.einsum("nchwij,ocij->nohw", windows, convolution.weight)
        x = x + convolution.bias[:, None, None]
        mean = x.mean((2, 3), keepdim=True)
        x = (x - mean) / ((x - mean) ** 2).mean((2, 3), keepdim=True).add(1e-5).sqrt()
        x = (x * norm.weight[:, None, None] + norm.bias[:, None, None]).clamp(min=0)
        x = x[:, :, : x.shape[2] // 2 * 2, : x.shape[3] // 2 * 2]
        x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
    torch.testing.assert_close(net.embed(images), x.flatten(1), rtol=1e-10, atol=1e-12)


def test_resnet_adds_the_shortcut_before_the_last_relu():
    net = build("resnet18", (3, 32, 32), 4, 2).double()
    block = net.features[5]  # the first that halves the image
    x = image(2, 64, 8, 8).double()
    inner = block.main[1](block.main[0](x)).clamp(min=0)
    inner = block.main[4](block.main[3](inner))
    expected = (inner + block.shortcut[1](block.shortcut[0](x))).clamp(min=0)
    assert expected.shape == (2, 128, 4, 4)
    torch.testing.assert_close(block(x), expected)


def test_chunks_keep_the_first_layer_at_8_mib():
    wide = build("convnet", (3, 32, 32), 10, 0)
    narrow = build("convnet", (3, 32, 32), 10, 0, width=32)
    assert chunk_size(wide, (3, 32, 32)) == 16 == chunk_size(128, (3, 32, 32))
    assert chunk_size(narrow, (3, 32, 32)) == 64 == chunk_size(32, (3, 32, 32))
    assert chunk_size(narrow.double(), (3, 32, 32)) == 32
    assert chunk_size(wide, (3, 16, 16)) == 64
    assert chunk_size(wide, (3, 512, 512)) == 1
    # another device has another budget
    assert chunk_size(wide.to("meta"), (3, 32, 32)) == 2048


@pytest.mark.parametrize("chunk", [None, 1, 3, 7, 100])
def test_chunked_embedding_equals_one_batch(chunk, monkeypatch):
    net = build("convnet", (3, 16, 16), 4, 0, width=8).double()
    monkeypatch.setattr(networks, "CPU_CHUNK", 5 * 8 * 256 * 8)  # 5 images by default
    assert chunk_size(net, (3, 16, 16)) == 5
    images = image(13, 3, 16, 16).double()
    chunked = embed(net, images, chunk)
    assert not chunked.requires_grad
    torch.testing.assert_close(chunked, net.embed(images).detach(), rtol=1e-6, atol=1e-9)
    labels = predict(net, images)
    assert labels.dtype == torch.int64
    assert torch.equal(labels, net(images).argmax(1))


def test_chunks_are_what_the_network_sees(monkeypatch):
    net = build("convnet", (3, 16, 16), 4, 0, width=8)
    seen = []
    net.features.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    embed(net, image(10, 3, 16, 16), 4)
    monkeypatch.setattr(networks, "CPU_CHUNK", 6 * 8 * 256 * 4)
    predict(net, image(10, 3, 16, 16))
    assert seen == [4, 4, 2, 6, 4]


def test_no_image_is_no_embedding():
    net = build("convnet", (3, 16, 16), 4, 0, width=8)
    assert embed(net, torch.empty(0, 3, 16, 16)).shape == (0, 32)
    assert predict(net, torch.empty(0, 3, 16, 16)).shape == (0,)
