import torch

from fddkit.core.rng import generator
from fddkit.distillers.kmeans import representatives


def test_clear_clusters_are_found_by_their_middle():
    g = torch.Generator().manual_seed(0)
    centres = torch.tensor([[0.0, 0.0], [100.0, 0.0], [0.0, 100.0]])
    points = (centres[:, None] + torch.randn(3, 21, 2, generator=g)).flatten(0, 1)
    best = set()
    for seed in range(20):  # Lloyd's algorithm may begin with two rows of one cluster
        chosen = representatives(points, 3, generator(seed))
        if len({int(i) // 21 for i in chosen}) == 3:
            best.add(tuple(sorted(chosen.tolist())))
    assert len(best) == 1
    for i in best.pop():
        own = points[i // 21 * 21 : i // 21 * 21 + 21]
        nearest = (own - own.mean(0)).norm(dim=1).argmin()
        assert i % 21 == nearest


def test_it_is_a_fixed_point_of_lloyds_algorithm():
    points = torch.randn(60, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    chosen = representatives(points, 7, generator(3))
    assert len(chosen) == 7
    assert torch.equal(chosen, representatives(points, 7, generator(3)))
    # by loops: assign and average until nothing changes
    centres = points[torch.randperm(60, generator=generator(3))[:7]].clone()
    own = None
    while True:
        now = [int((points[i] - centres).square().sum(1).argmin()) for i in range(60)]
        if now == own:
            break
        own = now
        for c in range(7):
            rows = [points[i] for i in range(60) if own[i] == c]
            if rows:
                centres[c] = sum(rows) / len(rows)
    expected = [int((points - centre).square().sum(1).argmin()) for centre in centres]
    assert chosen.tolist() == expected


def test_as_many_clusters_as_rows_take_every_row():
    points = torch.randn(4, 2)
    assert representatives(points, 9, generator(0)).tolist() == [0, 1, 2, 3]
