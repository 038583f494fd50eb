"""Distillation as the papers write it: one class, one group, one image at a time, in float64.

What a student should read lies in examples/, and is taken from there.
"""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import torch
from torch.nn import functional as F

from fddkit.data.grouped import GroupedDataset
from fddkit.rules.barycentres import CENTRES
from fddkit.training import augment, networks

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"


def example(name):
    """Return a file of examples/ as a module; the folder stays off the path."""
    spec = spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


dc, dm = example("dc"), example("dm")


def toy(seed, counts, side=8):
    """Random images with the given number in each class and group."""
    g = torch.Generator().manual_seed(seed)
    groups = counts.shape[1]
    cell = torch.repeat_interleave(torch.arange(counts.numel()), counts.flatten())
    cell = cell[torch.randperm(len(cell), generator=g)]
    images = torch.randint(0, 256, (len(cell), 3, side, side), generator=g, dtype=torch.uint8)
    names = [str(a) for a in range(groups)]
    return GroupedDataset.from_arrays(
        images, cell // groups, cell % groups, name="toy", group_names=names
    )


def embedding(net, image, y):
    """DM: the flattened last feature map."""
    return [net.features(image[None])[0].flatten()]


def gradients(net, image, y):
    """DC: the gradient of the cross-entropy in every weight that is not a vector."""
    return dc.gradients(net.requires_grad_(True), image[None], torch.tensor([y]), graph=True)


def conv_gradients(net, image, y):
    """IDC: those of the convolutions alone."""
    return [g for g in gradients(net, image, y) if g.ndim == 4]


def squared(target, synthetic):
    return sum(dm.squared(t, s) for t, s in zip(target, synthetic, strict=True))


def absolute(target, synthetic):
    return sum((t - s).abs().sum() for t, s in zip(target, synthetic, strict=True))


def layers(net, image, y):
    """CAFE: what every ReLU of the ConvNet gives, and the last pooling."""
    found, x = [], image[None]
    for layer in net.features:
        x = layer(x.clone())
        if isinstance(layer, torch.nn.ReLU):
            found.append(x[0].flatten())
    return [*found, x[0].flatten()]


def weighted_layers(target, synthetic):
    """CAFE at a depth of two: the first ReLU 0.1, the second 1, the last pooling twice 1."""
    errors = [dm.squared(t, s) for t, s in zip(target, synthetic, strict=True)]
    return 0.1 * errors[0] + errors[1] + errors[2] + errors[2]


def combine(weights, statistics):
    """The weighted sum of statistics, each a list of tensors."""
    return [
        sum(w * one for w, one in zip(weights, layer, strict=True))
        for layer in zip(*statistics, strict=True)
    ]


def mean(statistics):
    return combine([1 / len(statistics)] * len(statistics), statistics)


def class_loss(rule, groups, frequency, density, synthetic, distance):
    """One class under a rule: ``groups`` holds the statistics of the images of each group."""
    means = {a: mean(rows) for a, rows in groups.items()}
    n = len(means)
    if rule in ("vanilla", "kde"):
        rows = [
            (frequency[a] / len(groups[a]) * w, phi)
            for a in groups
            for w, phi in zip(density[a], groups[a], strict=True)
        ]
        total = sum(w for w, _ in rows)
        return distance(combine([w / total for w, _ in rows], [p for _, p in rows]), synthetic)
    if rule in ("fairdd", "fairdd-inverse", "df"):
        weights = dict.fromkeys(means, 1.0)
        if rule != "fairdd":
            total = sum(1 / frequency[a] for a in means)
            scale = n if rule == "fairdd-inverse" else 1
            weights = {a: scale / frequency[a] / total for a in means}
        return sum(weights[a] * distance(means[a], synthetic) for a in means)
    if rule == "cobra":
        return distance(mean(list(means.values())), synthetic)
    flat = torch.stack([torch.cat([part.flatten() for part in m]) for m in means.values()])
    name = "minimax" if rule == "minimax" else rule.removeprefix("cobra-")
    centre = CENTRES[name](flat.detach()[None], torch.ones(1, n, dtype=torch.bool))[0]
    shapes = [part.shape for part in synthetic]
    parts = centre.split([s.numel() for s in shapes])
    return distance([p.view(s) for p, s in zip(parts, shapes, strict=True)], synthetic)


SIGNALS = {
    "dm": (embedding, squared),
    "dc": (gradients, dc.distance),
    "dsa": (gradients, dc.distance),
    "idc": (conv_gradients, squared),
    "dream": (conv_gradients, absolute),
    "cafe": (layers, weighted_layers),
}


def blocks(image, factor):
    """IDC's decoding of one image whose side the factor divides."""
    side = image.shape[1] // factor
    for i in range(factor):
        for j in range(factor):
            one = image[:, i * side : (i + 1) * side, j * side : (j + 1) * side]
            yield F.interpolate(one[None], scale_factor=factor, mode="bilinear")[0]


def loss(method, matching, images, rule, step):
    """Return the loss of a step of a method under a rule, with its graph."""
    phi, distance = SIGNALS[method]
    m, data = matching, matching.train
    seen, batch, draws = m.warm(images.detach(), step), m.batch(step), m.draws(step)
    net = networks.build(
        m.settings.network, data.shape, data.n_classes, 0, m.settings.width, m.settings.depth
    ).double()
    net.load_state_dict(seen.state_dict())

    def see(image, y):
        for draw in draws:
            image = augment.apply(image[None], draw[torch.tensor([y])])[0]
        return image

    total, last, means = 0.0, [], []
    for y in range(data.n_classes):
        own = images[y * m.ipc : (y + 1) * m.ipc]
        if getattr(m.settings, "factor", 1) > 1:
            own = [block for image in own for block in blocks(image, m.settings.factor)]
        synthetic = mean([phi(net, see(image, y), y) for image in own])
        groups, density = {}, {}
        for i in batch.index.tolist():
            if data.target[i] != y:
                continue
            image = see(data.normalise(torch.tensor([i]))[0].double(), y)
            found = [part.detach() for part in phi(net, image, y)]
            a = int(data.group[i])
            groups.setdefault(a, []).append(found)
            last.append((found[-1], y))
            weight = 1.0 if rule != "kde" else float(m.sampler.log_weights[i].exp())
            density.setdefault(a, []).append(weight)
        size = sum(map(len, groups.values()))
        frequency = {a: len(rows) / size for a, rows in groups.items()}
        if m.settings.sampling == "group":  # a balanced batch does not tell them
            mine = data.group[data.target == y]
            frequency = {a: float((mine == a).sum()) / len(mine) for a in groups}
        one = class_loss(rule, groups, frequency, density, synthetic, distance)
        if m.settings.normalise == "groups" and rule.startswith(("fairdd", "df")):
            one = one / len(groups)
        total = total + one
        means.append(synthetic[-1])
    if method == "cafe":  # real features against the classes' synthetic means, one by one
        for feature, y in last:
            logits = torch.stack([feature @ m for m in means])
            total = total + 0.01 * (logits.logsumexp(0) - logits[y])
    return total
